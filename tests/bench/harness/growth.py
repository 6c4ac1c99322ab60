"""What growth figures share: the three things whose wall time is taken, and the power by which it grows."""
import math
import time

from harness import cluster
from harness.measure import Failed


def exponent(points):
    """The slope of the line through the points' logarithms: 1 is linear."""
    if len(points) < 2:
        return float("nan")
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
            bench.run_pgorch([*words, "--no-color"], f"{name}, growth", env=env, servers=(), ok=(0, 3))
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
    return [{"name": name, "of": of, "points": points, "exponent": exponent(points)}
            for name, points in lines.items() if points]


def linear_note(found):
    worst = max((each["exponent"] for each in found if each["exponent"] == each["exponent"]), default=float("nan"))
    return (f"1.00 would be linear; the highest is {worst:.2f}. Below 1 there is something that costs the same at any size. "
            f"PostgreSQL {cluster.bin_folder().split('/')[-2]}; one run of each.")
