-- The other databases of the cluster that are somebody's.
select datname::text as name from pg_database
where not datistemplate and datallowconn and datname not in ('postgres', '_aiven', current_database())
order by 1;
