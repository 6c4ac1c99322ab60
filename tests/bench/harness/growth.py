"""What growth figures share: the three things whose wall time is taken, and the power by which it grows."""
import math
import time

from harness import cluster
from harness.measure import Failed
from harness.rounds import Ratio, judged

LIMIT = 600                          # seconds of one command: what takes longer is told as failed, and the next begins
LINEAR = 1.1                         # a power that is no more than that of linear growth, measured once


def exponent(points):
    """The slope of the line through the points' logarithms: 1 is linear."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    x0, y0 = (sum(each[i] for each in logs) / len(logs) for i in (0, 1))
    return sum((x - x0) * (y - y0) for x, y in logs) / sum((x - x0) ** 2 for x, _ in logs)


def measure_all(bench, server, target, dbname, say):
    """Seconds of dump, copy and deep verification of one database. What pgorch cannot do is left out, and said."""
    env = bench.env(server.url(dbname), TARGET_DATABASE_URL=target.url())
    found = {}
    target.recreate()
    for name, words in (("dump", ["dump", "--force", "-o", bench.path("growth.dump")]), ("copy", ["copy"]),
                        ("verify", ["verify", "--deep", "-q"])):
        begun = time.monotonic()
        try:
            bench.run_pgorch([*words, "--no-color"], f"{name}, growth", env=env, servers=(), ok=(0, 3), limit=LIMIT)
            found[name] = time.monotonic() - begun
        except Failed as why:
            say(f"  {name} of {dbname} failed: {str(why)[-400:]}")
        say(f"  {name}: {found.get(name, float('nan')):.2f} s")
    bench.remove("growth.dump")
    return found


def curves(measured, of):
    """[(x, {name: seconds})] as the reports' curves."""
    names = ("dump", "copy", "verify")
    lines = {name: [(x, found[name]) for x, found in measured if name in found] for name in names}
    return [{"name": name, "of": of, "points": points, "exponent": exponent(points), "last": exponent(points[-2:])}
            for name, points in lines.items() if len(points) > 1]


def result(measured, of):
    """The curves, and the highest power between the two largest: what costs the same at any size counts least there."""
    found = curves(measured, of)
    powers = {each["name"]: each["last"] for each in found}
    linear = Ratio("highest power, the two largest", lambda round: max(round.values()), LINEAR)
    major = cluster.bin_folder().split("/")[-2]
    return {"curves": found, "ratios": [judged(linear, [powers])] if powers else [],
            "notes": [f"1 would be linear; below it something costs the same at any size. PostgreSQL {major}; one run of each."]}
