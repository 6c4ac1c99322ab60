-- Where the server stands: every transaction that writes takes the next xid. Asking for it takes none.
select pg_snapshot_xmin(s)::text as xmin, pg_snapshot_xmax(s)::text as xmax,
       (select count(*) from pg_snapshot_xip(s)) as running,
       extract(epoch from pg_postmaster_start_time())::text as server_start,
       (select stats_reset::text from pg_stat_database where datname = current_database()) as stats_reset
from (select pg_current_snapshot() as s) as now;
