-- The databases that a user can mean: those that let somebody in, and this role. The one named postgres is the server's
-- own where there are others.
with open_to_us as (
  select datname::text as name
    from pg_catalog.pg_database
   where datallowconn and not datistemplate and pg_catalog.has_database_privilege(datname, 'connect')
     and datname not like '\_aiven%'
)
select name
  from open_to_us
 where name <> 'postgres' or (select count(*) from open_to_us) = 1
 order by name;
