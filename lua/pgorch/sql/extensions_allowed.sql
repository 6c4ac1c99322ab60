-- What the target lets its owner create: Heroku's list on Standard and up, the RDS list on Essential, else all it has.
select a.name, a.default_version as version
from pg_available_extensions a
where a.name = any (coalesce(
        string_to_array(regexp_replace(nullif(coalesce(current_setting('extwlist.extensions', true), ''), ''), '\s', '', 'g'), ','),
        string_to_array(regexp_replace(nullif(coalesce(current_setting('rds.allowed_extensions', true), ''), ''), '\s', '', 'g'), ','),
        array(select name::text from pg_available_extensions)))
order by 1;
