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
