-- What a dump for Heroku leaves behind on purpose, so that it can be said and made again by hand.
select 'role' as kind, rolname::text as name from pg_roles
where rolname <> current_user and rolname not like 'pg\_%' and rolcanlogin and not rolsuper
union all
select 'grant', format('%s on %I.%I to %s', g.privilege_type, n.nspname, c.relname, g.grantee::regrole)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral aclexplode(c.relacl) as g
where c.relacl is not null and g.grantee <> 0 and g.grantee <> c.relowner
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
union all
select 'publication', pubname::text from pg_publication
union all
select 'setting', coalesce(nullif(s.setrole, 0)::regrole::text || ': ', '') || c.setting
from pg_db_role_setting s
cross join lateral unnest(s.setconfig) as c(setting)
where s.setdatabase = (select oid from pg_database where datname = current_database())
union all
select 'tablespace', spcname::text from pg_tablespace where spcname not in ('pg_default', 'pg_global')
order by 1, 2;
