-- Sessions of others in this database: who would write.
select pid, usename as "user", application_name as application, host(client_addr) as address, state,
       extract(epoch from now() - backend_start)::bigint as age
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
  and application_name is distinct from 'pgorch'
order by backend_start;
