-- Who uses this database now, grouped as a person would name them. Of other roles' sessions kind and state are hidden
-- from who has not pg_read_all_stats: any that has a user is counted, and `active` is 0.
select coalesce(nullif(application_name, ''), usename::text) as application, usename as "user",
       host(client_addr) as address, count(*) as sessions,
       count(*) filter (where state <> 'idle') as active,
       to_char(min(backend_start) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as since
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and usename is not null
  and coalesce(backend_type, 'client backend') = 'client backend'
  and application_name is distinct from 'pgorch'
group by 1, 2, 3
order by 1, 3;
