-- What ANALYZE is to be asked for on a server of version $1, the largest first, with sizes when $2 says so (they need a
-- lock of each): tables, partitioned tables, materialized views with data. Before PostgreSQL 18 that of a partitioned table does all its partitions, so that these are not asked for; from 18 on that of
-- any parent does its children, unless it is asked for ONLY: so each is asked for by itself, and none twice; foreign
-- tables as partitions alone.
select c.oid::bigint as oid, n.nspname as schema, c.relname as name, version.has_only and c.relhassubclass as only,
       case when not $2::boolean then null
            when c.relkind = 'p' then (select sum(pg_table_size(relid)) from pg_partition_tree(c.oid))
            else pg_table_size(c.oid) end as bytes
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join (select $1::integer >= 180000 as has_only) as version
where (c.relkind in ('r', 'p') or c.relkind = 'm' and c.relispopulated or c.relkind = 'f' and c.relispartition)
  and (version.has_only or not c.relispartition)
  and c.relpersistence <> 't' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by bytes desc, 2, 3;
