-- The relay's tests run before, and without, the extension: three functions of
-- the same signatures, in plain SQL and PL/pgSQL, in a schema of the test's own.

CREATE SCHEMA laras;

CREATE TABLE laras.stub_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  call uuid NOT NULL,
  channel text NOT NULL,
  signature text NOT NULL,
  body bytea NOT NULL
);

-- A body that begins with "late " makes the commit fail, after the statement has
-- reported success.
CREATE TABLE laras.stub_promise (body bytea);

CREATE FUNCTION laras.stub_break_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the commit fails' USING ERRCODE = '23514';
END $$;

CREATE CONSTRAINT TRIGGER late AFTER INSERT ON laras.stub_promise
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION laras.stub_break_promise();

-- Bodies speak: "poison…" raises, "late …" fails at commit, "sleep N" waits,
-- "status N" asks for that status, "missing" gets no row, all else is stored: 200.
CREATE FUNCTION laras.receive_webhooks(channel text[], signature text[], body bytea[])
RETURNS TABLE (ordinal int, status int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  call uuid := gen_random_uuid();
  word text;
BEGIN
  IF EXISTS (SELECT FROM unnest($3) AS b WHERE substr(b, 1, 6) = 'poison') THEN
    RAISE EXCEPTION 'poison' USING ERRCODE = '22023';
  END IF;
  FOR word IN SELECT convert_from(substr(b, 7), 'UTF8') FROM unnest($3) AS b WHERE substr(b, 1, 6) = 'sleep ' LOOP
    PERFORM pg_sleep(word::float8);
  END LOOP;
  INSERT INTO laras.stub_promise SELECT b FROM unnest($3) AS b WHERE substr(b, 1, 5) = 'late ';
  INSERT INTO laras.stub_event (call, channel, signature, body)
    SELECT call, c, s, b FROM unnest($1, $2, $3) AS i (c, s, b);
  RETURN QUERY
    SELECT n::int,
           CASE WHEN c = 'unknown' THEN 404
                WHEN substr(b, 1, 7) = 'status ' THEN convert_from(substr(b, 8), 'UTF8')::int
                ELSE 200 END
    FROM unnest($1, $3) WITH ORDINALITY AS i (c, b, n)
    WHERE b <> 'missing';
END $$;

CREATE SEQUENCE laras.stub_turn;

-- A result column may not have the name of an argument; a composite type's may.
CREATE TYPE laras.http_answer AS (status int, headers text[], body bytea);

-- /echo answers what it was given; /status/N that status; /raise/SQLSTATE raises;
-- /ticket/N answers 102 N times; /sleep/S; /large/N; /setting/NAME; /say/WORD warns;
-- /headers/… hostile headers.
CREATE FUNCTION laras.http_request(method text, path text, query text, headers text[], body bytea, peer inet DEFAULT NULL)
RETURNS laras.http_answer LANGUAGE plpgsql AS $$
DECLARE
  word text := split_part($2, '/', 3);
  status int;
  headers text[];
  body bytea;
BEGIN
  status := 200;
  headers := ARRAY['Content-Type', 'text/plain'];
  body := 'ok';
  CASE split_part($2, '/', 2)
    WHEN 'echo' THEN
      body := convert_to(concat_ws(E'\n', $1, $2, $3, host($6), array_to_string($4, '|'), encode($5, 'escape')), 'UTF8');
    WHEN 'status' THEN
      status := word::int;
    WHEN 'raise' THEN
      RAISE EXCEPTION 'raised' USING ERRCODE = word;
    WHEN 'ticket' THEN
      status := 102;
      body := convert_to(word, 'UTF8');
    WHEN 'sleep' THEN
      PERFORM pg_sleep(word::float8);
    WHEN 'large' THEN
      body := convert_to(repeat('x', word::int), 'UTF8');
    WHEN 'setting' THEN
      body := convert_to(current_setting(word), 'UTF8');
    WHEN 'say' THEN
      RAISE WARNING 'said: %', word;
    WHEN 'empty' THEN
      headers := NULL;
      body := NULL;
    WHEN 'headers' THEN
      headers := CASE word
        WHEN 'split' THEN ARRAY['X-A', E'a\r\nSet-Cookie: b']
        WHEN 'name' THEN ARRAY['X A', 'a']
        WHEN 'odd' THEN ARRAY['X-A']
        WHEN 'null' THEN ARRAY['X-A', NULL]
        WHEN 'framing' THEN ARRAY['Content-Length', '1', 'Transfer-Encoding', 'chunked', 'Connection', 'upgrade', 'X-A', 'a']
        WHEN 'many' THEN (SELECT array_agg(x) FROM generate_series(1, 400) AS g, LATERAL (VALUES ('X-' || g), ('v')) AS v (x))
        WHEN 'twice' THEN ARRAY['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']
      END;
    ELSE
      status := 404;
      body := 'nothing here';
  END CASE;
  RETURN ROW (status, headers, body)::laras.http_answer;
END $$;

CREATE FUNCTION laras.http_continue(ticket bytea, OUT status int, OUT headers text[], OUT body bytea) LANGUAGE plpgsql AS $$
DECLARE
  turns int := convert_from(ticket, 'UTF8')::int;
BEGIN
  PERFORM nextval('laras.stub_turn');
  status := CASE WHEN turns > 1 THEN 102 ELSE 201 END;
  headers := ARRAY['Content-Type', 'text/plain'];
  body := convert_to(CASE WHEN turns > 1 THEN (turns - 1)::text ELSE 'at last' END, 'UTF8');
END $$;
