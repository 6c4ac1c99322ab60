-- How many sessions of pgorch hold this database for something else than the record of number $1: for one process alone,
-- or for the runs of another record. A lock on two integers has objsubid 2.
select count(*)
from pg_locks
where locktype = 'advisory' and classid = 1885826930 and objsubid = 2 and objid <> $1::integer::oid and granted
  and database = (select oid from pg_database where datname = current_database());
