# What leaves is, byte for byte, what was judged: a row of the outbox needs a verdict
# that passed for this very text, and a text altered after that is refused at
# hand-off, as is one that does not open; the messages beside it leave.
#
# proves R061 R062

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('exact');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
$stage->sql('CREATE EXTENSION laras_test');

my $serial = 0;

# Somebody who has written, so that the window is open.
sub person
{
	my $phone = sprintf '6281260%06d', ++$serial;
	$stage->customer($phone, "halo dari $phone");
	$stage->wait_bound("SELECT count(*) = 1 FROM laras.inbox i JOIN laras.contact_identities x USING (contact_id) WHERE x.value = '$phone'");
	return { phone => $phone, conversation => $stage->bound("SELECT conversation_id FROM laras.inbox i JOIN laras.contact_identities x USING (contact_id) WHERE x.value = '$phone' LIMIT 1") };
}
sub say_to { my ($to, $text) = @_; return $stage->bound("SELECT laras.reply($to->{conversation}, '$text')"); }
sub given { my ($to) = @_; return map { $_->{body}{text}{body} } grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} && ($_->{body}{to} // '') eq $to->{phone} } $stage->sandbox->ledger; }
sub refusal { my ($sql) = @_; my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\n$sql"); return $error; }
my ($ani, $budi, $citra, $dewi, $eka) = map { person() } 1 .. 5;

# ---- no verdict, no row
$stage->sql("SELECT laras.pause_workers('courier')");
my $good = say_to($ani, 'Harganya Rp 25.000, kak.');
my $insert = sub {
	my ($verdict, $digest) = @_;
	return "BEGIN; CREATE TEMP TABLE o AS SELECT * FROM laras.outbox WHERE message_id = $good; DELETE FROM laras.outbox WHERE message_id = $good; INSERT INTO laras.outbox (workspace_id, id, connection_id, conversation_id, contact_id, message_id, verdict_id, text_digest, approved_by, kind, purpose) "
	  . "SELECT workspace_id, laras.new_id(), connection_id, conversation_id, contact_id, message_id, $verdict, $digest, 'service', 'text', purpose FROM o";
};
like(refusal($insert->('NULL', 'text_digest')), qr/23502/, 'no row of the outbox without a verdict, for a superuser neither');
like(refusal($insert->('laras.new_id()', 'text_digest')), qr/23503/, 'nor with one that does not exist');
like(refusal($insert->('verdict_id', "decode(repeat('00', 32), 'hex')")), qr/23503/, 'nor for another text');
my $held = $stage->sql("INSERT INTO laras.verdict (workspace_id, id, message_id, contact_id, text_digest, outcome, reasons, classifier, purpose) "
	. "SELECT workspace_id, laras.new_id(), message_id, contact_id, text_digest, 'hold', '{ungrounded_price}', 'test', purpose FROM laras.outbox WHERE message_id = $good RETURNING id");
like(refusal($insert->($held, 'text_digest')), qr/23503/, 'nor by one that did not pass');
like(refusal("UPDATE laras.outbox SET purpose = 'sales' WHERE message_id = $good"), qr/23503/, 'nor by one for another purpose');
like(refusal("UPDATE laras.verdict SET outcome = 'hold' WHERE message_id = $good AND outcome = 'pass'"), qr/23503/, 'a verdict that is relied on stays');
like(refusal("UPDATE laras.outbox SET text_digest = decode(repeat('00', 32), 'hex') WHERE message_id = $good"), qr/23503/, 'and the row stays bound to it');

# ---- altered afterwards, by somebody with every right on the tables
my $changed = say_to($budi, 'Harganya Rp 25.000, kak.');
$stage->sql("UPDATE laras.message m SET body = laras_test.seal(w.slot, m.slot, 17, m.workspace_id, m.id, convert_to('Harganya Rp 26.000, kak.', 'UTF8')) "
	. "FROM laras.workspace w WHERE w.workspace_id = m.workspace_id AND m.id = $changed");
is($stage->bound("SELECT body FROM laras.messages WHERE id = $changed"), 'Harganya Rp 26.000, kak.', 'one digit of a queued text is changed');
my $swapped = say_to($citra, 'Harganya Rp 27.000, kak.');
$stage->sql("UPDATE laras.message SET body = (SELECT body FROM laras.message WHERE id = $good) WHERE id = $swapped");
my $forged = say_to($dewi, 'Harganya Rp 28.000, kak.');
$stage->sql("WITH v AS (INSERT INTO laras.verdict (workspace_id, id, message_id, contact_id, text_digest, outcome, classifier, purpose) "
	. "SELECT workspace_id, laras.new_id(), message_id, contact_id, decode(repeat('11', 32), 'hex'), 'pass', 'test', purpose FROM laras.outbox WHERE message_id = $forged RETURNING *) "
	. "SELECT id FROM v");
$stage->sql("UPDATE laras.outbox o SET verdict_id = v.id, text_digest = v.text_digest FROM laras.verdict v WHERE v.message_id = o.message_id AND v.classifier = 'test' AND o.message_id = $forged");
my $lost = say_to($eka, 'Harganya Rp 29.000, kak.');
$stage->sql("UPDATE laras.contact_identity i SET value = (SELECT value FROM laras.contact_identity x WHERE x.id <> i.id AND x.value IS NOT NULL ORDER BY x.id LIMIT 1) "
	. "FROM laras.outbox o WHERE o.message_id = $lost AND i.contact_id = o.contact_id");
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered') FROM laras.messages WHERE id = $good"), 'what was not touched is sent');
is(join('|', given($ani)), 'Harganya Rp 25.000, kak.', 'once, as it was judged');
for ([ $changed, $budi, 'text_differs', 'a changed text' ], [ $swapped, $citra, 'text_differs', 'a text from another row' ],
	[ $forged, $dewi, 'text_differs', 'a text with a verdict made up for another' ], [ $lost, $eka, 'no_address', "somebody else's address" ])
{
	my ($message, $to, $reason, $what) = @$_;
	ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $message"), "$what is not sent");
	is($stage->sql("SELECT state || ' ' || reason || ' ' || attempts FROM laras.outbox WHERE message_id = $message"), "refused $reason 0", 'its row says why');
	is($stage->bound("SELECT kind FROM laras.notices WHERE message_id = $message"), 'send_refused', 'and the owner is told');
	is(scalar(() = given($to)), 0, 'the provider never heard of it');
}
is($stage->sql("SELECT last_error IS NULL FROM laras.worker_status WHERE worker = 'courier'"), 't', 'the courier was not disturbed');

# ---- a token that does not open stops its own connection alone
my $message = do {
	$stage->sql("SELECT laras.pause_workers('courier')");
	my $queued = say_to($ani, 'Satu lagi.');
	$stage->sql("UPDATE laras.channel_token SET token = (SELECT body FROM laras.message WHERE id = $good)");
	$stage->sql("SELECT laras.resume_workers('courier')");
	$queued;
};
ok(wait_for_sql($stage->node, "SELECT state = 'parked' FROM laras.outbox WHERE message_id = $message"), 'a message whose token does not open is parked');
is(scalar(() = given($ani)), 1, 'and not sent');

is($stage->sql("SELECT count(*) FROM laras.outbox o JOIN laras.verdict v ON v.workspace_id = o.workspace_id AND v.id = o.verdict_id WHERE v.outcome <> 'pass' OR v.text_digest <> o.text_digest OR v.message_id <> o.message_id"),
	0, 'every row has a verdict that passed, for its text');
$stage->stop;
done_testing();
