-- Objects that Heroku's database owner may not create, because only a superuser may. Aggregates, and what a range
-- type makes for itself (deptype i), are "internal" too, and come with their makers. What has no schema, and is no
-- part of PostgreSQL itself, has an oid from 16384 on.
with member as (select classid, objid from pg_depend where deptype = 'e'),
named(kind, name, schema, classid, objid) as (
  select 'leakproof function', proname, pronamespace, 'pg_proc'::regclass::oid, oid from pg_proc where proleakproof
  union all
  select 'function with a support function', proname, pronamespace, 'pg_proc'::regclass, oid from pg_proc
  where prosupport <> 0
  union all
  select 'function that sets ' || s.name, p.proname, p.pronamespace, 'pg_proc'::regclass, p.oid
  from pg_proc p cross join unnest(p.proconfig) as c(setting) cross join split_part(c.setting, '=', 1) as s(name)
  where not exists (select from pg_settings g where lower(g.name) = lower(s.name) and g.context = 'user')
    and not exists (select from pg_extension where extname = split_part(s.name, '.', 1))  -- it comes with its settings
  union all
  select 'aggregate over internal', p.proname, p.pronamespace, 'pg_proc'::regclass, p.oid
  from pg_aggregate a join pg_proc p on p.oid = a.aggfnoid
  where 'internal'::regtype in (a.aggtranstype, a.aggmtranstype)
  union all select 'operator class', opcname, opcnamespace, 'pg_opclass'::regclass, oid from pg_opclass
  union all
  select 'operator family', opfname, opfnamespace, 'pg_opfamily'::regclass, f.oid from pg_opfamily f
  where not exists (select from pg_opclass where opcfamily = f.oid)               -- those are told above
  union all select 'text search template', tmplname, tmplnamespace, 'pg_ts_template'::regclass, oid from pg_ts_template
  union all select 'text search parser', prsname, prsnamespace, 'pg_ts_parser'::regclass, oid from pg_ts_parser
), unnamed(kind, name, classid, objid) as (
  select 'access method', amname::text, 'pg_am'::regclass::oid, oid from pg_am where oid >= 16384
  union all select 'language', lanname, 'pg_language'::regclass, oid from pg_language where oid >= 16384
  union all
  select 'cast without a function', format('%s as %s', castsource::regtype, casttarget::regtype), 'pg_cast'::regclass,
         oid
  from pg_cast where oid >= 16384 and castmethod = 'b'
  union all
  select 'cast between types that are not the user''s', format('%s as %s', castsource::regtype, casttarget::regtype),
         'pg_cast'::regclass, oid
  from pg_cast c
  where oid >= 16384 and castmethod <> 'b'
    and not exists (select from pg_type t where t.oid in (castsource, casttarget) and t.oid >= 16384
                      and not exists (select from member m where m.classid = 'pg_type'::regclass and m.objid = t.oid))
  union all
  select 'transform', format('for %s language %I', trftype::regtype, lanname), 'pg_transform'::regclass, t.oid
  from pg_transform t join pg_language l on l.oid = t.trflang
)
select x.kind, format('%I.%I', n.nspname, x.name) as name
from named x
join pg_namespace n on n.oid = x.schema
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from member m where m.classid = x.classid and m.objid = x.objid)
union all
select x.kind, x.name
from unnamed x
where not exists (select from member m where m.classid = x.classid and m.objid = x.objid)
union all
select 'function in ' || l.lanname as kind, format('%I.%I', n.nspname, p.proname) as name
from pg_proc p
join pg_language l on l.oid = p.prolang
join pg_namespace n on n.oid = p.pronamespace
where (not l.lanpltrusted or l.lanname in ('c', 'internal')) and l.lanname <> 'sql'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and p.prokind <> 'a'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
union all
select 'event trigger', evtname::text from pg_event_trigger t
where not exists (select from pg_depend d
                  where d.classid = 'pg_event_trigger'::regclass and d.objid = t.oid and d.deptype = 'e')
union all
select 'foreign data wrapper', fdwname::text from pg_foreign_data_wrapper w
where not exists (select from pg_depend d
                  where d.classid = 'pg_foreign_data_wrapper'::regclass and d.objid = w.oid and d.deptype = 'e')
union all
select 'base type', format('%I.%I', n.nspname, t.typname)
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
where t.typtype = 'b' and t.typelem = 0 and t.typrelid = 0
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
order by 1, 2;
