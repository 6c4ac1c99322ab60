"""The command line of the benchmarks: which figures, how large, how often, and where the results go.

A figure that fails is told and the next one begins; the status is then 1. Goals that are missed change no status: what
the machine does besides is not ours to know.
"""
import argparse
import importlib
import os
import sys
import time
import traceback

from harness import machine, results, rounds, started, text
from harness.bench import Bench, cache_folder, pgorch_program

DEFAULT = ["archive", "upload_50", "upload_20", "migration", "direct", "verify", "bare", "upload_alone", "memory"]
ON_REQUEST = ["readers", "growth_size", "growth_tables"]
ESTIMATE_MB = 1500                   # the size for which the figures' SECONDS hold, for 3 rounds


def figure_module(name):
    return importlib.import_module("figures." + name)


def seconds_of(name, options):
    module = figure_module(name)
    if name in ON_REQUEST:
        return module.SECONDS
    return module.SECONDS * options.size / ESTIMATE_MB * (options.pairs / 3) + 10


def listing(options):
    lines = ["figures (seconds for 1500 MB and 3 rounds on two cores):"]
    for name in DEFAULT + ON_REQUEST:
        module = figure_module(name)
        asked = "  (on request)" if name in ON_REQUEST else ""
        lines.append(f"  {name:14} {module.SECONDS:5} s  {module.TITLE}{asked}")
        lines.append(f"                         goal: {module.GOALS}")
    total = sum(seconds_of(each, options) for each in DEFAULT)
    lines.append(f"all but those on request: about {total / 60:.0f} min, and a minute to make the database")
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(prog="tests/bench/run",
                                     description="How fast, against what. On this machine alone.",
                                     epilog="Needed: ./bootstrap build; vendor/debian.sh bench servers. See README.md.")
    parser.add_argument("--size", type=int, default=1500, metavar="MB", help="of the database on disk (default 1500)")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="rounds of each figure (default 3)")
    parser.add_argument("--only", metavar="FIGURE,...", help="these alone; those on request are had by this only")
    parser.add_argument("--out", metavar="DIR", default="build/bench", help="text, JSON and page (default build/bench)")
    parser.add_argument("--cache", metavar="DIR", default=cache_folder(),
                        help=f"where databases are kept; it may be removed (default {cache_folder()})")
    parser.add_argument("--pgorch", metavar="FILE", default=pgorch_program(),
                        help="the build to measure; a copy of it is, whatever is built meanwhile (default $PGORCH or "
                        "build/release/pgorch)")
    parser.add_argument("--from", metavar="JSON,...", dest="sources",
                        help="measure nothing: the reports of earlier runs, of each figure the last one's")
    parser.add_argument("--readme", metavar="FILE", nargs="?", const=results.README,
                        help="put the table into tests/bench/README.md, or another file that has the marks")
    parser.add_argument("--list", action="store_true", help="the figures, what they mean, and how long they take")
    options = parser.parse_args()
    options.figures = options.only.split(",") if options.only else list(DEFAULT)
    unknown = [each for each in options.figures if each not in DEFAULT + ON_REQUEST]
    if unknown:
        parser.error(f"there is no figure {', '.join(unknown)}; --list shows them")
    if options.size < 1 or options.pairs < 1:
        parser.error("--size and --pairs: at least 1")
    if not options.sources and not options.list and not os.access(options.pgorch, os.X_OK):
        parser.error(f"there is no program {options.pgorch}: ./bootstrap build, or --pgorch FILE")
    try:
        if options.readme:
            results.around(options.readme)
        options.report = results.joined(options.sources.split(",")) if options.sources else None
    except (OSError, ValueError) as why:
        parser.error(str(why))
    return options


class Log:
    """What is said while it runs: on standard output at once, and in the text file."""

    def __init__(self, folder):
        self.begun, self.file = time.monotonic(), open(os.path.join(folder, "bench.log"), "w")

    def __call__(self, line):
        stamped = f"[{time.monotonic() - self.begun:6.0f} s] {line}"
        print(stamped, flush=True)
        print(stamped, file=self.file, flush=True)


def measured(name, bench, options, say):
    """One figure: its result, or the reason why there is none."""
    module, begun = figure_module(name), time.monotonic()
    say(f"{name}: {module.TITLE}, about {seconds_of(name, options):.0f} s")
    result = {"figure": name, "title": module.TITLE, "about": module.__doc__.strip(), "goals": module.GOALS,
              "size_mb": options.size, "load": os.getloadavg()[0]}
    try:
        if hasattr(module, "measure"):
            result.update(module.measure(bench))
        else:
            with module.prepared(bench) as figure:
                result.update(rounds.measure(figure, options.pairs, say))
    except Exception as why:           # whatever it is, the other figures are worth having
        result["failed"] = str(why) or repr(why)
        say(f"{name} FAILED: {result['failed']}")
        if os.environ.get("BENCH_TRACE"):
            traceback.print_exc()
    result["seconds"] = time.monotonic() - begun
    return result


def run(options):
    """Measures. The report is written after each figure."""
    started.watch()
    say = Log(options.out)
    bench = Bench(options, say)
    expected = sum(seconds_of(each, options) for each in options.figures)
    say(f"{len(options.figures)} figures, {options.size} MB, {options.pairs} rounds: about {expected / 60:.0f} min. "
        f"Databases are kept in {bench.cache}, which may be removed.")
    report = {"machine": machine.describe(bench), "size_mb": options.size, "rounds": options.pairs, "figures": []}
    for name in options.figures:
        report["figures"].append(measured(name, bench, options, say))
        report["machine"]["text_bytes"] = bench.text_bytes
        results.write(options.out, report)
    bench.close()
    return report


def main():
    options = parse()
    if options.list:
        print(listing(options))
        return 0
    os.makedirs(options.out, exist_ok=True)
    report = options.report or run(options)
    results.write(options.out, report)
    if options.readme:
        results.into_readme(options.readme, report)
    print("\n" + text.of_report(report))
    print(f"\n{options.out}/bench.html  bench.json  bench.txt  bench.md  bench.log")
    return 1 if any("failed" in each or each.get("failures") for each in report["figures"]) else 0


if __name__ == "__main__":
    sys.exit(main())
