-- grounding: what a text may state when a row says this, however either is written; and what it may not.
-- proves R058 R061
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE TABLE said (n int GENERATED ALWAYS AS IDENTITY, text text, facts text, price text, currency text, stock text);
-- the same number, written otherwise: all of these have ground
INSERT INTO said (text, facts, price, currency, stock) VALUES
  ('Harganya Rp 25.000 kak', NULL, '25000.00', 'IDR', NULL),
  ('Harganya Rp25.000,-', NULL, '25000.00', 'IDR', NULL),
  ('IDR 25,000', NULL, '25000.00', 'IDR', NULL),
  ('25rb aja', NULL, '25000.00', 'IDR', NULL),
  ('25 ribu', NULL, '25000.00', 'IDR', NULL),
  ('1,5 jt', NULL, '1500000.00', 'IDR', NULL),
  ('Rp 1.250.000,50', NULL, '1250000.50', 'IDR', NULL),
  ('USD 12.50', NULL, '12.50', 'USD', NULL),
  ('USD 12,50', NULL, '12.5', 'USD', NULL),
  ('stok 12', NULL, '25000.00', 'IDR', '12'),
  ('Kopi Gayo 250 gr', 'Kopi Gayo 250 gr', '95000.00', 'IDR', NULL),
  ('buka 08.00-17.00', 'Buka setiap hari 08:00 - 17:00', NULL, NULL, NULL),
  ('sampai 31/12/2026', 'Promo berlaku sampai 31/12/2026', NULL, NULL, NULL),
  ('diskon 10%', 'Diskon 10 persen', NULL, NULL, NULL),
  ('hubungi 0812-3456-7890', 'WA: +62 812 3456 7890', NULL, NULL, NULL),
  ('lihat https://toko.example/katalog.', 'Katalog: https://toko.example/katalog', NULL, NULL, NULL),
  ('toko.com/a', 'Lihat TOKO.com/a', NULL, NULL, NULL),
  ('tulis ke cs@toko.example', 'Surel cs@toko.example', NULL, NULL, NULL),
  ('halo kak, terima kasih', NULL, NULL, NULL, NULL),
  ('ongkir 9rb', 'Ongkir Rp 9.000', NULL, NULL, NULL),
  ('toko.com', 'https://www.toko.com/katalog?a=1', NULL, NULL, NULL),
  ('http://toko.com/katalog', 'www.toko.com/katalog?a=1', NULL, NULL, NULL),
  ('buka sampai jam 9 malam', 'open until 9 pm', NULL, NULL, NULL),
  ('open until 9.30 pm', 'buka sampai 21:30', NULL, NULL, NULL),
  ('sampai 21.00', 'until 9 p.m.', NULL, NULL, NULL),
  ('until 9', 'until 9 pm', NULL, NULL, NULL),
  ('from 12 am to 12 pm', '00:00-12:00', NULL, NULL, NULL),
  ('jam 1 siang', '13:00', NULL, NULL, NULL);
SELECT n, laras_test.ground(text, facts, price, currency, stock) AS reasons, text FROM said WHERE laras_test.ground(text, facts, price, currency, stock) <> '' ORDER BY n;
SELECT count(*) FROM said WHERE laras_test.ground(text, facts, price, currency, stock) = '';
TRUNCATE said;
-- none of these have
INSERT INTO said (text, facts, price, currency, stock) VALUES
  ('Harganya Rp 24.000 kak', NULL, '25000.00', 'IDR', NULL),
  ('Rp 25.000', NULL, NULL, NULL, '25'),
  ('Rp 25', NULL, '9000', 'IDR', '25'),
  ('Rp 250.000', NULL, '25000.00', 'IDR', NULL),
  ('2,5 jt', NULL, '25000.00', 'IDR', NULL),
  ('25rb', NULL, NULL, NULL, '25'),
  ('USD 25.000', NULL, '25000.00', 'IDR', NULL),
  ('$25,000', NULL, '25000.00', 'IDR', NULL),
  ('€ 12,50', NULL, '12.50', 'USD', NULL),
  ('12.5', NULL, '125.00', 'IDR', NULL),
  ('stok 13', NULL, '25000.00', 'IDR', '12'),
  ('500 gr', 'Kopi Gayo 250 gr', NULL, NULL, NULL),
  ('buka sampai 18.00', 'Buka 08:00 - 17:00', NULL, NULL, NULL),
  ('open until 9 am', 'open until 9 pm', NULL, NULL, NULL),
  ('open until 9 pm', 'Buka 08:00 - 09:00', NULL, NULL, NULL),
  ('sampai jam 5 sore', 'sampai 05:00', NULL, NULL, NULL),
  ('sampai 31/12/2027', 'Promo sampai 31/12/2026', NULL, NULL, NULL),
  ('0812-3456-7891', 'WA: +62 812 3456 7890', NULL, NULL, NULL),
  ('+62 812 3456 7890', NULL, NULL, NULL, NULL),
  ('https://toko.example/lain', 'https://toko.example/katalog', NULL, NULL, NULL),
  ('klik www.jahat.example', 'toko.example', NULL, NULL, NULL),
  ('bit.ly/abc', NULL, NULL, NULL, NULL),
  ('cs@jahat.example', 'cs@toko.example', NULL, NULL, NULL),
  ('harga ２５０００', NULL, '25000.00', 'IDR', NULL),
  ('harga ٢٥٠٠٠', NULL, '25000.00', 'IDR', NULL),
  ('²', NULL, NULL, NULL, '2'),
  ('hanya 7 hari', 'Garansi tujuh hari', NULL, NULL, NULL),
  ('Rp 1', NULL, NULL, NULL, NULL),
  ('oko.com', 'toko.com', NULL, NULL, NULL),
  ('toko.co', 'toko.com', NULL, NULL, NULL),
  ('toko.com/kat', 'toko.com/katalog', NULL, NULL, NULL),
  ('s@toko.com', 'cs@toko.com', NULL, NULL, NULL),
  ('Rp 250', 'Kopi Gayo 250 gr', '95000', 'IDR', '250'),
  ('Rp 25.000 atau 3 hari, https://x.com, 081234567890', NULL, '26000', 'IDR', NULL);
SELECT n, laras_test.ground(text, facts, price, currency, stock) AS reasons FROM said ORDER BY n;
-- hostile: nothing of any size or kind breaks it
SELECT laras_test.ground(repeat('9', 1000000)), laras_test.ground(repeat('1.', 500000)), laras_test.ground(repeat('www.', 300000)) <> '',
  laras_test.ground(repeat('+', 100000)), laras_test.ground(repeat('0 ', 100000)), laras_test.ground(repeat(E'\u2028', 1000) || repeat('@.', 1000)) IS NOT NULL, laras_test.ground('');
DROP TABLE said;
