-- Of every table that can be copied: the columns that COPY may fill, in their order, and what each is made of: the name
-- of the built-in type below its domains, `enum`, or nothing for all else. Built-in types have oids below 10000, which
-- are the same on every version; those of other types differ from database to database.
with recursive holder as (
  select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and c.relpersistence <> 't'
    and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
), filled as (
  select a.attrelid, a.attnum, a.attname, a.atttypid from pg_attribute a join holder h on h.oid = a.attrelid
  where a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
), below (outer_type, type) as (
  select distinct atttypid, atttypid from filled
  union
  select b.outer_type, t.typbasetype from below b join pg_type t on t.oid = b.type where t.typtype = 'd'
), made_of as (
  select b.outer_type, case when t.typtype = 'e' then 'enum' when t.oid::bigint < 10000 then t.typname::text else '' end as type
  from below b join pg_type t on t.oid = b.type where t.typtype <> 'd'
)
select h.nspname as schema, h.relname as name,
       coalesce(json_agg(f.attname order by f.attnum) filter (where f.attname is not null), '[]')::text as columns,
       coalesce(json_agg(m.type order by f.attnum) filter (where f.attname is not null), '[]')::text as types
from holder h
left join filled f on f.attrelid = h.oid
left join made_of m on m.outer_type = f.atttypid
group by h.oid, h.nspname, h.relname;
