-- 90_gateway: HTTP requests that the relay passes on.

CREATE TYPE laras.http_answer AS (status integer, headers text[], body bytea);
COMMENT ON TYPE laras.http_answer IS 'An HTTP answer: status; header names and values in turn; body.';
ALTER TYPE laras.http_answer OWNER TO laras_owner;

CREATE FUNCTION laras.http_request(method text, path text, query text, headers text[], body bytea, peer inet DEFAULT NULL)
  RETURNS laras.http_answer
  LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_http_request';
ALTER FUNCTION laras.http_request(text, text, text, text[], bytea, inet) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.http_request(text, text, text, text[], bytea, inet) IS
  'Answers one HTTP request; headers are names in lower case and values in turn. Status 102 means that the body is a ticket for http_continue. An error of the request is an answer, not an error of the call. Definer: the relay holds no right but this one; who may do what is decided by the session or token that the request carries.';
GRANT EXECUTE ON FUNCTION laras.http_request(text, text, text, text[], bytea, inet) TO laras_relay, laras_service;

CREATE FUNCTION laras.http_continue(ticket bytea)
  RETURNS laras.http_answer
  LANGUAGE c STABLE STRICT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_http_continue';
ALTER FUNCTION laras.http_continue(bytea) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.http_continue(bytea) IS
  'The answer of a request that waits for the courier, or 102 and the ticket again. Definer: the ticket is 32 random bytes and proves itself.';
GRANT EXECUTE ON FUNCTION laras.http_continue(bytea) TO laras_relay, laras_service;
