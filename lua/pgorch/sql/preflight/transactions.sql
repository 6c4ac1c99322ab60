-- Transactions of others that have been open for more than five minutes. Without pg_read_all_stats their times are
-- hidden: then only how many sessions cannot be looked into is known.
select pid, usename::text as "user", application_name as application, state,
       extract(epoch from now() - xact_start)::bigint as age, state is null as hidden
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
  and application_name is distinct from 'pgorch'
  and (now() - xact_start > interval '5 minutes' or state is null)
order by xact_start;
