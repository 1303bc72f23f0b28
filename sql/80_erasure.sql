-- 80_erasure: erasing: requests, their plan, their proof.


-- A request to erase, from its acceptance to its end. Held after completion without any identifier: proof that it was done.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.erasure_request (
  id bigint PRIMARY KEY,
  code_hash bytea NOT NULL UNIQUE CHECK (octet_length(code_hash) = 32),
  request_digest bytea UNIQUE CHECK (octet_length(request_digest) = 32),
  workspace_id bigint,
  scope text NOT NULL
    CHECK (scope IN ('connection', 'contact', 'workspace', 'provider_user')),
  subject_id bigint,
  path text NOT NULL
    CHECK (path IN ('sql', 'data_deletion', 'deauthorize', 'restore', 'list')),
  channel text,
  state text NOT NULL
    CHECK (state IN ('received', 'unreadable', 'removed', 'final', 'refused', 'no_data_held')),
  requested_by text NOT NULL,
  policy_version text NOT NULL,
  subject laras.sealed,
  connections integer NOT NULL DEFAULT 0,
  slots integer NOT NULL DEFAULT 0,
  slot_digest bytea CHECK (octet_length(slot_digest) = 32),
  removed_rows jsonb NOT NULL DEFAULT '{}',
  requested_at timestamptz NOT NULL DEFAULT laras.now(),
  unreadable_at timestamptz,
  removed_at timestamptz,
  raw_events_until timestamptz
);
CREATE INDEX erasure_request_waiting ON laras.erasure_request (requested_at) WHERE state = 'unreadable';
CREATE INDEX erasure_request_workspace ON laras.erasure_request (workspace_id, requested_at);
COMMENT ON TABLE laras.erasure_request IS 'A request to erase, from its acceptance to its end. Held after completion without any identifier: proof that it was done.';
COMMENT ON COLUMN laras.erasure_request.id IS 'Random id.';
COMMENT ON COLUMN laras.erasure_request.code_hash IS 'SHA-256 of the confirmation code; after a restore its first 16 bytes, which the keyring keeps, and zeros.';
COMMENT ON COLUMN laras.erasure_request.request_digest IS 'SHA-256 of the signed request of a provider: the same request gets the same code.';
COMMENT ON COLUMN laras.erasure_request.workspace_id IS 'Workspace it concerns; null where a provider asked for nobody we hold.';
COMMENT ON COLUMN laras.erasure_request.scope IS 'What is erased.';
COMMENT ON COLUMN laras.erasure_request.subject_id IS 'Random id of the contact or connection.';
COMMENT ON COLUMN laras.erasure_request.path IS 'How it was asked; list where a line of a list did, restore where resume() repeated what a dump had undone.';
COMMENT ON COLUMN laras.erasure_request.channel IS 'Channel of a provider request.';
COMMENT ON COLUMN laras.erasure_request.state IS 'How far it is.';
COMMENT ON COLUMN laras.erasure_request.requested_by IS 'Principal (kind and random id) or provider.';
COMMENT ON COLUMN laras.erasure_request.policy_version IS 'Version of the policy in force when it was made.';
COMMENT ON COLUMN laras.erasure_request.subject IS 'Identities to look for in quarantined bodies, sealed under the workspace; removed when done.';
COMMENT ON COLUMN laras.erasure_request.connections IS 'Connections cut.';
COMMENT ON COLUMN laras.erasure_request.slots IS 'Keys destroyed.';
COMMENT ON COLUMN laras.erasure_request.slot_digest IS 'SHA-256 of the sorted slot numbers destroyed at acceptance.';
COMMENT ON COLUMN laras.erasure_request.removed_rows IS 'Rows removed, by table.';
COMMENT ON COLUMN laras.erasure_request.requested_at IS 'Receipt.';
COMMENT ON COLUMN laras.erasure_request.unreadable_at IS 'When the commit that destroyed the keys was made.';
COMMENT ON COLUMN laras.erasure_request.removed_at IS 'When the last row was gone.';
COMMENT ON COLUMN laras.erasure_request.raw_events_until IS 'Until when raw events that brought the data may still open: their hour keys die then.';
ALTER TABLE laras.erasure_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.erasure_request FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.erasure_request TO laras_owner, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON laras.erasure_request TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.erasure_request', '');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('erasure_request', 'id', 'audit', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'code_hash', 'audit', NULL, NULL, 'hash of 128 bits that cannot be guessed', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'request_digest', 'audit', NULL, NULL, 'hash of a text that holds a MAC', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'workspace_id', 'audit', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'scope', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'subject_id', 'audit', NULL, NULL, 'random id', 'none', 'keep', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'path', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'channel', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'state', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'requested_by', 'audit', NULL, NULL, 'random id of a member', 'none', 'none', 'anonymise', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'policy_version', 'audit', NULL, NULL, 'a version', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'subject', 'contact', 23, 'workspace', NULL, 'none', 'null', 'none', 'none', 'null', NULL, NULL),
  ('erasure_request', 'connections', 'audit', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'slots', 'audit', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'slot_digest', 'audit', NULL, NULL, 'hash of numbers of key slots', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'removed_rows', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'requested_at', 'audit', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'unreadable_at', 'audit', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'removed_at', 'audit', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('erasure_request', 'raw_events_until', 'audit', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL);

CREATE FUNCTION laras.request_erasure(scope text, subject jsonb, options jsonb DEFAULT '{}') RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_request_erasure';
ALTER FUNCTION laras.request_erasure(text, jsonb, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.request_erasure(text, jsonb, jsonb) IS
  'Erases within the bound workspace: scope contact ({"contact_id": "..."} or {"identity": {"channel", "kind", "value"}}), connection ({"connection_id": "..."}) or workspace ({}; owners alone). The commit destroys the keys, so content is unreadable when it returns; rows follow in batches. Returns the confirmation code, this once. Works while the vault is shut, by id. Needs scope erase. 22023 for a subject that does not fit its scope or a phone that is no number, 42501, P0002. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.request_erasure(text, jsonb, jsonb) TO laras_app, laras_service;

CREATE FUNCTION laras.explain_erasure(scope text, subject jsonb,
    OUT table_name text, OUT action text, OUT row_count bigint, OUT key_count bigint, OUT stays text, OUT basis text, OUT term text)
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER ROWS 30
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_explain_erasure';
ALTER FUNCTION laras.explain_erasure(text, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.explain_erasure(text, jsonb) IS
  'What request_erasure would do now, by the plan it executes: rows by table, keys destroyed, and what stays, on what basis and for how long. Needs scope erase. Same errors. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.explain_erasure(text, jsonb) TO laras_app, laras_service;

CREATE FUNCTION laras.erasure_status(code text) RETURNS jsonb
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_erasure_status';
ALTER FUNCTION laras.erasure_status(text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.erasure_status(text) IS
  'The public status of a confirmation code: what was asked, when it became unreadable and removed, what stays; no personal data. Null for an unknown code. Definer: whoever holds the code may ask, bound or not.';
GRANT EXECUTE ON FUNCTION laras.erasure_status(text) TO laras_app, laras_service, laras_auditor;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.progress_erasure AS
  SELECT r.id, r.scope, r.path, r.state, r.requested_at, r.unreadable_at, r.removed_at, r.slots, r.connections, r.removed_rows
    FROM laras.erasure_request r
   WHERE r.workspace_id = (SELECT laras.current_workspace()) AND laras.may('erase');
COMMENT ON VIEW laras.progress_erasure IS 'Erasure requests of the bound workspace and how far they are.';
COMMENT ON COLUMN laras.progress_erasure.id IS 'Id.';
COMMENT ON COLUMN laras.progress_erasure.scope IS 'What is erased.';
COMMENT ON COLUMN laras.progress_erasure.path IS 'How it was asked.';
COMMENT ON COLUMN laras.progress_erasure.state IS 'received, unreadable, removed, final, refused or no_data_held.';
COMMENT ON COLUMN laras.progress_erasure.requested_at IS 'Receipt.';
COMMENT ON COLUMN laras.progress_erasure.unreadable_at IS 'When the keys were destroyed.';
COMMENT ON COLUMN laras.progress_erasure.removed_at IS 'When the last row was gone.';
COMMENT ON COLUMN laras.progress_erasure.slots IS 'Keys destroyed.';
COMMENT ON COLUMN laras.progress_erasure.connections IS 'Connections cut.';
COMMENT ON COLUMN laras.progress_erasure.removed_rows IS 'Rows removed, by table.';
GRANT SELECT ON laras.progress_erasure TO laras_app, laras_service;
RESET ROLE;
