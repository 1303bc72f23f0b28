-- 52_media: the bytes of pictures, films, voices and documents, in both directions.

-- A picture, film, voice or document: of a message, or given to be sent. Its bytes are in laras.media_chunk.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.media (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  message_id bigint,
  part_id bigint,
  contact_id bigint NOT NULL,
  connection_id bigint NOT NULL,
  slot bigint NOT NULL,
  direction text NOT NULL
    CHECK (direction IN ('in', 'out')),
  kind text NOT NULL
    CHECK (kind IN ('image', 'video', 'audio', 'voice', 'document', 'sticker')),
  state text NOT NULL
    CHECK (state IN ('wanted', 'fetching', 'stored', 'gone', 'refused', 'over_quota', 'failed', 'not_fetched', 'cancelled')),
  reason text,
  details laras.sealed,
  size bigint CHECK (size >= 0),
  chunks integer CHECK (chunks >= 0),
  attempts integer NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT laras.now(),
  task_id bigint,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  stored_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  CHECK ((state = 'stored') = (stored_at IS NOT NULL)),
  CHECK (state <> 'stored' OR (details IS NOT NULL AND size IS NOT NULL AND chunks IS NOT NULL)),
  FOREIGN KEY (workspace_id, message_id) REFERENCES laras.message (workspace_id, id),
  FOREIGN KEY (workspace_id, contact_id) REFERENCES laras.contact (workspace_id, id)
);
CREATE INDEX media_message ON laras.media (workspace_id, message_id);
CREATE INDEX media_contact ON laras.media (workspace_id, contact_id);
CREATE INDEX media_connection ON laras.media (workspace_id, connection_id) WHERE state IN ('wanted', 'fetching');
CREATE INDEX media_wanted ON laras.media (workspace_id, next_at) WHERE state = 'wanted';
CREATE INDEX media_fetching ON laras.media (workspace_id, task_id) WHERE state = 'fetching';
CREATE INDEX media_size ON laras.media (workspace_id, id) INCLUDE (size) WHERE state IN ('fetching', 'stored');
COMMENT ON TABLE laras.media IS 'A picture, film, voice or document: of a message, or given to be sent. Its bytes are in laras.media_chunk.';
COMMENT ON COLUMN laras.media.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.media.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.media.message_id IS 'Message; null for what was given to be sent and was not sent yet.';
COMMENT ON COLUMN laras.media.part_id IS 'The part of the message that says where the bytes are at the provider; null for what was given to be sent.';
COMMENT ON COLUMN laras.media.contact_id IS 'The person it is from or to.';
COMMENT ON COLUMN laras.media.connection_id IS 'Connection (a tombstone after a disconnect).';
COMMENT ON COLUMN laras.media.slot IS 'Slot that seals the bytes: the person''s.';
COMMENT ON COLUMN laras.media.direction IS 'Direction.';
COMMENT ON COLUMN laras.media.kind IS 'What it is.';
COMMENT ON COLUMN laras.media.state IS 'wanted: to be fetched from the provider; fetching; stored; gone: the provider has it no longer; refused: longer than is taken, not what the provider said it was, or of a form that is not known; over_quota: the workspace has no room left; failed: tried as often as it is tried; not_fetched: nobody asked for it yet; cancelled: the connection was cut first.';
COMMENT ON COLUMN laras.media.reason IS 'Why it is in that state, in one word.';
COMMENT ON COLUMN laras.media.details IS 'JSON: mime_type, filename and sha256 of the bytes.';
COMMENT ON COLUMN laras.media.size IS 'Bytes: of what is stored, or as the provider states.';
COMMENT ON COLUMN laras.media.chunks IS 'In how many pieces they lie.';
COMMENT ON COLUMN laras.media.attempts IS 'Failures in fetching it so far.';
COMMENT ON COLUMN laras.media.next_at IS 'Earliest next try.';
COMMENT ON COLUMN laras.media.task_id IS 'Task of the courier that fetches it.';
COMMENT ON COLUMN laras.media.created_at IS 'When laras heard of it.';
COMMENT ON COLUMN laras.media.stored_at IS 'When the last byte was stored.';
ALTER TABLE laras.media ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.media FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.media TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.media TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.media TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.media', '');

-- The bytes of media in pieces, each sealed with its number and how many there are.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.media_chunk (
  workspace_id bigint NOT NULL,
  media_id bigint NOT NULL,
  number integer NOT NULL CHECK (number >= 0),
  content laras.sealed NOT NULL,
  PRIMARY KEY (workspace_id, media_id, number),
  FOREIGN KEY (workspace_id, media_id) REFERENCES laras.media (workspace_id, id)
);
COMMENT ON TABLE laras.media_chunk IS 'The bytes of media in pieces, each sealed with its number and how many there are.';
COMMENT ON COLUMN laras.media_chunk.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.media_chunk.media_id IS 'Whose bytes they are.';
COMMENT ON COLUMN laras.media_chunk.number IS 'Order, from 0.';
COMMENT ON COLUMN laras.media_chunk.content IS 'Number and count as u32 each, then 256 KiB (the last one: the rest); sealed for the id of the media.';
ALTER TABLE laras.media_chunk ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.media_chunk FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.media_chunk TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.media_chunk TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.media_chunk TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.media_chunk', '');

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('media', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'id', 'media', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'message_id', 'media', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'part_id', 'media', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'contact_id', 'media', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'connection_id', 'media', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'slot', 'media', NULL, NULL, 'number of a key slot', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'direction', 'media', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'kind', 'media', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'state', 'media', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'reason', 'media', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'details', 'media', 50, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'size', 'media', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'chunks', 'media', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'attempts', 'media', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'next_at', 'media', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'task_id', 'media', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'created_at', 'media', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media', 'stored_at', 'media', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media_chunk', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('media_chunk', 'media_id', 'media', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media_chunk', 'number', 'media', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('media_chunk', 'content', 'media', 51, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL);

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.attachments AS
  SELECT m.id,
    m.message_id,
    m.contact_id,
    m.connection_id,
    m.direction,
    m.kind,
    m.state,
    m.reason,
    d.details ->> 'mime_type' AS mime_type,
    d.details ->> 'filename' AS filename,
    d.details ->> 'sha256' AS sha256,
    m.size,
    m.attempts,
    CASE WHEN m.state = 'wanted' THEN m.next_at END AS next_at,
    m.created_at,
    m.stored_at
  FROM laras.media m, LATERAL (SELECT laras.reveal(m.details, m.id, 50::smallint)::jsonb AS details) AS d
  WHERE laras.may('inbox');
COMMENT ON VIEW laras.attachments IS 'Pictures, films, voices and documents of messages, and what became of their bytes; read_media gives them.';
COMMENT ON COLUMN laras.attachments.id IS 'Id, for read_media, fetch_media and reply.';
COMMENT ON COLUMN laras.attachments.message_id IS 'Message; null for what was given to be sent and was not sent yet.';
COMMENT ON COLUMN laras.attachments.contact_id IS 'The person it is from or to.';
COMMENT ON COLUMN laras.attachments.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.attachments.direction IS 'in or out.';
COMMENT ON COLUMN laras.attachments.kind IS 'image, video, audio, voice, document or sticker.';
COMMENT ON COLUMN laras.attachments.state IS 'What became of the bytes: laras.media.state has the list.';
COMMENT ON COLUMN laras.attachments.reason IS 'Why, in one word.';
COMMENT ON COLUMN laras.attachments.mime_type IS 'Of the bytes, as the provider or who gave them says; null once erased.';
COMMENT ON COLUMN laras.attachments.filename IS 'As the sender calls it; null where nobody says, and once erased.';
COMMENT ON COLUMN laras.attachments.sha256 IS 'SHA-256 of the bytes in hexadecimal digits; null once erased.';
COMMENT ON COLUMN laras.attachments.size IS 'Bytes; where they are not stored, as the provider states.';
COMMENT ON COLUMN laras.attachments.attempts IS 'Failures in fetching it so far.';
COMMENT ON COLUMN laras.attachments.next_at IS 'Earliest next try, of what is wanted.';
COMMENT ON COLUMN laras.attachments.created_at IS 'When laras heard of it.';
COMMENT ON COLUMN laras.attachments.stored_at IS 'When the last byte was stored.';
GRANT SELECT ON laras.attachments TO laras_app, laras_service;

CREATE VIEW laras.stat_media AS
  SELECT m.connection_id,
    pg_catalog.count(*) FILTER (WHERE m.state = 'wanted') AS wanted,
    pg_catalog.count(*) FILTER (WHERE m.state = 'fetching') AS fetching,
    pg_catalog.count(*) FILTER (WHERE m.state = 'stored') AS stored,
    pg_catalog.count(*) FILTER (WHERE m.state = 'over_quota') AS over_quota,
    pg_catalog.count(*) FILTER (WHERE m.state IN ('gone', 'refused', 'failed')) AS lost,
    coalesce(pg_catalog.sum(m.size) FILTER (WHERE m.state = 'stored'), 0)::bigint AS bytes,
    laras.now() - pg_catalog.min(m.created_at) FILTER (WHERE m.state IN ('wanted', 'fetching')) AS oldest_age,
    pg_catalog.max(m.stored_at) AS last_stored_at
    FROM laras.media m WHERE laras.may('inbox') GROUP BY m.connection_id;
COMMENT ON VIEW laras.stat_media IS 'Media of each connection of the bound workspace: how much waits to be fetched, since when, and what became of the rest.';
COMMENT ON COLUMN laras.stat_media.connection_id IS 'Connection.';
COMMENT ON COLUMN laras.stat_media.wanted IS 'That wait for the courier, or for their next try.';
COMMENT ON COLUMN laras.stat_media.fetching IS 'Whose bytes are under way.';
COMMENT ON COLUMN laras.stat_media.stored IS 'Whose bytes are here.';
COMMENT ON COLUMN laras.stat_media.over_quota IS 'For which the workspace has no room left.';
COMMENT ON COLUMN laras.stat_media.lost IS 'Gone, refused or failed: laras.attachments says why.';
COMMENT ON COLUMN laras.stat_media.bytes IS 'Bytes stored, before they were sealed.';
COMMENT ON COLUMN laras.stat_media.oldest_age IS 'How long the oldest waits that has not ended; null when none waits.';
COMMENT ON COLUMN laras.stat_media.last_stored_at IS 'When the last was stored.';
GRANT SELECT ON laras.stat_media TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.read_media(media_id bigint, first_byte bigint DEFAULT 0, most_bytes integer DEFAULT 1048576) RETURNS bytea
  LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_read_media';
ALTER FUNCTION laras.read_media(bigint, bigint, integer) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.read_media(bigint, bigint, integer) IS
  'Bytes of stored media from first_byte (0 is the first) on, at most so many, up to 8 MiB at once; fewer at the end, none behind it; null once its key is destroyed. Every piece is checked to be the one that was stored in that place. Needs scope inbox. P0002 for no such media, 55000 while its bytes are not stored, 22003 for a range that is none, 42501 without the scope, LRT01 unbound; LRK01 LRK03 LRK04 LRK05 LRB01. Definer: reads what callers may not read whole.';
GRANT EXECUTE ON FUNCTION laras.read_media(bigint, bigint, integer) TO laras_app, laras_service;

CREATE FUNCTION laras.fetch_media(media_id bigint) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_fetch_media';
ALTER FUNCTION laras.fetch_media(bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.fetch_media(bigint) IS
  'Has media fetched from its provider that is not_fetched, over_quota, failed or gone, as if it had just come: false where there is nothing to fetch (it is stored, under way, refused for what it is, came along with a mail and lies nowhere else, or its connection was cut). Needs scope inbox. P0002 for no such media, 42501 without the scope, LRT01 unbound; LRB01 LRK01. Definer: writes tables that callers may not.';
GRANT EXECUTE ON FUNCTION laras.fetch_media(bigint) TO laras_app, laras_service;

CREATE FUNCTION laras.set_media_quota(workspace_id bigint, bytes bigint) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER CALLED ON NULL INPUT
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_media_quota';
ALTER FUNCTION laras.set_media_quota(bigint, bigint) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_media_quota(bigint, bigint) IS
  'How many bytes of media a workspace may store: null for what laras.media_quota says. What is over it is not fetched, stands as over_quota, and is fetched once there is room and fetch_media asks for it. 42704 for no such workspace, 22003 for less than 0, 22004 for no workspace named; LRB01 LRK01. Definer: the operator may not write the table of workspaces itself.';
GRANT EXECUTE ON FUNCTION laras.set_media_quota(bigint, bigint) TO laras_dba;

CREATE FUNCTION laras.upload_media(conversation_id bigint, content bytea, mime_type text, filename text DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER CALLED ON NULL INPUT
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_upload_media';
ALTER FUNCTION laras.upload_media(bigint, bytea, text, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.upload_media(bigint, bytea, text, text) IS
  'Stores bytes to be sent in a conversation, sealed under the person''s key, and returns the id of the media: reply sends it (option media_id). What the conversation''s channel does not take by type or length is refused, and bytes that do not begin as files of that type do. Needs scope inbox. P0002 for no such conversation of direct messages, 22023 for a type or name that is none, a type that is not taken or that the bytes are not of, 54000 for what is too long or over the workspace''s quota, 0A000 where the channel carries no media, 55000 when it was disconnected or the contact is being erased, 22004 for null, 42501 without the scope, LRT01 unbound; LRB01 LRK01. Definer: writes tables that callers may not.';
GRANT EXECUTE ON FUNCTION laras.upload_media(bigint, bytea, text, text) TO laras_app, laras_service;
