-- Comments on everything that a dump carries, large objects too: not on what the server made itself (its numbers are
-- below 16384, but for the schema public; a large object may be given such a number), not on what an extension owns,
-- not on what is not carried.
select 'comment' as kind, concat_ws(' ', i.type, i.identity) as name, d.description as text
from pg_description d
cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
where (d.objoid >= 16384 or d.classoid = 'pg_largeobject'::regclass
       or d.classoid = 'pg_namespace'::regclass and d.objoid = to_regnamespace('public'))
  and d.classoid not in ('pg_event_trigger'::regclass, 'pg_publication'::regclass, 'pg_subscription'::regclass)
  and not exists (select from pg_depend e
                  where e.classid = d.classoid and e.objid = d.objoid and e.deptype = 'e')
  and coalesce(i.schema, '') not like 'pg\_%'
order by 1, 2;
