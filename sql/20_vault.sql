-- 20_vault: who owns which key slot, orders to destroy, the state of the keyring.
-- The keys themselves are never in the database. src/vault/.

SET LOCAL ROLE laras_owner;

CREATE TABLE laras.key_owner (
  workspace_id bigint NOT NULL,
  slot bigint NOT NULL CHECK (slot BETWEEN 0 AND 4294967295),
  kind text NOT NULL CHECK (kind IN ('workspace', 'member', 'connection', 'contact', 'group', 'application',
                                     'hour', 'week', 'billing', 'hold', 'export')),
  owner_id bigint NOT NULL,
  merged_from bigint,
  rule text NOT NULL DEFAULT 'any' CHECK (rule IN ('any', 'last')),
  PRIMARY KEY (workspace_id, slot, kind, owner_id)
);
CREATE INDEX key_owner_owner ON laras.key_owner (workspace_id, kind, owner_id);
CREATE UNIQUE INDEX key_owner_period ON laras.key_owner (workspace_id, kind, owner_id) WHERE kind IN ('hour', 'week');
COMMENT ON TABLE laras.key_owner IS 'who owns which key slot: the only list from which an erasure takes its slots';
COMMENT ON COLUMN laras.key_owner.workspace_id IS 'workspace, or 0 where no single workspace owns the slot (hours, weeks, platform)';
COMMENT ON COLUMN laras.key_owner.slot IS 'slot of the keyring';
COMMENT ON COLUMN laras.key_owner.kind IS 'what owns the slot';
COMMENT ON COLUMN laras.key_owner.owner_id IS 'id of the owner; for hour and week the number of the period since 1970';
COMMENT ON COLUMN laras.key_owner.merged_from IS 'the contact that brought the slot into a merge';
COMMENT ON COLUMN laras.key_owner.rule IS 'shared slots: destroyed with any of the owners, or with the last';
ALTER TABLE laras.key_owner ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.key_owner FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.key_owner TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.key_owner TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
-- hours and weeks belong to no workspace, and intake needs them before one is bound
CREATE POLICY platform ON laras.key_owner TO laras_owner, laras_worker
  USING (workspace_id = 0) WITH CHECK (workspace_id = 0);

CREATE TABLE laras.key_destruction (
  workspace_id bigint NOT NULL,
  order_id bytea NOT NULL CHECK (pg_catalog.length(order_id) = 16),
  slot bigint NOT NULL CHECK (slot BETWEEN 2 AND 4294967295),
  reason smallint NOT NULL CHECK (reason BETWEEN 1 AND 7),
  ordered_at timestamptz NOT NULL,
  overwritten_at timestamptz,
  verified_at timestamptz,
  verified_mirrors text[],
  PRIMARY KEY (workspace_id, order_id, slot)
);
CREATE INDEX key_destruction_pending ON laras.key_destruction (ordered_at) WHERE verified_at IS NULL;
CREATE INDEX key_destruction_order ON laras.key_destruction (order_id, slot);
COMMENT ON TABLE laras.key_destruction IS 'orders to destroy key slots, committed with the act that gave them';
COMMENT ON COLUMN laras.key_destruction.workspace_id IS 'workspace, or 0 for hours, weeks and platform slots';
COMMENT ON COLUMN laras.key_destruction.order_id IS 'the act that the slots belong to; also in the slot''s mark and in the journal';
COMMENT ON COLUMN laras.key_destruction.slot IS 'slot of the keyring';
COMMENT ON COLUMN laras.key_destruction.reason IS '1 erasure, 2 retention, 3 disconnect, 4 hold released, 5 operator, 6 repeated from journal, 7 rolled back';
COMMENT ON COLUMN laras.key_destruction.ordered_at IS 'when it was ordered, by the product''s clock';
COMMENT ON COLUMN laras.key_destruction.overwritten_at IS 'when the vault worker first found the slot overwritten in a mirror';
COMMENT ON COLUMN laras.key_destruction.verified_at IS 'when the mark had been read back from every mirror; empty while one is pending';
COMMENT ON COLUMN laras.key_destruction.verified_mirrors IS 'mirrors from which the mark was read back';
ALTER TABLE laras.key_destruction ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.key_destruction FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.key_destruction TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.key_destruction TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
CREATE POLICY platform ON laras.key_destruction TO laras_owner, laras_worker
  USING (workspace_id = 0) WITH CHECK (workspace_id = 0);

CREATE TABLE laras.keyring_mark (
  id int PRIMARY KEY CHECK (id = 1),
  keyring uuid NOT NULL,
  timeline bigint NOT NULL,
  sweep_from bigint NOT NULL,
  reason text NOT NULL,
  marked_at timestamptz NOT NULL,
  leased bigint NOT NULL
);
COMMENT ON TABLE laras.keyring_mark IS 'how far this database and its keyring belong together: below sweep_from no slot is ever taken for an orphan';
COMMENT ON COLUMN laras.keyring_mark.id IS 'always 1';
COMMENT ON COLUMN laras.keyring_mark.keyring IS 'the keyring that the contents were sealed under: no other is taken for it';
COMMENT ON COLUMN laras.keyring_mark.timeline IS 'timeline on which the vault worker last ran';
COMMENT ON COLUMN laras.keyring_mark.sweep_from IS 'lease position from which unnamed slots of rolled-back transactions are destroyed after a crash';
COMMENT ON COLUMN laras.keyring_mark.reason IS 'what moved sweep_from: start, adopted, older database, timeline, unknown order';
COMMENT ON COLUMN laras.keyring_mark.marked_at IS 'when, by the real clock';
COMMENT ON COLUMN laras.keyring_mark.leased IS 'end of the last lease: mirrors that are older than this database are raised to it before a slot is handed out';
ALTER TABLE laras.keyring_mark ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.keyring_mark FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON laras.keyring_mark TO laras_worker USING (true) WITH CHECK (true);

-- Mirrors that are gone for good, each with what a person says became of it.
CREATE TABLE laras.mirror_removal (
  place bytea PRIMARY KEY CHECK (pg_catalog.length(place) = 16),
  mirror text NOT NULL,
  statement text NOT NULL CHECK (pg_catalog.length(statement) BETWEEN 10 AND 1000),
  pending bigint NOT NULL,
  removed_at timestamptz NOT NULL DEFAULT laras.now(),
  journalled_at timestamptz
);
COMMENT ON TABLE laras.mirror_removal IS 'mirrors of the keyring that were removed, each with what a person stated became of it; they are never used again';
COMMENT ON COLUMN laras.mirror_removal.place IS 'half of the SHA-256 of name=path: another disk gets another name or path';
COMMENT ON COLUMN laras.mirror_removal.mirror IS 'its name in laras.keyring_directory';
COMMENT ON COLUMN laras.mirror_removal.statement IS 'where its medium is, or how it was destroyed; names nobody';
COMMENT ON COLUMN laras.mirror_removal.pending IS 'destructions that some mirror had not yet confirmed when it was removed';
COMMENT ON COLUMN laras.mirror_removal.removed_at IS 'when it was stated, by the product''s clock';
COMMENT ON COLUMN laras.mirror_removal.journalled_at IS 'when the keyring''s own journal had it, by the real clock';
ALTER TABLE laras.mirror_removal ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.mirror_removal FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.mirror_removal TO laras_owner, laras_worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON laras.mirror_removal FOR SELECT TO laras_dba, laras_auditor USING (true);

-- What each scrub of the keyring found.
CREATE TABLE laras.keyring_scrub (
  started_at timestamptz PRIMARY KEY,
  finished_at timestamptz NOT NULL,
  slabs bigint NOT NULL,
  live bigint NOT NULL,
  destroyed bigint NOT NULL,
  damaged bigint NOT NULL,
  absent bigint NOT NULL,
  repaired bigint NOT NULL,
  leased bigint NOT NULL
);
COMMENT ON TABLE laras.keyring_scrub IS 'what each scrub of the keyring found; kept for a year';
COMMENT ON COLUMN laras.keyring_scrub.started_at IS 'beginning, by the product''s clock';
COMMENT ON COLUMN laras.keyring_scrub.finished_at IS 'end';
COMMENT ON COLUMN laras.keyring_scrub.slabs IS 'slabs of 4,096 slots looked at';
COMMENT ON COLUMN laras.keyring_scrub.live IS 'slots that open';
COMMENT ON COLUMN laras.keyring_scrub.destroyed IS 'slots that bear the mark of a destruction';
COMMENT ON COLUMN laras.keyring_scrub.damaged IS 'slots that neither open nor bear a mark, in every mirror';
COMMENT ON COLUMN laras.keyring_scrub.absent IS 'slots whose slab no mirror holds';
COMMENT ON COLUMN laras.keyring_scrub.repaired IS 'slots that were put right from another mirror or the journal';
COMMENT ON COLUMN laras.keyring_scrub.leased IS 'slots leased by then: growth is told from it';
ALTER TABLE laras.keyring_scrub ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.keyring_scrub FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.keyring_scrub TO laras_owner, laras_worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON laras.keyring_scrub FOR SELECT TO laras_dba, laras_auditor USING (true);

-- Epochs of the master key: which are in use, retired, destroyed.
CREATE TABLE laras.master_key_epoch (
  epoch int PRIMARY KEY CHECK (epoch BETWEEN 1 AND 65535),
  began_at timestamptz NOT NULL,
  retired_at timestamptz,
  destroyed_at timestamptz,
  reference text CHECK (pg_catalog.length(reference) BETWEEN 3 AND 500),
  journalled_at timestamptz,
  CHECK (destroyed_at IS NULL OR (retired_at IS NOT NULL AND reference IS NOT NULL))
);
COMMENT ON TABLE laras.master_key_epoch IS 'epochs of the master key; a copy of the keyring opens with the master key of its own epoch, and not after that is destroyed';
COMMENT ON COLUMN laras.master_key_epoch.epoch IS 'number of the epoch';
COMMENT ON COLUMN laras.master_key_epoch.began_at IS 'from when keys were wrapped under it';
COMMENT ON COLUMN laras.master_key_epoch.retired_at IS 'when no key of it was left in any mirror';
COMMENT ON COLUMN laras.master_key_epoch.destroyed_at IS 'when a person confirmed that its master key is destroyed in its store';
COMMENT ON COLUMN laras.master_key_epoch.reference IS 'the record of the store that says so; names nobody';
COMMENT ON COLUMN laras.master_key_epoch.journalled_at IS 'when the keyring''s own journal had it, by the real clock';
ALTER TABLE laras.master_key_epoch ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.master_key_epoch FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.master_key_epoch TO laras_owner, laras_worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON laras.master_key_epoch FOR SELECT TO laras_dba, laras_auditor USING (true);
GRANT SELECT, INSERT, UPDATE ON laras.master_key_epoch TO laras_worker;
GRANT SELECT ON laras.master_key_epoch TO laras_dba, laras_auditor;

-- Copies of the keyring beside its mirrors, each with the day by which it must be gone.
CREATE TABLE laras.keyring_copy (
  copy_id bigint PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('escrow', 'other')),
  label text NOT NULL CHECK (pg_catalog.length(label) BETWEEN 3 AND 200),
  directory text CHECK ((directory IS NOT NULL) = (kind = 'escrow')),
  oldest_epoch int NOT NULL,
  epoch int NOT NULL CHECK (epoch >= oldest_epoch),
  registered_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL CHECK (expires_at > registered_at AND expires_at <= registered_at + interval '30 days'),
  made_at timestamptz,
  trouble text,
  destroyed_at timestamptz,
  statement text CHECK (pg_catalog.length(statement) BETWEEN 10 AND 1000),
  CHECK ((destroyed_at IS NULL) = (statement IS NULL))
);
COMMENT ON TABLE laras.keyring_copy IS 'copies of the keyring beside its mirrors: registered before a byte of them is written';
COMMENT ON COLUMN laras.keyring_copy.copy_id IS 'id';
COMMENT ON COLUMN laras.keyring_copy.kind IS 'escrow: made by laras.escrow_keyring(); other: made outside and registered (a clone, a snapshot)';
COMMENT ON COLUMN laras.keyring_copy.label IS 'what a person calls it; names nobody';
COMMENT ON COLUMN laras.keyring_copy.directory IS 'where an escrow copy was written';
COMMENT ON COLUMN laras.keyring_copy.oldest_epoch IS 'oldest epoch of the master key that its keys are wrapped under';
COMMENT ON COLUMN laras.keyring_copy.epoch IS 'newest such epoch: the copy is void when that one and all before it are destroyed';
COMMENT ON COLUMN laras.keyring_copy.registered_at IS 'when it was registered, by the product''s clock';
COMMENT ON COLUMN laras.keyring_copy.expires_at IS 'by when it must be destroyed, at most 30 days later';
COMMENT ON COLUMN laras.keyring_copy.made_at IS 'when it was complete';
COMMENT ON COLUMN laras.keyring_copy.trouble IS 'why it could not be made; nothing of it was left then';
COMMENT ON COLUMN laras.keyring_copy.destroyed_at IS 'when a person confirmed that it is destroyed';
COMMENT ON COLUMN laras.keyring_copy.statement IS 'what became of it; names nobody';
ALTER TABLE laras.keyring_copy ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.keyring_copy FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON laras.keyring_copy TO laras_owner, laras_worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON laras.keyring_copy FOR SELECT TO laras_dba, laras_auditor USING (true);
GRANT SELECT, UPDATE ON laras.keyring_copy TO laras_worker;
GRANT SELECT ON laras.keyring_copy TO laras_dba, laras_auditor;

GRANT SELECT, UPDATE ON laras.mirror_removal TO laras_worker;
GRANT SELECT, INSERT, DELETE ON laras.keyring_scrub TO laras_worker;
GRANT SELECT ON laras.mirror_removal, laras.keyring_scrub TO laras_dba, laras_auditor;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.key_owner TO laras_worker;
GRANT SELECT, INSERT, UPDATE ON laras.key_destruction TO laras_worker;
GRANT SELECT, INSERT, UPDATE ON laras.keyring_mark TO laras_worker;

RESET ROLE;

SELECT pg_catalog.pg_extension_config_dump('laras.key_owner', '');
SELECT pg_catalog.pg_extension_config_dump('laras.key_destruction', '');
SELECT pg_catalog.pg_extension_config_dump('laras.keyring_mark', '');
SELECT pg_catalog.pg_extension_config_dump('laras.mirror_removal', '');
SELECT pg_catalog.pg_extension_config_dump('laras.master_key_epoch', '');
SELECT pg_catalog.pg_extension_config_dump('laras.keyring_scrub', '');
SELECT pg_catalog.pg_extension_config_dump('laras.keyring_copy', '');

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.key_owner FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.key_destruction FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.keyring_mark FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.master_key_epoch FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.keyring_copy FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON laras.mirror_removal FOR EACH STATEMENT EXECUTE FUNCTION laras.refuse_truncate();

CREATE FUNCTION laras.keyring_mirrors(
  OUT mirror text, OUT state text, OUT journal bigint, OUT applied bigint, OUT failures bigint, OUT read_back text)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'laras_list_keyring_mirrors' LANGUAGE c VOLATILE;
COMMENT ON FUNCTION laras.keyring_mirrors() IS 'the mirrors of this database''s keyring and how far each has come; empty without a keyring';

CREATE FUNCTION laras.keyring_summary(
  OUT phase text, OUT reason text, OUT number int, OUT uuid uuid, OUT epoch int, OUT oldest_epoch int, OUT adoptions bigint,
  OUT slabs int, OUT leased bigint, OUT pending bigint, OUT swept bigint, OUT left_over bigint, OUT sweeping text)
  AS 'MODULE_PATHNAME', 'laras_show_keyring' LANGUAGE c VOLATILE;
COMMENT ON FUNCTION laras.keyring_summary() IS 'phase of the vault, why it is closed, epochs, and what is leased, pending and left over';

CREATE FUNCTION laras.adopt_keyring() RETURNS boolean
  AS 'MODULE_PATHNAME', 'laras_adopt_keyring' LANGUAGE c VOLATILE STRICT;
COMMENT ON FUNCTION laras.adopt_keyring() IS
  'makes this cluster and database the owner of the keyring it finds (after a restore, a clone, or a promotion with an older copy); journalled; true when it was taken over. Errors: LRK01 LRK02 LRK06 LRK13';

CREATE FUNCTION laras.remove_mirror(name text, statement text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'laras_remove_mirror' LANGUAGE c VOLATILE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.remove_mirror(text, text) IS
  'takes a mirror out of use for good, on the statement of what became of its medium; destructions wait for it no longer, and nothing is ever read from it again under this name and path. False where it was removed before. Errors: 22023 unknown name or no statement, 55000 the last mirror in sync, LRK01';

CREATE FUNCTION laras.rotate_master_key() RETURNS int
  AS 'MODULE_PATHNAME', 'laras_rotate_master_key' LANGUAGE c VOLATILE STRICT
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.rotate_master_key() IS
  'begins to wrap every key under the next epoch of the master key, which the key file or command must give beside the current one; the vault worker goes on with it after a crash. Returns the new epoch, null where a rotation is under way. Not undone by a rollback. See laras.progress_rotation. Errors: LRK01 LRK02 LRK12 LRK13 LRK14';

CREATE FUNCTION laras.confirm_master_key_destroyed(epoch int, reference text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'laras_confirm_master_key_destroyed' LANGUAGE c VOLATILE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.confirm_master_key_destroyed(int, text) IS
  'records that the master key of a retired epoch is destroyed in its store, with the store''s own reference; copies of the keyring from before are void from then on. Epochs in their order; false where it was recorded before. Errors: 22023, 55000 not retired, or still given to the server, LRK02 LRK12 LRK14 where that cannot be told';

CREATE FUNCTION laras.escrow_keyring(directory text, label text, expires interval DEFAULT '30 days') RETURNS bigint
  AS 'MODULE_PATHNAME', 'laras_escrow_keyring' LANGUAGE c VOLATILE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.escrow_keyring(text, text, interval) IS
  'copies the keyring, its keys wrapped as they are, to a directory of this server that only its user can enter; registered with this transaction, written by the vault worker after its commit. See laras.keyring_copies. Returns the copy''s id. Errors: 22023 label, time or path, LRK01, LRK10 a keyring lies there, LRK12 the directory is unsafe';

CREATE FUNCTION laras.register_keyring_copy(label text, expires interval DEFAULT '30 days') RETURNS bigint
  AS 'MODULE_PATHNAME', 'laras_register_keyring_copy' LANGUAGE c VOLATILE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.register_keyring_copy(text, interval) IS
  'registers a copy of the keyring that was made outside: a clone, a snapshot of a mirror''s volume. Returns its id. Errors: 22023 label or time, LRK01';

CREATE FUNCTION laras.confirm_keyring_copy_destroyed(copy bigint, statement text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'laras_confirm_keyring_copy_destroyed' LANGUAGE c VOLATILE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION laras.confirm_keyring_copy_destroyed(bigint, text) IS
  'records that a registered copy of the keyring is destroyed, on a statement of what became of it; false where it was recorded before. Errors: 22023 unknown copy or no statement';

CREATE FUNCTION laras.keyring_rotation(
  OUT running boolean, OUT oldest_epoch int, OUT epoch int, OUT slabs_done bigint, OUT slabs bigint,
  OUT waits_for text)
  AS 'MODULE_PATHNAME', 'laras_show_rotation' LANGUAGE c VOLATILE;
COMMENT ON FUNCTION laras.keyring_rotation() IS 'how far the rotation of the master key is';

CREATE FUNCTION laras.scrub_keyring() RETURNS boolean
  AS 'MODULE_PATHNAME', 'laras_scrub_keyring' LANGUAGE c VOLATILE STRICT;
COMMENT ON FUNCTION laras.scrub_keyring() IS
  'has every key in every mirror looked at now, and not only at laras.keyring_scrub_hour; false where that is under way. Errors: LRK01';

CREATE FUNCTION laras.keyring_scrub_progress(
  OUT running boolean, OUT started_at timestamptz, OUT slabs_done bigint, OUT slabs bigint,
  OUT live bigint, OUT destroyed bigint, OUT damaged bigint, OUT absent bigint, OUT repaired bigint)
  AS 'MODULE_PATHNAME', 'laras_show_scrub' LANGUAGE c VOLATILE;
COMMENT ON FUNCTION laras.keyring_scrub_progress() IS 'how far the scrub of the keyring is, or what the last one since the server started found';

CREATE FUNCTION laras.pull_keyring(
  standby text, journal bigint, chain bytea, first_slab int, slabs int[], held int,
  OUT piece text, OUT number bigint, OUT bytes bytea)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'laras_pull_keyring' LANGUAGE c VOLATILE;
COMMENT ON FUNCTION laras.pull_keyring(text, bigint, bytea, int, int[], int) IS
  'what the vault worker of a standby asks its primary: keyring file, lease, slabs by hash and as they lie (wrapped), journal after a position; the standby thereby confirms that position and how many slabs it holds. Errors: 22023, LRK01, LRK10 where the standby''s keyring is no copy of this one, LRK13';

CREATE FUNCTION laras.list_keyring_standbys(
  OUT standby text, OUT journal bigint, OUT behind bigint, OUT slabs_behind int, OUT seen_at timestamptz)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'laras_list_keyring_standbys' LANGUAGE c VOLATILE;
COMMENT ON FUNCTION laras.list_keyring_standbys() IS 'standbys that pulled this keyring since the server started, and how far each has come';

SET LOCAL ROLE laras_owner;

CREATE VIEW laras.keyring_standbys AS
  SELECT s.standby, s.journal, s.behind, s.slabs_behind, s.seen_at FROM laras.list_keyring_standbys() s;
COMMENT ON VIEW laras.keyring_standbys IS 'standbys that pulled the keyring since the server started; one with behind = 0 and slabs_behind = 0 can be promoted';
COMMENT ON COLUMN laras.keyring_standbys.standby IS 'its cluster_name';
COMMENT ON COLUMN laras.keyring_standbys.journal IS 'records of the journal that it holds and has carried out';
COMMENT ON COLUMN laras.keyring_standbys.behind IS 'records of the journal that it lacks: destructions of keys that it has not carried out';
COMMENT ON COLUMN laras.keyring_standbys.slabs_behind IS
  'slabs of keys that it lacks, or has not compared since the master key was rotated; all of them until its first copy is complete: promoted before, its vault stays closed';
COMMENT ON COLUMN laras.keyring_standbys.seen_at IS 'when it last asked, by the real clock';

CREATE VIEW laras.progress_scrub AS
  SELECT p.running, p.started_at, p.slabs_done, p.slabs, p.live, p.destroyed, p.damaged, p.absent, p.repaired
    FROM laras.keyring_scrub_progress() p;
COMMENT ON VIEW laras.progress_scrub IS 'how far the scrub of the keyring is; earlier ones are in laras.keyring_scrub';
COMMENT ON COLUMN laras.progress_scrub.running IS 'is one under way';
COMMENT ON COLUMN laras.progress_scrub.started_at IS 'when it began, by the product''s clock';
COMMENT ON COLUMN laras.progress_scrub.slabs_done IS 'slabs looked at';
COMMENT ON COLUMN laras.progress_scrub.slabs IS 'slabs to look at';
COMMENT ON COLUMN laras.progress_scrub.live IS 'slots that open';
COMMENT ON COLUMN laras.progress_scrub.destroyed IS 'slots that bear the mark of a destruction';
COMMENT ON COLUMN laras.progress_scrub.damaged IS 'slots that neither open nor bear a mark, in every mirror';
COMMENT ON COLUMN laras.progress_scrub.absent IS 'slots whose slab no mirror holds';
COMMENT ON COLUMN laras.progress_scrub.repaired IS 'slots that were put right';

CREATE VIEW laras.progress_rotation AS
  SELECT r.running, r.oldest_epoch, r.epoch, r.slabs_done, r.slabs, r.waits_for FROM laras.keyring_rotation() r;
COMMENT ON VIEW laras.progress_rotation IS 'how far the rotation of the master key is; its history is in laras.master_key_epoch';
COMMENT ON COLUMN laras.progress_rotation.running IS 'are there keys of two epochs';
COMMENT ON COLUMN laras.progress_rotation.oldest_epoch IS 'oldest epoch that a key may still be wrapped under';
COMMENT ON COLUMN laras.progress_rotation.epoch IS 'current epoch';
COMMENT ON COLUMN laras.progress_rotation.slabs_done IS 'slabs of this pass that are done';
COMMENT ON COLUMN laras.progress_rotation.slabs IS 'slabs of a pass';
COMMENT ON COLUMN laras.progress_rotation.waits_for IS 'what keeps the old epoch in use after a pass; null: nothing but the keys still to be wrapped';

CREATE VIEW laras.keyring_copies AS
  SELECT c.copy_id, c.kind, c.label, c.directory, c.oldest_epoch, c.epoch, c.registered_at, c.made_at, c.expires_at,
         CASE WHEN c.destroyed_at IS NOT NULL THEN 'destroyed'
              WHEN c.trouble IS NOT NULL THEN 'failed'
              WHEN NOT EXISTS (SELECT FROM laras.master_key_epoch e WHERE e.epoch <= c.epoch AND e.destroyed_at IS NULL)
               AND EXISTS (SELECT FROM laras.master_key_epoch e WHERE e.epoch = c.epoch) THEN 'void'
              WHEN c.made_at IS NULL THEN 'being made'
              WHEN c.expires_at <= laras.now() THEN 'expired'
              ELSE 'kept' END AS state,
         c.trouble, c.destroyed_at, c.statement
    FROM laras.keyring_copy c;
COMMENT ON VIEW laras.keyring_copies IS 'registered copies of the keyring: until one is destroyed or void, whoever holds it and the master key of its time reads what was erased since';
COMMENT ON COLUMN laras.keyring_copies.copy_id IS 'id';
COMMENT ON COLUMN laras.keyring_copies.kind IS 'escrow or other';
COMMENT ON COLUMN laras.keyring_copies.label IS 'what a person calls it';
COMMENT ON COLUMN laras.keyring_copies.directory IS 'where an escrow copy was written';
COMMENT ON COLUMN laras.keyring_copies.oldest_epoch IS 'oldest epoch of the master key that its keys are wrapped under';
COMMENT ON COLUMN laras.keyring_copies.epoch IS 'newest such epoch';
COMMENT ON COLUMN laras.keyring_copies.registered_at IS 'when it was registered';
COMMENT ON COLUMN laras.keyring_copies.made_at IS 'when it was complete';
COMMENT ON COLUMN laras.keyring_copies.expires_at IS 'by when it must be destroyed';
COMMENT ON COLUMN laras.keyring_copies.state IS 'being made, kept, expired (it should be gone), void (its master keys are destroyed), destroyed (a person says so) or failed (it was not made)';
COMMENT ON COLUMN laras.keyring_copies.trouble IS 'why it was not made';
COMMENT ON COLUMN laras.keyring_copies.destroyed_at IS 'when a person confirmed that it is destroyed';
COMMENT ON COLUMN laras.keyring_copies.statement IS 'what became of it';

CREATE VIEW laras.keyring_status AS
  SELECT s.phase, s.reason, s.number, s.uuid, s.epoch, s.oldest_epoch, s.adoptions, s.slabs, s.leased,
         s.pending, s.swept, s.left_over, s.sweeping,
         (SELECT pg_catalog.count(*) FROM laras.keyring_copies c WHERE c.state IN ('being made', 'kept', 'expired')) AS copies,
         m.mirror, m.state AS mirror_state, m.journal, m.applied, m.failures, m.read_back
  FROM laras.keyring_summary() s LEFT JOIN laras.keyring_mirrors() m ON true;
COMMENT ON VIEW laras.keyring_status IS 'the keyring of this database, one row for each mirror';
COMMENT ON COLUMN laras.keyring_status.phase IS 'closed, replaying or open';
COMMENT ON COLUMN laras.keyring_status.reason IS 'why it is closed';
COMMENT ON COLUMN laras.keyring_status.number IS 'number of the keyring: the database''s place in laras.databases';
COMMENT ON COLUMN laras.keyring_status.uuid IS 'the keyring''s uuid';
COMMENT ON COLUMN laras.keyring_status.epoch IS 'current epoch of the master key';
COMMENT ON COLUMN laras.keyring_status.oldest_epoch IS 'oldest epoch that a slot may still be wrapped under';
COMMENT ON COLUMN laras.keyring_status.adoptions IS 'how often the owner changed';
COMMENT ON COLUMN laras.keyring_status.slabs IS 'slabs of 4,096 slots that are made';
COMMENT ON COLUMN laras.keyring_status.leased IS 'slots leased so far';
COMMENT ON COLUMN laras.keyring_status.pending IS 'destructions not yet read back from every mirror';
COMMENT ON COLUMN laras.keyring_status.swept IS 'slots of rolled-back transactions destroyed since the server started';
COMMENT ON COLUMN laras.keyring_status.left_over IS 'slots that nobody names and that are kept, because the database may be older than the keyring';
COMMENT ON COLUMN laras.keyring_status.sweeping IS 'on, or why slots that nobody names are kept';
COMMENT ON COLUMN laras.keyring_status.copies IS 'registered copies of the keyring that still open with a master key; see laras.keyring_copies';
COMMENT ON COLUMN laras.keyring_status.mirror IS 'name of the mirror';
COMMENT ON COLUMN laras.keyring_status.mirror_state IS 'in sync, behind or removed';
COMMENT ON COLUMN laras.keyring_status.journal IS 'last record of the journal';
COMMENT ON COLUMN laras.keyring_status.applied IS 'last record that is carried out and synced in this mirror';
COMMENT ON COLUMN laras.keyring_status.failures IS 'failures of this mirror since the server started';
COMMENT ON COLUMN laras.keyring_status.read_back IS 'how marks are read back: direct (from the medium) or cached (the file system refuses it)';

-- What would store revealed text and reaches laras.reveal through any chain of dependencies
-- the catalogue knows.
CREATE VIEW laras.reveal_dependents AS
  WITH RECURSIVE reach (classid, objid) AS (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, p.oid
      FROM pg_catalog.pg_proc p
      WHERE p.pronamespace = 'laras'::pg_catalog.regnamespace AND p.proname IN ('reveal', 'reveal_bytes')
    UNION
    SELECT CASE WHEN d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN 'pg_catalog.pg_class'::pg_catalog.regclass::oid
                ELSE d.classid END,
           CASE WHEN d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN r.ev_class ELSE d.objid END
      FROM reach
      JOIN pg_catalog.pg_depend d ON d.refclassid = reach.classid AND d.refobjid = reach.objid
      LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
      WHERE d.deptype IN ('n', 'a')
  )
  SELECT CASE WHEN c.relkind = 'i' OR c.relkind = 'I' THEN 'index'
              WHEN c.relkind = 'm' THEN 'matview'
              WHEN reach.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass THEN 'statistics'
              ELSE 'generated column' END AS kind,
         pg_catalog.pg_describe_object(reach.classid, reach.objid, 0) AS object
    FROM reach
    LEFT JOIN pg_catalog.pg_class c ON reach.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = reach.objid
    LEFT JOIN pg_catalog.pg_attrdef a ON reach.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = reach.objid
    LEFT JOIN pg_catalog.pg_attribute t ON t.attrelid = a.adrelid AND t.attnum = a.adnum
    WHERE c.relkind IN ('i', 'I', 'm') OR t.attgenerated <> ''
       OR reach.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass;
COMMENT ON VIEW laras.reveal_dependents IS 'indexes, statistics, generated columns and matviews that would store revealed text; empty in a healthy database';
COMMENT ON COLUMN laras.reveal_dependents.kind IS 'index, statistics, generated column or matview';
COMMENT ON COLUMN laras.reveal_dependents.object IS 'the object';

GRANT SELECT ON laras.keyring_copies, laras.keyring_status, laras.keyring_standbys, laras.progress_scrub, laras.progress_rotation, laras.reveal_dependents TO laras_dba, laras_auditor;

RESET ROLE;

GRANT EXECUTE ON FUNCTION laras.keyring_mirrors(), laras.keyring_summary() TO laras_owner, laras_dba, laras_auditor, laras_worker;
GRANT EXECUTE ON FUNCTION laras.pull_keyring(text, bigint, bytea, int, int[], int) TO laras_standby;
GRANT EXECUTE ON FUNCTION laras.list_keyring_standbys(), laras.keyring_scrub_progress(), laras.keyring_rotation() TO laras_owner, laras_dba, laras_auditor;
GRANT EXECUTE ON FUNCTION laras.adopt_keyring(), laras.remove_mirror(text, text), laras.scrub_keyring(),
  laras.rotate_master_key(), laras.confirm_master_key_destroyed(int, text), laras.escrow_keyring(text, text, interval),
  laras.register_keyring_copy(text, interval), laras.confirm_keyring_copy_destroyed(bigint, text) TO laras_dba;

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('key_owner', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'delete', 'delete', 'delete', 'delete', 'delete', NULL, NULL),
  ('key_owner', 'slot', 'system', NULL, NULL, 'number of a key slot', 'delete', 'delete', 'delete', 'delete', 'delete', NULL, NULL),
  ('key_owner', 'kind', 'system', NULL, NULL, 'a word from a fixed list', 'delete', 'delete', 'delete', 'delete', 'delete', NULL, NULL),
  ('key_owner', 'owner_id', 'system', NULL, NULL, 'random id of a row, or the number of an hour or week', 'delete', 'delete', 'delete', 'delete', 'delete', NULL, NULL),
  ('key_owner', 'merged_from', 'system', NULL, NULL, 'random id of a row of this workspace', 'delete', 'delete', 'delete', 'delete', 'delete', NULL, NULL),
  ('key_owner', 'rule', 'system', NULL, NULL, 'a word from a fixed list', 'delete', 'delete', 'delete', 'delete', 'delete', NULL, NULL),
  ('key_destruction', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'order_id', 'system', NULL, NULL, 'random bytes', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'slot', 'system', NULL, NULL, 'number of a key slot', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'reason', 'system', NULL, NULL, 'a number from a fixed list', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'ordered_at', 'system', NULL, NULL, 'a time', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'overwritten_at', 'system', NULL, NULL, 'a time', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'verified_at', 'system', NULL, NULL, 'a time', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('key_destruction', 'verified_mirrors', 'system', NULL, NULL, 'names of mirrors', 'keep', 'keep', 'keep', 'keep', 'keep', 'the order that a restored keyring must obey', 'keyring'),
  ('keyring_mark', 'id', 'system', NULL, NULL, 'always 1', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_mark', 'keyring', 'system', NULL, NULL, 'random number of the keyring', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_mark', 'timeline', 'system', NULL, NULL, 'number of a timeline', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_mark', 'sweep_from', 'system', NULL, NULL, 'a position of the lease', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_mark', 'reason', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_mark', 'marked_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_mark', 'leased', 'system', NULL, NULL, 'a position of the lease', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('mirror_removal', 'place', 'system', NULL, NULL, 'half of a hash of a name and a path', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('mirror_removal', 'mirror', 'system', NULL, NULL, 'a name of the operators choice', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('mirror_removal', 'statement', 'system', NULL, NULL, 'words of an operator about a medium; names nobody', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('mirror_removal', 'pending', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('mirror_removal', 'removed_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('mirror_removal', 'journalled_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'started_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'finished_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'slabs', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'live', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'destroyed', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'damaged', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'absent', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'repaired', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_scrub', 'leased', 'system', NULL, NULL, 'a count', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'copy_id', 'system', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'kind', 'system', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'label', 'system', NULL, NULL, 'words of an operator; name nobody', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'directory', 'system', NULL, NULL, 'a path of this server', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'oldest_epoch', 'system', NULL, NULL, 'a number', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'epoch', 'system', NULL, NULL, 'a number', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'registered_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'expires_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'made_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'trouble', 'system', NULL, NULL, 'words of the product about a failure', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'destroyed_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('keyring_copy', 'statement', 'system', NULL, NULL, 'words of an operator about a medium; names nobody', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('master_key_epoch', 'epoch', 'system', NULL, NULL, 'a number', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('master_key_epoch', 'began_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('master_key_epoch', 'retired_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('master_key_epoch', 'destroyed_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('master_key_epoch', 'reference', 'system', NULL, NULL, 'a reference of a key store; names nobody', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring'),
  ('master_key_epoch', 'journalled_at', 'system', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'keep', 'describes the installation', 'keyring');
