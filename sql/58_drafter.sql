-- 58_drafter: what the built-in drafter searches by, and a look at what it would answer.

-- The three dictionaries side by side: a word is found as it is written, and by its stem in
-- either language, whatever language the row or the question has. What a customer can mean by
-- a text stands at its beginning; the rest of a long one is cut, so that no row is refused for
-- its length. Signs become blanks, so that "S/M" or "a.b" is no path or host to the parser.
CREATE FUNCTION laras.search_terms(heading text, listed text, told text) RETURNS tsvector
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.simple', w.heading), 'A')
    OPERATOR(pg_catalog.||) pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.indonesian', w.heading), 'A')
    OPERATOR(pg_catalog.||) pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.english', w.heading), 'A')
    OPERATOR(pg_catalog.||) pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.simple', w.listed), 'B')
    OPERATOR(pg_catalog.||) pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.indonesian', w.listed), 'B')
    OPERATOR(pg_catalog.||) pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.english', w.listed), 'B')
    OPERATOR(pg_catalog.||) pg_catalog.to_tsvector('pg_catalog.simple', w.told)
    OPERATOR(pg_catalog.||) pg_catalog.to_tsvector('pg_catalog.indonesian', w.told)
    OPERATOR(pg_catalog.||) pg_catalog.to_tsvector('pg_catalog.english', w.told)
  FROM (SELECT
    pg_catalog.translate(pg_catalog."left"($1, 500), s.signs, pg_catalog.repeat(' ', 32)) AS heading,
    pg_catalog.translate(pg_catalog."left"($2, 4000), s.signs, pg_catalog.repeat(' ', 32)) AS listed,
    pg_catalog.translate(pg_catalog."left"($3, 8000), s.signs, pg_catalog.repeat(' ', 32)) AS told
    FROM (VALUES ('!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~'::text)) AS s (signs)) AS w;
END;
COMMENT ON FUNCTION laras.search_terms(text, text, text) IS 'The words of a row of knowledge, for search: heading with weight A, what is listed with B, the rest without; each as written and by its stem in Indonesian and English.';
GRANT EXECUTE ON FUNCTION laras.search_terms(text, text, text) TO laras_drafter, laras_owner, laras_worker, laras_service, laras_app;

CREATE FUNCTION laras.preview_reply(question text, OUT intent text, OUT language text, OUT confidence real,
    OUT hand_over boolean, OUT body text, OUT sources jsonb)
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_preview_reply';
COMMENT ON FUNCTION laras.preview_reply(text) IS 'What the built-in drafter would answer to this text from the bound workspace''s catalogue, policies and FAQs, and the rows that it would cite; nothing is stored or sent. LRT01 when unbound.';
GRANT EXECUTE ON FUNCTION laras.preview_reply(text) TO laras_service, laras_app;

CREATE FUNCTION laras.preview_draft(question text, channel text DEFAULT 'whatsapp') RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_preview_draft';
COMMENT ON FUNCTION laras.preview_draft(text, text) IS 'What the built-in drafter would answer to this text over that channel, as preview_reply, and what the classifier would say of the answer: intent, language, confidence, hand_over, body, sources, verdict, reasons. would_send: would it leave by itself now, where the connection has auto_send on; else hold_reasons, with the review rules of this moment among them, says what would hold it. Nothing is stored or sent. LRT01 when unbound, 22023 for an unknown channel.';
GRANT EXECUTE ON FUNCTION laras.preview_draft(text, text) TO laras_service, laras_app;
