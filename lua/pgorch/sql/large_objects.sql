-- Large objects in 256 lots by their number: how many are in each, and a sum over the SHA-256 of each one's contents.
-- Read in pieces of 4 MB: one may be larger than a value can be. An unreadable one ends the query with an error.
with recursive piece as (
  select m.oid, 0 as n, sha256(part.bytes) as hash, length(part.bytes) as size
  from pg_largeobject_metadata m
  cross join lateral (select lo_get(m.oid, 0, 4194304) as bytes offset 0) as part
  union all
  select p.oid, p.n + 1, sha256(part.bytes), length(part.bytes)
  from piece p
  cross join lateral (select lo_get(p.oid, (p.n + 1) * 4194304::bigint, 4194304) as bytes offset 0) as part
  where p.size = 4194304
), digest as (
  select oid, encode(sha256(string_agg(hash, '' order by n)), 'hex') as content from piece group by oid
)
select (oid::bigint % 256)::integer as lot, count(*) as count,
       sum(('x' || left(encode(sha256(convert_to(oid || ':' || content, 'UTF8')), 'hex'), 15))::bit(60)::bigint)::text as sum
from digest
group by 1
order by 1;
