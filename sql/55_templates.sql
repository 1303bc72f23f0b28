-- 55_templates: message templates that a provider approves, and that may be sent outside the window.

SET LOCAL ROLE laras_owner;
CREATE TABLE laras.message_template (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  connection_id bigint NOT NULL,
  name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 512),
  language text NOT NULL CHECK (octet_length(language) BETWEEN 2 AND 32),
  category text NOT NULL CHECK (category IN ('marketing', 'utility', 'authentication')),
  components jsonb NOT NULL CHECK (jsonb_typeof(components) = 'array'),
  status text NOT NULL DEFAULT 'draft'
    CHECK (status IN ('draft', 'submitted', 'pending', 'approved', 'rejected', 'paused', 'disabled', 'deleted')),
  reason text,
  quality text NOT NULL DEFAULT 'unknown' CHECK (quality IN ('green', 'yellow', 'red', 'unknown')),
  author text,
  provider_index bytea CHECK (octet_length(provider_index) = 16),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  status_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, connection_id, name, language),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
CREATE INDEX message_template_provider ON laras.message_template (workspace_id, provider_index) WHERE provider_index IS NOT NULL;
COMMENT ON TABLE laras.message_template IS 'Message templates of a connected account: what the provider approved may open a conversation, if the business wrote it.';
COMMENT ON COLUMN laras.message_template.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.message_template.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.message_template.connection_id IS 'Connection through which it is sent.';
COMMENT ON COLUMN laras.message_template.name IS 'Name at the provider.';
COMMENT ON COLUMN laras.message_template.language IS 'Code of its language.';
COMMENT ON COLUMN laras.message_template.category IS 'marketing, utility or authentication; the provider may change it.';
COMMENT ON COLUMN laras.message_template.components IS 'Header, body, footer and buttons, in the provider''s form; the business''s own words.';
COMMENT ON COLUMN laras.message_template.status IS 'draft; submitted: on its way; then what the provider says. Only approved ones are sent.';
COMMENT ON COLUMN laras.message_template.reason IS 'Why it was rejected or not taken: a word of the provider, or provider_<code>.';
COMMENT ON COLUMN laras.message_template.quality IS 'How the provider rates it.';
COMMENT ON COLUMN laras.message_template.author IS 'Who of the business wrote it, or took it on (kind and random id); null: found at the provider, and not sent.';
COMMENT ON COLUMN laras.message_template.provider_index IS 'Blind index (kind 15) of its id at the provider.';
COMMENT ON COLUMN laras.message_template.created_at IS 'When laras met it.';
COMMENT ON COLUMN laras.message_template.status_at IS 'Since when it has its status.';
ALTER TABLE laras.message_template ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.message_template FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.message_template TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.message_template TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.message_template TO laras_worker;

CREATE VIEW laras.message_templates AS
  SELECT t.id, t.connection_id, t.name, t.language, t.category, t.components, t.status, t.reason, t.quality, t.author,
      t.status = 'approved' AND t.author IS NOT NULL AND c.state = 'connected' AS sendable, t.created_at, t.status_at
    FROM laras.message_template t JOIN laras.connection c ON c.workspace_id = t.workspace_id AND c.id = t.connection_id;
COMMENT ON VIEW laras.message_templates IS 'Message templates of the bound workspace, and which of them may be sent.';
COMMENT ON COLUMN laras.message_templates.id IS 'Id, for submit_template, adopt_template and send_template.';
COMMENT ON COLUMN laras.message_templates.connection_id IS 'Connection through which it is sent.';
COMMENT ON COLUMN laras.message_templates.name IS 'Name at the provider.';
COMMENT ON COLUMN laras.message_templates.language IS 'Code of its language.';
COMMENT ON COLUMN laras.message_templates.category IS 'marketing, utility or authentication.';
COMMENT ON COLUMN laras.message_templates.components IS 'Header, body, footer and buttons.';
COMMENT ON COLUMN laras.message_templates.status IS 'draft, submitted, pending, approved, rejected, paused, disabled or deleted.';
COMMENT ON COLUMN laras.message_templates.reason IS 'Why it was rejected or not taken.';
COMMENT ON COLUMN laras.message_templates.quality IS 'green, yellow, red or unknown.';
COMMENT ON COLUMN laras.message_templates.author IS 'Who of the business wrote it or took it on; null: nobody yet.';
COMMENT ON COLUMN laras.message_templates.sendable IS 'Approved, the business''s own, and its account connected.';
COMMENT ON COLUMN laras.message_templates.created_at IS 'When laras met it.';
COMMENT ON COLUMN laras.message_templates.status_at IS 'Since when it has its status.';
GRANT SELECT ON laras.message_templates TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.message_template', '');

CREATE FUNCTION laras.create_template(connection_id bigint, name text, language text, category text, components jsonb) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_create_template';
ALTER FUNCTION laras.create_template(bigint, text, text, text, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.create_template(bigint, text, text, text, jsonb) IS
  'Writes a message template of a connected account and returns its id; submit_template sends it to the provider. components are the provider''s form: [{"type": "BODY", "text": "Halo {{1}}"}]. Needs scope connect. P0002 for no such connection, 0A000 where the channel has no templates, 22023 for what the provider would not take, 23505 for a name and language that is there already. Definer: callers hold no right on the table.';
GRANT EXECUTE ON FUNCTION laras.create_template(bigint, text, text, text, jsonb) TO laras_app, laras_service;

CREATE FUNCTION laras.submit_template(template_id bigint) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_submit_template';
ALTER FUNCTION laras.submit_template(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.submit_template(bigint) IS
  'Sends a template that is a draft, or was not taken, to the provider for approval; what the provider says of it shows in message_templates. Needs scope connect. P0002 for no such template, 55000 where it is there already or its account is not connected, LRK01. Definer: callers hold no right on the table.';
GRANT EXECUTE ON FUNCTION laras.submit_template(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.sync_templates(connection_id bigint) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_sync_templates';
ALTER FUNCTION laras.sync_templates(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.sync_templates(bigint) IS
  'Asks the provider for all templates of the account; the courier brings them in. Those found there have no author and are not sent until adopt_template. Needs scope connect. P0002 for no such connection, 0A000 where the channel has no templates, 55000 where it is not connected, LRK01. Definer: callers hold no right on the table.';
GRANT EXECUTE ON FUNCTION laras.sync_templates(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.adopt_template(template_id bigint) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_adopt_template';
ALTER FUNCTION laras.adopt_template(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.adopt_template(bigint) IS
  'Takes a template that was found at the provider for the business''s own words. Needs scope connect. P0002 for no such template. Definer: callers hold no right on the table.';
GRANT EXECUTE ON FUNCTION laras.adopt_template(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.send_template(conversation_id bigint, template_id bigint, parameters jsonb DEFAULT '{}') RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_send_template';
ALTER FUNCTION laras.send_template(bigint, bigint, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.send_template(bigint, bigint, jsonb) IS
  'Queues a template with its values, {"body": ["Sari"]} or by name, and returns the id of the message. It needs no open window; that it is approved and the business''s own, and that the person wrote or asked to be written to and did not opt out, is decided at hand-off. Needs scope inbox, and the purpose sales for marketing, else service. P0002 for no such conversation or template, 22023 for values that do not fit or a text that is blocked, 55000, LRA03, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.send_template(bigint, bigint, jsonb) TO laras_app, laras_service;

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('message_template', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'connection_id', 'knowledge', NULL, NULL, 'random id of a row of this workspace', 'keep', 'none', 'none', 'none', 'delete', 'names a tombstone', 'workspace'),
  ('message_template', 'name', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'language', 'knowledge', NULL, NULL, 'a code of a language', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'category', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'components', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'status', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'reason', 'knowledge', NULL, NULL, 'a word of the provider', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'quality', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'author', 'knowledge', NULL, NULL, 'random id of a member', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('message_template', 'provider_index', 'account_reference', NULL, NULL, 'keyed hash', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'created_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('message_template', 'status_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);
