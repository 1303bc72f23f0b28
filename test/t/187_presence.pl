# Read marks and typing indicators: nothing is shown until the owner wants it, then
# by each channel's own request; a reply that waits leaves first; what could not be
# shown in time, or was refused, is forgotten, with its row.
#
# proves R082

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('presence');
my $sandbox = $stage->sandbox;
my $seen = 0;
my %shown = (
	whatsapp => [ 'typing', 'read' ],
	instagram => [ 'mark_seen typing_on', 'mark_seen' ],
	messenger => [ 'mark_seen typing_on', 'mark_seen' ],
	telegram => [ 'typing', '' ]);
my %shop;
for my $channel (sort keys %shown)
{
	my $shop = $shop{$channel} = Channels->open($stage, $channel);
	is(($shop->connect)[0], 200, "$channel: connected");
	$shop->says(Sari => 'halo');
	ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body LIKE 'halo%'"), 'a customer writes');
	my $conversation = $shop->bound('SELECT id FROM laras.conversations');
	news();
	is($shop->bound("SELECT laras.show_presence($conversation)"), 'f', 'nothing is shown at first');
	is($shop->bound("SELECT presence FROM laras.connections WHERE id = @{[ $shop->connection ]}"), 'off', 'as the connection says');
	$shop->bound("SELECT laras.set_presence(@{[ $shop->connection ]}, 'typing')");
	is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'presence.set' AND subject_id = @{[ $shop->connection ]}"), 1, 'the owner wants it, with evidence');
	is($shop->bound("SELECT laras.show_presence($conversation)"), 't', 'somebody writes');
	ended($shop);
	is(join(' ', map { $_->{type} } grep { $_->{outcome} ne 'refused' } news()), $shown{$channel}[0], 'which is shown');
	is($shop->bound("SELECT laras.show_presence($conversation, false)"), $shown{$channel}[1] eq '' ? 'f' : 't', 'somebody reads');
	ended($shop);
	is(join(' ', map { $_->{type} } grep { $_->{outcome} ne 'refused' } news()), $shown{$channel}[1], 'and that alone is shown');
	$shop->bound("SELECT laras.set_presence(@{[ $shop->connection ]}, 'read')");
	is($shop->bound("SELECT laras.show_presence($conversation)"), $shown{$channel}[1] eq '' ? 'f' : 't', 'an owner who wants only reading shown');
	ended($shop);
	is(join(' ', map { $_->{type} } news()), $shown{$channel}[1], 'shows no typing');
}

# --------------------------------------------------------- only what one may say
my $shop = $shop{whatsapp};
my $connection = $shop->connection;
my $conversation = $shop->bound('SELECT id FROM laras.conversations');
for my $case ([ "laras.set_presence($connection, 'loud')", '22023' ], [ "laras.set_presence(4711, 'read')", 'P0002' ])
{
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as(@{[ $shop->workspace ]}); SELECT $case->[0]");
	like($error, qr/ERROR:  $case->[1]:/, "$case->[0] answers $case->[1]");
}
is($shop->bound('SELECT laras.show_presence(4711)'), 'f', 'of no conversation nothing is shown');
is($shop{telegram}->bound("SELECT laras.show_presence($conversation)"), 'f', "nor of another workspace's");

# ------------------------------------------------ replies first, and nothing late
$shop->bound("SELECT laras.set_presence($connection, 'typing')");
$stage->sql("SELECT laras.pause_workers('courier')");
news();
$shop->bound("SELECT count(laras.show_presence($conversation)) FROM generate_series(1, 20)");
$shop->bound("SELECT laras.reply($conversation, 'ini balasannya')");
$stage->sql("SELECT laras.resume_workers('courier')");
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.outbox WHERE state = 'sent'"), 'a reply is queued behind twenty marks');
ended($shop);
my @types = map { $_->{type} } news();
is($types[0], 'text', 'and leaves before the first of them');
is(scalar(grep { $_ eq 'typing' } @types), 20, 'which are all shown afterwards');
$stage->sql("SELECT laras.pause_workers('courier')");
$shop->bound("SELECT laras.show_presence($conversation)");
$stage->sql("SELECT laras.advance_clock('30 seconds')");
$stage->sql("SELECT laras.resume_workers('courier')");
ended($shop);
is(scalar(news()), 0, 'what is late is not shown');
$sandbox->fault(match => { route => 'messages', text => 'typing_indicator' }, action => 'refuse', code => 131009);
$shop->bound("SELECT laras.show_presence($conversation)");
ended($shop);
is(join(' ', map { $_->{code} } news()), '131009', 'what is refused is not tried again');
is($shop->bound("SELECT state FROM laras.connections WHERE id = $connection"), 'connected', 'and stops nothing');
is($stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'presence' AND finished_at IS NULL"), 0, 'every request is accounted for');

# --------------------------------------------------- before a draft goes by itself
$shop->bound("INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES (@{[ $shop->workspace ]}, 1, 'jam buka', 'id', 'Buka setiap hari jam 08.00 sampai 20.00.')");
$shop->bound("SELECT laras.set_auto_send($connection, true)");
$shop->says(Sari => 'jam buka brp kak');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state = 'sent'"), 'a draft goes out by itself');
ok(wait_for(sub { return grep { $_->{type} eq 'read' } $sandbox->ledger(limit => 100_000) }), "and the customer's message is marked as read");

$stage->stop;
done_testing();

# No mark waits or is under way any more: nothing is left of them.
sub ended
{
	my ($of) = @_;
	return ok(wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.courier_task WHERE kind = 'presence'"), '(ended)');
}

# What the provider was asked since the last look, but for webhooks' and log-ins' requests.
sub news
{
	my @entries = grep { $_->{seq} > $seen && $_->{method} eq 'POST' && $_->{path} =~ m{/(messages|sendMessage|sendChatAction)$} } $sandbox->ledger(limit => 100_000);
	$seen = $entries[-1]{seq} if @entries;
	return @entries;
}
