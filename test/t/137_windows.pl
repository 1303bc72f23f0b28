# Windows are rows: what each provider allows came with laras, what an operator
# wants instead is a row of theirs, and one function decides from them, at
# hand-off, by the provider's time, with a reason that the owner can read.
#
# proves R076 R077 R078 R079 R080

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('windows');
my $workspace = $stage->workspace;
my $connection = $stage->connect;
my $serial = 0;

# ------------------------------------------------------------------ the rules
is($stage->sql("SELECT string_agg(channel || ' ' || coalesce(lasts::text, '-'), ', ' ORDER BY channel) FROM laras.window_rules WHERE purpose = 'reply' AND enabled"),
	'email -, generic -, instagram 86400, messenger 86400, telegram -, whatsapp 86400', 'replies: 24 hours where the provider says so');
is($stage->sql('SELECT count(*) FROM laras.provider p WHERE NOT EXISTS (SELECT FROM laras.window_rules r WHERE r.channel = p.channel AND r.purpose = $$reply$$)'), 0, 'every channel has one');
is($stage->sql("SELECT string_agg(channel || ' ' || lasts || ' ' || enabled, ', ' ORDER BY channel) FROM laras.window_rules WHERE purpose = 'human_agent'"),
	'instagram 604800 false, messenger 604800 false', "a person's answer: 7 days, once the operator says that the app may");
is($stage->sql("SELECT string_agg(channel || ' ' || lasts || ' ' || uses || ' ' || opened_by, ', ' ORDER BY channel) FROM laras.window_rules WHERE purpose = 'private_reply'"),
	'instagram 604800 1 comment, messenger 604800 1 comment', 'a private reply: 7 days from the comment, once');

# ------------------------------------------------------------- what they mean
my %case = (
	'just inside' => [ q{86400, NULL, true, laras.now() - interval '86399 s', 0}, 'open' ],
	'at the end' => [ q{86400, NULL, true, laras.now() - interval '86400 s', 0}, 'window_closed' ],
	'never' => [ q{86400, NULL, true, NULL, 0}, 'never_wrote' ],
	'never, without an end' => [ q{NULL, NULL, true, NULL, 0}, 'never_wrote' ],
	'long ago, without an end' => [ q{NULL, NULL, true, laras.now() - interval '9000 h', 0}, 'open' ],
	'used once of one' => [ q{604800, 1, true, laras.now(), 1}, 'window_used' ],
	'not used of one' => [ q{604800, 1, true, laras.now() - interval '167 h', 0}, 'open' ],
	'too late of one' => [ q{604800, 1, true, laras.now() - interval '168 h', 0}, 'window_closed' ],
	'switched off' => [ q{604800, NULL, false, laras.now(), 0}, 'window_not_enabled' ],
);
for my $name (sort keys %case)
{
	# one transaction: its clock stands still
	is($stage->sql("SELECT reason FROM laras.window_state($case{$name}[0])"), $case{$name}[1], $name);
}

# --------------------------------------------------------------- late webhook
my $late = phone();
my $then = time - 6 * 3600;
is($stage->webhook($late, 'terlambat', timestamp => $then)->{status}, 200, 'a webhook comes six hours late');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'terlambat'"), 'and is read');
is($stage->bound("SELECT reason || ' ' || (closes_at = to_timestamp($then) + interval '24 h') FROM laras.conversation_windows w "
	  . "WHERE purpose = 'reply' AND conversation_id = " . conversation('terlambat')), 'open true', "the window counts from the provider's time: 18 hours are left");

# ------------------------------------------------- each number of the business
my $shop = $stage->shop;
my $second = $stage->sandbox->control(POST => 'number', { waba_id => $shop->{waba}, display_phone_number => '+628117770011' })->{id};
my $token = $stage->sandbox->control(POST => 'token', { app_id => $shop->{app}, waba_id => $shop->{waba} })->{token};
my $other = $stage->bound(qq(SELECT laras.pair_connection('whatsapp', '{"phone_number_id": "$second", "waba_id": "$shop->{waba}"}', '$token', false)));
ok($stage->wait_bound("SELECT state = 'connected' FROM laras.connections WHERE id = $other", 30), 'a second number');
my $both = phone();
is($stage->webhook($both, 'ke nomor satu', timestamp => time - 3600)->{status}, 200, 'somebody writes to one');
is($stage->webhook($both, 'ke nomor dua', timestamp => time - 25 * 3600, number => $second)->{status}, 200, 'and wrote to the other a day before');
ok($stage->wait_bound("SELECT count(*) = 2 AND count(DISTINCT contact_id) = 1 FROM laras.messages WHERE body ~ '^ke nomor'"), 'one person, two conversations');
is($stage->bound("SELECT string_agg(w.reason, ' ' ORDER BY m.body DESC) FROM laras.conversation_windows w JOIN laras.messages m USING (conversation_id) WHERE w.purpose = 'reply' AND m.body ~ '^ke nomor'"), 'open window_closed', 'each number has a window of its own');

# ---------------------------------------------------------- closed at hand-off
my $sari = phone();
$stage->customer($sari, 'halo dari sari');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo dari sari'"), 'somebody writes');
$stage->sql("SELECT laras.advance_clock('23 h 59 min')");
$stage->sql("SELECT laras.pause_workers('courier')");
my $message = $stage->bound('SELECT laras.reply(' . conversation('halo dari sari') . ", 'maaf menunggu')");
is($stage->bound("SELECT status FROM laras.messages WHERE id = $message"), 'queued', 'queued in the last minute');
$stage->sql("SELECT laras.advance_clock('2 min')");
is($stage->bound("SELECT reason FROM laras.conversation_windows WHERE purpose = 'reply' AND conversation_id = " . conversation('halo dari sari')), 'window_closed', 'the owner sees that it has closed');
$stage->sql("SELECT laras.resume_workers('courier')");
is(ends($message), 'refused window_closed 0', 'handed over too late: refused here');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $message AND kind = 'window_closed'"), 1, 'the owner is told');
is(scalar($stage->sandbox->ledger(method => 'POST', path => '/messages')), 0, 'the provider never heard of it');

# ---------------------------------------------------------------- unsolicited
$stage->bound("UPDATE laras.conversation SET last_inbound_at = NULL WHERE id = " . conversation('terlambat'));
$message = $stage->bound('SELECT laras.reply(' . conversation('terlambat') . ", 'promo hari ini')");
is(ends($message), 'refused never_wrote 0', 'who never wrote gets nothing');

# ---------------------------------------------------------- the operator's own
my $dewi = phone();
$stage->sandbox->advance(86460);
$stage->customer($dewi, 'halo dari dewi');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo dari dewi'"), 'another writes');
is($stage->bound(as_dba("INSERT INTO laras.window_rule (channel, purpose, opened_by, lasts, remark) VALUES ('whatsapp', 'reply', 'message', 3600, 'answers after an hour are not wanted')")), '', 'the operator wants a shorter window');
is($stage->sql("SELECT string_agg(lasts::text, ' ') FROM laras.window_rules WHERE channel = 'whatsapp'"), '3600', 'which is the one in force');
$stage->sql("SELECT laras.advance_clock('1 h')");
$message = $stage->bound('SELECT laras.reply(' . conversation('halo dari dewi') . ", 'maaf baru balas')");
is(ends($message), 'refused window_closed 0', 'and is kept');
is($stage->bound(as_dba('DELETE FROM laras.window_rule')), '', 'it is taken back');
is($stage->sql("SELECT count(*) || ' ' || count(*) FILTER (WHERE origin = 'laras') FROM laras.window_rule"), '15 15', 'those of the providers cannot be');
my (undef, undef, $error) = $stage->node->psql('postgres', "SET ROLE laras_dba; INSERT INTO laras.window_rule VALUES ('whatsapp', 'reply', 'laras', 'message', 1, NULL, true, 'x')");
like($error, qr/row-level security/, 'nor made');
$message = $stage->bound('SELECT laras.reply(' . conversation('halo dari dewi') . ", 'masih bisa')");
is(ends($message), 'sent  1', 'a reply leaves again');
$stage->stop;
done_testing();

sub phone { return sprintf '62812347%05d', ++$serial; }

sub conversation
{
	my ($body) = @_;
	return $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = '$body'");
}

sub ends
{
	my ($message) = @_;
	wait_for_sql($stage->node, "SELECT state NOT IN ('queued', 'sending') FROM laras.outbox WHERE message_id = $message");
	return $stage->sql("SELECT state || ' ' || coalesce(reason, '') || ' ' || attempts FROM laras.outbox WHERE message_id = $message");
}

sub as_dba
{
	my ($query) = @_;
	return "SET LOCAL ROLE laras_dba; $query";
}
