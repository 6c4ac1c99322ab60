-- What a dump leaves behind that only PostgreSQL 15 and newer have, as not_carried.sql lists the rest: privileges on
-- settings, and publications, there with columns, filters and schemas (and generated columns from 18 on).
with grantee as (
  select oid, quote_ident(rolname) as name from pg_roles
  where rolname like 'pg\_%' or rolname <> current_user and not rolsuper
  union all select 0, 'public'
), member(pubid, place, text) as (
  select r.prpubid, 1, 'table ' || string_agg(format('%I.%I', n.nspname, c.relname)
           || coalesce(' (' || (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                                where a.attrelid = r.prrelid and a.attnum = any (r.prattrs)) || ')', '')
           || coalesce(' where (' || pg_get_expr(r.prqual, r.prrelid) || ')', ''), ', ' order by n.nspname, c.relname)
  from pg_publication_rel r join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
  group by r.prpubid
  union all
  select s.pnpubid, 2, 'tables in schema ' || string_agg(quote_ident(n.nspname), ', ' order by n.nspname)
  from pg_publication_namespace s join pg_namespace n on n.oid = s.pnnspid
  group by s.pnpubid
)
select 6 as part, 'grant' as kind, format('%s on parameter %s to %s', a.privilege_type, p.parname, g.name) as name,
       format('grant %s on parameter %s to %s%s', a.privilege_type,
              (select string_agg(quote_ident(each), '.') from unnest(string_to_array(p.parname, '.')) as each), g.name,
              case when a.is_grantable then ' with grant option' else '' end) as statement
from pg_parameter_acl p cross join lateral aclexplode(p.paracl) as a join grantee g on g.oid = a.grantee
union all
select 7, 'publication', quote_ident(pubname),
       format('create publication %I%s with (publish = %L%s%s)', pubname,
              case when puballtables then ' for all tables' else coalesce(' for ' || (
                select string_agg(m.text, ', ' order by m.place) from member m where m.pubid = p.oid), '') end,
              concat_ws(', ', case when pubinsert then 'insert' end, case when pubupdate then 'update' end,
                        case when pubdelete then 'delete' end, case when pubtruncate then 'truncate' end),
              case when pubviaroot then ', publish_via_partition_root' else '' end,
              case when to_jsonb(p) ->> 'pubgencols' = 's' then ', publish_generated_columns = stored' else '' end)
from pg_publication p
order by 1, 3, 4;
