-- Changes when somebody changes the schema, or anything else that a dump holds beside rows: the transactions that wrote
-- the rows of the catalogs. Temporary objects are left out. VACUUM and ANALYZE write their figures in place and do not
-- move it. What not everybody may read, or not every major has (user mappings, the schemas of a publication), is known
-- by what depends on a server or a publication.
with kept as (
  select oid from pg_namespace where nspname not like 'pg\_temp\_%' and nspname not like 'pg\_toast\_temp\_%'
), class as (
  select oid, xmin from pg_class where relpersistence <> 't'
)
select coalesce(sum(hashtextextended(what || ':' || id || ':' || x, 0)), 0)::text as digest
from (
  select 'class' as what, oid::text as id, xmin::text as x from class
  union all
  select 'namespace', n.oid::text, n.xmin::text from pg_namespace n join kept using (oid)
  union all
  select 'attribute', a.attrelid || '.' || a.attnum, a.xmin::text
  from pg_attribute a join class c on c.oid = a.attrelid where a.attnum > 0
  union all
  select 'default', d.oid::text, d.xmin::text from pg_attrdef d join class c on c.oid = d.adrelid
  union all
  select 'index', i.indexrelid::text, i.xmin::text from pg_index i join class c on c.oid = i.indexrelid
  union all
  select 'rule', r.oid::text, r.xmin::text from pg_rewrite r join class c on c.oid = r.ev_class
  union all
  select 'trigger', t.oid::text, t.xmin::text from pg_trigger t join class c on c.oid = t.tgrelid
  union all
  select 'sequence', s.seqrelid::text, s.xmin::text from pg_sequence s join class c on c.oid = s.seqrelid
  union all
  select 'inherits', i.inhrelid || '.' || i.inhparent, i.xmin::text from pg_inherits i join class c on c.oid = i.inhrelid
  union all
  select 'partitioned', p.partrelid::text, p.xmin::text from pg_partitioned_table p join class c on c.oid = p.partrelid
  union all
  select 'constraint', k.oid::text, k.xmin::text from pg_constraint k join kept n on n.oid = k.connamespace
  union all
  select 'proc', p.oid::text, p.xmin::text from pg_proc p join kept n on n.oid = p.pronamespace
  union all
  select 'type', t.oid::text, t.xmin::text from pg_type t join kept n on n.oid = t.typnamespace
  union all
  select 'statistics', s.oid::text, s.xmin::text from pg_statistic_ext s join kept n on n.oid = s.stxnamespace
  union all
  select 'description', d.classoid || '.' || d.objoid || '.' || d.objsubid, d.xmin::text from pg_description d
  union all
  select 'label', l.classoid || '.' || l.objoid || '.' || l.objsubid || l.provider, l.xmin::text from pg_seclabel l
  union all
  select 'initial acl', i.classoid || '.' || i.objoid || '.' || i.objsubid, i.xmin::text from pg_init_privs i
  union all
  select 'depends', d.classid || '.' || d.objid || '.' || d.refobjid, d.xmin::text
  from pg_depend d where d.refclassid in ('pg_publication'::regclass, 'pg_foreign_server'::regclass)
  union all
  select 'foreign table', f.ftrelid::text, f.xmin::text from pg_foreign_table f
  union all
  select 'aggregate', a.aggfnoid::oid::text, a.xmin::text from pg_aggregate a
  union all
  select 'range', r.rngtypid::text, r.xmin::text from pg_range r
  union all
  select 'words', m.mapcfg || '.' || m.maptokentype || '.' || m.mapseqno, m.xmin::text from pg_ts_config_map m
  union all
  select t.what, t.id::text, t.x::text from (
    select 'policy' as what, oid as id, xmin as x from pg_policy
    union all select 'large object', oid, xmin from pg_largeobject_metadata
    union all select 'enum', oid, xmin from pg_enum
    union all select 'default acl', oid, xmin from pg_default_acl
    union all select 'extension', oid, xmin from pg_extension
    union all select 'event trigger', oid, xmin from pg_event_trigger
    union all select 'publication', oid, xmin from pg_publication
    union all select 'published', oid, xmin from pg_publication_rel
    union all select 'wrapper', oid, xmin from pg_foreign_data_wrapper
    union all select 'server', oid, xmin from pg_foreign_server
    union all select 'language', oid, xmin from pg_language
    union all select 'cast', oid, xmin from pg_cast
    union all select 'transform', oid, xmin from pg_transform
    union all select 'collation', oid, xmin from pg_collation
    union all select 'conversion', oid, xmin from pg_conversion
    union all select 'operator', oid, xmin from pg_operator
    union all select 'family', oid, xmin from pg_opfamily
    union all select 'operator class', oid, xmin from pg_opclass
    union all select 'operator of', oid, xmin from pg_amop
    union all select 'support of', oid, xmin from pg_amproc
    union all select 'access method', oid, xmin from pg_am
    union all select 'configuration', oid, xmin from pg_ts_config
    union all select 'dictionary', oid, xmin from pg_ts_dict
    union all select 'parser', oid, xmin from pg_ts_parser
    union all select 'template', oid, xmin from pg_ts_template
  ) as t
) as rows;
