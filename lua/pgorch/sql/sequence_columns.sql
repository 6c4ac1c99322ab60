-- Columns that a sequence feeds, by their default or as an identity, and which way it counts. A sequence that begins
-- again at its end is left out: it is meant to be behind.
select n.nspname as schema, c.relname as name, s.seqincrement > 0 as upwards, s.seqincrement as increment,
       tn.nspname as table_schema, t.relname as table_name, a.attname as column
from pg_sequence s
join pg_class c on c.oid = s.seqrelid
join pg_namespace n on n.oid = c.relnamespace
join (select objid as sequence, refobjid as relation, refobjsubid as attnum from pg_depend
      where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass and deptype in ('a', 'i')
        and refobjsubid > 0
      union
      select d.refobjid, f.adrelid, f.adnum from pg_depend d join pg_attrdef f on f.oid = d.objid
      where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass) as fed on fed.sequence = c.oid
join pg_class t on t.oid = fed.relation and t.relkind in ('r', 'p') and not t.relispartition
join pg_namespace tn on tn.oid = t.relnamespace
join pg_attribute a on a.attrelid = t.oid and a.attnum = fed.attnum and not a.attisdropped
where not s.seqcycle and c.relpersistence <> 't'
  and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1, 2, 5, 6, 7;
