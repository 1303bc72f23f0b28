-- 40_intake: webhooks as received, the cursor over them, what was set aside.


-- Raw events as received, one row a workspace and piece of a body; append-only, consumed by cursor, a ring of partitions by day.
-- No foreign keys: the workspace is one that a route named, workspaces are never deleted, and a look at each would cost a tenth of what storing costs.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.webhook_event (
  ring_day smallint NOT NULL,
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  txid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  channel text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT laras.now(),
  digest bytea NOT NULL CHECK (octet_length(digest) = 16),
  body laras.sealed NOT NULL,
  PRIMARY KEY (ring_day, workspace_id, digest)
) PARTITION BY LIST (ring_day);
CREATE INDEX webhook_event_order ON laras.webhook_event (txid, id);
COMMENT ON TABLE laras.webhook_event IS 'Raw events as received, one row a workspace and piece of a body; append-only, consumed by cursor, a ring of partitions by day.';
COMMENT ON COLUMN laras.webhook_event.ring_day IS 'Day number modulo the ring (8).';
COMMENT ON COLUMN laras.webhook_event.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.webhook_event.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.webhook_event.connection_id IS 'Connection the piece was routed to.';
COMMENT ON COLUMN laras.webhook_event.txid IS 'Transaction that stored it: the cursor reads between snapshots.';
COMMENT ON COLUMN laras.webhook_event.channel IS 'Channel.';
COMMENT ON COLUMN laras.webhook_event.received_at IS 'When it was received.';
COMMENT ON COLUMN laras.webhook_event.digest IS 'Keyed digest of the piece: same-day repeats are dropped.';
COMMENT ON COLUMN laras.webhook_event.body IS 'The piece, sealed under (workspace, hour slot).';
ALTER TABLE laras.webhook_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.webhook_event TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
CREATE POLICY receive ON laras.webhook_event FOR INSERT TO laras_intake WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.webhook_event TO laras_worker;
GRANT INSERT ON laras.webhook_event TO laras_intake;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event', '');

-- How far the intake worker has read, as two snapshots.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.event_cursor (
  name text PRIMARY KEY,
  position pg_snapshot NOT NULL,
  target pg_snapshot,
  last_txid xid8,
  last_id bigint,
  events bigint NOT NULL DEFAULT 0,
  moved_at timestamptz NOT NULL DEFAULT laras.now()
);
COMMENT ON TABLE laras.event_cursor IS 'How far the intake worker has read, as two snapshots.';
COMMENT ON COLUMN laras.event_cursor.name IS 'Name of the cursor.';
COMMENT ON COLUMN laras.event_cursor.position IS 'Snapshot up to which every event was applied.';
COMMENT ON COLUMN laras.event_cursor.target IS 'Snapshot up to which the batch at hand reads; null between batches.';
COMMENT ON COLUMN laras.event_cursor.last_txid IS 'Last event of the batch at hand that was applied: its transaction.';
COMMENT ON COLUMN laras.event_cursor.last_id IS 'Last event of the batch at hand that was applied: its id.';
COMMENT ON COLUMN laras.event_cursor.events IS 'Events applied so far.';
COMMENT ON COLUMN laras.event_cursor.moved_at IS 'Last move.';
ALTER TABLE laras.event_cursor ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.event_cursor FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON laras.event_cursor TO laras_owner, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON laras.event_cursor TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.event_cursor', '');

-- A piece that could not be applied, with its error; can be replayed. Sealed under (workspace, week slot), 30 days.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.quarantined_event (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  channel text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT laras.now(),
  quarantined_at timestamptz NOT NULL DEFAULT laras.now(),
  sqlstate text NOT NULL,
  reason text NOT NULL,
  body laras.sealed NOT NULL,
  replayed_at timestamptz,
  PRIMARY KEY (workspace_id, id)
);
COMMENT ON TABLE laras.quarantined_event IS 'A piece that could not be applied, with its error; can be replayed. Sealed under (workspace, week slot), 30 days.';
COMMENT ON COLUMN laras.quarantined_event.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.quarantined_event.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.quarantined_event.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.quarantined_event.channel IS 'Channel.';
COMMENT ON COLUMN laras.quarantined_event.received_at IS 'When the event was received.';
COMMENT ON COLUMN laras.quarantined_event.quarantined_at IS 'When it was set aside.';
COMMENT ON COLUMN laras.quarantined_event.sqlstate IS 'SQLSTATE of the error.';
COMMENT ON COLUMN laras.quarantined_event.reason IS 'Machine-readable reason, never a quotation of the body.';
COMMENT ON COLUMN laras.quarantined_event.body IS 'The piece.';
COMMENT ON COLUMN laras.quarantined_event.replayed_at IS 'When it was replayed.';
ALTER TABLE laras.quarantined_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.quarantined_event FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.quarantined_event TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.quarantined_event TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.quarantined_event TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.quarantined_event', '');

-- A body under a right signature that names no workspace (invalid JSON): for laras_dba alone, 7 days, sealed under (platform, week slot).
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.quarantined_body (
  id bigint PRIMARY KEY,
  channel text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT laras.now(),
  reason text NOT NULL,
  body laras.sealed NOT NULL
);
COMMENT ON TABLE laras.quarantined_body IS 'A body under a right signature that names no workspace (invalid JSON): for laras_dba alone, 7 days, sealed under (platform, week slot).';
COMMENT ON COLUMN laras.quarantined_body.id IS 'Random id.';
COMMENT ON COLUMN laras.quarantined_body.channel IS 'Channel.';
COMMENT ON COLUMN laras.quarantined_body.received_at IS 'When it was received.';
COMMENT ON COLUMN laras.quarantined_body.reason IS 'Machine-readable reason.';
COMMENT ON COLUMN laras.quarantined_body.body IS 'The body.';
ALTER TABLE laras.quarantined_body ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.quarantined_body FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.quarantined_body TO laras_owner, laras_worker, laras_intake USING (true) WITH CHECK (true);
CREATE POLICY dba ON laras.quarantined_body FOR SELECT TO laras_dba USING (true);
GRANT SELECT ON laras.quarantined_body TO laras_dba;
GRANT SELECT, INSERT, DELETE ON laras.quarantined_body TO laras_worker;
GRANT INSERT ON laras.quarantined_body TO laras_intake;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.quarantined_body', '');

-- Events acknowledged and dropped: day, channel, reason, count and nothing else.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.ignored_event (
  day date NOT NULL,
  channel text NOT NULL,
  reason text NOT NULL,
  bucket smallint NOT NULL DEFAULT 0,
  count bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (day, channel, reason, bucket)
);
COMMENT ON TABLE laras.ignored_event IS 'Events acknowledged and dropped: day, channel, reason, count and nothing else.';
COMMENT ON COLUMN laras.ignored_event.day IS 'Day.';
COMMENT ON COLUMN laras.ignored_event.channel IS 'Channel.';
COMMENT ON COLUMN laras.ignored_event.reason IS 'unknown_account, disconnected, foreign_app, bad_signature, duplicate, unknown_object, ...';
COMMENT ON COLUMN laras.ignored_event.bucket IS 'Spreads concurrent counters over rows.';
COMMENT ON COLUMN laras.ignored_event.count IS 'How many.';
ALTER TABLE laras.ignored_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.ignored_event FORCE ROW LEVEL SECURITY;
CREATE POLICY counters ON laras.ignored_event TO laras_owner, laras_intake, laras_worker, laras_dba USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON laras.ignored_event TO laras_intake, laras_worker;
GRANT SELECT ON laras.ignored_event TO laras_dba;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.ignored_event', '');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('webhook_event', 'ring_day', 'raw_event', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'id', 'raw_event', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'connection_id', 'raw_event', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'txid', 'raw_event', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'channel', 'raw_event', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'received_at', 'raw_event', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'digest', 'raw_event', NULL, NULL, 'keyed hash of a signed body, purged with the ring', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('webhook_event', 'body', 'raw_event', 8, 'hour', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('event_cursor', 'name', 'system', NULL, NULL, 'a fixed name', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('event_cursor', 'position', 'system', NULL, NULL, 'transaction numbers', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('event_cursor', 'target', 'system', NULL, NULL, 'transaction numbers', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('event_cursor', 'last_txid', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('event_cursor', 'last_id', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('event_cursor', 'events', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('event_cursor', 'moved_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('quarantined_event', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'id', 'raw_event', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'connection_id', 'raw_event', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'channel', 'raw_event', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'received_at', 'raw_event', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'quarantined_at', 'raw_event', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'sqlstate', 'raw_event', NULL, NULL, 'an error code', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'reason', 'raw_event', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'body', 'raw_event', 9, 'week', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_event', 'replayed_at', 'raw_event', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('quarantined_body', 'id', 'raw_event', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('quarantined_body', 'channel', 'raw_event', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('quarantined_body', 'received_at', 'raw_event', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('quarantined_body', 'reason', 'raw_event', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('quarantined_body', 'body', 'raw_event', 16, 'week', NULL, 'none', 'none', 'none', 'none', 'keep', 'operations', '7 days'),
  ('ignored_event', 'day', 'statistics', NULL, NULL, 'a date', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ignored_event', 'channel', 'statistics', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ignored_event', 'reason', 'statistics', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ignored_event', 'bucket', 'statistics', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ignored_event', 'count', 'statistics', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL);

-- The ring: ten days, made here once; workers never run DDL but TRUNCATE. Row security on
-- each partition too, for whoever names one directly.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.webhook_event_0 PARTITION OF laras.webhook_event FOR VALUES IN (0);
COMMENT ON TABLE laras.webhook_event_0 IS 'Raw events of ring day 0.';
ALTER TABLE laras.webhook_event_0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_0 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_0 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_0 TO laras_worker;
CREATE TABLE laras.webhook_event_1 PARTITION OF laras.webhook_event FOR VALUES IN (1);
COMMENT ON TABLE laras.webhook_event_1 IS 'Raw events of ring day 1.';
ALTER TABLE laras.webhook_event_1 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_1 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_1 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_1 TO laras_worker;
CREATE TABLE laras.webhook_event_2 PARTITION OF laras.webhook_event FOR VALUES IN (2);
COMMENT ON TABLE laras.webhook_event_2 IS 'Raw events of ring day 2.';
ALTER TABLE laras.webhook_event_2 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_2 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_2 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_2 TO laras_worker;
CREATE TABLE laras.webhook_event_3 PARTITION OF laras.webhook_event FOR VALUES IN (3);
COMMENT ON TABLE laras.webhook_event_3 IS 'Raw events of ring day 3.';
ALTER TABLE laras.webhook_event_3 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_3 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_3 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_3 TO laras_worker;
CREATE TABLE laras.webhook_event_4 PARTITION OF laras.webhook_event FOR VALUES IN (4);
COMMENT ON TABLE laras.webhook_event_4 IS 'Raw events of ring day 4.';
ALTER TABLE laras.webhook_event_4 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_4 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_4 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_4 TO laras_worker;
CREATE TABLE laras.webhook_event_5 PARTITION OF laras.webhook_event FOR VALUES IN (5);
COMMENT ON TABLE laras.webhook_event_5 IS 'Raw events of ring day 5.';
ALTER TABLE laras.webhook_event_5 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_5 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_5 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_5 TO laras_worker;
CREATE TABLE laras.webhook_event_6 PARTITION OF laras.webhook_event FOR VALUES IN (6);
COMMENT ON TABLE laras.webhook_event_6 IS 'Raw events of ring day 6.';
ALTER TABLE laras.webhook_event_6 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_6 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_6 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_6 TO laras_worker;
CREATE TABLE laras.webhook_event_7 PARTITION OF laras.webhook_event FOR VALUES IN (7);
COMMENT ON TABLE laras.webhook_event_7 IS 'Raw events of ring day 7.';
ALTER TABLE laras.webhook_event_7 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_7 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_7 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_7 TO laras_worker;
CREATE TABLE laras.webhook_event_8 PARTITION OF laras.webhook_event FOR VALUES IN (8);
COMMENT ON TABLE laras.webhook_event_8 IS 'Raw events of ring day 8.';
ALTER TABLE laras.webhook_event_8 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_8 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_8 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_8 TO laras_worker;
CREATE TABLE laras.webhook_event_9 PARTITION OF laras.webhook_event FOR VALUES IN (9);
COMMENT ON TABLE laras.webhook_event_9 IS 'Raw events of ring day 9.';
ALTER TABLE laras.webhook_event_9 ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.webhook_event_9 FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.webhook_event_9 TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
GRANT TRUNCATE ON laras.webhook_event_9 TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_0', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_1', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_2', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_3', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_4', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_5', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_6', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_7', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_8', '');
SELECT pg_catalog.pg_extension_config_dump('laras.webhook_event_9', '');

CREATE FUNCTION laras.receive_webhooks(channel text[], signature text[], body bytea[],
    OUT ordinal integer, OUT status integer)
  RETURNS SETOF record
  LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER ROWS 100
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_receive_webhooks';
ALTER FUNCTION laras.receive_webhooks(text[], text[], bytea[]) OWNER TO laras_intake;
COMMENT ON FUNCTION laras.receive_webhooks(text[], text[], bytea[]) IS
  'Takes many webhook bodies in one commit; channel is the path after /api/webhooks/, signature the value of X-Hub-Signature-256. Answers the HTTP status of each: 200, 401 (signature; nothing is stored), 404 (no such path), 413 (over 4 MB), 503 (the vault is shut). Definer: writes events of workspaces that it alone determines. 2202E when the arrays differ in length, 54000 beyond 1,024 bodies.';
GRANT EXECUTE ON FUNCTION laras.receive_webhooks(text[], text[], bytea[]) TO laras_relay, laras_service;

CREATE FUNCTION laras.replay_quarantined(id bigint) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_replay_quarantined';
ALTER FUNCTION laras.replay_quarantined(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.replay_quarantined(bigint) IS
  'Stores a quarantined event of the bound workspace again, to be applied like any other; what was applied of it before changes nothing. Returns the id of the new event. Needs scope admin. P0002 no such event, 55000 replayed already or past its term. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.replay_quarantined(bigint) TO laras_app, laras_service;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.quarantine AS
  SELECT q.id, q.channel, q.connection_id, q.received_at, q.quarantined_at, q.sqlstate, q.reason, q.replayed_at
    FROM laras.quarantined_event q;
COMMENT ON VIEW laras.quarantine IS 'Events of the bound workspace that could not be applied; replay_quarantined(id) tries again.';
COMMENT ON COLUMN laras.quarantine.id IS 'Id for replay_quarantined().';
COMMENT ON COLUMN laras.quarantine.channel IS 'Channel.';
COMMENT ON COLUMN laras.quarantine.connection_id IS 'Connection it came through.';
COMMENT ON COLUMN laras.quarantine.received_at IS 'When it was received.';
COMMENT ON COLUMN laras.quarantine.quarantined_at IS 'When it was set aside.';
COMMENT ON COLUMN laras.quarantine.sqlstate IS 'Error it raised; 00000 when it was read but holds what laras does not know.';
COMMENT ON COLUMN laras.quarantine.reason IS 'Why, in a word.';
COMMENT ON COLUMN laras.quarantine.replayed_at IS 'When it was replayed.';
GRANT SELECT ON laras.quarantine TO laras_app, laras_service;

CREATE VIEW laras.ignored_events AS
  SELECT e.day, e.channel, e.reason, pg_catalog.sum(e.count)::bigint AS count
    FROM laras.ignored_event e GROUP BY e.day, e.channel, e.reason;
COMMENT ON VIEW laras.ignored_events IS 'What was acknowledged and dropped, by day, channel and reason.';
COMMENT ON COLUMN laras.ignored_events.day IS 'Day.';
COMMENT ON COLUMN laras.ignored_events.channel IS 'Channel.';
COMMENT ON COLUMN laras.ignored_events.reason IS 'unknown_account, foreign_app, foreign_account, disconnected, erased, no_account, key_destroyed, unreadable; bad_signature: no secret of an app of the channel signs it (refused with 401; a wrong app secret looks like that, and so does whoever tries); wrong_mark: a status with callback data that laras did not make; id_twice: one that gives a message the id of another one, which it does not get; unknown_message: one that named no message of laras for seven days (stat_courier.unmatched), counted on the day on which it is dropped.';
COMMENT ON COLUMN laras.ignored_events.count IS 'How many.';
GRANT SELECT ON laras.ignored_events TO laras_dba, laras_service;

CREATE VIEW laras.stat_intake AS
  SELECT c.events AS applied, c.moved_at, c.target IS NOT NULL AS in_batch
    FROM laras.event_cursor c WHERE c.name = 'intake';
COMMENT ON VIEW laras.stat_intake IS 'How far the intake worker is.';
COMMENT ON COLUMN laras.stat_intake.applied IS 'Events applied since the database was made.';
COMMENT ON COLUMN laras.stat_intake.moved_at IS 'When the cursor last moved.';
COMMENT ON COLUMN laras.stat_intake.in_batch IS 'Is a batch under way.';
GRANT SELECT ON laras.stat_intake TO laras_dba;

RESET ROLE;
