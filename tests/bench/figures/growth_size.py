"""Wall time against the size of the database: 0.1, 0.5, 1.5 and 5 GB of the same mix. dump is `pgorch dump -o`, copy is
`pgorch copy` into an empty server, verify is `pgorch verify --deep` of the two after that. --size leaves out what is
larger than three times of it, and its default takes all.
"""
from harness import cluster, growth

TITLE = "Growth with the size"
SECONDS = 420
GOALS = "a power of 1.1 at most"
SIZES_MB = [100, 500, 1500, 5000]


def measure(bench):
    found = []
    for size in [each for each in SIZES_MB if each <= 3.4 * bench.size_mb]:
        parts = max(1, round(size / cluster.PART_MB))
        server = cluster.source(bench.cache, parts, bench.path(f"growth-{size}"), bench.say)
        try:
            bench.say(f"  {size} MB")
            bench.warm(server)
            found.append((size / 1000, growth.measure_all(bench, server, bench.target, cluster.DBNAME, bench.say)))
        finally:
            server.close()
            bench.remove(f"growth-{size}")
    return growth.result(found, "GB")
