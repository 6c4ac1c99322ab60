"""What two shared cores cannot show, on paper: 100 GB, 8 cores at the source and 8 at the target, 1 Gbit/s between them
and the object storage. Worked out from the stages' measured CPU seconds, taken to grow with the size, and from their
being serial or not; a stage that was not measured leaves its line out.
"""
import statistics

SIZE_GB, CORES, WIRE = 100, 8, 117e6      # bytes per second that 1 Gbit/s carries
VERIFY_JOBS = 4                           # lua/pgorch/verify/budget.lua


def at_size(report, figure, contender, field):
    """The median of what was measured, grown to SIZE_GB."""
    for result in report["figures"]:
        values = [each[contender][field] for each in result.get("rounds", []) if contender in each]
        if result["figure"] == figure and values:
            return statistics.median(values) * SIZE_GB * 1000 / result.get("size_mb", report["size_mb"])
    return None


class Stages:
    """Seconds and bytes of each stage at SIZE_GB; None where it was not measured."""

    def __init__(self, report):
        def of(*what):
            return at_size(report, *what)

        self.text = report["machine"].get("text_bytes", 0) * SIZE_GB * 1000 / report["size_mb"] or None
        self.backend, self.stock = of("archive", "fast", "server_cpu"), of("archive", "stock", "cpu")
        self.fast, self.pg_dump = of("archive", "fast", "cpu"), of("upload_20", "dump", "cpu")
        self.fast_bytes, self.stock_bytes = of("archive", "fast", "bytes"), of("archive", "stock", "bytes")
        self.copy, self.both_passes = of("direct", "pgorch", "server_cpu"), of("verify", "serial", "server_cpu")


def archive_lines(it):
    if None in (it.backend, it.stock, it.fast, it.pg_dump, it.fast_bytes, it.stock_bytes):
        return []
    stages = {"the one COPY backend": it.backend, "pg_dump": it.pg_dump, "compressing": (it.fast - it.pg_dump) / CORES,
              "the wire": it.fast_bytes / WIRE}
    slowest = max(stages, key=stages.get)
    by_hand = max(it.stock, it.backend) + it.stock_bytes / WIRE
    return [f"dump and upload: {stages[slowest]:.0f} s, as long as {slowest} takes ("
            + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in stages.items())
            + f"); by hand {by_hand:.0f} s, zlib on one core and then the wire: {stages[slowest] / by_hand:.2f} of it"]


def copy_lines(it):
    if None in (it.text, it.copy):
        return []
    stages = {"the wire": it.text / WIRE, "the servers' cores": it.copy / (2 * CORES)}
    slowest = max(stages, key=stages.get)
    return [f"direct copy: {stages[slowest]:.0f} s, as long as {slowest} takes ("
            + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in stages.items())
            + "): the rows go uncompressed, so that a slow wire favours the archive"]


def verify_lines(it):
    if it.both_passes is None:
        return []
    ours = it.both_passes / 2 / VERIFY_JOBS
    return [f"deep verification: {ours:.0f} s with {VERIFY_JOBS} connections to each side at once; one serial pass of each "
            f"side {it.both_passes:.0f} s: {ours / it.both_passes:.2f} of it"]


def lines(report):
    """Sentences; none when nothing of it was measured."""
    it = Stages(report)
    return archive_lines(it) + copy_lines(it) + verify_lines(it)
