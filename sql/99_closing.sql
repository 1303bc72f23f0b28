-- 99_closing: PUBLIC gets nothing it was not given by name. Functions are born with
-- EXECUTE for everybody; every part grants what each role needs, this one takes the rest.
REVOKE ALL ON ALL TABLES IN SCHEMA laras FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA laras FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA laras FROM PUBLIC;
REVOKE ALL ON SCHEMA laras FROM PUBLIC;
-- Nobody makes anything in the schema but a versioned script.
REVOKE CREATE ON SCHEMA laras FROM laras_owner;

-- Dumps read every table as laras_backup; every table refuses TRUNCATE, also where
-- session_replication_role says that triggers do not fire.
CREATE FUNCTION laras.close_install() RETURNS void
  LANGUAGE c AS 'MODULE_PATHNAME', 'laras_close_install';
SELECT laras.close_install();
DROP FUNCTION laras.close_install();
