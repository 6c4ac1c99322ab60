-- Heroku's own test for an empty database.
select count(*) as tables from pg_stat_user_tables;
