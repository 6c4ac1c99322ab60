-- The queries of some views and materialized views: $1 has their numbers, '{16384,16390}'. To write one the server
-- locks all the relations that it reads, and keeps the locks: so they are asked for some at a time.
select v.number::bigint as view, ltrim(pg_get_viewdef(v.number)) as text
from unnest($1::oid[]) as v(number);
