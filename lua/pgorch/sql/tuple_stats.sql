-- Rows written to each table since the statistics began, and the file it lives in (TRUNCATE gives it a new one).
-- Large objects are counted where they are kept.
select s.schemaname as schema, s.relname as name, s.n_tup_ins + s.n_tup_upd + s.n_tup_del as written,
       c.relfilenode::bigint as file
from pg_stat_all_tables s
join pg_class c on c.oid = s.relid
where (c.relkind in ('r', 'm') and c.relpersistence <> 't' and s.schemaname !~ '^pg_'
       and s.schemaname <> 'information_schema')
   or c.oid in ('pg_largeobject'::regclass, 'pg_largeobject_metadata'::regclass)
order by 1, 2;
