"""What pgorch itself costs: the same pipeline as bare processes.

pipe: `pg_dump -Fc -Z0 | igzip -3` into a file, with ISA-L's own command line tool on all cores: same pg_dump, same
compressor, same level, and no archive to take apart. ours: `pgorch dump --compress fast`. stock pipe: `pg_dump -Fc`
into a file; stock: `pgorch dump --compress stock`, which does nothing but carry the bytes, with the checks, the SHA-256
and the sync that it does always.
"""
from contextlib import contextmanager

from harness.bench import sized
from harness.rounds import Contender, Figure, Ratio, part, wall

TITLE = "pgorch against bare processes"
SECONDS = 180
GOALS = "wall <= 1.03"


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
        [Contender("pipe", f"pg_dump -Fc -Z0 | igzip -3 -T {bench.jobs}; sync", line("pipe.gz", igzip)),
         Contender("ours", "pgorch dump --compress fast -o FILE", ours("ours.dump", "fast")),
         Contender("bare", "pg_dump -Fc -f FILE; sync", line("bare.dump", stock)),
         Contender("stock", "pgorch dump --compress stock -o FILE", ours("stock.dump", "stock"))],
        [Ratio("wall pgorch / igzip pipe", wall("ours", "pipe"), 1.03),
         Ratio("wall pgorch / pg_dump, stock", wall("stock", "bare"), 1.03),
         Ratio("client CPU pgorch / igzip pipe", part("cpu", "ours", "pipe")),
         Ratio("client CPU pgorch / pg_dump, stock", part("cpu", "stock", "bare"))])
    bench.remove("pipe.gz", "ours.dump", "bare.dump", "stock.dump")
