-- 35_connect: registering apps, connecting accounts, cutting them.

CREATE FUNCTION laras.register_provider_app(channels text[], app_id text, app_secret text, verify_token text,
    options jsonb DEFAULT NULL)
  RETURNS bigint
  LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_register_provider_app';
ALTER FUNCTION laras.register_provider_app(text[], text, text, text, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.register_provider_app(text[], text, text, text, jsonb) IS
  'Registers the credentials of an app at a provider, or changes them: the secret before stays valid until the next change. options: graph_url, api_version, config_id, scopes, smtp (a list of mail servers), mapping (of generic webhooks), media_hosts (names of hosts that their files may be fetched from); null leaves those of an app that is known as they are. Returns the id of the app. 22023 for values that will not do, 42704 for an unknown channel, LRK01 while the vault is shut. Definer: writes a platform table that callers hold no right on.';
GRANT EXECUTE ON FUNCTION laras.register_provider_app(text[], text, text, text, jsonb) TO laras_dba;

CREATE FUNCTION laras.begin_connect(channel text, options jsonb DEFAULT '{}') RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_begin_connect';
ALTER FUNCTION laras.begin_connect(text, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.begin_connect(text, jsonb) IS
  'Launches a single-use attempt to connect an account, records the consent to its scopes and returns what the browser needs: state, expires_at, scopes, launch. Supersedes what was launched before on that channel. Needs scope connect. 42704 for an unknown channel, 55000 when no app serves it, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.begin_connect(text, jsonb) TO laras_app, laras_service;

CREATE FUNCTION laras.pair_connection(channel text, account jsonb, access_token text, verify boolean DEFAULT true)
  RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_pair_connection';
ALTER FUNCTION laras.pair_connection(text, jsonb, text, boolean) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.pair_connection(text, jsonb, text, boolean) IS
  'Connects an account by its ids, such as {"phone_number_id": "...", "waba_id": "..."}, and an access token, in clear or sealed to public_key(). Returns the id the connection will have: it appears in connections once the provider has confirmed token and ids. verify => false (members of laras_dba alone, for migration) connects at once. Needs scope connect. 22023, 23505 when the account is connected already, 42501, 42704, 55000, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.pair_connection(text, jsonb, text, boolean) TO laras_app, laras_service, laras_dba;

CREATE FUNCTION laras.take_webhook_secret(connection_id bigint) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_take_webhook_secret';
ALTER FUNCTION laras.take_webhook_secret(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.take_webhook_secret(bigint) IS
  'Where a system of the owner''s own posts what came for a connected account, and the secret that it signs with: {"url", "secret"}. Given out once for each connection; whoever lost it connects anew. Needs scope connect. P0002 for no such connection, 55000 when it was given before or the channel has none, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.take_webhook_secret(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.disconnect(connection_id bigint, reason text DEFAULT NULL) RETURNS jsonb
  LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_disconnect_connection';
ALTER FUNCTION laras.disconnect(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.disconnect(bigint, text) IS
  'Cuts a connection in this transaction: token, account references, profile, automation state and routes are removed and their key is destroyed by the commit; what waits to be sent is cancelled. Returns a receipt; a second call says already. Works while the vault is shut. Needs scope connect. P0002 for no such connection. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.disconnect(bigint, text) TO laras_app, laras_service;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.connections AS
  SELECT c.id, c.channel, c.state,
    laras.reveal(c.display_name, c.id, 1::smallint) AS display_name,
    laras.reveal(c.profile, c.id, 3::smallint) AS profile,
    c.scopes, c.auto_send, c.authorizer_known, c.token_expires_at, c.connected_at, c.disconnected_at,
    c.disconnect_trigger, c.remote_revoke, c.health, c.checked_at, c.presence, c.uncertain_policy, c.beside_app
  FROM laras.connection c;
COMMENT ON VIEW laras.connections IS 'Connected accounts of the bound workspace, and tombstones of those that were cut; never a token.';
COMMENT ON COLUMN laras.connections.id IS 'Id.';
COMMENT ON COLUMN laras.connections.channel IS 'Channel.';
COMMENT ON COLUMN laras.connections.state IS 'connected, needs_reauth, lost or disconnected.';
COMMENT ON COLUMN laras.connections.display_name IS 'Name or number for the tile; null once cut.';
COMMENT ON COLUMN laras.connections.profile IS 'JSON by which the owner recognises the account; null once cut.';
COMMENT ON COLUMN laras.connections.scopes IS 'Scopes granted.';
COMMENT ON COLUMN laras.connections.auto_send IS 'Drafts that pass are sent without approval.';
COMMENT ON COLUMN laras.connections.authorizer_known IS 'Is the app-scoped id of who authorised it known; false reads: authorizer unknown, a callback of that person cannot be matched.';
COMMENT ON COLUMN laras.connections.token_expires_at IS 'When the token expires; null: it does not.';
COMMENT ON COLUMN laras.connections.connected_at IS 'When it was connected.';
COMMENT ON COLUMN laras.connections.disconnected_at IS 'When it was cut.';
COMMENT ON COLUMN laras.connections.disconnect_trigger IS 'Who cut it.';
COMMENT ON COLUMN laras.connections.health IS 'Do its events come: ok or unsubscribed; null: not asked yet, or nobody can be.';
COMMENT ON COLUMN laras.connections.checked_at IS 'When that was asked last.';
COMMENT ON COLUMN laras.connections.presence IS 'What is shown to persons beside messages (set_presence): off, read, or typing.';
COMMENT ON COLUMN laras.connections.uncertain_policy IS 'What becomes of messages of which nobody knows whether they were sent (set_uncertain_policy): hold or resend_once.';
COMMENT ON COLUMN laras.connections.beside_app IS 'Is it used in the provider''s own app too (WhatsApp Business), and may send less (laras.limit_rules, message_beside_app); null: nobody knows, or the channel has no such thing.';
COMMENT ON COLUMN laras.connections.remote_revoke IS 'Was the provider told: pending, done, failed, skipped, not_told.';
GRANT SELECT ON laras.connections TO laras_app, laras_service;

CREATE VIEW laras.provider_apps AS
  SELECT a.id, a.app_id, a.channels,
    ARRAY(SELECT x.c FROM pg_catalog.unnest(a.channels) AS x (c)
      WHERE a.id = (SELECT b.id FROM laras.provider_app b WHERE x.c = ANY (b.channels) ORDER BY b.changed_at DESC, b.id DESC LIMIT 1)
      ORDER BY 1) AS serves,
    a.options, a.created_at, a.changed_at, a.previous_secret IS NOT NULL AS takes_previous_secret
  FROM laras.provider_app a;
COMMENT ON VIEW laras.provider_apps IS 'Apps that the operator registered, without any secret, and which of them serves new connections.';
COMMENT ON COLUMN laras.provider_apps.id IS 'Id, as register_provider_app returned it.';
COMMENT ON COLUMN laras.provider_apps.app_id IS 'Id of the app at the provider.';
COMMENT ON COLUMN laras.provider_apps.channels IS 'Channels it is registered for: webhooks of these are checked with its secret.';
COMMENT ON COLUMN laras.provider_apps.serves IS 'Of these, the channels whose new connections go through it; others it shares with an app that was registered later.';
COMMENT ON COLUMN laras.provider_apps.options IS 'Its options, none of which is a secret.';
COMMENT ON COLUMN laras.provider_apps.created_at IS 'When it was registered.';
COMMENT ON COLUMN laras.provider_apps.changed_at IS 'When it was registered again last.';
COMMENT ON COLUMN laras.provider_apps.takes_previous_secret IS 'Is the secret before this one taken as well.';
GRANT SELECT ON laras.provider_apps TO laras_dba;
RESET ROLE;
