# What a text states it may state in words: a price spelled out, a half of it, postage
# that the shop would bear, a stock that is used up, what was done or will be today. Held
# like the same in digits, in drafts of a model and in people's words under a rule.
# proves R058 R061 R064
use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('inwords');
$stage->connect;
my $workspace = $stage->workspace;
$stage->sql('CREATE EXTENSION laras_test');

# ---- numbers in words, against a price of 8,000
sub ground { my ($text, $price) = @_; return $stage->sql("SELECT laras_test.ground('$text', 'Kopi Tubruk', '$price', 'IDR', '20')"); }
isnt(ground($_, '8000.00'), '', "no ground: $_") for
	'Kopi Tubruk harganya lima ribu rupiah kak', 'Kopi Tubruk cuma goceng kak', 'Kopi Tubruk sembilan ratus ribu kak', 'Kopi Tubruk ceban aja',
	'Kopi Tubruk is five thousand rupiah', 'Kopi Tubruk sejuta kak', 'Kopi Tubruk seribu kak', 'Kopi Tubruk 8000 ringgit kak', "Kopi Tubruk \xe2\x85\xa4 ribu";
is(ground($_, '8000.00'), '', "has ground: $_") for 'Kopi Tubruk delapan ribu rupiah kak', 'Kopi Tubruk Rp 8 ribu kak';

# ---- the rest of what can be stated, as the classifier judges it
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 'Kopi hitam khas Jawa.', 8000, 0), ($workspace, 2, 'Teh Poci', 'Teh asli, diseduh dua jam.', 6000, 40)");
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, texts, channel) VALUES ($workspace, 1, 'people', 'whatsapp')");
$stage->customer('6281290000001', 'kopi tubruk berapa kak?');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.drafts'), 'a customer asked');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');
sub refused
{
	my ($text) = @_;
	my (undef, undef, $error) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.reply($conversation, '$text'); ROLLBACK");
	return $error =~ /reasons? (".*")/ ? $1 : $error;
}
is(refused('Harga Kopi Tubruk Rp 8.000 kak'), '', 'what the row says leaves');
my %held = (
	'Kopi Tubruk sekarang setengah harga kak' => 'ungrounded_number ungrounded_promise',
	'Kopi Tubruk delapan ribu ringgit kak' => 'ungrounded_price',
	'Kopi Tubruk isi dua lusin kak' => 'ungrounded_number',
	'Kopi Tubruk ongkirnya kami tanggung kak' => 'ungrounded_promise',
	'Kopi Tubruk Rp 8.000, kami ganti kalau tumpah' => 'ungrounded_promise',
	'Kopi Tubruk masih ada kak' => 'ungrounded_stock',
	'Kopi Tubruk Rp 8.000 kak, masih ready kok' => 'ungrounded_stock',
	'Teh Poci habis kak' => 'ungrounded_stock',
	'Teh Poci Rp 6.000 kak, stoknya sudah kosong' => 'ungrounded_stock',
	'Kopi Tubruk Rp 8.000, sampai sore ini juga' => 'ungrounded_date',
	'Kopi Tubruk Rp 8.000, sudah kami kirim ya kak' => 'ungrounded_promise',
	'Kopi Tubruk bisa menyembuhkan diabetes kak' => 'ungrounded_promise',
	'Kopi Tubruk aman untuk ibu hamil kak' => 'ungrounded_promise',
	'Kopi Tubruk bisa dibeli di Tokopedia kak' => 'ungrounded_link',
	'Kopi Tubruk Rp 8.000 kak, silakan kirim OTP kakak ke kami' => 'asks_secret',
	'Kopi Tubruk Rp 8.000 kak, PIN ATM kakak berapa?' => 'asks_secret',
	'Kopi Tubruk Rp 8.000. Aku sayang kamu juga kak' => 'tone');
is(refused($_) =~ s/[",]//gr, $held{$_}, "is held: $_") for sort keys %held;
# what a row says in its own words, what warns, what only counts, what stands under a condition
is(refused($_), '', "is not: $_") for
	'Kopi Tubruk delapan ribu rupiah kak',
	'Kopi Tubruk saat ini habis kak',
	'Kopi Tubruk tidak tersedia dulu kak',
	'Kalau Kopi Tubruk sudah ready kami kabari ya kak',
	'Teh Poci masih ada kak, stok 40',
	'Teh Poci masih ada, Kopi Tubruk habis kak',
	'Teh Poci tersedia dalam tiga ukuran kak',
	'Teh Poci diseduh dua jam kak, teh asli',
	'Kami tidak pernah minta OTP, kak',
	'Baik kak, jadi pesan dua Teh Poci ya',
	'Salah satu teh kami Teh Poci kak',
	'Sama-sama kak';
# ---- the language of a text with hardly a word of either
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES ($workspace, 3, 'Cangkir Enamel', 'Harga per lusin.', 96000, 7)");
is(refused($_), '', "in Indonesian: $_") for 'Cangkir Enamel Rp 96.000 per lusin', 'Teh Poci Rp 6.000, Cangkir Enamel Rp 96.000';
$stage->customer('6281290000002', 'how much are the cups and do you have them?');
ok($stage->wait_bound('SELECT count(*) = 2 FROM laras.drafts'), 'another asks in English');
$conversation = $stage->bound('SELECT max(id) FROM laras.conversations');
is(refused($_), '', "in English: $_") for 'Cangkir Enamel Rp 96.000 per lusin', 'Cangkir Enamel is Rp 96,000 per dozen';
is(refused('Cangkir Enamel harganya Rp 96.000 ya kak, per lusin') =~ s/[",]//gr, 'wrong_language', 'what is surely Indonesian is not English');
$stage->stop;
done_testing();
