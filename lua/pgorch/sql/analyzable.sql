-- What ANALYZE gathers statistics of, the largest first: tables, partitioned tables (whose own statistics no
-- autovacuum makes), materialized views with data.
select n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where (c.relkind in ('r', 'p') or c.relkind = 'm' and c.relispopulated) and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 3 desc, 1, 2;
