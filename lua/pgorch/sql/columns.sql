-- Of every table that has rows, and every partitioned one: the columns that take part in its checksum, those that cannot, and a key to name a row
-- by. Columns come in the order of their names' bytes: a table whose columns stand in another order holds the same.
-- A column is comparable when every base type that its type is made of has a text form that tells all that it holds
-- and is the same on PostgreSQL 13 to 18 (tests/integration/test_checksums.lua). No other type is taken for equal.
with recursive proven as (
  select unnest(string_to_array('bit bool box bpchar bytea char cid cidr circle date float4 float8 inet int2 int2vector '
    'int4 int8 interval json jsonb jsonpath line lseg macaddr macaddr8 money name numeric oid oidvector path pg_lsn '
    'pg_snapshot point polygon refcursor regclass regcollation regconfig regdictionary regnamespace regoper regoperator '
    'regproc regprocedure regrole regtype text tid time timestamp timestamptz timetz tsquery tsvector txid_snapshot '
    'uuid varbit varchar xid xid8 xml', ' ')) as type, null as extension
  union all
  select split_part(name, '.', 2), split_part(name, '.', 1)
  from unnest(string_to_array('citext.citext cube.cube hstore.hstore ltree.ltree ltree.lquery ltree.ltxtquery', ' ')) as name
), holder as (
  select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm', 'p') and c.relpersistence <> 't'
    and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
    and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), made_of (outer_type, type) as (
  select distinct a.atttypid, a.atttypid from pg_attribute a join holder h on h.oid = a.attrelid
  where a.attnum > 0 and not a.attisdropped
  union
  select m.outer_type, part.type
  from made_of m
  join pg_type t on t.oid = m.type
  cross join lateral (
    select t.typbasetype where t.typtype = 'd'
    union all select t.typelem where t.typcategory = 'A' and t.typelem <> 0
    union all select a.atttypid from pg_attribute a
              where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
    union all select r.rngtypid from pg_range r                       -- 13 has no multiranges, and no such column
              where t.typtype = 'm' and (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid
  ) as part (type)
), opaque as (
  select distinct m.outer_type
  from made_of m
  join pg_type t on t.oid = m.type
  join pg_namespace n on n.oid = t.typnamespace
  left join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
  left join pg_extension e on e.oid = d.refobjid
  where t.typtype in ('b', 'p') and not (t.typcategory = 'A' and t.typelem <> 0 and t.typlen = -1)
    and not exists (select from proven p
                    where p.type = t.typname and case when p.extension is null then n.nspname = 'pg_catalog'
                                                      else p.extension = e.extname end)
), indexed as (
  select distinct on (i.indrelid) i.indrelid, (i.indkey::int2[])[0:i.indnkeyatts - 1] as columns
  from pg_index i
  join holder h on h.oid = i.indrelid
  where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
    and not exists (select from pg_attribute a
                    where a.attrelid = i.indrelid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                      and (not a.attnotnull or a.atttypid in (select outer_type from opaque)))
  order by i.indrelid, i.indisprimary desc, i.indnatts, i.indexrelid
)
select h.nspname as schema, h.relname as name,
       coalesce(json_agg(a.attname order by a.attname collate "C")
                filter (where a.attname is not null and o.outer_type is null), '[]')::text as columns,
       coalesce(json_agg(format('%I (%s)', a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attname collate "C")
                filter (where o.outer_type is not null), '[]')::text as not_comparable,
       coalesce(json_agg(a.attname order by array_position(k.columns, a.attnum))
                filter (where a.attnum = any (k.columns)), '[]')::text as key
from holder h
left join pg_attribute a on a.attrelid = h.oid and a.attnum > 0 and not a.attisdropped
left join opaque o on o.outer_type = a.atttypid
left join indexed k on k.indrelid = h.oid
group by h.oid, h.nspname, h.relname
order by 1, 2;
