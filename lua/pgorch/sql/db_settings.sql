-- Settings of this database and of roles in it, which a dump of one database does not carry. role null: everybody.
select nullif(s.setrole, 0)::regrole::text as role, c.setting
from pg_db_role_setting s
cross join lateral unnest(s.setconfig) as c(setting)
where s.setdatabase = (select oid from pg_database where datname = current_database())
order by 1 nulls first, 2;
