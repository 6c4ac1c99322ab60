-- Objects that Heroku's database owner may not create, because only a superuser may. Aggregates, and what a range
-- type makes for itself (deptype i), are "internal" too, and come with their makers.
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
