-- What became of the transactions that a snapshot did not see: those that ran in it ($1, such as '{731,734}') and all
-- from its xmax on ($2, such as '740'). No more than 10000 later ones are asked for: `beyond` says that there are more.
-- `open` names what has an xid in this database and has not ended (a prepared transaction has no process), and what
-- runs and nobody shows where: `unshown` counts those, for one that ended between the snapshot and the list of sessions
-- looks so too, and is gone when it is asked again. The kind of other roles' sessions is hidden from who has not
-- pg_read_all_stats: such a one that has a user is none of autovacuum.
with now as (
  select s, pg_snapshot_xmax(s)::text::bigint as xmax from (select pg_current_snapshot() as s) as taken
), unseen as (
  select x.xid from unnest($1::bigint[]) as x(xid), now where x.xid < now.xmax
  union all
  select later.xid from now, generate_series($2::bigint, least(now.xmax, $2::bigint + 10000) - 1) as later(xid)
), fate as (
  select pg_xact_status(xid::text::xid8) as status from unseen
), owner as (
  select backend_xid::text::bigint as xid, datname as database,
         format('process %s of %s (%s, %s)', pid, usename, application_name, state) as what,
         coalesce(backend_type = 'autovacuum worker', usename is null) as harmless
  from pg_stat_activity where backend_xid is not null
  union all
  select transaction::text::bigint, database, format('prepared transaction %s of %s', gid, owner), false
  from pg_prepared_xacts
), open as (
  select what, false as unshown from owner where database = current_database() and not harmless
  union all
  select 'transaction ' || x::text, true from now, pg_snapshot_xip(now.s) as x
  where not exists (select from owner where owner.xid = x::text::bigint & 4294967295)
)
select (select xmax from now)::text as xmax,
       (select xmax > $2::bigint + 10000 from now) as beyond,
       (select count(*) from fate where status = 'committed') as committed,
       (select count(*) from fate where status is null) as forgotten,
       (select coalesce(string_agg(what, E'\n' order by what), '') from open) as open,
       (select count(*) from open where unshown) as unshown;
