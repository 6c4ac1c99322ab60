-- Queries that a restore runs with an empty search_path, as EXPLAIN can try them: of indexes, generated columns, checks
-- and partition keys those that call functions which are not PostgreSQL's own, by name or by operator; of materialized
-- views all. Run it with an empty search_path, so that the names in them are written out.
with calls as (
  select distinct d.classid, d.objid, d.objsubid
  from pg_depend d join pg_proc p on p.oid = d.refobjid
  where d.refclassid = 'pg_proc'::regclass and p.pronamespace <> 'pg_catalog'::regnamespace
  union
  select d.classid, d.objid, d.objsubid
  from pg_depend d join pg_operator o on o.oid = d.refobjid
  where d.refclassid = 'pg_operator'::regclass and o.oprnamespace <> 'pg_catalog'::regnamespace
), relation as (
  select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
)
select 'index' as kind, x.name,
       format('select %s from %s%s', coalesce(pg_get_expr(i.indexprs, i.indrelid), 'null'), r.name,
              coalesce(' where ' || pg_get_expr(i.indpred, i.indrelid), '')) as query
from pg_index i
join relation r on r.oid = i.indrelid
join relation x on x.oid = i.indexrelid
join calls on calls.classid = 'pg_class'::regclass and calls.objid = i.indexrelid
where i.indexprs is not null or i.indpred is not null
union
select 'generated column', r.name || '.' || quote_ident(a.attname),
       format('select %s from %s', pg_get_expr(g.adbin, g.adrelid), r.name)
from pg_attrdef g
join pg_attribute a on a.attrelid = g.adrelid and a.attnum = g.adnum and a.attgenerated <> ''
join relation r on r.oid = g.adrelid
where exists (select from calls where calls.classid = 'pg_attrdef'::regclass and calls.objid = g.oid
                or calls.classid = 'pg_class'::regclass and calls.objid = g.adrelid and calls.objsubid = g.adnum)
union
select 'check', r.name || ' ' || quote_ident(k.conname), format('select %s from %s', pg_get_expr(k.conbin, k.conrelid),
                                                                r.name)
from pg_constraint k
join relation r on r.oid = k.conrelid
join calls on calls.classid = 'pg_constraint'::regclass and calls.objid = k.oid
where k.contype = 'c'
union
select 'partition key', r.name, format('select %s from only %s', pg_get_expr(t.partexprs, t.partrelid), r.name)
from pg_partitioned_table t
join relation r on r.oid = t.partrelid
join calls on calls.classid = 'pg_class'::regclass and calls.objid = t.partrelid
where t.partexprs is not null
union
select 'materialized view', r.name, rtrim(pg_get_viewdef(r.oid), E'; \n')
from relation r
where r.relkind = 'm'
order by 1, 2;
