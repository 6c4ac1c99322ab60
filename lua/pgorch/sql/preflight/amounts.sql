-- How many there are of what makes Heroku's backups slow.
select (select count(*) from pg_namespace where nspname not like 'pg\_%' and nspname <> 'information_schema') as schemas,
       (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'i', 'I', 'S', 'v', 'm', 'f') and n.nspname not like 'pg\_%'
          and n.nspname <> 'information_schema') as objects;
