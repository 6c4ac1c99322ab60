-- Extended statistics: their definition and their target (no target is -1 until 16, null since 17).
select 'statistics' as kind, format('%I.%I', n.nspname, x.stxname) as name,
       concat_ws(E'\n', pg_get_statisticsobjdef(x.oid),
                 'statistics ' || nullif(coalesce(x.stxstattarget, -1), -1)) as text
from pg_statistic_ext x
join pg_namespace n on n.oid = x.stxnamespace
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_statistic_ext'::regclass and d.objid = x.oid and d.deptype = 'e')
order by 1, 2;
