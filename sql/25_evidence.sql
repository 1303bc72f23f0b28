-- 25_evidence: what was done, by whom, on what; each workspace's tree over it; signed checkpoints.
-- Written by src/evidence alone. Nothing here holds a personal value (docs/reference/evidence-format.md).
SET LOCAL ROLE laras_owner;

CREATE TABLE laras.evidence_entry (
    workspace_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    at timestamptz NOT NULL,
    action smallint NOT NULL,
    actor_kind smallint NOT NULL,
    actor_id bigint NOT NULL,
    subject_kind smallint NOT NULL,
    subject_id bigint NOT NULL,
    workspace_slot bigint NOT NULL,
    fields bytea NOT NULL,
    leaf_hash bytea NOT NULL CHECK (pg_catalog.octet_length(leaf_hash) = 32),
    ordinal integer NOT NULL,
    txid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (workspace_id, entry_id)
);
-- The integrator's way in: what became visible between two snapshots.
CREATE INDEX evidence_entry_txid ON laras.evidence_entry (txid, ordinal);
COMMENT ON TABLE laras.evidence_entry IS
    'One act, written in the transaction that acted. Append-only: nobody holds UPDATE or DELETE, and what a superuser changes all the same is found by verify_evidence().';
COMMENT ON COLUMN laras.evidence_entry.workspace_id IS 'workspace; 0: the platform''s own log';
COMMENT ON COLUMN laras.evidence_entry.entry_id IS 'random id; part of the leaf';
COMMENT ON COLUMN laras.evidence_entry.at IS 'when, by the product''s clock';
COMMENT ON COLUMN laras.evidence_entry.action IS 'number of the act; its name is laras.evidence_action(action)';
COMMENT ON COLUMN laras.evidence_entry.actor_kind IS 'who acted: laras.evidence_actor(actor_kind)';
COMMENT ON COLUMN laras.evidence_entry.actor_id IS 'id of who acted, or 0';
COMMENT ON COLUMN laras.evidence_entry.subject_kind IS 'on what: laras.evidence_subject(subject_kind)';
COMMENT ON COLUMN laras.evidence_entry.subject_id IS 'id of what was acted on, or 0';
COMMENT ON COLUMN laras.evidence_entry.workspace_slot IS 'key slot of the workspace, 0 where no field is committed';
COMMENT ON COLUMN laras.evidence_entry.fields IS 'details as they stand in the leaf: commitments of personal values, codes and numbers in clear';
COMMENT ON COLUMN laras.evidence_entry.leaf_hash IS 'SHA-256(0x00 || leaf)';
COMMENT ON COLUMN laras.evidence_entry.ordinal IS 'position among the entries of its transaction; not part of the leaf';
COMMENT ON COLUMN laras.evidence_entry.txid IS 'transaction that wrote it; not part of the leaf';

CREATE TABLE laras.evidence_leaf (
    workspace_id bigint NOT NULL,
    leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
    entry_id bigint NOT NULL,
    leaf_hash bytea NOT NULL,
    nodes bytea NOT NULL,
    PRIMARY KEY (workspace_id, leaf_index),
    UNIQUE (workspace_id, entry_id)
);
COMMENT ON TABLE laras.evidence_leaf IS
    'The position of every entry in its workspace''s RFC 6962 tree, given by the keeper after the commit. Append-only.';
COMMENT ON COLUMN laras.evidence_leaf.workspace_id IS 'workspace; 0: the platform''s own log';
COMMENT ON COLUMN laras.evidence_leaf.leaf_index IS 'position, from 0, without a gap';
COMMENT ON COLUMN laras.evidence_leaf.entry_id IS 'the entry';
COMMENT ON COLUMN laras.evidence_leaf.leaf_hash IS 'its leaf hash';
COMMENT ON COLUMN laras.evidence_leaf.nodes IS 'hashes of the perfect subtrees that this leaf completes, smallest first, 32 bytes each';

CREATE TABLE laras.evidence_tree (
    workspace_id bigint NOT NULL,
    log_id uuid NOT NULL,
    origin text NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    signed_size bigint NOT NULL DEFAULT 0,
    mark bigint,
    refused text,
    PRIMARY KEY (workspace_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE laras.evidence_tree IS 'How far each workspace''s tree has grown and was signed.';
COMMENT ON COLUMN laras.evidence_tree.workspace_id IS 'workspace; 0: the platform''s own log';
COMMENT ON COLUMN laras.evidence_tree.log_id IS 'random name of the log';
COMMENT ON COLUMN laras.evidence_tree.origin IS 'first line of its checkpoints; never changes';
COMMENT ON COLUMN laras.evidence_tree.size IS 'leaves with a position';
COMMENT ON COLUMN laras.evidence_tree.signed_size IS 'leaves under the newest checkpoint';
COMMENT ON COLUMN laras.evidence_tree.mark IS 'number of its record in the high-water file: a hint, checked on use';
COMMENT ON COLUMN laras.evidence_tree.refused IS 'why the keeper does not sign it, or null';

CREATE TABLE laras.evidence_checkpoint (
    workspace_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    tree_size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    public_key bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, hour)
) WITH (fillfactor = 70);
COMMENT ON TABLE laras.evidence_checkpoint IS 'The newest signed checkpoint of every hour in which the tree grew.';
COMMENT ON COLUMN laras.evidence_checkpoint.workspace_id IS 'workspace; 0: the platform''s own log';
COMMENT ON COLUMN laras.evidence_checkpoint.hour IS 'hour by the real clock';
COMMENT ON COLUMN laras.evidence_checkpoint.tree_size IS 'leaves signed';
COMMENT ON COLUMN laras.evidence_checkpoint.root IS 'root of these leaves';
COMMENT ON COLUMN laras.evidence_checkpoint.note IS 'the checkpoint as a C2SP signed note';
COMMENT ON COLUMN laras.evidence_checkpoint.public_key IS 'Ed25519 public key that signed it';
COMMENT ON COLUMN laras.evidence_checkpoint.signed_at IS 'when, by the real clock';

CREATE TABLE laras.evidence_key (
    public_key bytea NOT NULL CHECK (pg_catalog.octet_length(public_key) = 32),
    first_used timestamptz NOT NULL,
    PRIMARY KEY (public_key)
);
COMMENT ON TABLE laras.evidence_key IS 'Public keys that have signed checkpoints here. Trust the .pub file or a copy of your own, not this table.';
COMMENT ON COLUMN laras.evidence_key.public_key IS 'Ed25519 public key, 32 bytes';
COMMENT ON COLUMN laras.evidence_key.first_used IS 'when it first signed, by the real clock';

CREATE TABLE laras.evidence_cursor (
    id smallint NOT NULL CHECK (id = 1),
    mode text NOT NULL CHECK (mode IN ('sweep', 'tail')),
    base pg_snapshot NOT NULL,
    target pg_snapshot,
    last_txid xid8 NOT NULL,
    last_ordinal integer NOT NULL,
    last_workspace bigint NOT NULL,
    last_entry bigint NOT NULL,
    system_identifier bigint NOT NULL,
    database_oid bigint NOT NULL,
    PRIMARY KEY (id)
) WITH (fillfactor = 50);
COMMENT ON TABLE laras.evidence_cursor IS
    'How far the keeper has given positions: everything visible in base has one. One row, made by the keeper; one that came from another cluster or database starts a sweep over all entries.';
COMMENT ON COLUMN laras.evidence_cursor.id IS '1';
COMMENT ON COLUMN laras.evidence_cursor.mode IS 'tail: what became visible since base; sweep: whatever has no position yet';
COMMENT ON COLUMN laras.evidence_cursor.base IS 'snapshot up to which all is done';
COMMENT ON COLUMN laras.evidence_cursor.target IS 'snapshot up to which the batch under way goes';
COMMENT ON COLUMN laras.evidence_cursor.last_txid IS 'last entry done in this batch: its transaction';
COMMENT ON COLUMN laras.evidence_cursor.last_ordinal IS 'and its place in that';
COMMENT ON COLUMN laras.evidence_cursor.last_workspace IS 'last entry done in a sweep: its workspace';
COMMENT ON COLUMN laras.evidence_cursor.last_entry IS 'and its id';
COMMENT ON COLUMN laras.evidence_cursor.system_identifier IS 'cluster whose transactions the snapshots name';
COMMENT ON COLUMN laras.evidence_cursor.database_oid IS 'and database';

-- Append-only even for the owner, whose functions write here.
REVOKE UPDATE, DELETE, TRUNCATE ON laras.evidence_entry, laras.evidence_leaf FROM laras_owner;

ALTER TABLE laras.evidence_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_entry FORCE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_leaf ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_leaf FORCE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_tree ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_tree FORCE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_checkpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_checkpoint FORCE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_key FORCE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_cursor ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.evidence_cursor FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON laras.evidence_entry TO laras_owner
    USING (workspace_id = (SELECT laras.current_workspace()))
    WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY tenant ON laras.evidence_leaf FOR SELECT TO laras_owner
    USING (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY tenant ON laras.evidence_tree FOR SELECT TO laras_owner
    USING (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY tenant ON laras.evidence_checkpoint FOR SELECT TO laras_owner
    USING (workspace_id = (SELECT laras.current_workspace()));

-- The platform's own log (workspace 0), to which nobody can be bound, is reached
-- this way too: C code binds the set and acts as laras_worker.
CREATE POLICY worker ON laras.evidence_entry TO laras_worker
    USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
CREATE POLICY worker ON laras.evidence_leaf TO laras_worker
    USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
CREATE POLICY worker ON laras.evidence_tree TO laras_worker
    USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
CREATE POLICY worker ON laras.evidence_checkpoint TO laras_worker
    USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));

CREATE POLICY worker ON laras.evidence_key TO laras_worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON laras.evidence_key FOR SELECT TO laras_owner USING (true);
CREATE POLICY worker ON laras.evidence_cursor TO laras_worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON laras.evidence_cursor FOR SELECT TO laras_owner USING (true);

GRANT SELECT, INSERT ON laras.evidence_entry, laras.evidence_leaf, laras.evidence_key TO laras_worker;
GRANT SELECT, INSERT, UPDATE ON laras.evidence_tree, laras.evidence_checkpoint, laras.evidence_cursor TO laras_worker;

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.evidence_entry
    FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.evidence_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.evidence_tree
    FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.evidence_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
RESET ROLE;

SELECT pg_catalog.pg_extension_config_dump('laras.evidence_entry', '');
SELECT pg_catalog.pg_extension_config_dump('laras.evidence_leaf', '');
SELECT pg_catalog.pg_extension_config_dump('laras.evidence_tree', '');
SELECT pg_catalog.pg_extension_config_dump('laras.evidence_checkpoint', '');
SELECT pg_catalog.pg_extension_config_dump('laras.evidence_key', '');
-- Snapshots of another cluster are of no use: the keeper makes the row itself, also in a database
-- into which a dump is being restored, and resume() lets it look through everything.
SELECT pg_catalog.pg_extension_config_dump('laras.evidence_cursor', 'WHERE false');

-- Reading. None of these runs SQL.
CREATE FUNCTION laras.evidence_action(action smallint) RETURNS text
    AS 'MODULE_PATHNAME', 'laras_evidence_action'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.evidence_action(smallint) IS 'Name of an act by its number: message.received, erasure.requested, ...';

CREATE FUNCTION laras.evidence_actor(kind smallint) RETURNS text
    AS 'MODULE_PATHNAME', 'laras_evidence_actor_kind'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.evidence_actor(smallint) IS 'Who acted, by number: member, key, service, worker, provider, customer, system, operator.';

CREATE FUNCTION laras.evidence_subject(kind smallint) RETURNS text
    AS 'MODULE_PATHNAME', 'laras_evidence_subject_kind'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.evidence_subject(smallint) IS 'On what, by number: message, contact, connection, ...';

CREATE FUNCTION laras.evidence_detail(fields bytea, workspace_slot bigint) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'laras_evidence_detail'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.evidence_detail(bytea, bigint) IS
    'Details of an entry: codes, numbers and times in clear; a committed one as its commitment, with redacted beside it once the key is destroyed.';

CREATE FUNCTION laras.evidence_redacted(fields bytea, workspace_slot bigint) RETURNS boolean
    AS 'MODULE_PATHNAME', 'laras_evidence_redacted'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.evidence_redacted(bytea, bigint) IS
    'True when the entry commits to something whose key is destroyed: its commitment can no longer be linked to any value.';

GRANT EXECUTE ON FUNCTION laras.evidence_action(smallint), laras.evidence_actor(smallint),
    laras.evidence_subject(smallint), laras.evidence_detail(bytea, bigint), laras.evidence_redacted(bytea, bigint)
    TO laras_owner, laras_app, laras_service, laras_dba, laras_auditor;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.evidence_log AS
    SELECT l.leaf_index AS "position", e.entry_id, e.at,
           laras.evidence_action(e.action) AS action,
           laras.evidence_actor(e.actor_kind) AS actor, e.actor_id,
           laras.evidence_subject(e.subject_kind) AS subject, e.subject_id,
           laras.evidence_detail(e.fields, e.workspace_slot) AS detail,
           laras.evidence_redacted(e.fields, e.workspace_slot) AS redacted,
           e.leaf_hash
      FROM laras.evidence_entry AS e
      LEFT JOIN laras.evidence_leaf AS l ON l.workspace_id = e.workspace_id AND l.entry_id = e.entry_id
     WHERE e.workspace_id = (SELECT laras.current_workspace());
COMMENT ON VIEW laras.evidence_log IS
    'What was done in the bound workspace. An entry has no position until the keeper has put it into the tree, at most seconds after its commit.';
COMMENT ON COLUMN laras.evidence_log."position" IS 'place in the tree, from 0';
COMMENT ON COLUMN laras.evidence_log.entry_id IS 'the entry';
COMMENT ON COLUMN laras.evidence_log.at IS 'when, by the product''s clock';
COMMENT ON COLUMN laras.evidence_log.action IS 'what was done';
COMMENT ON COLUMN laras.evidence_log.actor IS 'kind of who did it';
COMMENT ON COLUMN laras.evidence_log.actor_id IS 'and id, or 0';
COMMENT ON COLUMN laras.evidence_log.subject IS 'kind of what it was done to';
COMMENT ON COLUMN laras.evidence_log.subject_id IS 'and id, or 0';
COMMENT ON COLUMN laras.evidence_log.detail IS 'details';
COMMENT ON COLUMN laras.evidence_log.redacted IS 'something it commits to was erased';
COMMENT ON COLUMN laras.evidence_log.leaf_hash IS 'RFC 6962 leaf hash';
GRANT SELECT ON laras.evidence_log TO laras_app, laras_service, laras_dba, laras_auditor;

CREATE VIEW laras.evidence_status AS
    SELECT t.log_id, t.origin, t.size, t.signed_size, t.refused,
           (SELECT pg_catalog.count(*) FROM laras.evidence_cursor AS c, laras.evidence_entry AS e
             WHERE e.workspace_id = (SELECT laras.current_workspace())
               AND e.txid >= pg_catalog.pg_snapshot_xmin(c.base)
               AND NOT EXISTS (SELECT 1 FROM laras.evidence_leaf AS l
                                WHERE l.workspace_id = e.workspace_id AND l.entry_id = e.entry_id)) AS pending
      FROM laras.evidence_tree AS t
     WHERE t.workspace_id = (SELECT laras.current_workspace());
COMMENT ON VIEW laras.evidence_status IS 'The bound workspace''s log: how long, how far signed, and why not further.';
COMMENT ON COLUMN laras.evidence_status.log_id IS 'random name of the log';
COMMENT ON COLUMN laras.evidence_status.origin IS 'first line of its checkpoints';
COMMENT ON COLUMN laras.evidence_status.size IS 'entries with a position';
COMMENT ON COLUMN laras.evidence_status.signed_size IS 'entries under the newest checkpoint';
COMMENT ON COLUMN laras.evidence_status.refused IS 'why it is not signed, or null';
COMMENT ON COLUMN laras.evidence_status.pending IS 'entries still without a position';
GRANT SELECT ON laras.evidence_status TO laras_app, laras_service, laras_dba, laras_auditor;

CREATE VIEW laras.evidence_keys AS
    SELECT k.public_key, k.first_used FROM laras.evidence_key AS k;
COMMENT ON VIEW laras.evidence_keys IS 'Public keys that have signed checkpoints here.';
COMMENT ON COLUMN laras.evidence_keys.public_key IS 'Ed25519 public key, 32 bytes';
COMMENT ON COLUMN laras.evidence_keys.first_used IS 'when it first signed';
GRANT SELECT ON laras.evidence_keys TO laras_app, laras_service, laras_dba, laras_auditor;
RESET ROLE;

-- Definer: callers hold no right on the tables. Reads the bound workspace's rows alone.
CREATE FUNCTION laras.evidence_checkpoint() RETURNS text
    LANGUAGE SQL STABLE STRICT PARALLEL SAFE SECURITY DEFINER
BEGIN ATOMIC
    SELECT c.note FROM laras.evidence_checkpoint AS c
     WHERE c.workspace_id = (SELECT laras.current_workspace())
     ORDER BY c.tree_size DESC LIMIT 1;
END;
COMMENT ON FUNCTION laras.evidence_checkpoint() IS
    'The newest signed checkpoint of the bound workspace''s log, a C2SP signed note; null before the first.';
ALTER FUNCTION laras.evidence_checkpoint() OWNER TO laras_owner;
GRANT EXECUTE ON FUNCTION laras.evidence_checkpoint() TO laras_app, laras_service, laras_dba, laras_auditor;

-- Definer: callers hold no right on the tables. Reads the bound workspace's rows alone.
CREATE FUNCTION laras.verify_evidence(OUT "position" bigint, OUT problem text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'laras_verify_evidence'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER ROWS 10
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.verify_evidence() IS
    'Reads the bound workspace''s whole log and names every position that is not as it was written; no row when all is well. The position is null where a problem has none.';
ALTER FUNCTION laras.verify_evidence() OWNER TO laras_owner;
GRANT EXECUTE ON FUNCTION laras.verify_evidence() TO laras_app, laras_service, laras_dba, laras_auditor;

-- Definer: reads the platform's own log alone, which belongs to no workspace, as laras_worker.
CREATE FUNCTION laras.verify_platform_evidence(OUT "position" bigint, OUT problem text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'laras_verify_platform_evidence'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER ROWS 10
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.verify_platform_evidence() IS
    'The same for the platform''s own log: provider applications, keyring, operators'' settings.';
ALTER FUNCTION laras.verify_platform_evidence() OWNER TO laras_owner;
GRANT EXECUTE ON FUNCTION laras.verify_platform_evidence() TO laras_dba, laras_auditor;

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term)
SELECT c.table_name, c.column_name, 'evidence', NULL, NULL, c.personal, 'none', 'keep', 'keep', 'keep', 'keep',
       'proof of what was done, of the erasure too', '12 months'
  FROM (VALUES
    ('evidence_entry', 'workspace_id', 'random id'),
    ('evidence_entry', 'entry_id', 'random id'),
    ('evidence_entry', 'at', 'time'),
    ('evidence_entry', 'action', 'number from a table'),
    ('evidence_entry', 'actor_kind', 'number from a table'),
    ('evidence_entry', 'actor_id', 'random id; leads nowhere once the subject is erased'),
    ('evidence_entry', 'subject_kind', 'number from a table'),
    ('evidence_entry', 'subject_id', 'random id; leads nowhere once the subject is erased'),
    ('evidence_entry', 'workspace_slot', 'number of a key'),
    ('evidence_entry', 'fields', 'personal values only as commitments whose salt is derived from the subject''s key; codes and numbers are checked by class'),
    ('evidence_entry', 'leaf_hash', 'hash over the columns above'),
    ('evidence_entry', 'ordinal', 'counter'),
    ('evidence_entry', 'txid', 'transaction number'),
    ('evidence_leaf', 'workspace_id', 'random id'),
    ('evidence_leaf', 'leaf_index', 'counter'),
    ('evidence_leaf', 'entry_id', 'random id'),
    ('evidence_leaf', 'leaf_hash', 'hash over an entry'),
    ('evidence_leaf', 'nodes', 'hashes over hashes'),
    ('evidence_tree', 'workspace_id', 'random id'),
    ('evidence_tree', 'log_id', 'random id'),
    ('evidence_tree', 'origin', 'host name and random id'),
    ('evidence_tree', 'size', 'counter'),
    ('evidence_tree', 'signed_size', 'counter'),
    ('evidence_tree', 'mark', 'position in a file'),
    ('evidence_tree', 'refused', 'one of a few sentences'),
    ('evidence_checkpoint', 'workspace_id', 'random id'),
    ('evidence_checkpoint', 'hour', 'time'),
    ('evidence_checkpoint', 'tree_size', 'counter'),
    ('evidence_checkpoint', 'root', 'hash over hashes'),
    ('evidence_checkpoint', 'note', 'origin, counter, hash and signature'),
    ('evidence_checkpoint', 'public_key', 'public key of the installation'),
    ('evidence_checkpoint', 'signed_at', 'time')
  ) AS c (table_name, column_name, personal);
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term)
SELECT c.table_name, c.column_name, 'system', NULL, NULL, c.personal, 'none', 'none', 'none', 'none', 'keep',
       'belongs to the installation', NULL
  FROM (VALUES
    ('evidence_key', 'public_key', 'public key of the installation'),
    ('evidence_key', 'first_used', 'time'),
    ('evidence_cursor', 'id', 'constant'),
    ('evidence_cursor', 'mode', 'one of two words'),
    ('evidence_cursor', 'base', 'snapshot'),
    ('evidence_cursor', 'target', 'snapshot'),
    ('evidence_cursor', 'last_txid', 'transaction number'),
    ('evidence_cursor', 'last_ordinal', 'counter'),
    ('evidence_cursor', 'last_workspace', 'random id'),
    ('evidence_cursor', 'last_entry', 'random id'),
    ('evidence_cursor', 'system_identifier', 'number of the cluster'),
    ('evidence_cursor', 'database_oid', 'number of the database')
  ) AS c (table_name, column_name, personal);
