"""The peak memory of pgorch alone, as the kernel keeps it, without pg_dump and other children.

Of every pgorch that the figures before this one have run, at their size; and of `pgorch dump --to` the sandbox's S3
server, which is run here in any case, as `pgorch copy` and `pgorch verify --deep` are when no figure did it.
"""
from harness.rounds import judged, Ratio
from harness.store import BUCKET, World

TITLE = "Peak memory of pgorch"
SECONDS = 30
GOALS = "<= 150 MB, at 1.5 GB and at 15 GB"
MB = 1e6


def copied_and_compared(bench):
    env = bench.env(TARGET_DATABASE_URL=bench.target.url())
    bench.fresh_target()
    for words in (["copy"], ["verify", "--deep", "-q"]):
        sample = bench.run_pgorch([*words, "--no-color"], " ".join(words[:2]), env=env)
        bench.say(f"  pgorch {' '.join(words)}: {sample['wall']:.2f} s, {sample['own_peak'] / MB:.0f} MB at the peak")
    bench.fresh_target()


def measure(bench):
    bench.source.cpu()
    with World(bench) as world:
        world.store.make_bucket()
        words = ["dump", "--no-color", "--force", "--to", f"s3://{BUCKET}/memory.dump"]
        env = dict(bench.env(), **{name: value for name, value in world.store.env.items() if "AWS" in name})
        sample = bench.run_pgorch(words, "dump --to", env=env)
        sample["bytes"] = world.store.size("memory.dump")
    bench.say(f"  pgorch dump --to s3://...: {sample['wall']:.2f} s, {sample['own_peak'] / MB:.0f} MB at the peak")
    if not any(what == "copy" for _, what in bench.peaks):
        copied_and_compared(bench)
    peaks = {}
    for peak, what in bench.peaks:
        peaks[what] = max(peak, peaks.get(what, 0))
    highest = Ratio("highest peak, MB", lambda round: max(round.values()), 150, " MB")
    return {"ratios": [judged(highest, [{what: peak / MB for what, peak in peaks.items()}])],
            "notes": [f"database of {bench.size_mb} MB; " + ", ".join(
                f"{what}: {peak / MB:.0f} MB" for what, peak in sorted(peaks.items(), key=lambda each: -each[1]))]}
