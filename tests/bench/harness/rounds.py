"""Contenders take turns: in each round every one runs once, and who is first moves on by one each time. A ratio is taken
within a round, where both found the machine alike; of the ratios the median counts, and the least and largest are told.
"""
import statistics
from dataclasses import dataclass, field
from typing import Callable


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
    """What a figure measures. check(round) looks, after the first round, whether all did the same work, and raises; notes
    may be a function, of what is known only at the end."""
    contenders: list
    ratios: list
    check: Callable = lambda round: None
    notes: object = field(default_factory=list)


def wall(a, b):
    return lambda round: round[a]["wall"] / round[b]["wall"]


def part(field_name, a, b):
    return lambda round: round[a][field_name] / round[b][field_name]


def play(figure, number, say):
    """One round."""
    count, found = len(figure.contenders), {}
    for i in range(count):
        each = figure.contenders[(i + number) % count]
        each.before()
        found[each.name] = each.run()
        say(number, each, found[each.name])
        each.after()
    if number == 0:
        figure.check(found)
    return found


def judged(ratio, rounds):
    values = [ratio.of(each) for each in rounds]
    median = statistics.median(values)
    return {"name": ratio.name, "goal": ratio.goal, "unit": ratio.unit, "values": values, "median": median,
            "least": min(values), "largest": max(values), "reached": None if ratio.goal is None else median <= ratio.goal}


def start_ups(rounds):
    found = [sample["start_up"] for each in rounds for sample in each.values() if "start_up" in sample]
    if not found:
        return []
    return [f"The AWS CLI needs {min(found):.2f} to {max(found):.2f} s to start; that is not in its wall time."]


def measure(figure, pairs, say):
    """All rounds, as what the reports are made of."""
    rounds = [play(figure, number, say) for number in range(pairs)]
    for each in rounds:
        for sample in each.values():
            sample.pop("output", None)
    notes = figure.notes() if callable(figure.notes) else figure.notes
    return {"contenders": {each.name: each.label for each in figure.contenders}, "rounds": rounds,
            "ratios": [judged(each, rounds) for each in figure.ratios], "notes": start_ups(rounds) + notes}
