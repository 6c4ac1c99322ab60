-- Since 15: the version of the collations that the server's libraries have now, beside which the stored one may be old.
select pg_database_collation_actual_version(oid) as version from pg_database where datname = current_database();
