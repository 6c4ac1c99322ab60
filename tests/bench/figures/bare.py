"""What pgorch itself costs: the same pipeline as bare processes.

bare: `pg_dump -Fc` into a file, and that file synced; stock: `pgorch dump --compress stock`, where the same pg_dump
does the same, and pgorch carries the bytes, with the checks, the SHA-256 and the sync that it always does. The goal is
judged on this pair: both do the same work and make the same archive.

pipe: `pg_dump -Fc -Z0 | igzip -3` into a file, with ISA-L's own command line tool on all cores, and that file synced;
ours: `pgorch dump --compress fast`. It stands beside without a goal, for the pipe does less: its file is no archive
that pg_restore reads, but a compressed one. pgorch's takes the archive apart and begins a stream for each table, knows
where each begins, and is shorter. And what it costs at any size shows three times as much: this pair takes a third of
the time of the other.
"""
from contextlib import contextmanager

from harness.bench import sized
from harness.rounds import Contender, Figure, Ratio, part, wall

TITLE = "pgorch against bare processes"
SECONDS = 180
GOALS = "wall <= 1.03 with the same archive, stock"


@contextmanager
def prepared(bench):
    bench.source.cpu()

    def line(name, script):
        return lambda: sized(bench.shell(script), bench.path(name))

    def ours(name, compress):
        words = ["dump", "--no-color", "--force", "--compress", compress, "-o", bench.path(name)]
        return lambda: sized(bench.run_pgorch(words, f"dump --compress {compress}"), bench.path(name))

    pipe, bare = bench.path("pipe.gz"), bench.path("bare.dump")
    igzip = f"{bench.dump('-Z0')} | igzip -3 -T {bench.jobs} -c >'{pipe}'; sync '{pipe}'"
    stock = f"{bench.dump()} -f '{bare}'; sync '{bare}'"
    yield Figure(
        [Contender("pipe", f"pg_dump -Fc -Z0 | igzip -3 -T {bench.jobs}; sync FILE", line("pipe.gz", igzip)),
         Contender("ours", "pgorch dump --compress fast -o FILE", ours("ours.dump", "fast")),
         Contender("bare", "pg_dump -Fc -f FILE; sync FILE", line("bare.dump", stock)),
         Contender("stock", "pgorch dump --compress stock -o FILE", ours("stock.dump", "stock"))],
        [Ratio("wall pgorch / pg_dump, stock", wall("stock", "bare"), 1.03),
         Ratio("client CPU pgorch / pg_dump, stock", part("cpu", "stock", "bare")),
         Ratio("wall pgorch / igzip pipe", wall("ours", "pipe")),
         Ratio("client CPU pgorch / igzip pipe", part("cpu", "ours", "pipe"))])
    bench.remove("pipe.gz", "ours.dump", "bare.dump", "stock.dump")
