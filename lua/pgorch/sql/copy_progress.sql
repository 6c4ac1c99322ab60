-- copy_progress
-- How far the COPY of a session ($1) is. PostgreSQL 14 and newer.
select bytes_processed as bytes, tuples_processed as rows from pg_stat_progress_copy where pid = $1;
