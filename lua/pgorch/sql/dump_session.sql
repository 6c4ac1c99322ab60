-- dump_session
-- The server's side of pg_dump: the session of ours that is not among those of before ($1, their pids), what it waits
-- for, and who holds the lock if it waits for one. Of several that read, one that does not wait for us.
select a.pid, a.state, a.wait_event_type, a.wait_event, b.pid as blocker, b.usename as blocker_user,
       b.application_name as blocker_application, extract(epoch from now() - b.xact_start)::bigint as blocker_age
from pg_stat_activity a
left join lateral unnest(case when a.wait_event_type = 'Lock' then pg_blocking_pids(a.pid) end) as k(pid) on true
left join pg_stat_activity b on b.pid = k.pid
where a.datname = current_database() and a.application_name = 'pgorch' and a.backend_type = 'client backend'
  and a.usename = current_user and a.pid <> pg_backend_pid() and a.pid <> all ($1::integer[])
order by a.state = 'active' and a.wait_event_type is distinct from 'Client' desc, a.backend_start
limit 1;
