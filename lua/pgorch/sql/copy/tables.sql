-- copy/tables
-- Of every ordinary table its size, and the types of the columns that a COPY has, in their order.
select c.oid::bigint as oid, pg_table_size(c.oid) as bytes,
       pg_relation_size(c.oid) / current_setting('block_size')::bigint as pages,
       (select coalesce(json_agg(case tn.nspname when 'pg_catalog' then t.typname else format('%I.%I', tn.nspname, t.typname) end
                                 order by a.attnum), '[]')::text
        from pg_attribute a
        join pg_type t on t.oid = a.atttypid
        join pg_namespace tn on tn.oid = t.typnamespace
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as types
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema';
