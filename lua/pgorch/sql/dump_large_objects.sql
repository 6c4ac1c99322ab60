-- dump_large_objects
-- Some large objects ($1, their oids) in the order of their oids, each in pieces of 1 MiB; an empty one is one empty piece.
-- Each is closed before the next is opened, as in copy/large_objects.
copy (
  select o.oid, p.at, lo_get(o.oid, p.at, 1048576)
  from (select s.oid, s.size, lo_close(s.fd) as closed
        from (select o.oid, o.fd, lo_lseek64(o.fd, 0, 2) as size
              from (select m.oid, lo_open(m.oid, 262144) as fd from pg_largeobject_metadata m
                    where m.oid = any ($1::oid[]) order by m.oid offset 0) as o
              offset 0) as s
        offset 0) as o
  cross join lateral generate_series(0::bigint, greatest(o.size, 1) - 1, 1048576) as p(at)
) to stdout (format binary);
