-- Foreign data wrappers and servers. Options may hold a password: of those whose name sounds like it a few digits of
-- the digest are told, enough to see that it is another, not enough to guess it. User mappings hold nothing else.
with owned as (
  select classid, objid from pg_depend where deptype = 'e'
), listed as (
  select s.oid, s.option_name, case when s.option_name ~* 'pass|secret|key|token|cred'
           then format('(secret %s)', left(encode(sha256(convert_to(s.option_value, 'UTF8')), 'hex'), 4))
           else quote_literal(s.option_value) end as shown
  from (select w.oid, o.* from pg_foreign_data_wrapper w, pg_options_to_table(w.fdwoptions) o
        union all
        select s.oid, o.* from pg_foreign_server s, pg_options_to_table(s.srvoptions) o) s
), options as (
  select oid, string_agg(format('%I %s', option_name, shown), ', ' order by option_name collate "C") as list
  from listed group by oid
)
select 'foreign data wrapper' as kind, format('%I', w.fdwname) as name,
       concat_ws(' ', 'handler ' || nullif(w.fdwhandler, 0)::regproc,
                 'validator ' || nullif(w.fdwvalidator, 0)::regproc,
                 'options ' || (select list from options o where o.oid = w.oid)) as text
from pg_foreign_data_wrapper w
where not exists (select from owned x where x.classid = 'pg_foreign_data_wrapper'::regclass and x.objid = w.oid)
union all
select 'foreign server', format('%I', s.srvname),
       concat_ws(' ', format('wrapper %I', w.fdwname), 'type ' || quote_literal(s.srvtype),
                 'version ' || quote_literal(s.srvversion),
                 'options ' || (select list from options o where o.oid = s.oid))
from pg_foreign_server s
join pg_foreign_data_wrapper w on w.oid = s.srvfdw
where not exists (select from owned x where x.classid = 'pg_foreign_server'::regclass and x.objid = s.oid)
order by 1, 2;
