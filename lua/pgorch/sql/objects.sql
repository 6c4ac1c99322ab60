-- Every schema object that a dump carries, named, with what about it must hold on both sides. None that an extension owns.
-- Left out because the dump leaves it out: publications, subscriptions, event triggers, owners and grants.
-- Left out because majors differ in it: what a partition has from its parent, and what a type makes for itself.
with user_schema as (
  select oid, nspname from pg_namespace
  where nspname not like 'pg\_%' and nspname not in ('information_schema', 'heroku_ext')
), owned as (
  select classid, objid from pg_depend where deptype = 'e'
)
select 'schema' as kind, s.nspname::text as name, '' as note
from user_schema s
where not exists (select from owned o where o.classid = 'pg_namespace'::regclass and o.objid = s.oid)
union all
select case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
                      when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table'
                      when 'c' then 'composite type' else 'index' end,
       format('%I.%I', s.nspname, c.relname),
       concat_ws(' ', case when c.relpersistence = 'u' then 'unlogged' end,
                 case when c.relrowsecurity then 'row security' end,
                 case when c.relforcerowsecurity then 'forced' end,
                 case when not i.indisvalid then 'invalid' end,
                 case when c.relkind in ('r', 'p', 'f') then
                   (select count(*) || ' columns' from pg_attribute a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end)
from pg_class c
join user_schema s on s.oid = c.relnamespace
left join pg_index i on i.indexrelid = c.oid
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c', 'i', 'I') and c.relpersistence <> 't'
  and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
  and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = i.indrelid)
union all
select case k.contype when 'p' then 'primary key' when 'u' then 'unique constraint' when 'f' then 'foreign key'
                      when 'c' then 'check' when 'x' then 'exclusion' else 'constraint trigger' end,
       format('%I.%I %I', s.nspname, c.relname, k.conname),
       case when k.convalidated then '' else 'not valid' end
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join user_schema s on s.oid = c.relnamespace
where k.contype in ('p', 'u', 'f', 'c', 'x', 't')
  and not (k.contype = 'f' and k.conparentid <> 0)             -- named anew when the partition is attached
  and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
union all
select 'trigger', format('%I.%I %I', s.nspname, c.relname, t.tgname),
       case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' else '' end
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join user_schema s on s.oid = c.relnamespace
left join pg_trigger parent on parent.oid = t.tgparentid
where case when t.tgparentid = 0 then not t.tgisinternal       -- internal on a partition until 14, not since 15
           else t.tgenabled <> parent.tgenabled and t.tgname !~ '^RI_ConstraintTrigger_' end
  and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
union all
select 'policy', format('%I.%I %I', s.nspname, c.relname, p.polname), ''
from pg_policy p
join pg_class c on c.oid = p.polrelid
join user_schema s on s.oid = c.relnamespace
union all
select 'rule', format('%I.%I %I', s.nspname, c.relname, r.rulename), ''
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
join user_schema s on s.oid = c.relnamespace
where r.rulename <> '_RETURN'
  and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
union all
select case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' when 'w' then 'window function'
                      else 'function' end,
       format('%I.%I(%s)', s.nspname, p.proname,               -- since 14 a procedure's arguments begin with IN
              regexp_replace(pg_get_function_identity_arguments(p.oid), '(^|, )IN ', '\1', 'g')), ''
from pg_proc p
join user_schema s on s.oid = p.pronamespace
where not exists (select from pg_depend d                       -- a range's constructors: since 14 also multirange's
                  where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
union all
select case t.typtype when 'e' then 'enum' when 'd' then 'domain' else 'range' end,
       format('%I.%I', s.nspname, t.typname),
       case when t.typtype = 'e' then (select count(*) || ' labels' from pg_enum e where e.enumtypid = t.oid) else '' end
from pg_type t
join user_schema s on s.oid = t.typnamespace
where t.typtype in ('e', 'd', 'r')
  and not exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)
union all
select 'operator', format('%I.%s(%s,%s)', s.nspname, o.oprname, o.oprleft::regtype, o.oprright::regtype), ''
from pg_operator o
join user_schema s on s.oid = o.oprnamespace
where not exists (select from owned x where x.classid = 'pg_operator'::regclass and x.objid = o.oid)
union all
select 'collation', format('%I.%I', s.nspname, c.collname), ''
from pg_collation c
join user_schema s on s.oid = c.collnamespace
where not exists (select from owned x where x.classid = 'pg_collation'::regclass and x.objid = c.oid)
union all
select 'text search configuration', format('%I.%I', s.nspname, c.cfgname), ''
from pg_ts_config c
join user_schema s on s.oid = c.cfgnamespace
where not exists (select from owned x where x.classid = 'pg_ts_config'::regclass and x.objid = c.oid)
union all
select 'default', format('%I.%I.%I', s.nspname, c.relname, a.attname),
       case when a.attgenerated <> '' then 'generated' else '' end
from pg_attrdef d
join pg_class c on c.oid = d.adrelid
join pg_attribute a on a.attrelid = c.oid and a.attnum = d.adnum
join user_schema s on s.oid = c.relnamespace
where not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
union all
select 'identity column', format('%I.%I.%I', s.nspname, c.relname, a.attname),
       case a.attidentity when 'a' then 'always' else 'by default' end
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join user_schema s on s.oid = c.relnamespace
where a.attidentity <> '' and not a.attisdropped and not c.relispartition   -- since 17 a partition has it too
union all
select 'statistics', format('%I.%I', s.nspname, x.stxname), ''
from pg_statistic_ext x
join user_schema s on s.oid = x.stxnamespace
order by 1, 2;
