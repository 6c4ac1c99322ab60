-- Types: enums with their labels in order, domains with their constraints, composites with their attributes, ranges,
-- and base types and their shells, which only a superuser can make. A domain's NOT NULL is a constraint too since 17.
-- A range's multirange (since 14) is told where it has not the name that the server gives it.
with mine as (
  select t.*, format('%I.%I', n.nspname, t.typname) as name from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
    and not exists (select from pg_depend d
                    where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
)
select 'enum' as kind, t.name,
       (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
        from pg_enum e where e.enumtypid = t.oid) as text
from mine t where t.typtype = 'e'
union all
select 'domain', t.name,
       concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
         case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
         case when t.typnotnull then 'not null' end, 'default ' || pg_get_expr(t.typdefaultbin, 0))
from mine t
join pg_type b on b.oid = t.typbasetype
where t.typtype = 'd'
union all
select 'domain constraint', t.name || ' ' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
from mine t
join pg_constraint k on k.contypid = t.oid and k.contype = 'c'
union all
select 'composite type', t.name,
       coalesce((select string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
           case when a.attcollation <> b.typcollation then 'collate ' || a.attcollation::regcollation end),
           ', ' order by a.attnum)
         from pg_attribute a
         join pg_type b on b.oid = a.atttypid
         where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '')
from mine t
join pg_class c on c.oid = t.typrelid and c.relkind = 'c'
union all
select 'range', t.name,
       concat_ws(' ', 'of', r.rngsubtype::regtype,
         'opclass ' || (select format('%I.%I', n.nspname, o.opcname) from pg_opclass o
                        join pg_namespace n on n.oid = o.opcnamespace where o.oid = r.rngsubopc),
         case when r.rngcollation <> b.typcollation then 'collate ' || r.rngcollation::regcollation end,
         'canonical ' || nullif(r.rngcanonical, 0)::oid::regprocedure,
         'subtype_diff ' || nullif(r.rngsubdiff, 0)::oid::regprocedure,
         'multirange ' || case when m.typnamespace <> t.typnamespace or m.typname <>
           case when t.typname like '%range%' then regexp_replace(t.typname, 'range', 'multirange')::name
                else left(t.typname, 52) || '_multirange' end then m.oid::regtype end)
from mine t
join pg_range r on r.rngtypid = t.oid
join pg_type b on b.oid = r.rngsubtype
left join pg_type m on m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid
where t.typtype = 'r'
union all
select 'shell type', t.name, ''
from mine t
where t.typtype = 'p' and not t.typisdefined
union all
select 'base type', t.name, concat_ws(' ', 'input', t.typinput, 'output', t.typoutput, 'length', t.typlen)
from mine t
where t.typtype = 'b' and not exists (select from pg_type element where element.typarray = t.oid)
order by 1, 2;
