"""A whole migration to Heroku, in the sandbox: the same stand-ins, the same restore.

by hand: the article's commands one after the other: `pg_dump -Fc`, `aws s3 cp`, a signed address, the restore by
Heroku's worker, which is asked for its state ten times a second; app and add-on are there before. pgorch: `pgorch run
postgres` by way of the archive, and all that belongs to it: add-on, settings, checks, the snapshot, deep verification
of every row, the detector, cut-over. direct: the same with `--via direct`.
"""
import itertools
import json
from contextlib import contextmanager

from harness.bench import sized
from harness.heroku import Heroku
from harness.measure import Failed, after_each_other
from harness.rounds import Contender, Figure, Ratio, part, wall
from harness.store import BUCKET, World, without_start_up

TITLE = "Whole migration"
SECONDS = 330
GOALS = "wall archive / by hand <= 0.70"
PLAN = "standard-0"
RESET = ["set default_transaction_read_only = off", "alter database shop reset default_transaction_read_only"]


class Migrations:
    def __init__(self, bench, world):
        self.bench, self.world, self.heroku = bench, world, Heroku(world.env)
        self.numbers, self.steps = itertools.count(1), {}
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
        before = sum(each() for each in self.servers())
        seconds = self.heroku.restore(self.app, addon, store.signed("GET", "hand.dump"))
        restored = {"wall": seconds, "cpu": 0.0, "own_peak": 0, "tree_peak": 0, "output": "",
                    "server_cpu": sum(each() for each in self.servers()) - before}
        self.steps["hand"] = {"dump": dumped["wall"], "upload": sent["wall"] - start_up, "restore": seconds}
        whole = dict(after_each_other(dumped, sent, restored), bytes=dumped["bytes"])
        return without_start_up(whole, start_up)

    def by_pgorch(self, via):
        self.app = f"{via}-{next(self.numbers)}"
        begun, took, problems = {}, {}, []

        def on_line(seconds, line):
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "step_started":
                begun[event["id"]] = seconds
            elif event.get("event") == "step_done" and event.get("id") in begun:
                took[event["id"]] = seconds - begun[event["id"]]
            elif event.get("event") == "failed":
                problems.append("{message}\n{detail}".format_map(dict(dict(detail=""), **event["error"])))

        words = ["run", "postgres", "--app", self.app, "--plan", PLAN, "--bucket", self.app, "--yes-cut-over", "--json"]
        if via != "archive":
            words += ["--via", via]
        env = dict(self.world.env, **{name: value for name, value in self.bench.env().items() if "PGORCH" in name})
        try:
            sample = self.bench.run_pgorch(words, f"run postgres, {via}", env=env, servers=self.servers(), ok=(0, 3),
                                           on_line=on_line)
        except Failed as why:
            raise Failed("; ".join(problems) or str(why)) from why
        self.steps[via] = took
        return sample

    def clean(self):
        self.heroku.delete(self.app)
        self.world.store.remove("hand.dump")
        self.bench.source.sql(RESET)
        self.bench.remove("hand.dump", "state.db", "state.db-wal", "state.db-shm", "state")

    def notes(self):
        """The longest steps of each one's last round."""
        lines = []
        for name, took in self.steps.items():
            longest = sorted(took.items(), key=lambda each: -each[1])[:7]
            lines.append(f"{name}: " + ", ".join(f"{step} {seconds:.1f} s" for step, seconds in longest))
        return lines


@contextmanager
def prepared(bench):
    bench.source.cpu()
    with World(bench) as world:
        moves = Migrations(bench, world)
        yield Figure(
            [Contender("hand", "pg_dump -Fc -f FILE; aws s3 cp; sign; restore", moves.by_hand, after=moves.clean),
             Contender("archive", "pgorch run postgres", lambda: moves.by_pgorch("archive"), after=moves.clean),
             Contender("direct", "pgorch run postgres --via direct", lambda: moves.by_pgorch("direct"),
                       after=moves.clean)],
            [Ratio("wall archive / by hand", wall("archive", "hand"), 0.70),
             Ratio("wall direct / by hand", wall("direct", "hand")),
             Ratio("wall direct / archive", wall("direct", "archive")),
             Ratio("client CPU archive / by hand", part("cpu", "archive", "hand"))], notes=moves.notes)
