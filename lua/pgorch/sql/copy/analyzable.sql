-- copy/analyzable
-- What ANALYZE is to be asked for, the largest first: no partitions, since that of a partitioned table does them all.
select n.nspname as schema, c.relname as name,
       case c.relkind when 'p' then (select sum(pg_table_size(relid)) from pg_partition_tree(c.oid))
                      else pg_table_size(c.oid) end as bytes
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where (c.relkind in ('r', 'p') or c.relkind = 'm' and c.relispopulated) and not c.relispartition
  and c.relpersistence <> 't' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 3 desc, 1, 2;
