-- How many tables there are, and how many rows each has, one query for each: what the article asks to compare on both
-- sides ("Testing and Verifying"). A partitioned table's rows are those of its partitions.
-- psql -XAtq -v ON_ERROR_STOP=1 -f counts.sql URL; diff shows where two sides differ.
select 'tables', count(*)
from pg_class where relkind = 'r' and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema');

select format('select %L, count(*) from %I.%I', nspname || '.' || relname, nspname, relname)
from pg_class join pg_namespace as n on n.oid = relnamespace
where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema')
order by nspname collate "C", relname collate "C" \gexec
