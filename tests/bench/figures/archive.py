"""The archive itself, into a file.

stock: `pg_dump -Fc` as everybody types it (zlib, level 6). fast and small: `pgorch dump -o`, which compresses on all
cores what pg_dump writes uncompressed. The three archives must hold the same.
"""
from contextlib import contextmanager

from harness.bench import sized
from harness.measure import Failed
from harness.rounds import Contender, Figure, Ratio, part, wall

TITLE = "Archive into a file"
SECONDS = 150
GOALS = "wall <= 0.33 and CPU <= 0.30 at size <= 1.05; wall <= 0.65 at size <= 1.00"


@contextmanager
def prepared(bench):
    def stock():
        return sized(bench.shell(bench.dump() + f" -f '{bench.path('stock.dump')}'"), bench.path("stock.dump"))

    def ours(kind):
        path = bench.path(kind + ".dump")
        words = ["dump", "--no-color", "--force", "--compress", kind, "-o", path]
        return sized(bench.run_pgorch(words, f"dump -o, {kind}"), path)

    def check(_round):
        contents = {kind: bench.content_of(kind + ".dump") for kind in ("stock", "fast", "small")}
        if len(set(contents.values())) != 1:
            raise Failed(f"the archives do not hold the same: {contents}")

    bench.source.cpu()
    yield Figure(
        [Contender("stock", "pg_dump -Fc -f FILE", stock),
         Contender("fast", "pgorch dump --compress fast -o FILE", lambda: ours("fast")),
         Contender("small", "pgorch dump --compress small -o FILE", lambda: ours("small"))],
        [Ratio("wall fast / stock", wall("fast", "stock"), 0.33),
         Ratio("client CPU fast / stock", part("cpu", "fast", "stock"), 0.30),
         Ratio("size fast / stock", part("bytes", "fast", "stock"), 1.05),
         Ratio("wall small / stock", wall("small", "stock"), 0.65),
         Ratio("size small / stock", part("bytes", "small", "stock"), 1.00),
         Ratio("client CPU small / stock", part("cpu", "small", "stock"))],
        check, ["The first round's archives hold the same: pg_restore -f - of all three, byte for byte."])
    bench.remove("stock.dump", "fast.dump", "small.dump")
