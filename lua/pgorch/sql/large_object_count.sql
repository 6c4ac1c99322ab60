-- Large objects without reading them: how many there are, and how many this role may not read (a dump would fail).
select count(*) as count,
       count(*) filter (where not pg_has_role(lomowner, 'usage') and lomacl is null) as unreadable,
       pg_relation_size('pg_largeobject') as bytes
from pg_largeobject_metadata;
