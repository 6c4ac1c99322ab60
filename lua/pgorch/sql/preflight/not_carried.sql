-- What a dump for Heroku leaves behind on purpose, and the SQL that makes it again: roles without their passwords,
-- memberships, settings, privileges, publications, subscriptions, event triggers, user mappings without theirs,
-- security labels, comments on what is not in a dump. In the order in which a superuser can run it in the new database.
-- What concerns the role that asks is left out: Heroku's credential takes its place, and owns everything.
-- Publications, and what only newer majors have, are in publications.sql and since_15.sql.
with listed as (
  select r.* from pg_roles r
  where r.rolname <> current_user and r.rolname not like 'pg\_%' and not r.rolsuper
), grantee as (
  select oid, quote_ident(rolname) as name from listed
  union all select oid, quote_ident(rolname) from pg_roles where rolname like 'pg\_%'
  union all select 0, 'public'
), own as (                                       -- schemas whose objects are the user's
  select oid, nspname from pg_namespace where nspname not like 'pg\_%' and nspname <> 'information_schema'
), member as (select classid, objid from pg_depend where deptype = 'e'),
setting as (
  select s.setdatabase, s.setrole, split_part(c.setting, '=', 1) as name,
         array_to_string(array(select quote_ident(p)
                               from unnest(string_to_array(split_part(c.setting, '=', 1), '.')) as p), '.') as quoted,
         substr(c.setting, strpos(c.setting, '=') + 1) as value
  from pg_db_role_setting s cross join lateral unnest(s.setconfig) as c(setting)
  where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
), assignment as (                                -- lists are stored as they are written, anything else is a literal
  select s.*, s.quoted || ' to ' || case
           when s.value in ('', '""') then ''''''
           when s.name ~* '(pass|secret|key|token)|\.' then '''FILL-IN'''   -- an app's own may be a secret by any name
           when s.name in ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
             then s.value
           else quote_literal(s.value) end as text
  from setting s
), object as (                                    -- everything that has privileges, and its owner's own
  select case when c.relkind = 'S' then 'sequence' else 'table' end as kind,
         format('%I.%I', n.nspname, c.relname) as name, c.relacl as acl, c.relowner as owner, null::text as part,
         'pg_class'::regclass as classid, c.oid
  from pg_class c join own n on n.oid = c.relnamespace where c.relacl is not null
  union all
  select 'table', format('%I.%I', n.nspname, c.relname), a.attacl, c.relowner, quote_ident(a.attname),
         'pg_class'::regclass, c.oid
  from pg_attribute a join pg_class c on c.oid = a.attrelid join own n on n.oid = c.relnamespace
  where a.attacl is not null and not a.attisdropped
  union all
  select 'schema', quote_ident(nspname), nspacl, nspowner, null, 'pg_namespace'::regclass, n.oid
  from pg_namespace n join own using (oid, nspname) where nspacl is not null
  union all
  select 'routine', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.proacl,
         p.proowner, null, 'pg_proc'::regclass, p.oid
  from pg_proc p join own n on n.oid = p.pronamespace where p.proacl is not null
  union all
  select 'type', format('%I.%I', n.nspname, t.typname), t.typacl, t.typowner, null, 'pg_type'::regclass, t.oid
  from pg_type t join own n on n.oid = t.typnamespace where t.typacl is not null
  union all
  select 'foreign server', quote_ident(srvname), srvacl, srvowner, null, 'pg_foreign_server'::regclass, oid
  from pg_foreign_server where srvacl is not null
  union all
  select 'foreign data wrapper', quote_ident(fdwname), fdwacl, fdwowner, null, 'pg_foreign_data_wrapper'::regclass, oid
  from pg_foreign_data_wrapper where fdwacl is not null
  union all
  select 'language', quote_ident(lanname), lanacl, lanowner, null, 'pg_language'::regclass, oid
  from pg_language where lanacl is not null
  union all
  select 'large object', oid::text, lomacl, lomowner, null, 'pg_largeobject'::regclass, oid
  from pg_largeobject_metadata where lomacl is not null
), initial as (                                   -- what schema public is made with, other from 15 on
  select classoid, objoid, b.grantee, b.privilege_type
  from pg_init_privs i cross join lateral aclexplode(i.initprivs) as b
  where i.classoid = 'pg_namespace'::regclass and i.objoid = to_regnamespace('public')
), theirs as (                                    -- an extension's own, but for what stands above its objects
  select o.* from object o
  where o.kind in ('language', 'foreign data wrapper')
     or not exists (select from member m where m.classid = o.classid and m.objid = o.oid)
), privilege as (
  select o.*, a.privilege_type, a.is_grantable, g.name as grantee
  from theirs o cross join lateral aclexplode(o.acl) as a join grantee g on g.oid = a.grantee
  where a.grantee <> o.owner
    and not exists (select from initial i where i.classoid = o.classid and i.objoid = o.oid
                      and i.grantee = a.grantee and i.privilege_type = a.privilege_type)
), database as (
  select d.*, coalesce(datacl, acldefault('d', datdba)) as acl, acldefault('d', datdba) as usual
  from pg_database d where datname = current_database()
), unit(objtype, word, acltype) as (
  values ('r', 'tables', 'r'), ('S', 'sequences', 's'), ('f', 'routines', 'f'), ('T', 'types', 'T'),
         ('n', 'schemas', 'n'), ('L', 'large objects', 'L')
), default_acl as (
  select d.*, u.word, u.acltype,
         'alter default privileges'
           || case when d.defaclrole = (select oid from pg_roles where rolname = current_user) then ''
                   else format(' for role %s', d.defaclrole::regrole) end
           || coalesce(' in schema ' || quote_ident(n.nspname), '') as head
  from pg_default_acl d join unit u on u.objtype = d.defaclobjtype::text
  left join pg_namespace n on n.oid = d.defaclnamespace
  where d.defaclrole = (select oid from pg_roles where rolname = current_user) or d.defaclrole in (select oid from listed)
)
select 1 as part, 'role' as kind, quote_ident(rolname) as name,
       format('create role %I%s%s%s%s%s%s', rolname, case when rolcanlogin then ' login' else '' end,
              case when rolinherit then '' else ' noinherit' end, case when rolcreatedb then ' createdb' else '' end,
              case when rolcreaterole then ' createrole' else '' end,
              case when rolbypassrls then ' bypassrls' else '' end,
              case when rolconnlimit >= 0 then ' connection limit ' || rolconnlimit else '' end)
         || coalesce(' valid until ' || quote_literal(rolvaliduntil), '') as statement
from listed
union all
select 2, 'role membership', format('%s in %s', m.member::regrole, m.roleid::regrole),
       format('grant %s to %s%s', m.roleid::regrole, m.member::regrole,
              case when bool_or(m.admin_option) then ' with admin option' else '' end)
from pg_auth_members m
where m.member in (select oid from listed) and m.roleid in (select oid from grantee)
group by m.member, m.roleid
union all
select 3, 'setting', coalesce(nullif(a.setrole, 0)::regrole::text || ': ', '') || a.name,
       case when a.setdatabase = 0 then format('alter role %s set %s', a.setrole::regrole, a.text)
            else format('do $do$ begin execute format(%L, current_database()); end $do$',
                        case when a.setrole = 0 then 'alter database %I set '
                             else 'alter role ' || replace(a.setrole::regrole::text, '%', '%%')
                                    || ' in database %I set ' end
                          || replace(a.text, '%', '%%')) end
from assignment a
where (a.setrole in (select oid from listed) or a.setrole = 0 and a.setdatabase <> 0)
  and (a.setrole <> 0 or a.name <> 'default_transaction_read_only')            -- the last window's own lock
union all
select 3, 'setting', 'connection limit of the database',
       format('do $do$ begin execute format(''alter database %%I connection limit %s'', current_database()); end $do$',
              datconnlimit)
from database where datconnlimit >= 0
union all
select 4, 'default privilege', format('%s on %s to %s', a.privilege_type, d.word, g.name),
       format('%s grant %s on %s to %s%s', d.head, a.privilege_type, d.word, g.name,
              case when a.is_grantable then ' with grant option' else '' end)
from default_acl d cross join lateral aclexplode(d.defaclacl) as a join grantee g on g.oid = a.grantee
where a.grantee <> d.defaclrole
  and not exists (select from aclexplode(acldefault(d.acltype::"char", d.defaclrole)) as b
                  where d.defaclnamespace = 0 and b.grantee = a.grantee and b.privilege_type = a.privilege_type)
union all
select 4, 'default privilege', format('no %s on %s to public', b.privilege_type, d.word),
       format('%s revoke %s on %s from public', d.head, b.privilege_type, d.word)
from default_acl d cross join lateral aclexplode(acldefault(d.acltype::"char", d.defaclrole)) as b
where d.defaclnamespace = 0 and b.grantee = 0
  and not exists (select from aclexplode(d.defaclacl) as a where a.grantee = 0 and a.privilege_type = b.privilege_type)
union all
select 5, 'privilege taken from PUBLIC', format('all on %s %s', o.kind, o.name),
       format('revoke all on %s %s from public', o.kind, o.name)
from theirs o
where o.kind in ('routine', 'type', 'language') and not exists (select from aclexplode(o.acl) as a where a.grantee = 0)
union all
select 5, 'privilege taken from PUBLIC', format('%s on %s %s', i.privilege_type, o.kind, o.name),
       format('revoke %s on %s %s from public', i.privilege_type, o.kind, o.name)
from theirs o join initial i on i.classoid = o.classid and i.objoid = o.oid and i.grantee = 0
where not exists (select from aclexplode(o.acl) as a where a.grantee = 0 and a.privilege_type = i.privilege_type)
union all
select 5, 'privilege taken from PUBLIC', format('%s on the database', b.privilege_type),
       format('do $do$ begin execute format(''revoke %s on database %%I from public'', current_database()); end $do$',
              b.privilege_type)
from database d cross join lateral aclexplode(d.usual) as b
where b.grantee = 0
  and not exists (select from aclexplode(d.acl) as a where a.grantee = 0 and a.privilege_type = b.privilege_type)
union all
select 6, 'grant', format('%s%s on %s to %s', p.privilege_type, coalesce(' (' || p.part || ')', ''), p.name, p.grantee),
       format('grant %s%s on %s %s to %s%s', p.privilege_type, coalesce(' (' || p.part || ')', ''), p.kind, p.name,
              p.grantee, case when p.is_grantable then ' with grant option' else '' end)
from privilege p
where not (p.kind in ('routine', 'type', 'language') and p.grantee = 'public')
union all
select 6, 'grant', format('%s on the database to %s', a.privilege_type, g.name),
       format('do $do$ begin execute format(%L, current_database()); end $do$',
              format('grant %s on database %%I to %s%s', a.privilege_type, replace(g.name, '%', '%%'),
                     case when a.is_grantable then ' with grant option' else '' end))
from database d cross join lateral aclexplode(d.acl) as a join grantee g on g.oid = a.grantee
where a.grantee <> d.datdba
  and not exists (select from aclexplode(d.usual) as b
                  where b.grantee = a.grantee and b.privilege_type = a.privilege_type)
union all
select 8, 'subscription', quote_ident(subname),
       format('create subscription %I connection %L publication %s with (connect = false, slot_name = none)', subname,
              'host=FILL-IN dbname=FILL-IN user=FILL-IN password=FILL-IN',
              (select string_agg(quote_ident(each), ', ') from unnest(subpublications) as each))
from pg_subscription
where subdbid = (select oid from pg_database where datname = current_database())
union all
select 9, 'event trigger', quote_ident(evtname),
       format('create event trigger %I on %s%s execute function %s', evtname, evtevent,
              coalesce(' when tag in (' || (select string_agg(quote_literal(tag), ', ') from unnest(evttags) as tag)
                         || ')', ''),
              format('%I.%I()', n.nspname, p.proname))
         || case evtenabled when 'D' then format('; alter event trigger %I disable', evtname)
                            when 'A' then format('; alter event trigger %I enable always', evtname)
                            when 'R' then format('; alter event trigger %I enable replica', evtname) else '' end
from pg_event_trigger t join pg_proc p on p.oid = t.evtfoid join pg_namespace n on n.oid = p.pronamespace
where not exists (select from member m where m.classid = 'pg_event_trigger'::regclass and m.objid = t.oid)
union all
select 10, 'user mapping', format('%s on %I', case when umuser = 0 then 'public' else quote_ident(usename) end, srvname),
       format('create user mapping if not exists for %s server %I%s', case when umuser = 0 then 'public'
                when usename = current_user then 'current_user' else quote_ident(usename) end, srvname,
              coalesce(' options (' || (
                select string_agg(format('%I %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ')
                from unnest(umoptions) as o where o !~* '^[^=]*(pass|secret|key|token)') || ')', ''))
from pg_user_mappings
where umuser = 0 or usename = current_user or umuser in (select oid from listed)
union all
select 11, 'security label', objtype || ' ' || objname,
       format('security label for %I on %s %s is %L', provider, objtype, objname, label)
from pg_seclabels where objtype not in ('role', 'tablespace', 'database')
union all
select 12, 'comment', 'on the database',
       format('do $do$ begin execute format(%L, current_database()); end $do$',
              'comment on database %I is ' || replace(quote_literal(c.text), '%', '%%'))
from pg_database d cross join lateral (select shobj_description(d.oid, 'pg_database')) as c(text)
where d.datname = current_database() and c.text is not null
  and d.datname <> 'postgres'                                                   -- initdb's own
union all
select 12, 'comment', format('on role %I', rolname),
       format('comment on role %I is %L', rolname, shobj_description(oid, 'pg_authid'))
from listed where shobj_description(oid, 'pg_authid') is not null
union all
select 12, 'comment', format('on publication %I', pubname),
       format('comment on publication %I is %L', pubname, obj_description(oid, 'pg_publication'))
from pg_publication where obj_description(oid, 'pg_publication') is not null
union all
select 12, 'comment', format('on event trigger %I', evtname),
       format('comment on event trigger %I is %L', evtname, obj_description(oid, 'pg_event_trigger'))
from pg_event_trigger where obj_description(oid, 'pg_event_trigger') is not null
order by 1, 2, 3, 4;
