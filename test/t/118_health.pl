# Connected accounts are looked at: a subscription that the provider ended is made
# again, one that cannot be is told; a token that is merely dead waits for the
# owner's log-in, and what was parked leaves then. Access that is lost for good is in
# 112_same_end.
#
# proves R035

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('health');
my $sandbox = $stage->sandbox;
my ($status, $answer, $message);

# ------------------------------------------------------------- subscriptions
my %shop;
for my $channel (qw(instagram messenger whatsapp))
{
	$shop{$channel} = Channels->open($stage, $channel);
	is(($shop{$channel}->connect)[0], 200, "$channel: connected");
}
an_hour_later();
for my $shop (values %shop)
{
	my $channel = $shop->channel;
	ok($shop->wait_bound("SELECT health = 'ok' AND checked_at IS NOT NULL FROM laras.connections", 30), "$channel: is looked at after an hour");
	is($shop->bound('SELECT count(*) FROM laras.notices'), 0, "$channel: nothing to tell");
	is(subscribed($shop, 0), 0, "$channel: the provider ends the subscription");
}
an_hour_later();
for my $shop (values %shop)
{
	my $channel = $shop->channel;
	ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.notices WHERE kind = 'resubscribed'", 30), "$channel: it is made again, and the owner is told");
	is(subscribed($shop), 1, "$channel: as the provider says");
	is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'subscription.restored'"), 1, "$channel: with evidence");
	$shop->says(Sari => 'halo');
	ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo'"), "$channel: events come again");
}
my $insta = $shop{instagram};
subscribed($insta, 0);
$sandbox->fault(match => { path => 'subscribed_apps', method => 'POST' }, action => 'refuse', code => 2, times => 2);
an_hour_later();
ok($insta->wait_bound("SELECT health = 'unsubscribed' FROM laras.connections", 30), 'one that is refused stands so');
is($insta->tile->{connections}[0]{health}, 'needs_attention', 'on the tile');
an_hour_later();
ok($insta->wait_bound("SELECT count(*) = 2 FROM laras.evidence_log e WHERE e.action = 'subscription.lost' OR e.action = 'subscription.restored'", 30), 'it was tried once more');
is($insta->bound("SELECT count(*) FROM laras.notices WHERE kind = 'unsubscribed'"), 1, 'and told once');
an_hour_later();
ok($insta->wait_bound("SELECT health = 'ok' FROM laras.connections", 30), 'until it succeeds');

# ------------------------------------------------------------------ dead token
my $page = Channels->open($stage, 'messenger');
$page->connect;
my $id = $page->connection;
$page->says(Sari => 'halo');
ok($page->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo'"), 'a customer writes');
$page->fault(action => 'refuse', code => 190, subcode => 460);
$message = $page->reply(Sari => 'halo Sari');
ok($page->wait_bound("SELECT state = 'parked' FROM laras.outbox WHERE message_id = $message", 30), 'a dead token parks the answer');
is($page->bound("SELECT state FROM laras.connections WHERE id = $id"), 'needs_reauth', 'and stops the connection');
my $other = Channels->open($stage, 'messenger');
($status, $answer) = $other->connect(account => $page->{account});
is("$status $answer->{error}{code}", '409 account_in_use', 'nobody else may take it');
my $told = $page->bound("SELECT laras.pair_connection('messenger', '{\"page_id\": \"$page->{account}{number}\"}', 'EAAno-token-of-anybody')");
is($told, $id, 'who pairs it again is told its id');
ok($page->wait_bound("SELECT count(*) = 1 FROM laras.notices WHERE kind = 'connect_failed' AND connection_id = $told", 30), 'and finds a refusal under that');
($status) = $page->connect;
is($status, 200, 'its owner logs in again');
is($page->bound("SELECT count(*) || ' ' || max(state) FROM laras.connections"), '1 connected', 'the same connection works again');
ok($page->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message", 30), 'and what was parked leaves');
is(scalar($page->sends('Sari')), 1, 'once');

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($page->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

# --------------------------------------------------------------------- helpers

# Every duty of the keeper has looked at the new time.
sub an_hour_later
{
	$stage->sql("SELECT laras.advance_clock('61 minutes')");
	$sandbox->advance(61 * 60);
	$stage->sql("SELECT laras.pause_workers('keeper')");
	$stage->sql("SELECT laras.resume_workers('keeper')");
	$stage->sql("SELECT laras.drain('30 s')") eq 't' or diag $stage->sql('SELECT worker, state, last_error FROM laras.worker_status');
	return;
}

# Is the app subscribed at the provider? With a second argument, make it so.
sub subscribed
{
	my ($shop, $on) = @_;
	my $account = $shop->{account};
	if ($shop->channel eq 'whatsapp')
	{
		my $waba = $sandbox->control(POST => 'waba', { id => $account->{above}, defined $on ? (subscribe => $on ? [ $account->{app} ] : []) : () });
		return scalar @{ $waba->{subscribed} // $waba->{subscribe} // [] };
	}
	return $sandbox->control(POST => 'account', { id => $account->{number}, defined $on ? (subscribed => $on ? JSON::PP::true : JSON::PP::false) : () })->{subscribed} ? 1 : 0;
}
