-- The contents of each large object in some lots of large_objects.sql: $1 is '{17,255}'.
with recursive piece as (
  select m.oid, 0 as n, sha256(part.bytes) as hash, length(part.bytes) as size
  from pg_largeobject_metadata m
  cross join lateral (select lo_get(m.oid, 0, 4194304) as bytes offset 0) as part
  where (m.oid::bigint % 256)::integer = any ($1::integer[])
  union all
  select p.oid, p.n + 1, sha256(part.bytes), length(part.bytes)
  from piece p
  cross join lateral (select lo_get(p.oid, (p.n + 1) * 4194304::bigint, 4194304) as bytes offset 0) as part
  where p.size = 4194304
)
select oid::bigint as oid, encode(sha256(string_agg(hash, '' order by n)), 'hex') as content
from piece
group by oid
order by oid;
