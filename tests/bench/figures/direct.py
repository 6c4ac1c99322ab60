"""The whole database into another server, without object storage.

pgorch: `pgorch copy`. pgcopydb: `pgcopydb clone` of Debian's package with as many jobs. pipe: `pg_dump -Fc -Z0 |
pg_restore`, then `vacuumdb --analyze-only`, since the other two end with statistics as well. Each begins with an empty
target and is held to the same rows. The target was filled once before: memory and log files that a server has never
used cost whoever comes first seconds of its CPU.
"""
from contextlib import contextmanager

from harness.measure import Failed
from harness.rounds import Contender, Figure, Ratio, part, wall

TITLE = "Direct copy into a server"
SECONDS = 250
GOALS = "wall / pgcopydb clone <= 0.85; wall / pg_dump | pg_restore <= 0.70"

# Enough to see that nothing is missing. One row: what a UNION gives has no order.
COUNTS = """select concat_ws(', ',
  'accounts ' || (select count(*) from bank.accounts), 'customers ' || (select count(*) from shop.customers),
  'files ' || (select count(*) from shop.files), 'events ' || (select count(*) from shop.events),
  'large objects ' || (select count(*) from pg_largeobject_metadata),
  'invoice ' || (select last_value from shop.invoice),
  'indexes ' || (select count(*) from pg_indexes where schemaname in ('bank', 'shop')),
  'keys ' || (select count(*) from pg_constraint where contype in ('p', 'f')))"""


@contextmanager
def prepared(bench):
    wanted, target, every_row = bench.source.sql(COUNTS), bench.target, []

    def checked(sample):
        found = target.sql(COUNTS)
        if found != wanted:
            raise Failed(f"the target is not what the source is: {found}, not {wanted}")
        return sample

    def ours():
        env = bench.env(TARGET_DATABASE_URL=target.url())
        sample = checked(bench.run_pgorch(["copy", "--no-color", "--jobs", str(bench.jobs), "--index-jobs",
                                           str(bench.jobs)], "copy", env=env))
        if not every_row:
            bench.run_pgorch(["verify", "--deep", "--no-color", "-q"], "verify --deep", env=env)
            every_row.append("compared")
        return sample

    def pgcopydb():
        words = (f"pgcopydb clone --source '{bench.source.url()}' --target '{target.url()}'"
                 f" --dir '{bench.path('pgcopydb')}' --table-jobs {bench.jobs} --index-jobs {bench.jobs} --no-owner --no-acl"
                 " >/dev/null 2>&1")
        return checked(bench.shell(words))

    def pipe():
        return checked(bench.shell(
            f"{bench.dump('-Z0')} | '{bench.pg_restore}' --no-owner --no-acl -d '{target.url()}'; "
            f"vacuumdb -q --analyze-only -j{bench.jobs} -d '{target.url()}'"))

    def empty():
        bench.fresh_target()
        bench.remove("pgcopydb")

    bench.fill_target()
    yield Figure(
        [Contender("pgorch", f"pgorch copy --jobs {bench.jobs} --index-jobs {bench.jobs}", ours, empty),
         Contender("pgcopydb", f"pgcopydb clone --table-jobs {bench.jobs} --index-jobs {bench.jobs}", pgcopydb, empty),
         Contender("pipe", "pg_dump -Fc -Z0 | pg_restore; vacuumdb --analyze-only", pipe, empty)],
        [Ratio("wall pgorch / pgcopydb", wall("pgorch", "pgcopydb"), 0.85),
         Ratio("wall pgorch / pipe", wall("pgorch", "pipe"), 0.70),
         Ratio("client CPU pgorch / pgcopydb", part("cpu", "pgorch", "pgcopydb")),
         Ratio("server CPU pgorch / pgcopydb", part("server_cpu", "pgorch", "pgcopydb")),
         Ratio("server CPU pgorch / pipe", part("server_cpu", "pgorch", "pipe"))],
        notes=["Source and target are two servers of this machine. Every row of the first copy by pgorch was compared."])
    empty()
