"""The archive, by who reads the rows: pg_dump, or connections of pgorch's own in one snapshot.

pg_dump: `pgorch dump --compress fast -o`; then the same with --readers 1, 2 and 4. Readers pay where the source has
cores of its own: here server, readers and compressor share this machine's, so there is no goal. The archives must hold
the same; of a table that is read in pieces the rows may come in another order.
"""
from contextlib import contextmanager

from harness.bench import sized
from harness.measure import Failed
from harness.rounds import Contender, Figure, Ratio, part, wall

TITLE = "Archive, rows read over several connections"
SECONDS = 100
GOALS = "none: it pays with more cores than two"
COUNTS = (1, 2, 4)


@contextmanager
def prepared(bench):
    def ours(name, more):
        path = bench.path(name + ".dump")
        words = ["dump", "--no-color", "--force", "--compress", "fast", "-o", path, *more]
        return lambda: sized(bench.run_pgorch(words, f"dump {' '.join(more)}"), path)

    names = ["pg_dump"] + [f"readers{count}" for count in COUNTS]

    def check(_round):
        contents = {name: bench.content_of(name + ".dump", in_order=False) for name in names}
        if len(set(contents.values())) != 1:
            raise Failed(f"the archives do not hold the same: {contents}")

    bench.source.cpu()
    yield Figure(
        [Contender("pg_dump", "pgorch dump --compress fast -o FILE", ours("pg_dump", []))]
        + [Contender(f"readers{count}", f"… --readers {count}", ours(f"readers{count}", ["--readers", str(count)]))
           for count in COUNTS],
        [ratio for count in COUNTS for ratio in (
            Ratio(f"wall {count} / pg_dump", wall(f"readers{count}", "pg_dump")),
            Ratio(f"client CPU {count} / pg_dump", part("cpu", f"readers{count}", "pg_dump")))],
        check, ["The first round's archives hold the same lines, whatever their order."])
    bench.remove(*(name + ".dump" for name in names))
