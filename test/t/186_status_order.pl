# Statuses in any order, repeated, contradicting each other and of ids that nobody
# knows: no message's status ever goes back, which a trigger on each change
# watches, and each ends at the highest that was reported, with all of them kept.
# The long form is goal S5; its figures stand in docs/reference/sends.md.
#
# proves R085

use strict;
use warnings;

use JSON::PP ();
use Laras;
use List::Util qw(shuffle);
use Stage;
use Test::More;
use Time::HiRes qw(time);

my $messages = $ENV{LARAS_MESSAGES} // long_run(40, 40_000);    # a multiple of the people
my $each = long_run(15, int(1_000_000 / $messages));    # statuses of a message
my $body = long_run(120, 800);    # statuses of a body
my $seed = $ENV{LARAS_SEED} // int(rand 1_000_000);
srand $seed;
note "seed $seed";

# Statuses, the lowest first, as src/inbox/status.c climbs.
my @order = qw(queued cancelled uncertain sent failed delivered read played);
my %rank = map { $order[$_] => $_ } 0 .. $#order;

my $stage = Stage->new('statuses', settings => { log_statement => 'none' },
	sandbox => { sent_after_ms => -1, delivered_after_ms => -1, read_after_ms => -1, enforce_limits => JSON::PP::false, ledger_entries => $messages + 100 });
my $connection = $stage->connect;
my $shop = $stage->shop;
$stage->sql("SELECT laras.pause_workers('keeper')");
$stage->bound("SELECT laras.set_send_rate($connection, 100000)");
my $people = $messages < 1000 ? 20 : 1000;
$stage->customer(628_126_000_000 + $_ . q(), 'halo', wait => JSON::PP::false) for 1 .. $people;
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.conversation", 120), "$people people write");
$stage->bound("SELECT count(laras.reply(c.id, 'pesan ' || g)) FROM laras.conversation c, generate_series(1, $messages / $people) g");
ok(wait_for_sql($stage->node, "SELECT count(*) = $messages FROM laras.outbox WHERE state = 'sent'", long_run(60, 600)), "$messages messages are sent");
my @wamid = map { $_->{wamid} } $stage->sandbox->ledger(accepted => 'true', path => '/messages', limit => $messages + 100);
is(scalar @wamid, $messages, 'and taken');

$stage->sql(<<"SQL");
CREATE TABLE watched (up bigint NOT NULL DEFAULT 0, down bigint NOT NULL DEFAULT 0);
INSERT INTO watched DEFAULT VALUES;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS \$\$
BEGIN
	UPDATE watched SET up = up + (array_position('{@{[join ',', @order]}}', new.status) > array_position('{@{[join ',', @order]}}', old.status))::int,
		down = down + (array_position('{@{[join ',', @order]}}', new.status) < array_position('{@{[join ',', @order]}}', old.status))::int;
	RETURN NULL;
END \$\$;
CREATE TRIGGER watch AFTER UPDATE OF status ON laras.message FOR EACH ROW WHEN (old.status IS DISTINCT FROM new.status) EXECUTE FUNCTION watch();
SQL

# --------------------------------------------------------------- shuffled statuses
my @word = qw(sent delivered read failed);
my (@event, %highest);
for my $m (0 .. $#wamid)
{
	# not every message is delivered, and few are read
	my @may = @word[ 0, (0, 1, 1, 1, 2)[rand 5], (0, 0, 2, 3)[rand 4] ];
	for (1 .. $each)
	{
		my ($status, $at) = ($may[rand @may], 1_790_000_000 + int rand 40);
		push @event, [ $m, $status, $at ];
		$highest{$m} = $status if $rank{$status} > $rank{ $highest{$m} // 'queued' };
	}
}
@event = shuffle @event;
my $json = JSON::PP->new->utf8;
my ($posted, $began) = (0, time);
for (my $from = 0; $from < @event; $from += $body)
{
	my @part = @event[ $from .. ($from + $body > $#event ? $#event : $from + $body - 1) ];
	my @statuses = map { status($wamid[ $_->[0] ], $_->[1], $_->[2]) } @part;
	$posted++ if post(@statuses) == 200;
}
is($posted, int((@event + $body - 1) / $body), scalar(@event) . ' statuses are acknowledged');
# a provider that lies: statuses of ids that it never gave, and one that is no status
is(post(map { status("wamid.nobody$_", 'read', 1_790_000_000) } 1 .. 20), 200, 'and some of messages that nobody sent');
is(post(status($wamid[0], 'vanished', 1_790_000_000)), 200, 'and a word that nobody knows');

my $expected = join ',', map { "$highest{$_}" } sort { $wamid[$a] cmp $wamid[$b] } 0 .. $#wamid;
ok(wait_for(sub { return statuses() eq $expected }, long_run(60, 1800)), 'each message has the highest status that was reported');
my $took = time - $began;
ok(wait_for_sql($stage->node, 'SELECT count(*) = 20 FROM laras.unmatched_status', long_run(30, 900)), 'those of unknown ids wait');
is($stage->sql('SELECT down FROM watched'), 0, 'no status ever went back') or diag "seed $seed";
cmp_ok($stage->sql('SELECT up FROM watched'), '>=', $messages / 2, 'all of them climbed');
my %kept = map {; "$_->[0] $_->[1]" => 1 } @event;
is($stage->sql('SELECT count(*) FROM laras.message_status'), scalar keys %kept, 'every one is kept, once');
is($stage->sql('SELECT count(*) FROM laras.quarantined_event'), 1, 'what is no status is set aside, and nothing beside it');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
diag sprintf '%d statuses of %d messages, seed %d, %.0f s: %d changes, %d of them back', scalar @event, $messages, $seed, $took, split /\|/, $stage->sql('SELECT up + down, down FROM watched') if $messages >= 1000;
$stage->stop;
done_testing();

sub status
{
	my ($id, $status, $at) = @_;
	return { id => $id, status => $status, timestamp => "$at", recipient_id => '628126000001',
		$status eq 'failed' ? (errors => [ { code => 131026, title => 'Undeliverable' } ]) : () };
}

sub post
{
	my (@statuses) = @_;
	return post_webhook($stage->url, 'wa', $shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $shop->{waba}, changes => [ { field => 'messages',
		value => { messaging_product => 'whatsapp', metadata => { display_phone_number => $shop->{phone}, phone_number_id => $shop->{number} }, statuses => \@statuses } } ] } ] }))->{status};
}

# Of all messages, in the order of their ids at the provider.
sub statuses
{
	my %status = map { split /\|/ } split /\n/, $stage->bound("SELECT provider_message_id || '|' || status FROM laras.messages WHERE direction = 'out'");
	return join ',', map { $status{$_} // '' } sort keys %status;
}
