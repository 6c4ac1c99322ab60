-- Transactions of others that have been open for long: pgorch.long_transaction, or five minutes. Without
-- pg_read_all_stats their times are hidden: then only how many sessions cannot be looked into is known.
select pid, usename::text as "user", application_name as application, state,
       extract(epoch from now() - xact_start)::bigint as age, backend_type is null as hidden
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and usename is not null
  and coalesce(backend_type, 'client backend') = 'client backend'
  and application_name is distinct from 'pgorch'
  and (now() - xact_start > coalesce(nullif(current_setting('pgorch.long_transaction', true), ''), '5 minutes')::interval
         or backend_type is null)
order by xact_start;
