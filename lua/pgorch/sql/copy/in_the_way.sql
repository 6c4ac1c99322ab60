-- copy/in_the_way
-- Who has one of these tables ($1, their quoted names in JSON) for himself, or waits to have it: behind him nobody reads
-- it. The pid of a prepared transaction is none.
select format('%I.%I', n.nspname, c.relname) as name, l.granted, l.pid, a.usename as username,
       nullif(a.application_name, '') as application, extract(epoch from now() - a.xact_start)::bigint as age
from json_array_elements_text($1::json) as k(name)
join pg_locks l on l.relation = to_regclass(k.name)
join pg_database d on d.oid = l.database and d.datname = current_database()
join pg_class c on c.oid = l.relation
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
order by l.granted desc, a.query_start
limit 1;
