"""The results as text, at most 80 columns wide."""
import textwrap

from harness import model

WIDTH = 80


def size(count):
    return f"{count / 1e6:.1f} MB"


def of_sample(number, contender, sample):
    """A line while it runs."""
    more = f", {size(sample['bytes'])}" if sample.get("bytes") else ""
    return (f"  round {number + 1}  {contender.label}: {sample['wall']:.2f} s, CPU {sample['cpu']:.2f} s, servers "
            f"{sample['server_cpu']:.2f} s{more}")


def verdict(ratio):
    if ratio["goal"] is None:
        return ""
    return f"goal {ratio['goal']:g}{ratio['unit']} {'reached' if ratio['reached'] else 'MISSED'}"


def of_ratio(ratio):
    digits = 0 if ratio["unit"] else 3
    spread = f"({ratio['least']:.{digits}f} - {ratio['largest']:.{digits}f})"
    return f"  {ratio['name'][:34]:34} {ratio['median']:7.{digits}f} {spread:15} {verdict(ratio)}".rstrip()


def of_round(name, sample):
    parts = [f"{sample['wall']:8.2f}", f"{sample['cpu']:8.2f}", f"{sample['server_cpu']:8.2f}",
             f"{sample['own_peak'] / 1e6:8.1f}" if sample["own_peak"] else " " * 8, f"{sample['tree_peak'] / 1e6:8.1f}",
             f"{sample['bytes'] / 1e6:10.1f}" if sample.get("bytes") else " " * 10]
    return f"    {name:10}" + " ".join(parts)


HEAD = f"    {'':10}" + " ".join(["  wall s", "   CPU s", "server s", " peak MB", " tree MB", "        MB"])


def wrapped(words, indent, width=WIDTH):
    return textwrap.wrap(" ".join(words.split()), width, initial_indent=indent, subsequent_indent=indent)


def of_figure(result):
    load = f", load {result['load']:.1f}" if "load" in result else ""
    lines = [f"{result['title']}  [{result['figure']}, {result['seconds']:.0f} s{load}]"]
    if "failed" in result:
        return lines + wrapped("FAILED: " + result["failed"][:600], "  ")
    for name, label in result.get("contenders", {}).items():
        lines += wrapped(f"{name}: {label}", "  ")
    for name, why in result.get("failures", {}).items():
        lines += wrapped(f"FAILED: {name}: {why[:400]}", "  ")
    lines += [of_ratio(each) for each in result.get("ratios", [])]
    if result.get("rounds"):
        lines.append(HEAD)
    for each in result.get("rounds", []):
        lines += [of_round(name, sample) for name, sample in each.items()]
    lines += [line for curve in result.get("curves", []) for line in of_curve(curve)]
    for note in result.get("notes", []):
        lines += wrapped(note, "  ")
    return lines


def of_curve(curve):
    shown = ", ".join(f"{x:g}: {y:.2f} s" for x, y in curve["points"])
    return wrapped(f"{curve['name']}: {shown}; grows as {curve['of']} to the power of "
                   f"{curve['exponent']:.2f}, between the two largest of {curve['last']:.2f}", "  ")


def of_report(report):
    about = report["machine"]
    lines = wrapped(f"{about['date']}, {about['pgorch']}, {about['cores']} cores ({about['processor']}), "
                    f"{about['memory_gb']} GB, load {about['load_at_start']:.1f} at the start; database of "
                    f"{report['size_mb']} MB, {report['rounds']} rounds; {about['pg_dump']}; {about['aws']}", "")
    lines += ["", "Each ratio: median of the rounds (least - largest)."]
    for result in report["figures"]:
        lines += ["", *of_figure(result)]
    return "\n".join(lines + on_paper(report)) + "\n"


def on_paper_head():
    return (f"On paper: {model.SIZE_GB} GB, {model.CORES} + {model.CORES} cores, 1 Gbit/s, from the stages measured "
            "above")


def on_paper(report):
    said = model.lines(report)
    if not said:
        return []
    return ["", *wrapped(on_paper_head(), ""), *[line for each in said for line in wrapped(each, "  ")]]


def md_figure(result, report):
    """The rows of one figure: each ratio, with the number of rounds, and what has failed."""
    where = f"{result.get('size_mb', report['size_mb'])} MB"
    if result.get("rounds"):
        where += f", {len(result['rounds'])}"
    lines = [f"| {result['figure']} | {where} | failed | | {result['goals']} |"] if "failed" in result else []
    lines += [f"| {result['figure']}: {name} | {where} | failed | | |" for name in result.get("failures", {})]
    for each in result.get("ratios", []):
        digits = 0 if each["unit"] else 3
        goal = "" if each["goal"] is None else f"≤ {each['goal']:g}{each['unit']}"
        missed = ", missed" if each["reached"] is False else ""
        spread = f"{each['least']:.{digits}f} – {each['largest']:.{digits}f}" if len(each["values"]) > 1 else ""
        lines.append(f"| {result['figure']}: {each['name']} | {where} | {each['median']:.{digits}f} | {spread} "
                     f"| {goal}{missed} |")
    return lines


def of_table(report):
    """Markdown, for the README."""
    about = report["machine"]
    pg_dump = about["pg_dump"].split(" (Debian")[0]
    lines = wrapped(f"{about['date']}, {about['cores']} cores ({about['processor']}), {about['memory_gb']} GB, load "
                    f"{about['load_at_start']:.1f} at the start, {pg_dump}. Of each ratio the median of the rounds.",
                    "", 120)
    lines += ["", "| figure | size, rounds | median | least – largest | goal |", "|---|---|---|---|---|"]
    for result in report["figures"]:
        lines += md_figure(result, report)
    curves = [(each["title"], line) for each in report["figures"] for line in each.get("curves", [])]
    lines += [""] if curves else []
    for title, curve in curves:
        lines += bullet(f"{title}: " + " ".join(of_curve(curve)))
    said = model.lines(report)
    lines += ["", on_paper_head() + ":", ""] if said else []
    return "\n".join(lines + [line for each in said for line in bullet(each)]) + "\n"


def bullet(words):
    return textwrap.wrap(" ".join(words.split()), 120, initial_indent="- ", subsequent_indent="  ")
