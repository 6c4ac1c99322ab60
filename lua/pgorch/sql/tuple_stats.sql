-- Rows written to each table since the statistics began, and the file it lives in (TRUNCATE gives it a new one).
select s.schemaname as schema, s.relname as name, s.n_tup_ins + s.n_tup_upd + s.n_tup_del as written,
       c.relfilenode::bigint as file
from pg_stat_user_tables s
join pg_class c on c.oid = s.relid
where c.relkind = 'r'
order by 1, 2;
