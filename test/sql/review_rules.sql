-- review_rules: a rule with a value that means nothing is refused with the column and what would
-- be right, whoever writes it and by whichever statement; nothing of it is stored.
\pset format unaligned
\pset null -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CALL laras_test.await_vault();
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Satu', 'ani@rules.example', 'rahasia-satu') AS one \gset
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on

BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SET LOCAL ROLE laras_app;
-- What is refused, as it reads.
\set VERBOSITY default
INSERT INTO laras.review_rule (workspace_id, id, topic) VALUES (:one, 1, 'prices');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, minimum_confidence) VALUES (:one, 1, 1.5);
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, minimum_confidence) VALUES (:one, 1, 'NaN');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, act) VALUES (:one, 1, 'deny');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, texts) VALUES (:one, 1, 'Drafts');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, minimum_value) VALUES (:one, 1, -0.01);
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, maximum_value) VALUES (:one, 1, -1);
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, from_time) VALUES (:one, 1, '21:00');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, to_time) VALUES (:one, 1, '07:00');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, time_zone) VALUES (:one, 1, 'Mars/Olympus');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, texts, topic) VALUES (:one, 1, 'people', 'price');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, texts, act) VALUES (:one, 1, 'people', 'allow');
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, texts, minimum_confidence) VALUES (:one, 1, 'people', 0.5);
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, texts, minimum_value) VALUES (:one, 1, 'people', 1);
\echo :SQLSTATE
INSERT INTO laras.review_rule (workspace_id, id, texts, maximum_value) VALUES (:one, 1, 'people', 1);
\echo :SQLSTATE
\set VERBOSITY terse
INSERT INTO laras.review_rule (workspace_id, id, act) VALUES (:one, 1, NULL);
INSERT INTO laras.review_rule (workspace_id, id, channel) VALUES (:one, 1, 'pigeon');
-- One bad row of many, and a bad change of a good one.
INSERT INTO laras.review_rule (workspace_id, id, topic) VALUES (:one, 1, 'price'), (:one, 2, ''), (:one, 3, 'stock');
SELECT count(*) FROM laras.review_rule;
INSERT INTO laras.review_rule (workspace_id, id, topic) SELECT :one, 1, 'price';
UPDATE laras.review_rule SET topic = 'Price';
UPDATE laras.review_rule SET texts = 'people';
INSERT INTO laras.review_rule (workspace_id, id) VALUES (:one, 1) ON CONFLICT (workspace_id, id) DO UPDATE SET minimum_value = -5;
SELECT id, channel, topic, minimum_confidence, act, texts, minimum_value, from_time, time_zone FROM laras.review_rule;
DELETE FROM laras.review_rule;
-- What is taken: each topic, the ends of what is between, hours over midnight, zones by name, abbreviation and offset.
INSERT INTO laras.review_rule (workspace_id, id, topic)
  SELECT :one, row_number() OVER (), t FROM unnest('{unclear,price,stock,product,hours,delivery,payment,warranty,returns,location,complaint,order_status,human,off_scope,thanks,greeting}'::text[]) t;
INSERT INTO laras.review_rule (workspace_id, id, minimum_confidence, minimum_value, maximum_value) VALUES (:one, 17, 0, 0, 0), (:one, 18, 1, 0, 9999999999999999.99);
INSERT INTO laras.review_rule (workspace_id, id, from_time, to_time, time_zone) VALUES (:one, 19, '21:00', '07:00', 'Asia/Jayapura'), (:one, 20, '00:00', '24:00', 'UTC'), (:one, 21, '08:00', '09:00', 'PDT'), (:one, 22, '08:00', '09:00', 'WIB-7');
INSERT INTO laras.review_rule (workspace_id, id, texts, from_time, to_time, channel, priority) VALUES (:one, 23, 'people', '08:00', '09:00', 'whatsapp', -3);
SELECT count(*) FROM laras.review_rule;
ROLLBACK;
RESET ROLE;

-- Whom no row security binds is told the same.
INSERT INTO laras.review_rule (workspace_id, id, act) VALUES (:one, 1, 'deny');
