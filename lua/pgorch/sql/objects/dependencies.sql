-- What was made to go with an extension (ALTER ... DEPENDS ON EXTENSION): functions, triggers, indexes, materialized
-- views. It is dropped when the extension is.
select 'extension dependency' as kind, format('%s %s on %I', i.type, i.identity, e.extname) as name, '' as text
from pg_depend d
join pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
where d.deptype = 'x'
order by 1, 2;
