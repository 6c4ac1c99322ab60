-- copy/tables
-- Of every ordinary table its size without indexes, in bytes and in pages.
select c.oid::bigint as oid, pg_table_size(c.oid) as bytes,
       pg_relation_size(c.oid) / current_setting('block_size')::bigint as pages
from pg_class c
where c.relkind = 'r' and c.relpersistence <> 't';
