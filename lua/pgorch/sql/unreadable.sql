-- Tables and sequences that this role may not read: pg_dump would stop at the first.
select format('%I.%I', n.nspname, c.relname) as name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 'S') and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  and not (has_schema_privilege(n.oid, 'usage')
           and case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'select')
                    else has_table_privilege(c.oid, 'select') end)
order by 1;
