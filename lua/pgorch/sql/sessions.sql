-- Sessions of others in this database: who would write. Kind, state and start of other roles' sessions are hidden from
-- who has not pg_read_all_stats: any that has a user is counted.
select pid, usename as "user", application_name as application, host(client_addr) as address, state,
       extract(epoch from now() - backend_start)::bigint as age
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and usename is not null
  and coalesce(backend_type, 'client backend') = 'client backend'
  and application_name is distinct from 'pgorch'
order by backend_start;
