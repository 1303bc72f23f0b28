# A person's reply leaves once, over HTTP, inside the window; statuses climb;
# what cannot be known is uncertain and settled by a status; what is cut or
# closed never leaves.
#
# proves R061 R062 R076 R078 R079 R083 R084 R085 R086 R088 R128

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('courier', sandbox => { sent_after_ms => 5, delivered_after_ms => 30, read_after_ms => 60 });
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $phone = '6281240001111';

$stage->customer($phone, 'halo, ada kopi gayo?');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages"), 'a customer wrote');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');

# ---------------------------------------------------------------------- sent
my $message = reply('Ada kak, 125 ribu per kilo.');
ok($stage->wait_bound("SELECT status = 'read' FROM laras.messages WHERE id = $message"), 'the reply is sent, delivered and read')
  or diag $stage->sql('SELECT state, reason, error_code, attempts FROM laras.outbox') . $stage->sql('SELECT worker, state, last_error FROM laras.worker_status');
like($stage->bound("SELECT provider_message_id FROM laras.messages WHERE id = $message"), qr/^wamid\./, 'the id of the provider is kept');
is($stage->bound("SELECT string_agg(status, ' ' ORDER BY received_at, status) FROM laras.message_statuses WHERE message_id = $message") =~ s/\s+/ /gr =~ /delivered/, 1, 'with every status');
my @sent = grep { $_->{method} eq 'POST' && $_->{path} =~ /messages$/ } $stage->sandbox->ledger;
is(scalar @sent, 1, 'one request left');
is($stage->sandbox->totals->{messages}{repeated}, 0, 'and nothing came twice');
$stage->sign_in;
my ($status, $answer) = $stage->call(GET => "/api/messages/$message");
is("$status $answer->{status}", '200 read', 'the owner can read the status over HTTP');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.evidence_log WHERE action = 'message.delivered' AND subject_id = $message"), 'delivery is in the evidence');
is($stage->bound("SELECT e.detail::text ~ 'provider_message_id' AND m.provider_message_id ~ '^wamid\\.' AND m.provider_message_id = s.provider_message_id FROM laras.evidence_log e JOIN laras.messages m ON m.id = e.subject_id "
	  . "CROSS JOIN (SELECT '" . ($sent[0]{wamid} // $sent[0]{message_id}) . "' AS provider_message_id) s WHERE e.action = 'message.delivered' AND m.id = $message"), 't', "which commits to the provider's id, and beside it stands the id that the provider gave");

# ---------------------------------------------------------- judged, bound
$stage->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 1, 'Pasti Untung')");
my (undef, undef, $error) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.reply($conversation, 'beli sekarang pasti untung'); COMMIT");
like($error, qr/not let through/, 'a forbidden phrase is blocked');
(undef, undef, $error) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.reply($conversation, repeat('x', 4097)); COMMIT");
like($error, qr/not let through/, 'and what WhatsApp does not carry');
(undef, undef, $error) = $stage->node->psql('postgres', "INSERT INTO laras.outbox (workspace_id, id, connection_id, conversation_id, contact_id, message_id, verdict_id, text_digest, approved_by, purpose) "
	. "SELECT workspace_id, 1, connection_id, conversation_id, contact_id, $message + 1, verdict_id, text_digest, 'nobody', purpose FROM laras.outbox LIMIT 1");
like($error, qr/foreign key/, 'no row of the outbox without a verdict on exactly that message and text');

# ------------------------------------------------------------------- faults
$stage->sandbox->fault(action => 'refuse', code => 131026, match => { route => 'messages' });
$message = reply('untuk yang tidak ada');
ok($stage->wait_bound("SELECT status = 'failed' AND error_code = 131026 FROM laras.messages WHERE id = $message"), 'a refusal for good fails the message');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $message AND code = 131026"), 1, 'and is shown to the owner');
is($stage->bound("SELECT laras.mark_notices_seen(array_agg(id) || 42::bigint) FROM laras.notices WHERE message_id = $message AND seen_at IS NULL"), 1, 'who marks it as seen');
is($stage->bound("SELECT laras.mark_notices_seen(array_agg(id)) FROM laras.notices WHERE message_id = $message AND seen_at IS NOT NULL"), 0, 'once');

$stage->sandbox->fault(action => 'refuse', code => 130429, match => { route => 'messages' });
$message = reply('ditahan sebentar');
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message", 30), 'a throttled message is tried again');

for my $action (qw(reset_after_body close_unanswered malformed no_id))
{
	$stage->sandbox->fault(action => $action, match => { route => 'messages' });
	$message = reply("hilang $action");
	ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message"), "$action: what was lost is settled by the status webhook")
	  or diag $stage->sql("SELECT state, reason, attempts FROM laras.outbox WHERE message_id = $message");
	is($stage->sql("SELECT attempts FROM laras.outbox WHERE message_id = $message"), 1, "$action: after one attempt");
}
$stage->sandbox->fault(action => 'reset_after_body', accept => JSON::PP::false, match => { route => 'messages' });
$message = reply('tidak pernah sampai');
ok($stage->wait_bound("SELECT status = 'uncertain' FROM laras.messages WHERE id = $message"), 'what nobody can know is uncertain');
sleep 2;
is($stage->sql("SELECT state || ' ' || attempts FROM laras.outbox WHERE message_id = $message"), 'uncertain 1', 'and not sent again by itself');
is($stage->sandbox->totals->{messages}{repeated}, 0, 'the customer got nothing twice');

# a number of connections that die after the request was read: libcurl must not repeat
$stage->sandbox->fault(action => 'close_unanswered', times => 3, match => { route => 'messages', reused => JSON::PP::true });
my @several = map { my $m = reply("beruntun $_"); $stage->wait_bound("SELECT status <> 'queued' FROM laras.messages WHERE id = $m"); $m } 1 .. 6;
ok($stage->wait_bound("SELECT count(*) = 6 FROM laras.messages WHERE id IN (" . join(',', @several) . ") AND status IN ('sent', 'delivered', 'read')"), 'six in a row over dying connections');
is($stage->sandbox->totals->{messages}{repeated}, 0, 'each once');

# ------------------------------------------------------------------- window
my $late = $stage->sandbox->totals->{accepted};
is($stage->webhook('6281240002222', 'pesan terlambat', timestamp => time - 6 * 3600)->{status}, 200, 'a webhook six hours late');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'pesan terlambat'"), 'is in the inbox');
my $old = $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'pesan terlambat'");
$stage->sql("SELECT laras.pause_workers('courier')");
$stage->sql("SELECT laras.advance_clock('17 hours 59 minutes')");
$message = reply('masih boleh', $old);
$stage->sql("SELECT laras.advance_clock('2 minutes')");
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $message"), 'queued inside the window, handed off outside: refused');
is($stage->sql("SELECT state || ' ' || reason || ' ' || attempts FROM laras.outbox WHERE message_id = $message"), 'refused window_closed 0', 'without any attempt');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $message AND kind = 'window_closed'"), 1, 'and the owner sees why');

# --------------------------------------------------------------- cut, parked
$stage->webhook($phone, 'masih di sini');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'masih di sini'"), 'the customer writes again');
$stage->sql("SELECT laras.pause_workers('courier')");
$message = reply('jangan dikirim');
my $before = $stage->sandbox->totals->{accepted};
$stage->bound("SELECT laras.disconnect($connection)");
$stage->sql("SELECT laras.resume_workers('courier')");
is($stage->sql("SELECT state || ' ' || reason FROM laras.outbox WHERE message_id = $message"), 'cancelled disconnected', 'a disconnect cancels what waits');
sleep 1;
is($stage->sandbox->totals->{accepted}, $before, 'and nothing leaves');
(undef, undef, $error) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.reply($conversation, 'halo?'); COMMIT");
like($error, qr/disconnected/, 'nor is anything queued any more');

is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

sub reply
{
	my ($text, $to) = @_;
	$to //= $conversation;
	return $stage->bound("SELECT laras.reply($to, '$text')");
}
