-- What needs each extension: columns, indexes, functions, views that use a member of it.
select e.extname as extension, pg_describe_object(u.classid, u.objid, u.objsubid) as name
from pg_extension e
join pg_depend m on m.refclassid = 'pg_extension'::regclass and m.refobjid = e.oid and m.deptype = 'e'
join pg_depend u on u.refclassid = m.classid and u.refobjid = m.objid and u.deptype in ('n', 'a')
where e.extname <> 'plpgsql'
  and u.classid not in ('pg_extension'::regclass, 'pg_amop'::regclass, 'pg_amproc'::regclass)
  and not exists (select from pg_depend x
                  where x.classid = u.classid and x.objid = u.objid and x.deptype in ('e', 'i'))
group by 1, 2
order by 1, 2;
