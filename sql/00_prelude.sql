-- 00_prelude: pins the search path and makes what every later part stands on.
\echo Use "CREATE EXTENSION laras CASCADE" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;
