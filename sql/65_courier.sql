-- 65_courier: the outbox and every other request to a provider.


-- Messages to hand to a provider. A row cannot exist without a passing verdict on exactly its text, for its purpose.
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
    CHECK (kind IN ('text', 'template', 'comment', 'private_reply', 'media')),
  purpose text NOT NULL CHECK (purpose IN ('service', 'sales')),
  target_id bigint,
  template_id bigint CHECK ((template_id IS NOT NULL) = (kind = 'template')),
  media_id bigint CHECK ((media_id IS NOT NULL) = (kind = 'media')),
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'sending', 'sent', 'refused', 'uncertain', 'parked', 'cancelled')),
  priority smallint NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT laras.now(),
  attempt_id bigint,
  attempts integer NOT NULL DEFAULT 0,
  incarnation bigint,
  reason text,
  error_code integer,
  stage laras.sealed,
  uncertain_policy text NOT NULL DEFAULT 'hold'
    CHECK (uncertain_policy IN ('hold', 'resend_once')),
  resent boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  CHECK (uncertain_policy = 'hold' OR (purpose = 'service' AND kind <> 'private_reply')),
  CHECK (NOT resent OR uncertain_policy = 'resend_once'),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, message_id),
  FOREIGN KEY (workspace_id, verdict_id, message_id, text_digest, verdict_outcome, purpose)
    REFERENCES laras.verdict (workspace_id, id, message_id, text_digest, outcome, purpose),
  FOREIGN KEY (workspace_id, message_id) REFERENCES laras.message (workspace_id, id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
CREATE INDEX outbox_lane ON laras.outbox (workspace_id, connection_id, priority, not_before, id) WHERE state = 'queued';
CREATE INDEX outbox_sending ON laras.outbox (incarnation) WHERE state = 'sending';
CREATE INDEX outbox_connection ON laras.outbox (workspace_id, connection_id) WHERE state IN ('queued', 'parked');
CREATE INDEX outbox_resend ON laras.outbox (finished_at)
  WHERE state = 'uncertain' AND uncertain_policy = 'resend_once' AND NOT resent;
-- what waits for a limit of its kind: how much that is, and who else waits behind it
CREATE INDEX outbox_limited ON laras.outbox (workspace_id, connection_id, conversation_id, reason, priority)
  WHERE state = 'queued' AND reason IN ('limit_media', 'limit_private_reply', 'limit_live_private_reply', 'limit_comment');
CREATE INDEX outbox_contact ON laras.outbox (workspace_id, contact_id);
COMMENT ON TABLE laras.outbox IS 'Messages to hand to a provider. A row cannot exist without a passing verdict on exactly its text, for its purpose.';
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
COMMENT ON COLUMN laras.outbox.media_id IS 'The media, of a message that has one; the text goes with it.';
COMMENT ON COLUMN laras.outbox.kind IS 'What is sent: text, template; media: a picture, film, voice or document, with a text or without; comment: in public below another; private_reply: a direct message in answer to a comment.';
COMMENT ON COLUMN laras.outbox.purpose IS 'What it is sent for (laras.channel_handling), asked once more at hand-off; that of its verdict. Nothing else is a purpose.';
COMMENT ON COLUMN laras.outbox.template_id IS 'The template, of a message that is one; its values are in message.element.';
COMMENT ON COLUMN laras.outbox.target_id IS 'The comment it answers.';
COMMENT ON COLUMN laras.outbox.state IS 'queued; sending from the commit before its request to its record; parked until its connection works again, or until somebody says that no other server sent it; the others are ends.';
COMMENT ON COLUMN laras.outbox.priority IS 'Lower first: 0 for replies, and for whatever else answers somebody; 5 for what is sent a second time; 10 for bulk: what sells, and every template.';
COMMENT ON COLUMN laras.outbox.not_before IS 'Earliest hand-off.';
COMMENT ON COLUMN laras.outbox.attempt_id IS 'Current or last attempt.';
COMMENT ON COLUMN laras.outbox.attempts IS 'Attempts so far.';
COMMENT ON COLUMN laras.outbox.incarnation IS 'Run of the courier that took it; what an earlier run left sending is uncertain.';
COMMENT ON COLUMN laras.outbox.reason IS 'Why it was refused, parked or cancelled, or why it waits (window_closed, opted_out, disconnected, limit_private_reply): laras.send_reason has the list.';
COMMENT ON COLUMN laras.outbox.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.outbox.stage IS 'Of a message that leaves by two requests: the id that the first led to; sealed under the contact''s slot.';
COMMENT ON COLUMN laras.outbox.uncertain_policy IS 'What becomes of it while nobody knows whether it was sent: hold, or, after laras.uncertain_wait, resend_once: never what sells, nor a private reply, which providers allow once.';
COMMENT ON COLUMN laras.outbox.resent IS 'It was uncertain and was queued again: whatever ends it but a proof that it was sent leaves it uncertain.';
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

-- A connection through which nothing is sent for a while. The courier keeps it in memory; a crash ends that, so what lasts is here.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.send_pause (
  workspace_id bigint NOT NULL,
  connection_id bigint NOT NULL,
  breaker_open boolean NOT NULL,
  rests integer NOT NULL CHECK (rests >= 0),
  rests_until timestamptz NOT NULL,
  reach text NOT NULL DEFAULT 'connection' CHECK (reach IN ('connection', 'business', 'app')),
  PRIMARY KEY (workspace_id, connection_id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
) WITH (fillfactor = 50);
COMMENT ON TABLE laras.send_pause IS 'A connection through which nothing is sent for a while: its provider does not answer, or asked for less. A courier that begins goes on with it.';
COMMENT ON COLUMN laras.send_pause.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.send_pause.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.send_pause.breaker_open IS 'It did not answer several times in a row: one message goes as a probe when the pause is over, and its end decides.';
COMMENT ON COLUMN laras.send_pause.rests IS 'How many pauses there were in a row; each may last twice as long as the one before.';
COMMENT ON COLUMN laras.send_pause.rests_until IS 'When it is over, by the server''s own clock.';
COMMENT ON COLUMN laras.send_pause.reach IS 'Who rests as long, because the provider said it of them all: the connection alone, those below the same business account (business), or those connected through the same app (app).';
ALTER TABLE laras.send_pause ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.send_pause FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.send_pause TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.send_pause TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.send_pause TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.send_pause', '');

-- One try to hand a message to a provider, with its one end.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.send_attempt (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  outbox_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  connection_id bigint,
  limit_kind text CHECK (limit_kind IN ('media', 'private_reply', 'live_private_reply', 'comment')),
  outcome text NOT NULL DEFAULT 'sending'
    CHECK (outcome IN ('sending', 'sent', 'refused', 'retry', 'uncertain', 'not_sent', 'staged')),
  http_status integer,
  error_code integer,
  error_subcode integer,
  curl_code integer,
  started_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  resolved_by text
    CHECK (resolved_by IN ('answer', 'status', 'echo', 'member', 'timeout', 'restart')),
  PRIMARY KEY (workspace_id, id),
  CHECK ((limit_kind IS NULL) = (connection_id IS NULL)),
  FOREIGN KEY (workspace_id, outbox_id) REFERENCES laras.outbox (workspace_id, id)
) WITH (fillfactor = 50); -- each row is written twice; its end fits beside its beginning
CREATE INDEX send_attempt_outbox ON laras.send_attempt (workspace_id, outbox_id);
-- how much of a quota is used: as many rows as the quota has
CREATE INDEX send_attempt_limited ON laras.send_attempt (workspace_id, connection_id, limit_kind, started_at) WHERE limit_kind IS NOT NULL;
CREATE INDEX send_attempt_contact ON laras.send_attempt (workspace_id, contact_id);
COMMENT ON TABLE laras.send_attempt IS 'One try to hand a message to a provider, with its one end.';
COMMENT ON COLUMN laras.send_attempt.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.send_attempt.id IS 'Attempt id; its MAC travels in biz_opaque_callback_data.';
COMMENT ON COLUMN laras.send_attempt.outbox_id IS 'Outbox row.';
COMMENT ON COLUMN laras.send_attempt.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.send_attempt.connection_id IS 'Connection, of a message of which providers take less than of others; else null.';
COMMENT ON COLUMN laras.send_attempt.limit_kind IS 'Which kind that is, as in laras.limit_rule.';
COMMENT ON COLUMN laras.send_attempt.outcome IS 'End of the attempt; staged: the first of two requests succeeded.';
COMMENT ON COLUMN laras.send_attempt.http_status IS 'HTTP status.';
COMMENT ON COLUMN laras.send_attempt.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.send_attempt.error_subcode IS 'Its subcode.';
COMMENT ON COLUMN laras.send_attempt.curl_code IS 'libcurl result.';
COMMENT ON COLUMN laras.send_attempt.started_at IS 'Hand-off.';
COMMENT ON COLUMN laras.send_attempt.finished_at IS 'Answer or timeout.';
COMMENT ON COLUMN laras.send_attempt.resolved_by IS 'What settled it: the provider''s answer, status or echo, the lack of one (timeout, restart), or a person (member: settle_message).';
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
  ('send_pause', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_pause', 'connection_id', 'system', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_pause', 'breaker_open', 'system', NULL, NULL, 'a flag', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_pause', 'rests', 'system', NULL, NULL, 'a number without a person in it', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_pause', 'rests_until', 'system', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_pause', 'reach', 'system', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('provider_error', 'provider', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('provider_error', 'code', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('provider_error', 'subcode', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('provider_error', 'retryable', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('provider_error', 'concerns', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('provider_error', 'words_en', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('provider_error', 'words_id', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('send_reason', 'reason', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('send_reason', 'words_en', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('send_reason', 'words_id', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
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
  ('outbox', 'purpose', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'template_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'media_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'kind', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'target_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'state', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'priority', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'not_before', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'attempt_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'attempts', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'incarnation', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'reason', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'error_code', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'stage', 'message', 31, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'uncertain_policy', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'resent', 'message', NULL, NULL, 'yes or no', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('outbox', 'finished_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'id', 'delivery_log', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'outbox_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'contact_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'connection_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'keep', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('send_attempt', 'limit_kind', 'delivery_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
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
  ('courier_task', 'request', 'account_reference', 22, 'hour', NULL, 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
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
  'Judges a person''s reply, stores it and queues it for the courier; returns the id of the message. Window and opt-out are decided at hand-off and shown as the message''s status and a notice. In a thread of comments it is a public answer: to the last comment, or the one that options name as comment_id. Options may name media that upload_media was given (media_id): it is sent with the text, which may then be empty; and what becomes of it while nobody knows whether it was sent (uncertain_policy: hold or resend_once; else what set_uncertain_policy says of the connection). Needs scope inbox. P0002 for no such conversation or media, 22023 for a text that is empty, blocked or too long, or that cannot go with the media, 0A000 where the channel carries no media, 55000 when the channel was disconnected, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.reply(bigint, text, jsonb) TO laras_app, laras_service;

CREATE FUNCTION laras.private_reply(comment_id bigint, body text) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_private_reply';
ALTER FUNCTION laras.private_reply(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.private_reply(bigint, text) IS
  'Answers a comment by a direct message to whoever wrote it: judged, stored and queued like a reply, logged in laras.private_replies; returns the id of the message. Once a comment, unless the earlier one was certainly not sent; the window (seven days from the comment) and the granted scopes are decided at hand-off. Needs scope inbox. P0002 for no such comment, 23505 where it was answered in private already, 0A000 where the channel has no such messages, 22023 for a text that is empty or blocked, 55000 when the comment was deleted or the channel disconnected, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.private_reply(bigint, text) TO laras_app, laras_service;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.stat_courier AS
  SELECT coalesce(o.connection_id, u.connection_id) AS connection_id,
    coalesce(o.queued, 0) AS queued,
    coalesce(o.sending, 0) AS sending,
    coalesce(o.uncertain, 0) AS uncertain,
    coalesce(o.parked, 0) AS parked,
    coalesce(o.sent, 0) AS sent,
    coalesce(o.refused, 0) AS refused,
    coalesce(o.cancelled, 0) AS cancelled,
    o.oldest_age,
    o.last_sent_at,
    coalesce(u.unmatched, 0) AS unmatched
    FROM (SELECT x.connection_id,
        pg_catalog.count(*) FILTER (WHERE x.state = 'queued') AS queued,
        pg_catalog.count(*) FILTER (WHERE x.state = 'sending') AS sending,
        pg_catalog.count(*) FILTER (WHERE x.state = 'uncertain') AS uncertain,
        pg_catalog.count(*) FILTER (WHERE x.state = 'parked') AS parked,
        pg_catalog.count(*) FILTER (WHERE x.state = 'sent') AS sent,
        pg_catalog.count(*) FILTER (WHERE x.state = 'refused') AS refused,
        pg_catalog.count(*) FILTER (WHERE x.state = 'cancelled') AS cancelled,
        laras.now() - pg_catalog.min(x.created_at) FILTER (WHERE x.state IN ('queued', 'sending')) AS oldest_age,
        pg_catalog.max(x.finished_at) FILTER (WHERE x.state = 'sent') AS last_sent_at
        FROM laras.outbox x GROUP BY x.connection_id) o
    FULL JOIN (SELECT s.connection_id, pg_catalog.count(*) AS unmatched
        FROM laras.unmatched_status s GROUP BY s.connection_id) u ON u.connection_id = o.connection_id
    WHERE laras.may('inbox');
COMMENT ON VIEW laras.stat_courier IS 'What leaves through each connection of the bound workspace: how much waits, since when, and what became of the rest.';
COMMENT ON COLUMN laras.stat_courier.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.stat_courier.queued IS 'Messages that wait for the courier or for their time.';
COMMENT ON COLUMN laras.stat_courier.sending IS 'Claimed by the courier: their requests are under way or about to begin.';
COMMENT ON COLUMN laras.stat_courier.uncertain IS 'Whose answer was lost; settled by the provider''s status, or by settle_message.';
COMMENT ON COLUMN laras.stat_courier.parked IS 'That wait for the connection to be made good again, or for resume(true) after a restore or a promotion.';
COMMENT ON COLUMN laras.stat_courier.sent IS 'Taken by the provider.';
COMMENT ON COLUMN laras.stat_courier.refused IS 'That did not leave, or that the provider refused.';
COMMENT ON COLUMN laras.stat_courier.cancelled IS 'Withdrawn before they left.';
COMMENT ON COLUMN laras.stat_courier.oldest_age IS 'How long the oldest message waits that has not ended; null when none waits.';
COMMENT ON COLUMN laras.stat_courier.last_sent_at IS 'When the provider last took one.';
COMMENT ON COLUMN laras.stat_courier.unmatched IS 'Statuses of the last seven days that name no message of laras: their send''s answer is on its way or was lost, or somebody else sends through the account. Dropped after that and counted (ignored_events: unknown_message).';
GRANT SELECT ON laras.stat_courier TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.set_send_rate(connection_id bigint, per_second integer) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_send_rate';
ALTER FUNCTION laras.set_send_rate(bigint, integer) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_send_rate(bigint, integer) IS
  'How many messages may leave within a second through a connection that the provider allows more, or less, than others of its channel: 1 to 100000, or 0 for what laras.limit_rules says (less, of a number that is used in the WhatsApp Business app too). Holds from the next message on. Needs scope connect. P0002 for no such connection, 55000 when it was disconnected, 22023 for another number. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_send_rate(bigint, integer) TO laras_app, laras_service;

CREATE FUNCTION laras.set_presence(connection_id bigint, presence text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_presence';
ALTER FUNCTION laras.set_presence(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_presence(bigint, text) IS
  'What persons are shown beside messages: off (nothing, as it is at first), read (that their message was read) or typing (that, and that somebody writes), each where the channel has it. Shown by show_presence, when a language model is asked, and before a draft goes out by itself. Needs scope connect. P0002 for no such connection, 55000 when it was disconnected, 22023 for another word. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_presence(bigint, text) TO laras_app, laras_service;

CREATE FUNCTION laras.set_uncertain_policy(connection_id bigint, policy text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_uncertain_policy';
ALTER FUNCTION laras.set_uncertain_policy(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_uncertain_policy(bigint, text) IS
  'What becomes of messages through a connection of which nobody knows whether they were sent, because the answer was lost: hold (as it is at first: they wait for the provider''s word, or for somebody), or resend_once: what the provider said nothing of for laras.uncertain_wait is sent a second time, and never a third; a person may get it twice. Never what sells, nor private replies. Of messages that are queued from now on. Needs scope connect. P0002 for no such connection, 55000 when it was disconnected, 22023 for another word. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_uncertain_policy(bigint, text) TO laras_app, laras_service;

CREATE FUNCTION laras.show_presence(conversation_id bigint, typing boolean DEFAULT true) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_show_presence';
ALTER FUNCTION laras.show_presence(bigint, boolean) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.show_presence(bigint, boolean) IS
  'Somebody opened the conversation, or writes in it: shows the person so, as far as set_presence allows. Best effort: it is tried once, after messages that wait, and forgotten after 20 seconds. False where nothing will be shown. Needs scope inbox. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.show_presence(bigint, boolean) TO laras_app, laras_service;

-- What errors of providers mean to a business. Rows come with each version.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.provider_error (
  provider text NOT NULL CHECK (provider IN ('meta', 'telegram', 'email')),
  code integer NOT NULL CHECK (code > 0),
  subcode integer NOT NULL DEFAULT 0 CHECK (subcode >= 0),
  retryable boolean NOT NULL,
  concerns text NOT NULL CHECK (concerns IN ('message', 'pair', 'template', 'number', 'account', 'app')),
  words_en text NOT NULL,
  words_id text NOT NULL,
  PRIMARY KEY (provider, code, subcode)
);
COMMENT ON TABLE laras.provider_error IS 'What errors of providers mean to a business. Rows come with each version.';
COMMENT ON COLUMN laras.provider_error.provider IS 'meta: WhatsApp, Instagram, Messenger, Threads; telegram; email: codes of SMTP.';
COMMENT ON COLUMN laras.provider_error.code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.provider_error.subcode IS 'Its subcode, where that says something else than the code alone; 0: any other, or none.';
COMMENT ON COLUMN laras.provider_error.retryable IS 'Does it pass by itself, so that the courier tries again? As the driver of the channel decides.';
COMMENT ON COLUMN laras.provider_error.concerns IS 'What the error is about: this message, this person at this number, the template, the number, the account or the app.';
COMMENT ON COLUMN laras.provider_error.words_en IS 'In English.';
COMMENT ON COLUMN laras.provider_error.words_id IS 'In Indonesian.';
ALTER TABLE laras.provider_error ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.provider_error FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.provider_error FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.provider_error TO laras_owner USING (true) WITH CHECK (true);
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.provider_error', 'WHERE false');

-- What the reasons of outbox rows mean to a business. Rows come with each version.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.send_reason (
  reason text PRIMARY KEY,
  words_en text NOT NULL,
  words_id text NOT NULL
);
COMMENT ON TABLE laras.send_reason IS 'What the reasons of outbox rows mean to a business. Rows come with each version.';
COMMENT ON COLUMN laras.send_reason.reason IS 'As in laras.outbox.';
COMMENT ON COLUMN laras.send_reason.words_en IS 'In English.';
COMMENT ON COLUMN laras.send_reason.words_id IS 'In Indonesian.';
ALTER TABLE laras.send_reason ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.send_reason FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.send_reason FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.send_reason TO laras_owner USING (true) WITH CHECK (true);
GRANT SELECT ON laras.send_reason TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.send_reason', 'WHERE false');

INSERT INTO laras.provider_error (provider, code, retryable, concerns, words_en, words_id) VALUES
  ('meta', 1, true, 'message', 'The provider reported an unknown error.', 'Penyedia melaporkan kesalahan yang tidak dikenal.'),
  ('meta', 2, true, 'message', 'The provider had a fault of its own.', 'Ada gangguan di pihak penyedia.'),
  ('meta', 3, false, 'account', 'The app lacks a permission for this account. Connect the account again.', 'Aplikasi tidak punya izin untuk akun ini. Hubungkan ulang akun.'),
  ('meta', 4, true, 'app', 'The app made too many requests; sending goes on by itself.', 'Aplikasi terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 10, false, 'account', 'The app lacks a permission for this account. Connect the account again.', 'Aplikasi tidak punya izin untuk akun ini. Hubungkan ulang akun.'),
  ('meta', 17, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 24, true, 'message', 'The provider was not ready with the message; it is tried again.', 'Penyedia belum siap dengan pesan ini; akan dicoba lagi.'),
  ('meta', 32, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 33, false, 'number', 'The number was deleted at the provider.', 'Nomor sudah dihapus di penyedia.'),
  ('meta', 100, false, 'message', 'The provider found the message malformed.', 'Penyedia menilai format pesan salah.'),
  ('meta', 102, false, 'account', 'The log-in at the provider is not valid any more. Connect the account again.', 'Login di penyedia tidak berlaku lagi. Hubungkan ulang akun.'),
  ('meta', 190, false, 'account', 'The log-in at the provider is not valid any more. Connect the account again.', 'Login di penyedia tidak berlaku lagi. Hubungkan ulang akun.'),
  ('meta', 230, false, 'message', 'The person has not agreed to share their profile.', 'Orang ini belum setuju membagikan profilnya.'),
  ('meta', 368, false, 'account', 'The provider blocked the account for breaking its policies.', 'Penyedia memblokir akun karena melanggar kebijakannya.'),
  ('meta', 551, false, 'message', 'The person cannot receive messages now.', 'Orang ini sedang tidak bisa menerima pesan.'),
  ('meta', 613, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 9010, false, 'message', 'The person was not found at the provider.', 'Orang ini tidak ditemukan di penyedia.'),
  ('meta', 80001, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 80002, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 80006, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 80007, true, 'account', 'The account made too many requests; sending goes on by itself.', 'Akun terlalu sering meminta; pengiriman berlanjut sendiri.'),
  ('meta', 1200, true, 'message', 'The send failed at the provider for the moment.', 'Pengiriman gagal sementara di penyedia.'),
  ('meta', 130429, true, 'number', 'The number sent too fast; sending goes on by itself.', 'Nomor mengirim terlalu cepat; pengiriman berlanjut sendiri.'),
  ('meta', 130472, false, 'message', 'The provider holds messages to this person back in an experiment of its own.', 'Penyedia menahan pesan ke orang ini dalam percobaannya.'),
  ('meta', 130497, false, 'account', 'The account may not send to this country.', 'Akun tidak boleh mengirim ke negara ini.'),
  ('meta', 131000, true, 'message', 'The provider had a fault of its own.', 'Ada gangguan di pihak penyedia.'),
  ('meta', 131005, false, 'account', 'The app lacks a permission for this account. Connect the account again.', 'Aplikasi tidak punya izin untuk akun ini. Hubungkan ulang akun.'),
  ('meta', 131008, false, 'message', 'The provider found the message malformed.', 'Penyedia menilai format pesan salah.'),
  ('meta', 131009, false, 'message', 'The provider found the message malformed.', 'Penyedia menilai format pesan salah.'),
  ('meta', 131016, true, 'message', 'The provider had a fault of its own.', 'Ada gangguan di pihak penyedia.'),
  ('meta', 131021, false, 'message', 'Sender and recipient are the same number.', 'Pengirim dan penerima nomor yang sama.'),
  ('meta', 131026, false, 'message', 'The message cannot be delivered: the person is not on WhatsApp, has an old app or blocked the business.', 'Pesan tidak bisa disampaikan: orang ini tidak memakai WhatsApp, aplikasinya lama, atau memblokir usaha.'),
  ('meta', 131030, false, 'message', 'A test number sends only to people on its list.', 'Nomor uji hanya mengirim ke orang di daftarnya.'),
  ('meta', 131031, false, 'account', 'The provider locked the account.', 'Penyedia mengunci akun.'),
  ('meta', 131037, false, 'number', 'The number needs a display name that the provider approved.', 'Nomor perlu nama tampilan yang disetujui penyedia.'),
  ('meta', 131042, false, 'account', 'The provider found a problem with the payment method.', 'Penyedia menemukan masalah pada metode pembayaran.'),
  ('meta', 131045, false, 'number', 'The number is not registered at the provider.', 'Nomor belum terdaftar di penyedia.'),
  ('meta', 131047, false, 'message', 'The person wrote more than 24 hours ago: only an approved template may be sent.', 'Pesan terakhir orang ini lebih dari 24 jam lalu: hanya template yang disetujui yang boleh dikirim.'),
  ('meta', 131048, true, 'number', 'The provider limits this number because people blocked or reported it.', 'Penyedia membatasi nomor ini karena diblokir atau dilaporkan orang.'),
  ('meta', 131049, false, 'message', 'The provider chose not to deliver this marketing message. Try another day.', 'Penyedia memilih tidak mengirim pesan promosi ini. Coba di hari lain.'),
  ('meta', 131050, false, 'message', 'The person wants no marketing messages.', 'Orang ini tidak mau menerima pesan promosi.'),
  ('meta', 131051, false, 'message', 'This kind of message is not supported.', 'Jenis pesan ini tidak didukung.'),
  ('meta', 131052, false, 'message', 'The file could not be fetched or uploaded.', 'Berkas tidak bisa diambil atau diunggah.'),
  ('meta', 131053, false, 'message', 'The file could not be fetched or uploaded.', 'Berkas tidak bisa diambil atau diunggah.'),
  ('meta', 131056, true, 'pair', 'Too many messages to this person in a short time; sending goes on by itself.', 'Terlalu banyak pesan ke orang ini dalam waktu singkat; pengiriman berlanjut sendiri.'),
  ('meta', 131057, true, 'message', 'The account is in maintenance at the provider.', 'Akun sedang dalam pemeliharaan di penyedia.'),
  ('meta', 131062, false, 'message', 'The person cannot be addressed this way any more.', 'Orang ini tidak bisa dihubungi dengan cara ini lagi.'),
  ('meta', 131063, false, 'message', 'The person cannot be addressed this way any more.', 'Orang ini tidak bisa dihubungi dengan cara ini lagi.'),
  ('meta', 131064, true, 'account', 'The provider limits the account because of templates in the wrong category.', 'Penyedia membatasi akun karena kategori template yang salah.'),
  ('meta', 132000, false, 'message', 'The template needs another number of values.', 'Jumlah isian template tidak sesuai.'),
  ('meta', 132001, false, 'message', 'The template is not there in this language, or not approved.', 'Template tidak ada dalam bahasa ini, atau belum disetujui.'),
  ('meta', 132005, false, 'message', 'The template is too long once it is filled in.', 'Template terlalu panjang setelah diisi.'),
  ('meta', 132007, false, 'message', 'The template breaks a policy of the provider.', 'Template melanggar kebijakan penyedia.'),
  ('meta', 132008, false, 'message', 'A value does not fit the template.', 'Sebuah isian tidak cocok dengan template.'),
  ('meta', 132012, false, 'message', 'A value does not fit the template.', 'Sebuah isian tidak cocok dengan template.'),
  ('meta', 132015, false, 'template', 'The provider paused the template because of its quality.', 'Penyedia menjeda template karena kualitasnya.'),
  ('meta', 132016, false, 'template', 'The provider disabled the template.', 'Penyedia menonaktifkan template.'),
  ('meta', 132068, false, 'message', 'The flow is blocked.', 'Flow diblokir.'),
  ('meta', 132069, true, 'message', 'The flow was used too often.', 'Flow terlalu sering dipakai.'),
  ('meta', 133004, false, 'number', 'The provider could not register the number for the moment. Register it again later.', 'Penyedia belum bisa mendaftarkan nomor. Daftarkan lagi nanti.'),
  ('meta', 133005, false, 'number', 'The PIN of the number is wrong. Connect the number again.', 'PIN nomor salah. Hubungkan ulang nomor.'),
  ('meta', 133006, false, 'number', 'The number must be verified again at the provider.', 'Nomor harus diverifikasi ulang di penyedia.'),
  ('meta', 133008, false, 'number', 'The PIN of the number was wrong too often. Wait before you connect it again.', 'PIN nomor terlalu sering salah. Tunggu sebelum menghubungkan ulang.'),
  ('meta', 133009, false, 'number', 'The PIN of the number was given too fast. Wait before you connect it again.', 'PIN nomor dimasukkan terlalu cepat. Tunggu sebelum menghubungkan ulang.'),
  ('meta', 133010, false, 'number', 'The number is not registered at the provider.', 'Nomor belum terdaftar di penyedia.'),
  ('meta', 133015, false, 'number', 'The number was deleted a moment ago at the provider. Wait before you connect it again.', 'Nomor baru saja dihapus di penyedia. Tunggu sebelum menghubungkan ulang.'),
  ('meta', 133016, false, 'number', 'The number was registered too often. Wait before you connect it again.', 'Nomor terlalu sering didaftarkan. Tunggu sebelum menghubungkan ulang.'),
  ('meta', 135000, true, 'message', 'The provider had a fault of its own.', 'Ada gangguan di pihak penyedia.'),
  ('meta', 137000, false, 'message', 'The person cannot be addressed this way any more.', 'Orang ini tidak bisa dihubungi dengan cara ini lagi.'),
  ('meta', 2018108, false, 'message', 'The person left, or cannot be written to.', 'Orang ini sudah pergi, atau tidak bisa dikirimi pesan.'),
  ('meta', 2534014, false, 'message', 'The person was not found, or this comment was answered already.', 'Orang tidak ditemukan, atau komentar ini sudah dibalas.'),
  ('telegram', 400, false, 'message', 'Telegram found the message malformed, or the chat is gone.', 'Telegram menilai format pesan salah, atau obrolan sudah tidak ada.'),
  ('telegram', 401, false, 'account', 'The bots token is not valid any more. Connect the bot again.', 'Token bot tidak berlaku lagi. Hubungkan ulang bot.'),
  ('telegram', 403, false, 'message', 'The person stopped the bot, or never started it.', 'Orang ini menghentikan bot, atau belum pernah memulainya.'),
  ('telegram', 404, false, 'account', 'The bots token is not valid any more. Connect the bot again.', 'Token bot tidak berlaku lagi. Hubungkan ulang bot.'),
  ('telegram', 429, true, 'account', 'The bot sent too fast; sending goes on by itself.', 'Bot mengirim terlalu cepat; pengiriman berlanjut sendiri.'),
  ('email', 421, true, 'account', 'The mail server is busy; sending goes on by itself.', 'Server email sedang sibuk; pengiriman berlanjut sendiri.'),
  ('email', 450, true, 'message', 'The mailbox could not be reached just now; it is tried again.', 'Kotak surat sedang tidak dapat dijangkau; akan dicoba lagi.'),
  ('email', 451, true, 'message', 'The mail server had a fault of its own; it is tried again.', 'Server email mengalami gangguan; akan dicoba lagi.'),
  ('email', 452, true, 'account', 'The mail server has no room; sending goes on by itself.', 'Server email kehabisan ruang; pengiriman berlanjut sendiri.'),
  ('email', 530, false, 'account', 'The mail server wants a log-in. Connect the address again.', 'Server email meminta login. Hubungkan ulang alamat email.'),
  ('email', 534, false, 'account', 'The mail server wants another way to log in. Connect the address again.', 'Server email meminta cara login lain. Hubungkan ulang alamat email.'),
  ('email', 535, false, 'account', 'The mail server does not take the password any more. Connect the address again.', 'Server email tidak menerima sandi lagi. Hubungkan ulang alamat email.'),
  ('email', 538, false, 'account', 'The mail server takes the log-in over TLS alone. Connect the address again.', 'Server email hanya menerima login lewat TLS. Hubungkan ulang alamat email.'),
  ('email', 550, false, 'message', 'The mailbox does not exist, or does not take this mail.', 'Kotak surat tidak ada, atau menolak email ini.'),
  ('email', 551, false, 'message', 'The mailbox is elsewhere.', 'Kotak surat berada di tempat lain.'),
  ('email', 552, false, 'message', 'The mailbox is full, or the mail too large.', 'Kotak surat penuh, atau email terlalu besar.'),
  ('email', 553, false, 'message', 'The mail server does not take this address.', 'Server email menolak alamat ini.'),
  ('email', 554, false, 'message', 'The mail server does not take this mail.', 'Server email menolak email ini.');

-- What a subcode says, where its code alone would mislead.
INSERT INTO laras.provider_error (provider, code, subcode, retryable, concerns, words_en, words_id) VALUES
  ('meta', 10, 2018108, false, 'message', 'The person left, or cannot be written to.', 'Orang ini sudah pergi, atau tidak bisa dikirimi pesan.'),
  ('meta', 10, 2018278, false, 'message', 'The person wrote too long ago: they can be answered when they write again.', 'Pesan terakhir orang ini sudah terlalu lama: baru bisa dibalas setelah ia menulis lagi.'),
  ('meta', 10, 2534022, false, 'message', 'The person wrote too long ago: they can be answered when they write again.', 'Pesan terakhir orang ini sudah terlalu lama: baru bisa dibalas setelah ia menulis lagi.'),
  ('meta', 10, 1893063, false, 'account', 'The provider bars the Page from sending for a time. When that is over, connect the account again, and what waits is sent.', 'Penyedia melarang Halaman mengirim pesan untuk sementara. Setelah larangan selesai, hubungkan ulang akun, dan pesan yang menunggu akan dikirim.'),
  ('meta', 100, 2018001, false, 'message', 'The person was not found at the provider.', 'Orang ini tidak ditemukan di penyedia.'),
  ('meta', 100, 2534014, false, 'message', 'The person was not found, or this comment was answered already.', 'Orang tidak ditemukan, atau komentar ini sudah dibalas.'),
  ('meta', 200, 2018108, false, 'message', 'The person left, or cannot be written to.', 'Orang ini sudah pergi, atau tidak bisa dikirimi pesan.');

-- A whole range says the same, but for 230.
INSERT INTO laras.provider_error (provider, code, retryable, concerns, words_en, words_id)
  SELECT 'meta', c, false, 'account', 'The app lacks a permission for this account. Connect the account again.', 'Aplikasi tidak punya izin untuk akun ini. Hubungkan ulang akun.'
  FROM pg_catalog.generate_series(200, 299) AS c WHERE c <> 230;

INSERT INTO laras.send_reason (reason, words_en, words_id) VALUES
  ('window_closed', 'The person wrote too long ago: only an approved template, or an answer to their next message, may be sent.', 'Pesan terakhir orang ini sudah terlalu lama: hanya template yang disetujui, atau balasan atas pesan berikutnya, yang boleh dikirim.'),
  ('never_wrote', 'The person never wrote to this number, and nobody is written to unasked.', 'Orang ini belum pernah menulis ke nomor ini, dan tidak ada yang dikirimi tanpa diminta.'),
  ('window_used', 'The comment has had its one private answer.', 'Komentar ini sudah mendapat satu balasan pribadinya.'),
  ('window_not_enabled', 'No rule allows a message of this kind.', 'Tidak ada aturan yang membolehkan pesan jenis ini.'),
  ('not_configured', 'Nobody has configured the channel for messages of this purpose, or somebody ended it.', 'Kanal ini belum diatur untuk pesan dengan tujuan ini, atau pengaturannya dihentikan.'),
  ('media_gone', 'The file that was to be sent is no longer there.', 'Berkas yang akan dikirim sudah tidak ada.'),
  ('media_not_taken', 'The channel does not take a file of that kind, or not together with a text.', 'Kanal ini tidak menerima berkas jenis itu, atau tidak bersama teks.'),
  ('no_public_url', 'The operator has not said under which address the provider may fetch files (laras.public_url).', 'Pengelola belum menetapkan alamat tempat penyedia mengambil berkas (laras.public_url).'),
  ('template_not_approved', 'The provider has not approved the template, or stopped it.', 'Template belum disetujui penyedia, atau dihentikannya.'),
  ('template_not_owned', 'Nobody of the business wrote the template or took it on.', 'Belum ada orang dari bisnis yang menulis atau mengakui template ini.'),
  ('template_gone', 'The template is not there any more.', 'Template sudah tidak ada.'),
  ('opted_out', 'The person asked not to be written to.', 'Orang ini minta tidak dikirimi pesan.'),
  ('contact_restricted', 'The person is being erased or is restricted.', 'Data orang ini sedang dihapus atau dibatasi.'),
  ('erased', 'The message was erased before it left.', 'Pesan dihapus sebelum terkirim.'),
  ('disconnected', 'The account was disconnected before the message left.', 'Akun diputus sebelum pesan terkirim.'),
  ('needs_reauth', 'The account must be connected again; the message waits.', 'Akun harus dihubungkan ulang; pesan menunggu.'),
  ('text_differs', 'The text is not the one that was judged.', 'Teksnya bukan yang sudah dinilai.'),
  ('no_address', 'The person has no address on this channel.', 'Orang ini tidak punya alamat di kanal ini.'),
  ('unsupported_kind', 'This channel cannot send a message of this kind.', 'Kanal ini tidak bisa mengirim pesan jenis ini.'),
  ('scope_missing', 'The account was not connected with the permission that this needs.', 'Akun tidak dihubungkan dengan izin yang diperlukan untuk ini.'),
  ('comment_gone', 'The comment was deleted before the answer left.', 'Komentar dihapus sebelum balasan terkirim.'),
  ('comment_hidden', 'A comment that is hidden cannot be answered in public.', 'Komentar yang disembunyikan tidak bisa dibalas secara publik.'),
  ('overtaken', 'Somebody answered before it left.', 'Sudah ada yang membalas sebelum terkirim.'),
  ('draft_stale', 'A row that the draft cites changed before it left.', 'Data yang dikutip draf berubah sebelum terkirim.'),
  ('withdrawn', 'Somebody withdrew it before it left.', 'Seseorang menariknya sebelum terkirim.'),
  ('retry', 'It was not sent and is tried again by itself.', 'Belum terkirim dan dicoba lagi dengan sendirinya.'),
  ('throttled', 'The provider asked to send slower; it is tried again by itself.', 'Penyedia meminta kirim lebih lambat; dicoba lagi dengan sendirinya.'),
  ('limit_media', 'The provider takes only so many messages with a file a second from this account; it leaves by itself when there is room.', 'Penyedia hanya menerima sejumlah pesan berkas per detik dari akun ini; terkirim sendiri bila sudah ada tempat.'),
  ('limit_private_reply', 'The provider takes only so many private replies an hour from this account; it leaves by itself when there is room.', 'Penyedia hanya menerima sejumlah balasan pribadi per jam dari akun ini; terkirim sendiri bila sudah ada tempat.'),
  ('limit_live_private_reply', 'The provider takes only so many private replies a second during a broadcast; it leaves by itself when there is room.', 'Penyedia hanya menerima sejumlah balasan pribadi per detik selama siaran; terkirim sendiri bila sudah ada tempat.'),
  ('limit_comment', 'The provider takes only so many public replies a day from this account; it leaves by itself when there is room.', 'Penyedia hanya menerima sejumlah balasan publik per hari dari akun ini; terkirim sendiri bila sudah ada tempat.'),
  ('gave_up', 'It was tried many times and never sent.', 'Sudah dicoba berkali-kali dan tidak pernah terkirim.'),
  ('provider_refused', 'The provider refused it.', 'Penyedia menolaknya.'),
  ('outcome_unknown', 'Nobody knows yet whether it was sent: the answer was lost. It is not sent a second time, unless that was chosen.', 'Belum diketahui apakah terkirim: jawabannya hilang. Pesan tidak dikirim dua kali, kecuali itu yang dipilih.'),
  ('resend', 'Nobody knows whether it was sent; it is sent a second time, as was chosen.', 'Belum diketahui apakah terkirim; dikirim sekali lagi, sesuai pilihan.'),
  ('not_resent', 'Nobody knows whether it was sent, and sending it a second time was not possible.', 'Belum diketahui apakah terkirim, dan tidak bisa dikirim sekali lagi.'),
  ('settled_not_sent', 'Nobody could know whether it was sent; somebody decided that it was not.', 'Tidak ada yang tahu apakah terkirim; seseorang memutuskan bahwa tidak.'),
  ('sent_twice', 'It was sent a second time, as was chosen, and the provider took both.', 'Dikirim sekali lagi, sesuai pilihan, dan penyedia menerima keduanya.'),
  ('error', 'It could not be judged for an error of laras and is tried again.', 'Tidak bisa dinilai karena kesalahan laras dan dicoba lagi.'),
  ('restored', 'It waited in a backup that was restored.', 'Pesan menunggu di cadangan yang dipulihkan.'),
  ('promoted', 'It waited when another server took over, and the one before may have sent it.', 'Pesan menunggu saat server lain mengambil alih, dan mungkin sudah dikirim server sebelumnya.');

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.send_troubles AS
  SELECT o.message_id,
    o.conversation_id,
    o.connection_id,
    o.state,
    o.reason,
    coalesce(o.error_code, m.error_code) AS error_code,
    o.state = 'queued' AS retried,
    e.concerns,
    CASE WHEN o.state = 'uncertain' THEN r.words_en ELSE coalesce(e.words_en, r.words_en) END AS words_en,
    CASE WHEN o.state = 'uncertain' THEN r.words_id ELSE coalesce(e.words_id, r.words_id) END AS words_id,
    e.retryable,
    CASE WHEN o.state = 'queued' THEN o.not_before END AS next_try_at
  FROM laras.outbox o
    JOIN laras.message m ON m.workspace_id = o.workspace_id AND m.id = o.message_id
    LEFT JOIN laras.send_attempt a ON a.workspace_id = o.workspace_id AND a.id = o.attempt_id
      AND a.error_code = coalesce(o.error_code, m.error_code)
    LEFT JOIN LATERAL (SELECT p.concerns, p.words_en, p.words_id, p.retryable FROM laras.provider_error p
      WHERE p.provider = CASE WHEN m.channel IN ('telegram', 'email') THEN m.channel ELSE 'meta' END
        AND p.code = coalesce(o.error_code, m.error_code)
        AND (p.subcode = 0 OR (p.subcode = a.error_subcode AND m.channel <> 'whatsapp'))
      ORDER BY p.subcode DESC LIMIT 1) e ON true
    LEFT JOIN laras.send_reason r ON r.reason = o.reason
  WHERE laras.may('inbox') AND (o.state IN ('refused', 'uncertain', 'parked', 'cancelled') OR m.status = 'failed' OR o.reason IS NOT NULL AND o.state IN ('queued', 'sent'));
COMMENT ON VIEW laras.send_troubles IS 'Messages that did not leave, or did not arrive, and why, in words for the owner.';
COMMENT ON COLUMN laras.send_troubles.message_id IS 'Message.';
COMMENT ON COLUMN laras.send_troubles.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.send_troubles.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.send_troubles.state IS 'State in the outbox: sent, where the provider took it and told later that it failed, or took it twice.';
COMMENT ON COLUMN laras.send_troubles.reason IS 'Reason: laras.send_reason has the list.';
COMMENT ON COLUMN laras.send_troubles.error_code IS 'Error code of the provider, where it gave one.';
COMMENT ON COLUMN laras.send_troubles.retried IS 'Does the courier try again by itself?';
COMMENT ON COLUMN laras.send_troubles.concerns IS 'What the error is about: message, pair, template, number, account or app.';
COMMENT ON COLUMN laras.send_troubles.words_en IS 'What it means, in English; null for a code that laras does not know.';
COMMENT ON COLUMN laras.send_troubles.words_id IS 'The same in Indonesian.';
COMMENT ON COLUMN laras.send_troubles.retryable IS 'Does the provider''s error pass by itself? The courier tries such a message again while it waits (retried); one that it gave up, or that failed after it was taken, is worth writing anew. Null without a code, and for one that laras does not know.';
COMMENT ON COLUMN laras.send_troubles.next_try_at IS 'When it is tried next, or leaves as far as is known; null where it is not.';
GRANT SELECT ON laras.send_troubles TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.cancel_message(message_id bigint) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_cancel_message';
ALTER FUNCTION laras.cancel_message(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.cancel_message(bigint) IS
  'Withdraws a message that waits in the queue or for its connection. False when it is too late: it is leaving, has left or has ended. One that waits to be sent a second time is not sent again, and stays uncertain: true. Needs scope inbox. P0002 for no such outbound message. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.cancel_message(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.settle_message(message_id bigint, outcome text) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_settle_message';
ALTER FUNCTION laras.settle_message(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.settle_message(bigint, text) IS
  'Somebody who knows decides of a message that is uncertain: sent (it arrived), not_sent (it did not, and is not sent) or resend (send it a second time, by all rules of sending; once a message, never what sells nor a private reply). True where it was uncertain; false where it is not, or not any more: its provider has told, or somebody was faster. A word of the provider''s that comes later still counts, with a notice settled_otherwise where it says otherwise. Needs scope inbox. P0002 for no such outbound message, 22023 for another word, 55000 where it cannot be sent a second time. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.settle_message(bigint, text) TO laras_app, laras_service;
