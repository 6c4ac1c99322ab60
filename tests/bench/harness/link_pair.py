"""The contenders of the two figures that dump and upload over a link of limited speed."""
from contextlib import contextmanager

from harness.bench import sized
from harness.measure import after_each_other, shell
from harness.rounds import Contender
from harness.store import BUCKET, Link, World, without_start_up


class LinkPair:
    def __init__(self, bench, store, rate):
        self.bench, self.store, self.rate = bench, store, rate
        store.make_bucket()

    def note(self):
        return f"One link of {self.rate} MiB/s for all connections together."

    def env(self):
        return dict(self.bench.env(), **{name: value for name, value in self.store.env.items() if "AWS" in name})

    def by_hand(self):
        path = self.bench.path("stock.dump")

        def run():
            dumped = sized(self.bench.shell(self.bench.dump() + f" -f '{path}'"), path)
            start_up = self.store.start_up()
            words = " ".join(self.store.aws("s3", "cp", "--quiet", path, f"s3://{BUCKET}/hand.dump"))
            sent = self.bench.shell(words, env=self.store.env)
            whole = dict(after_each_other(dumped, sent), bytes=dumped["bytes"])
            return without_start_up(whole, start_up)

        return Contender("hand", "pg_dump -Fc -f FILE; aws s3 cp FILE s3://...", run, after=lambda: self.clean("hand.dump"))

    def by_pgorch(self, name="pgorch", *flags):
        key, shown = f"{name}.dump", " ".join(["pgorch dump --to s3://...", *flags])

        def run():
            words = ["dump", "--no-color", "--force", "--to", f"s3://{BUCKET}/{key}", *flags]
            sample = self.bench.run_pgorch(words, f"dump --to at {self.rate} MiB/s", env=self.env())
            return dict(sample, bytes=self.store.size(key))

        return Contender(name, shown, run, after=lambda: self.clean(key))

    def dump_alone(self):
        return Contender("dump", "pg_dump -Fc -Z0 >/dev/null",
                         lambda: self.bench.shell(self.bench.dump("-Z0") + " >/dev/null"))

    def upload_alone(self):
        path = self.bench.path("stock.dump")
        shell(self.bench.dump() + f" -f '{path}'")

        def run():
            address = self.store.signed("PUT", "alone.dump")
            return sized(self.bench.shell(f"curl -sSf -o /dev/null -T '{path}' '{address}'"), path)

        return Contender("upload", "curl -T FILE (a stock archive)", run, after=lambda: self.store.remove("alone.dump"))

    def clean(self, key):
        self.store.remove(key)
        if key == "hand.dump":
            self.bench.remove("stock.dump")


@contextmanager
def opened(bench, rate):
    bench.source.cpu()
    with World(bench) as world, Link(world.store, rate) as store:
        yield LinkPair(bench, store, rate)
