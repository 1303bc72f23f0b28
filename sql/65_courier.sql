-- 65_courier: the outbox and every other request to a provider.


-- Messages to hand to a provider. A row cannot exist without a passing verdict on exactly its text.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.outbox (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  message_id bigint NOT NULL,
  draft_id bigint,
  verdict_id bigint NOT NULL,
  text_digest bytea NOT NULL,
  verdict_outcome text NOT NULL DEFAULT 'pass' CHECK (verdict_outcome = 'pass'),
  approved_by text NOT NULL,
  kind text NOT NULL DEFAULT 'text'
    CHECK (kind IN ('text', 'template')),
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'sending', 'sent', 'refused', 'uncertain', 'parked', 'cancelled')),
  priority smallint NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT laras.now(),
  attempt_id bigint,
  attempts integer NOT NULL DEFAULT 0,
  incarnation bigint,
  reason text,
  error_code integer,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, message_id),
  FOREIGN KEY (workspace_id, verdict_id, message_id, text_digest, verdict_outcome)
    REFERENCES laras.verdict (workspace_id, id, message_id, text_digest, outcome),
  FOREIGN KEY (workspace_id, message_id) REFERENCES laras.message (workspace_id, id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
CREATE INDEX outbox_lane ON laras.outbox (workspace_id, connection_id, priority, not_before, id) WHERE state = 'queued';
CREATE INDEX outbox_sending ON laras.outbox (incarnation) WHERE state = 'sending';
CREATE INDEX outbox_connection ON laras.outbox (workspace_id, connection_id) WHERE state IN ('queued', 'parked');
CREATE INDEX outbox_contact ON laras.outbox (workspace_id, contact_id);
COMMENT ON TABLE laras.outbox IS 'Messages to hand to a provider. A row cannot exist without a passing verdict on exactly its text.';
COMMENT ON COLUMN laras.outbox.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.outbox.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.outbox.connection_id IS 'Connection to send through.';
COMMENT ON COLUMN laras.outbox.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.outbox.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.outbox.message_id IS 'The message; its body is what is sent.';
COMMENT ON COLUMN laras.outbox.draft_id IS 'Draft it came from.';
COMMENT ON COLUMN laras.outbox.verdict_id IS 'Verdict.';
COMMENT ON COLUMN laras.outbox.text_digest IS 'Digest the verdict is bound to.';
COMMENT ON COLUMN laras.outbox.verdict_outcome IS 'Always pass: the foreign key below demands it.';
COMMENT ON COLUMN laras.outbox.approved_by IS 'auto, or principal (kind and random id).';
COMMENT ON COLUMN laras.outbox.kind IS 'What is sent.';
COMMENT ON COLUMN laras.outbox.state IS 'queued; sending from the commit before its request to its record; parked until its connection works again; the others are ends.';
COMMENT ON COLUMN laras.outbox.priority IS 'Lower first: replies before bulk.';
COMMENT ON COLUMN laras.outbox.not_before IS 'Earliest hand-off.';
COMMENT ON COLUMN laras.outbox.attempt_id IS 'Current or last attempt.';
COMMENT ON COLUMN laras.outbox.attempts IS 'Attempts so far.';
COMMENT ON COLUMN laras.outbox.incarnation IS 'Run of the courier that took it; what an earlier run left sending is uncertain.';
COMMENT ON COLUMN laras.outbox.reason IS 'Why it was refused, parked or cancelled (window_closed, opted_out, no_verdict, disconnected, provider_<code>).';
COMMENT ON COLUMN laras.outbox.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.outbox.created_at IS 'When it was queued.';
COMMENT ON COLUMN laras.outbox.finished_at IS 'When it ended.';
ALTER TABLE laras.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.outbox TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.outbox TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.outbox TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.outbox', '');

-- One try to hand a message to a provider, with its one end.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.send_attempt (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  outbox_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  outcome text NOT NULL DEFAULT 'sending'
    CHECK (outcome IN ('sending', 'sent', 'refused', 'retry', 'uncertain', 'not_sent')),
  http_status integer,
  error_code integer,
  error_subcode integer,
  curl_code integer,
  started_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  resolved_by text
    CHECK (resolved_by IN ('answer', 'status', 'echo', 'member', 'timeout', 'restart')),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, outbox_id) REFERENCES laras.outbox (workspace_id, id)
) WITH (fillfactor = 50); -- each row is written twice; its end fits beside its beginning
CREATE INDEX send_attempt_outbox ON laras.send_attempt (workspace_id, outbox_id);
CREATE INDEX send_attempt_contact ON laras.send_attempt (workspace_id, contact_id);
COMMENT ON TABLE laras.send_attempt IS 'One try to hand a message to a provider, with its one end.';
COMMENT ON COLUMN laras.send_attempt.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.send_attempt.id IS 'Attempt id; its MAC travels in biz_opaque_callback_data.';
COMMENT ON COLUMN laras.send_attempt.outbox_id IS 'Outbox row.';
COMMENT ON COLUMN laras.send_attempt.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.send_attempt.outcome IS 'End of the attempt.';
COMMENT ON COLUMN laras.send_attempt.http_status IS 'HTTP status.';
COMMENT ON COLUMN laras.send_attempt.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.send_attempt.error_subcode IS 'Its subcode.';
COMMENT ON COLUMN laras.send_attempt.curl_code IS 'libcurl result.';
COMMENT ON COLUMN laras.send_attempt.started_at IS 'Hand-off.';
COMMENT ON COLUMN laras.send_attempt.finished_at IS 'Answer or timeout.';
COMMENT ON COLUMN laras.send_attempt.resolved_by IS 'What settled it.';
ALTER TABLE laras.send_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.send_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.send_attempt TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.send_attempt TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.send_attempt TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.send_attempt', '');

-- Every request to a provider other than a send: what, when, to which host, with what result. Never a path, token or id.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.outbound_call (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  connection_id bigint,
  task_id bigint,
  purpose text NOT NULL,
  host text NOT NULL,
  http_status integer,
  error_code integer,
  curl_code integer,
  started_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX outbound_call_connection ON laras.outbound_call (workspace_id, connection_id);
COMMENT ON TABLE laras.outbound_call IS 'Every request to a provider other than a send: what, when, to which host, with what result. Never a path, token or id.';
COMMENT ON COLUMN laras.outbound_call.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.outbound_call.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.outbound_call.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.outbound_call.task_id IS 'Task it belonged to.';
COMMENT ON COLUMN laras.outbound_call.purpose IS 'exchange_code, debug_token, read_number, subscribe, register, unsubscribe, revoke, ...';
COMMENT ON COLUMN laras.outbound_call.host IS 'Host spoken to.';
COMMENT ON COLUMN laras.outbound_call.http_status IS 'HTTP status.';
COMMENT ON COLUMN laras.outbound_call.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.outbound_call.curl_code IS 'libcurl result.';
COMMENT ON COLUMN laras.outbound_call.started_at IS 'Start.';
COMMENT ON COLUMN laras.outbound_call.finished_at IS 'End.';
ALTER TABLE laras.outbound_call ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.outbound_call FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.outbound_call TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.outbound_call TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.outbound_call TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.outbound_call', '');

-- Work with a provider that is not a message: code exchange, pairing, revocation. Steps run in the courier; nothing of a token is stored between them.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.courier_task (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  kind text NOT NULL,
  connection_id bigint,
  attempt_id bigint,
  request laras.sealed,
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'claimed', 'done', 'failed', 'cancelled')),
  http_status integer,
  result text,
  ticket_hash bytea CHECK (octet_length(ticket_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  run_after timestamptz NOT NULL DEFAULT laras.now(),
  lease_until timestamptz,
  incarnation bigint,
  attempts integer NOT NULL DEFAULT 0,
  finished_at timestamptz,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX courier_task_ready ON laras.courier_task (run_after) WHERE state IN ('queued', 'claimed');
CREATE UNIQUE INDEX courier_task_ticket ON laras.courier_task (workspace_id, ticket_hash) WHERE ticket_hash IS NOT NULL;
CREATE INDEX courier_task_connection ON laras.courier_task (workspace_id, connection_id);
COMMENT ON TABLE laras.courier_task IS 'Work with a provider that is not a message: code exchange, pairing, revocation. Steps run in the courier; nothing of a token is stored between them.';
COMMENT ON COLUMN laras.courier_task.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.courier_task.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.courier_task.kind IS 'Name of the task kind (src/courier/task.h).';
COMMENT ON COLUMN laras.courier_task.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.courier_task.attempt_id IS 'Connect attempt.';
COMMENT ON COLUMN laras.courier_task.request IS 'Input, sealed for the courier alone under (workspace, workspace); removed when the task ends.';
COMMENT ON COLUMN laras.courier_task.state IS 'State.';
COMMENT ON COLUMN laras.courier_task.http_status IS 'Status http_continue will answer with.';
COMMENT ON COLUMN laras.courier_task.result IS 'Machine-readable result.';
COMMENT ON COLUMN laras.courier_task.ticket_hash IS 'SHA-256 of the ticket the relay holds.';
COMMENT ON COLUMN laras.courier_task.created_at IS 'When it was queued.';
COMMENT ON COLUMN laras.courier_task.run_after IS 'Earliest start.';
COMMENT ON COLUMN laras.courier_task.lease_until IS 'A claim is void after this.';
COMMENT ON COLUMN laras.courier_task.incarnation IS 'Run of the courier that claimed it.';
COMMENT ON COLUMN laras.courier_task.attempts IS 'Attempts.';
COMMENT ON COLUMN laras.courier_task.finished_at IS 'End.';
ALTER TABLE laras.courier_task ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.courier_task FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.courier_task TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.courier_task TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.courier_task TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.courier_task', '');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('outbox', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'id', 'message', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'connection_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'keep', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'conversation_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'draft_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'verdict_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'text_digest', 'message', NULL, NULL, 'commitment, unlinkable once the key is destroyed', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'verdict_outcome', 'message', NULL, NULL, 'a fixed word', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'approved_by', 'message', NULL, NULL, 'random id of a member', 'none', 'delete', 'anonymise', 'none', 'delete', NULL, NULL),
  ('outbox', 'kind', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'state', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'priority', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'not_before', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'attempt_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'attempts', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'incarnation', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'reason', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'error_code', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'finished_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'id', 'delivery_log', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'outbox_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'contact_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'outcome', 'delivery_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'http_status', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'error_code', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'error_subcode', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'curl_code', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'started_at', 'delivery_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'finished_at', 'delivery_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'resolved_by', 'delivery_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'id', 'delivery_log', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'connection_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'keep', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'task_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'purpose', 'delivery_log', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'host', 'delivery_log', NULL, NULL, 'host name of a provider', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'http_status', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'error_code', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'curl_code', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'started_at', 'delivery_log', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('outbound_call', 'finished_at', 'delivery_log', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'kind', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'connection_id', 'account_reference', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'attempt_id', 'account_reference', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'request', 'account_reference', 22, 'workspace', NULL, 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'state', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'http_status', 'account_reference', NULL, NULL, 'a number without a person in it', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'result', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'ticket_hash', 'account_reference', NULL, NULL, 'hash of random bytes', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'created_at', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'run_after', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'lease_until', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'incarnation', 'account_reference', NULL, NULL, 'a number without a person in it', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'attempts', 'account_reference', NULL, NULL, 'a number without a person in it', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('courier_task', 'finished_at', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL);

-- A person's own reply: here and not in 60, since it needs the outbox.
CREATE FUNCTION laras.reply(conversation_id bigint, body text, options jsonb DEFAULT '{}') RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_reply';
ALTER FUNCTION laras.reply(bigint, text, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.reply(bigint, text, jsonb) IS
  'Judges a person''s reply, stores it and queues it for the courier; returns the id of the message. Window and opt-out are decided at hand-off and shown as the message''s status and a notice. options is for later. Needs scope inbox. P0002 for no such conversation, 22023 for a text that is empty or blocked, 55000 when the channel was disconnected, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.reply(bigint, text, jsonb) TO laras_app, laras_service;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.stat_courier AS
  SELECT o.connection_id,
    pg_catalog.count(*) FILTER (WHERE o.state = 'queued') AS queued,
    pg_catalog.count(*) FILTER (WHERE o.state = 'sending') AS sending,
    pg_catalog.count(*) FILTER (WHERE o.state = 'uncertain') AS uncertain,
    pg_catalog.count(*) FILTER (WHERE o.state = 'parked') AS parked,
    pg_catalog.count(*) FILTER (WHERE o.state = 'sent') AS sent,
    pg_catalog.count(*) FILTER (WHERE o.state = 'refused') AS refused,
    pg_catalog.count(*) FILTER (WHERE o.state = 'cancelled') AS cancelled,
    laras.now() - pg_catalog.min(o.created_at) FILTER (WHERE o.state IN ('queued', 'sending')) AS oldest_age,
    pg_catalog.max(o.finished_at) FILTER (WHERE o.state = 'sent') AS last_sent_at
    FROM laras.outbox o WHERE laras.may('inbox') GROUP BY o.connection_id;
COMMENT ON VIEW laras.stat_courier IS 'What leaves through each connection of the bound workspace: how much waits, since when, and what became of the rest.';
COMMENT ON COLUMN laras.stat_courier.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.stat_courier.queued IS 'Messages that wait for the courier or for their time.';
COMMENT ON COLUMN laras.stat_courier.sending IS 'Claimed by the courier: their requests are under way or about to begin.';
COMMENT ON COLUMN laras.stat_courier.uncertain IS 'Whose answer was lost; settled by the provider''s status.';
COMMENT ON COLUMN laras.stat_courier.parked IS 'That wait for the connection to be made good again.';
COMMENT ON COLUMN laras.stat_courier.sent IS 'Taken by the provider.';
COMMENT ON COLUMN laras.stat_courier.refused IS 'That did not leave, or that the provider refused.';
COMMENT ON COLUMN laras.stat_courier.cancelled IS 'Withdrawn before they left.';
COMMENT ON COLUMN laras.stat_courier.oldest_age IS 'How long the oldest message waits that has not ended; null when none waits.';
COMMENT ON COLUMN laras.stat_courier.last_sent_at IS 'When the provider last took one.';
GRANT SELECT ON laras.stat_courier TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.set_send_rate(connection_id bigint, per_second integer) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_send_rate';
ALTER FUNCTION laras.set_send_rate(bigint, integer) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_send_rate(bigint, integer) IS
  'How many messages may leave within a second through a connection that the provider allows more, or less, than others of its channel: 1 to 100000, or 0 for what laras.limit_rules says. Holds from the next message on. Needs scope connect. P0002 for no such connection, 55000 when it was disconnected, 22023 for another number. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_send_rate(bigint, integer) TO laras_app, laras_service;
