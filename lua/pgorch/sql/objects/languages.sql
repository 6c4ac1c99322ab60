-- Languages of people and of programs: collations, conversions, text search; procedural languages, access methods and
-- transforms. An ICU collation's locale is in collcollate until 14, in colliculocale in 15 and 16, in colllocale since
-- 17, and has hyphens since 16. Those of the server itself have numbers below 16384.
with owned as (
  select classid, objid from pg_depend where deptype = 'e'
)
select 'collation' as kind, format('%I.%I', n.nspname, c.collname) as name,
       concat_ws(' ', case c.collprovider when 'c' then 'libc' when 'i' then 'icu' when 'b' then 'builtin'
                                          else 'default' end,
         case c.collprovider when 'c' then concat_ws(' ', c.collcollate::text, c.collctype::text)
           else replace(coalesce(j ->> 'colllocale', j ->> 'colliculocale', j ->> 'collcollate'), '_', '-') end,
         case when not c.collisdeterministic then 'not deterministic' end,
         'rules ' || (j ->> 'collicurules')) as text
from pg_collation c
join pg_namespace n on n.oid = c.collnamespace
cross join lateral to_jsonb(c) as j
where c.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_collation'::regclass and x.objid = c.oid)
union all
select 'conversion', format('%I.%I', n.nspname, c.conname),
       concat_ws(' ', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding), c.conproc,
                 case when c.condefault then 'default' end)
from pg_conversion c
join pg_namespace n on n.oid = c.connamespace
where c.oid >= 16384
  and not exists (select from owned x where x.classid = 'pg_conversion'::regclass and x.objid = c.oid)
union all
select 'text search configuration', format('%I.%I', n.nspname, c.cfgname),
       concat_ws(E'\n', format('parser %I.%I', pn.nspname, p.prsname),
         (select string_agg(format('%s: %s', token.alias, m.dictionaries), E'\n' order by token.alias collate "C")
          from (select maptokentype, string_agg(mapdict::regdictionary::text, ', ' order by mapseqno) as dictionaries
                from pg_ts_config_map where mapcfg = c.oid group by maptokentype) m
          join ts_token_type(c.cfgparser) token on token.tokid = m.maptokentype))
from pg_ts_config c
join pg_namespace n on n.oid = c.cfgnamespace
join pg_ts_parser p on p.oid = c.cfgparser
join pg_namespace pn on pn.oid = p.prsnamespace
where c.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_ts_config'::regclass and x.objid = c.oid)
union all
select 'text search dictionary', format('%I.%I', n.nspname, d.dictname),
       concat_ws(' ', format('template %I.%I', tn.nspname, t.tmplname), d.dictinitoption)
from pg_ts_dict d
join pg_namespace n on n.oid = d.dictnamespace
join pg_ts_template t on t.oid = d.dicttemplate
join pg_namespace tn on tn.oid = t.tmplnamespace
where d.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_ts_dict'::regclass and x.objid = d.oid)
union all
select 'text search parser', format('%I.%I', n.nspname, p.prsname), concat_ws(' ', p.prsstart, p.prstoken, p.prsend)
from pg_ts_parser p
join pg_namespace n on n.oid = p.prsnamespace
where p.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_ts_parser'::regclass and x.objid = p.oid)
union all
select 'text search template', format('%I.%I', n.nspname, t.tmplname), t.tmpllexize::text
from pg_ts_template t
join pg_namespace n on n.oid = t.tmplnamespace
where t.oid >= 16384
  and not exists (select from owned x where x.classid = 'pg_ts_template'::regclass and x.objid = t.oid)
union all
select 'language', format('%I', l.lanname),
       concat_ws(' ', case when l.lanpltrusted then 'trusted' end, l.lanplcallfoid::regproc)
from pg_language l
where l.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_language'::regclass and x.objid = l.oid)
union all
select 'access method', format('%I', m.amname), concat_ws(' ', m.amtype, m.amhandler)
from pg_am m
where m.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_am'::regclass and x.objid = m.oid)
union all
select 'transform', format('for %s language %I', t.trftype::regtype, l.lanname),
       concat_ws(' ', t.trffromsql::oid::regprocedure, t.trftosql::oid::regprocedure)
from pg_transform t
join pg_language l on l.oid = t.trflang
where t.oid >= 16384 and not exists (select from owned x where x.classid = 'pg_transform'::regclass and x.objid = t.oid)
order by 1, 2;
