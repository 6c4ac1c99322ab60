-- Sequences as they are defined; their values are compared apart. Left out: whether one that a column owns is unlogged,
-- which until 14 no sequence was, and since 15 one is with its table.
select 'sequence' as kind, format('%I.%I', n.nspname, c.relname) as name,
       concat_ws(' ', case when c.relpersistence = 'u' and owner.text is null then 'unlogged' end,
         'as', format_type(q.seqtypid, null), 'start', q.seqstart, 'increment', q.seqincrement,
         'minvalue', q.seqmin, 'maxvalue', q.seqmax, 'cache', q.seqcache, case when q.seqcycle then 'cycle' end,
         owner.text) as text
from pg_sequence q
join pg_class c on c.oid = q.seqrelid
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
  select format('%s %I.%I.%I', case d.deptype when 'i' then 'identity of' else 'owned by' end,
                tn.nspname, t.relname, a.attname) as text
  from pg_depend d
  join pg_class t on t.oid = d.refobjid
  join pg_namespace tn on tn.oid = t.relnamespace
  join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
    and d.deptype in ('a', 'i') and d.refobjsubid > 0) as owner on true
where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1, 2;
