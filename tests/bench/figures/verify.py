"""Checksums of every row and large object on both sides.

serial: one pass of the source and then one of the target, each by psql on one connection, with the expressions that
pgorch uses and no parallel query. pgorch: `pgorch verify --deep`, which compares the schemas as well. The target holds
the same data, restored.
"""
import os
import re
from contextlib import contextmanager

from harness.bench import REPOSITORY
from harness.measure import Failed
from harness.rounds import Contender, Figure, Ratio, part, wall

TITLE = "Deep verification of both sides"
SECONDS = 110
GOALS = "wall <= 0.60"

# The checksum of each table, as a statement (lua/pgorch/verify/content.lua), of the hash that both sides have.
STATEMENTS = r"""
select format($f$select %L, count(*), sum(@HASH@)
  from only %s as pgorch_row;$f$, c.oid::regclass,
  (select string_agg('pgorch_row.' || quote_ident(attname), ', ' order by attnum)
    from pg_attribute a where a.attrelid = c.oid and attnum > 0 and not attisdropped), c.oid::regclass)
from pg_class c
where relkind in ('r', 'm') and relnamespace in ('bank'::regnamespace, 'shop'::regnamespace) order by 1"""
PINNED = "set timezone = 'UTC'; set datestyle = 'ISO'; set extra_float_digits = 3; set bytea_output = hex; " \
         "set max_parallel_workers_per_gather = 0; begin isolation level repeatable read;"


def statements():
    with open(os.path.join(REPOSITORY, "lua/pgorch/verify/row_hash.lua")) as file:
        found = re.search(r"\[M\.INTERNAL\] = \[\[(.*%s.*)\]\]", file.read())
    if not found:
        raise Failed("lua/pgorch/verify/row_hash.lua has no expression of the hash")
    return STATEMENTS.replace("@HASH@", found.group(1))


@contextmanager
def prepared(bench):
    bench.fill_target()
    with open(os.path.join(REPOSITORY, "lua/pgorch/sql/large_objects.sql")) as file:
        large_objects = file.read()
    script = bench.path("serial.sql")
    with open(script, "w") as file:
        file.write(PINNED + "\n" + bench.source.sql(statements()) + "\n" + large_objects)

    def serial():
        words = [f"'{bench.psql}' -XAtq -v ON_ERROR_STOP=1 -f '{script}' '{side.url()}' >'{bench.path(name)}'"
                 for name, side in (("a.sums", bench.source), ("b.sums", bench.target))]
        return bench.shell("; ".join(words))

    def ours():
        return bench.run_pgorch(["verify", "--deep", "--no-color"], "verify --deep",
                                env=bench.env(TARGET_DATABASE_URL=bench.target.url()))

    def check(_round):
        if open(bench.path("a.sums")).read() != open(bench.path("b.sums")).read():
            raise Failed("the two sides do not have the same sums")

    yield Figure([Contender("serial", "psql: every table and large object, one side after the other", serial),
                  Contender("pgorch", "pgorch verify --deep", ours)],
                 [Ratio("wall pgorch / serial", wall("pgorch", "serial"), 0.60),
                  Ratio("server CPU pgorch / serial", part("server_cpu", "pgorch", "serial"))], check,
                 ["On two cores that all share, 0.50 would be perfect."])
    bench.remove("serial.sql", "a.sums", "b.sums")
