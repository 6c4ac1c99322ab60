-- Constraints of tables, with their whole definition: what it checks, deferrable, not valid, not enforced, no inherit.
-- Left out: a partition's copy of a foreign key, which gets another name when the partition is attached. NOT NULL is
-- told with its column; it is a constraint of its own only since 18, and here only where a column cannot tell it.
with owned as (
  select objid from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'
)
select case k.contype when 'p' then 'primary key' when 'u' then 'unique constraint' when 'f' then 'foreign key'
                      when 'c' then 'check' when 'x' then 'exclusion' when 'n' then 'not null'
                      else 'constraint trigger' end as kind,
       format('%I.%I %I', n.nspname, c.relname, k.conname) as name,
       pg_get_constraintdef(k.oid) as text
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where (k.contype in ('p', 'u', 'f', 'c', 'x', 't')
       or k.contype = 'n' and (not k.convalidated or k.connoinherit))
  and not (k.contype = 'f' and k.conparentid <> 0)
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
  and c.oid not in (select objid from owned)
order by 1, 2;
