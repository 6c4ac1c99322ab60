-- Changes when somebody changes the schema: the transactions that wrote the catalog rows of the user's objects.
-- VACUUM and ANALYZE write their figures in place and do not move it.
with user_class as (
  select c.oid, c.xmin, c.relnamespace from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
)
select coalesce(sum(hashtextextended(what || ':' || id || ':' || x, 0)), 0)::text as digest
from (
  select 'class' as what, oid::text as id, xmin::text as x from user_class
  union all
  select 'attribute', attrelid::text || '.' || attnum, a.xmin::text
  from pg_attribute a where attnum > 0 and exists (select from user_class c where c.oid = a.attrelid)
  union all
  select 'constraint', k.oid::text, k.xmin::text
  from pg_constraint k where exists (select from user_class c where c.oid = k.conrelid)
  union all
  select 'trigger', t.oid::text, t.xmin::text
  from pg_trigger t where exists (select from user_class c where c.oid = t.tgrelid)
  union all
  select 'proc', p.oid::text, p.xmin::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  union all
  select 'type', t.oid::text, t.xmin::text
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and t.typtype in ('e', 'd')
  union all
  select 'policy', p.oid::text, p.xmin::text from pg_policy p
  union all
  select 'large object', m.oid::text, m.xmin::text from pg_largeobject_metadata m
) as rows;
