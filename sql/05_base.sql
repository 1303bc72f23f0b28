-- 05_base: errors, clock, ids, the readers of the binding that every policy uses, the guard
-- against DROP and TRUNCATE, and the register of columns.

CREATE FUNCTION laras.error_codes(OUT sqlstate text, OUT name text, OUT meaning text)
  RETURNS SETOF record
  LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 40
  AS 'MODULE_PATHNAME', 'laras_error_codes';
COMMENT ON FUNCTION laras.error_codes() IS 'SQLSTATEs of class LR that laras raises beside PostgreSQL''s own.';
GRANT EXECUTE ON FUNCTION laras.error_codes() TO laras_service, laras_app, laras_dba, laras_auditor;

CREATE FUNCTION laras.now() RETURNS timestamptz
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_now_sql';
COMMENT ON FUNCTION laras.now() IS 'Time of this transaction by the product''s clock, which every rule about time reads.';
GRANT EXECUTE ON FUNCTION laras.now() TO laras_owner, laras_worker, laras_intake, laras_service,
  laras_app, laras_drafter, laras_relay, laras_dba, laras_auditor, laras_backup;

CREATE FUNCTION laras.advance_clock(step interval) RETURNS timestamptz
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_advance_clock';
COMMENT ON FUNCTION laras.advance_clock(interval) IS 'Moves the product''s clock of the whole server; superuser, and only where laras.test_mode was set at its start (LRB02). Not undone by a rollback.';

CREATE FUNCTION laras.new_id() RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_new_id_sql';
COMMENT ON FUNCTION laras.new_id() IS 'A new id: positive, unique, ordered by the millisecond, telling nobody how many others were taken. LRB01 without preload, LRB03 when its high-water mark cannot be written.';
GRANT EXECUTE ON FUNCTION laras.new_id() TO laras_owner, laras_worker, laras_intake, laras_service,
  laras_app, laras_drafter, laras_dba;

CREATE FUNCTION laras.id_time(id bigint) RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_id_time_sql';
COMMENT ON FUNCTION laras.id_time(bigint) IS 'The real time at which an id was made, to the millisecond; of ids made soon after a start of the server some seconds late, after many crashes in a row minutes.';
GRANT EXECUTE ON FUNCTION laras.id_time(bigint) TO laras_owner, laras_worker, laras_service, laras_app,
  laras_dba, laras_auditor;

-- STABLE, never IMMUTABLE: a cached plan would hand one tenant's rows to the next.
-- PARALLEL SAFE because the binding is a setting, which parallel workers inherit.
CREATE FUNCTION laras.current_workspace() RETURNS bigint
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_current_workspace';
COMMENT ON FUNCTION laras.current_workspace() IS 'The workspace this transaction is bound to; null when it is bound to none.';
GRANT EXECUTE ON FUNCTION laras.current_workspace() TO laras_owner, laras_worker, laras_intake, laras_service,
  laras_app, laras_drafter, laras_relay, laras_dba, laras_auditor, laras_backup;

CREATE FUNCTION laras.current_principal() RETURNS text
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_current_principal';
COMMENT ON FUNCTION laras.current_principal() IS 'Who acts in this transaction: member:<id>:<role>, key:<id>:<scope,scope>, service or worker; null when unbound.';
GRANT EXECUTE ON FUNCTION laras.current_principal() TO laras_owner, laras_worker, laras_service, laras_app;

CREATE FUNCTION laras.may(scope text) RETURNS boolean
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_may';
COMMENT ON FUNCTION laras.may(text) IS 'Does the acting principal hold the scope (inbox, knowledge, crm, connect, erase, export, admin)? False when unbound. 22023 for a word that is no scope.';
GRANT EXECUTE ON FUNCTION laras.may(text) TO laras_owner, laras_worker, laras_service, laras_app, laras_drafter;

-- The set lives in the worker's own memory, which parallel workers do not share.
CREATE FUNCTION laras.in_worker_set(workspace_id bigint) RETURNS boolean
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
  AS 'MODULE_PATHNAME', 'laras_in_worker_set_sql';
COMMENT ON FUNCTION laras.in_worker_set(bigint) IS 'Is the workspace in the set that this transaction of a worker acts on? What policies TO laras_worker ask.';
-- False to whoever is no worker. Clients hold it too, because a view calls the functions of
-- its tables' policies with the rights of whoever reads the view.
GRANT EXECUTE ON FUNCTION laras.in_worker_set(bigint) TO laras_worker, laras_owner, laras_intake, laras_service,
  laras_app, laras_drafter, laras_dba, laras_auditor;

CREATE FUNCTION laras.refuse_truncate() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'laras_refuse_truncate';
COMMENT ON FUNCTION laras.refuse_truncate() IS 'BEFORE TRUNCATE trigger of every table of laras: LRT05 while workspaces exist.';

CREATE FUNCTION laras.arm_guard() RETURNS event_trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'laras_arm_guard';
COMMENT ON FUNCTION laras.arm_guard() IS 'Loads the library before a command that could drop something of laras, and with it the guard that refuses (LRT05).';
CREATE EVENT TRIGGER laras_guard ON ddl_command_start
  WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP TABLE', 'DROP OWNED', 'DROP TYPE', 'DROP FUNCTION',
    'DROP ROUTINE', 'DROP DOMAIN', 'ALTER TABLE', 'ALTER EXTENSION', 'DROP FOREIGN DATA WRAPPER',
    'DROP SERVER', 'DROP COLLATION', 'DROP OPERATOR', 'DROP OPERATOR CLASS', 'DROP OPERATOR FAMILY',
    'DROP ACCESS METHOD', 'DROP LANGUAGE', 'DROP SEQUENCE', 'DROP VIEW',
    'DROP AGGREGATE', 'DROP PROCEDURE', 'DROP CAST', 'DROP FOREIGN TABLE')
  EXECUTE FUNCTION laras.arm_guard();
ALTER EVENT TRIGGER laras_guard ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER laras_guard IS 'Arms the guard against DROP in sessions of a server that does not preload laras.';

-- Every column of every table, and what becomes of it. Each part adds its own at its end.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.data_column (
  table_name text NOT NULL,
  column_name text NOT NULL,
  category text NOT NULL CHECK (category ~ '^[a-z][a-z_]*$'),
  field smallint UNIQUE CHECK (field > 0),
  slot text CHECK (slot ~ '^[a-z][a-z_]*$'),
  personal text CHECK (personal <> ''),
  erase_connection text NOT NULL CHECK (erase_connection IN ('delete', 'null', 'anonymise', 'keep', 'none')),
  erase_contact text NOT NULL CHECK (erase_contact IN ('delete', 'null', 'anonymise', 'keep', 'none')),
  erase_member text NOT NULL CHECK (erase_member IN ('delete', 'null', 'anonymise', 'keep', 'none')),
  erase_provider_user text NOT NULL CHECK (erase_provider_user IN ('delete', 'null', 'anonymise', 'keep', 'none')),
  erase_workspace text NOT NULL CHECK (erase_workspace IN ('delete', 'null', 'anonymise', 'keep', 'none')),
  basis text,
  term text,
  PRIMARY KEY (table_name, column_name),
  CHECK ((field IS NULL) = (slot IS NULL)),
  CHECK ((field IS NULL) <> (personal IS NULL))
);
COMMENT ON TABLE laras.data_column IS 'What every column of every table of laras holds, how it is sealed or why it need not be, and what each kind of erasure does there.';
COMMENT ON COLUMN laras.data_column.table_name IS 'Table in schema laras; for a partitioned table the parent, which speaks for its partitions.';
COMMENT ON COLUMN laras.data_column.column_name IS 'Column.';
COMMENT ON COLUMN laras.data_column.category IS 'Data category: access_token, account_reference, contact, message, raw_event, knowledge, member, workspace, system, ...';
COMMENT ON COLUMN laras.data_column.field IS 'Number of the sealed field (src/vault/numbers.def); null when the column is not sealed.';
COMMENT ON COLUMN laras.data_column.slot IS 'Whose key seals it: workspace, member, connection, contact, group, app, hour, week, billing, hold, export, platform.';
COMMENT ON COLUMN laras.data_column.personal IS 'Why the column need not be sealed; null when it is.';
COMMENT ON COLUMN laras.data_column.erase_connection IS 'What erasing a connection does: delete the row, null the column, anonymise, keep (see basis), none (out of scope).';
COMMENT ON COLUMN laras.data_column.erase_contact IS 'What erasing a contact does.';
COMMENT ON COLUMN laras.data_column.erase_member IS 'What erasing a member does.';
COMMENT ON COLUMN laras.data_column.erase_provider_user IS 'What erasing a provider''s user (who connected an account) does.';
COMMENT ON COLUMN laras.data_column.erase_workspace IS 'What erasing a workspace does.';
COMMENT ON COLUMN laras.data_column.basis IS 'On what ground a kept column is kept.';
COMMENT ON COLUMN laras.data_column.term IS 'Until when a kept column is kept.';
ALTER TABLE laras.data_column ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.data_column FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.data_column FOR SELECT TO PUBLIC USING (true);
GRANT SELECT ON laras.data_column TO laras_worker, laras_service, laras_dba, laras_auditor;
RESET ROLE;
-- Its rows come from the scripts of each version alone, so none is dumped and none collides.
SELECT pg_catalog.pg_extension_config_dump('laras.data_column', 'WHERE false');

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term)
SELECT 'data_column', c.name, 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL
FROM pg_catalog.unnest(ARRAY['table_name', 'column_name', 'category', 'field', 'slot', 'personal', 'erase_connection',
  'erase_contact', 'erase_member', 'erase_provider_user', 'erase_workspace', 'basis', 'term']) AS c (name);
