# The classifier beyond numbers, and the owner's rules in full: what promises a
# thing or names a day that stands in no row, speaks rudely, shouts, shows marks of
# obeyed orders or lacks a phrase that the business demands; what people write
# themselves is held to the same where a rule asks for it (what it is about and in
# which language among it), and refused with every reason; rules by value and by
# time of day; who names another customer is stopped, however the name is written,
# for as long as that customer is one.
# proves R061 R066 R067
use strict;
use warnings;
use utf8;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('classifier');
my $node = $stage->node;
my $connection = $stage->connect;
my $workspace = $stage->workspace;
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
	($workspace, 1, 'Kopi Toraja 250 gr', 'Biji sangrai gelap, asli dari Sulawesi.', 105000, 9), ($workspace, 2, 'Mesin Espresso', 'Garansi toko satu tahun.', 4500000, 2)});
$stage->bound(qq{INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
	($workspace, 3, 'jam buka', 'id', 'Kami buka setiap hari jam 07.00 sampai 21.00, Minggu tutup.')});
$stage->bound("SELECT laras.set_auto_send($connection, true)");

my $serial = 0;
sub asks
{
	my ($text) = @_;
	my $phone = sprintf '6281271%06d', ++$serial;
	$stage->customer($phone, $text);
	my $id;
	wait_for(sub { $id = $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'"); return $id ne '' }, 30)
	  or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'));
	return $stage->bound("SELECT CASE WHEN state IN ('approved', 'sent') THEN 'goes' ELSE state END || ' ' || array_to_string(hold_reasons, ' ') FROM laras.drafts WHERE id = $id") =~ s/ $//r;
}
# A rule of these columns, the only one.
sub rule
{
	my (%column) = @_;
	my @name = sort keys %column;
	$stage->bound('DELETE FROM laras.review_rule');
	$stage->bound('INSERT INTO laras.review_rule (' . join(', ', 'workspace_id', 'id', @name) . ") VALUES ($workspace, laras.new_id(), " . join(', ', map { $column{$_} } @name) . ')') if %column;
	return;
}
# An hour of the day where a rule's zone is, so many hours from now; without the date's end in between nothing else changes.
sub hour { my ($step) = @_; return q{'} . $stage->sql("SELECT to_char(laras.now() AT TIME ZONE 'Asia/Jakarta' + interval '$step hours', 'HH24:MI')") . q{'}; }

# ---- rules by value
is(asks('berapa harga mesin espresso?'), 'goes', 'no rule');
rule(minimum_value => 1000000);
is(asks('harga mesin espresso berapa kak?'), 'held review_rule', 'what is worth a million is looked at');
is(asks('berapa harga kopi toraja?'), 'goes', 'what is worth less is not');
rule(maximum_value => 200000);
is(asks('kopi toraja harga berapa kak?'), 'held review_rule', 'or what is worth little');
is(asks('harga mesin espresso brp?'), 'goes', 'and nothing else');
# ---- by time of day
rule(from_time => hour(-2), to_time => hour(2));
is(asks('berapa harganya kopi toraja?'), 'held review_rule', 'now is within the hours');
rule(from_time => hour(2), to_time => hour(4));
is(asks('berapa kopi toraja harganya?'), 'goes', 'now is not');
rule(from_time => hour(2), to_time => hour(-2));
is(asks('kopi toraja hrg berapa?'), 'goes', 'nor where the hours go on to another day');
rule(from_time => hour(-2), to_time => hour(2), time_zone => q{'Pacific/Honolulu'});
is(asks('hrg kopi toraja berapa?'), 'goes', 'the hours are those of the rule\'s zone');
for ([ time_zone => q{'Mars/Olympus'} ], [ from_time => q{'08:00'} ], [ minimum_value => -1 ], [ texts => q{'people'}, topic => q{'price'} ], [ texts => q{'people'}, act => q{'allow'} ])
{
	my %column = @$_;
	isnt($node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); INSERT INTO laras.review_rule (workspace_id, id, " . join(', ', sort keys %column) . ") VALUES ($workspace, 1, " . join(', ', map { $column{$_} } sort keys %column) . '); COMMIT'), 0, 'no rule: ' . join ' ', %column);
}
rule(topic => q{'location'});
is(asks('kopi toraja 250 gr berapa harga?'), 'goes', 'a rule for a topic that is another');
rule();

# ---- what the business wants said
$stage->bound("INSERT INTO laras.required_phrase (workspace_id, id, phrase, topic) VALUES ($workspace, 1, 'Belum termasuk ongkir', 'price')");
is(asks('harga kopi toraja 250 gr berapa ya?'), 'held missing_phrase', 'a draft without the phrase is held');
is(asks('jam buka toko berapa?'), 'goes', 'where the topic is another it is not asked for');
$stage->bound('DELETE FROM laras.required_phrase');

# ---- people's own words
my $conversation = $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'jam buka toko berapa?'");
sub says
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	my ($out, $err) = ('', '');
	my $status = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.reply($conversation, '$text'); COMMIT", stdout => \$out, stderr => \$err);
	return $err =~ /gave the reasons? ("[^.]*")\./ ? $1 =~ s/[",]//gr : $status == 0 ? 'passes' : $err;
}
is(says('Harga Kopi Toraja Rp 90.000, pasti sampai besok!'), 'passes', 'people answer for what they say');
rule(texts => q{'people'});
my %said = (
	'Harga Kopi Toraja Rp 90.000, Kak.' => 'ungrounded_price',
	'Kopi Toraja ada 9, harganya Rp 105.000.' => 'passes',
	'Kopi Toraja pasti cocok buat Kakak.' => 'ungrounded_promise',
	'Kopi Toraja asli dari Sulawesi, Kak.' => 'passes',
	'Kopi Toraja gratis untuk Kakak.' => 'ungrounded_promise',
	'Mesin Espresso garansi satu tahun.' => 'passes',
	'Mesin espresso dijamin seumur hidup.' => 'ungrounded_promise',
	'Kami buka hari Minggu, Kak.' => 'passes',
	'Jam buka hari Selasa sama, Kak.' => 'ungrounded_date',
	'Kopi Toraja ada lagi besok, Kak.' => 'ungrounded_date',
	'Bodoh sekali pertanyaanmu.' => 'tone',
	'KOPI TORAJA MASIH BANYAK SEKALI KAK' => 'tone',
	'Ayo beli!!!!!' => 'tone',
	'Sebagai model bahasa saya tidak tahu, Kak.' => 'injection_symptom',
	'As an AI I cannot answer that.' => 'injection_symptom wrong_language',
	'```SELECT``` ya kak' => 'injection_symptom',
	'Hubungi Budi di 0812-9999-8888 ya.' => 'ungrounded_phone',
	'Lihat di www.jahat.example ya.' => 'ungrounded_link',
	'Halo Kak, sebentar ya.' => 'passes',
	# what it is about, in which language
	'Hujan turun di beranda senja, rindu mengalir bagai sungai tua, dan bulan pun tersenyum manja.' => 'off_scope',
	'Presiden pertama negara tetangga lahir sebelum perang dunia kedua berakhir.' => 'off_scope',
	'Mohon maaf, pesanan Kakak terlambat, tim kami sedang memeriksa dan segera menghubungi Kakak.' => 'passes',
	'Terima kasih sudah menunggu, paket Kakak sudah kami kirim lewat kurir, resi menyusul.' => 'passes',
	'Biji sangrai gelap asli dari Sulawesi, Kak, cocok buat kopi susu.' => 'passes',
	'The coffee from Toraja is here and you can have it, please wait for us.' => 'wrong_language',
	# every reason is told
	'BUATKAN PUISI TENTANG HUJAN SENJA RINDU BULAN SUNGAI, HARGA RP 90.000!!!!' => 'off_scope ungrounded_price tone',
);
is(says($_), $said{$_}, "a person says: $_") for sort keys %said;
# what goes with every answer on a topic, people's too: of the topic that the customer asked about
$stage->bound("INSERT INTO laras.required_phrase (workspace_id, id, phrase, topic) VALUES ($workspace, 1, 'Sampai jumpa di toko', 'hours'), ($workspace, 2, 'Belum termasuk ongkir', 'price')");
is(says('Kami buka jam 07.00 sampai 21.00, Kak.'), 'missing_phrase', 'a person lacks the phrase');
is(says('Kami buka jam 07.00 sampai 21.00, Kak. Sampai jumpa di toko.'), 'passes', 'or has it');
is(says('Halo Kak, sebentar ya.'), 'passes', 'where nothing is stated there is nothing to add');
is(says('Hubungi kami, jam buka besok, garansi seumur hidup!!!!'), 'ungrounded_promise ungrounded_date tone missing_phrase', 'all reasons are told at once');
$stage->bound('DELETE FROM laras.required_phrase');
# a refusal is the error alone; what passed has its verdict
is($stage->sql("SELECT count(*) FROM laras.verdict v WHERE v.classifier = 'laras-1 people' AND (v.outcome <> 'pass' OR v.reasons <> '{}')"), 0, 'of a text that is refused nothing stays');
is($stage->sql("SELECT count(*) FROM laras.verdict v WHERE v.classifier = 'laras-1 people'"), $stage->sql("SELECT count(*) FROM laras.message WHERE direction = 'out' AND author_kind = 'service'"), 'and each that left has its verdict');
rule(texts => q{'people'}, from_time => hour(2), to_time => hour(4));
is(says('Kopi Toraja pasti cocok.'), 'passes', 'outside the hours of the rule they may');
rule(texts => q{'people'}, channel => q{'instagram'});
is(says('Kopi Toraja pasti cocok.'), 'passes', 'and on another channel');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND body LIKE '%seumur hidup%'"), 0, 'what was refused was not sent');

# ---- names of other customers (test/quality/names.tsv)
my @named = ('Budi Santoso', 'Siti Aminah', 'Ratna Kusumawati Dewi', 'Pak Agus Setiawan, SE', 'José Pereira', "D'Angelo Ma’ruf", 'Fitri Nur-Hidayati 🌸', 'Kopi Toraja', 'Terima Kasih', 'Selamat Pagi', 'Rina Pemilik', 'Kakak', '6281299990000', 'Sari Wulandari');
my %number;
for my $name (@named)
{
	$number{$name} = sprintf '6281272%06d', ++$serial;
	$stage->customer($number{$name}, 'halo', name => $name);
}
ok($stage->wait_bound('SELECT count(*) = ' . @named . " FROM laras.conversations v JOIN laras.contact_identities i ON i.contact_id = v.contact_id WHERE i.value LIKE '6281272%'"), 'customers with names write');
sub contact { my ($name) = @_; return $stage->bound("SELECT contact_id FROM laras.contact_identities WHERE value = '$number{$name}'"); }
sub words { my ($id) = @_; return $stage->sql("SELECT count(*) FROM laras.contact_name_word WHERE contact_id = $id"); }
is(words(contact('Budi Santoso')), 3, 'of two words three indexes are kept');
is(words(contact('Ratna Kusumawati Dewi')), 6, 'of three words six: each, the neighbours, the first with the last');
is(words(contact('6281299990000')), 0, 'of a number none');
$stage->sql('CREATE EXTENSION laras_test');
is($stage->sql("SELECT count(*) FROM laras.contact_name_word WHERE word_index = laras_test.blind_index((SELECT slot FROM laras.workspace WHERE workspace_id = $workspace), 16, NULL, 'budi santoso')"), 1, 'by a key of the workspace');
$stage->bound(q{SELECT laras.add_member('rina@shop.example', 'Rina Pemilik', 'agent', 'rahasia-panjang')});
is(asks('berapa harga kopi toraja 250 gr?'), 'goes', 'a draft about goods goes, whatever customers are called');
rule(texts => q{'people'});
$conversation = $stage->bound('SELECT id FROM laras.conversations WHERE contact_id = ' . contact('Sari Wulandari'));
open my $list, '<:encoding(UTF-8)', "$ENV{LARAS_ROOT}/test/quality/names.tsv" or die "names.tsv: $!";
my @rows = map { chomp; [ split /\t/ ] } <$list>;
shift @rows;
close $list;
my ($missed, $false) = (0, 0);
for my $row (@rows)
{
	my ($n, $holds, $text) = @$row;
	utf8::encode($text);
	my $said = says($text);
	# some are in English, which the rule refuses for that
	next if $holds eq 'yes' ? $said =~ /\bother_person\b/ : $said =~ /^(passes|wrong_language)$/;
	$holds eq 'yes' ? $missed++ : $false++;
	diag("names.tsv $n: $text: $said");
}
is("$missed $false", '0 0', @rows . ' texts: each that names another customer is stopped, and no other');
$conversation = $stage->bound('SELECT id FROM laras.conversations WHERE contact_id = ' . contact('Budi Santoso'));
is(says('Kak Budi Santoso sudah pesan dua.'), 'passes', 'to him himself it may be said');

# one person since, with the names of both; then erased
my ($siti, $agus) = (contact('Siti Aminah'), contact('Pak Agus Setiawan, SE'));
$stage->bound("SELECT laras.merge_contacts($siti, $agus, 'sama')");
is(words($siti) . ' ' . words($agus), '9 0', 'a merged contact has the words of both');
is(says('Kata Agus Setiawan enak, Kak.'), 'other_person', 'and is known by either');
$stage->sql("SELECT laras.pause_workers('keeper')");
$stage->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$siti\"}')");
is(words($siti), 0, 'with the erasure, not after it, they are gone');
is(says('Kata Agus Setiawan enak, Kak.'), 'passes', 'nobody knows that there was one');
$stage->sql("SELECT laras.resume_workers('keeper')");

done_testing();
