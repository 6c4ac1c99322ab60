-- copy/standing
-- What stands in a database and no extension has made: relations, functions and types, and how many large objects. The
-- schemas of Heroku's own come with each of its databases; an empty schema is in nobody's way.
with space as (
  select oid, nspname from pg_namespace
  where nspname not like 'pg\_%' and nspname not in ('information_schema', 'heroku_ext', '_heroku')
), found (is_relation, name) as (
  select true, format('%I.%I', n.nspname, c.relname)
  from pg_class c join space n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'm', 'v', 'S', 'f') and c.relpersistence <> 't'
    and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'a', 'i'))
  union all
  select false, format('%I.%I()', n.nspname, p.proname)
  from pg_proc p join space n on n.oid = p.pronamespace
  where not exists (select from pg_depend d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
  union all
  -- A table's type, an array's and a multirange's hang on what they are made of.
  select false, format('%I.%I', n.nspname, t.typname)
  from pg_type t join space n on n.oid = t.typnamespace
  where t.typtype <> 'p' and not exists (select from pg_depend d
                    where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype in ('e', 'i'))
)
select (select count(*) from pg_largeobject_metadata) as large_objects, count(*) filter (where is_relation) as relations,
       count(*) filter (where not is_relation) as others,
       array_to_string((array_agg(name order by is_relation desc, name))[1:5], ', ') as names
from found;
