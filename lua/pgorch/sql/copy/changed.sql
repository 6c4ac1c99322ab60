-- copy/changed
-- Which of these tables ($1, oids) are not what they were in the snapshot: the catalogue is read as it was then, and
-- the functions tell what is so now.
select format('%I.%I', n.nspname, c.relname) as name
from unnest($1::oid[]) as o(oid)
join pg_class c on c.oid = o.oid
join pg_namespace n on n.oid = c.relnamespace
where c.relfilenode <> 0 and pg_relation_filenode(c.oid) is distinct from c.relfilenode
   or to_regclass(format('%I.%I', n.nspname, c.relname))::oid is distinct from c.oid
order by 1;
