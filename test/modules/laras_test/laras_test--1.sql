-- laras_test: laras's C interface for tests; nobody but a superuser may call it.

CREATE FUNCTION laras_test.bind(workspace_id bigint) RETURNS void
  AS 'MODULE_PATHNAME', 'laras_test_bind' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.lease() RETURNS bigint
  AS 'MODULE_PATHNAME', 'laras_test_lease' LANGUAGE c VOLATILE;
CREATE FUNCTION laras_test.key_owner_add(workspace_id bigint, slot bigint, kind text, owner_id bigint) RETURNS void
  AS 'MODULE_PATHNAME', 'laras_test_key_owner_add' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.seal(w bigint, s bigint, field int, workspace_id bigint, row_id bigint, plain bytea) RETURNS laras.sealed
  AS 'MODULE_PATHNAME', 'laras_test_seal' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.seal_token(w bigint, s bigint, field int, workspace_id bigint, row_id bigint, plain bytea) RETURNS laras.sealed
  AS 'MODULE_PATHNAME', 'laras_test_seal_token' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.open(value laras.sealed, workspace_id bigint, row_id bigint, field int) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_test_open' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.open_token(value laras.sealed, workspace_id bigint, row_id bigint, field int, unlock boolean DEFAULT true) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_test_open_token' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.destroy(workspace_id bigint, slot bigint, reason int DEFAULT 1, order_id bytea DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'laras_test_destroy' LANGUAGE c VOLATILE;
CREATE FUNCTION laras_test.time_slot(kind text, at timestamptz) RETURNS bigint
  AS 'MODULE_PATHNAME', 'laras_test_time_slot' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.blind_index(w bigint, kind int, channel text, value text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_test_blind_index' LANGUAGE c VOLATILE;
CREATE FUNCTION laras_test.hash(use text, w bigint, kind int, channel text, value text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_test_hash' LANGUAGE c VOLATILE;
CREATE FUNCTION laras_test.callback_mac(w bigint, data bytea) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_test_callback_mac' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.evidence_salt(w bigint, s bigint, entry_id bigint, field int) RETURNS bytea
  AS 'MODULE_PATHNAME', 'laras_test_evidence_salt' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION laras_test.ground(said text, facts text DEFAULT NULL, price text DEFAULT NULL, currency text DEFAULT NULL, stock text DEFAULT NULL) RETURNS text
  AS 'MODULE_PATHNAME', 'laras_test_ground' LANGUAGE c VOLATILE;
-- The vault opens a moment after the extension is made.
CREATE PROCEDURE laras_test.await_vault() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 600 LOOP
    EXIT WHEN (SELECT bool_and(phase = 'open') FROM laras.keyring_status);
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE FUNCTION laras_test.read_answer(channel text, status integer, body text) RETURNS text
  AS 'MODULE_PATHNAME', 'laras_test_read_answer' LANGUAGE c VOLATILE STRICT;
REVOKE ALL ON ALL ROUTINES IN SCHEMA laras_test FROM PUBLIC;
