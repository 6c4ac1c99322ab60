-- Functions, procedures, window functions and aggregates, named by the types of their arguments, with all of their
-- definition: body, language, volatility, security definer, settings, cost. Until 13 a procedure's arguments did not
-- begin with IN. A range's constructors (deptype i) come with the range, and since 14 a multirange's. Since 14 the
-- server's array functions take other arguments, anycompatiblearray for anyarray: written here as they were before.
with signatures as (
  select oid, case when oid >= 16384 then oid::regprocedure::text
                   else replace(regexp_replace(oid::regprocedure::text, 'anycompatible\M', 'anyelement', 'g'),
                                'anycompatible', 'any') end as signature
  from pg_proc
),
mine as (
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
         (select string_agg(concat_ws(' ', f.role, s.signature, f.more), E'\n' order by f.place)
          from (values (1, 'sfunc', g.aggtransfn::oid, null),
                       (2, 'finalfunc', g.aggfinalfn::oid,
                        concat_ws(' ', case when g.aggfinalextra then 'extra' end, g.aggfinalmodify::text)),
                       (3, 'combinefunc', g.aggcombinefn::oid, null), (4, 'serialfunc', g.aggserialfn::oid, null),
                       (5, 'deserialfunc', g.aggdeserialfn::oid, null), (6, 'msfunc', g.aggmtransfn::oid, null),
                       (7, 'minvfunc', g.aggminvtransfn::oid, null),
                       (8, 'mfinalfunc', g.aggmfinalfn::oid,
                        concat_ws(' ', case when g.aggmfinalextra then 'extra' end, g.aggmfinalmodify::text)))
               as f(place, role, oid, more)
          join signatures s on s.oid = f.oid),
         'stype ' || g.aggtranstype::regtype, 'sspace ' || nullif(g.aggtransspace, 0),
         'initcond ' || quote_literal(g.agginitval), 'mstype ' || nullif(g.aggmtranstype, 0)::regtype,
         'msspace ' || nullif(g.aggmtransspace, 0), 'minitcond ' || quote_literal(g.aggminitval),
         'sortop ' || nullif(g.aggsortop, 0)::regoperator,
         'parallel ' || r.proparallel::text)
from mine p
join pg_proc r on r.oid = p.oid
join pg_aggregate g on g.aggfnoid = p.oid
order by 1, 2;
