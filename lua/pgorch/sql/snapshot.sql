-- Where the server stands: the snapshot (first xid that it does not see, transactions that run in it), and since when
-- the server and its statistics count. In a repeatable-read transaction this is the transaction's own snapshot.
-- Asking takes no xid.
select pg_snapshot_xmax(s)::text as xmax,
       (select coalesce(string_agg(x::text, ',' order by x), '') from pg_snapshot_xip(s) as x) as running,
       extract(epoch from pg_postmaster_start_time())::text as server_start,
       (select stats_reset::text from pg_stat_database where datname = current_database()) as stats_reset
from (select pg_current_snapshot() as s) as now;
