-- Functions that a restore calls (for an index, a check, a generated column, a materialized view, or a view below one),
-- without a search_path of their own, whose body seems to name something without its schema. Bodies are text until
-- they run: this is a guess from words, made of names that exist outside pg_catalog.
with recursive view(rule) as (
  select r.oid from pg_rewrite r join pg_class c on c.oid = r.ev_class where c.relkind = 'm'
  union
  select r.oid
  from view v
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = v.rule and d.refclassid = 'pg_class'::regclass
  join pg_class c on c.oid = d.refobjid and c.relkind = 'v'
  join pg_rewrite r on r.ev_class = c.oid
), caller(classid, objid, name) as (
  select 'pg_rewrite'::regclass, v.rule, 'view ' || format('%I.%I', n.nspname, c.relname)
  from view v join pg_rewrite r on r.oid = v.rule join pg_class c on c.oid = r.ev_class
  join pg_namespace n on n.oid = c.relnamespace
  union all
  select 'pg_class'::regclass, i.indexrelid, 'index ' || format('%I.%I', n.nspname, c.relname)
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
  union all
  select 'pg_constraint'::regclass, k.oid, 'check ' || quote_ident(k.conname) from pg_constraint k where k.contype = 'c'
  union all
  select 'pg_attrdef'::regclass, g.oid, 'generated column ' || format('%s.%I', g.adrelid::regclass, a.attname)
  from pg_attrdef g join pg_attribute a on a.attrelid = g.adrelid and a.attnum = g.adnum and a.attgenerated <> ''
  union all
  select 'pg_class'::regclass, g.adrelid, 'generated column ' || format('%s.%I', g.adrelid::regclass, a.attname)
  from pg_attrdef g join pg_attribute a on a.attrelid = g.adrelid and a.attnum = g.adnum and a.attgenerated <> ''
), called as (
  select p.oid, format('%I.%I', n.nspname, p.proname) as name, p.prosrc, string_agg(distinct c.name, ', ') as used_by,
         bool_and(c.classid = 'pg_rewrite'::regclass) as views_only
  from caller c
  join pg_depend d on d.classid = c.classid and d.objid = c.objid and d.refclassid = 'pg_proc'::regclass
  join pg_proc p on p.oid = d.refobjid
  join pg_namespace n on n.oid = p.pronamespace
  join pg_language l on l.oid = p.prolang
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and l.lanname not in ('c', 'internal')
    and p.prosrc <> ''                             -- a body in standard SQL is bound to its objects
    and not exists (select from unnest(p.proconfig) as s where s like 'search_path=%')
    and not exists (select from pg_depend e
                    where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
  group by 1, 2, 3
), word as (
  select c.oid, m[1] as name, 'relation' as kind
  from called c, regexp_matches(c.prosrc,
    '\m(?:from|join|into|update|using)\s+(?:only\s+)?"?([[:alpha:]_][\w$]*)"?(?![\w$"]|\s*\.)', 'gi') as m
  union
  select c.oid, m[1], 'function'
  from called c, regexp_matches(c.prosrc, '(?<![\w$."])"?([[:alpha:]_][\w$]*)"?\s*\(', 'gi') as m
)
select c.name, c.used_by, c.views_only, string_agg(distinct w.name, ', ') as words
from called c join word w on w.oid = c.oid
where w.kind = 'relation' and exists (select from pg_class r where r.relname in (w.name, lower(w.name))
                                        and r.relkind in ('r', 'p', 'v', 'm', 'f')
                                        and r.relnamespace <> 'pg_catalog'::regnamespace
                                        and r.relnamespace <> 'information_schema'::regnamespace)
   or w.kind = 'function' and exists (select from pg_proc f where f.proname in (w.name, lower(w.name))
                                        and f.pronamespace <> 'pg_catalog'::regnamespace)
                          and not exists (select from pg_proc f where f.proname in (w.name, lower(w.name))
                                            and f.pronamespace = 'pg_catalog'::regnamespace)
group by 1, 2, 3
order by 1;
