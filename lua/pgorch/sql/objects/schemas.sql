-- Schemas of the user's, and extensions with their schema and version. Owners and grants are not carried.
select 'schema' as kind, format('%I', n.nspname) as name, '' as text
from pg_namespace n
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
union all
select 'extension', format('%I', e.extname), format('schema %I, version %s', n.nspname, e.extversion)
from pg_extension e
join pg_namespace n on n.oid = e.extnamespace
order by 1, 2;
