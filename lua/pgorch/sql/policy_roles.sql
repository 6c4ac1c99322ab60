-- Policies that name roles: the target has none of the source's roles, so the restore would lose them silently. The
-- predefined ones (oids of initdb's) are there in every major from the one on that brought them.
select format('%I.%I', s.schemaname, s.tablename) as "table", s.policyname as policy, r.role::text as role
from pg_policies s cross join lateral unnest(s.roles) as r(role)
where r.role <> 'public'
  and not exists (select from pg_roles p where p.rolname = r.role and p.rolname like 'pg\_%' and p.oid < 16384)
order by 1, 2, 3;
