# The classifier beyond numbers, and the owner's rules in full: what promises a
# thing or names a day that stands in no row, speaks rudely, shouts, shows marks of
# obeyed orders or lacks a phrase that the business demands; what people write
# themselves is held to the same where a rule asks for it; rules by value and by
# time of day.
# proves R061 R066 R067
use strict;
use warnings;

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
	return $err =~ /gave the reason "(\w+)"/ ? $1 : $status == 0 ? 'passes' : $err;
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
	'As an AI I cannot answer that.' => 'injection_symptom',
	'```SELECT``` ya kak' => 'injection_symptom',
	'Hubungi Budi di 0812-9999-8888 ya.' => 'ungrounded_phone',
	'Lihat di www.jahat.example ya.' => 'ungrounded_link',
	'Halo Kak, sebentar ya.' => 'passes',
);
is(says($_), $said{$_}, "a person says: $_") for sort keys %said;
rule(texts => q{'people'}, from_time => hour(2), to_time => hour(4));
is(says('Kopi Toraja pasti cocok.'), 'passes', 'outside the hours of the rule they may');
rule(texts => q{'people'}, channel => q{'instagram'});
is(says('Kopi Toraja pasti cocok.'), 'passes', 'and on another channel');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND body LIKE '%seumur hidup%'"), 0, 'what was refused was not sent');

done_testing();
