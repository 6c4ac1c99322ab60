"""The files that results are written into, read from again, and put into the README by.

A report is a dictionary: the machine, size and rounds of the run, and its figures (rounds.py).
"""
import json
import os
import re

from harness import page, text

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "README.md")
BEGIN, END = "<!-- results: begin, by --readme -->", "<!-- results: end -->"


def put(path, content):
    with open(path + ".new", "w") as file:
        file.write(content)
    os.replace(path + ".new", path)


def write(folder, report):
    """After each figure: what is there is not lost when a later one ends all."""
    for name, content in (("bench.json", json.dumps(report, indent=1)), ("bench.txt", text.of_report(report)),
                          ("bench.md", text.of_table(report)), ("bench.html", page.of_report(report))):
        put(os.path.join(folder, name), content)


def joined(paths):
    """One report of several runs: the first one's machine, and of each figure the one that was measured last."""
    reports = []
    for path in paths:
        with open(path) as file:
            reports.append(json.load(file))
    figures = {}
    for report in reports:
        for each in report["figures"]:
            figures[each["figure"]] = dict({"size_mb": report["size_mb"]}, **each)
    return dict(reports[0], figures=list(figures.values()))


def around(path):
    """What stands before and after the place for results. To be asked before half an hour of measuring, too."""
    with open(path) as file:
        found = re.fullmatch(f"(.*{re.escape(BEGIN)}).*?({re.escape(END)}.*)", file.read(), re.DOTALL)
    if not found:
        raise ValueError(f"{path} has no place for results: {BEGIN} ... {END}")
    return found.groups()


def into_readme(path, report):
    """Replaces what stands between the marks."""
    before, after = around(path)
    put(path, f"{before}\n\n{text.of_table(report)}\n{after}")
