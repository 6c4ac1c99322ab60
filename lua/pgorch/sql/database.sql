-- The database as a whole: its true size beside what a restore depends on.
select d.datname as name, pg_get_userbyid(d.datdba) as owner, pg_database_size(d.oid) as bytes,
       pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate, d.datctype as ctype,
       current_setting('server_version') as version, current_setting('server_version_num')::int as version_num,
       current_setting('server_version_num')::int / 10000 as major,
       pg_is_in_recovery() as standby, host(inet_client_addr()) as seen_from,
       (select count(*) from pg_database o where not o.datistemplate and o.datallowconn
          and o.datname not in ('postgres', '_aiven', d.datname)) as other_databases
from pg_database d
where d.datname = current_database();
