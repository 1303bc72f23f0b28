# A connection cut by its owner, by a deauthorize callback and by a data-deletion
# callback: three installations with the same story end with the same rows, the
# same keys gone and the same calls; only who asked differs. Each is cut by the one
# request, with no worker running and, for the callbacks, nobody signed in. Manual
# review, the fourth way, is not in this test.
#
# proves R140 R153

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use Laras;
use MIME::Base64 qw(encode_base64url);
use Stage;
use Test::More;

my %end;
for my $way (qw(owner deauthorize deletion))
{
	my $stage = Stage->new($way);
	my $connection = $stage->connect;
	my $workspace = $stage->workspace;
	$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Gayo 250 gr', 95000, 12)");

	# something of each kind: answered, drafted, waiting to be sent, waiting to be read
	$stage->customer('628124000001', 'Halo kak, berapa harga kopi gayo?');
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state = 'held'"), "$way: a draft waits");
	my $first = $stage->bound("SELECT laras.approve_draft((SELECT id FROM laras.drafts WHERE state = 'held'))");
	ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $first", 30), "$way: approved and delivered");
	$stage->customer('628124000002', 'Halo kak, berapa harga kopi gayo?');
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state = 'held'"), "$way: another waits");
	$stage->sql("SELECT laras.pause_workers('courier')");
	$stage->bound("SELECT laras.reply((SELECT conversation_id FROM laras.messages WHERE direction = 'in' ORDER BY id LIMIT 1), 'Sebentar ya kak')");
	$stage->sql("SELECT laras.pause_workers('intake')");
	$stage->customer('628124000003', 'Masih ada?');

	# what cuts does so by itself: no worker runs, and for a callback nobody is signed in
	$stage->sql('SELECT laras.pause_workers()');
	$stage->sql('DELETE FROM laras.session') unless $way eq 'owner';
	my $calls = () = $stage->sandbox->ledger;
	my ($status, $answer);
	if ($way eq 'owner')
	{
		($status) = $stage->call(POST => "/app/settings/integrations/$connection/disconnect", {});
	}
	else
	{
		my $payload = encode_base64url(JSON::PP->new->encode({ algorithm => 'HMAC-SHA256', issued_at => time, user_id => $stage->shop->{user} }));
		my $request = encode_base64url(hmac_sha256($payload, $stage->shop->{secret})) . ".$payload";
		($status, $answer) = $stage->call(POST => $way eq 'deletion' ? '/api/meta/data-deletion' : '/api/meta/deauthorize',
			HTTP::Tiny->new->www_form_urlencode({ signed_request => $request }), 'Content-Type' => 'application/x-www-form-urlencoded');
	}
	is($status, 200, "$way: cut");
	is($stage->sql("SELECT laras.key_state(slot) || ' ' || (SELECT count(*) FROM laras.channel_token) || ' ' || (SELECT count(*) FROM laras.route WHERE connection_id = $connection) FROM laras.connection WHERE id = $connection"),
		'destroyed 0 0', "$way: by that request alone");
	$stage->sql('DELETE FROM laras.session');
	$stage->sql('SELECT laras.resume_workers()');
	ok($stage->wait_bound("SELECT state = 'disconnected' AND remote_revoke IN ('done', 'skipped') FROM laras.connections WHERE id = $connection"), "$way: to the end");
	ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.outbox WHERE state IN ('queued', 'claimed')"), "$way: nothing waits to be sent");
	ok(wait_for_sql($stage->node, 'SELECT sum(c.events) = (SELECT count(*) FROM laras.webhook_event) FROM laras.event_cursor c'), "$way: all that had come was read")
	  or diag $stage->sql('SELECT * FROM laras.event_cursor');
	if ($way eq 'deletion')
	{
		my ($page) = $answer->{url} =~ m{(/data-deletion/status/\w+)$};
		ok(wait_for(sub { my (undef, $a) = $stage->call(GET => $page); return ref $a && $a->{state} eq 'removed' }), "$way: the code says removed");
	}
	my @after = $stage->sandbox->ledger;
	is(scalar(grep { $_->{path} =~ m{/messages$} } @after[ $calls .. $#after ]), 0, "$way: nothing is sent any more");
	$end{$way} = $stage->contents;
	is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, "$way: the evidence verifies");
	$stage->stop;
}

for my $way (qw(deauthorize deletion))
{
	my @differ = grep { ($end{owner}{$_} // '') ne ($end{$way}{$_} // '') } sort keys %{ { %{ $end{owner} }, %{ $end{$way} } } };
	is("@differ", '', "$way ends as the owner's disconnect")
	  or diag join "\n", map { "$_\n owner\n$end{owner}{$_}\n $way\n$end{$way}{$_}" } @differ;
}
cmp_ok(scalar(grep { length } values %{ $end{owner} }), '>', 15, 'the comparison saw rows of many tables');
done_testing();
