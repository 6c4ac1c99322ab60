-- copy/large_objects
-- Every large object and its size, by its number. Each is closed before the next is opened: a transaction that keeps a
-- million of them open searches among them for each.
select s.oid::bigint as oid, s.size, lo_close(s.fd) as closed
from (select o.oid, o.fd, lo_lseek64(o.fd, 0, 2) as size
      from (select m.oid, lo_open(m.oid, 262144) as fd from pg_largeobject_metadata m order by m.oid offset 0) as o
      offset 0) as s;
