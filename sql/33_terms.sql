-- 33_terms: what a partner must have agreed to and configured before messages are processed, and for what.


CREATE FUNCTION laras.check_terms(party text, version text, effective_from date, required_from date, title text) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT
  AS 'MODULE_PATHNAME', 'laras_check_terms';
COMMENT ON FUNCTION laras.check_terms(text, text, date, date, text) IS 'Check constraint of laras.terms: true, or 22023 with the column that is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_terms(text, text, date, date, text) TO laras_owner, laras_dba;

-- Terms that bind a partner: its own with the operator, and those of each provider. Rows of origin local are the operator's.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.terms (
  party text NOT NULL,
  version text NOT NULL,
  origin text NOT NULL DEFAULT 'local' CHECK (origin IN ('laras', 'local')),
  effective_from date NOT NULL,
  required_from date,
  title text NOT NULL,
  url text,
  PRIMARY KEY (party, version),
  CHECK (laras.check_terms(party, version, effective_from, required_from, title))
);
COMMENT ON TABLE laras.terms IS 'Terms that bind a partner: its own with the operator, and those of each provider. Rows of origin local are the operator''s.';
COMMENT ON COLUMN laras.terms.party IS 'partner: the terms between operator and partner, liability and consent of customers among them; else the channel whose provider made them.';
COMMENT ON COLUMN laras.terms.version IS 'Name of the version.';
COMMENT ON COLUMN laras.terms.origin IS 'laras: came with the extension, not dumped; local: made by the operator.';
COMMENT ON COLUMN laras.terms.effective_from IS 'Of the versions of a party the latest that is effective is in force.';
COMMENT ON COLUMN laras.terms.required_from IS 'From then on nothing is processed for a workspace that agreed neither to this version nor to a later one; null: never so.';
COMMENT ON COLUMN laras.terms.title IS 'What they are called.';
COMMENT ON COLUMN laras.terms.url IS 'Where they can be read.';
ALTER TABLE laras.terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.terms FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.terms FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.terms TO laras_owner USING (true) WITH CHECK (true);
CREATE POLICY operator ON laras.terms TO laras_dba USING (origin = 'local') WITH CHECK (origin = 'local');
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.terms TO laras_dba;
GRANT SELECT ON laras.terms TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.terms', $$WHERE origin = 'local'$$);

INSERT INTO laras.terms (party, version, origin, effective_from, title, url) VALUES
  ('partner', '1', 'laras', '2026-01-01', 'Terms between operator and partner: own service and sales alone, consent of its customers, liability', NULL),
  ('whatsapp', '1', 'laras', '2026-01-01', 'WhatsApp Business Messaging Policy and Business Terms', 'https://business.whatsapp.com/policy'),
  ('instagram', '1', 'laras', '2026-01-01', 'Meta Platform Terms and Developer Policies', 'https://developers.facebook.com/terms/'),
  ('messenger', '1', 'laras', '2026-01-01', 'Meta Platform Terms and Developer Policies', 'https://developers.facebook.com/terms/'),
  ('threads', '1', 'laras', '2026-01-01', 'Meta Platform Terms and Developer Policies', 'https://developers.facebook.com/terms/'),
  ('telegram', '1', 'laras', '2026-01-01', 'Telegram Bot Platform Developer Terms of Service', 'https://telegram.org/tos/bot-developers');

-- Who agreed to which terms for a workspace, and when: a legal record, which outlives the workspace (so no foreign key).
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.terms_acceptance (
  workspace_id bigint NOT NULL,
  party text NOT NULL,
  version text NOT NULL,
  accepted_by text NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, party, version)
);
COMMENT ON TABLE laras.terms_acceptance IS 'Who agreed to which terms for a workspace, and when: a legal record, which outlives the workspace.';
COMMENT ON COLUMN laras.terms_acceptance.workspace_id IS 'Workspace that is bound by it.';
COMMENT ON COLUMN laras.terms_acceptance.party IS 'Party of laras.terms.';
COMMENT ON COLUMN laras.terms_acceptance.version IS 'Version agreed to.';
COMMENT ON COLUMN laras.terms_acceptance.accepted_by IS 'Principal: member and random id, or the service.';
COMMENT ON COLUMN laras.terms_acceptance.accepted_at IS 'When.';
ALTER TABLE laras.terms_acceptance ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.terms_acceptance FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.terms_acceptance TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.terms_acceptance TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT ON laras.terms_acceptance TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.terms_acceptance', '');

-- What messages of a channel are processed for. Without a row they are kept for the inbox and nothing else is done with them.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.channel_handling (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  channel text NOT NULL REFERENCES laras.provider,
  purposes text[] NOT NULL CHECK (purposes <@ ARRAY['service', 'sales']),
  configured_by text NOT NULL,
  configured_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, channel)
);
COMMENT ON TABLE laras.channel_handling IS 'What messages of a channel are processed for. Without a row they are kept for the inbox and nothing else is done with them.';
COMMENT ON COLUMN laras.channel_handling.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.channel_handling.channel IS 'Channel.';
COMMENT ON COLUMN laras.channel_handling.purposes IS 'service: answering who writes; sales: following up on what they asked. Nothing else is a purpose.';
COMMENT ON COLUMN laras.channel_handling.configured_by IS 'Principal (kind and random id).';
COMMENT ON COLUMN laras.channel_handling.configured_at IS 'When it was last configured.';
ALTER TABLE laras.channel_handling ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.channel_handling FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.channel_handling TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.channel_handling TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.channel_handling TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.channel_handling', '');

-- The one question that stands before every processing.
CREATE FUNCTION laras.processes(workspace_id bigint, channel text, purpose text) RETURNS boolean
  LANGUAGE sql STABLE PARALLEL SAFE
  BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM laras.channel_handling h WHERE h.workspace_id = processes.workspace_id
      AND h.channel = processes.channel AND processes.purpose = ANY (h.purposes))
    AND NOT EXISTS (SELECT FROM laras.terms t WHERE t.party IN ('partner', processes.channel) AND t.required_from <= laras.now()
      AND NOT EXISTS (SELECT FROM laras.terms l JOIN laras.terms_acceptance a ON a.party = l.party AND a.version = l.version
        WHERE a.workspace_id = processes.workspace_id AND l.party = t.party AND (l.effective_from, l.version) >= (t.effective_from, t.version)));
  END;
COMMENT ON FUNCTION laras.processes(bigint, text, text) IS 'May messages of this channel be processed for that purpose? Only once the partner has agreed to the terms and configured the channel, and while no newer terms are required that it has not agreed to.';
GRANT EXECUTE ON FUNCTION laras.processes(bigint, text, text) TO laras_owner, laras_worker;

-- Every window stands on a version of the provider's terms.
UPDATE laras.window_rule r SET terms_version = t.version FROM laras.terms t WHERE t.party = r.channel;
UPDATE laras.limit_rule r SET terms_version = t.version FROM laras.terms t WHERE t.party = r.channel;

-- What providers say of software that answers. Rows of origin local are the operator's and win.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.ai_rule (
  channel text NOT NULL REFERENCES laras.provider,
  rule text NOT NULL CHECK (rule IN ('own_scope', 'no_training')),
  origin text NOT NULL DEFAULT 'local' CHECK (origin IN ('laras', 'local')),
  enabled boolean NOT NULL DEFAULT true,
  remark text NOT NULL,
  terms_version text,
  PRIMARY KEY (channel, rule, origin),
  CHECK (enabled OR rule <> 'own_scope')
);
COMMENT ON TABLE laras.ai_rule IS 'What providers say of software that answers. Rows of origin local are the operator''s and win.';
COMMENT ON COLUMN laras.ai_rule.channel IS 'Channel.';
COMMENT ON COLUMN laras.ai_rule.rule IS 'own_scope: it answers about the business and nothing else (verdict off_scope), always; no_training: a language model is asked only where its provider is told not to train on what it gets (llm_trains).';
COMMENT ON COLUMN laras.ai_rule.origin IS 'laras: came with the extension, not dumped; local: made by the operator, in force instead.';
COMMENT ON COLUMN laras.ai_rule.enabled IS 'False: the rule does not hold; own_scope always does.';
COMMENT ON COLUMN laras.ai_rule.remark IS 'Where the rule stands, or why the operator made it.';
COMMENT ON COLUMN laras.ai_rule.terms_version IS 'Version of the provider''s terms that it follows (laras.terms); null: none, or not said.';
ALTER TABLE laras.ai_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.ai_rule FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.ai_rule FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.ai_rule TO laras_owner USING (true) WITH CHECK (true);
CREATE POLICY operator ON laras.ai_rule TO laras_dba USING (origin = 'local') WITH CHECK (origin = 'local');
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.ai_rule TO laras_dba;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.ai_rule', $$WHERE origin = 'local'$$);

INSERT INTO laras.ai_rule (channel, rule, origin, remark, terms_version)
  SELECT p.channel, r.rule, 'laras', CASE p.channel WHEN 'whatsapp' THEN r.stands ELSE 'kept on every channel as the strictest of the terms has it' END, t.version
    FROM laras.provider p
      CROSS JOIN (VALUES ('own_scope', 'WhatsApp Business Solution Terms, AI clause: no general-purpose assistant, only what serves the business''s own customers'),
        ('no_training', 'WhatsApp Business Solution Terms, AI clause: business data, even anonymised, trains no shared model')) AS r (rule, stands)
      LEFT JOIN laras.terms t ON t.party = p.channel;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.ai_rules AS
  SELECT r.channel, r.rule, r.enabled, r.remark, r.terms_version
    FROM laras.ai_rule r
    WHERE r.origin = 'local' OR NOT EXISTS (SELECT 1 FROM laras.ai_rule o
      WHERE o.channel = r.channel AND o.rule = r.rule AND o.origin = 'local');
COMMENT ON VIEW laras.ai_rules IS 'The rules for software that answers which are in force.';
COMMENT ON COLUMN laras.ai_rules.channel IS 'Channel.';
COMMENT ON COLUMN laras.ai_rules.rule IS 'own_scope or no_training: laras.ai_rule.rule has what they mean.';
COMMENT ON COLUMN laras.ai_rules.enabled IS 'False: the rule does not hold.';
COMMENT ON COLUMN laras.ai_rules.remark IS 'Where the rule stands, or why the operator made it.';
COMMENT ON COLUMN laras.ai_rules.terms_version IS 'Version of the provider''s terms that it follows.';
GRANT SELECT ON laras.ai_rules TO laras_app, laras_service, laras_worker, laras_dba;
RESET ROLE;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.terms_in_force AS
  SELECT t.party, t.version, t.title, t.url, t.effective_from, a.accepted_at, a.accepted_by, t.required_from
    FROM laras.terms t LEFT JOIN laras.terms_acceptance a ON a.workspace_id = (SELECT laras.current_workspace())
      AND a.party = t.party AND a.version = t.version
    WHERE (SELECT laras.current_workspace()) IS NOT NULL AND (t.effective_from, t.version) = (SELECT l.effective_from, l.version FROM laras.terms l
      WHERE l.party = t.party AND l.effective_from <= laras.now() ORDER BY l.effective_from DESC, l.version DESC LIMIT 1);
COMMENT ON VIEW laras.terms_in_force IS 'The terms that bind a partner today, and whether the bound workspace has agreed to them.';
COMMENT ON COLUMN laras.terms_in_force.party IS 'partner, or a channel.';
COMMENT ON COLUMN laras.terms_in_force.version IS 'Version in force.';
COMMENT ON COLUMN laras.terms_in_force.title IS 'What they are called.';
COMMENT ON COLUMN laras.terms_in_force.url IS 'Where they can be read.';
COMMENT ON COLUMN laras.terms_in_force.effective_from IS 'Since when.';
COMMENT ON COLUMN laras.terms_in_force.required_from IS 'From then on nothing is processed for workspaces that have not agreed; null: never so.';
COMMENT ON COLUMN laras.terms_in_force.accepted_at IS 'When the workspace agreed to this version; null: not yet.';
COMMENT ON COLUMN laras.terms_in_force.accepted_by IS 'Who agreed for it.';
GRANT SELECT ON laras.terms_in_force TO laras_app, laras_service;

CREATE VIEW laras.channel_readiness AS
  SELECT p.channel, p.display_name,
      EXISTS (SELECT FROM laras.connection c WHERE c.workspace_id = (SELECT laras.current_workspace())
        AND c.channel = p.channel AND c.state = 'connected') AS connected,
      ARRAY(SELECT t.party || ' ' || t.version FROM laras.terms_in_force t
        WHERE t.party IN ('partner', p.channel) AND t.accepted_at IS NULL ORDER BY 1) AS missing_terms,
      coalesce(h.purposes, '{}') AS purposes, h.configured_at, h.configured_by
    FROM laras.provider p LEFT JOIN laras.channel_handling h ON h.workspace_id = (SELECT laras.current_workspace())
      AND h.channel = p.channel
    WHERE (SELECT laras.current_workspace()) IS NOT NULL;
COMMENT ON VIEW laras.channel_readiness IS 'What each channel of the bound workspace still needs before its messages are processed: connected, terms accepted, configured.';
COMMENT ON COLUMN laras.channel_readiness.channel IS 'Channel.';
COMMENT ON COLUMN laras.channel_readiness.display_name IS 'Its name.';
COMMENT ON COLUMN laras.channel_readiness.connected IS 'Is an account of it connected?';
COMMENT ON COLUMN laras.channel_readiness.missing_terms IS 'Party and version of terms in force that the workspace has not agreed to: configure_channel asks for them.';
COMMENT ON COLUMN laras.channel_readiness.purposes IS 'What its messages are processed for; empty: they are kept for the inbox alone.';
COMMENT ON COLUMN laras.channel_readiness.configured_at IS 'When it was configured.';
COMMENT ON COLUMN laras.channel_readiness.configured_by IS 'Who configured it.';
GRANT SELECT ON laras.channel_readiness TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.accept_terms(party text, version text) RETURNS timestamptz
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_accept_terms';
ALTER FUNCTION laras.accept_terms(text, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.accept_terms(text, text) IS
  'Agrees, for the workspace, to terms that are in force (laras.terms_in_force), and returns when it was agreed: the first time counts. Needs scope admin, and a person or the trusted service: 42501 for an API key. 22023 for terms or a version that is not in force. Definer: callers hold no right on the table.';
GRANT EXECUTE ON FUNCTION laras.accept_terms(text, text) TO laras_app, laras_service;

CREATE FUNCTION laras.configure_channel(channel text, purposes text[]) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_configure_channel';
ALTER FUNCTION laras.configure_channel(text, text[]) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.configure_channel(text, text[]) IS
  'Says what messages of a channel are processed for: service (drafts, sentiment, replies) and sales (follow-ups); an empty array ends all processing, and what waits to be sent is cancelled at hand-off. Needs scope connect. 55000 while terms in force are not accepted, 22023 for another purpose, 42704 for an unknown channel. Definer: callers hold no right on the table.';
GRANT EXECUTE ON FUNCTION laras.configure_channel(text, text[]) TO laras_app, laras_service;

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('ai_rule', 'channel', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ai_rule', 'rule', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ai_rule', 'origin', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ai_rule', 'enabled', 'system', NULL, NULL, 'a yes or no', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ai_rule', 'remark', 'system', NULL, NULL, 'words of the operator about a provider''s rule; names nobody', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('ai_rule', 'terms_version', 'system', NULL, NULL, 'a name of a version', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('terms', 'party', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms', 'version', 'system', NULL, NULL, 'a name of a version', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms', 'origin', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms', 'effective_from', 'system', NULL, NULL, 'a date', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms', 'required_from', 'system', NULL, NULL, 'a date', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms', 'title', 'system', NULL, NULL, 'a title of a document', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms', 'url', 'system', NULL, NULL, 'an address of a document', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', NULL),
  ('terms_acceptance', 'workspace_id', 'legal', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'keep', 'legal', 'law'),
  ('terms_acceptance', 'party', 'legal', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'legal', 'law'),
  ('terms_acceptance', 'version', 'legal', NULL, NULL, 'a name of a version', 'none', 'none', 'none', 'none', 'keep', 'legal', 'law'),
  ('terms_acceptance', 'accepted_by', 'legal', NULL, NULL, 'random id of a member', 'none', 'none', 'keep', 'none', 'keep', 'legal', 'law'),
  ('terms_acceptance', 'accepted_at', 'legal', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'legal', 'law'),
  ('channel_handling', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_handling', 'channel', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_handling', 'purposes', 'automation_state', NULL, NULL, 'words from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_handling', 'configured_by', 'automation_state', NULL, NULL, 'random id of a member', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('channel_handling', 'configured_at', 'automation_state', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);
