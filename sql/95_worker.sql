-- 95_worker: seeing and steering the background workers.

CREATE FUNCTION laras.drain(timeout interval DEFAULT '10 s') RETURNS boolean
    AS 'MODULE_PATHNAME', 'laras_drain_workers'
    LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION laras.drain(interval) IS
    'Waits until everything committed before is processed by the workers of this database; false when that does not come in time. For tests and maintenance.';
GRANT EXECUTE ON FUNCTION laras.drain(interval) TO laras_dba;

CREATE FUNCTION laras.pause_workers(worker text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'laras_pause_workers'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED;
COMMENT ON FUNCTION laras.pause_workers(text) IS
    'Lets the named worker of this database, or without a name all but the vault, run no further turn; returns when those under way have ended. Lasts until resume_workers() or a restart of the server.';
GRANT EXECUTE ON FUNCTION laras.pause_workers(text) TO laras_dba;

CREATE FUNCTION laras.resume_workers(worker text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'laras_resume_workers'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED;
COMMENT ON FUNCTION laras.resume_workers(text) IS
    'Ends a pause of the named worker of this database, or of all but the vault, and lets those that wait after failures or crashes start at once.';
GRANT EXECUTE ON FUNCTION laras.resume_workers(text) TO laras_dba;

CREATE FUNCTION laras.list_workers(
        OUT database name, OUT worker text, OUT pid integer, OUT state text,
        OUT started_at timestamptz, OUT last_turn_at timestamptz, OUT last_success_at timestamptz,
        OUT turns bigint, OUT queued bigint, OUT pending bigint, OUT waiting_since timestamptz,
        OUT failures bigint, OUT failures_in_a_row integer, OUT crashes integer, OUT next_attempt_at timestamptz,
        OUT last_error_code text, OUT last_error text, OUT last_error_at timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'laras_list_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION laras.list_workers() IS
    'The rows of laras.worker_status.';
GRANT EXECUTE ON FUNCTION laras.list_workers() TO laras_dba;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.worker_status AS
    SELECT w.database, w.worker, w.pid, w.state, w.started_at, w.last_turn_at, w.last_success_at,
           w.turns, w.queued, w.pending, w.waiting_since,
           w.failures, w.failures_in_a_row, w.crashes, w.next_attempt_at,
           w.last_error_code, w.last_error, w.last_error_at
      FROM laras.list_workers() AS w;
COMMENT ON VIEW laras.worker_status IS
    'The launcher and the workers of every database: who runs, what waits, and what went wrong last.';
COMMENT ON COLUMN laras.worker_status.database IS 'database; null for the launcher';
COMMENT ON COLUMN laras.worker_status.worker IS 'launcher, vault, intake, courier or keeper';
COMMENT ON COLUMN laras.worker_status.pid IS 'process, null when there is none';
COMMENT ON COLUMN laras.worker_status.state IS
    'starting, idle, working, stopping, paused, backing off, held (the database is being altered), no extension, other version, stopped';
COMMENT ON COLUMN laras.worker_status.started_at IS 'when the process started';
COMMENT ON COLUMN laras.worker_status.last_turn_at IS 'when it last began a turn';
COMMENT ON COLUMN laras.worker_status.last_success_at IS 'when a turn last ended without error';
COMMENT ON COLUMN laras.worker_status.turns IS 'turns since the database was taken up';
COMMENT ON COLUMN laras.worker_status.queued IS 'commits with work for it that no finished turn has seen';
COMMENT ON COLUMN laras.worker_status.pending IS 'pieces of work begun and not finished';
COMMENT ON COLUMN laras.worker_status.waiting_since IS 'when the oldest of the queued commits came';
COMMENT ON COLUMN laras.worker_status.failures IS 'turns or duties that failed';
COMMENT ON COLUMN laras.worker_status.failures_in_a_row IS 'of these, those since the last success';
COMMENT ON COLUMN laras.worker_status.crashes IS 'crashes in a row of this process that took the server down';
COMMENT ON COLUMN laras.worker_status.next_attempt_at IS 'when it is tried again, while it backs off';
COMMENT ON COLUMN laras.worker_status.last_error_code IS 'SQLSTATE of the last failure';
COMMENT ON COLUMN laras.worker_status.last_error IS 'its message, withheld where it may quote data';
COMMENT ON COLUMN laras.worker_status.last_error_at IS 'when it came';
GRANT SELECT ON laras.worker_status TO laras_dba;
RESET ROLE;
