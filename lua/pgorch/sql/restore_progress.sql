-- restore_progress
-- How large the database has become, and the table or index that a restore is at. PostgreSQL 14 and newer.
select pg_database_size(current_database()) as bytes,
       coalesce((select 'rows of ' || relid::regclass from pg_stat_progress_copy
                  where datname = current_database() limit 1),
                (select 'index on ' || relid::regclass from pg_stat_progress_create_index
                  where datname = current_database() limit 1)) as at;
