-- Every table that holds rows of the user's: ordinary ones and leaf partitions, none that an extension owns. The largest
-- first, its indexes counted in.
select n.nspname as schema, c.relname as name, c.relpersistence = 'u' as unlogged,
       pg_table_size(c.oid) as bytes, pg_relation_size(c.oid) / current_setting('block_size')::bigint as pages,
       pg_indexes_size(c.oid) as index_bytes, greatest(c.reltuples, 0)::bigint as estimate
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by pg_total_relation_size(c.oid) desc, 1, 2;
