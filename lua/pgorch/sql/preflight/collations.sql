-- Collations that columns and indexes use, but for the database's own and those that are everywhere.
select format('%I.%I', n.nspname, c.collname) as name, c.collname::text as plain,
       case c.collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end as provider,
       n.nspname <> 'pg_catalog' as made, c.collisdeterministic as deterministic, count(*) as uses
from (select attcollation as oid, attrelid as relation from pg_attribute
      where attnum > 0 and not attisdropped and attcollation <> 0
      union all
      select i.each, i.indrelid from (select unnest(indcollation) as each, indrelid from pg_index) as i) as used
join pg_collation c using (oid)
join pg_namespace n on n.oid = c.collnamespace
join pg_class r on r.oid = used.relation
join pg_namespace rn on rn.oid = r.relnamespace
where rn.nspname not like 'pg\_%' and rn.nspname <> 'information_schema'
  and c.collname not in ('default', 'C', 'POSIX', 'ucs_basic')
group by 1, 2, 3, 4, 5
order by 1;
