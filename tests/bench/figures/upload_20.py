"""Dump and upload over a link of 20 MiB/s, against the slowest stage alone.

dump: `pg_dump -Fc -Z0 >/dev/null`. upload: curl puts the archive of a stock `pg_dump -Fc` through the link, alone: a
worse compression than zlib 6 shows as a longer wall time. pgorch: `pgorch dump --to` through the same link. Nothing
that dumps and uploads can beat the slower of the two by much; what exceeds it is not overlapped.
"""
from contextlib import contextmanager

from harness import link_pair
from harness.rounds import Figure, Ratio, part

TITLE = "Dump and upload at 20 MiB/s"
SECONDS = 130
GOALS = "wall / max(dump alone, upload alone) <= 1.05"


def against_slowest(round):
    return round["pgorch"]["wall"] / max(round["dump"]["wall"], round["upload"]["wall"])


@contextmanager
def prepared(bench):
    with link_pair.opened(bench, 20) as pair:
        yield Figure([pair.dump_alone(), pair.upload_alone(), pair.by_pgorch()],
                     [Ratio("wall pgorch / max(dump, upload)", against_slowest, 1.05),
                      Ratio("size pgorch / stock", part("bytes", "pgorch", "upload"))], notes=[pair.note()])
        bench.remove("stock.dump")
