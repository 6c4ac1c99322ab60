-- Logical replication slots of this database.
select slot_name::text as name, plugin::text as plugin from pg_replication_slots
where slot_type = 'logical' and database = current_database()
order by 1;
