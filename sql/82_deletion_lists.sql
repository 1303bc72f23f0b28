-- 82_deletion_lists: erasing many at once, by a list: a provider's of those who removed its app, or an owner's.


-- A list of ids whose data are to be erased. Held afterwards without any id: proof that it was worked off.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.deletion_list (
  id bigint PRIMARY KEY,
  workspace_id bigint,
  channel text,
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  state text NOT NULL DEFAULT 'open'
    CHECK (state IN ('open', 'done')),
  requested_by text NOT NULL,
  lines integer NOT NULL,
  found integer NOT NULL DEFAULT 0,
  not_found integer NOT NULL DEFAULT 0,
  refused integer NOT NULL DEFAULT 0,
  subjects integer NOT NULL DEFAULT 0,
  keys integer NOT NULL DEFAULT 0,
  report_digest bytea CHECK (octet_length(report_digest) = 32),
  evidence_id bigint,
  received_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  CHECK ((workspace_id IS NULL) = (channel IS NOT NULL)),
  CHECK ((state = 'done') = (finished_at IS NOT NULL))
);
CREATE INDEX deletion_list_open ON laras.deletion_list (received_at, id) WHERE state = 'open';
CREATE INDEX deletion_list_workspace ON laras.deletion_list (workspace_id, received_at);
COMMENT ON TABLE laras.deletion_list IS 'A list of ids whose data are to be erased. Held afterwards without any id: proof that it was worked off.';
COMMENT ON COLUMN laras.deletion_list.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.deletion_list.workspace_id IS 'Workspace whose list it is; null: a provider''s, which concerns all.';
COMMENT ON COLUMN laras.deletion_list.channel IS 'Channel of a provider''s list.';
COMMENT ON COLUMN laras.deletion_list.digest IS 'SHA-256 of the list as it was given; of a provider''s, of its ids with a line feed after each.';
COMMENT ON COLUMN laras.deletion_list.state IS 'open; done: every line has its outcome.';
COMMENT ON COLUMN laras.deletion_list.requested_by IS 'Principal (kind and random id), or operator.';
COMMENT ON COLUMN laras.deletion_list.lines IS 'How many it has.';
COMMENT ON COLUMN laras.deletion_list.found IS 'Lines whose person was erased, or whose connections were cut.';
COMMENT ON COLUMN laras.deletion_list.not_found IS 'Lines of nobody we hold.';
COMMENT ON COLUMN laras.deletion_list.refused IS 'Lines that were no id, or stood there before.';
COMMENT ON COLUMN laras.deletion_list.subjects IS 'Contacts erased, or connections cut.';
COMMENT ON COLUMN laras.deletion_list.keys IS 'Keys destroyed.';
COMMENT ON COLUMN laras.deletion_list.report_digest IS 'SHA-256 of the report: number, outcome and reason of each line.';
COMMENT ON COLUMN laras.deletion_list.evidence_id IS 'The entry of evidence that says so.';
COMMENT ON COLUMN laras.deletion_list.received_at IS 'Receipt.';
COMMENT ON COLUMN laras.deletion_list.finished_at IS 'When the last line had its outcome.';
ALTER TABLE laras.deletion_list ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.deletion_list FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.deletion_list TO laras_owner, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON laras.deletion_list TO laras_worker;

-- One line of it: until it is worked off, the keyed hashes of its id.
CREATE TABLE laras.deletion_line (
  list_id bigint NOT NULL REFERENCES laras.deletion_list,
  line integer NOT NULL,
  workspace_id bigint,
  channel text,
  kinds smallint[],
  indexes bytea[],
  outcome text
    CHECK (outcome IN ('found', 'not_found', 'refused')),
  reason text,
  subjects integer NOT NULL DEFAULT 0,
  PRIMARY KEY (list_id, line),
  CHECK ((outcome IS NULL) = (indexes IS NOT NULL))
);
CREATE INDEX deletion_line_waiting ON laras.deletion_line (list_id, line) WHERE outcome IS NULL;
CREATE INDEX deletion_line_workspace ON laras.deletion_line (workspace_id);
COMMENT ON TABLE laras.deletion_line IS 'One line of a list: until it is worked off, the keyed hashes of its id.';
COMMENT ON COLUMN laras.deletion_line.list_id IS 'List.';
COMMENT ON COLUMN laras.deletion_line.line IS 'Its number in what was given.';
COMMENT ON COLUMN laras.deletion_line.workspace_id IS 'Workspace of the list; null: a provider''s.';
COMMENT ON COLUMN laras.deletion_line.channel IS 'On which channel; null: on any.';
COMMENT ON COLUMN laras.deletion_line.kinds IS 'Kinds of the hashes; null once it is worked off.';
COMMENT ON COLUMN laras.deletion_line.indexes IS 'Blind indexes of the id, or the hash of an authorizer; null once it is worked off.';
COMMENT ON COLUMN laras.deletion_line.outcome IS 'found, not_found or refused; null: it waits.';
COMMENT ON COLUMN laras.deletion_line.reason IS 'Why it was refused: no_kind, no_channel, no_id, bad_line or repeated.';
COMMENT ON COLUMN laras.deletion_line.subjects IS 'Contacts erased, or connections cut.';
ALTER TABLE laras.deletion_line ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.deletion_line FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.deletion_line TO laras_owner, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE, DELETE ON laras.deletion_line TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.deletion_list', '');
SELECT pg_catalog.pg_extension_config_dump('laras.deletion_line', '');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('deletion_list', 'id', 'audit', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'workspace_id', 'audit', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'channel', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'digest', 'audit', NULL, NULL, 'hash of a whole list of ids', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'state', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'requested_by', 'audit', NULL, NULL, 'random id of a member', 'none', 'none', 'anonymise', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'lines', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'found', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'not_found', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'refused', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'subjects', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'keys', 'audit', NULL, NULL, 'counts', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'report_digest', 'audit', NULL, NULL, 'hash of words and numbers', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'evidence_id', 'audit', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'received_at', 'audit', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_list', 'finished_at', 'audit', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'proof', NULL),
  ('deletion_line', 'list_id', 'audit', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'line', 'audit', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'workspace_id', 'audit', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'channel', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'kinds', 'audit', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'indexes', 'contact', NULL, NULL, 'keyed hash of an id, until the line is worked off', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'outcome', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'reason', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('deletion_line', 'subjects', 'audit', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);

CREATE FUNCTION laras.erase_listed(list text, format text DEFAULT 'csv', channel text DEFAULT NULL, kind text DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_erase_listed';
ALTER FUNCTION laras.erase_listed(text, text, text, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.erase_listed(text, text, text, text) IS
  'Takes a list of ids of persons, whom the keeper erases like request_erasure does, line by line: csv with a column value and perhaps channel and kind, or json, an array of such objects or of texts. channel and kind hold where a line names none; without channel, on every channel. Returns the id of the list (laras.deletion_lists). Needs scope erase. 22023 for another format, a word that is none or a list without value, 22P04, 22P02, 54000 for more than 50000 lines, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.erase_listed(text, text, text, text) TO laras_app, laras_service;

CREATE FUNCTION laras.import_deletion_list(channel text, user_ids text[]) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_import_deletion_list';
ALTER FUNCTION laras.import_deletion_list(text, text[]) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.import_deletion_list(text, text[]) IS
  'Takes a provider''s list of those who removed its app, by their ids in that app: the keeper does for each what a data-deletion callback does. Returns the id of the list (laras.provider_deletion_lists). In a transaction that is bound to nothing. 22023 for no such channel, 54000 for more than 50000 ids, LRT02, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.import_deletion_list(text, text[]) TO laras_dba;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.deletion_lists AS
  SELECT l.id, l.received_at, l.state, l.lines, l.found, l.not_found, l.refused, l.subjects AS contacts_erased, l.keys AS keys_destroyed, l.finished_at,
    CASE WHEN l.state = 'done' THEN jsonb_build_object('list', l.id::text, 'list_sha256', encode(l.digest, 'hex'), 'received_at', l.received_at, 'finished_at', l.finished_at,
      'lines', l.lines, 'found', l.found, 'not_found', l.not_found, 'refused', l.refused, 'contacts_erased', l.subjects, 'keys_destroyed', l.keys,
      'report_sha256', encode(l.report_digest, 'hex'), 'evidence', l.evidence_id::text) END AS certificate
  FROM laras.deletion_list l WHERE l.workspace_id = (SELECT laras.current_workspace()) AND laras.may('erase');
COMMENT ON VIEW laras.deletion_lists IS 'Lists of persons to erase, how far they are, and in the end what was done.';
COMMENT ON COLUMN laras.deletion_lists.id IS 'Id.';
COMMENT ON COLUMN laras.deletion_lists.received_at IS 'Receipt.';
COMMENT ON COLUMN laras.deletion_lists.state IS 'open, or done.';
COMMENT ON COLUMN laras.deletion_lists.lines IS 'How many it has.';
COMMENT ON COLUMN laras.deletion_lists.found IS 'Lines whose person was erased.';
COMMENT ON COLUMN laras.deletion_lists.not_found IS 'Lines of nobody we hold.';
COMMENT ON COLUMN laras.deletion_lists.refused IS 'Lines that were no id, or stood there before.';
COMMENT ON COLUMN laras.deletion_lists.contacts_erased IS 'Contacts erased; one line may be known as several.';
COMMENT ON COLUMN laras.deletion_lists.keys_destroyed IS 'Keys destroyed.';
COMMENT ON COLUMN laras.deletion_lists.finished_at IS 'When the last line had its outcome.';
COMMENT ON COLUMN laras.deletion_lists.certificate IS 'Once it is done: what was asked, by its digest, and what was done; the entry of evidence that the signed log holds. No id of anybody.';
GRANT SELECT ON laras.deletion_lists TO laras_app, laras_service;

CREATE VIEW laras.deletion_report AS
  SELECT n.list_id, n.line, coalesce(n.outcome, 'waiting') AS outcome, n.reason, n.subjects AS contacts_erased
  FROM laras.deletion_line n WHERE n.workspace_id = (SELECT laras.current_workspace()) AND laras.may('erase');
COMMENT ON VIEW laras.deletion_report IS 'What became of each line of a list.';
COMMENT ON COLUMN laras.deletion_report.list_id IS 'List.';
COMMENT ON COLUMN laras.deletion_report.line IS 'Number of the line in what was given: of csv with the header counted, of json the element.';
COMMENT ON COLUMN laras.deletion_report.outcome IS 'found, not_found, refused, or waiting.';
COMMENT ON COLUMN laras.deletion_report.reason IS 'Why it was refused: no_kind, no_channel, no_id, bad_line or repeated.';
COMMENT ON COLUMN laras.deletion_report.contacts_erased IS 'Contacts erased.';
GRANT SELECT ON laras.deletion_report TO laras_app, laras_service;

CREATE VIEW laras.provider_deletion_lists AS
  SELECT l.id, l.channel, l.received_at, l.state, l.lines, l.found, l.not_found, l.refused, l.subjects AS connections_cut, l.finished_at,
    CASE WHEN l.state = 'done' THEN jsonb_build_object('list', l.id::text, 'list_sha256', encode(l.digest, 'hex'), 'channel', l.channel, 'received_at', l.received_at,
      'finished_at', l.finished_at, 'lines', l.lines, 'found', l.found, 'not_found', l.not_found, 'refused', l.refused, 'connections_cut', l.subjects,
      'report_sha256', encode(l.report_digest, 'hex'), 'evidence', l.evidence_id::text) END AS certificate
  FROM laras.deletion_list l WHERE l.workspace_id IS NULL;
COMMENT ON VIEW laras.provider_deletion_lists IS 'Lists of providers, how far they are, and in the end what was done.';
COMMENT ON COLUMN laras.provider_deletion_lists.id IS 'Id.';
COMMENT ON COLUMN laras.provider_deletion_lists.channel IS 'Channel.';
COMMENT ON COLUMN laras.provider_deletion_lists.received_at IS 'Receipt.';
COMMENT ON COLUMN laras.provider_deletion_lists.state IS 'open, or done.';
COMMENT ON COLUMN laras.provider_deletion_lists.lines IS 'How many it has.';
COMMENT ON COLUMN laras.provider_deletion_lists.found IS 'Ids whose connections were cut.';
COMMENT ON COLUMN laras.provider_deletion_lists.not_found IS 'Ids of nobody we hold.';
COMMENT ON COLUMN laras.provider_deletion_lists.refused IS 'What was no id, or stood there before.';
COMMENT ON COLUMN laras.provider_deletion_lists.connections_cut IS 'Connections cut.';
COMMENT ON COLUMN laras.provider_deletion_lists.finished_at IS 'When the last one had its outcome.';
COMMENT ON COLUMN laras.provider_deletion_lists.certificate IS 'Once it is done: what was asked, by its digest, and what was done. No id of anybody.';
GRANT SELECT ON laras.provider_deletion_lists TO laras_dba, laras_auditor;

CREATE VIEW laras.provider_deletion_report AS
  SELECT n.list_id, n.line, coalesce(n.outcome, 'waiting') AS outcome, n.reason, n.subjects AS connections_cut
  FROM laras.deletion_line n WHERE n.workspace_id IS NULL;
COMMENT ON VIEW laras.provider_deletion_report IS 'What became of each id of a provider''s list.';
COMMENT ON COLUMN laras.provider_deletion_report.list_id IS 'List.';
COMMENT ON COLUMN laras.provider_deletion_report.line IS 'Which one, from 1.';
COMMENT ON COLUMN laras.provider_deletion_report.outcome IS 'found, not_found, refused, or waiting.';
COMMENT ON COLUMN laras.provider_deletion_report.reason IS 'Why it was refused: no_id or repeated.';
COMMENT ON COLUMN laras.provider_deletion_report.connections_cut IS 'Connections cut.';
GRANT SELECT ON laras.provider_deletion_report TO laras_dba, laras_auditor;
RESET ROLE;
