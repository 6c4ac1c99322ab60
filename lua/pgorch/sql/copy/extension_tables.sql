-- copy/extension_tables
-- Tables of extensions whose rows belong to the user, and the condition that says which rows; empty: all.
select unnest(extconfig)::bigint as oid, unnest(extcondition) as condition
from pg_extension
where extconfig is not null;
