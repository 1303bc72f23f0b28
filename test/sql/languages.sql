-- languages: an item has its name and description in both languages: found by either, answered in the
-- customer's, in its own where there is none; one version, one citation; a file of them.
-- proves R056 R057 R058
\pset format unaligned
\pset null -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set VERBOSITY terse
CALL laras_test.await_vault();
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Satu', 'ani@languages.example', 'rahasia-satu') AS one \gset
SELECT laras.create_workspace('Toko Dua', 'budi@languages.example', 'rahasia-dua') AS two \gset
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name,price,stock,description,language,name_en,description_en,name_id,warna\n'
  'Wayang Golek Besar,250000,3,Dari Sunda.,,Rod Puppet,Carved in Sunda.,,merah\n'
  'Seashell Lamp,90000,2,Handmade by divers.,en,,,Pelita Kerang,\n'
  'Sambal Bawang,30000,9,Pedas sekali.,id,,,,\n'
  'Keris Kecil,1,1,,fr,,,,\n'
  'Gong,1,1,,id,' || repeat('x', 501) || E',,,\n');
SELECT name, language, translations, attributes FROM laras.catalog_item ORDER BY name COLLATE "C";
COMMIT;

BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT q, d ->> 'body' AS body, jsonb_array_length(d -> 'sources') AS cites, d ->> 'verdict' AS verdict, d -> 'reasons' AS reasons
FROM unnest(ARRAY['berapa harga wayang golek besar?', 'How much is the rod puppet?', 'how much is the wayang golek besar?', 'rod puppet harganya berapa kak', 'pelita kerang brp', 'how much is the seashell lamp?', 'tell me about the rod puppet',
  'apa itu seashell lamp?', 'do you have sambal bawang?', 'how much is the rod pupet?', 'rod puppet sama wayang golek besar brp?']) q, laras.preview_draft(q) d;
-- one version for both languages; what a file does not name stays, an empty field empties
SELECT version AS before FROM laras.catalog_item WHERE name = 'Wayang Golek Besar' \gset
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name,name_en\nWayang Golek Besar,Sundanese Puppet\nSambal Bawang,Shallot Sambal\nSeashell Lamp,\n');
SELECT name, translations, version = :before AS same FROM laras.catalog_item ORDER BY name COLLATE "C";
SELECT body FROM unnest(ARRAY['how much is the sundanese puppet?', 'how much is the shallot sambal?']) q, laras.preview_reply(q);
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json', '[{"name": "Wayang Golek Besar", "name_en": null, "description_en": ""}, {"name": "Sambal Bawang", "name_en": "Shallot Sambal"}]');
SELECT translations FROM laras.catalog_item WHERE name = 'Wayang Golek Besar';
SELECT body FROM laras.preview_reply('how much is the wayang golek besar?');
\set ON_ERROR_ROLLBACK on
UPDATE laras.catalog_item SET translations = '{"fr": {"name": "Marionnette"}}';
UPDATE laras.catalog_item SET translations = '{"en": "Puppet"}';
UPDATE laras.catalog_item SET translations = '[]';
\set ON_ERROR_ROLLBACK off
ROLLBACK;
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SELECT hand_over FROM laras.preview_reply('How much is the rod puppet?');
ROLLBACK;
RESET ROLE;
