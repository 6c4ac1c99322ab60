-- Partitions whose rows may legally live in another one on another server, with the table that all of them are of: a hash
-- of an enum is made of its oid, and so is one of what holds an enum. Of several such tables above each other, the
-- uppermost.
with spread as (
  select p.partrelid as oid
  from pg_partitioned_table p
  where p.partstrat = 'h'
    and exists (select from pg_opclass o
                where o.oid = any (p.partclass::oid[]) and o.opcnamespace = 'pg_catalog'::regnamespace
                  and o.opcname in ('enum_ops', 'array_ops', 'range_ops', 'multirange_ops', 'record_ops'))
)
select distinct on (leaf.relid) n.nspname as schema, c.relname as name,
       whole_schema.nspname as whole_schema, whole.relname as whole_name
from spread
cross join lateral pg_partition_tree(spread.oid) as leaf
join pg_class c on c.oid = leaf.relid and c.relkind = 'r'
join pg_namespace n on n.oid = c.relnamespace
join pg_class whole on whole.oid = spread.oid
join pg_namespace whole_schema on whole_schema.oid = whole.relnamespace
order by leaf.relid, leaf.level desc;
