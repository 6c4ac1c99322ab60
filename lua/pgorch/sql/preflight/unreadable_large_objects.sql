-- Large objects that this role may not read: neither their owner, nor granted SELECT, nor a superuser.
select m.oid::bigint as oid, pg_get_userbyid(m.lomowner) as owner
from pg_largeobject_metadata m
where not pg_has_role(m.lomowner, 'usage')
  and not exists (select from aclexplode(m.lomacl) as a
                  where a.privilege_type = 'SELECT'
                    and (a.grantee = 0 or case when a.grantee = 0 then true else pg_has_role(a.grantee, 'usage') end))
order by 1
limit 1000;
