"""Wall time against the number of tables: 10, 1,000 and 20,000 small ones of twenty rows, each with a primary key and
an index. dump, copy and verify as in growth_size.
"""
from harness import cluster, growth

TITLE = "Growth with the number of tables"
SECONDS = 900
GOALS = "a power of 1.1 at most from 1,000 to 20,000"
COUNTS = [10, 1000, 20000]
AT_ONCE = 200                        # tables of one transaction: each holds locks

MAKE = """do $$ begin
  for i in {first}..{last} loop
    execute format('create table t%s (id int primary key, name text not null, at timestamptz)', i);
    execute format('insert into t%s select g, md5(g::text), now() from generate_series(1, 20) g', i);
    execute format('create index on t%s (name)', i);
  end loop; end $$"""


def measure(bench):
    server, found = bench.target, []
    source = cluster.empty(bench.path("tables"))
    try:
        for count in COUNTS:
            name = f"tables{count}"
            source.sql(f"create database {name}", "postgres")
            source.sql([MAKE.format(first=first, last=min(first + AT_ONCE - 1, count))
                        for first in range(1, count + 1, AT_ONCE)] + ["vacuum (analyze)"], name)
            bench.say(f"  {count} tables")
            found.append((count, growth.measure_all(bench, source, server, name, bench.say)))
            source.sql(f"drop database {name}", "postgres")
    finally:
        source.close()
        bench.remove("tables")
    return growth.result(found, "tables")
