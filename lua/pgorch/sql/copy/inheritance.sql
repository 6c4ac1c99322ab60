-- copy/inheritance
-- Which table is a partition or a child of which.
select i.inhrelid::bigint as child, i.inhparent::bigint as parent
from pg_inherits i
join pg_class c on c.oid = i.inhparent and c.relkind in ('r', 'p')
order by 1, 2;
