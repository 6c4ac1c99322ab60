-- settings_own
-- Settings of this database, of all roles, and of each role, here or everywhere: what a dump of one database leaves
-- behind. A later row goes before an earlier one, as in the server. role null: everybody; login: who reads this.
select nullif(s.setrole, 0)::regrole::text as role, coalesce(r.rolname = current_user, false) as login,
       s.setdatabase <> 0 as here,
       left(c.setting, strpos(c.setting, '=') - 1) as name, substr(c.setting, strpos(c.setting, '=') + 1) as value
from pg_db_role_setting s
left join pg_roles r on r.oid = s.setrole
cross join lateral unnest(s.setconfig) as c(setting)
where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
order by s.setrole <> 0, s.setdatabase <> 0, r.rolname, 4;
