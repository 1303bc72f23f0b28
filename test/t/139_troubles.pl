# What did not leave or arrive is shown with its reason in words, English and
# Indonesian, and whether it is tried again; every code that the courier knows has
# its words. What waits can be withdrawn, what leaves cannot.
#
# proves R086 R088 R114

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('troubles');
my $workspace = $stage->workspace;
$stage->connect;
my $serial = 0;

# ------------------------------------------------------------- the catalogue
for my $file (qw(src/channel/whatsapp_send.c src/channel/meta_send.c))
{
	my ($codes) = slurp_file($file) =~ /^(?:laras_\w+_)?meaning\(.*?^\}/ms ? $& : '';
	my @codes = $codes =~ /case (\d+):/g;
	cmp_ok(scalar @codes, '>', 8, "$file decides by codes");
	is($stage->sql("SELECT string_agg(c::text, ' ') FROM unnest('{" . join(',', @codes) . "}'::int[]) c WHERE NOT EXISTS (SELECT FROM laras.provider_error e WHERE e.provider = 'meta' AND e.code = c)"), '', 'each has its words');
}
# what the table says of a code is what the drivers do that meet it: those of 6 digits and more are WhatsApp's but for one of Meta's log-in
$stage->sql('CREATE EXTENSION laras_test');
$stage->sql(<<'SQL');
CREATE TABLE meant AS SELECT c.channel, e.*, laras_test.read_answer(c.channel, CASE WHEN e.provider = 'meta' THEN 400 ELSE e.code END,
	CASE e.provider WHEN 'meta' THEN format('{"error": {"message": "x", "type": "OAuthException", "code": %s, "error_subcode": %s}}', e.code, e.subcode)
		WHEN 'telegram' THEN format('{"ok": false, "error_code": %s, "description": "x"}', e.code) ELSE e.code || ' x' END) AS answer
FROM laras.provider_error e JOIN (VALUES ('whatsapp', 'meta'), ('instagram', 'meta'), ('messenger', 'meta'), ('threads', 'meta'), ('telegram', 'telegram'), ('email', 'email')) c (channel, provider) USING (provider)
WHERE (c.channel = 'whatsapp' OR e.code NOT BETWEEN 130000 AND 139999) AND (c.channel = 'threads' OR e.provider <> 'meta' OR e.code <> 24)
	AND (e.subcode = 0 OR c.channel IN ('instagram', 'messenger'))
SQL
is($stage->sql("SELECT string_agg(channel || ' ' || code || ' ' || answer, ', ') FROM meant WHERE retryable <> (answer IN ('retry', 'throttled'))"), '', 'each is tried again, or not, as the table says');
is($stage->sql("SELECT string_agg(channel || ' ' || code || ' ' || concerns, ', ') FROM meant WHERE answer = 'account' AND concerns NOT IN ('account', 'number')"), '', 'what stops an account is about one');
is($stage->sql("SELECT string_agg(channel || ' ' || code || ' ' || concerns, ', ') FROM meant WHERE answer = 'throttled' AND concerns IN ('message', 'template')"), '', 'and what rests others about more than a message');
cmp_ok($stage->sql('SELECT count(DISTINCT (provider, code, subcode)) FROM meant'), '==', $stage->sql('SELECT count(*) FROM laras.provider_error'), 'no row is left out');
is($stage->sql("SELECT count(*) FROM laras.provider_error WHERE provider = 'meta' AND subcode = 0 AND (code BETWEEN 200 AND 299 OR code IN (9010, 133004, 133005, 133006, 133008, 133009, 133010, 133015, 133016))"), 109, 'ranges and log-in errors that Meta names are there');
is($stage->sql("SELECT count(*) FROM laras.provider_error WHERE words_en = words_id OR words_en !~ '[.]\$' OR words_id !~ '[.]\$'"), 0, 'in both languages, as sentences');
is($stage->sql('SELECT count(*) FROM laras.send_reason WHERE words_en = words_id'), 0, 'so are the reasons');

# ------------------------------------------------------------- what is refused
my %meets = (131026 => [ 'refused', 'f', 'not on WhatsApp' ], 131047 => [ 'refused', 'f', '24 hours' ], 131048 => [ 'queued', 't', 'blocked or reported' ],
	130429 => [ 'queued', 't', 'sent too fast' ]);
for my $code (sort keys %meets)
{
	my $to = person();
	$stage->sandbox->fault(action => 'refuse', code => $code + 0, match => { route => 'messages', to => $to->{phone} });
	$stage->sql('SELECT laras.pause_workers($$courier$$)');
	my $id = $stage->bound("SELECT laras.reply($to->{conversation}, 'halo')");
	$stage->sql('SELECT laras.resume_workers($$courier$$)');
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.send_attempt WHERE outcome <> 'sending' AND error_code = $code", 8), "the provider answers $code") or diag $stage->bound("SELECT o.state, o.reason, o.error_code, a.outcome, a.error_code, a.http_status, o.not_before - laras.now() FROM laras.outbox o LEFT JOIN laras.send_attempt a ON a.outbox_id = o.id");
	my $row = $stage->bound("SELECT state || '|' || retried || '|' || words_en || '|' || words_id FROM laras.send_troubles WHERE message_id = $id AND error_code = $code AND retryable = retried");
	if ($meets{$code}[0] eq 'queued' && $row eq '')
	{
		# tried again already, by full jitter: then it has left
		ok($stage->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $id", 60), 'which was tried again');
		next;
	}
	like($row, qr/^$meets{$code}[0]\|$meets{$code}[1]\w*\|[^|]*\Q$meets{$code}[2]\E[^|]*\|./, 'the owner reads what that means');
	is($stage->bound("SELECT count(*) FROM laras.send_troubles WHERE message_id = $id AND words_id IS NULL"), 0, 'in Indonesian too');
	$stage->bound("SELECT laras.cancel_message($id)") if $meets{$code}[0] eq 'queued';
}

# --------------------------------------------------- taken, and failed afterwards
{
	my $to = person();
	$stage->sandbox->fault(action => 'none', statuses => 'failed', status_code => 131049, match => { route => 'messages', to => $to->{phone} });
	my $id = $stage->bound("SELECT laras.reply($to->{conversation}, 'promo')");
	ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $id", 60), 'a message is taken and fails afterwards');
	like($stage->bound("SELECT state || ' ' || retried || ' ' || retryable || ' ' || words_en FROM laras.send_troubles WHERE message_id = $id"), qr/^sent false false The provider chose not to deliver/, 'and the owner reads why, and that it will not pass');
}

# ------------------------------------------------------------------- withdrawn
{
	my $to = person();
	$stage->sql("SELECT laras.pause_workers('courier')");
	my $id = $stage->bound("SELECT laras.reply($to->{conversation}, 'salah kirim')");
	my $next = $stage->bound("SELECT laras.reply($to->{conversation}, 'yang benar')");
	is($stage->bound("SELECT laras.cancel_message($id), laras.cancel_message($id)"), 't|f', 'a message is withdrawn, once');
	is($stage->bound("SELECT status FROM laras.messages WHERE id = $id"), 'cancelled', 'it says so');
	is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE subject_id = $id AND action = 'message.cancelled'"), 1, 'with evidence');
	like($stage->bound("SELECT state || ' ' || words_en FROM laras.send_troubles WHERE message_id = $id"), qr/^cancelled Somebody withdrew it/, 'and its reason');
	$stage->sql("SELECT laras.resume_workers('courier')");
	ok($stage->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $next", 60), 'what was queued behind it leaves');
	is(scalar($stage->sandbox->ledger(method => 'POST', to => $to->{phone})), 1, 'and it alone');
	is($stage->bound("SELECT laras.cancel_message($next)"), 'f', 'which comes too late to withdraw');
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.cancel_message(4711)");
	like($error, qr/P0002: no such outbound message/, 'of no message it is an error');
}
is($stage->sql('SELECT count(*) FROM laras.send_troubles'), 0, 'all of it is nothing to whoever entered no workspace');
$stage->stop;
done_testing();

sub person
{
	my $phone = sprintf('62812349%05d', ++$serial);
	$stage->customer($phone, "halo $serial");
	$stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo $serial'") or die "no message\n";
	return { phone => $phone, conversation => $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'halo $serial'") };
}
