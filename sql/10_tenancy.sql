-- 10_tenancy: workspaces, members, sessions, API keys, and the ways in.

-- ---------------------------------------------------------------- tables

SET LOCAL ROLE laras_owner;
CREATE TABLE laras.workspace (
  workspace_id bigint PRIMARY KEY,
  slot bigint NOT NULL,
  name laras.sealed,
  preset text NOT NULL DEFAULT 'laras' CHECK (preset ~ '^[a-z][a-z0-9_]{0,31}$'),
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'closed', 'erased')),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  region text NOT NULL DEFAULT 'ID' CHECK (region ~ '^[A-Z]{2}$'),
  media_quota bigint CHECK (media_quota >= 0),
  time_zone text NOT NULL DEFAULT 'Asia/Jakarta' CHECK (octet_length(time_zone) BETWEEN 1 AND 64)
);
COMMENT ON TABLE laras.workspace IS 'A tenant: one business with its members, channels and customers.';
COMMENT ON COLUMN laras.workspace.workspace_id IS 'Random id.';
COMMENT ON COLUMN laras.workspace.slot IS 'Key slot W; destroying it makes all of the workspace unreadable.';
COMMENT ON COLUMN laras.workspace.name IS 'Name of the business, sealed under (W, W).';
COMMENT ON COLUMN laras.workspace.preset IS 'Preset of retention and policy it was made with: laras, the only one.';
COMMENT ON COLUMN laras.workspace.state IS 'active; closed: nobody enters any more; erased: its key is destroyed, rows follow.';
COMMENT ON COLUMN laras.workspace.created_at IS 'When it was made.';
COMMENT ON COLUMN laras.workspace.region IS 'Region by whose habits a phone number without country code is read.';
COMMENT ON COLUMN laras.workspace.media_quota IS 'Bytes of media it may store (laras.set_media_quota); null: what the setting laras.media_quota says.';
COMMENT ON COLUMN laras.workspace.time_zone IS 'Zone by whose clock the business opens and closes, a name of pg_timezone_names.';
ALTER TABLE laras.workspace ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.workspace FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.workspace TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.workspace TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, UPDATE, DELETE ON laras.workspace TO laras_worker;

CREATE TABLE laras.member (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  slot bigint NOT NULL,
  email laras.sealed,
  name laras.sealed,
  login_hash bytea CHECK (octet_length(login_hash) = 16),
  password_hash text,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'agent', 'auditor')),
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'removed')),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  removed_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, login_hash),
  CHECK ((state = 'removed') = (removed_at IS NOT NULL)),
  CHECK (state = 'active' OR (login_hash IS NULL AND password_hash IS NULL))
);
-- Not unique: one address may belong to members of several workspaces.
CREATE INDEX member_login_hash ON laras.member (login_hash);
COMMENT ON TABLE laras.member IS 'A person who works in a workspace.';
COMMENT ON COLUMN laras.member.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.member.id IS 'Random id.';
COMMENT ON COLUMN laras.member.slot IS 'Key slot of the person.';
COMMENT ON COLUMN laras.member.email IS 'Address in lower case, sealed under (W, member).';
COMMENT ON COLUMN laras.member.name IS 'Name shown to colleagues, sealed under (W, member).';
COMMENT ON COLUMN laras.member.login_hash IS 'Keyed hash (kind 33) of the address, by which a log-in finds the member.';
COMMENT ON COLUMN laras.member.password_hash IS 'bcrypt.';
COMMENT ON COLUMN laras.member.role IS 'owner, admin, agent or auditor.';
COMMENT ON COLUMN laras.member.state IS 'active, or removed: cannot log in; the row stays for what refers to it.';
COMMENT ON COLUMN laras.member.created_at IS 'When the member was added.';
COMMENT ON COLUMN laras.member.removed_at IS 'When the member was removed.';
ALTER TABLE laras.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.member FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.member TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.member TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, UPDATE, DELETE ON laras.member TO laras_worker;

CREATE TABLE laras.session (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  member_id bigint NOT NULL,
  token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, member_id) REFERENCES laras.member (workspace_id, id)
);
-- By the hash of 32 random bytes alone: enter() knows no workspace yet.
CREATE INDEX session_token_hash ON laras.session (token_hash);
CREATE INDEX session_member ON laras.session (workspace_id, member_id);
COMMENT ON TABLE laras.session IS 'A log-in of a member.';
COMMENT ON COLUMN laras.session.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.session.id IS 'Random id.';
COMMENT ON COLUMN laras.session.member_id IS 'Who logged in.';
COMMENT ON COLUMN laras.session.token_hash IS 'SHA-256 of the token, which is stored nowhere.';
COMMENT ON COLUMN laras.session.created_at IS 'Time of the log-in.';
COMMENT ON COLUMN laras.session.expires_at IS 'When it ends by itself (laras.session_lifetime).';
COMMENT ON COLUMN laras.session.revoked_at IS 'When it was ended by a log-out or by removing the member.';
ALTER TABLE laras.session ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.session FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.session TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.session TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, UPDATE, DELETE ON laras.session TO laras_worker;

CREATE TABLE laras.api_key (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  prefix text NOT NULL CHECK (prefix ~ '^[a-z2-7]{10}$'),
  token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
  name laras.sealed,
  scopes text[] NOT NULL CHECK (scopes <@ ARRAY['inbox', 'knowledge', 'crm', 'connect', 'erase', 'export', 'admin']),
  created_by_kind text NOT NULL CHECK (created_by_kind IN ('member', 'key', 'service')),
  created_by bigint,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, prefix)
);
CREATE INDEX api_key_token_hash ON laras.api_key (token_hash);
COMMENT ON TABLE laras.api_key IS 'A key by which a program acts in a workspace.';
COMMENT ON COLUMN laras.api_key.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.api_key.id IS 'Random id.';
COMMENT ON COLUMN laras.api_key.prefix IS 'Random name that stands in the key after lk_, to tell keys apart.';
COMMENT ON COLUMN laras.api_key.token_hash IS 'SHA-256 of the key, which is stored nowhere.';
COMMENT ON COLUMN laras.api_key.name IS 'What it is for, sealed under (W, W).';
COMMENT ON COLUMN laras.api_key.scopes IS 'What it may do.';
COMMENT ON COLUMN laras.api_key.created_by_kind IS 'Kind of the principal that made it.';
COMMENT ON COLUMN laras.api_key.created_by IS 'Id of that member or key; null for the service.';
COMMENT ON COLUMN laras.api_key.created_at IS 'When it was made.';
COMMENT ON COLUMN laras.api_key.expires_at IS 'When it ends by itself; null: never.';
COMMENT ON COLUMN laras.api_key.revoked_at IS 'When it was revoked.';
ALTER TABLE laras.api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.api_key TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.api_key TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, UPDATE, DELETE ON laras.api_key TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.workspace', '');
SELECT pg_catalog.pg_extension_config_dump('laras.member', '');
SELECT pg_catalog.pg_extension_config_dump('laras.session', '');
SELECT pg_catalog.pg_extension_config_dump('laras.api_key', '');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.workspace FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.member FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.session FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.api_key FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();

-- ----------------------------------------------------------------- views

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.workspaces AS
  SELECT w.workspace_id AS id, laras.reveal(w.name, w.workspace_id, 13::smallint) AS name, w.preset, w.state, w.created_at, w.region, w.time_zone
  FROM laras.workspace w;
COMMENT ON VIEW laras.workspaces IS 'The bound workspace.';
COMMENT ON COLUMN laras.workspaces.id IS 'Id.';
COMMENT ON COLUMN laras.workspaces.name IS 'Name of the business; null once erased.';
COMMENT ON COLUMN laras.workspaces.preset IS 'Preset it was made with.';
COMMENT ON COLUMN laras.workspaces.state IS 'active, closed or erased.';
COMMENT ON COLUMN laras.workspaces.created_at IS 'When it was made.';
COMMENT ON COLUMN laras.workspaces.region IS 'Region by whose habits phone numbers are read; set_region() changes it.';
COMMENT ON COLUMN laras.workspaces.time_zone IS 'Zone of its opening hours; set_time_zone() changes it.';
GRANT SELECT ON laras.workspaces TO laras_service, laras_app;

CREATE VIEW laras.members AS
  SELECT m.id, laras.reveal(m.email, m.id, 14::smallint) AS email, laras.reveal(m.name, m.id, 15::smallint) AS name,
    m.role, m.state, m.created_at, m.removed_at
  FROM laras.member m;
COMMENT ON VIEW laras.members IS 'Members of the bound workspace.';
COMMENT ON COLUMN laras.members.id IS 'Id.';
COMMENT ON COLUMN laras.members.email IS 'Address; null once erased.';
COMMENT ON COLUMN laras.members.name IS 'Name; null once erased.';
COMMENT ON COLUMN laras.members.role IS 'owner, admin, agent or auditor.';
COMMENT ON COLUMN laras.members.state IS 'active or removed.';
COMMENT ON COLUMN laras.members.created_at IS 'When added.';
COMMENT ON COLUMN laras.members.removed_at IS 'When removed.';
GRANT SELECT ON laras.members TO laras_service, laras_app;

CREATE VIEW laras.api_keys AS
  SELECT k.id, k.prefix, laras.reveal(k.name, k.id, 26::smallint) AS name, k.scopes, k.created_by_kind, k.created_by,
    k.created_at, k.expires_at, k.revoked_at
  FROM laras.api_key k
  WHERE (SELECT laras.may('admin'));
COMMENT ON VIEW laras.api_keys IS 'API keys of the bound workspace, for principals with the scope admin; never a key itself.';
COMMENT ON COLUMN laras.api_keys.id IS 'Id.';
COMMENT ON COLUMN laras.api_keys.prefix IS 'Prefix, by which a key is revoked.';
COMMENT ON COLUMN laras.api_keys.name IS 'What it is for.';
COMMENT ON COLUMN laras.api_keys.scopes IS 'What it may do.';
COMMENT ON COLUMN laras.api_keys.created_by_kind IS 'Kind of the principal that made it.';
COMMENT ON COLUMN laras.api_keys.created_by IS 'Id of that principal.';
COMMENT ON COLUMN laras.api_keys.created_at IS 'When made.';
COMMENT ON COLUMN laras.api_keys.expires_at IS 'When it ends by itself.';
COMMENT ON COLUMN laras.api_keys.revoked_at IS 'When revoked.';
GRANT SELECT ON laras.api_keys TO laras_service, laras_app;
RESET ROLE;

-- --------------------------------------------------------------- binding

-- These two run no SQL: they read by exact key below row security (src/tenancy/lookup.c).
CREATE FUNCTION laras.enter(token text) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_enter';
COMMENT ON FUNCTION laras.enter(text) IS 'Binds this transaction by a session token or an API key and returns the workspace; a statement of its own. 28000 when the token is not valid, LRT02 when the transaction is bound elsewhere, LRT04 beside a cursor WITH HOLD.';
GRANT EXECUTE ON FUNCTION laras.enter(text) TO laras_service, laras_app;

CREATE FUNCTION laras.act_as(workspace_id bigint, member_id bigint DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_act_as';
COMMENT ON FUNCTION laras.act_as(bigint, bigint) IS 'Binds this transaction for the trusted service, as itself or as a member. 42704 for a workspace or member that does not exist, LRT02 when the transaction is bound elsewhere.';
GRANT EXECUTE ON FUNCTION laras.act_as(bigint, bigint) TO laras_service;

-- ------------------------------------------------------------------- API
-- All below run as laras_owner, because their callers hold no right on the tables; the
-- forced policies hold for that role too.

CREATE FUNCTION laras.create_workspace(name text, owner_email text, owner_password text, preset text DEFAULT 'laras') RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_create_workspace';
ALTER FUNCTION laras.create_workspace(text, text, text, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.create_workspace(text, text, text, text) IS 'Makes a workspace with its owner and returns its id. 22023 for a name, address or password that will not do, or a preset other than laras, the only one, LRT02 in a bound transaction, LRK01 while the vault is shut.';
GRANT EXECUTE ON FUNCTION laras.create_workspace(text, text, text, text) TO laras_service;

CREATE FUNCTION laras.log_in(email text, password text) RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_log_in_sql';
ALTER FUNCTION laras.log_in(text, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.log_in(text, text) IS 'Returns a session token for laras.enter; binds nothing. 28P01 when address or password is wrong, LRK01 while the vault is shut.';
GRANT EXECUTE ON FUNCTION laras.log_in(text, text) TO laras_service, laras_app;

CREATE FUNCTION laras.log_out() RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_log_out_sql';
ALTER FUNCTION laras.log_out() OWNER TO laras_owner;
COMMENT ON FUNCTION laras.log_out() IS 'Ends the session by which this transaction was bound. LRT01 when unbound, 55000 when it was not bound by a session.';
GRANT EXECUTE ON FUNCTION laras.log_out() TO laras_service, laras_app;

CREATE FUNCTION laras.set_region(region text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_region';
ALTER FUNCTION laras.set_region(text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_region(text) IS 'Sets the region by whose habits the workspace''s phone numbers are read where they have no country code; ID until then. What is stored already stays as it was read. Needs scope admin. 22023 for what is no region.';
GRANT EXECUTE ON FUNCTION laras.set_region(text) TO laras_service, laras_app;

CREATE FUNCTION laras.set_time_zone(time_zone text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_time_zone';
ALTER FUNCTION laras.set_time_zone(text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_time_zone(text) IS 'Sets the zone by whose clock the workspace opens and closes (laras.opening_hours); Asia/Jakarta until then. Drafts that wait and say what was so by the old clock become stale. Needs scope admin. 22023 for what the server knows as no zone. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_time_zone(text) TO laras_service, laras_app;

CREATE FUNCTION laras.time_zone() RETURNS text
  LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT w.time_zone FROM laras.workspace w WHERE w.workspace_id = (SELECT laras.current_workspace());
END;
ALTER FUNCTION laras.time_zone() OWNER TO laras_owner;
COMMENT ON FUNCTION laras.time_zone() IS 'Zone of the bound workspace''s opening hours; null when unbound. Definer: the drafter holds no right on the table.';
GRANT EXECUTE ON FUNCTION laras.time_zone() TO laras_drafter, laras_service, laras_app;

CREATE FUNCTION laras.add_member(email text, name text, role text, password text) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_add_member';
ALTER FUNCTION laras.add_member(text, text, text, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.add_member(text, text, text, text) IS 'Adds a member (owner, admin, agent or auditor) to the bound workspace and returns its id. 42501 without the scope admin, or when somebody else than an owner adds an owner; 42710 for an address the workspace has; 22023.';
GRANT EXECUTE ON FUNCTION laras.add_member(text, text, text, text) TO laras_service, laras_app;

CREATE FUNCTION laras.remove_member(member_id bigint) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_remove_member';
ALTER FUNCTION laras.remove_member(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.remove_member(bigint) IS 'Removes a member of the bound workspace and ends all its sessions. 42501 without the right, 42704 for no such member, LRT07 for the last owner.';
GRANT EXECUTE ON FUNCTION laras.remove_member(bigint) TO laras_service, laras_app;

CREATE FUNCTION laras.set_member_role(member_id bigint, role text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_member_role';
ALTER FUNCTION laras.set_member_role(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_member_role(bigint, text) IS 'Changes the role of a member of the bound workspace, from its next transaction on. 42501 without the right, 42704 for no such member, LRT07 for the last owner.';
GRANT EXECUTE ON FUNCTION laras.set_member_role(bigint, text) TO laras_service, laras_app;

CREATE FUNCTION laras.create_api_key(name text, scopes text[], expires_at timestamptz DEFAULT NULL) RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_create_api_key';
ALTER FUNCTION laras.create_api_key(text, text[], timestamptz) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.create_api_key(text, text[], timestamptz) IS 'Makes an API key of the bound workspace and returns it, this once. 42501 without the scope admin or without a scope that is asked for; 22023 for an unknown scope or a time in the past.';
GRANT EXECUTE ON FUNCTION laras.create_api_key(text, text[], timestamptz) TO laras_service, laras_app;

CREATE FUNCTION laras.revoke_api_key(prefix text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_revoke_api_key';
ALTER FUNCTION laras.revoke_api_key(text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.revoke_api_key(text) IS 'Revokes an API key of the bound workspace by its prefix. 42501 without the scope admin, 42704 when there is none to revoke.';
GRANT EXECUTE ON FUNCTION laras.revoke_api_key(text) TO laras_service, laras_app;

-- --------------------------------------------------------------- columns

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('workspace', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'slot', 'workspace', NULL, NULL, 'number of a key slot', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'name', 'workspace', 13, 'workspace', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'preset', 'workspace', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'state', 'workspace', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'created_at', 'workspace', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'region', 'workspace', NULL, NULL, 'two letters of a country', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'media_quota', 'workspace', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('workspace', 'time_zone', 'workspace', NULL, NULL, 'a name of a time zone', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('member', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('member', 'id', 'member', NULL, NULL, 'random id', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('member', 'slot', 'member', NULL, NULL, 'number of a key slot', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('member', 'email', 'member', 14, 'member', NULL, 'none', 'none', 'null', 'none', 'delete', NULL, NULL),
  ('member', 'name', 'member', 15, 'member', NULL, 'none', 'none', 'null', 'none', 'delete', NULL, NULL),
  ('member', 'login_hash', 'member', NULL, NULL, 'keyed hash, gone when the member is removed', 'none', 'none', 'null', 'none', 'delete', NULL, NULL),
  ('member', 'password_hash', 'credential', NULL, NULL, 'bcrypt hash, gone when the member is removed', 'none', 'none', 'null', 'none', 'delete', NULL, NULL),
  ('member', 'role', 'member', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('member', 'state', 'member', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('member', 'created_at', 'member', NULL, NULL, 'a time', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('member', 'removed_at', 'member', NULL, NULL, 'a time', 'none', 'none', 'keep', 'none', 'delete', 'evidence refers to it', 'workspace'),
  ('session', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('session', 'id', 'credential', NULL, NULL, 'random id', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('session', 'member_id', 'credential', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('session', 'token_hash', 'credential', NULL, NULL, 'hash of 32 random bytes', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('session', 'created_at', 'credential', NULL, NULL, 'a time', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('session', 'expires_at', 'credential', NULL, NULL, 'a time', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('session', 'revoked_at', 'credential', NULL, NULL, 'a time', 'none', 'none', 'delete', 'none', 'delete', NULL, NULL),
  ('api_key', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'id', 'credential', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'prefix', 'credential', NULL, NULL, 'random letters', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'token_hash', 'credential', NULL, NULL, 'hash of 32 random bytes', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'name', 'credential', 26, 'workspace', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'scopes', 'credential', NULL, NULL, 'words from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'created_by_kind', 'credential', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'created_by', 'credential', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'created_at', 'credential', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'expires_at', 'credential', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('api_key', 'revoked_at', 'credential', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);
