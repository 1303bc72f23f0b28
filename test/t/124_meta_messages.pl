# Instagram, Messenger and Threads: the parsers against tables written by reading
# the bodies, and what the inbox makes of messages, edits, unsends, reactions,
# echoes and watermarks; comments, which nobody has authorised, are counted and
# not kept.
#
# proves R037 R038 R045 R053 R092

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Laras;
use Payloads;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref->utf8;

# ----------------------------------------------------------- the parsers alone
my $payloads = Payloads->build;
$payloads->agree($_, 'our own bodies', "test/payloads/$_", "test/payloads/$_/expected.tsv") for qw(instagram messenger threads);
$payloads->agree_shared($_, $_) for qw(instagram messenger threads);
$payloads->agree_shared('messenger', 'page');

# ------------------------------------------------------------------- the inbox
my $node = Laras->cluster('meta');
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'the vault opens');
my %secret = (instagram => 'the instagram app secret of tests', messenger => 'the main app secret of these tests', threads => 'the threads app secret of the tests');
my $app = 100;
sql("SELECT laras.register_provider_app('{$_}', '" . $app++ . "', '$secret{$_}', 'verify-me-please')") for sort keys %secret;
my $workspace = sql("SELECT laras.create_workspace('Toko', 'owner\@shop.example', 'correct horse battery')");
Laras->go_live($node, $workspace);
my %account = (instagram => '17841400000000001', messenger => '100000000000001', threads => '9001');
my %member = (instagram => 'ig_id', messenger => 'page_id', threads => 'threads_user_id');
my %connection = map { $_ => bound("SELECT laras.pair_connection('$_', '{\"$member{$_}\": \"$account{$_}\"}', 'IGAAtesttoken', false)") } sort keys %account;
my ($ret, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.begin_connect('generic')");
like($error, qr/cannot be connected by log-in/, 'a channel without a log-in says so');
($ret, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.pair_connection('instagram', '{\"page_id\": \"1\"}', 'x', false)");
like($error, qr/the account lacks an id.*Give \{"ig_id"/s, 'and what an account is called');
my $start = time - 3600;

is(receive('instagram', body('instagram', message => { mid => 'x', text => 'x' }), $secret{messenger}), 401, 'each path has secrets of its own');
is(receive('messenger', body('instagram', message => { mid => 'x', text => 'x' })), 200, "another object's body is acknowledged");
drain();
is(bound('SELECT count(*) FROM laras.messages'), 0, 'and not believed');

for my $channel (qw(instagram messenger))
{
	my $c = substr $channel, 0, 1;
	says($channel, message => { mid => "$c.1", text => 'halo' });
	says($channel, message => { mid => "$c.2", attachments => [ { type => 'image', payload => { url => 'https://cdn.example/1.jpg' } } ] });
	says($channel, message => { mid => "$c.3", text => 'yang ini', reply_to => { mid => "$c.1" } });
	says($channel, postback => { title => 'Jam buka', payload => 'HOURS' });
	drain();
	is(one("SELECT string_agg(kind, ',' ORDER BY provider_timestamp) FROM laras.messages WHERE channel = '$channel'"), 'text,image,text,postback', "$channel: messages of their kinds");
	is(one("SELECT content::jsonb #>> '{payload,url}' FROM laras.message_parts p JOIN laras.messages m ON m.id = p.message_id WHERE m.provider_message_id = '$c.2'"), 'https://cdn.example/1.jpg', "$channel: a picture is a part");
	is(one("SELECT about_message_id = (SELECT id FROM laras.messages WHERE provider_message_id = '$c.1') FROM laras.messages WHERE provider_message_id = '$c.3'"), 't', "$channel: an answer names what it answers");
	is(one("SELECT kind FROM laras.contact_identities WHERE channel = '$channel'"), $channel eq 'instagram' ? 'igsid' : 'psid', "$channel: the person is known by the right kind of id");
	is(one("SELECT unread || ' ' || (last_inbound_at IS NOT NULL) FROM laras.conversations WHERE channel = '$channel'"), '4 true', "$channel: they count, and open the window");

	# the same again, wrapped otherwise
	is(receive($channel, $json->encode({ %{ $json->decode(body($channel, message => { mid => "$c.1", text => 'halo' })) }, again => 1 })), 200, "$channel: a repeat");
	drain();
	is(one("SELECT count(*) FROM laras.messages WHERE provider_message_id = '$c.1'"), 1, "$channel: changes nothing");

	says($channel, message_edit => { mid => "$c.1", text => 'halo kak', num_edit => 1 });
	says($channel, message => { mid => "$c.2", is_deleted => JSON::PP::true });
	says($channel, reaction => { mid => "$c.1", action => 'react', emoji => "\x{2764}" });
	drain();
	is(one("SELECT body FROM laras.messages WHERE provider_message_id = '$c.1'"), 'halo kak', "$channel: an edit");
	is(one("SELECT (unsent_at IS NOT NULL) || ' ' || (SELECT count(*) FROM laras.message_parts p WHERE p.message_id = m.id) FROM laras.messages m WHERE provider_message_id = '$c.2'"), 'true 0', "$channel: an unsend takes the picture with it");
	is(one("SELECT count(*) FROM laras.messages WHERE kind = 'reaction' AND channel = '$channel' AND about_message_id = (SELECT id FROM laras.messages WHERE provider_message_id = '$c.1')"), 1, "$channel: a reaction");

	# what the business wrote elsewhere, delivered and read
	says($channel, sender => { id => $account{$channel} }, recipient => { id => person($channel) }, message => { mid => "$c.4", text => 'masih ada', is_echo => JSON::PP::true });
	drain();
	is(one("SELECT direction || ' ' || author_kind || ' ' || status FROM laras.messages WHERE provider_message_id = '$c.4'"), 'out app sent', "$channel: an echo is ours");
	is(one("SELECT unread FROM laras.conversations WHERE channel = '$channel'"), 0, "$channel: and answers");
	says($channel, $channel eq 'instagram' ? (read => { mid => "$c.4" }) : (delivery => { watermark => time . '000' }));
	says('messenger', read => { watermark => time . '999' }) if $channel eq 'messenger';
	drain();
	is(one("SELECT status FROM laras.messages WHERE provider_message_id = '$c.4'"), 'read', "$channel: and is read");
	is(one("SELECT string_agg(s.status, ',' ORDER BY s.status) FROM laras.message_statuses s JOIN laras.messages m ON m.id = s.message_id WHERE m.provider_message_id = '$c.4'"),
		$channel eq 'instagram' ? 'read' : 'delivered,read', "$channel: as its history says");

	# another application has the conversation
	my $standby = $json->decode(body($channel, message => { mid => "$c.5", text => 'untuk yang lain' }));
	$standby->{entry}[0]{standby} = delete $standby->{entry}[0]{messaging};
	is(receive($channel, $json->encode($standby)), 200, "$channel: standby");
	drain();
	is(one("SELECT count(*) FROM laras.messages WHERE provider_message_id = '$c.5'") . sql("SELECT count(*) FROM laras.draft_wanted w JOIN laras.message m ON m.workspace_id = w.workspace_id AND m.id = w.message_id WHERE m.channel = '$channel'"), '10', "$channel: is kept, without an answer");
}

# Comments: nobody has authorised them.
my $before = sql('SELECT (SELECT count(*) FROM laras.message) + (SELECT count(*) FROM laras.contact)');
is(receive('instagram', $json->encode({ object => 'instagram', entry => [ { id => $account{instagram}, time => $start, changes => [ { field => 'comments',
	value => { id => 'c1', text => 'rahasia komentar', from => { id => '5000000000000009', username => 'tono' }, media => { id => 'p1' } } } ] } ] })), 200, 'a comment below a picture');
is(receive('messenger', $json->encode({ object => 'page', entry => [ { id => $account{messenger}, time => $start, changes => [ { field => 'feed',
	value => { item => 'comment', verb => 'add', comment_id => '1_2', post_id => '1_1', from => { id => '7000000000000009', name => 'Tono' }, message => 'rahasia' } } ] } ] })), 200, 'below a post');
is(receive('threads', $json->encode({ target_id => $account{threads}, values => { field => 'replies', value => { id => 't1', username => 'tono', text => 'rahasia',
	root_post => { id => 't0', owner_id => $account{threads}, username => 'toko' }, timestamp => '2025-11-20T01:00:00+0000' } } })), 200, 'in a thread');
drain();
is(sql('SELECT (SELECT count(*) FROM laras.message) + (SELECT count(*) FROM laras.contact)'), $before, 'is not kept');
is(sql("SELECT string_agg(channel || ' ' || count, ',' ORDER BY channel) FROM laras.ignored_events WHERE reason = 'comment_not_authorised'"), 'instagram 1,messenger 1,threads 1', 'but counted');
is(bound('SELECT count(*) FROM laras.quarantine'), 0, 'nothing was set aside');

# An account that is gone is not heard.
bound("SELECT laras.disconnect($connection{messenger})");
says('messenger', message => { mid => 'gone.1', text => 'masih di sana?' });
drain();
is(one("SELECT count(*) FROM laras.messages WHERE provider_message_id = 'gone.1'"), 0, 'an account that is disconnected is not heard');

is(sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is(bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$node->stop('fast');
done_testing();

# --------------------------------------------------------------------- helpers

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub bound { return bound_to($node, $workspace, $_[0]); }

sub one { return bound($_[0]); }
sub drain { sql("SELECT laras.drain('30 s')") eq 't' or diag sql('SELECT worker, state, last_error FROM laras.worker_status'); return; }
sub person { return $_[0] eq 'instagram' ? '5000000000000001' : '7000000000000001'; }

my $tick = 0;

sub body
{
	my ($channel, %event) = @_;
	return $json->encode({ object => $channel eq 'instagram' ? 'instagram' : 'page', entry => [ { id => $account{$channel}, time => time, messaging => [
		{ sender => { id => person($channel) }, recipient => { id => $account{$channel} }, timestamp => ($start + ++$tick) * 1000 + 7, %event } ] } ] });
}

sub says
{
	my ($channel, %event) = @_;
	my $status = receive($channel, body($channel, %event));
	is($status, 200, 'taken') if $status ne '200';
	return;
}

sub receive
{
	my ($channel, $bytes, $key) = @_;
	return sql("SELECT status FROM laras.receive_webhooks('{$channel}', ARRAY['sha256=" . hmac_sha256_hex($bytes, $key // $secret{$channel})
		  . "'], ARRAY[decode('" . unpack('H*', $bytes) . "', 'hex')])");
}
