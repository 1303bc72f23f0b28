-- voice: how a business speaks in each language: what the drafter's texts begin and end with, how they
-- address a customer, what the classifier makes of it, a file of it with its refused lines, and nothing
-- across workspaces.
-- proves R057 R061
\pset format unaligned
\pset null -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set VERBOSITY terse
CALL laras_test.await_vault();
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Satu', 'ani@voice.example', 'rahasia-satu') AS one \gset
SELECT laras.create_workspace('Toko Dua', 'budi@voice.example', 'rahasia-dua') AS two \gset

-- A file, as people write it.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, id IS NOT NULL AS has_id, problem FROM laras.import_knowledge('voice', 'csv', E'language,address,greeting,sign_off,emoji,manner\n'
  'id,Bapak/Ibu,Selamat datang di Toko Satu 100%!,"Salam hangat, Toko Satu. Gratis ongkir setiap Jumat sampai 31 Desember 2030: toko-satu.example 😊",tidak,Sopan dan singkat.\n'
  'fr,Madame,,,,\nen,,Welcome to Toko Satu!,Toko Satu since 1998,maybe,\n');
SELECT line, act, problem FROM laras.import_knowledge('voice', 'json', jsonb_build_array(
  jsonb_build_object('language', 'en', 'greeting', 'Welcome to Toko Satu!', 'sign_off', '  Toko Satu since 1998', 'emoji', true),
  jsonb_build_object('language', 'id', 'emoji', 'ya'), jsonb_build_object('tone', 'warm', 'language', 'en'))::text);
SELECT line, act, problem FROM laras.import_knowledge('voice', 'json', jsonb_build_array(
  jsonb_build_object('language', 'id', 'address', repeat('x', 51)))::text);
SELECT line, act, problem FROM laras.import_knowledge('voice', 'json', '[{"language": "id", "emoji": false}]');
SELECT line, act, problem FROM laras.import_knowledge('voice', 'json', '[{"language": "id", "emoji": false}]');
SELECT language, address, greeting, sign_off, emoji, manner FROM laras.brand_voice ORDER BY language;
INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES (:one, 1, 'Payung Lipat 50% %s', 79000, 12), (:one, 2, 'Mug Putih', 35000, 0), (:one, 3, 'Mug Putih Besar', 45000, 4);
COMMIT;

-- What the drafter says with it, and what the classifier says of that.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT q, d ->> 'body' AS body, (SELECT string_agg(s ->> 'table', ',') FROM jsonb_array_elements(d -> 'sources') s) AS cites, d ->> 'verdict' AS verdict, d -> 'reasons' AS reasons
FROM unnest(ARRAY['berapa harga payung lipat?', 'Halo min, payung lipat brp?', 'How much is the payung lipat?', 'hello, how much is the payung lipat?', 'mug putih brp', 'makasih ya', 'thank you', 'halo', 'good morning',
  'saya kecewa, barangnya rusak', 'halo, saya mau komplain', 'ok', 'jual pesawat?']) q, laras.preview_draft(q) d;
-- addressed by no name; nothing before or after it, nothing cited
UPDATE laras.brand_voice SET address = '', greeting = ' ', sign_off = '' WHERE language = 'id';
SELECT q, body, sources FROM unnest(ARRAY['halo', 'mug brp', 'pesanan saya mana?', 'makasih']) q, laras.preview_reply(q);
UPDATE laras.brand_voice SET address = 'dear' WHERE language = 'en';
SELECT body FROM unnest(ARRAY['thank you', 'hello', 'I want to talk to a human']) q, laras.preview_reply(q);
-- a required phrase may stand in the sign-off, a forbidden one may not
INSERT INTO laras.required_phrase (workspace_id, id, phrase) VALUES (:one, 1, 'since 1998');
SELECT laras.preview_draft('How much is the mug putih besar?') ->> 'verdict' AS required;
INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES (:one, 1, 'since 1998');
SELECT laras.preview_draft('How much is the mug putih besar?') -> 'reasons' AS forbidden;
ROLLBACK;

-- What an owner may say of it changes its version; what only a model reads does not.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT version AS before FROM laras.brand_voice WHERE language = 'id' \gset
UPDATE laras.brand_voice SET manner = 'Santai.', emoji = true, address = 'Kak' WHERE language = 'id' RETURNING version = :before AS same;
UPDATE laras.brand_voice SET sign_off = 'Salam' WHERE language = 'id' RETURNING version = :before AS same;
\set ON_ERROR_ROLLBACK on
INSERT INTO laras.brand_voice (workspace_id, id, language) VALUES (:one, 9, 'id');
INSERT INTO laras.brand_voice (workspace_id, id, language) VALUES (:two, 9, 'id');
UPDATE laras.brand_voice SET sign_off = repeat('x', 301);
\set ON_ERROR_ROLLBACK off
ROLLBACK;

-- Another workspace speaks as it always did.
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SELECT count(*) FROM laras.brand_voice;
SELECT body, sources FROM laras.preview_reply('halo');
COMMIT;
RESET ROLE;
SET ROLE laras_drafter;
SELECT count(*) FROM laras.brand_voice;
UPDATE laras.brand_voice SET greeting = 'x';
RESET ROLE;
