-- 08_sealed: the type of sealed values and how they are revealed. No table stands here:
-- every later part may have columns of this type. src/vault/sealedtype.c.

CREATE TYPE laras.sealed;

CREATE FUNCTION laras.sealed_in(pg_catalog.cstring) RETURNS laras.sealed
  AS 'MODULE_PATHNAME', 'laras_sealed_in' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION laras.sealed_out(laras.sealed) RETURNS pg_catalog.cstring
  AS 'MODULE_PATHNAME', 'laras_sealed_out' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION laras.sealed_recv(pg_catalog.internal) RETURNS laras.sealed
  AS 'MODULE_PATHNAME', 'laras_sealed_recv' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION laras.sealed_send(laras.sealed) RETURNS pg_catalog.bytea
  AS 'MODULE_PATHNAME', 'laras_sealed_send' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE laras.sealed (
  INPUT = laras.sealed_in,
  OUTPUT = laras.sealed_out,
  RECEIVE = laras.sealed_recv,
  SEND = laras.sealed_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  STORAGE = external
);

COMMENT ON TYPE laras.sealed IS
  'a value sealed by laras: opens by laras.reveal in its own row, column and workspace while its key lives; the text form is ciphertext';
COMMENT ON FUNCTION laras.sealed_in(pg_catalog.cstring) IS 'input: "sealed:" and base64 of an already sealed value; seals nothing';
COMMENT ON FUNCTION laras.sealed_out(laras.sealed) IS 'output: "sealed:" and base64 of the ciphertext';
COMMENT ON FUNCTION laras.sealed_recv(pg_catalog.internal) IS 'binary input of an already sealed value';
COMMENT ON FUNCTION laras.sealed_send(laras.sealed) IS 'binary output: the ciphertext';

-- COST 100: at 10 the planner reveals every row of a sorted list before LIMIT.
CREATE FUNCTION laras.reveal(value laras.sealed, row_id bigint, field smallint) RETURNS text
  AS 'MODULE_PATHNAME', 'laras_reveal' LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION laras.reveal(laras.sealed, bigint, smallint) IS
  'opens a sealed text of the bound workspace; NULL once its key is destroyed, an error when the key is damaged or out of reach. Errors: LRK01 LRK03 LRK04 LRK05 LRK11 LRT01 22021';

CREATE FUNCTION laras.reveal_bytes(value laras.sealed, row_id bigint, field smallint) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_reveal_bytes' LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION laras.reveal_bytes(laras.sealed, bigint, smallint) IS
  'laras.reveal for content that is not text. Errors: LRK01 LRK03 LRK04 LRK05 LRK11 LRT01';

CREATE FUNCTION laras.describe_sealed(value laras.sealed,
  OUT format int, OUT suite int, OUT algorithm text, OUT field int, OUT keyring int,
  OUT workspace_slot bigint, OUT subject_slot bigint, OUT nonce bytea, OUT tag bytea)
  AS 'MODULE_PATHNAME', 'laras_describe_sealed' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.describe_sealed(laras.sealed) IS
  'what can be read off a sealed value without any key: algorithm, field number, key slots, nonce and tag';

CREATE FUNCTION laras.key_state(slot bigint) RETURNS text
  AS 'MODULE_PATHNAME', 'laras_show_key_state' LANGUAGE c VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION laras.key_state(bigint) IS
  'unused, live, destroyed, damaged or absent: what the keyring holds for a slot. Errors: LRK01 LRK06 LRK13 22023';

CREATE FUNCTION laras.public_key() RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_show_public_key' LANGUAGE c STABLE PARALLEL SAFE;
COMMENT ON FUNCTION laras.public_key() IS
  'keyring uuid (16 bytes) and the courier''s X25519 public key (32 bytes), to which a client may seal a token. Errors: LRK01';

-- Reveal opens values of the bound workspace only, so whoever may bind may call it; the
-- auditor may not. A view's functions run with the rights of whoever reads the view.
GRANT EXECUTE ON FUNCTION laras.reveal(laras.sealed, bigint, smallint), laras.reveal_bytes(laras.sealed, bigint, smallint)
  TO laras_owner, laras_app, laras_service, laras_worker, laras_drafter;
GRANT EXECUTE ON FUNCTION laras.describe_sealed(laras.sealed)
  TO laras_owner, laras_worker, laras_dba, laras_auditor;
GRANT EXECUTE ON FUNCTION laras.key_state(bigint)
  TO laras_owner, laras_worker, laras_service, laras_dba, laras_auditor;
GRANT EXECUTE ON FUNCTION laras.public_key()
  TO laras_owner, laras_app, laras_service, laras_worker, laras_dba;
GRANT EXECUTE ON FUNCTION laras.sealed_in(pg_catalog.cstring), laras.sealed_out(laras.sealed),
  laras.sealed_recv(pg_catalog.internal), laras.sealed_send(laras.sealed)
  TO laras_owner, laras_app, laras_service, laras_worker, laras_intake, laras_drafter, laras_dba, laras_auditor, laras_backup;
GRANT USAGE ON TYPE laras.sealed
  TO laras_owner, laras_app, laras_service, laras_worker, laras_intake, laras_drafter, laras_dba, laras_auditor, laras_backup;
