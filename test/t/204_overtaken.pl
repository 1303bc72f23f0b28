# An answer that went by itself and still waits for the courier is overtaken when a
# person answers first: it would say the same twice, or the contrary. What software of
# the business sends (a notice of a parcel) answers nothing, and what a person approved
# leaves.
#
# proves R070

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('overtaken');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
$stage->sign_in;
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Nastar', 45000, 3)});
my %phone = map { $_ => sprintf '628129200000%d', $_ } 1 .. 4;
$stage->bound("SELECT laras.set_auto_send($connection, true)");
$stage->sql("SELECT laras.pause_workers('courier')");
my %draft = map { $_ => asks($_) } 1 .. 3;
$stage->bound("SELECT laras.set_auto_send($connection, false)");
$draft{4} = asks(4);
is($stage->bound("SELECT string_agg(state, ' ' ORDER BY id) FROM laras.drafts WHERE id <> $draft{4}"), 'approved approved approved', 'three answers go by themselves, and wait for the courier');
my %conversation = map { $_ => $stage->bound("SELECT conversation_id FROM laras.drafts WHERE id = $draft{$_}") } 1 .. 4;
ok($stage->bound("SELECT laras.approve_draft($draft{4})") > 0, 'a person approves a fourth');
is(($stage->call(POST => "/api/conversations/$conversation{$_}/reply", { body => "Maaf kak, nastar sedang kosong." }))[0], 200, 'somebody answers') for 1, 4;
ok($stage->bound("SELECT laras.reply($conversation{2}, 'Paket kakak sudah di kurir.')") > 0, 'software of the business tells of a parcel');
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.outbox WHERE state IN ('queued', 'sending')", 60), 'the courier goes on');
is_deeply({ map { $_ => [ got($_) ] } 1 .. 4 }, { 1 => ['kosong'], 2 => [ 'price', 'other' ], 3 => ['price'], 4 => [ 'price', 'kosong' ] }, 'who had an answer from a person gets no other that nobody looked at');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $draft{1}"), 'superseded', 'the draft says so');
is($stage->bound("SELECT o.state || ' ' || o.reason || ' ' || m.status || ' ' || o.attempts FROM laras.outbox o JOIN laras.drafts d ON d.message_id = o.message_id JOIN laras.message m ON m.id = o.message_id WHERE d.id = $draft{1}"), 'cancelled overtaken cancelled 0', 'and its message');
is($stage->bound("SELECT count(*) FROM laras.send_reason WHERE reason = 'overtaken'"), 1, 'in words, too');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

sub asks
{
	my ($n) = @_;
	my $of = "FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone{$n}'";
	$stage->customer($phone{$n}, 'nastar berapa kak?');
	ok($stage->wait_bound("SELECT count(*) = 1 $of", 30), 'a question is drafted');
	return $stage->bound("SELECT d.id $of");
}

# What their phone showed, in the order in which it came.
sub got
{
	my ($n) = @_;
	return map { /kosong/ ? 'kosong' : /45\.000/ ? 'price' : 'other' } map { $_->{body}{text}{body} } grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} && ($_->{body}{to} // '') eq $phone{$n} && $_->{body}{text} } $stage->sandbox->ledger;
}
