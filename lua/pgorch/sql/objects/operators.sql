-- Operators and casts, and operator classes and families, which only a superuser can make. The cast of a range to its
-- multirange (since 14) comes with the range: deptype i. What is the server's own has a number below 16384.
with owned as (
  select classid, objid from pg_depend where deptype in ('e', 'i')
)
select 'operator' as kind, o.oid::regoperator::text as name,
       concat_ws(', ', 'function ' || o.oprcode::oid::regprocedure, 'returns ' || o.oprresult::regtype,
         'commutator ' || nullif(o.oprcom, 0)::regoperator, 'negator ' || nullif(o.oprnegate, 0)::regoperator,
         'restrict ' || nullif(o.oprrest, 0)::oid::regproc, 'join ' || nullif(o.oprjoin, 0)::oid::regproc,
         case when o.oprcanhash then 'hashes' end, case when o.oprcanmerge then 'merges' end) as text
from pg_operator o
where o.oid >= 16384 and o.oprcode <> 0
  and not exists (select from owned x where x.classid = 'pg_operator'::regclass and x.objid = o.oid)
union all
select 'cast', format('(%s AS %s)', c.castsource::regtype, c.casttarget::regtype),
       concat_ws(' ', case c.castmethod when 'i' then 'with inout' when 'b' then 'without function'
                                        else 'with function ' || c.castfunc::regprocedure end,
                 case c.castcontext when 'a' then 'as assignment' when 'i' then 'as implicit' end)
from pg_cast c
where c.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_cast'::regclass and x.objid = c.oid)
union all
select 'operator class', format('%I.%I using %I', n.nspname, o.opcname, am.amname),
       concat_ws(' ', case when o.opcdefault then 'default' end, 'for', o.opcintype::regtype,
                 'family ' || f.opfname, 'storage ' || nullif(o.opckeytype, 0)::regtype)
from pg_opclass o
join pg_namespace n on n.oid = o.opcnamespace
join pg_am am on am.oid = o.opcmethod
join pg_opfamily f on f.oid = o.opcfamily
where o.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_opclass'::regclass and x.objid = o.oid)
union all
select 'operator family', format('%I.%I using %I', n.nspname, f.opfname, am.amname),
       concat_ws(E'\n',
         (select string_agg(format('operator %s %s', o.amopstrategy, o.amopopr::regoperator), E'\n' order by
                            o.amopstrategy, o.amopopr::regoperator::text collate "C")
          from pg_amop o where o.amopfamily = f.oid),
         (select string_agg(format('function %s (%s, %s) %s', p.amprocnum, p.amproclefttype::regtype,
                                   p.amprocrighttype::regtype, p.amproc::oid::regprocedure), E'\n' order by
                            p.amprocnum, p.amproc::oid::regprocedure::text collate "C")
          from pg_amproc p where p.amprocfamily = f.oid))
from pg_opfamily f
join pg_namespace n on n.oid = f.opfnamespace
join pg_am am on am.oid = f.opfmethod
where f.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_opfamily'::regclass and x.objid = f.oid)
order by 1, 2;
