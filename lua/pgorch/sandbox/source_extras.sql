-- What a dump of one database does not carry: a second role, its grants, settings of the database and of a role.
-- Run in the sample database by the superuser, after the sample data.
GRANT USAGE ON SCHEMA shop TO report;
GRANT SELECT ON shop.orders, shop.sales_by_month TO report;
ALTER DEFAULT PRIVILEGES FOR ROLE vultradmin IN SCHEMA shop GRANT SELECT ON TABLES TO report;
ALTER DATABASE defaultdb SET default_text_search_config = 'pg_catalog.german';
ALTER DATABASE defaultdb SET timezone = 'Europe/Berlin';
ALTER ROLE report SET statement_timeout = '60s';
