-- Every database of the server that holds data of a user's, or may: `open` says whether this role gets in. The names
-- that are left out are what Aiven and DigitalOcean keep for themselves.
select datname::text as name, datallowconn and has_database_privilege(datname, 'connect') as open
from pg_database
where not datistemplate and datname not in ('_aiven', '_dodb')
order by datname;
