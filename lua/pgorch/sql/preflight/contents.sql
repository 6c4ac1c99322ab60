-- What arrives changed, or needs a word: by kind and name.
select 'unlogged table' as kind, format('%I.%I', n.nspname, c.relname) as name, 0::bigint as bytes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'u'
union all
select 'invalid index', format('%I.%I', n.nspname, c.relname), 0
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'i' and not i.indisvalid and n.nspname not like 'pg\_%'
union all
select case when c.relispopulated then 'materialized view' else 'unpopulated materialized view' end,
       format('%I.%I', n.nspname, c.relname), pg_table_size(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'm' and n.nspname not like 'pg\_%'
union all
select 'owner that is another role', format('%I, of %s objects', r.rolname, count(*)), 0
from (select relowner as owner from pg_class c
      where relkind in ('r', 'p', 'v', 'm', 'S', 'f') and relnamespace in (select oid from pg_namespace
        where nspname not like 'pg\_%' and nspname <> 'information_schema')
        and not exists (select from pg_depend d
                        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      union all
      select nspowner from pg_namespace where nspname not like 'pg\_%' and nspname not in ('information_schema', 'public')
     ) as owned
join pg_roles r on r.oid = owned.owner
where r.rolname <> current_user
group by r.rolname
order by 1, 2;
