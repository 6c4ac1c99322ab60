-- copy/tables
-- Of these tables ($1, oids) their size without indexes, in bytes and in pages. Of no others: that needs a lock.
select c.oid::bigint as oid, pg_table_size(c.oid) as bytes,
       pg_relation_size(c.oid) / current_setting('block_size')::bigint as pages
from unnest($1::oid[]) as o(oid)
join pg_class c on c.oid = o.oid;
