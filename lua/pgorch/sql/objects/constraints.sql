-- Constraints of tables, with their whole definition: what it checks, deferrable, not valid, not enforced, no inherit.
-- Left out: a partition's copy of a foreign key, which gets another name when the partition is attached. NOT NULL is
-- told with its column; it is a constraint of its own only since 18, and here only where a column cannot tell it.
-- Two things a dump does not carry, verify/not_carried.lua: that a check is valid though the parent's, of which it
-- comes, is not; and that the server's own triggers, which keep a constraint, do not fire (DISABLE TRIGGER ALL).
with recursive owned as (
  select objid from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'
),
above as (
  select inhrelid, inhparent from pg_inherits
  union
  select a.inhrelid, i.inhparent from above a join pg_inherits i on i.inhrelid = a.inhparent
),
mine as (
  select k.*, n.nspname, c.relname from pg_constraint k
  join pg_class c on c.oid = k.conrelid
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
    and c.oid not in (select objid from owned)
)
select case k.contype when 'p' then 'primary key' when 'u' then 'unique constraint' when 'f' then 'foreign key'
                      when 'c' then 'check' when 'x' then 'exclusion' when 'n' then 'not null'
                      else 'constraint trigger' end as kind,
       format('%I.%I %I', k.nspname, k.relname, k.conname) as name,
       concat_ws(E'\n', pg_get_constraintdef(k.oid),
         case when k.contype = 'c' and k.convalidated and not k.conislocal and exists
                (select from above a join pg_constraint p on p.conrelid = a.inhparent
                 where a.inhrelid = k.conrelid and p.contype = 'c' and p.conname = k.conname and not p.convalidated)
              then 'validated here alone' end) as text
from mine k
where (k.contype in ('p', 'u', 'f', 'c', 'x', 't')
       or k.contype = 'n' and (not k.convalidated or k.connoinherit))
  and not (k.contype = 'f' and k.conparentid <> 0)
union all
select 'triggers of a key', format('%I.%I %I', k.nspname, k.relname, k.conname),
       string_agg(distinct format('%s: %s', t.tgrelid::regclass, case t.tgenabled when 'D' then 'disabled'
                    when 'R' then 'enabled on a replica' else 'enabled always' end), ', ')
from mine k
join pg_trigger t on t.tgconstraint = k.oid and t.tgisinternal and t.tgenabled <> 'O'
where k.contype <> 't'
group by k.nspname, k.relname, k.conname
order by 1, 2;
