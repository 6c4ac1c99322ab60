-- Indexes: the definition, and what is told beside it: not valid, clustered on, the replica identity, attached to which
-- index of the partitioned table, targets of statistics of its expressions.
with owned as (
  select objid from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'
)
select 'index' as kind, format('%I.%I', n.nspname, c.relname) as name,
       concat_ws(E'\n', pg_get_indexdef(i.indexrelid),
         case when not i.indisvalid then 'not valid' end,
         case when i.indisclustered then 'clustered on' end,
         case when i.indisreplident then 'replica identity' end,
         (select 'attached to ' || h.inhparent::regclass from pg_inherits h where h.inhrelid = i.indexrelid),
         (select string_agg(format('statistics of column %s: %s', a.attnum, a.attstattarget), ', ' order by a.attnum)
          from pg_attribute a where a.attrelid = i.indexrelid and coalesce(a.attstattarget, -1) <> -1)) as text
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
  and i.indrelid not in (select objid from owned) and i.indexrelid not in (select objid from owned)
order by 1, 2;
