-- Empties a database as Heroku's reset does: what users made is gone, an empty public schema stands there again.
-- Run in that database by the superuser; an event trigger or a publication of the old data must not get in the way.
DO $$
DECLARE
  command text;
BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
  FOR command IN
    SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger
    UNION ALL SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication
    UNION ALL SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL SELECT format('DROP FOREIGN DATA WRAPPER %I CASCADE', fdwname) FROM pg_foreign_data_wrapper
    UNION ALL SELECT format('DROP EXTENSION %I CASCADE', extname) FROM pg_extension WHERE extname <> 'plpgsql'
  LOOP
    BEGIN
      EXECUTE command;
    EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
      NULL;                                    -- it went with something before it
    END;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
  IF current_setting('server_version_num')::integer >= 150000 THEN
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
  ELSE
    CREATE SCHEMA public;
    GRANT ALL ON SCHEMA public TO PUBLIC;
  END IF;
  COMMENT ON SCHEMA public IS 'standard public schema';
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN
    CREATE EXTENSION pg_stat_statements SCHEMA public;     -- Heroku installs it into every database
  END IF;
END
$$;
