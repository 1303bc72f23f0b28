-- install: the extension is created by name alone, in its own schema, and knows its version.
SELECT e.extname, n.nspname, e.extversion = a.default_version AS newest
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname
WHERE e.extname IN ('laras', 'pgcrypto') ORDER BY 1;
SHOW shared_preload_libraries;
