-- 30_channel: provider apps, connections, tokens, routes, connect attempts.


-- Channels laras can connect, one row a driver.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.provider (
  channel text PRIMARY KEY,
  display_name text NOT NULL,
  driver text NOT NULL,
  builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE laras.provider IS 'Channels laras can connect, one row a driver.';
COMMENT ON COLUMN laras.provider.channel IS 'Name of the channel, as in every other table.';
COMMENT ON COLUMN laras.provider.display_name IS 'Name on the tile of the integrations page.';
COMMENT ON COLUMN laras.provider.driver IS 'Driver in the library that speaks to it.';
COMMENT ON COLUMN laras.provider.builtin IS 'Came with the extension; such rows are not dumped.';
ALTER TABLE laras.provider ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.provider FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.provider FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.provider TO laras_owner USING (true) WITH CHECK (true);
GRANT SELECT ON laras.provider TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.provider', 'WHERE NOT builtin');

-- How long after what a person did a message of one purpose may leave over a channel. Rows of origin local are the operator's and win.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.window_rule (
  channel text NOT NULL REFERENCES laras.provider,
  purpose text NOT NULL CHECK (purpose IN ('reply', 'human_agent', 'public_reply', 'private_reply', 'live_private_reply')),
  origin text NOT NULL DEFAULT 'local' CHECK (origin IN ('laras', 'local')),
  opened_by text NOT NULL CHECK (opened_by IN ('message', 'comment')),
  lasts integer CHECK (lasts > 0),
  uses integer CHECK (uses > 0),
  enabled boolean NOT NULL DEFAULT true,
  remark text NOT NULL,
  terms_version text,
  PRIMARY KEY (channel, purpose, origin)
);
COMMENT ON TABLE laras.window_rule IS 'How long after what a person did a message of one purpose may leave over a channel. Rows of origin local are the operator''s and win.';
COMMENT ON COLUMN laras.window_rule.channel IS 'Channel.';
COMMENT ON COLUMN laras.window_rule.purpose IS 'reply: to the person''s message; human_agent: later, by a person alone, where the provider allowed the app to; public_reply: a comment in answer to a comment; private_reply: a direct message in answer to a comment; live_private_reply: the same to one made during a live broadcast.';
COMMENT ON COLUMN laras.window_rule.origin IS 'laras: came with the extension, not dumped; local: made by the operator, in force instead.';
COMMENT ON COLUMN laras.window_rule.opened_by IS 'What opens the window: the person''s last message, or the comment.';
COMMENT ON COLUMN laras.window_rule.lasts IS 'Seconds, counted from the provider''s time of that; null: it never closes.';
COMMENT ON COLUMN laras.window_rule.uses IS 'How many messages it allows; null: any number.';
COMMENT ON COLUMN laras.window_rule.enabled IS 'False: nothing leaves for this purpose.';
COMMENT ON COLUMN laras.window_rule.remark IS 'Where the rule stands, or why the operator made it.';
COMMENT ON COLUMN laras.window_rule.terms_version IS 'Version of the provider''s terms that it follows (laras.terms); null: not said.';
ALTER TABLE laras.window_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.window_rule FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.window_rule FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.window_rule TO laras_owner USING (true) WITH CHECK (true);
CREATE POLICY operator ON laras.window_rule TO laras_dba USING (origin = 'local') WITH CHECK (origin = 'local');
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.window_rule TO laras_dba;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.window_rule', $$WHERE origin = 'local'$$);

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.window_rules AS
  SELECT r.channel, r.purpose, r.opened_by, r.lasts, r.uses, r.enabled, r.remark, r.terms_version
    FROM laras.window_rule r
    WHERE r.origin = 'local' OR NOT EXISTS (SELECT 1 FROM laras.window_rule o
      WHERE o.channel = r.channel AND o.purpose = r.purpose AND o.origin = 'local');
COMMENT ON VIEW laras.window_rules IS 'The windows that are in force.';
COMMENT ON COLUMN laras.window_rules.channel IS 'Channel.';
COMMENT ON COLUMN laras.window_rules.purpose IS 'reply, human_agent, public_reply, private_reply or live_private_reply: laras.window_rule.purpose has what they mean.';
COMMENT ON COLUMN laras.window_rules.opened_by IS 'What opens the window: message or comment.';
COMMENT ON COLUMN laras.window_rules.lasts IS 'Seconds; null: it never closes.';
COMMENT ON COLUMN laras.window_rules.uses IS 'How many messages it allows; null: any number.';
COMMENT ON COLUMN laras.window_rules.enabled IS 'False: nothing leaves for this purpose.';
COMMENT ON COLUMN laras.window_rules.remark IS 'Where the rule stands, or why the operator made it.';
COMMENT ON COLUMN laras.window_rules.terms_version IS 'Version of the provider''s terms that it follows.';
GRANT SELECT ON laras.window_rules TO laras_app, laras_service, laras_worker, laras_dba;
RESET ROLE;

-- How fast messages may leave through one account of a channel, of all kinds and of one, and to one person. Rows of origin local are the operator's and win.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.limit_rule (
  channel text NOT NULL REFERENCES laras.provider,
  kind text NOT NULL DEFAULT 'message'
    CHECK (kind IN ('message', 'message_beside_app', 'media', 'private_reply', 'live_private_reply', 'comment')),
  origin text NOT NULL DEFAULT 'local' CHECK (origin IN ('laras', 'local')),
  per_second integer CHECK (per_second BETWEEN 1 AND 100000),
  pair_burst integer CHECK (pair_burst > 0),
  pair_interval integer CHECK (pair_interval > 0),
  quota integer CHECK (quota BETWEEN 1 AND 1000000),
  quota_period integer CHECK (quota_period BETWEEN 1 AND 604800),
  remark text NOT NULL,
  terms_version text,
  PRIMARY KEY (channel, kind, origin),
  CHECK ((pair_burst IS NULL) = (pair_interval IS NULL)),
  CHECK ((quota IS NULL) = (quota_period IS NULL)),
  CHECK (pair_burst IS NULL OR kind = 'message'),
  CHECK (quota IS NULL OR kind NOT IN ('message', 'message_beside_app'))
);
COMMENT ON TABLE laras.limit_rule IS 'How fast messages may leave through one account of a channel, of all kinds and of one, and to one person. Rows of origin local are the operator''s and win.';
COMMENT ON COLUMN laras.limit_rule.channel IS 'Channel.';
COMMENT ON COLUMN laras.limit_rule.kind IS 'message: all that leaves through an account; message_beside_app: the same, of a number that is used in the provider''s own app too, in place of message; what is less beside that: media (a picture, film, voice or document), private_reply (in private below a comment), live_private_reply (below one of a broadcast), comment (in public).';
COMMENT ON COLUMN laras.limit_rule.origin IS 'laras: came with the extension, not dumped; local: made by the operator, in force instead.';
COMMENT ON COLUMN laras.limit_rule.per_second IS 'Messages within any second through one account, where set_send_rate says nothing else; null: no limit.';
COMMENT ON COLUMN laras.limit_rule.pair_burst IS 'Messages to one person at once; null: no limit.';
COMMENT ON COLUMN laras.limit_rule.pair_interval IS 'Milliseconds after which one more may follow.';
COMMENT ON COLUMN laras.limit_rule.quota IS 'Messages of the kind within any quota_period; null: no such limit.';
COMMENT ON COLUMN laras.limit_rule.quota_period IS 'Seconds.';
COMMENT ON COLUMN laras.limit_rule.remark IS 'Where the limit stands, or why the operator made it.';
COMMENT ON COLUMN laras.limit_rule.terms_version IS 'Version of the provider''s terms that it follows (laras.terms); null: not said.';
ALTER TABLE laras.limit_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.limit_rule FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.limit_rule FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.limit_rule TO laras_owner USING (true) WITH CHECK (true);
CREATE POLICY operator ON laras.limit_rule TO laras_dba USING (origin = 'local') WITH CHECK (origin = 'local');
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.limit_rule TO laras_dba;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.limit_rule', $$WHERE origin = 'local'$$);

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.limit_rules AS
  SELECT r.channel, r.kind, r.per_second, r.pair_burst, r.pair_interval, r.quota, r.quota_period, r.remark, r.terms_version
    FROM laras.limit_rule r
    WHERE r.origin = 'local' OR NOT EXISTS (SELECT 1 FROM laras.limit_rule o
      WHERE o.channel = r.channel AND o.kind = r.kind AND o.origin = 'local');
COMMENT ON VIEW laras.limit_rules IS 'The limits that are in force.';
COMMENT ON COLUMN laras.limit_rules.channel IS 'Channel.';
COMMENT ON COLUMN laras.limit_rules.kind IS 'What it limits: laras.limit_rule.kind has the list.';
COMMENT ON COLUMN laras.limit_rules.per_second IS 'Messages within any second through one account; null: no limit.';
COMMENT ON COLUMN laras.limit_rules.pair_burst IS 'Messages to one person at once; null: no limit.';
COMMENT ON COLUMN laras.limit_rules.pair_interval IS 'Milliseconds after which one more may follow.';
COMMENT ON COLUMN laras.limit_rules.quota IS 'Messages of the kind within any quota_period; null: no such limit.';
COMMENT ON COLUMN laras.limit_rules.quota_period IS 'Seconds.';
COMMENT ON COLUMN laras.limit_rules.remark IS 'Where the limit stands, or why the operator made it.';
COMMENT ON COLUMN laras.limit_rules.terms_version IS 'Version of the provider''s terms that it follows.';
GRANT SELECT ON laras.limit_rules TO laras_app, laras_service, laras_worker, laras_dba;
RESET ROLE;

-- Credentials of an app registered at a provider. A webhook path verifies with the secrets of its own channel, current and previous.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.provider_app (
  id bigint PRIMARY KEY,
  app_id text NOT NULL UNIQUE,
  channels text[] NOT NULL,
  slot bigint NOT NULL UNIQUE,
  app_secret laras.sealed NOT NULL,
  previous_secret laras.sealed,
  verify_token_hash bytea NOT NULL CHECK (octet_length(verify_token_hash) = 32),
  options jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  changed_at timestamptz NOT NULL DEFAULT laras.now()
);
COMMENT ON TABLE laras.provider_app IS 'Credentials of an app registered at a provider. A webhook path verifies with the secrets of its own channel, current and previous.';
COMMENT ON COLUMN laras.provider_app.id IS 'Random id.';
COMMENT ON COLUMN laras.provider_app.app_id IS 'Id of the app at the provider.';
COMMENT ON COLUMN laras.provider_app.channels IS 'Channels this app serves.';
COMMENT ON COLUMN laras.provider_app.slot IS 'Key slot of the app (slab 0, from 2 on).';
COMMENT ON COLUMN laras.provider_app.app_secret IS 'Secret that signs webhooks and callbacks, sealed under (platform, app).';
COMMENT ON COLUMN laras.provider_app.previous_secret IS 'The secret before the last change, still accepted.';
COMMENT ON COLUMN laras.provider_app.verify_token_hash IS 'SHA-256 of the token of the verification handshake.';
COMMENT ON COLUMN laras.provider_app.options IS 'graph_url, api_version, scopes, config_id, smtp, mapping, media_hosts.';
COMMENT ON COLUMN laras.provider_app.created_at IS 'When it was registered.';
COMMENT ON COLUMN laras.provider_app.changed_at IS 'When it was last registered: of several apps of a channel the latest serves new connections.';
ALTER TABLE laras.provider_app ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.provider_app FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.provider_app TO laras_owner, laras_intake, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT ON laras.provider_app TO laras_intake, laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.provider_app', '');

-- Hosts that may be spoken to: the courier begins no request to any other.
SET LOCAL ROLE laras_owner;
CREATE VIEW laras.provider_host AS
  SELECT d.host, NULL::text AS app_id, false AS registered
    FROM (VALUES ('graph.facebook.com'), ('graph.instagram.com'), ('api.instagram.com'), ('graph.threads.net'), ('api.telegram.org'),
      ('lookaside.fbsbx.com'), ('.fbcdn.net'), ('.cdninstagram.com')) AS d (host)
  UNION ALL
  SELECT DISTINCT pg_catalog.lower(pg_catalog.substring(a.options ->> 'graph_url', '^https?://(\[[^]]+\]|[^/:?#@]+)')),
      a.app_id, true
    FROM laras.provider_app a WHERE a.options ->> 'graph_url' ~ '^https?://(\[[^]]+\]|[^/:?#@]+)'
  UNION ALL
  SELECT DISTINCT pg_catalog.lower(pg_catalog.substring(s.url, '^smtps?://(\[[^]]+\]|[^/:?#@]+)')), a.app_id, true
    FROM laras.provider_app a, pg_catalog.jsonb_array_elements_text(CASE pg_catalog.jsonb_typeof(a.options -> 'smtp')
      WHEN 'array' THEN a.options -> 'smtp' ELSE '[]' END) AS s (url)
    WHERE s.url ~ '^smtps?://(\[[^]]+\]|[^/:?#@]+)'
  UNION ALL
  SELECT DISTINCT m.host, a.app_id, true
    FROM laras.provider_app a, pg_catalog.jsonb_array_elements_text(CASE pg_catalog.jsonb_typeof(a.options -> 'media_hosts')
      WHEN 'array' THEN a.options -> 'media_hosts' ELSE '[]' END) AS m (host);
COMMENT ON VIEW laras.provider_host IS 'Hosts that may be spoken to: the official interfaces, and those the operator registered with an app. The courier begins no request to any other and follows no redirect.';
COMMENT ON COLUMN laras.provider_host.host IS 'Host name, or a loopback address in laras.test_mode; with a full stop before it, all hosts below that name.';
COMMENT ON COLUMN laras.provider_host.app_id IS 'App whose options name it, as graph_url or one of smtp or of media_hosts; null for an official interface.';
COMMENT ON COLUMN laras.provider_host.registered IS 'Was it registered with an app.';
GRANT SELECT ON laras.provider_host TO laras_worker, laras_dba;
RESET ROLE;

-- A connected account of a channel. After a disconnect only a tombstone without content is left: id, channel, times, state.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.connection (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  channel text NOT NULL REFERENCES laras.provider,
  state text NOT NULL DEFAULT 'connected'
    CHECK (state IN ('connected', 'needs_reauth', 'lost', 'disconnected')),
  slot bigint NOT NULL,
  provider_app_id bigint,
  display_name laras.sealed,
  account_ids laras.sealed,
  profile laras.sealed,
  account_index bytea CHECK (octet_length(account_index) = 16),
  scopes text[] NOT NULL DEFAULT '{}',
  auto_send boolean NOT NULL DEFAULT false,
  send_rate integer CHECK (send_rate BETWEEN 1 AND 100000),
  beside_app boolean,
  presence text NOT NULL DEFAULT 'off' CHECK (presence IN ('off', 'read', 'typing')),
  uncertain_policy text NOT NULL DEFAULT 'hold' CHECK (uncertain_policy IN ('hold', 'resend_once')),
  authorizer_known boolean NOT NULL DEFAULT false,
  token_expires_at timestamptz,
  secret_given_at timestamptz,
  health text
    CHECK (health IN ('ok', 'unsubscribed')),
  checked_at timestamptz,
  stopped_at timestamptz,
  connected_at timestamptz NOT NULL DEFAULT laras.now(),
  disconnected_at timestamptz,
  disconnect_trigger text
    CHECK (disconnect_trigger IN ('owner', 'deauthorize', 'deletion_callback', 'lost_access', 'workspace_erasure', 'replaced', 'restore')),
  disconnect_reason laras.sealed,
  remote_revoke text
    CHECK (remote_revoke IN ('pending', 'done', 'failed', 'skipped', 'not_told')),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, slot)
);
CREATE UNIQUE INDEX connection_account ON laras.connection (workspace_id, account_index) WHERE account_index IS NOT NULL;
COMMENT ON TABLE laras.connection IS 'A connected account of a channel. After a disconnect only a tombstone without content is left: id, channel, times, state.';
COMMENT ON COLUMN laras.connection.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.connection.id IS 'Random id; survives the disconnect, names nobody.';
COMMENT ON COLUMN laras.connection.channel IS 'Channel.';
COMMENT ON COLUMN laras.connection.state IS 'State of the connection.';
COMMENT ON COLUMN laras.connection.slot IS 'Key slot; destroying it makes token, references and profile unreadable.';
COMMENT ON COLUMN laras.connection.provider_app_id IS 'App through which it was connected.';
COMMENT ON COLUMN laras.connection.display_name IS 'Name or number shown on the tile.';
COMMENT ON COLUMN laras.connection.account_ids IS 'JSON of the provider ids (phone_number_id, waba_id, ...).';
COMMENT ON COLUMN laras.connection.profile IS 'JSON shown only to recognise the account (verified name, quality, avatar URL).';
COMMENT ON COLUMN laras.connection.account_index IS 'Blind index (kind 32) of the id webhooks carry.';
COMMENT ON COLUMN laras.connection.scopes IS 'Scopes granted.';
COMMENT ON COLUMN laras.connection.auto_send IS 'Drafts that pass are sent without approval.';
COMMENT ON COLUMN laras.connection.presence IS 'What is shown to persons beside messages: off: nothing; read: that theirs were read; typing: that, and that somebody writes.';
COMMENT ON COLUMN laras.connection.uncertain_policy IS 'What becomes of a message of which nobody knows whether it was sent, unless the message says: hold: it waits for the provider''s word or for somebody; resend_once: after laras.uncertain_wait it is sent a second time.';
COMMENT ON COLUMN laras.connection.send_rate IS 'Messages that may leave within a second; null: what laras.limit_rules says.';
COMMENT ON COLUMN laras.connection.beside_app IS 'It is used in the provider''s own app too (WhatsApp Business), and may send less: asked when it is connected and every hour; null: nobody knows, or the channel has no such thing.';
COMMENT ON COLUMN laras.connection.authorizer_known IS 'The exchange gave the app-scoped id of the person who connected; false reads: authorizer unknown.';
COMMENT ON COLUMN laras.connection.token_expires_at IS 'When the token expires; null: it does not.';
COMMENT ON COLUMN laras.connection.secret_given_at IS 'When take_webhook_secret gave its secret out; null: not yet, or there is none.';
COMMENT ON COLUMN laras.connection.health IS 'Do its events come: ok, or unsubscribed while the provider refuses to send them; null: not asked yet, or nobody can be.';
COMMENT ON COLUMN laras.connection.checked_at IS 'When that was asked last.';
COMMENT ON COLUMN laras.connection.stopped_at IS 'Since when it waits for its owner''s log-in (needs_reauth); null: it does not.';
COMMENT ON COLUMN laras.connection.connected_at IS 'When it was connected.';
COMMENT ON COLUMN laras.connection.disconnected_at IS 'When it was cut.';
COMMENT ON COLUMN laras.connection.disconnect_trigger IS 'Who cut it.';
COMMENT ON COLUMN laras.connection.disconnect_reason IS 'Words of the person who cut it, sealed under the workspace.';
COMMENT ON COLUMN laras.connection.remote_revoke IS 'Was the provider told.';
ALTER TABLE laras.connection ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.connection FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.connection TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.connection TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.connection TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.connection', '');

-- The access token of a connection, sealed so that only the courier opens it (suite 2). The row goes with the disconnect.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.channel_token (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  connection_id bigint NOT NULL,
  token laras.sealed NOT NULL,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, connection_id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
COMMENT ON TABLE laras.channel_token IS 'The access token of a connection, sealed so that only the courier opens it (suite 2). The row goes with the disconnect.';
COMMENT ON COLUMN laras.channel_token.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.channel_token.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.channel_token.token IS 'Courier box of the token; row id of the seal = connection_id.';
COMMENT ON COLUMN laras.channel_token.expires_at IS 'When the provider lets it expire.';
COMMENT ON COLUMN laras.channel_token.created_at IS 'When it was stored.';
ALTER TABLE laras.channel_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.channel_token FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.channel_token TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.channel_token TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.channel_token TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.channel_token', '');

-- Which workspace an account belongs to: read by intake before any workspace is bound. Holds only keyed hashes; one account belongs to one workspace at a time.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.route (
  route_hash bytea NOT NULL CHECK (octet_length(route_hash) = 16),
  provider_app_id bigint NOT NULL REFERENCES laras.provider_app,
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  workspace_slot bigint NOT NULL,
  connection_id bigint NOT NULL,
  role text NOT NULL CHECK (role IN ('number', 'business')),
  PRIMARY KEY (route_hash, connection_id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
-- A number has one connection in the whole installation; a business account has one for each of its numbers.
CREATE UNIQUE INDEX route_number ON laras.route (route_hash) WHERE role = 'number';
CREATE INDEX route_connection ON laras.route (workspace_id, connection_id);
COMMENT ON TABLE laras.route IS 'Which workspace an account belongs to: read by intake before any workspace is bound. Holds only keyed hashes; one account belongs to one workspace at a time.';
COMMENT ON COLUMN laras.route.route_hash IS 'K_route hash (kind 32) of channel and account id.';
COMMENT ON COLUMN laras.route.provider_app_id IS 'Only bodies signed by this app are routed.';
COMMENT ON COLUMN laras.route.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.route.workspace_slot IS 'Key slot of the workspace.';
COMMENT ON COLUMN laras.route.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.route.role IS 'number: the id messages carry; business: the account above it (a WABA), for events without a number.';
ALTER TABLE laras.route ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.route FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.route TO laras_owner USING (true) WITH CHECK (true);
CREATE POLICY intake ON laras.route FOR SELECT TO laras_intake USING (true);
CREATE POLICY worker ON laras.route TO laras_worker USING (true) WITH CHECK (true);
GRANT SELECT ON laras.route TO laras_intake;
GRANT SELECT, INSERT, DELETE ON laras.route TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.route', '');

-- Keyed hash of the app-scoped id of the person who authorised a connection, so that a provider callback finds it.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.authorizer (
  authorizer_hash bytea NOT NULL CHECK (octet_length(authorizer_hash) = 16),
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  connection_id bigint NOT NULL,
  provider_app_id bigint NOT NULL REFERENCES laras.provider_app,
  PRIMARY KEY (authorizer_hash, workspace_id, connection_id),
  FOREIGN KEY (workspace_id, connection_id) REFERENCES laras.connection (workspace_id, id)
);
CREATE INDEX authorizer_connection ON laras.authorizer (workspace_id, connection_id);
COMMENT ON TABLE laras.authorizer IS 'Keyed hash of the app-scoped id of the person who authorised a connection, so that a provider callback finds it.';
COMMENT ON COLUMN laras.authorizer.authorizer_hash IS 'K_authorizer hash (kind 34) of channel and app-scoped id.';
COMMENT ON COLUMN laras.authorizer.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.authorizer.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.authorizer.provider_app_id IS 'App whose scope the id has.';
ALTER TABLE laras.authorizer ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.authorizer FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.authorizer TO laras_owner, laras_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON laras.authorizer TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.authorizer', '');

-- A launch of a connect flow: single use, expires; nothing else is written before it succeeds.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.connection_attempt (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  channel text NOT NULL REFERENCES laras.provider,
  provider_app_id bigint NOT NULL REFERENCES laras.provider_app,
  nonce_hash bytea NOT NULL CHECK (octet_length(nonce_hash) = 32),
  state text NOT NULL DEFAULT 'open'
    CHECK (state IN ('open', 'exchanging', 'done', 'cancelled', 'failed', 'expired', 'superseded')),
  actor text NOT NULL,
  launch laras.sealed,
  connection_id bigint,
  failure text,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  expires_at timestamptz NOT NULL DEFAULT laras.now() + '1 hour'::pg_catalog.interval,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, nonce_hash)
);
COMMENT ON TABLE laras.connection_attempt IS 'A launch of a connect flow: single use, expires; nothing else is written before it succeeds.';
COMMENT ON COLUMN laras.connection_attempt.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.connection_attempt.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.connection_attempt.channel IS 'Channel.';
COMMENT ON COLUMN laras.connection_attempt.provider_app_id IS 'App to connect through.';
COMMENT ON COLUMN laras.connection_attempt.nonce_hash IS 'SHA-256 of the nonce (the OAuth state) given to the browser.';
COMMENT ON COLUMN laras.connection_attempt.state IS 'State of the attempt.';
COMMENT ON COLUMN laras.connection_attempt.actor IS 'Principal that launched it (kind and random id).';
COMMENT ON COLUMN laras.connection_attempt.launch IS 'JSON of what the browser posted (waba_id, phone_number_id), sealed under the workspace.';
COMMENT ON COLUMN laras.connection_attempt.connection_id IS 'Connection it led to.';
COMMENT ON COLUMN laras.connection_attempt.failure IS 'Machine-readable reason of a failure.';
COMMENT ON COLUMN laras.connection_attempt.created_at IS 'Launch.';
COMMENT ON COLUMN laras.connection_attempt.expires_at IS 'After this it answers 410.';
ALTER TABLE laras.connection_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.connection_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.connection_attempt TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.connection_attempt TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.connection_attempt TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.connection_attempt', '');

-- Scopes the owner consented to when connecting, by whom and when.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.consent_grant (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  channel text NOT NULL REFERENCES laras.provider,
  attempt_id bigint,
  connection_id bigint,
  scopes text[] NOT NULL,
  actor text NOT NULL,
  granted_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id)
);
COMMENT ON TABLE laras.consent_grant IS 'Scopes the owner consented to when connecting, by whom and when.';
COMMENT ON COLUMN laras.consent_grant.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.consent_grant.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.consent_grant.channel IS 'Channel.';
COMMENT ON COLUMN laras.consent_grant.attempt_id IS 'Attempt.';
COMMENT ON COLUMN laras.consent_grant.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.consent_grant.scopes IS 'Scopes consented to.';
COMMENT ON COLUMN laras.consent_grant.actor IS 'Principal (kind and random id).';
COMMENT ON COLUMN laras.consent_grant.granted_at IS 'When.';
ALTER TABLE laras.consent_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.consent_grant FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.consent_grant TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.consent_grant TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.consent_grant TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.consent_grant', '');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('limit_rule', 'channel', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'kind', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'origin', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'per_second', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'pair_burst', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'pair_interval', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'quota', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'quota_period', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'remark', 'system', NULL, NULL, 'words of the operator about a provider''s rule; names nobody', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('limit_rule', 'terms_version', 'system', NULL, NULL, 'a name of a version', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'channel', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'purpose', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'origin', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'opened_by', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'lasts', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'uses', 'system', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'enabled', 'system', NULL, NULL, 'yes or no', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'remark', 'system', NULL, NULL, 'words of the operator about a provider''s rule; names nobody', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('window_rule', 'terms_version', 'system', NULL, NULL, 'a name of a version', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider', 'channel', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider', 'display_name', 'system', NULL, NULL, 'name of a product', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider', 'driver', 'system', NULL, NULL, 'name of a driver', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider', 'builtin', 'system', NULL, NULL, 'a flag', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'id', 'system', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'app_id', 'system', NULL, NULL, 'id of an app of the operator, not of a person', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'channels', 'system', NULL, NULL, 'words from a fixed list', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'slot', 'system', NULL, NULL, 'number of a key slot', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'app_secret', 'credential', 18, 'app', NULL, 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'previous_secret', 'credential', 19, 'app', NULL, 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'verify_token_hash', 'credential', NULL, NULL, 'hash of a random token of the operator', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'options', 'system', NULL, NULL, 'settings of the operator', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'created_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('provider_app', 'changed_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', NULL, NULL),
  ('connection', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'id', 'system', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'channel', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'state', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'slot', 'system', NULL, NULL, 'number of a key slot', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'provider_app_id', 'system', NULL, NULL, 'random id of a row of this workspace', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'display_name', 'account_reference', 1, 'connection', NULL, 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'account_ids', 'account_reference', 2, 'connection', NULL, 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'profile', 'profile_metadata', 3, 'connection', NULL, 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'account_index', 'account_reference', NULL, NULL, 'keyed hash, gone with the connection', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'scopes', 'account_reference', NULL, NULL, 'words from a fixed list', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'auto_send', 'automation_state', NULL, NULL, 'a flag', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'presence', 'automation_state', NULL, NULL, 'a word from a fixed list', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'uncertain_policy', 'automation_state', NULL, NULL, 'a word from a fixed list', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'send_rate', 'automation_state', NULL, NULL, 'a number without a person in it', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'beside_app', 'automation_state', NULL, NULL, 'yes or no', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'authorizer_known', 'account_reference', NULL, NULL, 'a flag', 'keep', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'token_expires_at', 'access_token', NULL, NULL, 'a time', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'health', 'account_reference', NULL, NULL, 'a word from a fixed list', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'checked_at', 'account_reference', NULL, NULL, 'a time', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'stopped_at', 'account_reference', NULL, NULL, 'a time', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'secret_given_at', 'account_reference', NULL, NULL, 'a time', 'null', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'connected_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'disconnected_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'disconnect_trigger', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'disconnect_reason', 'system', 21, 'workspace', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection', 'remote_revoke', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_token', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_token', 'connection_id', 'access_token', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_token', 'token', 'access_token', 4, 'connection', NULL, 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_token', 'expires_at', 'access_token', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('channel_token', 'created_at', 'access_token', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('route', 'route_hash', 'account_reference', NULL, NULL, 'keyed hash, gone with the connection', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('route', 'provider_app_id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('route', 'workspace_id', 'account_reference', NULL, NULL, 'random id of the tenant', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('route', 'workspace_slot', 'account_reference', NULL, NULL, 'number of a key slot', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('route', 'connection_id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('route', 'role', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('authorizer', 'authorizer_hash', 'account_reference', NULL, NULL, 'keyed hash, gone with the connection', 'delete', 'none', 'none', 'delete', 'delete', NULL, NULL),
  ('authorizer', 'workspace_id', 'account_reference', NULL, NULL, 'random id of the tenant', 'delete', 'none', 'none', 'delete', 'delete', NULL, NULL),
  ('authorizer', 'connection_id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'delete', 'delete', NULL, NULL),
  ('authorizer', 'provider_app_id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'delete', 'delete', NULL, NULL),
  ('connection_attempt', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'channel', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'provider_app_id', 'account_reference', NULL, NULL, 'random id', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'nonce_hash', 'account_reference', NULL, NULL, 'hash of random bytes', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'state', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'actor', 'account_reference', NULL, NULL, 'random id of a member', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'launch', 'account_reference', 20, 'workspace', NULL, 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'connection_id', 'account_reference', NULL, NULL, 'random id of a row of this workspace', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'failure', 'account_reference', NULL, NULL, 'a word from a fixed list', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'created_at', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('connection_attempt', 'expires_at', 'account_reference', NULL, NULL, 'a time', 'delete', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'id', 'system', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'channel', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'attempt_id', 'system', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'connection_id', 'system', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'scopes', 'audit', NULL, NULL, 'words from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'actor', 'audit', NULL, NULL, 'random id of a member', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('consent_grant', 'granted_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);

INSERT INTO laras.provider (channel, display_name, driver, builtin) VALUES
  ('whatsapp', 'WhatsApp Business', 'whatsapp', true),
  ('instagram', 'Instagram', 'instagram', true),
  ('messenger', 'Messenger', 'messenger', true),
  ('threads', 'Threads', 'threads', true),
  ('telegram', 'Telegram', 'telegram', true),
  ('email', 'Email', 'email', true),
  ('generic', 'Other system', 'generic', true);

INSERT INTO laras.window_rule (channel, purpose, origin, opened_by, lasts, uses, enabled, remark) VALUES
  ('whatsapp', 'reply', 'laras', 'message', 86400, NULL, true, 'Customer service window, Cloud API: else a template.'),
  ('messenger', 'reply', 'laras', 'message', 86400, NULL, true, 'Standard messaging window, Messenger Platform.'),
  ('messenger', 'human_agent', 'laras', 'message', 604800, NULL, false, 'Tag HUMAN_AGENT; the app needs the feature from App Review.'),
  ('messenger', 'public_reply', 'laras', 'comment', NULL, NULL, true, 'A comment may be answered in public at any time.'),
  ('messenger', 'private_reply', 'laras', 'comment', 604800, 1, true, 'Private replies: one message a comment, from its creation.'),
  ('instagram', 'reply', 'laras', 'message', 86400, NULL, true, 'Standard messaging window, Instagram messaging.'),
  ('instagram', 'human_agent', 'laras', 'message', 604800, NULL, false, 'Tag HUMAN_AGENT; the app needs the feature from App Review.'),
  ('instagram', 'private_reply', 'laras', 'comment', 604800, 1, true, 'Private replies: one message a comment, from its creation.'),
  ('instagram', 'public_reply', 'laras', 'comment', NULL, NULL, true, 'A comment may be answered in public at any time.'),
  ('instagram', 'live_private_reply', 'laras', 'comment', 14400, 1, true, 'During the broadcast alone, which lasts four hours at most.'),
  ('threads', 'reply', 'laras', 'message', NULL, NULL, false, 'There are no direct messages.'),
  ('threads', 'public_reply', 'laras', 'comment', NULL, NULL, true, 'Public replies have a quota and no window.'),
  ('telegram', 'reply', 'laras', 'message', NULL, NULL, true, 'A bot may write to whoever began the conversation.'),
  ('email', 'reply', 'laras', 'message', NULL, NULL, true, 'Who wrote a mail may be answered; who never did is not written to.'),
  ('generic', 'reply', 'laras', 'message', NULL, NULL, true, 'The connected system has its own rules.');

INSERT INTO laras.limit_rule (channel, origin, per_second, pair_burst, pair_interval, remark) VALUES
  ('whatsapp', 'laras', 80, 45, 6000, 'Throughput of a business phone number, and its pair rate limit: one message each 6 s, a burst of 45.'),
  ('messenger', 'laras', 300, NULL, NULL, 'Send API, text.'),
  ('instagram', 'laras', 100, NULL, NULL, 'The older and lower of two published figures, text.'),
  ('telegram', 'laras', 30, NULL, NULL, 'Bots, to different people.');
INSERT INTO laras.limit_rule (channel, kind, origin, per_second, quota, quota_period, remark) VALUES
  ('whatsapp', 'message_beside_app', 'laras', 20, NULL, NULL, 'Throughput of a number that is used in the WhatsApp Business app too.'),
  ('messenger', 'media', 'laras', 10, NULL, NULL, 'Send API, audio and video; of pictures and files nothing else is said.'),
  ('instagram', 'media', 'laras', 10, NULL, NULL, 'Send API, audio and video; of pictures and files nothing else is said.'),
  ('instagram', 'private_reply', 'laras', NULL, 750, 3600, 'Private replies to comments on posts and reels, an account and hour.'),
  ('instagram', 'live_private_reply', 'laras', 100, NULL, NULL, 'Private replies to comments on a broadcast.'),
  ('threads', 'comment', 'laras', NULL, 1000, 86400, 'Replies of a profile within 24 hours.');
