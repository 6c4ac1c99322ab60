-- Functions that a restore calls, without a search_path of their own, whose body seems to name something without its
-- schema. It calls them for an index, a check, a generated column, a partition key, a range type or a materialized
-- view: by name, by an operator or an aggregate, in a view, or from the body of another function. Bodies are text until
-- they run: this is a guess from words, made of names that exist outside pg_catalog. A name is "quoted" or folded.
with recursive root(name, of_view, classid, objid) as (
  select 'view ' || format('%I.%I', n.nspname, c.relname), true, 'pg_rewrite'::regclass::oid, r.oid
  from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'm'
  union all
  select 'index ' || format('%I.%I', n.nspname, c.relname), false, 'pg_class'::regclass, c.oid
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
  union all
  select 'check ' || quote_ident(k.conname), false, 'pg_constraint'::regclass, k.oid
  from pg_constraint k where k.contype = 'c'
  union all
  select 'generated column ' || format('%s.%I', g.adrelid::regclass, a.attname), false, x.classid, x.objid
  from pg_attrdef g join pg_attribute a on a.attrelid = g.adrelid and a.attnum = g.adnum and a.attgenerated <> ''
  cross join lateral (values ('pg_attrdef'::regclass, g.oid), ('pg_class'::regclass, g.adrelid)) as x(classid, objid)
  union all
  select 'partition key of ' || t.partrelid::regclass, false, 'pg_class'::regclass, t.partrelid
  from pg_partitioned_table t where t.partexprs is not null
  union all
  select 'range type ' || r.rngtypid::regtype, false, 'pg_type'::regclass, r.rngtypid from pg_range r
), body as not materialized (
  select p.oid, format('%I.%I', n.nspname, p.proname) as name, p.proargtypes,
         regexp_replace(regexp_replace(p.prosrc, '/\*.*?\*/', ' ', 'g'), '--[^\n]*', ' ', 'g') as text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and l.lanname not in ('c', 'internal')
    and p.prosrc <> '' and p.prokind <> 'a'        -- a body in standard SQL is bound to its objects
    and not exists (select from unnest(p.proconfig) as s where s like 'search_path=%')
    and not exists (select from pg_depend e
                    where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
), reached(caller, of_view, classid, objid) as (
  select * from root
  union
  select case when r.classid = 'pg_proc'::regclass then coalesce('function ' || b.name, r.caller)
              when v.oid is not null then 'view ' || format('%I.%I', v.nspname, v.relname)
              else r.caller end, r.of_view, e.classid, e.objid
  from reached r
  left join body b on r.classid = 'pg_proc'::regclass and b.oid = r.objid
  left join (select w.oid, c.relname, n.nspname from pg_rewrite w join pg_class c on c.oid = w.ev_class
             join pg_namespace n on n.oid = c.relnamespace) as v
    on r.classid = 'pg_rewrite'::regclass and v.oid = r.objid
  cross join lateral (
    select d.refclassid as classid, d.refobjid as objid
    from pg_depend d left join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    where d.classid = r.classid and d.objid = r.objid
      and (c.relkind = 'v' or d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass))
      and not (r.classid = 'pg_proc'::regclass                   -- one with a search_path gives it to all that it calls
               and exists (select from pg_proc p cross join unnest(p.proconfig) as s
                           where p.oid = r.objid and s like 'search_path=%'))
    union all
    select 'pg_rewrite'::regclass, w.oid
    from pg_rewrite w where r.classid = 'pg_class'::regclass and w.ev_class = r.objid and w.ev_type = '1'
    union all
    select 'pg_proc'::regclass, p.oid
    from regexp_matches(b.text,
      '(?:(?:"([^"]+)"|([\w$]+))\s*\.\s*)?(?:"([^"]+)"|([[:alpha:]_][\w$]*))\s*\(', 'g') as m
    join pg_proc p on p.proname = coalesce(m[3], lower(m[4]))
    join pg_namespace n on n.oid = p.pronamespace and n.nspname = coalesce(m[1], lower(m[2]), n.nspname)
    where n.nspname <> 'pg_catalog'
    union all
    select 'pg_class'::regclass, c.oid
    from regexp_matches(b.text,
      '\m(?:from|join)\s+(?:(?:"([^"]+)"|([\w$]+))\s*\.\s*)?(?:"([^"]+)"|([[:alpha:]_][\w$]*))', 'gi') as m
    join pg_class c on c.relname = coalesce(m[3], lower(m[4])) and c.relkind = 'v'
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = coalesce(m[1], lower(m[2]), n.nspname)
    where n.nspname not in ('pg_catalog', 'information_schema')
  ) as e
), called as (
  select b.oid, b.name, b.text, b.proargtypes, string_agg(distinct r.caller, ', ') as used_by,
         bool_and(r.of_view) as views_only
  from reached r join body b on b.oid = r.objid
  where r.classid = 'pg_proc'::regclass
  group by 1, 2, 3, 4
), declared as (
  select c.oid, s.line
  from called c cross join regexp_matches(c.text, '\mdeclare\M(.*?)\mbegin\M', 'gi') as d
  cross join regexp_split_to_table(d[1], ';') as s(line)
), word(oid, name, kind) as (
  select c.oid, coalesce(m[1], lower(m[2])), x.kind
  from called c
  cross join (values
    ('relation', '\m(?:from|join|into|update|using)\s+(?:only\s+)?(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?![\w$"]|\s*\.)'),
    ('relation', '\mfrom\s+(?:only\s+)?[\w$".]+(?:\s+(?:as\s+)?[\w$"]+)?\s*,\s*'
       || '(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?![\w$"]|\s*\.)'),
    ('relation', '''(?:"([^"]+)"|([[:alpha:]_][\w$]*))''\s*::\s*regclass'),
    ('function', '(?<![\w$".])(?:"([^"]+)"|([[:alpha:]_][\w$]*))\s*\('),
    ('type', '::\s*(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?![\w$"]|\s*\.)'),
    ('type', '\mcast\M[^;]*?\mas\s+(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?![\w$"]|\s*\.)'),
    ('type', '(?<![\w$".])(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?:\s*\.\s*[\w$"]+\s*%\s*type|\s*%\s*rowtype)\M'),
    ('text search', '''(?:"([^"]+)"|([[:alpha:]_][\w$]*))'''),
    ('collation', '\mcollate\s+(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?![\w$"]|\s*\.)')
  ) as x(kind, pattern)
  cross join regexp_matches(c.text, x.pattern, 'gi') as m
  union
  select d.oid, coalesce(m[1], lower(m[2])), 'type'
  from declared d cross join regexp_matches(d.line, '^\s*(?:"[^"]+"|[\w$]+)\s+(?:constant\s+)?'
    || '(?:"([^"]+)"|([[:alpha:]_][\w$]*))(?![\w$"]|\s*\.)', 'i') as m
  union
  select c.oid, m[1], 'operator'
  from called c cross join regexp_replace(c.text, '''[^'']*''|"[^"]*"|%\s*(?:row)?type\M', ' ', 'gi') as bare
  cross join regexp_matches(bare, '(?<![.:])[-+*/<>=~!@#%^&|`?]+', 'g') as m
), thing(kind, name) as (
  select 'relation', c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname not in ('pg_catalog', 'information_schema')
  union
  select 'type', t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
  where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  union
  select 'function', p.proname from pg_proc p
  where p.pronamespace <> 'pg_catalog'::regnamespace
    and not exists (select from pg_proc o where o.proname = p.proname and o.pronamespace = 'pg_catalog'::regnamespace)
  union
  select 'text search', dictname from pg_ts_dict where dictnamespace <> 'pg_catalog'::regnamespace
  union
  select 'text search', cfgname from pg_ts_config where cfgnamespace <> 'pg_catalog'::regnamespace
  union
  select 'collation', collname from pg_collation where collnamespace <> 'pg_catalog'::regnamespace
)
select c.name, c.used_by, c.views_only, string_agg(distinct w.name, ', ') as words
from called c join word w on w.oid = c.oid
where (w.kind, w.name) in (select t.kind, t.name from thing t)
   -- An operator of the same name is PostgreSQL's own, unless there is none, or an argument is of this one's types.
   or w.kind = 'operator' and exists (
     select from pg_operator o
     where o.oprname = w.name and o.oprnamespace <> 'pg_catalog'::regnamespace
       and (o.oprleft = any (c.proargtypes) or o.oprright = any (c.proargtypes)
            or not exists (select from pg_operator p
                           where p.oprname = w.name and p.oprnamespace = 'pg_catalog'::regnamespace)))
group by 1, 2, 3
order by 1;
