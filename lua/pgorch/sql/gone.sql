-- Objects that a newer major cannot have: 14 took postfix operators away, and gave the array functions other argument
-- types, so that an aggregate or operator made of the old ones is not found. (The same list as pg_upgrade's.)
-- None is there on 14 and newer: to_regprocedure is null then.
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
where (a.aggtransfn in (select oid from old_functions) or a.aggfinalfn in (select oid from old_functions)
       or a.aggcombinefn in (select oid from old_functions)) and n.nspname not like 'pg\_%'
order by 1, 2;
