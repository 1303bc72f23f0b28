-- knowledge: files of items, policies and FAQs come in, each record told what became of it;
-- what is wrong is left out alone, what stands is not added twice, nothing crosses workspaces.
\set VERBOSITY verbose
\pset format unaligned
\pset null -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CALL laras_test.await_vault();
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Satu', 'ani@knowledge.example', 'rahasia-satu') AS one \gset
SELECT laras.create_workspace('Toko Dua', 'budi@knowledge.example', 'rahasia-dua') AS two \gset
\set VERBOSITY terse

-- Unbound.
SELECT * FROM laras.import_knowledge('catalog', 'csv', 'name');

-- Items, as a spreadsheet writes them: a byte order mark, quotes, a line break inside a field, CRLF.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, id IS NOT NULL AS has_id, problem FROM laras.import_knowledge('catalog', 'csv', E'\uFEFFName,Price,Stock,Ukuran,description\r\n'
  '"Kopi Gayo, 250 gr",85000,12,,"Wangi\r\ndan ringan"\r\n'
  'Teh Poci,6000.50,,besar,\r\n'
  ',100,1,,\r\n'
  'Gula Aren,15.000,1,,\r\n'
  'Madu,Rp 90000,1,,\r\n'
  'Garam,5000,-1,,\r\n'
  'Beras,12000,5,,enak,lebih\r\n'
  '\r\n'
  'zaitun,7000,1,,\r\n'
  'Kecap,9000,3,,\r\n'
  'Zaitun,6000,,,\r\n'
  'Merica,6000,3');
SELECT name, description, price, currency, stock, attributes, state FROM laras.catalog_item ORDER BY name COLLATE "C";
COMMIT;

-- The same again; a price alone; a stock that is not known any more; a semicolon for a comma.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name;price\nKOPI GAYO, 250 GR;85000.00\nTeh Poci;6500\n');
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json',
  '[{"name": "Kecap", "stock": null, "attributes": {"isi": "600 ml"}}, {"name": "Teh Poci", "Ukuran": null, "ukuran": null}, {"name": 7}, "Kecap", {"name": "Sabun", "price": 1e3},
    {"name": "Roti", "price": [1]}, {"name": "Kue", "price": 99999999999999999999}, {"name": "Susu", "attributes": "segar"}, {"name": "Kemeja", "attributes": {"varian": [{"ukuran": "XXL", "harga": 175000}]}}, {"name": "Kaus", "ukuran": {"XL": 66000}}, {"name": "Topi", "price": "NaN"}, {"name": "Selai", "price": -5}, {"name": "Keju", "currency": "idr"}, {"name": "Krim", "state": "sold"}]');
SELECT name, price, stock, attributes, updated_at > '2000-01-01' AS dated FROM laras.catalog_item ORDER BY name COLLATE "C";
COMMIT;

-- Another workspace has the same names, and sees nothing of the first.
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name\tprice\nTeh Poci\t1\n');
SELECT name, price FROM laras.catalog_item;
COMMIT;

-- Two rows of one name are nobody's guess.
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
INSERT INTO laras.catalog_item (workspace_id, id, name) VALUES (:two, 1, 'Ganda'), (:two, 2, 'ganda');
SELECT line, act, id, problem FROM laras.import_knowledge('catalog', 'csv', E'name,price\nGanda,5');
ROLLBACK;

-- Policies and questions, in two languages.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('policies', 'csv', E'topic,language,body\njam buka,,Setiap hari.\nopening hours,en,Every day.\njam buka,en,Every day.\njam buka,fr,Tous les jours.\ngaransi,id,\n');
SELECT line, act, problem FROM laras.import_knowledge('policies', 'csv', E'topic,body\nJam buka,Setiap hari kecuali Senin.\nopening hours,Setiap hari.\n');
SELECT line, act, problem FROM laras.import_knowledge('policies', 'csv', E'topic,colour\njam buka,merah\n');
SELECT line, act, problem FROM laras.import_knowledge('faqs', 'json', '[{"question": "Bisa COD?", "answer": "Bisa."}, {"question": "Can I pay cash?", "answer": "Yes.", "language": "en"}, {"question": "Kosong?"}]');
SELECT line, act, problem FROM laras.import_knowledge('faqs', 'json', '[{"question": "bisa cod?", "answer": "Bisa, di Bandung."}]');
SELECT topic, language, body FROM laras.policy_text ORDER BY topic COLLATE "C", language;
SELECT question, language, answer FROM laras.faq ORDER BY question COLLATE "C";
COMMIT;

-- What a draft says of them.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT body FROM laras.preview_reply('harga teh poci berapa?');
COMMIT;

-- What is not known, nearly known, said twice, or shows nothing.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name,prise\nGaram,5000\n');
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json', '[{"name": "Garam", "stok": 5}, {"name": "Garam halus", "warna": "putih", "attributes": {"prise": "1"}}, {"Name": "Gula"}, {"name": "Gula", "pirce": 1}]');
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json', ' [ {"name": "Lada", "price": 1, "price": 2} ,{"name": "Lada, [hitam]", "price": 12345678901234567890, "x": {"a": 1, "a": 2}}, {"name": "Lada putih", "price": 99999999999999999999}, "x", {"name": "Lada merah", "price": 3}]');
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json', '[{"name": "12345"}, {"name": "\u200b \u2060"}, {"name": "\u202eatak"}, {"name": "kopi\u0007"}, {"name": "..."}, {"name": "501 jeans"}, {"name": "咖啡"}, {"name": "A", "stock": -3}, {"name": "B", "stock": 1000000000}, {"name": "C", "stock": 1.5}, {"name": "D", "price": -1}]');
SELECT line, act, problem FROM laras.import_knowledge('policies', 'json', '[{"body": "Setiap hari."}, {"topic": " ", "body": "Setiap hari."}, {"topic": "retur", "body": "\u00a0"}, {"topic": "retur"}, {"topic": "retur", "body": "Bisa.", "warna": "merah"}]');
ROLLBACK;

-- Columns in the shop's own language are asked about; what is wrong names its column.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name,Harga\nGaram,5000\n');
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json', '[{"name": "A", "stock": 1, "STOK": 2}, {"name": "B", "keterangan": "enak"}, {"name": "C", "mata uang": "IDR"}, {"name": "D", "mata_uang": "IDR"}, {"nama": "E"},
  {"name": "F", "isi": "600 ml", "attributes": {"harga": "grosir"}}, {"name": "G", "description": {"a": 1}}, {"name": "H", "ukuran": {"XL": 1}}, {"name": "I", "attributes": {"varian": [{"harga": 1}]}}, {"name": "J", "price": []}]');
SELECT line, act, problem FROM laras.import_knowledge('policies', 'json', '[{"topic": "retur", "isi": "Bisa."}, {"topic": "retur", "body": [1]}]');
SELECT line, act, problem FROM laras.import_knowledge('faqs', 'json', '[{"question": "COD?", "jawaban": "Bisa."}]');
SELECT line, act, problem FROM laras.import_knowledge('hours', 'json', '[{"day": "senin", "jam": "08:00-12:00"}, {"day": "selasa", "hours": "closed", "catatan": "libur"}, {"hari": "rabu"}]');
SELECT line, act, problem FROM laras.import_knowledge('voice', 'json', '[{"language": "en", "emoji": "maybe"}, {"language": "en", "greeting": "Halo\u0007"}, {"language": "id", "sign_off": "Salam hangat,\nToko Satu"}]');
-- A line with a mistake of its own is told that, and is none of two with one name.
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name,price\nPala,lima ribu\nPala,5000\nKayu Manis,9000\nKAYU MANIS,sembilan\n');
SELECT line, act, problem FROM laras.import_knowledge('faqs', 'json', '[{"question": "Buka?"}, {"question": "buka?", "answer": "Jam 8."}, {"question": "Tutup?", "answer": "Jam 9."}]');
-- What a file may hold plain DML may hold, and no more.
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name,price,stock\nMahal,999999999999999.99,999999999\nMahal sekali,1000000000000000,1\nBanyak,1,1000000000\n');
UPDATE laras.catalog_item SET price = price, stock = stock WHERE name = 'Mahal';
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
INSERT INTO laras.catalog_item (workspace_id, id, name, price) VALUES (:one, 76, 'Mahal sekali', 1000000000000000);
INSERT INTO laras.catalog_item (workspace_id, id, name, stock) VALUES (:one, 76, 'Banyak', 1000000000);
-- A file that breaks off says where.
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'name,description\n"Satu","dua\nbaris"\n\nTiga,"empat\nlima\n');
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'name,description\nSatu,dua\rTiga,empat\n');
SELECT * FROM laras.import_knowledge('catalog', 'json', E'[\n  {"name": "a"},\n  {"name": "b" "price": 1}\n]');
SELECT * FROM laras.import_knowledge('catalog', 'json', E'[{"name": "a", "id": 12345678901234567890},\n{"name": "b",}]');
SELECT * FROM laras.import_knowledge('catalog', 'json', E'[\n' || repeat('[', 100));
\set ON_ERROR_ROLLBACK off
ROLLBACK;
\set VERBOSITY terse

-- By DML as well.
\set VERBOSITY default
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
\set ON_ERROR_ROLLBACK on
INSERT INTO laras.catalog_item (workspace_id, id, name) VALUES (:one, 77, '   ');
INSERT INTO laras.catalog_item (workspace_id, id, name) VALUES (:one, 77, repeat('x', 501));
INSERT INTO laras.catalog_item (workspace_id, id, name, price) VALUES (:one, 77, 'Teh', -1);
INSERT INTO laras.catalog_item (workspace_id, id, name, price) VALUES (:one, 77, 'Teh', 'NaN');
INSERT INTO laras.catalog_item (workspace_id, id, name, attributes) VALUES (:one, 77, 'Teh', '[1]');
INSERT INTO laras.catalog_item (workspace_id, id, name, attributes) VALUES (:one, 77, 'Teh', '5');
INSERT INTO laras.catalog_item (workspace_id, id, name, attributes) VALUES (:one, 77, 'Teh', '{"ukuran": {"S": 50000, "XL": 66000}}');
INSERT INTO laras.catalog_item (workspace_id, id, name, attributes) VALUES (:one, 77, 'Teh', '{"varian": [{"ukuran": "XXL", "harga": 175000}]}');
INSERT INTO laras.catalog_item (workspace_id, id, name, attributes) VALUES (:one, 77, 'Teh', '{"ukuran": ["S", "XL", 40], "warna": "biru", "halal": true, "berat": 250.5, "isi": null, "bahan": []}');
INSERT INTO laras.catalog_item (workspace_id, id, name, stock) VALUES (:one, 77, 'Teh', -1);
INSERT INTO laras.catalog_item (workspace_id, id, name, currency) VALUES (:one, 77, 'Teh', 'idr');
INSERT INTO laras.catalog_item (workspace_id, id, name, state) VALUES (:one, 77, 'Teh', 'sold');
INSERT INTO laras.catalog_item (workspace_id, id, name, language) VALUES (:one, 77, 'Teh', 'fr');
INSERT INTO laras.catalog_item (workspace_id, id, name, translations) VALUES (:one, 77, 'Teh', '{"fr": {"name": "The"}}');
INSERT INTO laras.catalog_item (workspace_id, id, name, translations) VALUES (:one, 77, 'Teh', '{"en": "Tea"}');
INSERT INTO laras.catalog_item (workspace_id, id, name, translations) VALUES (:one, 77, 'Teh', '["en"]');
INSERT INTO laras.catalog_item (workspace_id, id, name, translations) VALUES (:one, 78, 'Teh', '{"en": {"name": "Tea"}, "id": {}}');
INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours, note) VALUES (:one, 77, 'sunday', 'closed', repeat('x', 201));
INSERT INTO laras.brand_voice (workspace_id, id, language) VALUES (:one, 77, 'fr');
INSERT INTO laras.brand_voice (workspace_id, id, address) VALUES (:one, 77, repeat('x', 51));
INSERT INTO laras.brand_voice (workspace_id, id, manner) VALUES (:one, 77, repeat('x', 1001));
INSERT INTO laras.brand_voice (workspace_id, id, greeting) VALUES (:one, 77, E'Halo\u0007');
INSERT INTO laras.brand_voice (workspace_id, id, sign_off) VALUES (:one, 77, E'\u202eSalam');
INSERT INTO laras.policy_text (workspace_id, id, topic, body) VALUES (:one, 77, ' ', 'Bisa.');
INSERT INTO laras.policy_text (workspace_id, id, topic, body) VALUES (:one, 77, 'retur', E'\u200b\n');
INSERT INTO laras.policy_text (workspace_id, id, topic, body, language) VALUES (:one, 77, 'retur', 'Bisa.', 'fr');
INSERT INTO laras.faq (workspace_id, id, question, answer) VALUES (:one, 77, '', 'Bisa.');
INSERT INTO laras.faq (workspace_id, id, question, answer) VALUES (:one, 77, 'COD?', E'\t');
INSERT INTO laras.follow_up_rule (workspace_id, id, idle_hours, body) VALUES (:one, 77, 5, E'\u200b');
INSERT INTO laras.follow_up_rule (workspace_id, id, idle_hours, body) VALUES (:one, 77, 5, 'Halo {name}, masih minat?');
INSERT INTO laras.follow_up_rule (workspace_id, id, channel, idle_hours, body) VALUES (:one, 77, 'wa', 5, 'Halo');
INSERT INTO laras.follow_up_rule (workspace_id, id, idle_hours, body) VALUES (:one, 77, 5, repeat('x', 4097));
INSERT INTO laras.review_rule (workspace_id, id, channel) VALUES (:one, 77, 'wa');
SELECT laras.preview_draft('halo', 'wa');
\set ON_ERROR_ROLLBACK off
ROLLBACK;
\set VERBOSITY terse

-- A look at a draft says whether it would leave by itself, by the review rules, too.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT q, d -> 'confidence' AS confidence, d -> 'would_send' AS would_send, d -> 'hold_reasons' AS hold_reasons, d -> 'verdict' AS verdict
FROM unnest(ARRAY['harga teh poci berapa?', 'saya kecewa, mau komplain', 'xyzzy qwerty']) q, laras.preview_draft(q) d;
INSERT INTO laras.review_rule (workspace_id, id, channel, topic) VALUES (:one, 1, 'whatsapp', 'price');
SELECT c, d -> 'would_send' AS would_send, d -> 'hold_reasons' AS hold_reasons FROM unnest(ARRAY['whatsapp', 'telegram']) c, laras.preview_draft('harga teh poci berapa?', c) d;
ROLLBACK;

-- Files that are none.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
\set ON_ERROR_ROLLBACK on
SELECT * FROM laras.import_knowledge('shoes', 'csv', 'name');
SELECT * FROM laras.import_knowledge('catalog', 'xlsx', 'name');
SELECT * FROM laras.import_knowledge('catalog', 'csv', '');
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'\n\n');
SELECT * FROM laras.import_knowledge('catalog', 'csv', 'name');
SELECT * FROM laras.import_knowledge('catalog', 'csv', 'qwertyrubbish');
SELECT * FROM laras.import_knowledge('policies', 'csv', repeat('TG9yZW0gaXBzdW0', 1400));
\set VERBOSITY default
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'nama,harga\nKopi,8000');
\set VERBOSITY terse
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'name,Name\na,b');
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'name\n"open');
SELECT * FROM laras.import_knowledge('catalog', 'json', '{"name": "a"}');
SELECT * FROM laras.import_knowledge('catalog', 'json', '[{"name": "a"');
SELECT * FROM laras.import_knowledge('catalog', 'json', repeat('[', 100000));
SELECT * FROM laras.import_knowledge('catalog', 'json', NULL);
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'name\n' || repeat(E'x\n', 50001));
SELECT * FROM laras.import_knowledge('catalog', 'csv', repeat('x', 17000000));
SELECT count(*) FROM laras.catalog_item;
COMMIT;

-- A large one is one call.
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SELECT act, count(*) FROM laras.import_knowledge('catalog', 'csv', E'name,price\n' || (SELECT string_agg('Barang ' || i || ',' || i, E'\n') FROM generate_series(1, 5000) i)) GROUP BY act;
SELECT act, count(*) FROM laras.import_knowledge('catalog', 'csv', E'name,price\n' || (SELECT string_agg('Barang ' || i || ',' || i % 4999, E'\n') FROM generate_series(1, 5000) i)) GROUP BY act ORDER BY act;
ROLLBACK;
RESET ROLE;

-- Others may not.
SET ROLE laras_relay;
SELECT * FROM laras.import_knowledge('catalog', 'csv', 'name');
RESET ROLE;
