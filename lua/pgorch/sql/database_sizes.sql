-- The databases that a user can mean, as in databases.sql, with what each takes on disk.
with open_to_us as (
  select datname::text as name, pg_catalog.pg_database_size(oid) as size
    from pg_catalog.pg_database
   where datallowconn and not datistemplate and pg_catalog.has_database_privilege(datname, 'connect')
     and datname not like '\_aiven%'
)
select name, size
  from open_to_us
 where name <> 'postgres' or (select count(*) from open_to_us) = 1
 order by name;
