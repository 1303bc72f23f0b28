# Who says STOP, in words of either language or by the platform's own switch or its error (131050),
# gets nothing unasked from then on: what waits is withdrawn at hand-off, what is
# queued later ends as it begins, each time with evidence. An answer to what they
# write afterwards leaves. The wish survives an erasure of the person as a keyed
# hash and ends with the workspace.
#
# proves R089 R090

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('optout');
my $workspace = $stage->workspace;
$stage->connect;
my $start = time - 3600;
my $serial = 0;
my $json = JSON::PP->new->canonical->utf8;

# ------------------------------------------------------------------ the words
my %said = ('STOP' => 1, 'Berhenti.' => 1, ' unsubscribe ' => 1, '*Stop promosi*!!' => 1, 'opt-out' => 1,
	'jangan hubungi saya lagi' => 1, 'stop kontak ada?' => 0, 'jangan berhenti' => 0, 'batal' => 0, "stop\x{e2}" => 0, 'START' => 0,
	# as people say it, with courtesy around it
	(map { $_ => 1 } 'Jangan WA saya lagi', 'gak usah chat lagi', 'gak usah chat lagi ya kak', 'hapus nomor saya', 'tolong hapus nomor saya dari daftar ya kak', 'please stop messaging me', 'Stop ya kak',
		"don't text me anymore", 'Jgn kirim promo lagi kak', 'jangan kirimi saya pesan lagi', 'jangan ganggu saya', 'remove me from your list please', 'no more messages, thanks', 'Saya gak mau terima promo lagi', 'tidak usah dihubungi lagi'),
	# and what is about a parcel, a way or something else
	(map { $_ => 0 } 'jangan lupa kirim lagi', 'jangan lupa chat saya ya', 'jangan kirim dulu ya kak', 'gak usah kirim', 'gak usah dikirim lagi', 'jangan kirim ke rumah', 'stop kontak', 'hapus pesanan saya', 'hapus yang tadi',
		'nomor saya ganti', 'gak usah pakai plastik lagi', 'jangan telepon saya', 'never mind', 'please send me more', 'no more sugar please', 'ya kak'));
my $wishes = grep { $_ } values %said;
my %who;
for my $text (sort keys %said)
{
	$who{$text} = phone();
	is($stage->webhook($who{$text}, $text, timestamp => $start)->{status}, 200, 'a word comes');
}
ok($stage->wait_bound('SELECT count(*) = ' . keys(%said) . ' FROM laras.messages'), 'all have come');
ok($stage->wait_bound("SELECT count(*) = $wishes FROM laras.contacts WHERE opt_out_at IS NOT NULL"), 'as many are wishes as should be');
for my $text (sort keys %said)
{
	my $is = $said{$text} ? "opt_out_at = to_timestamp($start)" : 'opt_out_at IS NULL';
	is($stage->bound("SELECT $is FROM laras.contacts WHERE id = " . contact($who{$text})), 't', ($said{$text} ? 'a wish: ' : 'no wish: ') . $json->encode([$text]));
}
is($stage->bound('SELECT opt_in_at = to_timestamp(' . $start . ') FROM laras.contacts WHERE id = ' . contact($who{START})), 't', 'who wants it is known too');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'contact.opted_out'"), $wishes, 'each wish is in the evidence');
is($stage->bound('SELECT count(*) FROM laras.drafts d WHERE d.conversation_id = ' . conversation($who{STOP})), 0, 'nobody drafts an answer to it');

# ---------------------------------------------------------------- when queued
my $budi = $who{STOP};
my $id = $stage->bound('SELECT laras.reply(' . conversation($budi) . ", 'promo minggu ini')");
is($stage->sql("SELECT state || ' ' || reason || ' ' || attempts FROM laras.outbox WHERE message_id = $id"), 'cancelled opted_out 0', 'what is queued for them ends as it begins');
is($stage->bound("SELECT status FROM laras.messages WHERE id = $id"), 'cancelled', 'the message says so');
is(suppressed($id), 1, 'the evidence too');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $id AND kind = 'send_refused'"), 1, 'and a notice');

# ---------------------------------------------------------------- at hand-off
my $sari = phone();
says($sari, 'halo', $start);
$stage->sql("SELECT laras.pause_workers('courier')");
$id = $stage->bound('SELECT laras.reply(' . conversation($sari) . ", 'sebentar ya')");
says($sari, 'berhenti', $start + 10);
ok($stage->wait_bound('SELECT opt_out_at IS NOT NULL FROM laras.contacts WHERE id = ' . contact($sari)), 'somebody opts out while a message waits');
$stage->sql("SELECT laras.resume_workers('courier')");
ok(wait_for_sql($stage->node, "SELECT state = 'cancelled' AND reason = 'opted_out' FROM laras.outbox WHERE message_id = $id"), 'it is withdrawn at hand-off');
is(suppressed($id), 1, 'with evidence');
is(scalar($stage->sandbox->ledger(method => 'POST', path => '/messages')), 0, 'nothing has left');

# ------------------------------------------------------------- and back again
$stage->customer($sari, 'masih ada stok?');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'masih ada stok?'"), 'they ask something');
is(leaves(conversation($sari), 'masih'), 'sent', 'what they ask afterwards is answered');
is($stage->bound('SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = ' . contact($sari)), 'f', 'which changes nothing about the wish');
says($sari, 'Mulai', $start + 30);
ok($stage->wait_bound('SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = ' . contact($sari)), 'until they take it back');
says($sari, 'STOP', $start + 25);
is($stage->bound('SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = ' . contact($sari)), 't', 'an older wish that comes late changes nothing');
is($stage->sql('SELECT count(*) FROM laras.suppression'), $wishes, 'the list holds those who are still opted out');

# ----------------------------------------------- the switch, and a member's note
my $dewi = phone();
says($dewi, 'pagi', $start);
preference($dewi, 'stop', $start + 5);
ok($stage->wait_bound('SELECT opt_out_at IS NOT NULL FROM laras.contacts WHERE id = ' . contact($dewi)), "the platform's own switch does the same");
is($stage->sql('SELECT count(*) FROM laras.suppression'), $wishes + 1, 'and is on the list');
my $tono = phone();
says($tono, 'siang', $start);
is($stage->bound('SELECT laras.set_opt_out(' . contact($tono) . ', true), laras.set_opt_out(' . contact($tono) . ', true)'), 't|f', 'a member notes what was said at the counter');
is($stage->bound('SELECT laras.set_opt_out(' . contact($tono) . ', false)'), 't', 'and that it was taken back');
is($stage->bound("SELECT string_agg(action, ' ' ORDER BY position) FROM laras.evidence_log WHERE subject_id = " . contact($tono) . " AND action LIKE 'contact.opted%'"), 'contact.opted_out contact.opted_in', 'with evidence');
my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.set_opt_out(4711, true); COMMIT");
like($error, qr/P0002: no such contact/, 'of nobody it is refused');

# -------------------------------------------------------- beyond an erasure
my $old = contact($budi);
my $code = $stage->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$old\"}')");
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.contacts WHERE id = $old"), 'one who opted out is erased');
is($stage->sql('SELECT count(*) FROM laras.suppression'), $wishes + 1, 'the wish stays');
is($stage->sql("SELECT count(*) FROM laras.suppression s WHERE s::text LIKE '%$budi%' OR s::text LIKE '%' || encode('$budi', 'hex') || '%'"), 0, 'and names nobody');
is($stage->bound("SELECT action || ' ' || basis || ' ' || term FROM laras.explain_erasure('contact', '{\"contact_id\": \"" . contact($dewi) . "\"}') WHERE table_name = 'suppression'"), 'keep optout workspace', 'the plan of an erasure says that it stays, and why');
$stage->customer($budi, 'saya lagi');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'saya lagi'"), 'the person comes back under the same number');
my $new = contact($budi);
isnt($new, $old, 'as somebody new');
is($stage->bound("SELECT opt_out_at = to_timestamp($start) FROM laras.contacts WHERE id = $new"), 't', 'who is opted out since then');
is(leaves(conversation($budi), 'ya?'), 'sent', 'and is answered what they ask');
$stage->webhook($budi, 'mulai', timestamp => $start + 200);
ok($stage->wait_bound("SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = $new"), 'until they take it back');
is($stage->sql('SELECT count(*) FROM laras.suppression'), $wishes, 'which the list forgets with them');

# --------------------------------------------- what the provider says of a send
for my $case ([ 'refused', action => 'refuse', code => 131050 ], [ 'failed', action => 'none', statuses => 'failed', status_code => 131050 ])
{
	my ($how, %fault) = @$case;
	my $phone = phone();
	$stage->customer($phone, "halo $how");
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo $how'"), 'somebody writes');
	$stage->sandbox->fault(match => { route => 'messages', to => $phone }, %fault);
	my $message = $stage->bound('SELECT laras.reply(' . conversation($phone) . ", 'promo $how')");
	ok($stage->wait_bound('SELECT opt_out_at IS NOT NULL FROM laras.contacts WHERE id = ' . contact($phone)), "and has stopped what a business sends unasked, says an error of a message that is $how");
	ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $message"), 'which failed');
	is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE subject_id = " . contact($phone) . " AND action = 'contact.opted_out'"), 1, 'with evidence of the wish');
	$message = $stage->bound('SELECT laras.reply(' . conversation($phone) . ", 'promo lagi')");
	is($stage->sql("SELECT reason FROM laras.outbox WHERE message_id = $message"), 'opted_out', 'nothing is sent after it');
	is(suppressed($message), 1, 'as the evidence says');
}
cmp_ok($stage->sql('SELECT count(*) FROM laras.suppression'), '>=', $wishes + 2, 'and both are on the list, under every id they have');

# ---------------------------------------------------------- a key a workspace
my $other = Channels->open($stage, 'whatsapp');
is(($other->connect)[0], 200, 'another workspace has a number too');
$other->{people}{Dewi} = $dewi;
$other->says(Dewi => 'halo tetangga');
ok($other->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo tetangga'"), 'to which a person of the list writes');
is($other->bound('SELECT opt_out_at IS NULL FROM laras.contacts'), 't', 'where they have no such wish');
is($other->bound('SELECT laras.set_opt_out((SELECT id FROM laras.contacts), true)'), 't', 'until they have');
is($stage->sql("SELECT (SELECT count(*) > 0 FROM laras.suppression WHERE workspace_id = $other->{workspace}) AND (SELECT count(*) FROM laras.suppression a JOIN laras.suppression b USING (hash) WHERE a.workspace_id <> b.workspace_id) = 0"), 't', 'the same number has another hash there');

# ------------------------------------------------------- with the workspace
$stage->bound("SELECT laras.request_erasure('workspace', '{}')");
ok(wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.suppression WHERE workspace_id = $workspace"), 'the list ends with the workspace');
is($stage->sql("SELECT count(*) > 0 FROM laras.suppression WHERE workspace_id = $other->{workspace}"), 't', 'and no other with it');
$stage->stop;
done_testing();

sub phone { return sprintf '62812346%05d', ++$serial; }

sub says
{
	my ($phone, $text, $at) = @_;
	my $before = $stage->bound('SELECT count(*) FROM laras.messages');
	$stage->webhook($phone, $text, timestamp => $at)->{status} == 200 or die "not taken\n";
	$stage->wait_bound("SELECT count(*) > $before FROM laras.messages") or die "no message\n";
	return;
}

sub contact
{
	my ($phone) = @_;
	return $stage->bound("SELECT contact_id FROM laras.contact_identities WHERE kind = 'wa_id' AND value = '$phone'");
}

sub conversation
{
	my ($phone) = @_;
	return $stage->bound('SELECT id FROM laras.conversations WHERE contact_id = ' . contact($phone));
}

sub suppressed
{
	my ($message) = @_;
	return $stage->bound("SELECT count(*) FROM laras.evidence_log WHERE subject_id = $message AND action = 'send.suppressed'");
}

# The state that a reply ends in.
sub leaves
{
	my ($conversation, $text) = @_;
	my $message = $stage->bound("SELECT laras.reply($conversation, '$text')");
	wait_for_sql($stage->node, "SELECT state NOT IN ('queued', 'sending') FROM laras.outbox WHERE message_id = $message");
	return $stage->sql("SELECT state FROM laras.outbox WHERE message_id = $message");
}

sub preference
{
	my ($phone, $value, $at) = @_;
	my $shop = $stage->shop;
	my $body = $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $shop->{waba}, changes => [ {
		field => 'user_preferences', value => { messaging_product => 'whatsapp',
			metadata => { phone_number_id => $shop->{number}, display_phone_number => $shop->{phone} },
			user_preferences => [ { wa_id => $phone, detail => 'x', category => 'marketing_messages', value => $value, timestamp => $at + 0 } ] } } ] } ] });
	return post_webhook($stage->url, 'wa', $shop->{secret}, $body);
}
