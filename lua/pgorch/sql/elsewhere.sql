-- What else on the server takes xids, and is no write to this database: rows of other databases (and of what all share),
-- and what ANALYZE, by hand or by autovacuum, notes here. `strangers` are sessions that may have written here and not
-- been counted yet; until then `counting` has to be on for the counters to mean anything.
select (select coalesce(sum(tup_inserted + tup_updated + tup_deleted), 0)::text
        from pg_stat_database where datname is distinct from current_database()) as rows,
       (select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text from pg_stat_all_tables
        where relid in ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass)) as notes,
       current_setting('track_counts') = 'on' as counting,
       (select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and application_name is distinct from 'pgorch'
          and coalesce(backend_type, 'hidden') not in ('autovacuum worker', 'parallel worker', 'walsender')) as strangers;
