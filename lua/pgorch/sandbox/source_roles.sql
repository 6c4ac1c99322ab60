-- The source cluster as a managed provider hands it over: an admin role that is not a superuser, and its database.
-- Run by the superuser, before the sample data.
CREATE ROLE vultradmin LOGIN CREATEDB CREATEROLE REPLICATION;
GRANT pg_monitor, pg_signal_backend TO vultradmin WITH ADMIN OPTION;
CREATE ROLE report LOGIN;
CREATE DATABASE defaultdb OWNER vultradmin;
