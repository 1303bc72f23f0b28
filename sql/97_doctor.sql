-- 97_doctor: is everything set up.

CREATE FUNCTION laras.doctor(OUT "check" text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 40 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_doctor';
ALTER FUNCTION laras.doctor() OWNER TO laras_owner;
COMMENT ON FUNCTION laras.doctor() IS 'Is everything set up: a row a check, with its state (ok, warn, fail) and what to do. Changes nothing.';
GRANT EXECUTE ON FUNCTION laras.doctor() TO laras_dba, laras_service;
