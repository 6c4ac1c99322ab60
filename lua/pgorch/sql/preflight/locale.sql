-- How this database compares text. Who provides that, and a locale beside collate's, came with 15 (and another name
-- for it with 17): read through jsonb, so that 13 can be asked as well.
select pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate, d.datctype as ctype,
       case coalesce(j.doc ->> 'datlocprovider', 'c') when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end
         as provider,
       coalesce(j.doc ->> 'datlocale', j.doc ->> 'daticulocale') as locale,
       j.doc ->> 'datcollversion' as collation_version
from pg_database d cross join lateral (select to_jsonb(d)) as j(doc)
where d.datname = current_database();
