-- sealed: the type's text and binary form, what reveal answers and refuses, that no value opens
-- anywhere but in its own row, column and workspace, who may call what, and that revealed text
-- can be stored by no index, statistics, generated column or matview.
-- proves R018 R019
CALL laras_test.await_vault();
SELECT DISTINCT phase, reason, sweeping FROM laras.keyring_status;
SELECT mirror, mirror_state FROM laras.keyring_status ORDER BY 1;

-- two workspaces, each with a contact; values sealed in a table of the test's own
CREATE TABLE place (name text PRIMARY KEY, workspace_id bigint, w bigint, s bigint);
CREATE TABLE value (name text, row_id bigint, field smallint, body laras.sealed);
INSERT INTO place (name, workspace_id)
  VALUES ('north', laras.create_workspace('Toko Utara', 'ani@example.com', 'correct horse battery staple'));
INSERT INTO place (name, workspace_id)
  VALUES ('south', laras.create_workspace('Toko Selatan', 'budi@example.com', 'correct horse battery staple'));
UPDATE place SET w = k.slot FROM laras.workspace k WHERE k.workspace_id = place.workspace_id;
CREATE FUNCTION make_contact(place_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE p place; slot bigint;
BEGIN
  SELECT * INTO p FROM place WHERE name = place_name;
  PERFORM laras_test.bind(p.workspace_id);
  slot := laras_test.lease();
  PERFORM laras_test.key_owner_add(p.workspace_id, slot, 'contact', 1);
  RETURN slot;
END $$;
UPDATE place SET s = make_contact('north') WHERE name = 'north';
UPDATE place SET s = make_contact('south') WHERE name = 'south';
SELECT name, laras.key_state(w), laras.key_state(s) FROM place ORDER BY 1;
SELECT laras.key_state(0) AS platform, laras.key_state(4294967295) AS far;
SELECT laras.key_state(-1);
SELECT laras.key_state(4294967296);
INSERT INTO value SELECT name, 42, 17::smallint, laras_test.seal(w, s, 17, workspace_id, 42, 'halo, apa kabar?') FROM place;

-- the text form is ciphertext, goes in and out, and is the same again
SELECT body::text LIKE 'sealed:%' AS text_form, body::text::laras.sealed::text = body::text AS same,
       position('halo'::bytea IN decode(substr(body::text, 8), 'base64')) AS clear
  FROM value WHERE name = 'north';
CREATE TABLE copied (LIKE value);
\set there `mktemp`
COPY value TO :'there' (FORMAT binary);
COPY copied FROM :'there' (FORMAT binary);
\! rm -f :there
SELECT bool_and(c.body::text = v.body::text) AS binary_same FROM copied c JOIN value v USING (name);
SELECT d.format, d.suite, d.algorithm, d.field, d.keyring, length(d.nonce) AS nonce, length(d.tag) AS tag,
       d.workspace_slot = w AS w, d.subject_slot = s AS s
  FROM value JOIN place USING (name), laras.describe_sealed(body) AS d WHERE name = 'north';
SELECT attstorage FROM pg_attribute WHERE attrelid = 'value'::regclass AND attname = 'body';

-- no input that was not sealed gets in, and no message shows it
SELECT 'a customer said hello'::laras.sealed;
SELECT 'sealed:'::laras.sealed;
SELECT 'sealed:aGFsbw=='::laras.sealed;
SELECT 'sealed:not base64 of a secret'::laras.sealed;
SELECT ('sealed:' || encode(('\x0101' || repeat('00', 74))::bytea, 'base64'))::laras.sealed IS NOT NULL;

-- nothing compares, sorts, hashes or casts a sealed value
SELECT body FROM value ORDER BY body;
SELECT DISTINCT body FROM value;
SELECT body = body FROM value;
SELECT count(*) FROM pg_cast WHERE 'laras.sealed'::regtype IN (castsource, casttarget);
SELECT count(*) FROM pg_operator WHERE 'laras.sealed'::regtype IN (oprleft, oprright);
SELECT proname, provolatile, proisstrict, proparallel, proleakproof, procost
  FROM pg_proc WHERE pronamespace = 'laras'::regnamespace AND proname LIKE 'reveal%' ORDER BY 1;

\set VERBOSITY sqlstate
-- reveal: the bound workspace, the row and the field are what the caller states
SELECT laras.reveal(body, 42, 17::smallint) FROM value;
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SELECT laras.reveal(body, 42, 17::smallint), laras.reveal_bytes(body, 42, 17::smallint) FROM value WHERE name = 'north';
SELECT laras.reveal(NULL, 42, 17::smallint) IS NULL AS strict;
SAVEPOINT s;
SELECT laras.reveal(body, 43, 17::smallint) FROM value WHERE name = 'north';
ROLLBACK TO s;
SELECT laras.reveal(body, 42, 18::smallint) FROM value WHERE name = 'north';
ROLLBACK TO s;
SELECT laras.reveal(body, 42, 17::smallint) FROM value WHERE name = 'south';
ROLLBACK TO s;
-- under the other one's slots but for this workspace: still not ours
SELECT laras.reveal(laras_test.seal(o.w, p.s, 17, p.workspace_id, 42, 'x'), 42, 17::smallint)
  FROM place p, place o WHERE p.name = 'north' AND o.name = 'south';
ROLLBACK TO s;
SELECT laras.reveal(laras_test.seal(w, s, 17, workspace_id, 42, '\xff00fe'), 42, 17::smallint) FROM place WHERE name = 'north';
ROLLBACK TO s;
SELECT laras.reveal_bytes(laras_test.seal(w, s, 17, workspace_id, 42, '\xff00fe'), 42, 17::smallint) FROM place WHERE name = 'north';
-- lengths around the padding, up to what is toasted, come back as they were
SELECT count(*) AS lengths, bool_and(laras.reveal(laras_test.seal(w, s, 17, workspace_id, 42, convert_to(repeat('x', n), 'UTF8')), 42, 17::smallint) = repeat('x', n)) AS same
  FROM place, unnest(ARRAY[0, 1, 30, 31, 32, 33, 63, 64, 511, 512, 513, 8000, 100000, 1000000]) AS n WHERE name = 'north';
CREATE TEMP TABLE long AS SELECT laras_test.seal(w, s, 17, workspace_id, 7, convert_to(repeat('long ', 100000), 'UTF8')) AS body FROM place WHERE name = 'north';
SELECT length(laras.reveal(body, 7, 17::smallint)) FROM long;

-- a token: suite 2 never opens by reveal, and in no session but the courier's
SELECT laras.reveal(laras_test.seal_token(w, s, 4, workspace_id, 42, 'EAAG-secret-token'), 42, 4::smallint) FROM place WHERE name = 'north';
ROLLBACK TO s;
SELECT laras_test.open_token(laras_test.seal_token(w, s, 4, workspace_id, 42, 'EAAG-secret-token'), workspace_id, 42, 4, false) FROM place WHERE name = 'north';
ROLLBACK TO s;
SELECT convert_from(laras_test.open_token(laras_test.seal_token(w, s, 4, workspace_id, 42, 'EAAG-secret-token'), workspace_id, 42, 4), 'UTF8') FROM place WHERE name = 'north';
SELECT laras_test.open_token(laras_test.seal_token(w, s, 4, workspace_id, 42, 'EAAG-secret-token'), workspace_id, 43, 4) FROM place WHERE name = 'north';
ROLLBACK TO s;
SELECT length(laras.public_key());
COMMIT;

\set VERBOSITY terse
-- 10,000 altered or moved values: not one opens, and each is refused as displaced
CREATE FUNCTION altered(value laras.sealed, nth int) RETURNS laras.sealed LANGUAGE sql AS $$
  SELECT ('sealed:' || translate(encode(set_bit(b, nth % (8 * length(b)), 1 - get_bit(b, nth % (8 * length(b)))), 'base64'), E'\n', ''))::laras.sealed
    FROM (SELECT decode(substr(value::text, 8), 'base64') AS b) AS x $$;
CREATE FUNCTION attack(rounds int) RETURNS TABLE (what text, tries bigint, opened bigint, refused bigint, unreadable bigint) LANGUAGE plpgsql AS $$
DECLARE
  p place; o place; v laras.sealed; t laras.sealed; i int; got text; kind text;
BEGIN
  CREATE TEMP TABLE tally (kind text, result text);
  SELECT * INTO p FROM place WHERE name = 'north';
  SELECT * INTO o FROM place WHERE name = 'south';
  PERFORM laras_test.bind(p.workspace_id);
  FOR i IN 0 .. rounds - 1 LOOP
    v := laras_test.seal(p.w, p.s, 17, p.workspace_id, i, convert_to('pesan ' || i, 'UTF8'));
    kind := (ARRAY['bit', 'bit', 'bit', 'row', 'field', 'workspace', 'W slot', 'S slot', 'suite 2 bit'])[1 + i % 9];
    BEGIN
      got := CASE kind
        WHEN 'bit' THEN laras.reveal(altered(v, i * 7919), i, 17::smallint)
        WHEN 'row' THEN laras.reveal(v, i + 1, 17::smallint)
        WHEN 'field' THEN laras.reveal(v, i, 16::smallint)
        WHEN 'workspace' THEN laras.reveal(laras_test.seal(o.w, o.s, 17, o.workspace_id, i, 'x'), i, 17::smallint)
        WHEN 'W slot' THEN laras.reveal(laras_test.seal(p.w, o.s, 17, o.workspace_id, i, 'x'), i, 17::smallint)
        WHEN 'S slot' THEN laras.reveal(altered(v, 96 + i % 32), i, 17::smallint)
        ELSE laras_test.open_token(altered(laras_test.seal_token(p.w, p.s, 4, p.workspace_id, i, 'token'), i * 7919), p.workspace_id, i, 4)::text
      END;
      INSERT INTO tally VALUES (kind, coalesce('opened', 'null'));
    EXCEPTION
      -- displaced; not even the form of a value; or a slot that is damaged, absent or not there
      WHEN SQLSTATE 'LRK05' OR SQLSTATE '22P02' THEN INSERT INTO tally VALUES (kind, 'refused');
      WHEN SQLSTATE 'LRK04' OR SQLSTATE 'LRK03' THEN INSERT INTO tally VALUES (kind, 'unreadable');
    END;
  END LOOP;
  RETURN QUERY SELECT y.kind, count(*), count(*) FILTER (WHERE result = 'opened'),
    count(*) FILTER (WHERE result = 'refused'), count(*) FILTER (WHERE result = 'unreadable')
    FROM tally AS y GROUP BY y.kind ORDER BY y.kind;
  DROP TABLE tally;
END $$;
SELECT what, tries, opened, refused + unreadable = tries AS all_refused FROM attack(10000);

-- no two nonces under one key
SELECT count(DISTINCT d.nonce) = 20000 AS nonces_differ FROM place, generate_series(1, 20000) AS g,
  laras.describe_sealed(laras_test.seal(w, s, 17, workspace_id, g, 'x')) AS d WHERE name = 'north';

-- indexes and hashes: equal for equal values, different by kind, channel, workspace and use
SELECT laras_test.blind_index(a.w, 1, NULL, '+628123456789') = laras_test.blind_index(a.w, 1, NULL, '+628123456789') AS same,
       laras_test.blind_index(a.w, 1, NULL, '+628123456789') = laras_test.blind_index(b.w, 1, NULL, '+628123456789') AS other_workspace,
       laras_test.blind_index(a.w, 1, NULL, '+628123456789') = laras_test.blind_index(a.w, 2, NULL, '+628123456789') AS other_kind,
       laras_test.blind_index(a.w, 10, 'whatsapp', 'id') = laras_test.blind_index(a.w, 10, 'telegram', 'id') AS other_channel,
       laras_test.blind_index(a.w, 1, NULL, '+628123456789') = laras_test.hash('optout', a.w, 1, NULL, '+628123456789') AS optout,
       laras_test.hash('route', 0, 32, 'whatsapp', '1') = laras_test.hash('authorizer', 0, 32, 'whatsapp', '1') AS authorizer,
       length(laras_test.blind_index(a.w, 1, NULL, 'x')) AS length,
       laras_test.callback_mac(a.w, 'x') = laras_test.callback_mac(b.w, 'x') AS mac,
       laras_test.evidence_salt(a.w, a.s, 1, 1) = laras_test.evidence_salt(a.w, a.s, 1, 2) AS salt
  FROM place a, place b WHERE a.name = 'north' AND b.name = 'south';
SELECT laras_test.blind_index(w, 10, NULL, 'id') FROM place WHERE name = 'north';

-- what would store revealed text is refused, on an empty table too and through wrappers
CREATE TABLE empty (id bigint, body laras.sealed, plain text);
CREATE VIEW revealing AS SELECT id, laras.reveal(body, id, 17::smallint) AS body FROM empty;
CREATE FUNCTION wrapped(laras.sealed, bigint) RETURNS text IMMUTABLE BEGIN ATOMIC SELECT laras.reveal($1, $2, 17::smallint); END;
CREATE INDEX ON empty (laras.reveal(body, id, 17::smallint));
CREATE INDEX ON empty (lower(laras.reveal(body, id, 17::smallint)));
CREATE INDEX ON empty (id) WHERE laras.reveal(body, id, 17::smallint) IS NOT NULL;
CREATE INDEX ON empty (wrapped(body, id));
CREATE STATISTICS st ON (laras.reveal(body, id, 17::smallint)), plain FROM empty;
CREATE MATERIALIZED VIEW stored AS SELECT laras.reveal(body, id, 17::smallint) FROM empty;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM revealing WITH NO DATA;
ALTER TABLE empty ADD COLUMN clear text GENERATED ALWAYS AS (wrapped(body, id)) STORED;
CREATE TABLE generated (id bigint, body laras.sealed, clear text GENERATED ALWAYS AS (wrapped(body, id)) STORED);
CREATE TABLE excluded (id bigint, body laras.sealed, EXCLUDE USING btree ((laras.reveal(body, id, 17::smallint)) WITH =));
CREATE INDEX ON empty (lower(plain));
SELECT count(*) FROM laras.reveal_dependents;
-- the first guard, for what the second cannot see: a body that is a string
CREATE FUNCTION hidden(laras.sealed, bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN laras.reveal($1, $2, 17::smallint); END';
INSERT INTO empty SELECT 42, body FROM value WHERE name = 'north';
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SELECT hidden(body, id) FROM empty;
CREATE INDEX ON empty (hidden(body, id));
ROLLBACK;

-- rights: the auditor and the relay may not reveal, and the courier's key is nobody's
SELECT r.rolname, has_function_privilege(r.oid, 'laras.reveal(laras.sealed, bigint, smallint)', 'EXECUTE') AS reveal,
       has_function_privilege(r.oid, 'laras.key_state(bigint)', 'EXECUTE') AS key_state,
       has_function_privilege(r.oid, 'laras.adopt_keyring()', 'EXECUTE') AS adopt,
       has_table_privilege(r.oid, 'laras.key_owner', 'SELECT') AS key_owner,
       has_table_privilege(r.oid, 'laras.key_destruction', 'SELECT') AS key_destruction
  FROM pg_roles r WHERE r.rolname IN ('laras_app', 'laras_service', 'laras_relay', 'laras_auditor', 'laras_dba', 'laras_drafter', 'laras_intake') ORDER BY 1;
SELECT count(*) AS callable_by_public FROM pg_proc p WHERE p.pronamespace = 'laras'::regnamespace
   AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0);
-- no function of the schema takes a sealed token and gives its text
SELECT body AS sealed FROM value WHERE name = 'north' \gset
SET ROLE laras_app;
SELECT laras.reveal(:'sealed', 42, 17::smallint);
SELECT count(*) FROM laras.key_owner;
RESET ROLE;

-- destroyed: NULL, at once, in every session; the neighbour opens
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SELECT laras.reveal(body, 42, 17::smallint) FROM value WHERE name = 'north';
SELECT laras_test.destroy(workspace_id, s) FROM place WHERE name = 'north';
SELECT laras.reveal(body, 42, 17::smallint) AS not_before_commit FROM value WHERE name = 'north';
COMMIT;
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SELECT laras.reveal(body, 42, 17::smallint) IS NULL AS gone FROM value WHERE name = 'north';
SELECT laras.key_state(s), laras.key_state(w) FROM place WHERE name = 'north';
SELECT laras_test.seal(w, s, 17, workspace_id, 42, 'x') FROM place WHERE name = 'north';
ROLLBACK;
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'south';
SELECT laras.reveal(body, 42, 17::smallint) FROM value WHERE name = 'south';
COMMIT;
-- W destroyed is as good as S destroyed
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'south';
SELECT laras_test.destroy(workspace_id, w) FROM place WHERE name = 'south';
COMMIT;
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'south';
SELECT laras.reveal(body, 42, 17::smallint) IS NULL AS gone FROM value WHERE name = 'south';
SELECT laras_test.blind_index(w, 1, NULL, '+628123456789') FROM place WHERE name = 'south';
ROLLBACK;

-- what cannot be ordered
SELECT laras_test.destroy(0, 0);
SELECT laras_test.destroy(0, 1);
SELECT laras_test.destroy(0, 4294967295);
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SELECT laras_test.destroy(workspace_id, w) FROM place WHERE name = 'north';
PREPARE TRANSACTION 'destroying';
BEGIN;
SELECT laras_test.lease() > 0;
PREPARE TRANSACTION 'leasing';
SELECT laras.key_state(w) FROM place WHERE name = 'north';
-- a rolled-back savepoint drops its orders, a released one keeps them
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SAVEPOINT a;
SELECT laras_test.destroy(workspace_id, w) FROM place WHERE name = 'north';
ROLLBACK TO a;
COMMIT;
SELECT laras.key_state(w) FROM place WHERE name = 'north';
BEGIN;
SELECT laras_test.bind(workspace_id) FROM place WHERE name = 'north';
SAVEPOINT a;
SAVEPOINT b;
SELECT laras_test.destroy(workspace_id, w) FROM place WHERE name = 'north';
RELEASE b;
RELEASE a;
COMMIT;
SELECT laras.key_state(w) FROM place WHERE name = 'north';

-- every order is read back from both mirrors
DO $$ BEGIN
  FOR i IN 1 .. 600 LOOP
    EXIT WHEN NOT EXISTS (SELECT FROM laras.key_destruction WHERE verified_at IS NULL);
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT reason, length(order_id), overwritten_at IS NOT NULL AS overwritten, verified_mirrors, count(*)
  FROM laras.key_destruction GROUP BY 1, 2, 3, 4 ORDER BY 1;
DROP TABLE empty CASCADE;
DROP TABLE value, copied, place CASCADE;
