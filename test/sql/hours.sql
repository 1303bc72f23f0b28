-- hours: opening hours as rows: what a row may say and what is told of one that may not, a file of
-- them with its refused lines, answers from them in both languages, and nothing across workspaces.
-- (What depends on the clock: test/t/161 and 193.)
-- proves R056 R057 R058
\pset format unaligned
\pset null -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CALL laras_test.await_vault();
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Satu', 'ani@hours.example', 'rahasia-satu') AS one \gset
SELECT laras.create_workspace('Toko Dua', 'budi@hours.example', 'rahasia-dua') AS two \gset
SET ROLE laras_service;
\set VERBOSITY default

-- Rows that say what cannot be.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
\set ON_ERROR_ROLLBACK on
INSERT INTO laras.opening_hours (workspace_id, id, hours) VALUES (:one, 1, 'closed');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, on_date, hours) VALUES (:one, 1, 'monday', '2999-01-01', 'closed');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'someday', 'closed');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '8:00-12:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '08:00-25:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '08:00-12:00,');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '08:00-12:00, 11:00-13:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '08:00-08:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '18:00-02:00, 03:00-04:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '01:00-02:00, 18:00-01:30');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '01:00-02:00, 03:00-04:00, 05:00-06:00, 07:00-08:00, 09:00-10:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', 'closed'), (:one, 2, 'monday', '08:00-12:00');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours, version) VALUES (:one, 1, 'monday', 'closed', 1);
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:two, 1, 'monday', 'closed');
SELECT laras.set_time_zone('Mars/Olympus');
SELECT laras.set_time_zone('WIB-7');
SELECT laras.set_time_zone(NULL);
SELECT laras.set_time_zone('Asia/Makassar');
SELECT laras.time_zone(), (SELECT time_zone FROM laras.workspaces);
\set ON_ERROR_ROLLBACK off
COMMIT;
SELECT laras.time_zone();

-- A file, as people write it.
\set VERBOSITY terse
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, id IS NOT NULL AS has_id, problem FROM laras.import_knowledge('hours', 'csv', E'day,hours,note\n'
  'Senin,tutup,\nTuesday,08:00-17:00,\nrabu,08.00 - 17.00,\nThursday,8:00–17:00,\nfriday,"08:00-11:30, 13:00-17:00",\n'
  'SABTU,18:00-02:00,\nMinggu,24 jam,\n2999-12-25,closed,Natal\n2999-02-30,closed,\nbesok,closed,\n,closed,\nLibur,closed,\n'
  '2999-12-26,,\n2999-12-27,pagi,\n2999-12-28,17:00-08:00-,\n2999-12-29,closed,' || repeat('x', 201) || E'\n2999-12-30,closed,a\n2999-12-30,tutup,b\n');
SELECT weekday, on_date, hours, note FROM laras.opening_hours ORDER BY on_date NULLS FIRST, array_position('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}', weekday);
SELECT line, act, problem FROM laras.import_knowledge('hours', 'json',
  '[{"day": "monday", "hours": "closed"}, {"day": "2999-12-25", "hours": "10:00-12:00"}, {"day": "tuesday"}, {"day": "rabu", "hours": "08:00-17:00", "colour": "red"}, {"hours": "closed"}]');
SELECT hours, note FROM laras.opening_hours WHERE on_date = '2999-12-25';
SELECT q, r.intent, r.hand_over, r.body, jsonb_array_length(r.sources) AS cites,
  (SELECT bool_and(o.id IS NOT NULL) FROM jsonb_array_elements(r.sources) s LEFT JOIN laras.opening_hours o ON s ->> 'table' = 'opening_hours' AND o.id = (s ->> 'id')::bigint AND o.version = (s ->> 'version')::bigint) AS by_rows
FROM unnest(ARRAY['jam buka kak?', 'What are your opening hours?', 'hari senin buka?', 'do you open on fridays?', 'sabtu buka jam berapa', 'weekend buka ga?', 'buka dari senin sampai rabu ga', 'senin depan buka?', 'natal buka?', 'toko emasnya buka jam berapa']) q, laras.preview_reply(q) r;
SELECT laras.preview_draft('what are your opening hours?') ->> 'verdict' AS english, laras.preview_draft('jam buka kak?') ->> 'verdict' AS indonesian;
-- the evening before a day bears its name, what is over stands in no row
SELECT q, r.hand_over, r.confidence >= 0.7 AS sure, r.body
FROM unnest(ARRAY['malam minggu buka sampai jam berapa?', 'mlm senin buka kak?', 'minggu malam buka?', 'jam 7 malam minggu masih buka?', 'kemarin buka?', 'kmrn sabtu tutup ya?', 'minggu lalu buka ga', 'were you open yesterday?']) WITH ORDINALITY AS u (q, n), laras.preview_reply(u.q) r ORDER BY n;
SELECT body LIKE 'Hari ini (%' AS of_today FROM laras.preview_reply('kemarin tutup ya kak, hari ini buka?');
-- every day alike; a weekday that nobody knows of; none at all, and the policy speaks again
UPDATE laras.opening_hours SET hours = '07:00-21:30' WHERE weekday IS NOT NULL;
SELECT body FROM unnest(ARRAY['jam buka kak?', 'What are your opening hours?']) q, laras.preview_reply(q);
DELETE FROM laras.opening_hours WHERE weekday = 'sunday';
SELECT body, hand_over FROM unnest(ARRAY['minggu buka?', 'jam buka?']) q, laras.preview_reply(q);
INSERT INTO laras.policy_text (workspace_id, id, topic, body) VALUES (:one, 9, 'jam buka', 'Minggu kami buka pagi.');
SELECT body, hand_over FROM laras.preview_reply('minggu buka?');
DELETE FROM laras.opening_hours;
SELECT body, hand_over FROM laras.preview_reply('jam buka?');
ROLLBACK;

-- Another workspace has none of it.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (:one, 1, 'monday', '08:00-12:00');
COMMIT;
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SELECT count(*) FROM laras.opening_hours;
SELECT hand_over, sources FROM laras.preview_reply('senin buka?');
ROLLBACK;
RESET ROLE;
SET ROLE laras_drafter;
SELECT count(*) FROM laras.opening_hours;
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES (1, 1, 'monday', 'closed');
RESET ROLE;
