-- Roles that may log in and whose own default_transaction_read_only is off, here or everywhere: it beats the database's.
select r.rolname::text as role
from pg_db_role_setting s
join pg_roles r on r.oid = s.setrole
cross join lateral unnest(s.setconfig) as c(setting)
where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
  and r.rolcanlogin and c.setting ~* '^default_transaction_read_only=(off|false|no|0)$'
group by 1 order by 1;
