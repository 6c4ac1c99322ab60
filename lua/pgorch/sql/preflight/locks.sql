-- Locks that pg_dump would have to wait for: it needs ACCESS SHARE on every table.
select format('%I.%I', n.nspname, c.relname) as name, l.pid, l.granted, coalesce(a.usename::text, '?') as "user",
       coalesce(a.application_name, '') as application,
       extract(epoch from now() - a.xact_start)::bigint as age
from pg_locks l
join pg_class c on c.oid = l.relation
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' and l.pid <> pg_backend_pid()
  and l.database = (select oid from pg_database where datname = current_database())
  and c.relkind in ('r', 'p', 'm', 'S', 'v', 'f') and n.nspname not like 'pg\_%'
order by a.xact_start, 1;
