-- Functions, procedures, window functions and aggregates, named by the types of their arguments, with all of their
-- definition: body, language, volatility, security definer, settings, cost. Until 13 a procedure's arguments did not
-- begin with IN. A range's constructors (deptype i) come with the range, and since 14 a multirange's.
with mine as (
  select p.oid, p.prokind from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
    and not exists (select from pg_depend d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
)
select case p.prokind when 'p' then 'procedure' when 'w' then 'window function' else 'function' end as kind,
       p.oid::regprocedure::text as name,
       case p.prokind when 'p' then
         (select regexp_replace(split_part(f, E'\n', 1), '([(]|, )IN ', '\1', 'g')
                 || substr(f, length(split_part(f, E'\n', 1)) + 1)
          from pg_get_functiondef(p.oid) as definition(f))
         else pg_get_functiondef(p.oid) end as text
from mine p
where p.prokind <> 'a'
union all
select 'aggregate', p.oid::regprocedure::text,
       concat_ws(E'\n', 'arguments ' || pg_get_function_arguments(p.oid), 'returns ' || r.prorettype::regtype,
         case g.aggkind when 'o' then 'ordered set' when 'h' then 'hypothetical set' end,
         'sfunc ' || g.aggtransfn::regprocedure, 'stype ' || g.aggtranstype::regtype,
         'sspace ' || nullif(g.aggtransspace, 0), 'initcond ' || quote_literal(g.agginitval),
         'finalfunc ' || nullif(g.aggfinalfn, 0)::oid::regprocedure
           || case when g.aggfinalextra then ' extra ' else ' ' end || g.aggfinalmodify::text,
         'combinefunc ' || nullif(g.aggcombinefn, 0)::oid::regprocedure,
         'serialfunc ' || nullif(g.aggserialfn, 0)::oid::regprocedure,
         'deserialfunc ' || nullif(g.aggdeserialfn, 0)::oid::regprocedure,
         'msfunc ' || nullif(g.aggmtransfn, 0)::oid::regprocedure,
         'minvfunc ' || nullif(g.aggminvtransfn, 0)::oid::regprocedure,
         'mstype ' || nullif(g.aggmtranstype, 0)::regtype, 'minitcond ' || quote_literal(g.aggminitval),
         'mfinalfunc ' || nullif(g.aggmfinalfn, 0)::oid::regprocedure,
         'sortop ' || nullif(g.aggsortop, 0)::regoperator,
         'parallel ' || r.proparallel::text)
from mine p
join pg_proc r on r.oid = p.oid
join pg_aggregate g on g.aggfnoid = p.oid
order by 1, 2;
