"""Contenders take turns: in each round every one runs once, and who is first moves on by one each time. A ratio is
taken within a round, where both found the machine alike; of the ratios the median counts, and the least and largest are
told. A contender that fails runs no more, and what is compared with it is not told; the others go on.
"""
import statistics
from dataclasses import dataclass, field
from typing import Callable

from harness import text
from harness.measure import Failed


@dataclass
class Contender:
    """run() gives a sample (measure.py) that may hold `bytes`; before() and after() are not measured."""
    name: str
    label: str
    run: Callable
    before: Callable = lambda: None
    after: Callable = lambda: None


@dataclass
class Ratio:
    """of(round) is a number, where round[contender] is a sample. The goal is an upper bound; None: for information."""
    name: str
    of: Callable
    goal: float = None
    unit: str = ""


@dataclass
class Figure:
    """What a figure measures. check(round) looks, after the first round, whether all did the same work, and raises."""
    contenders: list
    ratios: list
    check: Callable = lambda round: None
    notes: list = field(default_factory=list)


def wall(a, b):
    return lambda round: round[a]["wall"] / round[b]["wall"]


def part(field_name, a, b):
    return lambda round: round[a][field_name] / round[b][field_name]


def play(figure, number, failures, say):
    """One round."""
    count, found = len(figure.contenders), {}
    for i in range(count):
        each = figure.contenders[(i + number) % count]
        if each.name in failures:
            continue
        try:
            each.before()
            found[each.name] = each.run()
            say(text.of_sample(number, each, found[each.name]))
        except Failed as why:
            failures[each.name] = str(why)
            say(f"  {each.label} FAILED: {why}")
        finally:
            each.after()
    if number == 0 and not failures:
        figure.check(found)
    return found


def judged(ratio, rounds):
    """The ratio's median and spread; None when one of its contenders has failed."""
    try:
        values = [ratio.of(each) for each in rounds]
    except KeyError:
        return None
    median = statistics.median(values)
    return {"name": ratio.name, "goal": ratio.goal, "unit": ratio.unit, "values": values, "median": median,
            "least": min(values), "largest": max(values), "reached": None if ratio.goal is None else median <= ratio.goal}


def start_ups(rounds):
    found = [sample["start_up"] for each in rounds for sample in each.values() if "start_up" in sample]
    if not found:
        return []
    return [f"The AWS CLI needs {min(found):.2f} to {max(found):.2f} s to start; that is not in its wall time."]


def steps(contenders, rounds):
    """The seconds of each step of those who have steps, as lines: medians, in the order in which they began."""
    lines = []
    for name in contenders:
        taken = [each[name]["steps"] for each in rounds if each.get(name, {}).get("steps")]
        ids = {step: None for each in taken for step in each}
        medians = {step: statistics.median(each[step] for each in taken if step in each) for step in ids}
        shown = [f"{step} {seconds:.1f}" for step, seconds in medians.items() if seconds >= 0.05]
        lines += [f"{name}, seconds of its steps: {', '.join(shown)}."] if shown else []
    return lines


def measure(figure, pairs, say):
    """All rounds, as what the reports are made of."""
    failures = {}
    rounds = [play(figure, number, failures, say) for number in range(pairs)]
    for each in rounds:
        for sample in each.values():
            sample.pop("output", None)
    contenders = {each.name: each.label for each in figure.contenders}
    return {"contenders": contenders, "rounds": rounds,
            "ratios": [each for each in (judged(ratio, rounds) for ratio in figure.ratios) if each],
            "failures": failures, "notes": start_ups(rounds) + figure.notes + steps(contenders, rounds)}
