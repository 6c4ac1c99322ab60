-- Policies that name roles: the target has none of the source's roles, so the restore would lose them silently.
select format('%I.%I', schemaname, tablename) as "table", policyname as policy, r.role::text as role
from pg_policies, lateral unnest(roles) as r(role)
where r.role <> 'public'
order by 1, 2, 3;
