-- Objects that a newer major cannot have: 14 took postfix operators away, and gave the array functions other argument
-- types, so that an operator made of the old ones is not found, nor an aggregate whose state is as polymorphic as they
-- were; one with a state of int[] finds the new ones. (The same list as pg_upgrade's.) None is there on 14 and newer:
-- to_regprocedure is null then.
with old_functions as (
  select to_regprocedure(signature) as oid
  from unnest(array['array_append(anyarray,anyelement)', 'array_cat(anyarray,anyarray)',
                    'array_position(anyarray,anyelement)', 'array_position(anyarray,anyelement,integer)',
                    'array_positions(anyarray,anyelement)', 'array_prepend(anyelement,anyarray)',
                    'array_remove(anyarray,anyelement)', 'array_replace(anyarray,anyelement,anyelement)',
                    'width_bucket(anyelement,anyarray)']) as signature
)
select 'postfix operator' as kind, format('%I.%s', n.nspname, o.oprname) as name
from pg_operator o
join pg_namespace n on n.oid = o.oprnamespace
where o.oprright = 0 and n.nspname not like 'pg\_%'
union all
select 'operator', format('%I.%s', n.nspname, o.oprname)
from pg_operator o
join pg_namespace n on n.oid = o.oprnamespace
where o.oprcode in (select oid from old_functions) and n.nspname not like 'pg\_%'
union all
select 'aggregate', p.oid::regprocedure::text
from pg_aggregate a
join pg_proc p on p.oid = a.aggfnoid
join pg_namespace n on n.oid = p.pronamespace
where n.nspname not like 'pg\_%'
  and (a.aggtranstype in ('anyarray'::regtype, 'anyelement'::regtype)
         and exists (select from old_functions o where o.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn))
       or a.aggmtranstype in ('anyarray'::regtype, 'anyelement'::regtype)
         and exists (select from old_functions o where o.oid in (a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)))
order by 1, 2;
