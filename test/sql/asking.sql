-- asking: what people say beside what they ask, and how they say it: stories, words made from others,
-- regional speech, several things at once, what is proposed, and words beside a name that make it another thing.
-- proves R056 R057 R058
\pset format unaligned
\pset null -
SET client_min_messages = warning;
CALL laras_test.await_vault();
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Tanya', 'ani@asking.example', 'rahasia-tanya') AS one \gset
BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SET LOCAL ROLE laras_app;
INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
  (:one, 1, 'Sandal Jepit Karet', 'Sandal ringan, tapak kasar.', 25000, 12),
  (:one, 2, 'Sambal Terasi', 'Pedas sekali.', 30000, 5), (:one, 3, 'Kerupuk Udang', 'Mentah, tinggal goreng.', 18000, 40),
  (:one, 4, 'Kerupuk Bawang', 'Mentah, tinggal goreng.', 15000, 0), (:one, 5, 'Paket Nasi 10 Porsi', 'Dengan lauk.', 200000, 3),
  (:one, 6, 'Paket Nasi 20 Porsi', 'Dengan lauk.', 380000, 3), (:one, 7, 'Shortboard Biru', '', 10, 1), (:one, 8, 'Skateboard Merah', '', 20, 1),
  (:one, 9, 'Longboard Hijau', '', 30, 1);
INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
  (:one, 101, 'pengiriman', 'id', 'Kami kirim tiap sore dengan JNE.'), (:one, 102, 'pembatalan', 'id', 'Batal sehari sebelumnya, uang kembali.'),
  (:one, 103, 'jam buka', 'id', 'Buka setiap hari pukul 08.00 sampai 17.00.');
INSERT INTO laras.faq (workspace_id, id, question, answer, language) VALUES
  (:one, 201, 'Ada harga grosir?', 'Ada, mulai 10 buah potongan 5 persen.', 'id'), (:one, 202, 'Ada live music?', 'Ada, tiap Sabtu.', 'id'),
  (:one, 203, 'Bagaimana cara mencuci sandal?', 'Dengan air dan sabun.', 'id');
COMMIT;

BEGIN;
SELECT laras.act_as(:one) > 0 AS bound;
SET LOCAL ROLE laras_app;
SELECT a.n, a.what, r.intent, r.hand_over AS over, r.confidence >= 0.7 AS sure,
  (SELECT string_agg(s ->> 'id', ' ' ORDER BY (s ->> 'id')::bigint) FROM jsonb_array_elements(r.sources) s) AS cites
FROM (VALUES
  (1, 'a story takes nothing', 'halo kak, kemarin teman saya cerita, katanya sandal jepit di sini bagus, mau beli buat acara keluarga, berapa ya?'),
  (2, 'as it is spoken', 'sendal jepitnya brp'),
  (3, 'as it is spoken', 'sambel terasi ready?'),
  (4, 'Javanese', 'kerupuk udang regane piro mas'),
  (5, 'Sundanese', 'kerupuk udang sabaraha teh, aya keneh?'),
  (6, 'how many are wanted is in a name', 'paket nasi buat 20 orang brp'),
  (7, 'more than there are', 'bisa pesan 50 buah sandal jepit?'),
  (8, 'both are meant', 'kerupuk udang sama kerupuk bawang brp kak'),
  (9, 'what names end in', 'ada board apa saja?'),
  (10, 'an unknown word beside the name', 'kerupuk udang keju brp'),
  (11, 'another thing than what is washed', 'jual mesin cuci?'),
  (12, 'what a price proposes', 'sandal jepit jadi 10rb ya kak'),
  (13, 'thanks and praise', 'makasih banyak kak, enak sekali sambal terasinya'),
  (14, 'a rule by what customers call it', 'sabtu ada yg nyanyi?'),
  (15, 'many pieces', 'kerupuk udang 30 pcs ada potongan?'),
  (16, 'the price, not the way to pay', 'kerupuk udang bayarnya berapa'),
  (17, 'what is called off', 'acara saya diundur, uang kembali?'),
  (18, 'a time is not the hours', 'order jam 3 sore bisa sampai hari ini?'),
  (19, 'what it says of the past', 'wah parah, kerupuk udang ready?'),
  (20, 'when it is back', 'kerupuk bawang ada lagi kapan?')) AS a (n, what, question), laras.preview_reply(a.question) r ORDER BY a.n;
COMMIT;

-- what is compared, counted, denied or asked of a row that does not say it: told where it is certain, else by a person
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Banding', 'ani@comparing.example', 'rahasia-banding') AS two \gset
BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SET LOCAL ROLE laras_app;
INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock, attributes) VALUES
  (:two, 1, 'Tumbler Baja 500 ml', 'Dingin lama.', 89000, 5, '{}'), (:two, 2, 'Tumbler Baja 750 ml', 'Dingin lama.', 115000, 4, '{}'),
  (:two, 3, 'Lapis Legit Setengah Loyang', '', 275000, 3, '{}'), (:two, 4, 'Lapis Legit Satu Loyang', '', 520000, 2, '{}'),
  (:two, 5, 'Kaos Polo Hitam', 'Berkerah.', 110000, 6, '{}'), (:two, 6, 'Kaos Polos Hitam', 'Leher bulat.', 65000, 9, '{}'),
  (:two, 7, 'Bolu Keju', 'Dengan keju parut.', 60000, 7, '{"tahan": "5 hari"}'), (:two, 8, 'Bolu Pisang', 'Tanpa pengawet.', 50000, 8, '{}'),
  (:two, 9, 'Nastar', 'Isi nanas.', 95000, 4, '{"tahan": "3 bulan"}'), (:two, 10, 'Box Arisan A', 'Tiga kue.', 15000, 20, '{}'),
  (:two, 11, 'Box Arisan B', 'Empat kue.', 20000, 20, '{}');
INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
  (:two, 101, 'pengiriman', 'id', 'Kami kirim ke seluruh Indonesia, 2 sampai 4 hari.');
INSERT INTO laras.faq (workspace_id, id, question, answer, language) VALUES
  (:two, 201, 'Di mana dapurnya?', 'Jalan Melati 8.', 'id');
COMMIT;

BEGIN;
SELECT laras.act_as(:two) > 0 AS bound;
SET LOCAL ROLE laras_app;
SELECT a.n, a.what, r.intent, r.hand_over AS over, r.confidence >= 0.7 AS sure, r.body LIKE '%satuan%' AS each,
  (SELECT string_agg(s ->> 'id', ' ' ORDER BY (s ->> 'id')::bigint) FROM jsonb_array_elements(r.sources) s) AS cites
FROM (VALUES
  (1, 'the cheapest', 'tumbler baja paling murah yang mana kak'),
  (2, 'the larger of two', 'tumbler baja yang lebih besar brp'),
  (3, 'the smallest', 'lapis legit yang paling kecil brp'),
  (4, 'of what no row tells', 'bolu paling enak yang mana'),
  (5, 'than another', 'ada yang lebih murah dari tumbler baja 500 ml?'),
  (6, 'not so', 'lapis legit bukan yang mahal brp'),
  (7, 'not that one', 'bolu yang bukan pisang brp'),
  (8, 'a name, not its stem', 'kaos polo hitam brp'),
  (9, 'and the other way round', 'kaos polos hitam brp'),
  (10, 'a span that the row does not tell', 'bolu pisang tahan berapa hari?'),
  (11, 'one that it tells, and not of another item', 'bolu keju bisa tahan 3 bulan?'),
  (12, 'of what it is made, by nobody', 'bolu pisang pakai rum ga'),
  (13, 'what another one has', 'bolu pisang ada kejunya ga'),
  (14, 'a size that there is not', 'tumbler baja 900 ml ada?'),
  (15, 'a letter that there is not', 'box arisan c brp'),
  (16, 'what several come to', 'beli 3 bolu pisang jadi berapa'),
  (17, 'and several kinds', 'bolu pisang 2 sama bolu keju 3 totalnya brp'),
  (18, 'thousands, as it is said', 'lapis legit setengah loyang 200 aja ya kak'),
  (19, 'what somebody must do', 'tolong dicatat dulu ya bolu pisangnya, besok saya ambil'),
  (20, 'a photo', 'minta foto asli bolu kejunya dong'),
  (21, 'abroad', 'bisa kirim ke singapore?'),
  (22, 'a story of one word', 'jaket saya tercecer dekat dapur tadi pagi'),
  (23, 'company beside a question', 'kenalan dong kak, namamu siapa? bolu pisang brp'),
  (24, 'and in English', 'i feel so lonely tonight. how much is bolu pisang?'),
  (25, 'a field of several words', 'bolu pisang brp? sekalian apa itu tata surya')) AS a (n, what, question), laras.preview_reply(a.question) r ORDER BY a.n;
COMMIT;
