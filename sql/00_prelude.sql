-- 00_prelude: pins the search path and makes what every later part stands on:
-- the roles, and their way into the schema.
\echo Use "CREATE EXTENSION laras CASCADE" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;

-- First of all the roles, so that nothing is made before it is sure whose it will be.
-- Refuses an old server, a schema that is not empty and a role that somebody else prepared.
CREATE FUNCTION laras.make_roles() RETURNS void
  LANGUAGE c AS 'MODULE_PATHNAME', 'laras_make_roles';
SELECT laras.make_roles();
DROP FUNCTION laras.make_roles();

-- CREATE is taken back in 99_closing.
GRANT USAGE, CREATE ON SCHEMA laras TO laras_owner;
GRANT USAGE ON SCHEMA laras TO laras_worker, laras_intake, laras_service, laras_app,
  laras_drafter, laras_relay, laras_standby, laras_dba, laras_auditor, laras_backup;
