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
  'Kecap,9000,3\r\n'
  'Zaitun,6000');
SELECT name, description, price, currency, stock, attributes, state FROM laras.catalog_item ORDER BY name COLLATE "C";
COMMIT;

-- The same again; a price alone; a stock that is not known any more; a semicolon for a comma.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'csv', E'name;price\nKOPI GAYO, 250 GR;85000.00\nTeh Poci;6500\n');
SELECT line, act, problem FROM laras.import_knowledge('catalog', 'json',
  '[{"name": "Kecap", "stock": null, "attributes": {"isi": "600 ml"}}, {"name": "Teh Poci", "Ukuran": null, "ukuran": null}, {"name": 7}, "Kecap", {"name": "Sabun", "price": 1e3},
    {"name": "Roti", "price": [1]}, {"name": "Kue", "price": 99999999999999999999}, {"name": "Susu", "attributes": "segar"}, {"name": "Selai", "price": -5}, {"name": "Keju", "currency": "idr"}, {"name": "Krim", "state": "sold"}]');
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

-- Files that are none.
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
\set ON_ERROR_ROLLBACK on
SELECT * FROM laras.import_knowledge('shoes', 'csv', 'name');
SELECT * FROM laras.import_knowledge('catalog', 'xlsx', 'name');
SELECT * FROM laras.import_knowledge('catalog', 'csv', '');
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'\n\n');
SELECT * FROM laras.import_knowledge('catalog', 'csv', 'name');
SELECT * FROM laras.import_knowledge('catalog', 'csv', E'nama,harga\nKopi,8000');
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
