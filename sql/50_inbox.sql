-- 50_inbox: contacts, conversations, messages and their statuses.
-- A foreign key is a look-up for each row stored, and here every message pays it: so a table refers to laras.workspace only where no other
-- key leads there, and the channel of a conversation and of its messages is its connection's.


-- A person who wrote to the business. Everything about them is sealed under the contacts slot.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.contact (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  slot bigint NOT NULL,
  name laras.sealed,
  profile laras.sealed,
  state text NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'restricted', 'erasing')),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  opt_out_at timestamptz,
  opt_in_at timestamptz,
  consent_basis text CHECK (consent_basis IN ('consent', 'contract', 'legitimate_interest')),
  consent_stated_at timestamptz CHECK ((consent_stated_at IS NULL) = (consent_basis IS NULL)),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, slot)
);
COMMENT ON TABLE laras.contact IS 'A person who wrote to the business. Everything about them is sealed under the contacts slot.';
COMMENT ON COLUMN laras.contact.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.contact.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.contact.slot IS 'Key slot of the person.';
COMMENT ON COLUMN laras.contact.name IS 'Name as the provider gave it.';
COMMENT ON COLUMN laras.contact.profile IS 'JSON of the rest of the profile.';
COMMENT ON COLUMN laras.contact.state IS 'State.';
COMMENT ON COLUMN laras.contact.created_at IS 'First seen.';
COMMENT ON COLUMN laras.contact.opt_out_at IS 'When the person opted out; null when they did not, or opted in since.';
COMMENT ON COLUMN laras.contact.opt_in_at IS 'When the person asked to be written to again.';
COMMENT ON COLUMN laras.contact.consent_basis IS 'On what the partner, who answers for it, says that it may know and write to the person; null: it said nothing.';
COMMENT ON COLUMN laras.contact.consent_stated_at IS 'When it said so (laras.set_consent_basis); who did is in the evidence.';
ALTER TABLE laras.contact ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.contact FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.contact TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.contact TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.contact TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.contact', '');

-- Who wants nothing unasked: keyed hashes of ids, which outlive the contact and die with the workspace.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.suppression (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  hash bytea NOT NULL CHECK (octet_length(hash) = 16),
  opted_out_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, hash)
);
COMMENT ON TABLE laras.suppression IS 'Who wants nothing unasked: keyed hashes of ids, which outlive the contact and die with the workspace.';
COMMENT ON COLUMN laras.suppression.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.suppression.hash IS 'Hash of one id of a person under the workspace''s suppression key.';
COMMENT ON COLUMN laras.suppression.opted_out_at IS 'When the person opted out.';
ALTER TABLE laras.suppression ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.suppression FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.suppression TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.suppression TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.suppression TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.suppression', '');

-- The ids under which a person is known on a channel; looked up by blind index.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.contact_identity (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  contact_id bigint NOT NULL,
  channel text NOT NULL REFERENCES laras.provider,
  kind smallint NOT NULL,
  value laras.sealed NOT NULL,
  index_epoch smallint NOT NULL DEFAULT 1,
  value_index bytea NOT NULL CHECK (octet_length(value_index) = 16),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, channel, kind, value_index),
  FOREIGN KEY (workspace_id, contact_id) REFERENCES laras.contact (workspace_id, id)
);
CREATE INDEX contact_identity_contact ON laras.contact_identity (workspace_id, contact_id);
COMMENT ON TABLE laras.contact_identity IS 'The ids under which a person is known on a channel; looked up by blind index.';
COMMENT ON COLUMN laras.contact_identity.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.contact_identity.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.contact_identity.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.contact_identity.channel IS 'Channel.';
COMMENT ON COLUMN laras.contact_identity.kind IS 'Index kind (src/vault/numbers.def): 1 phone, 2 wa_id, 3 BSUID, ...';
COMMENT ON COLUMN laras.contact_identity.value IS 'The id itself.';
COMMENT ON COLUMN laras.contact_identity.index_epoch IS 'Epoch of the index key.';
COMMENT ON COLUMN laras.contact_identity.value_index IS 'Blind index of the normalised value.';
COMMENT ON COLUMN laras.contact_identity.created_at IS 'First seen.';
ALTER TABLE laras.contact_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.contact_identity FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.contact_identity TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.contact_identity TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.contact_identity TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.contact_identity', '');

-- Words of contacts' names, by which the classifier knows a text that names somebody else.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.contact_name_word (
  workspace_id bigint NOT NULL,
  word_index bytea NOT NULL CHECK (octet_length(word_index) = 16),
  contact_id bigint NOT NULL,
  PRIMARY KEY (workspace_id, word_index, contact_id),
  FOREIGN KEY (workspace_id, contact_id) REFERENCES laras.contact (workspace_id, id)
);
CREATE INDEX contact_name_word_contact ON laras.contact_name_word (workspace_id, contact_id);
COMMENT ON TABLE laras.contact_name_word IS 'Words of contacts'' names, by which the classifier knows a text that names somebody else.';
COMMENT ON COLUMN laras.contact_name_word.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.contact_name_word.word_index IS 'Blind index (kind 16) of one word of the name, or of two of them.';
COMMENT ON COLUMN laras.contact_name_word.contact_id IS 'Whose name; of a merged contact, the names of all who became it.';
ALTER TABLE laras.contact_name_word ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.contact_name_word FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.contact_name_word TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.contact_name_word TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.contact_name_word TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.contact_name_word', '');

-- Which contacts became one: the other's rows and key are the kept one's since.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.contact_merge (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  contact_id bigint NOT NULL,
  merged_id bigint NOT NULL,
  slot bigint NOT NULL,
  reason laras.sealed NOT NULL,
  merged_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, contact_id) REFERENCES laras.contact (workspace_id, id)
);
CREATE INDEX contact_merge_contact ON laras.contact_merge (workspace_id, contact_id);
COMMENT ON TABLE laras.contact_merge IS 'Which contacts became one: the other''s rows and key are the kept one''s since.';
COMMENT ON COLUMN laras.contact_merge.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.contact_merge.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.contact_merge.contact_id IS 'The contact that was kept.';
COMMENT ON COLUMN laras.contact_merge.merged_id IS 'Id of the one that became part of it; no row has it any more.';
COMMENT ON COLUMN laras.contact_merge.slot IS 'Key slot of that one: what was sealed before the merge names it still.';
COMMENT ON COLUMN laras.contact_merge.reason IS 'Words of who merged them.';
COMMENT ON COLUMN laras.contact_merge.merged_at IS 'When.';
ALTER TABLE laras.contact_merge ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.contact_merge FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.contact_merge TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.contact_merge TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.contact_merge TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.contact_merge', '');

-- A post that people comment on. Comments are kept below posts of the connected account alone: where an event does not say whose post it is, the provider is asked.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.post (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  post_index bytea NOT NULL CHECK (octet_length(post_index) = 16),
  provider_post_id laras.sealed NOT NULL,
  state text NOT NULL
    CHECK (state IN ('asked', 'own', 'foreign')),
  asked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, connection_id, post_index),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
COMMENT ON TABLE laras.post IS 'A post that people comment on. Comments are kept below posts of the connected account alone: where an event does not say whose post it is, the provider is asked.';
COMMENT ON COLUMN laras.post.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.post.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.post.connection_id IS 'Connection; the row goes with a disconnect.';
COMMENT ON COLUMN laras.post.post_index IS 'Blind index (kind 14) of the id at the provider.';
COMMENT ON COLUMN laras.post.provider_post_id IS 'Id at the provider.';
COMMENT ON COLUMN laras.post.state IS 'own, foreign, or asked while the provider is asked.';
COMMENT ON COLUMN laras.post.asked_at IS 'When the provider was asked last.';
COMMENT ON COLUMN laras.post.created_at IS 'First comment.';
ALTER TABLE laras.post ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.post FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.post TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.post TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.post TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.post', '');

-- The exchange between one contact and one connection: their direct messages, or what they say below one comment of a post.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.conversation (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  channel text NOT NULL,
  surface text NOT NULL DEFAULT 'message'
    CHECK (surface IN ('message', 'comment')),
  thread_index bytea NOT NULL DEFAULT '',
  post_id bigint,
  state text NOT NULL DEFAULT 'open'
    CHECK (state IN ('open', 'waiting', 'closed')),
  last_inbound_at timestamptz,
  last_message_at timestamptz,
  unread integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, connection_id, contact_id, thread_index),
  CHECK (octet_length(thread_index) = CASE surface WHEN 'comment' THEN 16 ELSE 0 END),
  FOREIGN KEY (workspace_id, contact_id) REFERENCES laras.contact (workspace_id, id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
CREATE INDEX conversation_contact ON laras.conversation (workspace_id, contact_id);
CREATE INDEX conversation_recent ON laras.conversation (workspace_id, last_message_at);
COMMENT ON TABLE laras.conversation IS 'The exchange between one contact and one connection: their direct messages, or what they say below one comment of a post.';
COMMENT ON COLUMN laras.conversation.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.conversation.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.conversation.connection_id IS 'Connection (a tombstone after a disconnect).';
COMMENT ON COLUMN laras.conversation.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.conversation.channel IS 'Channel.';
COMMENT ON COLUMN laras.conversation.surface IS 'message: direct messages, of which a contact and a connection have one exchange; comment: in public, one a thread.';
COMMENT ON COLUMN laras.conversation.thread_index IS 'Blind index (kind 12) of the comment that the thread stands below; empty for direct messages.';
COMMENT ON COLUMN laras.conversation.post_id IS 'The post that a thread of comments stands below, where it is known (a row of laras.post that may have gone with its connection).';
COMMENT ON COLUMN laras.conversation.state IS 'State.';
COMMENT ON COLUMN laras.conversation.last_inbound_at IS 'Provider time of the last message of the person: opens the window.';
COMMENT ON COLUMN laras.conversation.last_message_at IS 'Time of the last message in either direction.';
COMMENT ON COLUMN laras.conversation.unread IS 'Inbound messages nobody has seen.';
COMMENT ON COLUMN laras.conversation.created_at IS 'First message.';
ALTER TABLE laras.conversation ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.conversation FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.conversation TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.conversation TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.conversation TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.conversation', '');

-- One message in either direction.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.message (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  connection_id bigint NOT NULL,
  slot bigint NOT NULL,
  channel text NOT NULL,
  direction text NOT NULL
    CHECK (direction IN ('in', 'out')),
  kind text NOT NULL,
  body laras.sealed,
  element laras.sealed,
  provider_message_id laras.sealed,
  provider_message_index bytea CHECK (octet_length(provider_message_index) = 16),
  event_index bytea CHECK (octet_length(event_index) = 16),
  provider_timestamp timestamptz,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  status text NOT NULL
    CHECK (status IN ('received', 'queued', 'sent', 'delivered', 'read', 'played', 'failed', 'uncertain', 'cancelled')),
  error_code integer,
  author_kind text NOT NULL
    CHECK (author_kind IN ('contact', 'member', 'draft', 'key', 'service', 'app')),
  author_id bigint,
  about_index bytea CHECK (octet_length(about_index) = 16),
  historical boolean NOT NULL DEFAULT false,
  edited_at timestamptz,
  unsent_at timestamptz,
  hidden_at timestamptz,
  parsed_by smallint,
  sentiment laras.sealed,
  -- it is measured where laras.processes() allows service, and nowhere else
  sentiment_purpose text GENERATED ALWAYS AS (CASE WHEN sentiment IS NOT NULL THEN 'service' END) STORED,
  text_state text CHECK (text_state IN ('asked', 'gone', 'not_allowed', 'failed')),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, event_index),
  FOREIGN KEY (workspace_id, conversation_id) REFERENCES laras.conversation (workspace_id, id),
  FOREIGN KEY (workspace_id, contact_id) REFERENCES laras.contact (workspace_id, id)
);
-- By the provider's time, or else ours. CASE and not coalesce: of that, the server would not look up what row security has not let through yet.
CREATE INDEX message_conversation ON laras.message (workspace_id, conversation_id,
  (CASE WHEN provider_timestamp IS NULL THEN created_at ELSE provider_timestamp END), id);
CREATE INDEX message_contact ON laras.message (workspace_id, contact_id);
CREATE UNIQUE INDEX message_provider ON laras.message (workspace_id, provider_message_index) WHERE provider_message_index IS NOT NULL;
CREATE INDEX message_about ON laras.message (workspace_id, about_index) WHERE about_index IS NOT NULL;
CREATE INDEX message_unsupported ON laras.message (channel, parsed_by, workspace_id, id) WHERE kind = 'unsupported';
CREATE INDEX message_text_asked ON laras.message (workspace_id, id) WHERE text_state = 'asked';
COMMENT ON TABLE laras.message IS 'One message in either direction.';
COMMENT ON COLUMN laras.message.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.message.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.message.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.message.contact_id IS 'The person it is from or to.';
COMMENT ON COLUMN laras.message.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.message.slot IS 'Slot that seals body, element and provider id.';
COMMENT ON COLUMN laras.message.channel IS 'Channel.';
COMMENT ON COLUMN laras.message.direction IS 'Direction.';
COMMENT ON COLUMN laras.message.kind IS 'text, template, image, video, audio, voice, document, sticker, location, contacts, button, list, flow, call_permission, order, reaction, system, welcome, call, edit, unsend, auto_reply, list_mail, bounce, unsupported; in public: comment, live_comment, mention, hide, show; private_reply: a direct message in answer to a comment.';
COMMENT ON COLUMN laras.message.body IS 'Text.';
COMMENT ON COLUMN laras.message.element IS 'The JSON element of the provider, kept whole where laras does not read it yet.';
COMMENT ON COLUMN laras.message.provider_message_id IS 'Id at the provider (a WhatsApp id contains the phone number).';
COMMENT ON COLUMN laras.message.provider_message_index IS 'Blind index (kind 10) of that id.';
COMMENT ON COLUMN laras.message.event_index IS 'Blind index (kind 11) of the event key: a repeated event changes nothing.';
COMMENT ON COLUMN laras.message.provider_timestamp IS 'Time by the provider (of the hand-off for outbound ones).';
COMMENT ON COLUMN laras.message.created_at IS 'When laras stored it.';
COMMENT ON COLUMN laras.message.status IS 'Status; only climbs.';
COMMENT ON COLUMN laras.message.error_code IS 'Error code of the provider where it failed.';
COMMENT ON COLUMN laras.message.author_kind IS 'Who wrote it; app: the business, in the provider''s own app.';
COMMENT ON COLUMN laras.message.author_id IS 'Random id of the member or key.';
COMMENT ON COLUMN laras.message.about_index IS 'Blind index (kind 10) of the provider id of the message it answers, reacts to, edits or unsends.';
COMMENT ON COLUMN laras.message.historical IS 'Imported with the past of the account: opens no window and asks for no answer.';
COMMENT ON COLUMN laras.message.edited_at IS 'When it was edited last, by the provider.';
COMMENT ON COLUMN laras.message.unsent_at IS 'When it was unsent; its content went then.';
COMMENT ON COLUMN laras.message.hidden_at IS 'When a comment was hidden from the public; null once it is shown again.';
COMMENT ON COLUMN laras.message.parsed_by IS 'Version of the driver that found it unsupported; a later one reads it again.';
COMMENT ON COLUMN laras.message.sentiment IS 'How an inbound text sounds: a decimal number from -1 (negative) to 1 (positive).';
COMMENT ON COLUMN laras.message.sentiment_purpose IS 'What it was measured for: service, and never anything else; null where it was not.';
COMMENT ON COLUMN laras.message.text_state IS 'Of a mention that came without its text: asked (the provider is asked for it), gone (there is nothing any more), not_allowed (the provider shows it to nobody with these permissions), failed (asked as often as it is asked); null once it is there, and where it came along.';
ALTER TABLE laras.message ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.message FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.message TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.message TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.message TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.message', '');

-- Which comments were answered in private: providers allow one such message a comment.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.private_reply (
  workspace_id bigint NOT NULL,
  comment_id bigint NOT NULL,
  message_id bigint NOT NULL,
  connection_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  tries integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, comment_id),
  FOREIGN KEY (workspace_id, comment_id) REFERENCES laras.message (workspace_id, id),
  FOREIGN KEY (workspace_id, message_id) REFERENCES laras.message (workspace_id, id)
);
CREATE INDEX private_reply_contact ON laras.private_reply (workspace_id, contact_id);
CREATE INDEX private_reply_message ON laras.private_reply (workspace_id, message_id);
COMMENT ON TABLE laras.private_reply IS 'Which comments were answered in private: providers allow one such message a comment.';
COMMENT ON COLUMN laras.private_reply.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.private_reply.comment_id IS 'The comment, a row of laras.message.';
COMMENT ON COLUMN laras.private_reply.message_id IS 'The message that answers it, the last one where an earlier was certainly not sent.';
COMMENT ON COLUMN laras.private_reply.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.private_reply.contact_id IS 'Who commented.';
COMMENT ON COLUMN laras.private_reply.tries IS 'Messages that were written for it; all but the last were certainly not sent.';
COMMENT ON COLUMN laras.private_reply.created_at IS 'When the last was written.';
ALTER TABLE laras.private_reply ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.private_reply FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.private_reply TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.private_reply TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.private_reply TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.private_reply', '');

-- What belongs to a message beside its text: a picture, a place, a card, a choice, the advertisement it came from.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.message_part (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  message_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  position smallint NOT NULL,
  kind text NOT NULL,
  content laras.sealed NOT NULL,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, message_id) REFERENCES laras.message (workspace_id, id)
);
CREATE INDEX message_part_message ON laras.message_part (workspace_id, message_id, position);
CREATE INDEX message_part_contact ON laras.message_part (workspace_id, contact_id);
COMMENT ON TABLE laras.message_part IS 'What belongs to a message beside its text: a picture, a place, a card, a choice, the advertisement it came from.';
COMMENT ON COLUMN laras.message_part.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.message_part.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.message_part.message_id IS 'Message.';
COMMENT ON COLUMN laras.message_part.contact_id IS 'The person it is from or to.';
COMMENT ON COLUMN laras.message_part.position IS 'Order within the message, from 0.';
COMMENT ON COLUMN laras.message_part.kind IS 'image, video, audio, voice, document, sticker, location, contact, choice, flow, order, call, call_permission, system; about the message: context, thread, quoted, referral, identity, group, extra.';
COMMENT ON COLUMN laras.message_part.content IS 'JSON in the provider''s own members.';
COMMENT ON COLUMN laras.message_part.created_at IS 'When laras stored it.';
ALTER TABLE laras.message_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.message_part FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.message_part TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.message_part TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.message_part TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.message_part', '');

-- Every status a provider reported of a message, in the order of arrival; contradictory ones too.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.message_status (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  message_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  status text NOT NULL
    CHECK (status IN ('accepted', 'held', 'sent', 'delivered', 'read', 'played', 'failed', 'deleted')),
  provider_timestamp timestamptz,
  received_at timestamptz NOT NULL DEFAULT laras.now(),
  error_code integer,
  error_details laras.sealed,
  event_index bytea NOT NULL CHECK (octet_length(event_index) = 16),
  billable boolean,
  pricing_category text,
  pricing_type text,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, event_index),
  FOREIGN KEY (workspace_id, message_id) REFERENCES laras.message (workspace_id, id)
);
CREATE INDEX message_status_message ON laras.message_status (workspace_id, message_id);
CREATE INDEX message_status_contact ON laras.message_status (workspace_id, contact_id);
COMMENT ON TABLE laras.message_status IS 'Every status a provider reported of a message, in the order of arrival; contradictory ones too.';
COMMENT ON COLUMN laras.message_status.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.message_status.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.message_status.message_id IS 'Message.';
COMMENT ON COLUMN laras.message_status.contact_id IS 'The person it concerns.';
COMMENT ON COLUMN laras.message_status.status IS 'Status as reported.';
COMMENT ON COLUMN laras.message_status.provider_timestamp IS 'Time by the provider.';
COMMENT ON COLUMN laras.message_status.received_at IS 'When laras heard of it.';
COMMENT ON COLUMN laras.message_status.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.message_status.error_details IS 'Words of the provider about the error.';
COMMENT ON COLUMN laras.message_status.event_index IS 'Blind index (kind 11) of the event key.';
COMMENT ON COLUMN laras.message_status.billable IS 'Does the provider charge for the message? Null where it does not say.';
COMMENT ON COLUMN laras.message_status.pricing_category IS 'Category of the provider''s price list: marketing, utility, authentication, service, ...';
COMMENT ON COLUMN laras.message_status.pricing_type IS 'regular, free_customer_service, free_entry_point.';
ALTER TABLE laras.message_status ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.message_status FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.message_status TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.message_status TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.message_status TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.message_status', '');

-- A status that came before the message it speaks of is known (the answer of the send is still on its way, or was lost); joined later, dropped after 7 days.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.unmatched_status (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  provider_message_index bytea NOT NULL CHECK (octet_length(provider_message_index) = 16),
  event_index bytea NOT NULL CHECK (octet_length(event_index) = 16),
  status text NOT NULL
    CHECK (status IN ('sent', 'delivered', 'read', 'played', 'failed', 'deleted')),
  provider_timestamp timestamptz,
  received_at timestamptz NOT NULL DEFAULT laras.now(),
  error_code integer,
  billable boolean,
  pricing_category text,
  pricing_type text,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, event_index)
);
CREATE INDEX unmatched_status_message ON laras.unmatched_status (workspace_id, provider_message_index);
CREATE INDEX unmatched_status_connection ON laras.unmatched_status (workspace_id, connection_id);
COMMENT ON TABLE laras.unmatched_status IS 'A status that came before the message it speaks of is known (the answer of the send is still on its way, or was lost); joined later, dropped after 7 days and counted as ignored (unknown_message). stat_courier.unmatched counts what waits.';
COMMENT ON COLUMN laras.unmatched_status.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.unmatched_status.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.unmatched_status.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.unmatched_status.provider_message_index IS 'Blind index (kind 10) of the message id.';
COMMENT ON COLUMN laras.unmatched_status.event_index IS 'Blind index (kind 11) of the event key.';
COMMENT ON COLUMN laras.unmatched_status.status IS 'Status as reported.';
COMMENT ON COLUMN laras.unmatched_status.provider_timestamp IS 'Time by the provider.';
COMMENT ON COLUMN laras.unmatched_status.received_at IS 'When laras heard of it.';
COMMENT ON COLUMN laras.unmatched_status.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.unmatched_status.billable IS 'Does the provider charge for the message?';
COMMENT ON COLUMN laras.unmatched_status.pricing_category IS 'Category of the provider''s price list.';
COMMENT ON COLUMN laras.unmatched_status.pricing_type IS 'Type of the provider''s price list.';
ALTER TABLE laras.unmatched_status ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.unmatched_status FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.unmatched_status TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.unmatched_status TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.unmatched_status TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.unmatched_status', '');

-- What the owner should see: a failed send, a refused send, an account problem.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.notice (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  kind text NOT NULL,
  connection_id bigint,
  conversation_id bigint,
  message_id bigint,
  code integer,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  seen_at timestamptz,
  details laras.sealed,
  event_index bytea CHECK (octet_length(event_index) = 16),
  reason text,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, event_index)
);
CREATE INDEX notice_message ON laras.notice (workspace_id, message_id);
CREATE INDEX notice_conversation ON laras.notice (workspace_id, conversation_id);
COMMENT ON TABLE laras.notice IS 'What the owner should see: a failed send, a refused send, an account problem.';
COMMENT ON COLUMN laras.notice.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.notice.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.notice.kind IS 'connect_failed (connection_id: what pair_connection returned; evidence_log has the reason), send_failed, send_refused, sending_paused (connection_id: it does not answer), window_closed, uncertain, sent_twice (it was uncertain, was sent again, and both were taken), settled_otherwise (the provider says otherwise than who decided of an uncertain message: settle_message), needs_reauth, account_event, account_error, template_event, quality_event, name_event, limit_event, flow_event, group_event, call_event, mention_event, unsubscribed (connection_id: the provider no longer sends its events), resubscribed (it had stopped, and sends again), access_lost (the access was taken away there; the connection is cut), mention_unread (the text of a mention could not be had; comments.text_state says why), media_failed (bytes of the message could not be had), media_over_quota (there is no room left for them), follow_up_stopped (connection_id: the template of a rule for following up is not proposed any more; details and follow_up_rule.state say why).';
COMMENT ON COLUMN laras.notice.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.notice.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.notice.message_id IS 'Message.';
COMMENT ON COLUMN laras.notice.code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.notice.reason IS 'Why the message did not leave, as laras.send_reason has it; null where the notice is about something else.';
COMMENT ON COLUMN laras.notice.created_at IS 'When.';
COMMENT ON COLUMN laras.notice.seen_at IS 'When somebody saw it.';
COMMENT ON COLUMN laras.notice.details IS 'JSON of what the provider said about the account, or of the rule that stopped; no customer in it.';
COMMENT ON COLUMN laras.notice.event_index IS 'Blind index (kind 11) of the event key: a repeated event is told once.';
ALTER TABLE laras.notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.notice FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.notice TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.notice TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.notice TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.notice', '');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('contact', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'id', 'contact', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'slot', 'contact', NULL, NULL, 'number of a key slot', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'name', 'contact', 5, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'profile', 'contact', 7, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'state', 'contact', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'created_at', 'contact', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'opt_out_at', 'contact', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'opt_in_at', 'contact', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'consent_basis', 'contact', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact', 'consent_stated_at', 'contact', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('suppression', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'keep', 'none', 'none', 'delete', 'optout: the wish not to be written to outlives the contact', 'workspace'),
  ('suppression', 'hash', 'suppression', NULL, NULL, 'keyed hash, dies with the workspace', 'none', 'keep', 'none', 'none', 'delete', 'optout: the wish not to be written to outlives the contact', 'workspace'),
  ('suppression', 'opted_out_at', 'suppression', NULL, NULL, 'a time', 'none', 'keep', 'none', 'none', 'delete', 'optout: the wish not to be written to outlives the contact', 'workspace'),
  ('contact_name_word', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('contact_name_word', 'word_index', 'contact', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_name_word', 'contact_id', 'contact', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'id', 'contact', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'contact_id', 'contact', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'merged_id', 'contact', NULL, NULL, 'random id of a row that is gone', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'slot', 'contact', NULL, NULL, 'number of a key slot', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'reason', 'contact', 43, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_merge', 'merged_at', 'contact', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'connection_id', 'account_reference', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'post_index', 'account_reference', NULL, NULL, 'keyed hash, deleted with the connection', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'provider_post_id', 'account_reference', 30, 'connection', NULL, 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'state', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'asked_at', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('post', 'created_at', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'comment_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'connection_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'tries', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('private_reply', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'id', 'contact', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'contact_id', 'contact', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'channel', 'contact', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'kind', 'contact', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'value', 'contact', 6, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'index_epoch', 'contact', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'value_index', 'contact', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('contact_identity', 'created_at', 'contact', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'id', 'message', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'connection_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'channel', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'surface', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'thread_index', 'message', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'post_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'state', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'last_inbound_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'last_message_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'unread', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('conversation', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'id', 'message', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'conversation_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'connection_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'slot', 'message', NULL, NULL, 'number of a key slot', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'channel', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'direction', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'kind', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'body', 'message', 17, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'element', 'message', 10, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'provider_message_id', 'message', 11, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'provider_message_index', 'message', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'event_index', 'message', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'provider_timestamp', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'status', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'error_code', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'author_kind', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'author_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'null', 'none', 'delete', NULL, NULL),
  ('message', 'about_index', 'message', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'historical', 'message', NULL, NULL, 'yes or no', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'edited_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'unsent_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'hidden_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'parsed_by', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'sentiment', 'message', 29, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'sentiment_purpose', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message', 'text_state', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'id', 'message', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'position', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'kind', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'content', 'message', 27, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_part', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'id', 'message', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'status', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'provider_timestamp', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'received_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'error_code', 'message', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'error_details', 'message', 24, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'event_index', 'message', NULL, NULL, 'keyed hash, deleted with the contact', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'billable', 'message', NULL, NULL, 'yes or no', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'pricing_category', 'message', NULL, NULL, 'a word of the provider''s price list, letters and digits', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('message_status', 'pricing_type', 'message', NULL, NULL, 'a word of the provider''s price list, letters and digits', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'id', 'message', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'connection_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'provider_message_index', 'message', NULL, NULL, 'keyed hash, dropped after 7 days', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'event_index', 'message', NULL, NULL, 'keyed hash, dropped after 7 days', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'status', 'message', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'provider_timestamp', 'message', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'received_at', 'message', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'error_code', 'message', NULL, NULL, 'a number without a person in it', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'billable', 'message', NULL, NULL, 'yes or no', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'pricing_category', 'message', NULL, NULL, 'a word of the provider''s price list, letters and digits', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('unmatched_status', 'pricing_type', 'message', NULL, NULL, 'a word of the provider''s price list, letters and digits', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'id', 'delivery_log', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'kind', 'delivery_log', NULL, NULL, 'a word from a fixed list', 'none', 'anonymise', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'connection_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'conversation_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'null', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'message_id', 'delivery_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'null', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'code', 'delivery_log', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'reason', 'delivery_log', NULL, NULL, 'a word from a fixed list', 'none', 'null', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'created_at', 'delivery_log', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'seen_at', 'delivery_log', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'details', 'delivery_log', 28, 'connection', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('notice', 'event_index', 'delivery_log', NULL, NULL, 'keyed hash of an event of the account', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);

-- What applications read: revealed, of the bound workspace only, for principals with scope inbox.
SET LOCAL ROLE laras_owner;
CREATE VIEW laras.contacts AS
  SELECT c.id,
    laras.reveal(c.name, c.id, 5::smallint) AS name,
    c.state,
    c.created_at,
    c.opt_out_at,
    c.opt_in_at,
    coalesce(c.consent_basis, CASE WHEN EXISTS (SELECT FROM laras.conversation v WHERE v.workspace_id = c.workspace_id
      AND v.contact_id = c.id AND v.last_inbound_at IS NOT NULL) THEN 'wrote' END) AS consent_basis,
    c.consent_stated_at
  FROM laras.contact c WHERE laras.may('inbox');
COMMENT ON VIEW laras.contacts IS 'People who wrote to the business.';
COMMENT ON COLUMN laras.contacts.id IS 'Id.';
COMMENT ON COLUMN laras.contacts.name IS 'Name as the provider gave it; null once erased.';
COMMENT ON COLUMN laras.contacts.state IS 'active, restricted or erasing.';
COMMENT ON COLUMN laras.contacts.created_at IS 'First seen.';
COMMENT ON COLUMN laras.contacts.opt_out_at IS 'When the person opted out; null when they did not, or opted in since.';
COMMENT ON COLUMN laras.contacts.opt_in_at IS 'When the person asked to be written to again.';
COMMENT ON COLUMN laras.contacts.consent_basis IS 'On what the business may know them: what it stated (consent, contract, legitimate_interest), else wrote: they wrote to it themselves; null: neither.';
COMMENT ON COLUMN laras.contacts.consent_stated_at IS 'When the business stated it; null: it did not.';
GRANT SELECT ON laras.contacts TO laras_app, laras_service;

CREATE VIEW laras.contact_identities AS
  SELECT i.id,
    i.contact_id,
    i.channel,
    CASE i.kind WHEN 1 THEN 'phone' WHEN 2 THEN 'wa_id' WHEN 3 THEN 'bsuid' WHEN 4 THEN 'igsid' WHEN 5 THEN 'psid' WHEN 6 THEN 'username' WHEN 7 THEN 'threads_id' WHEN 8 THEN 'telegram_id' WHEN 9 THEN 'email' WHEN 13 THEN 'external' END AS kind,
    laras.reveal(i.value, i.id, 6::smallint) AS value,
    i.created_at
  FROM laras.contact_identity i WHERE laras.may('inbox');
COMMENT ON VIEW laras.contact_identities IS 'The ids under which people are known.';
COMMENT ON COLUMN laras.contact_identities.id IS 'Id.';
COMMENT ON COLUMN laras.contact_identities.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.contact_identities.channel IS 'Channel.';
COMMENT ON COLUMN laras.contact_identities.kind IS 'What kind of id.';
COMMENT ON COLUMN laras.contact_identities.value IS 'The id; null once erased.';
COMMENT ON COLUMN laras.contact_identities.created_at IS 'First seen.';
GRANT SELECT ON laras.contact_identities TO laras_app, laras_service;

CREATE VIEW laras.contact_merges AS
  SELECT g.id,
    g.contact_id,
    g.merged_id,
    laras.reveal(g.reason, g.id, 43::smallint) AS reason,
    g.merged_at
  FROM laras.contact_merge g WHERE laras.may('inbox');
COMMENT ON VIEW laras.contact_merges IS 'Which contacts became one, and why.';
COMMENT ON COLUMN laras.contact_merges.id IS 'Id, as merge_contacts returned it.';
COMMENT ON COLUMN laras.contact_merges.contact_id IS 'The contact that was kept.';
COMMENT ON COLUMN laras.contact_merges.merged_id IS 'Id of the one that became part of it.';
COMMENT ON COLUMN laras.contact_merges.reason IS 'Words of who merged them; null once erased.';
COMMENT ON COLUMN laras.contact_merges.merged_at IS 'When.';
GRANT SELECT ON laras.contact_merges TO laras_app, laras_service;

CREATE VIEW laras.conversations AS
  SELECT c.id,
    c.connection_id,
    c.contact_id,
    c.channel,
    c.state,
    c.last_inbound_at,
    c.last_message_at,
    c.unread,
    c.created_at,
    c.surface,
    c.post_id
  FROM laras.conversation c WHERE laras.may('inbox');
COMMENT ON VIEW laras.conversations IS 'Exchanges between a contact and a connection.';
COMMENT ON COLUMN laras.conversations.id IS 'Id.';
COMMENT ON COLUMN laras.conversations.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.conversations.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.conversations.channel IS 'Channel.';
COMMENT ON COLUMN laras.conversations.state IS 'open, waiting or closed.';
COMMENT ON COLUMN laras.conversations.last_inbound_at IS 'Provider time of the last message of the person: the window counts from here.';
COMMENT ON COLUMN laras.conversations.last_message_at IS 'Last message in either direction.';
COMMENT ON COLUMN laras.conversations.unread IS 'Inbound messages nobody has answered.';
COMMENT ON COLUMN laras.conversations.created_at IS 'First message.';
COMMENT ON COLUMN laras.conversations.surface IS 'message: direct messages; comment: a thread of comments.';
COMMENT ON COLUMN laras.conversations.post_id IS 'The post that a thread of comments stands below.';
GRANT SELECT ON laras.conversations TO laras_app, laras_service;

CREATE VIEW laras.messages AS
  SELECT m.id,
    m.conversation_id,
    m.contact_id,
    m.connection_id,
    m.channel,
    m.direction,
    m.kind,
    laras.reveal(m.body, m.id, 17::smallint) AS body,
    laras.reveal(m.element, m.id, 10::smallint) AS element,
    laras.reveal(m.provider_message_id, m.id, 11::smallint) AS provider_message_id,
    m.provider_timestamp,
    m.created_at,
    m.status,
    m.error_code,
    m.author_kind,
    m.author_id,
    (SELECT t.id FROM laras.message t WHERE t.workspace_id = m.workspace_id
      AND t.provider_message_index = m.about_index) AS about_message_id,
    m.historical,
    m.edited_at,
    m.unsent_at,
    laras.reveal(m.sentiment, m.id, 29::smallint)::real AS sentiment
  FROM laras.message m WHERE laras.may('inbox');
COMMENT ON VIEW laras.messages IS 'Messages in both directions.';
COMMENT ON COLUMN laras.messages.id IS 'Id.';
COMMENT ON COLUMN laras.messages.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.messages.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.messages.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.messages.channel IS 'Channel.';
COMMENT ON COLUMN laras.messages.direction IS 'in or out.';
COMMENT ON COLUMN laras.messages.kind IS 'What it is: laras.message.kind has the list.';
COMMENT ON COLUMN laras.messages.body IS 'Text; null once erased.';
COMMENT ON COLUMN laras.messages.element IS 'JSON element of the provider, where laras does not read it yet.';
COMMENT ON COLUMN laras.messages.provider_message_id IS 'Id at the provider; null once erased.';
COMMENT ON COLUMN laras.messages.provider_timestamp IS 'Time by the provider.';
COMMENT ON COLUMN laras.messages.created_at IS 'When laras stored it.';
COMMENT ON COLUMN laras.messages.status IS 'received; or queued, uncertain, sent, delivered, read, played, failed, cancelled.';
COMMENT ON COLUMN laras.messages.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.messages.author_kind IS 'Who wrote it: contact, member, draft, key or service.';
COMMENT ON COLUMN laras.messages.author_id IS 'Id of the member or key.';
COMMENT ON COLUMN laras.messages.about_message_id IS 'The message it answers, reacts to, edits or unsends, where laras has it.';
COMMENT ON COLUMN laras.messages.historical IS 'Imported with the past of the account.';
COMMENT ON COLUMN laras.messages.edited_at IS 'When it was edited last; body and parts are as they read now.';
COMMENT ON COLUMN laras.messages.unsent_at IS 'When it was unsent; body and parts are gone.';
COMMENT ON COLUMN laras.messages.sentiment IS 'How an inbound text sounds, from -1 (negative) to 1 (positive); null without a text or once erased.';
GRANT SELECT ON laras.messages TO laras_app, laras_service;

CREATE VIEW laras.message_parts AS
  SELECT p.id,
    p.message_id,
    p.position,
    p.kind,
    laras.reveal(p.content, p.id, 27::smallint) AS content,
    p.created_at
  FROM laras.message_part p WHERE laras.may('inbox');
COMMENT ON VIEW laras.message_parts IS 'What belongs to messages beside their text.';
COMMENT ON COLUMN laras.message_parts.id IS 'Id.';
COMMENT ON COLUMN laras.message_parts.message_id IS 'Message.';
COMMENT ON COLUMN laras.message_parts.position IS 'Order within the message, from 0.';
COMMENT ON COLUMN laras.message_parts.kind IS 'What it is: laras.message_part.kind has the list.';
COMMENT ON COLUMN laras.message_parts.content IS 'JSON in the provider''s own members; null once erased.';
COMMENT ON COLUMN laras.message_parts.created_at IS 'When laras stored it.';
GRANT SELECT ON laras.message_parts TO laras_app, laras_service;

CREATE VIEW laras.message_statuses AS
  SELECT s.message_id,
    s.status,
    s.provider_timestamp,
    s.received_at,
    s.error_code,
    laras.reveal(s.error_details, s.id, 24::smallint) AS error_details,
    s.billable,
    s.pricing_category,
    s.pricing_type
  FROM laras.message_status s WHERE laras.may('inbox');
COMMENT ON VIEW laras.message_statuses IS 'Every status reported of a message, contradictory ones too.';
COMMENT ON COLUMN laras.message_statuses.message_id IS 'Message.';
COMMENT ON COLUMN laras.message_statuses.status IS 'Status as reported.';
COMMENT ON COLUMN laras.message_statuses.provider_timestamp IS 'Time by the provider.';
COMMENT ON COLUMN laras.message_statuses.received_at IS 'When laras heard of it.';
COMMENT ON COLUMN laras.message_statuses.error_code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.message_statuses.error_details IS 'Words of the provider; null once erased.';
COMMENT ON COLUMN laras.message_statuses.billable IS 'Does the provider charge for the message? Null where it does not say.';
COMMENT ON COLUMN laras.message_statuses.pricing_category IS 'Category of the provider''s price list.';
COMMENT ON COLUMN laras.message_statuses.pricing_type IS 'Type of the provider''s price list.';
GRANT SELECT ON laras.message_statuses TO laras_app, laras_service;

CREATE VIEW laras.inbox AS
  SELECT c.id AS conversation_id,
    c.contact_id,
    laras.reveal(p.name, p.id, 5::smallint) AS contact_name,
    c.channel,
    c.connection_id,
    c.surface AS kind,
    c.state,
    c.unread,
    c.last_message_at
  FROM laras.conversation c JOIN laras.contact p ON p.workspace_id = c.workspace_id AND p.id = c.contact_id WHERE laras.may('inbox');
COMMENT ON VIEW laras.inbox IS 'Conversations as a list screen shows them, with the name of the person.';
COMMENT ON COLUMN laras.inbox.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.inbox.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.inbox.contact_name IS 'Name of the person.';
COMMENT ON COLUMN laras.inbox.channel IS 'Channel.';
COMMENT ON COLUMN laras.inbox.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.inbox.kind IS 'message: direct messages; comment: a thread of comments below a post.';
COMMENT ON COLUMN laras.inbox.state IS 'open, waiting or closed.';
COMMENT ON COLUMN laras.inbox.unread IS 'Inbound messages nobody has answered.';
COMMENT ON COLUMN laras.inbox.last_message_at IS 'Last message in either direction.';
GRANT SELECT ON laras.inbox TO laras_app, laras_service;

CREATE VIEW laras.comments AS
  SELECT m.id,
    m.conversation_id,
    m.contact_id,
    m.connection_id,
    m.channel,
    m.direction,
    m.kind,
    laras.reveal(m.body, m.id, 17::smallint) AS body,
    laras.reveal(m.provider_message_id, m.id, 11::smallint) AS provider_comment_id,
    (SELECT laras.reveal(p.provider_post_id, p.id, 30::smallint) FROM laras.post p
      WHERE p.workspace_id = v.workspace_id AND p.id = v.post_id) AS provider_post_id,
    (SELECT t.id FROM laras.message t WHERE t.workspace_id = m.workspace_id
      AND t.provider_message_index = m.about_index) AS about_message_id,
    m.provider_timestamp,
    m.created_at,
    m.status,
    m.edited_at,
    m.unsent_at,
    m.hidden_at,
    m.text_state,
    (SELECT r.message_id FROM laras.private_reply r WHERE r.workspace_id = m.workspace_id
      AND r.comment_id = m.id) AS private_reply_id
  FROM laras.message m JOIN laras.conversation v ON v.workspace_id = m.workspace_id AND v.id = m.conversation_id
  WHERE v.surface = 'comment' AND m.kind IN ('comment', 'live_comment', 'mention') AND laras.may('inbox');
COMMENT ON VIEW laras.comments IS 'Comments below the business''s posts, mentions of it, and what it answered in public.';
COMMENT ON COLUMN laras.comments.id IS 'Id, as in laras.messages.';
COMMENT ON COLUMN laras.comments.conversation_id IS 'The exchange with that person in that thread.';
COMMENT ON COLUMN laras.comments.contact_id IS 'Who commented, or is answered.';
COMMENT ON COLUMN laras.comments.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.comments.channel IS 'Channel.';
COMMENT ON COLUMN laras.comments.direction IS 'in, or out for what the business answered.';
COMMENT ON COLUMN laras.comments.kind IS 'comment, live_comment (during a live broadcast) or mention.';
COMMENT ON COLUMN laras.comments.body IS 'Text; null once deleted or erased.';
COMMENT ON COLUMN laras.comments.provider_comment_id IS 'Id at the provider; null once erased.';
COMMENT ON COLUMN laras.comments.provider_post_id IS 'Id of the post at the provider; null where it is unknown, and once the account is disconnected.';
COMMENT ON COLUMN laras.comments.about_message_id IS 'The comment it answers, where laras has it.';
COMMENT ON COLUMN laras.comments.provider_timestamp IS 'Time by the provider.';
COMMENT ON COLUMN laras.comments.created_at IS 'When laras stored it.';
COMMENT ON COLUMN laras.comments.status IS 'As in laras.messages.';
COMMENT ON COLUMN laras.comments.edited_at IS 'When it was edited last.';
COMMENT ON COLUMN laras.comments.unsent_at IS 'When it was deleted; its content went then.';
COMMENT ON COLUMN laras.comments.hidden_at IS 'When it was hidden from the public; null once it is shown again.';
COMMENT ON COLUMN laras.comments.text_state IS 'Of a mention that came without its text: asked, gone, not_allowed or failed, as laras.message.text_state says; null where the text is there.';
COMMENT ON COLUMN laras.comments.private_reply_id IS 'The message that answers it in private.';
GRANT SELECT ON laras.comments TO laras_app, laras_service;

CREATE VIEW laras.private_replies AS
  SELECT r.comment_id,
    r.message_id,
    r.connection_id,
    r.contact_id,
    r.tries,
    r.created_at,
    m.status,
    m.provider_timestamp AS sent_at,
    laras.reveal(m.body, m.id, 17::smallint) AS body
  FROM laras.private_reply r JOIN laras.message m ON m.workspace_id = r.workspace_id AND m.id = r.message_id
  WHERE laras.may('inbox');
COMMENT ON VIEW laras.private_replies IS 'The log of private replies to comments: one a comment.';
COMMENT ON COLUMN laras.private_replies.comment_id IS 'The comment.';
COMMENT ON COLUMN laras.private_replies.message_id IS 'The message that answers it.';
COMMENT ON COLUMN laras.private_replies.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.private_replies.contact_id IS 'Who commented.';
COMMENT ON COLUMN laras.private_replies.tries IS 'Messages that were written for it; all but the last were certainly not sent.';
COMMENT ON COLUMN laras.private_replies.created_at IS 'When the last was written.';
COMMENT ON COLUMN laras.private_replies.status IS 'What became of it, as in laras.messages.';
COMMENT ON COLUMN laras.private_replies.sent_at IS 'When the provider took it.';
COMMENT ON COLUMN laras.private_replies.body IS 'Text; null once erased.';
GRANT SELECT ON laras.private_replies TO laras_app, laras_service;

CREATE VIEW laras.notices AS
  SELECT n.id,
    n.kind,
    n.connection_id,
    n.conversation_id,
    n.message_id,
    n.code,
    n.created_at,
    n.seen_at,
    laras.reveal(n.details, n.id, 28::smallint) AS details,
    n.reason
  FROM laras.notice n WHERE laras.may('inbox');
COMMENT ON VIEW laras.notices IS 'What the owner should see.';
COMMENT ON COLUMN laras.notices.id IS 'Id.';
COMMENT ON COLUMN laras.notices.kind IS 'What happened: laras.notice.kind has the list.';
COMMENT ON COLUMN laras.notices.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.notices.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.notices.message_id IS 'Message.';
COMMENT ON COLUMN laras.notices.code IS 'Error code of the provider.';
COMMENT ON COLUMN laras.notices.reason IS 'Why the message did not leave: laras.send_reason has the words; null where the notice is about something else.';
COMMENT ON COLUMN laras.notices.created_at IS 'When.';
COMMENT ON COLUMN laras.notices.seen_at IS 'When somebody saw it.';
COMMENT ON COLUMN laras.notices.details IS 'JSON of what the provider said about the account: field, event, value; of follow_up_stopped the rule: rule_id, state. Null once the account is disconnected.';
GRANT SELECT ON laras.notices TO laras_app, laras_service;

RESET ROLE;

CREATE FUNCTION laras.set_opt_out(contact_id bigint, opted_out boolean) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_opt_out';
ALTER FUNCTION laras.set_opt_out(bigint, boolean) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_opt_out(bigint, boolean) IS
  'Notes what a person said elsewhere: that they want nothing unasked (true), or want it again (false). True when it changed something. Outlives the contact as keyed hashes of their ids. Needs scope inbox. P0002 for no such contact, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_opt_out(bigint, boolean) TO laras_app, laras_service;

CREATE FUNCTION laras.set_consent_basis(contact_id bigint, basis text) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_consent_basis';
ALTER FUNCTION laras.set_consent_basis(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_consent_basis(bigint, text) IS
  'Notes on what the business may know and write to a person, for which it answers itself: consent, contract or legitimate_interest; wrote takes that back. True when it changed something. A record, with who and when in the evidence: it opens no window and lifts no opt-out. Needs scope inbox. P0002 for no such contact, 22023 for another basis, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_consent_basis(bigint, text) TO laras_app, laras_service;

CREATE FUNCTION laras.merge_contacts(keep bigint, other bigint, reason text) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_merge_contacts';
ALTER FUNCTION laras.merge_contacts(bigint, bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.merge_contacts(bigint, bigint, text) IS
  'Makes two contacts of the workspace one person: ids, conversations, messages and wishes of the other become the kept one''s, and its key, so that an erasure reaches both. Drafts that wait in those conversations end. Returns the id of the merge (laras.contact_merges). Needs scope inbox. P0002 where one is no contact of this workspace, 22023 for the same contact twice or without a reason, 55000 where one is being erased, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.merge_contacts(bigint, bigint, text) TO laras_app, laras_service;

CREATE FUNCTION laras.read_phone(phone text, region text, OUT e164 text, OUT valid boolean, OUT number_region text)
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_read_phone';
COMMENT ON FUNCTION laras.read_phone(text, text) IS
  'Reads a phone number as it is written in a region: in E.164 (null where it is none), whether it is of a range that is given out, and the region it belongs to where the number tells. 22023 for what is no region.';
GRANT EXECUTE ON FUNCTION laras.read_phone(text, text) TO laras_app, laras_service;

CREATE FUNCTION laras.contacts_by_phone(phone text, OUT contact_id bigint, OUT channel text, OUT kind text)
  RETURNS SETOF record
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER ROWS 2
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_contacts_by_phone';
ALTER FUNCTION laras.contacts_by_phone(text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.contacts_by_phone(text) IS
  'The contacts of the workspace that have a phone number, on whatever channel, as a number or as WhatsApp''s id; however it is written, by the habits of the workspace''s region. Needs scope inbox. LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.contacts_by_phone(text) TO laras_app, laras_service;

CREATE FUNCTION laras.window_state(lasts integer, uses integer, enabled boolean, since timestamptz, used integer,
    OUT reason text, OUT closes_at timestamptz)
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_window_state';
COMMENT ON FUNCTION laras.window_state(integer, integer, boolean, timestamptz, integer) IS
  'What a rule of laras.window_rules says now of a window opened at that moment and made use of so often: open, window_closed, never_wrote, window_used or window_not_enabled, and when it closes. The courier decides by the same code.';
GRANT EXECUTE ON FUNCTION laras.window_state(integer, integer, boolean, timestamptz, integer) TO laras_owner, laras_app, laras_service, laras_dba;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.conversation_windows AS
  SELECT c.id AS conversation_id, r.purpose, s.reason, s.closes_at
    FROM laras.conversation c
    JOIN laras.window_rules r ON r.channel = c.channel AND r.opened_by = c.surface AND r.purpose <> 'live_private_reply'
    CROSS JOIN LATERAL laras.window_state(r.lasts, r.uses, r.enabled, c.last_inbound_at,
      CASE WHEN r.purpose <> 'private_reply' THEN 0 ELSE (SELECT pg_catalog.count(*)::integer FROM laras.message t
        JOIN laras.private_reply p ON p.workspace_id = t.workspace_id AND p.comment_id = t.id
        WHERE t.workspace_id = c.workspace_id AND t.conversation_id = c.id AND t.provider_timestamp = c.last_inbound_at) END) s
    WHERE laras.may('inbox');
COMMENT ON VIEW laras.conversation_windows IS 'May a free-form message leave in a conversation now? What the courier will decide, should it be asked this moment.';
COMMENT ON COLUMN laras.conversation_windows.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.conversation_windows.purpose IS 'reply or human_agent; for comments public_reply or private_reply, by the last one: laras.window_rule.purpose has what they mean.';
COMMENT ON COLUMN laras.conversation_windows.reason IS 'open; or why not: window_closed, never_wrote, window_used, window_not_enabled.';
COMMENT ON COLUMN laras.conversation_windows.closes_at IS 'When it closes, or closed; null: it never does, or was never open.';
GRANT SELECT ON laras.conversation_windows TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.conversation_sentiment(conversation_id bigint) RETURNS real
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT (pg_catalog.sum(m.sentiment * pg_catalog.power(0.8, m.back)) / pg_catalog.sum(pg_catalog.power(0.8, m.back)))::real
      FROM (SELECT laras.reveal(t.sentiment, t.id, 29::smallint)::real AS sentiment,
          pg_catalog.row_number() OVER (ORDER BY t.provider_timestamp DESC, t.id DESC) - 1 AS back
        FROM (SELECT x.sentiment, x.id, x.provider_timestamp FROM laras.message x
          WHERE x.workspace_id = (SELECT laras.current_workspace()) AND x.conversation_id = conversation_sentiment.conversation_id
            AND x.sentiment IS NOT NULL AND x.kind <> 'edit' AND laras.may('inbox')
          ORDER BY x.provider_timestamp DESC, x.id DESC LIMIT 20) t) m
      WHERE m.sentiment IS NOT NULL;
  END;
ALTER FUNCTION laras.conversation_sentiment(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.conversation_sentiment(bigint) IS
  'How the customer of a conversation sounds of late, from -1 to 1: the mean of their last 20 texts, each counting a fifth less than the one after it. Null where there is none. Needs scope inbox; without it, null. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.conversation_sentiment(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.mark_notices_seen(notice_ids bigint[]) RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_mark_notices_seen';
ALTER FUNCTION laras.mark_notices_seen(bigint[]) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.mark_notices_seen(bigint[]) IS
  'Notes that somebody saw these notices; how many were not seen before. Ids of no notice are passed over. Needs scope inbox. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.mark_notices_seen(bigint[]) TO laras_app, laras_service;
