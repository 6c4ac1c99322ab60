-- Foreign servers, what hangs on them, and whether the mapping is for everybody: the others name a role.
select 'server' as kind, srvname::text as name, w.fdwname::text as wrapper,
       coalesce((select string_agg(o, ' ') from unnest(srvoptions) as o where o ~ '^(host|hostaddr|port|dbname)='), '')
         as detail
from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw
union all
select 'foreign table', format('%I.%I', n.nspname, c.relname), w.fdwname, 'of ' || s.srvname
from pg_foreign_table t
join pg_class c on c.oid = t.ftrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_foreign_server s on s.oid = t.ftserver
join pg_foreign_data_wrapper w on w.oid = s.srvfdw
union all
select 'user mapping', case when umuser = 0 then 'public' else usename::text end, null, 'on ' || srvname
from pg_user_mappings
order by 1 desc, 2;
