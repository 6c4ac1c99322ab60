"""Dump and upload over a link of 50 MiB/s.

by hand: `pg_dump -Fc -f FILE`, then `aws s3 cp FILE`, as the article says; the CLI's start is taken out of its wall
time. pgorch: `pgorch dump --to`, which uploads while it dumps; beside it the same with `--readers 2`. All through the
same link into the sandbox's S3 server.
"""
from contextlib import contextmanager

from harness import link_pair
from harness.rounds import Figure, Ratio, part, wall

TITLE = "Dump and upload at 50 MiB/s"
SECONDS = 130
GOALS = "wall <= 0.30"


@contextmanager
def prepared(bench):
    with link_pair.opened(bench, 50) as pair:
        yield Figure([pair.by_hand(), pair.by_pgorch(), pair.by_pgorch("readers", "--readers", "2")],
                     [Ratio("wall pgorch / by hand", wall("pgorch", "hand"), 0.30),
                      Ratio("wall readers / by hand", wall("readers", "hand")),
                      Ratio("client CPU pgorch / by hand", part("cpu", "pgorch", "hand")),
                      Ratio("size pgorch / by hand", part("bytes", "pgorch", "hand"))],
                     notes=[pair.note()])
