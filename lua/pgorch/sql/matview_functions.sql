-- Functions that a materialized view ($1), or a view below it, calls by name or by an operator, and that have no
-- search_path of their own: what they name is looked for in that of whoever refreshes the view.
with recursive view(rule) as (
  select oid from pg_rewrite where ev_class = $1::text::regclass
  union
  select r.oid
  from view v
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = v.rule and d.refclassid = 'pg_class'::regclass
  join pg_class c on c.oid = d.refobjid and c.relkind = 'v'
  join pg_rewrite r on r.ev_class = c.oid
), called(oid) as (
  select d.refobjid
  from view v
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = v.rule and d.refclassid = 'pg_proc'::regclass
  union
  select o.oprcode
  from view v
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = v.rule
    and d.refclassid = 'pg_operator'::regclass
  join pg_operator o on o.oid = d.refobjid
)
select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name
from called
join pg_proc p on p.oid = called.oid
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
where p.prokind = 'f' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and l.lanname not in ('c', 'internal') and p.prosrc <> ''      -- a body in standard SQL is bound to its objects
  and not exists (select from unnest(p.proconfig) as s where s like 'search_path=%')
  and not exists (select from pg_depend e
                  where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
order by 1;
