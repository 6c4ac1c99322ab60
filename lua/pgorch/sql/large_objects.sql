-- Large objects: how many, and a digest of all of them that does not depend on their order.
select count(*) as count,
       coalesce(sum(hashtextextended(m.oid::text || ':' || sha256(lo_get(m.oid))::text, 0)), 0)::text as digest
from pg_largeobject_metadata m;
