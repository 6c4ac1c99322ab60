"""A whole migration to Heroku, in the sandbox: the same stand-ins, the same restore.

hand: the article's commands one after the other: `pg_dump -Fc`, `aws s3 cp`, a signed address, the restore by Heroku's
worker, which is asked for its state ten times a second; then what the article asks to compare, the number of tables and
the rows of each (counts.sql), on both sides at once. App and add-on are there before.

counted: the same work by pgorch, by way of the archive (counted.lua: `pgorch run postgres` that counts rows and sums
none), and all that belongs to it: add-on, settings, checks, the snapshot, the comparison of schemas, sequences and
grants, ANALYZE, the detector, cut-over. The goal is judged on this pair.

archive: `pgorch run postgres` as it is: it sums every row of both sides as well, which nobody does by hand. direct: the
same with `--via direct`.
"""
import itertools
import json
import os
from contextlib import contextmanager

from harness.bench import sized
from harness.cluster import HERE
from harness.heroku import Heroku
from harness.measure import Failed, after_each_other
from harness.rounds import Contender, Figure, Ratio, part, wall
from harness.store import BUCKET, World, without_start_up

TITLE = "Whole migration"
SECONDS = 640
GOALS = "wall / by hand <= 0.70, where both count rows"
COUNTED = os.path.join(HERE, "counted.lua")
COUNTS = os.path.join(HERE, "counts.sql")
PLAN = "standard-0"
LISTS = ["source.counts", "target.counts"]
RESET = ["set default_transaction_read_only = off", "alter database shop reset default_transaction_read_only"]


class Migrations:
    def __init__(self, bench, world):
        self.bench, self.world, self.heroku = bench, world, Heroku(world.env)
        self.numbers = itertools.count(1)
        world.store.make_bucket()

    def servers(self):
        return [self.bench.source.cpu, self.world.cpu]

    def by_hand(self):
        store, path = self.world.store, self.bench.path("hand.dump")
        self.app = f"hand-{next(self.numbers)}"
        addon = self.heroku.app_with_database(self.app, PLAN)
        words = " ".join(store.aws("s3", "cp", "--quiet", path, f"s3://{BUCKET}/hand.dump"))
        dumped = sized(self.bench.shell(self.bench.dump() + f" -f '{path}'", servers=self.servers()), path)
        start_up = store.start_up()
        sent = self.bench.shell(words, env=store.env, servers=self.servers())
        before = sum(each() for each in self.servers())     # those before are reaped: measure.run has waited
        seconds = self.heroku.restore(self.app, addon, store.signed("GET", "hand.dump"))
        restored = {"wall": seconds, "cpu": 0.0, "own_peak": 0, "tree_peak": 0, "output": "",
                    "server_cpu": sum(each() for each in self.servers()) - before}
        counted = self.count()
        whole = dict(after_each_other(dumped, sent, restored, counted), bytes=dumped["bytes"], steps={
            "dump": dumped["wall"], "upload": sent["wall"] - start_up, "restore": seconds, "count": counted["wall"]})
        return without_start_up(whole, start_up)

    def count(self):
        """The rows of every table of both sides at once, compared by diff; and the list must be whole."""
        lists, urls = [self.bench.path(name) for name in LISTS], [self.bench.source.url(), self.heroku.url(self.app)]
        source, target = (f"'{self.bench.psql}' -XAtq -v ON_ERROR_STOP=1 -f '{COUNTS}' '{url}' >'{path}'"
                          for url, path in zip(urls, lists))
        sample = self.bench.shell(f"{source} & {target}; wait $!; diff '{lists[0]}' '{lists[1]}'",
                                  servers=self.servers())
        with open(lists[0]) as file:
            lines = file.read().splitlines()
        if not lines or lines[0] != f"tables|{len(lines) - 1}":
            raise Failed(f"the rows of not every table were counted: {lines}")
        return sample

    def by_pgorch(self, name, recipe="postgres", via="archive"):
        self.app = f"{name}-{next(self.numbers)}"
        begun, took, problems = {}, {}, []

        def on_line(seconds, line):
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "step_started":
                begun[event["id"]] = seconds
            elif event.get("event") == "step_done" and event.get("id") in begun:
                took[event["id"]] = seconds - begun[event["id"]]
            elif event.get("event") == "failed":
                problems.append("{message}\n{detail}".format_map(dict(dict(detail=""), **event["error"])))

        words = ["run", recipe, "--app", self.app, "--plan", PLAN, "--bucket", self.app, "--yes-cut-over", "--json"]
        if via != "archive":
            words += ["--via", via]
        env = dict(self.world.env, **{name: value for name, value in self.bench.env().items() if "PGORCH" in name})
        try:
            sample = self.bench.run_pgorch(words, f"run, {name}", env=env, servers=self.servers(), ok=(0, 3),
                                           on_line=on_line)
        except Failed as why:
            raise Failed("; ".join(problems) or str(why)) from why
        return dict(sample, steps={step: took[step] for step in begun if step in took})

    def clean(self):
        self.heroku.delete(self.app)
        self.world.store.remove("hand.dump")
        self.bench.source.sql(RESET)
        self.bench.remove("hand.dump", *LISTS, "state.db", "state.db-wal", "state.db-shm", "state")


@contextmanager
def prepared(bench):
    bench.source.cpu()
    with World(bench) as world:
        moves = Migrations(bench, world)
        yield Figure(
            [Contender("hand", "pg_dump -Fc -f FILE; aws s3 cp; sign; restore; count", moves.by_hand,
                       after=moves.clean),
             Contender("counted", "pgorch run counted.lua (rows counted)", lambda: moves.by_pgorch("counted", COUNTED),
                       after=moves.clean),
             Contender("archive", "pgorch run postgres (every row summed)", lambda: moves.by_pgorch("archive"),
                       after=moves.clean),
             Contender("direct", "pgorch run postgres --via direct (summed)",
                       lambda: moves.by_pgorch("direct", via="direct"), after=moves.clean)],
            [Ratio("wall counted / by hand", wall("counted", "hand"), 0.70),
             Ratio("wall archive, summed / by hand", wall("archive", "hand")),
             Ratio("wall direct, summed / by hand", wall("direct", "hand")),
             Ratio("wall direct / archive, both summed", wall("direct", "archive")),
             Ratio("client CPU counted / by hand", part("cpu", "counted", "hand"))],
            notes=["By hand nobody sums rows: where pgorch sums them, what is more is the price of knowing. Server CPU "
                   "is that of the stand-ins too."])
