-- Rules that somebody wrote (a view's own is its definition), and whether they are enabled; policies of row security.
select 'rule' as kind, format('%I.%I %I', n.nspname, c.relname, r.rulename) as name,
       concat_ws(E'\n', pg_get_ruledef(r.oid),
                 case r.ev_enabled when 'D' then 'disabled' when 'R' then 'enabled on a replica'
                                   when 'A' then 'enabled always' else 'enabled' end) as text
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
join pg_namespace n on n.oid = c.relnamespace
where r.rulename <> '_RETURN'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
union all
select 'policy', format('%I.%I %I', n.nspname, c.relname, p.polname),
       concat_ws(E'\n',
         case p.polcmd when 'r' then 'for select' when 'a' then 'for insert' when 'w' then 'for update'
                       when 'd' then 'for delete' else 'for all' end,
         case when p.polpermissive then 'permissive' else 'restrictive' end,
         'to ' || (select string_agg(case r when 0 then 'public' else pg_get_userbyid(r)::text end, ', ' order by
                                     pg_get_userbyid(r) collate "C") from unnest(p.polroles) as roles(r)),
         'using ' || pg_get_expr(p.polqual, p.polrelid), 'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
from pg_policy p
join pg_class c on c.oid = p.polrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
order by 1, 2;
