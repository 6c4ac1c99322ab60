-- Who uses any database of the server now, as clients.sql groups them.
select datname::text as database, coalesce(nullif(application_name, ''), usename::text) as application,
       usename as "user", host(client_addr) as address, count(*) as sessions
from pg_stat_activity
where datname is not null and datname not in ('_aiven', '_dodb') and pid <> pg_backend_pid() and usename is not null
  and coalesce(backend_type, 'client backend') = 'client backend'
  and application_name is distinct from 'pgorch'
group by 1, 2, 3, 4
order by 1, 2, 4;
