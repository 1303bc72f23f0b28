# A number that is used in the WhatsApp Business app too may send 20 messages a second
# and not 80. Whether it is, the provider says when it is connected and every hour;
# set_send_rate and the operator's rule win over it.
#
# proves R082

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

# limits are counted and not enforced, and nothing is granted on top of them
my $stage = Stage->new('besideapp', sandbox => { enforce_limits => JSON::PP::false, tolerance_ms => 0, sent_after_ms => 5, delivered_after_ms => -1 });
my $sandbox = $stage->sandbox;
my $number = $stage->shop->{number};
my $people = 50;
my $person = 628_123_490_000;

$sandbox->control(POST => 'number', { id => $number, coexistence => JSON::PP::true });
my $connection = $stage->connect;
is($stage->bound("SELECT beside_app FROM laras.connections WHERE id = $connection"), 't', 'the provider says so when it is connected');
unlike($stage->bound("SELECT profile FROM laras.connections WHERE id = $connection"), qr/biz_app|platform/, 'which is no part of how it is recognised');
$stage->customer($person + $_ . q(), 'halo', wait => JSON::PP::false) for 1 .. $people;
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.conversations", 30), "$people people write");
is(seconds('satu'), 2, 'they are answered 20 a second');
is($sandbox->totals->{violations}{number_limit}, 0, 'and no faster than the number may send');

# who was told another number says so
$sandbox->control(POST => 'number', { id => $number, rate => 40 });
is($stage->bound("SELECT laras.set_send_rate($connection, 40)"), '', 'somebody sets another rate');
is(seconds('dua'), 1, 'which holds');
is($stage->bound("SELECT laras.set_send_rate($connection, 0)"), '', 'or none');
$sandbox->control(POST => 'number', { id => $number, rate => 10 });
is($stage->sql("SET ROLE laras_dba; INSERT INTO laras.limit_rule (channel, kind, per_second, remark) VALUES ('whatsapp', 'message_beside_app', 10, 'a slow app')"), '', 'an operator has another rule');
cmp_ok(seconds('tiga'), '>=', 4, 'which wins');
is($sandbox->totals->{violations}{number_limit}, 0, 'within all of them');

# it is no longer used there, and is again: asked every hour
for my $used (JSON::PP::false, JSON::PP::true)
{
	my $is = $used ? 't' : 'f';
	$sandbox->control(POST => 'number', { id => $number, coexistence => $used });
	an_hour_later();
	ok($stage->wait_bound("SELECT beside_app = '$is' FROM laras.connections WHERE id = $connection", 20), "an hour later it is known that it is '$is'");
}
is($stage->bound("SELECT health FROM laras.connections WHERE id = $connection"), 'ok', 'its events come');

# a provider that says nothing changes nothing
$sandbox->fault(match => { path => "/$number", method => 'GET' }, action => 'http_error');
my $asked = calls();
an_hour_later();
ok(wait_for(sub { return calls() > $asked }, 60), 'it is asked');
$stage->sql("SELECT laras.drain('5 s')");
is($stage->bound("SELECT beside_app FROM laras.connections WHERE id = $connection"), 't', 'an answer that says nothing changes nothing');
$stage->bound("SELECT laras.disconnect($connection)");
is($stage->bound("SELECT beside_app IS NULL FROM laras.connections WHERE id = $connection"), 't', 'nothing of it is left of a connection that was cut');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

# Every duty of the keeper looks at the new time.
sub an_hour_later
{
	$stage->sql("SELECT laras.advance_clock('61 minutes')");
	$stage->sql("SELECT laras.pause_workers('keeper')");
	$stage->sql("SELECT laras.resume_workers('keeper')");
	$stage->sql("SELECT laras.drain('30 s')") eq 't' or diag $stage->sql('SELECT worker, state, last_error FROM laras.worker_status');
	return;
}

sub calls { return $stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'read_number' AND finished_at IS NOT NULL"); }

# How many whole seconds it takes to answer all.
sub seconds
{
	my ($text) = @_;
	my @before = $sandbox->ledger(limit => 100_000);
	$stage->sql("SELECT laras.pause_workers('courier')");
	$stage->bound("SELECT count(laras.reply(c.id, '$text ' || c.id)) FROM laras.conversations c");
	$stage->sql("SELECT laras.resume_workers('courier')");
	wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.outbox WHERE state <> 'sent'", 60) or return 'never';
	my @times = map { $_->{time_ms} } $sandbox->ledger(method => 'POST', path => '/messages', after => $before[-1]{seq}, limit => 1000);
	return int(($times[-1] - $times[0]) / 1000);
}
