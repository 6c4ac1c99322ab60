-- Whether there is anything in this database that somebody has put there.
select exists (select from pg_stat_user_tables) or exists (select from pg_largeobject_metadata) as holds_data;
