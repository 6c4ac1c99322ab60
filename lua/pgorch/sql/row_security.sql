-- Tables whose rows this role cannot all see: pg_dump would refuse them, a count would lie.
select format('%I.%I', n.nspname, c.relname) as "table"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join (select rolsuper or rolbypassrls as bypass from pg_roles where rolname = current_user) as me
where c.relkind in ('r', 'p') and c.relrowsecurity and not me.bypass
  and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage'))
order by 1;
