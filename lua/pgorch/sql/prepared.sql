-- Prepared transactions outlive their session and can still commit a write after the source was closed.
select gid, owner::text as "user", prepared::text as since from pg_prepared_xacts where database = current_database();
