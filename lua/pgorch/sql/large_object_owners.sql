-- How many large objects there are, and how many roles own them: at Heroku one role owns them all.
select count(*) as count, count(distinct lomowner) as owners from pg_largeobject_metadata;
