-- copy/standing
-- What stands in a database: relations that no extension has made, and how many large objects.
select (select count(*) from pg_largeobject_metadata) as large_objects, count(*) as relations,
       array_to_string((array_agg(format('%I.%I', n.nspname, c.relname) order by n.nspname, c.relname))[1:5], ', ') as names
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm', 'v', 'S', 'f') and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'a', 'i'));
