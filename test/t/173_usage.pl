# The provider tells in a header how much of its quota is used up. From 80 percent
# on an account is left alone for a while after each answer, the longer the fuller.
# What it says of the whole app rests all that was connected through it, what it says of a
# business account all numbers below that, for as long as it asks for, also by a courier that
# begins meanwhile; and nobody else.
use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('usage', sandbox => { usage_percent => 81 });
my $connection = $stage->connect;
is($stage->customer("62812345000$_", "halo $_")->{status}, 200, 'a customer writes') for 1 .. 3;
ok($stage->wait_bound('SELECT count(*) = 3 FROM laras.conversations'), 'three conversations');
my @conversation = split /\n/, $stage->bound('SELECT id FROM laras.conversations ORDER BY id');

sub say_to
{
	my ($conversation, $text) = @_;
	my $id = $stage->bound("SELECT laras.reply($conversation, '$text')");
	ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $id", 30), "$text is sent");
	return;
}

# every send is answered before the next is queued
say_to($conversation[$_], "jawaban $_") for 0 .. 2;
my @at = map { $_->{time_ms} } grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} } $stage->sandbox->ledger;
is(scalar(@at), 3, 'three requests');
cmp_ok($at[1] - $at[0], '>=', 2000, 'at 81 percent there are two seconds between them');
cmp_ok($at[2] - $at[1], '>=', 2000, 'each time');

# ------------------------------------------------ whom else a refusal is about
# one number of the shop's business account, another of it, one of another through the same app, and a Page
my ($sandbox, $shop) = ($stage->sandbox, $stage->shop);
$sandbox->control(POST => 'settings', { usage_percent => 0 });
$stage->sql("SELECT laras.drain('30 s')");
my $number = $sandbox->control(POST => 'number', { waba_id => $shop->{waba}, display_phone_number => '+628117770010' })->{id};
my $token = $sandbox->control(POST => 'token', { app_id => $shop->{app}, waba_id => $shop->{waba} })->{token};
my $sister = $stage->bound(qq(SELECT laras.pair_connection('whatsapp', '{"phone_number_id": "$number", "waba_id": "$shop->{waba}"}', '$token', false)));
ok($stage->wait_bound("SELECT state = 'connected' FROM laras.connections WHERE id = $sister"), 'a second number of the account');
my $cousin = Channels->open($stage, 'whatsapp');
my $stranger = Channels->open($stage, 'messenger');
is(($_->connect)[0], 200, 'another connection') for $cousin, $stranger;
$_->says(Sari => 'halo') for $cousin, $stranger;
$sandbox->customer_says({ number => $number }, '628999000222', 'halo adik', wait => JSON::PP::true);
ok($_->wait_bound('SELECT count(*) = 1 FROM laras.conversations'), 'somebody writes there') for $cousin, $stranger;
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo adik'"), 'and to the second number');
my $theirs = $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'halo adik'");

# A number is refused; then something is to leave through the others.
my %resting = (4 => 'app', 80007 => 'business');
for my $code (4, 80007)
{
	my ($held, $goes) = $code == 4 ? ($cousin, $stranger) : (undef, $cousin);
	$sandbox->fault(match => { route => 'messages', number => $shop->{number} }, action => 'refuse', code => $code);
	my $first = $stage->bound("SELECT laras.reply($conversation[0], 'ditolak $code')");
	ok(wait_for_sql($stage->node, "SELECT count(*) = 1 FROM laras.send_pause WHERE connection_id = $connection AND reach = '$resting{$code}'", 30), "refused by $code it rests, and its $resting{$code} with it");
	my $until = $stage->sql("SELECT rests_until FROM laras.send_pause WHERE connection_id = $connection");
	is($stage->sql("SELECT '$until' > max(started_at) + interval '1 minute' FROM laras.send_attempt WHERE error_code = $code"), 't', 'for the minute that it says') if $code == 80007;
	my $waits = $held ? $held->reply(Sari => "menunggu $code") : $stage->bound("SELECT laras.reply($theirs, 'menunggu $code')");
	ok(leaves($goes, $code, 1), 'who does not belong to it goes on');
	my $attempts = $stage->sql("SELECT attempts FROM laras.outbox WHERE message_id = $waits");
	# a courier that begins meanwhile does the same; on a machine so busy that the pause is over there is nothing to be seen
	my $late = restart("clock_timestamp() + interval '1 hour'", $until);
	is($attempts, 0, 'who does waits') unless $late;
	ok(leaves($goes, $code, 2), 'by another courier too') or diag $stage->sql('SELECT * FROM laras.send_pause');
	is($stage->sql("SELECT state || ' ' || attempts FROM laras.outbox WHERE message_id = $waits"), 'queued 0', 'while that one waits') unless $late;
	restart('clock_timestamp()', $until);
	ok(wait_for_sql($stage->node, "SELECT count(*) = 2 FROM laras.outbox WHERE message_id IN ($first, $waits) AND state = 'sent'", 60), 'until it is over');
}
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();

sub leaves
{
	my ($who, $code, $nth) = @_;
	my $id = $who->reply(Sari => "jalan terus $code $nth");
	return $who->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $id", 60);
}

# Ends the courier, once nothing is under way; its successor finds the pause until then. Was it over?
sub restart
{
	my ($until, $was) = @_;
	$stage->sql("SELECT laras.pause_workers('courier')");
	ok(wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.outbox WHERE state = 'sending'", 30), 'nothing is under way');
	my $late = $stage->sql("SELECT clock_timestamp() > '$was'") eq 't';
	$stage->sql("UPDATE laras.send_pause SET rests_until = $until");
	$stage->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras courier'");
	$stage->sql("SELECT laras.resume_workers('courier')");
	return $late;
}
