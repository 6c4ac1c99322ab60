-- Tables and indexes outside the default tablespace, and the database's own where that is another.
select t.spcname::text as tablespace, format('%I.%I', n.nspname, c.relname) as name
from pg_class c
join pg_tablespace t on t.oid = c.reltablespace
join pg_namespace n on n.oid = c.relnamespace
where t.spcname not in ('pg_default', 'pg_global') and n.nspname not like 'pg\_%'
union all
select t.spcname, 'the database itself'
from pg_database d join pg_tablespace t on t.oid = d.dattablespace
where d.datname = current_database() and t.spcname <> 'pg_default'
order by 1, 2;
