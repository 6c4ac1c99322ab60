-- How many more connections this role may open: of the server's, the database's and its own limit the tightest.
-- -1 is no limit. Slots that only superusers may take are not ours; pg_stat_activity names every session to everybody.
with session as (
  select datname, usesysid from pg_stat_activity where backend_type = 'client backend'
), room as (
  select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
           - coalesce(current_setting('reserved_connections', true)::integer, 0)
           - (select count(*) from session) as free
  union all
  select d.datconnlimit - (select count(*) from session s where s.datname = d.datname)
  from pg_database d where d.datname = current_database() and d.datconnlimit >= 0
  union all
  select r.rolconnlimit - (select count(*) from session s where s.usesysid = r.oid)
  from pg_roles r where r.rolname = current_user and r.rolconnlimit >= 0
)
select greatest(min(free), 0)::integer as free from room;
