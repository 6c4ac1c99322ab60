-- dump_sizes
-- What a dump has to read: each table's own bytes (no indexes), by the name in pg_dump's messages, and the large objects.
select n.nspname || '.' || c.relname as name, pg_table_size(c.oid) as bytes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
union all
select '', pg_table_size('pg_catalog.pg_largeobject')
order by 1;
