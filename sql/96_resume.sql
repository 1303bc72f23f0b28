-- 96_resume: whose contents these are, and taking them into use after a restore.

-- Never empty: the script's row names this place, and a dump brings the row of its source beside it.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.installation (
  id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
  system_identifier bigint NOT NULL,
  database_oid bigint NOT NULL,
  timeline bigint,
  parked_sends bigint NOT NULL DEFAULT 0,
  since timestamptz NOT NULL DEFAULT laras.now()
);
COMMENT ON TABLE laras.installation IS 'The cluster and database that these contents belong to: one row that names this place. Any other state closes laras until resume().';
COMMENT ON COLUMN laras.installation.id IS 'Random, so that the row of a dump''s source never meets another.';
COMMENT ON COLUMN laras.installation.system_identifier IS 'Number of the cluster.';
COMMENT ON COLUMN laras.installation.database_oid IS 'Number of the database.';
COMMENT ON COLUMN laras.installation.timeline IS 'Timeline of the WAL that the courier knows of: another one says that this server was promoted. Null until it first ran.';
COMMENT ON COLUMN laras.installation.parked_sends IS 'Messages that waited when the contents were taken over, and that another server may have sent: parked until resume(true).';
COMMENT ON COLUMN laras.installation.since IS 'When the extension was made here, or resume() last took the contents over.';
ALTER TABLE laras.installation ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.installation FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON laras.installation TO laras_owner, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE, UPDATE (timeline, parked_sends) ON laras.installation TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.installation', '');
INSERT INTO laras.installation (system_identifier, database_oid)
  SELECT s.system_identifier, d.oid::bigint
    FROM pg_catalog.pg_control_system() s, pg_catalog.pg_database d
   WHERE d.datname = pg_catalog.current_database();

CREATE FUNCTION laras.resume(send_waiting boolean DEFAULT false, OUT "check" text, OUT state text, OUT detail text) RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_resume';
COMMENT ON FUNCTION laras.resume(boolean) IS
  'Takes restored contents into use: checks every foreign key, re-bases the event cursor on this cluster''s transactions and opens intake, courier, gateway and keeper, which stay closed until it has ended without a row in state fail. Call it after adopt_keyring(). Messages that waited when the dump was made are parked with reason restored, since the old cluster may have sent them; send_waiting sends them, at once or in a later call. Where nothing was restored it checks and changes nothing else.';
GRANT EXECUTE ON FUNCTION laras.resume(boolean) TO laras_dba;

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal,
    erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('installation', 'id', 'system', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('installation', 'system_identifier', 'system', NULL, NULL, 'number of the cluster', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('installation', 'database_oid', 'system', NULL, NULL, 'number of the database', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('installation', 'timeline', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('installation', 'parked_sends', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('installation', 'since', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', NULL, NULL);
