-- Ends the sessions of others in this database that began before $1 (all when it is null); those of roles that we may
-- not signal are returned with ended = false. Kind and start of other roles' sessions are hidden from who has not
-- pg_read_all_stats: such a one counts as a client that was there before.
select pid, usename as "user", application_name as application, host(client_addr) as address,
       case when pg_has_role(usesysid, 'member') or pg_has_role('pg_signal_backend', 'member')
            then pg_terminate_backend(pid) else false end as ended
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and usename is not null
  and coalesce(backend_type, 'client backend') = 'client backend'
  and application_name is distinct from 'pgorch'
  and coalesce(backend_start, '-infinity') <= coalesce($1::timestamptz, 'infinity')
  and (not (select rolsuper from pg_roles where oid = usesysid) or pg_has_role(usesysid, 'member'));
