# The provider's limits are kept and used: never more messages within a second
# than a number may send, never more to one person, across an end of the courier
# too, by the sandbox's own count. A flood through one number keeps no other
# waiting, a reply passes what is sent in bulk, and an account that does not
# answer is left alone but for a probe, also by a courier that begins after a crash.
#
# proves R082

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $size = long_run(1, 20);
# limits are counted and not enforced, and nothing is granted on top of them
my $stage = Stage->new('limits', settings => { restart_after_crash => 'on' }, sandbox => { enforce_limits => JSON::PP::false, tolerance_ms => 0, sent_after_ms => 5, delivered_after_ms => -1 });
my $sandbox = $stage->sandbox;
my $workspace = $stage->workspace;
my $connection = $stage->connect;
my $rate = 60;
my $people = 36 * $size;
my $person = 628_123_480_000;

$stage->sql("SELECT laras.pause_workers('keeper')");
$sandbox->control(POST => 'number', { id => $stage->shop->{number}, rate => $rate, pair_burst => 4, pair_interval_ms => 400 });
$stage->customer($person + $_ . q(), 'halo', wait => JSON::PP::false) for 1 .. $people;
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.conversations", 30), "$people people write");

# -------------------------------------------------------------- what is set
is($stage->sql("SELECT string_agg(channel || ' ' || per_second || coalesce(' ' || pair_burst || ' ' || pair_interval, ''), ', ' ORDER BY channel) FROM laras.limit_rules WHERE kind = 'message'"),
	'instagram 100, messenger 300, telegram 30, whatsapp 80 45 6000', 'the limits that came with laras');
is($stage->bound("SELECT laras.set_send_rate($connection, $rate)"), '', 'a number may have its own');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'send_rate.set' AND subject_id = $connection"), 1, 'with evidence');
for my $case ([ 4711, 10, 'P0002' ], [ $connection, -1, '22023' ], [ $connection, 100_001, '22023' ])
{
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.set_send_rate($case->[0], $case->[1])");
	like($error, qr/ERROR:  $case->[2]:/, "set_send_rate($case->[1]) answers $case->[2]");
}
is($stage->sql("SET ROLE laras_dba; INSERT INTO laras.limit_rule (channel, per_second, pair_burst, pair_interval, remark) VALUES ('whatsapp', $rate, 4, 400, 'a test in a hurry')"), '', 'an operator may have other limits');

# ------------------------------------------- a number's second, and its end
pause();
queue_all('satu', 2);
resume();
ok(wait_for_sql($stage->node, "SELECT count(*) >= $rate FROM laras.outbox WHERE state = 'sent'", 30), 'a backlog leaves');
is($stage->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras courier'"), 't', 'the courier is ended in the middle');
ok(all_sent(), 'the rest leaves by its successor');
is($sandbox->totals->{violations}{number_limit}, 0, 'no second had more than the number may send');
is($sandbox->totals->{messages}{repeated}, 0, 'and nobody got anything twice');

# --------------------------------------------------------- one person's pace
pause();
my $talker = $stage->bound('SELECT min(id) FROM laras.conversations');
$stage->bound("SELECT count(laras.reply($talker, 'kata ' || g)) FROM generate_series(1, 9) g");
resume();
ok(wait_for_sql($stage->node, "SELECT count(*) >= 5 FROM laras.outbox WHERE state = 'sent' AND conversation_id = $talker", 30), 'one person gets many');
is($stage->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras courier'"), 't', 'the courier is ended again');
ok(all_sent(), 'the rest leaves');
is($sandbox->totals->{violations}{pair_limit}, 0, 'no faster than one person may be written to');
is($stage->sql("SELECT array_agg(created_at ORDER BY finished_at, created_at) = array_agg(created_at ORDER BY created_at) FROM laras.outbox WHERE conversation_id = $talker AND finished_at IS NOT NULL"), 't', 'and in the order they were written');

# --------------------------------------------------------- replies pass bulk
my $template = $stage->bound(qq{SELECT laras.create_template($connection, 'promo', 'id', 'marketing', '[{"type": "BODY", "text": "Halo kak, {{1}} sedang diskon."}]')});
$stage->bound("SELECT laras.submit_template($template)");
ok($stage->wait_bound("SELECT status = 'pending' FROM laras.message_templates WHERE id = $template", 30), 'a template is submitted');
$sandbox->control(POST => 'template', { waba_id => $stage->shop->{waba}, name => 'promo', language => 'id', status => 'APPROVED' });
ok($stage->wait_bound("SELECT sendable FROM laras.message_templates WHERE id = $template", 30), 'and approved');
pause();
is($stage->bound(qq{SELECT count(laras.send_template(c.id, $template, '{"body": ["kopi"]}')) FROM laras.conversations c}), $people, 'which everybody is to get');
my $after = seq();
my $reply = $stage->bound("SELECT laras.reply((SELECT max(id) FROM laras.conversations), 'ini balasan')");
is($stage->sql("SELECT string_agg(DISTINCT kind || ' ' || priority, ', ' ORDER BY kind || ' ' || priority) FROM laras.outbox WHERE state = 'queued'"), 'template 10, text 0', 'as bulk; a reply is none');
resume();
ok(all_sent(), 'bulk and a reply leave');
# those that leave at once arrive in any order
my @first = $sandbox->ledger(method => 'POST', path => '/messages', after => $after, limit => $rate / 8);
is(scalar(grep { ($_->{body}{text}{body} // '') eq 'ini balasan' } @first), 1, 'the reply, queued last, among the first to leave');

# -------------------------------------------------- a flood keeps nobody waiting
my $waba = $sandbox->control(POST => 'waba', { name => 'Toko Lain', subscribe => [ $stage->shop->{app} ] })->{id};
my $second = $sandbox->control(POST => 'number', { waba_id => $waba, display_phone_number => '+628117770009' })->{id};
my $token = $sandbox->control(POST => 'token', { app_id => $stage->shop->{app}, waba_id => $waba })->{token};
my $other = $stage->sql("SELECT laras.create_workspace('Toko Lain', 'lain\@shop.example', 'correct horse battery')");
Laras->go_live($stage->node, $other);
$stage->bound(qq(SELECT laras.pair_connection('whatsapp', '{"phone_number_id": "$second", "waba_id": "$waba"}', '$token', false)), $other);
$sandbox->customer_says({ number => $second }, '628999000111', 'halo dari sebelah', wait => JSON::PP::true);
ok(wait_for(sub { $stage->bound('SELECT count(*) FROM laras.conversations', $other) eq '1' }), "somebody writes to another's number");
pause();
queue_all('banjir', 2);
$after = seq();
$reply = $stage->bound("SELECT laras.reply((SELECT id FROM laras.conversations), 'untuk sebelah')", $other);
resume();
ok(all_sent(), 'a flood, and one reply of the other workspace behind it');
my @order = map { $_->{body}{text}{body} } $sandbox->ledger(method => 'POST', path => '/messages', after => $after, limit => 1000);
my ($place) = grep { $order[$_] eq 'untuk sebelah' } 0 .. $#order;
cmp_ok($place, '<', $rate, 'the reply does not wait for the flood to pass') or diag "place $place of @{[scalar @order]}";
is($sandbox->totals->{violations}{number_limit}, 0, 'which keeps to its number');

# --------------------------------------------------------- when nobody answers
my $closed = free_port();
options("'{graph_url}', '\"http://127.0.0.1:$closed\"'");
pause();
queue_all('diam', 1);
resume();
ok($stage->wait_bound("SELECT count(*) > 0 FROM laras.notices WHERE kind = 'sending_paused' AND connection_id = $connection", 30), 'an account that does not answer is left alone, and the owner is told');
is($stage->sql("SELECT count(*) FROM laras.outbox WHERE state NOT IN ('sent', 'queued', 'sending')"), 0, 'nothing is given up');
cmp_ok($stage->sql("SELECT count(*) FROM laras.send_attempt WHERE outcome = 'not_sent'"), '<', $people, 'most was not even tried');

# a crash ends the memory of it, and not the row
is($stage->sql("SELECT breaker_open AND rests > 0 FROM laras.send_pause WHERE connection_id = $connection"), 't', 'which is written down');
ok(wait_for(sub { pause(); return 1 if $stage->sql("SELECT count(*) = 0 FROM laras.outbox WHERE state = 'sending'") eq 't'; resume(); return 0 }, 60), 'nothing is on its way');
$stage->sql("UPDATE laras.send_pause SET rests_until = clock_timestamp() + '1 hour'");
my $tried = $stage->sql('SELECT count(*) FROM laras.send_attempt');
my $pid = worker_pid($stage->node, 'courier');
kill 'KILL', $pid;
ok(wait_for_sql($stage->node, "SELECT turns > 0 FROM laras.list_workers() WHERE worker = 'courier' AND pid <> $pid", 60), 'the courier is killed, and another begins');
$stage->sql("SELECT laras.drain('500 ms')");
is($stage->sql('SELECT count(*) FROM laras.send_attempt'), $tried, 'which leaves the account alone');
is($stage->sql("SELECT breaker_open FROM laras.send_pause WHERE connection_id = $connection"), 't', 'as long as it was to be');
pause();
# somebody answers again, and takes two seconds for the first request
$sandbox->fault(match => { route => 'messages' }, action => 'none', delay_ms => 2000);
options("'{graph_url}', '\"" . $sandbox->url . "\"'");
$stage->sql("UPDATE laras.send_pause SET rests_until = clock_timestamp(), rests = 3");
$stage->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras courier'");
resume();
ok(wait_for_sql($stage->node, "SELECT count(*) > $tried FROM laras.send_attempt", 30), 'when that is over, a message goes as a probe');
my $probe = $stage->sql("SELECT id FROM laras.send_attempt ORDER BY started_at, id OFFSET $tried LIMIT 1");
ok(wait_for_sql($stage->node, "SELECT outcome = 'sent' FROM laras.send_attempt WHERE id = $probe", 60), 'which is answered');
ok(all_sent(), 'then all leaves');
is($stage->sql("SELECT count(*) FROM laras.send_attempt a JOIN laras.send_attempt p ON p.id = $probe WHERE a.id <> p.id AND a.started_at BETWEEN p.started_at AND p.finished_at"), 0, 'and while the probe was under way nothing else was begun');
ok(wait_for_sql($stage->node, 'SELECT count(*) = 0 FROM laras.send_pause', 30), 'and nothing is left alone any more');
is($sandbox->totals->{violations}{number_limit} + $sandbox->totals->{violations}{pair_limit}, 0, 'within the limits');
is($sandbox->totals->{messages}{repeated}, 0, 'each once');
$stage->stop;
done_testing();

sub pause { return $stage->sql("SELECT laras.pause_workers('courier')"); }
sub resume { return $stage->sql("SELECT laras.resume_workers('courier')"); }

sub queue_all
{
	my ($text, $each) = @_;
	return $stage->bound("SELECT count(laras.reply(c.id, '$text ' || g)) FROM laras.conversations c, generate_series(1, $each) g");
}

sub all_sent
{
	return wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.outbox WHERE state <> 'sent'", 60 * $size);
}

sub seq
{
	my @entries = $sandbox->ledger(limit => 100_000);
	return @entries ? $entries[-1]{seq} : 0;
}

sub options
{
	my ($change) = @_;
	return $stage->sql("UPDATE laras.provider_app SET options = jsonb_set(options, $change)");
}
