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
select 'user mapping', format('%s on %s', coalesce(usename, 'public'), srvname) from pg_user_mappings
where usename is not null
order by 1, 2;
