# The same story for every channel, all seven: refused
# without anything left, connected over HTTP, not connected twice, heard,
# answered once, throttled, refused, stopped by a dead token. How access ends is in
# 112_same_end.
#
# proves R022 R023 R030 R032 R033 R034 R045 R092

use strict;
use warnings;

use Channels;
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('every_channel');

for my $channel (Channels->names)
{
	my $shop = Channels->open($stage, $channel);
	my $other = Channels->open($stage, $channel);
	my ($status, $answer);

	# ------------------------------------------------------------ connecting
	is($shop->tile->{state} . ' ' . $shop->tile->{can_connect}, 'not_connected ' . $shop->logs_in, "$channel: is not connected");
	my ($want, $why) = $shop->logs_in ? $shop->refused : ();
	if ($shop->logs_in)
	{
		($status, $answer) = $shop->connect(token => '5109999:AAnobody-has-this-token-and-nobody-had');
		is("$status $answer->{error}{code}", "$want $why", "$channel: what the provider does not know is refused");
		is($shop->bound("SELECT count(*) FROM laras.connections"), 0, "$channel: and leaves nothing");
		is($shop->bound("SELECT count(*) FROM laras.notices WHERE kind = 'connect_failed'"), 1, "$channel: but a notice");
	}

	if ($shop->subscribing)
	{
		$shop->sandbox->fault(match => $shop->subscribing, action => 'refuse', code => 400);
		($status, $answer) = $shop->connect;
		is("$status $answer->{error}{code}", '502 subscribe_refused', "$channel: without its events nothing is connected");
	}
	is($stage->sql("SELECT (SELECT count(*) FROM laras.connection WHERE workspace_id = $shop->{workspace}) + (SELECT count(*) FROM laras.channel_token WHERE workspace_id = $shop->{workspace}) + (SELECT count(*) FROM laras.route WHERE workspace_id = $shop->{workspace})"),
		0, "$channel: and leaves nothing");

	($status, $answer) = $shop->connect;
	is("$status " . ($answer->{state} // ''), '200 connected', "$channel: is connected") or diag explain $answer;
	my $connection = $shop->connection;
	is($shop->bound("SELECT profile IS NOT NULL FROM laras.connections WHERE id = $connection"), $shop->has_profile ? 't' : 'f', "$channel: with what it may be recognised by");
	is($shop->tile->{connections}[0]{display_name}, $shop->{account}{display}, "$channel: under the name that the provider gave");
	is($stage->sql("SELECT count(*) FROM laras.consent_grant WHERE connection_id = $connection"), $shop->logs_in, "$channel: with a consent where its owner gave one");
	my @texts;
	for my $who ($shop, $other)
	{
		($status, $answer) = $who->connect(account => $shop->{account});
		push @texts, "$status $answer->{error}{code} $answer->{error}{message}";
	}
	like($texts[0], $shop->logs_in ? qr/^409 account_in_use_here this workspace/ : qr/^409 account_in_use/, "$channel: it is not connected again");
	like($texts[1], qr/^409 account_in_use the account is connected already/, "$channel: nor by another, who learns nothing of the first");
	is($other->bound('SELECT count(*) FROM laras.connections'), 0, "$channel: who has none");

	both_ways($shop, $other) if $shop->talks;

	next unless defined $shop->{account}{token};
	unlike($stage->seen, qr/\Q$shop->{account}{token}\E/, "$channel: no token in any answer");
	unlike(slurp_file($stage->node->logfile), qr/\Q$shop->{account}{token}\E/, "$channel: nor in the log");
}

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();

# A customer writes, and is answered: once, later, not at all.
sub both_ways
{
	my ($shop, $other) = @_;
	my $channel = $shop->channel;
	is($shop->says(Sari => 'halo kak'), 200, "$channel: a customer's message is taken");
	ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo kak'"), "$channel: and read");
	is($other->bound('SELECT count(*) FROM laras.messages'), 0, "$channel: by its own workspace alone");
	is($shop->bound('SELECT name FROM laras.contacts'), 'Sari', "$channel: the customer has a name") if $shop->names_people;
	my $first = $shop->reply(Sari => 'Halo Sari, ada yang bisa dibantu?');
	ok(reaches($shop, $first, 'sent'), "$channel: the answer is sent");
	is(scalar($shop->sends('Sari')), 1, "$channel: once");
	is($shop->bound("SELECT provider_message_id IS NOT NULL FROM laras.messages WHERE id = $first"), 't', "$channel: it has the provider's id");
	ok($shop->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $first"), "$channel: and is delivered") if $shop->statuses;
	my (undef, undef, $error) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($shop->{workspace}); SELECT laras.reply((SELECT max(id) FROM laras.conversations), '" . $shop->too_long . "')");
	like($error, qr/ERROR/, "$channel: what is longer than the provider takes is not queued");

	my %code = $shop->fault_codes;
	$shop->fault(action => 'refuse', code => $code{throttled});
	ok(reaches($shop, $shop->reply(Sari => 'satu lagi ya'), 'sent'), "$channel: throttled, it is sent later");
	is(scalar($shop->sends('Sari')), 2, "$channel: once");
	$shop->fault(action => 'refuse', code => $code{refused});
	ok(reaches($shop, $shop->reply(Sari => 'yang ini tidak'), 'refused'), "$channel: what the provider refuses is refused");
	for my $action ($shop->unclear)
	{
		$shop->fault(action => $action, statuses => 'never');
		my $lost = $shop->reply(Sari => "setelah $action");
		ok($shop->wait_bound("SELECT state = 'uncertain' FROM laras.outbox WHERE message_id = $lost", 30), "$channel: $action leaves it uncertain");
		next unless $shop->asks;
		$stage->sql("SELECT laras.advance_clock('11 s')");
		$stage->sql("SELECT laras.pause_workers('courier')");
		$stage->sql("SELECT laras.resume_workers('courier')");
		ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $lost", 30), "$channel: until the provider was asked");
		is($stage->sql("SELECT count(*) FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $lost AND outcome <> 'staged'"), 1, "$channel: it is published once");
	}
	$shop->fault(action => 'refuse', code => $code{dead});
	ok(reaches($shop, $shop->reply(Sari => 'token mati'), 'parked'), "$channel: a dead token parks it");
	is($shop->tile->{state}, 'needs_reauth', "$channel: and the tile says so");
	return;
}

# Every state asked for is an end: another end is an answer too.
sub reaches
{
	my ($shop, $id, $state) = @_;
	$shop->wait_bound("SELECT state IN ('$state', 'sent', 'refused', 'uncertain', 'parked', 'cancelled') FROM laras.outbox WHERE message_id = $id", 30);
	return $shop->bound("SELECT state FROM laras.outbox WHERE message_id = $id") eq $state;
}
