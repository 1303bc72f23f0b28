# What a row and a question share by one word, the name of an item, is no answer to
# the rest: a FAQ of one plant does not say how another is watered, nor answers who
# orders it, cancels it or asks what it costs. A shop of plants with FAQs that name
# items, and a shop whose rows price and deny variants in their attributes.
# proves R056 R057 R058 R065
use strict;
use warnings;
use utf8;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('oneword');
my $w;

# Rows of one shop after another; ids are given.
my $id = 0;
sub fill
{
	my ($shop, $items, $policies, $faqs) = @_;
	$w = $stage->sql("SET ROLE laras_service; SELECT laras.create_workspace('$shop', 'owner\@$shop.example', 'rahasia-toko')");
	for (@$items)
	{
		my ($name, $price, $stock, $attributes, $description) = @$_;
		$stage->bound(sprintf("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock, attributes, description) VALUES (%d, %d, '%s', %s, %s, '%s', '%s')",
			$w, ++$id, $name, $price // 'NULL', $stock // 'NULL', $attributes // '{}', $description // ''), $w);
	}
	$stage->bound("INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES ($w, " . ++$id . ", '$_->[0]', 'id', '$_->[1]')", $w) for @$policies;
	$stage->bound("INSERT INTO laras.faq (workspace_id, id, question, language, answer) VALUES ($w, " . ++$id . ", '$_->[0]', 'id', '$_->[1]')", $w) for @$faqs;
	return;
}

sub draft
{
	my ($question) = @_;
	return $stage->bound("SELECT (j ->> 'would_send') || ' ' || (j ->> 'confidence') || ' ' || coalesce(j ->> 'body', '') FROM laras.preview_draft('$question') j", $w);
}

# Sent by itself, and says this.
sub answers
{
	my ($question, $says) = @_;
	my $said = draft($question);
	ok($said =~ /^true / && $said =~ $says, "answered: $question") or diag $said;
	return;
}

# Goes to a person, or at least waits for one; to ask back which one is meant is no harm.
sub waits
{
	my ($question) = @_;
	my $said = draft($question);
	unlike($said, qr/^true \S+ (?!Maksud|Yang mana)/, "waits for a person: $question");
	return;
}

fill(
	'tanaman',
	[
		[ 'Monstera Deliciosa', 150_000, 8, '{"tinggi": "40 cm"}', 'Tanaman hias daun lebar.' ],
		[ 'Lidah Mertua', 45_000, 20, '{}', 'Tanaman hias yang tahan di dalam rumah.' ],
		[ 'Kaktus Mini', 15_000, 30 ],
		[ 'Sirih Gading', 25_000, 0 ],
		[ 'Media Tanam 5 kg', 20_000, 50, '{}', 'Campuran tanah, sekam dan kompos.' ],
		[ 'Media Tanam 10 kg', 35_000, 12, '{}', 'Campuran tanah, sekam dan kompos.' ],
		[ 'Pot Keramik 15 cm', 40_000, 9 ],
		[ 'Pot Keramik 20 cm', 60_000, 4 ],
		[ 'Pupuk Organik 1 kg', 18_000, 15 ],
		[ 'Semprotan Air', 22_000, 7, '{"isi": "1 liter"}' ],
		[ 'Sekop Mini', undef, 5 ]
	],
	[
		[ 'pengiriman', 'Kami kirim ke seluruh Pulau Jawa lewat JNE setiap Senin sampai Kamis. Tanaman dikemas kardus berlubang.' ],
		[ 'garansi tanaman', 'Tanaman yang mati dalam 7 hari diganti baru, kirim video unboxing.' ],
		[ 'alamat toko', 'Toko kami di Jalan Melati 12, Bogor.' ],
		[ 'jam buka', 'Buka Selasa sampai Minggu 08.00 sampai 17.00.' ],
		[ 'pembayaran', 'Bayar lewat transfer BCA atau QRIS.' ]
	],
	[
		[ 'Monstera disiram berapa kali?', 'Monstera cukup disiram dua kali seminggu.' ],
		[ 'Apakah Lidah Mertua aman untuk kucing?', 'Lidah Mertua tidak aman bila dimakan kucing.' ],
		[ 'Kapan Monstera harus ganti pot?', 'Setiap dua tahun, atau bila akar keluar dari lubang pot.' ],
		[ 'Bisa ambil sendiri di toko?', 'Bisa, kabari kami satu jam sebelum datang.' ]
	]);
answers($_->[0], $_->[1]) for
	[ 'monstera disiram brp kali kak', qr/dua kali seminggu/ ], [ 'lidah mertua aman ga buat kucing?', qr/tidak aman/ ],
	[ 'kapan monstera ganti pot ya', qr/dua tahun/ ], [ 'monstera brp?', qr/150\.000/ ], [ 'harga media tanam 10 kg', qr/35\.000/ ],
	[ 'pot keramik yg 15 cm brp', qr/40\.000/ ], [ 'kaktus mini msh ada?', qr/30/ ], [ 'sirih gading ready kak?', qr/habis/ ],
	[ 'alamatnya dimana kak', qr/Melati/ ], [ 'garansinya gimana kak', qr/7 hari/ ], [ 'bisa bayar qris?', qr/QRIS/ ], [ 'bisa ambil sendiri ga', qr/satu jam/ ];
waits($_) for
	'kak mau monstera 1 ya', 'batal aja monsteranya', 'monsteranya ga jadi ya kak', 'saya pesan monstera 2 dikirim ke bogor ya', 'ambil kaktus mini 3 dong',
	'kaktus disiram brp kali', 'kaktus mini disiram berapa kali sehari?', 'sirih gading aman buat kucing?', 'kaktus aman buat anjing ga?', 'lidah mertua aman buat anjing?',
	'lidah mertua kapan ganti pot?', 'cabang lain dimana kak', 'ada cabang di bandung?', 'minimal brp kilo?', 'semprotan air warna apa aja', 'pot plastik brp',
	'monstera yg variegata brp', 'no rek bca nya brp', 'pupuknya dipake brp sendok', 'garansi pot gimana?', 'pot keramik ada garansinya?', 'kirim ke bali bisa?',
	'harga monstera ukuran 1 meter', 'monstera bisa hidup di kamar mandi ga';
unlike(draft('tanaman paling murah apa?'), qr/Media Tanam/, 'soil is no plant, though it is to plant in');
unlike(draft('media tanam 10 kg brp'), qr/7 hari/, 'what is priced is the soil, not the warranty of plants');
unlike(draft('ganti pot berapa'), qr/^true .*(?:40|60)\.000/, 'nor a pot, for repotting');
unlike(draft('pot yg 15 cm brp'), qr/dua tahun/, 'nor repotting, for a pot');

fill(
	'aneka',
	[
		[ 'Kopi Tubruk', 8000, 20, '{}', 'Kopi hitam khas Jawa.' ],
		[ 'Kemeja Flanel', 150_000, 7, '{"ukuran": "M 150rb, XXL 175rb"}' ],
		[ 'Jaket Denim', 300_000, 7, '{"ukuran": "S, M, L, XL (+20rb)", "warna": "biru"}' ],
		[ 'Kaus Polos', 50_000, 5, '{"ukuran": ["S", "XL 66000"], "warna": ["merah", "hitam"]}' ],
		[ 'Cuci Setrika', 7000, undef, '{"satuan": "per kg"}', 'Cuci dan setrika kiloan.' ],
		[ 'Setrika Saja', 5000, undef, '{"satuan": "per kg"}' ]
	],
	[
		[ 'pengiriman', 'Ongkir Depok Rp 16.000, sampai dalam 2 hari.' ],
		[ 'penukaran', 'Barang rusak boleh ditukar dalam 3 hari dengan bukti foto.' ],
		[ 'pembayaran', 'Bayar lewat transfer BCA atau QRIS.' ],
		[ 'garansi', 'Garansi kopi 3 hari sejak diterima.' ]
	],
	[]);
answers($_->[0], $_->[1]) for
	[ 'kopi tubruk berapa?', qr/8\.000/ ], [ 'ongkir ke depok berapa?', qr/16\.000/ ], [ 'garansi kopi berapa lama?', qr/3 hari/ ],
	[ 'bisa bayar pakai qris?', qr/QRIS/ ], [ 'jaket denim berapa?', qr/300\.000/ ], [ 'kaus polos warna hitam ada?', qr/5|hitam/ ], [ 'setrika saja brp kak', qr/5\.000 per kg/ ];
waits($_) for
	'ongkir ke surabaya brp?', 'ongkir jakarta berapa kak', 'bisa kirim ke papua?', 'kirim ke luar negeri bisa?', 'garansi sendal brp lama?', 'garansi kaus berapa lama',
	'bisa dicicil?', 'no rek bca nya berapa', 'kirim link web nya dong', 'jaket denim hitam ada gak', 'jaket denim warna merah berapa?',
	'kopi tubruk ukuran besar berapa', 'kopi tubruk yg gede brp';
# the price of the variant that was asked for, or nobody's
for ([ 'kemeja flanel XXL berapa?', '175.000' ], [ 'jaket denim XL berapa?', '320.000' ], [ 'kaus polos XL harganya?', '66.000' ])
{
	my ($question, $right) = @$_;
	my $said = draft($question);
	ok($said !~ /^true/ || $said =~ /\Q$right\E/, "a variant's own price or a person: $question") or diag $said;
}
fill(
	'musik',
	[
		[ 'Gitar Akustik F310', 1_550_000, 4, '{"warna": "natural"}', 'Gitar akustik untuk pemula, sudah termasuk tas dan 1 pick.' ],
		[ 'Senar Gitar Akustik 010', 95_000, 12, '{"satuan": "per set"}', 'Senar perunggu.' ],
		[ 'Senar Nilon', 35_000, 9, '{"satuan": "per set"}' ],
		[ 'Cajon Mahoni', 675_000, 2, '{}', 'Cajon lokal kayu mahoni.' ]
	],
	[ [ 'jam buka', 'Buka Senin sampai Sabtu 09.00 sampai 20.00.' ] ],
	[ [ 'Bisa ganti senar di toko?', 'Bisa, ongkos pasang senar gitar Rp 25.000, ditunggu 20 menit.' ] ]);
answers($_->[0], $_->[1]) for [ 'gitar f310 brp', qr/1\.550\.000/ ], [ 'senar nilon berapa', qr/35\.000 per set/ ], [ 'cajon mahoni ready?', qr/2/ ], [ 'stock f310?', qr/masih ada/ ];
waits($_) for 'ongkos pasang senar gitar akustik berapa', 'pasang senar nilon berapa kak', 'pick gitar brp', 'tas gitar ada?', 'gitar f310 sama cajon mahoni jadi brp', 'berat cajon brp', 'panjang f310 berapa';
$stage->stop;
done_testing();
