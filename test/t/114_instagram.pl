# Instagram Business Login over HTTP as a browser goes through it, and what is
# Instagram's own: who is eligible, what must be granted, 1,000 bytes, echoes of
# what was sent (ours are known again, also where no answer came), the window,
# and tokens that are renewed or stop the connection.
#
# proves R006 R008 R031 R039 R045 R076

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('instagram');
my $shop = Channels->open($stage, 'instagram');
my $sandbox = $stage->sandbox;
my $id = $shop->{account}{number};
my ($status, $answer, $response);

# -------------------------------------------------------------- who, and what
($status, my $launch) = $shop->call(POST => '/api/ig/connect', {});
is($status, 200, 'a launch');
like($launch->{authorize_url}, qr{^\Q@{[ $sandbox->url ]}\E/oauth/authorize\?client_id=$shop->{account}{app}&redirect_uri=http%3A%2F%2F.*%2Fapi%2Fig%2Fcallback&response_type=code&scope=instagram_business_basic%2C.*&state=$launch->{state}$},
	'has the page on which the owner consents');
($status, $answer) = $shop->call(GET => "/api/ig/callback?error=access_denied&error_reason=user_denied&state=$launch->{state}");
is("$status $answer->{state} $answer->{message}", '200 cancelled Signup was cancelled before it finished', 'an owner who does not consent has cancelled');
($status, $answer) = $shop->call(GET => "/api/ig/callback?code=" . $shop->code($shop->{account}) . "&state=$launch->{state}");
is("$status $answer->{error}{code}", '409 used_attempt', 'and that attempt is over');
($status) = $shop->call(GET => '/api/ig/callback?state=' . '0' x 64);
is($status, 422, 'without a code there is nothing to finish');
($status) = $shop->call(GET => '/api/ig/callback?code=x&state=' . '0' x 64);
is($status, 404, 'nor without an attempt');
{
	my $other = Channels->open($stage, 'instagram');
	(undef, my $begun) = $shop->call(POST => '/api/ig/connect', {});
	($status) = $other->call(GET => '/api/ig/callback?code=' . $shop->code($shop->{account}) . "&state=$begun->{state}");
	is($status, 404, "nor is another workspace's attempt finished");
}

$sandbox->control(POST => 'account', { id => $id, account_type => 'PERSONAL' });
($status, $answer) = $shop->connect;
is("$status $answer->{error}{code}", '422 account_not_eligible', 'a personal account is not connected');
$sandbox->control(POST => 'account', { id => $id, account_type => 'MEDIA_CREATOR' });
($status, $answer) = $shop->connect(permissions => 'instagram_business_basic');
is("$status $answer->{error}{code}", '422 permission_missing', 'nor one whose messages were not granted');
is($shop->bound('SELECT count(*) FROM laras.connections'), 0, 'of both there is no row');
is($sandbox->control(POST => 'account', { id => $id })->{subscribed}, JSON::PP::false, 'and no event comes');

# the whole way, as a browser goes it
($status, $launch) = $shop->call(POST => '/api/ig/connect', {});
$response = http_call('GET', $launch->{authorize_url}, max_redirect => 0);
is($response->{status}, 302, 'the owner consents');
my ($back) = $response->{headers}{location} =~ m{^\Q@{[ $stage->url ]}\E(/api/ig/callback\?[^#]+)#_$};
ok(defined $back, 'and is sent back') or diag $response->{headers}{location};
($status, $answer, $response) = $shop->call(GET => $back, undef, Accept => 'text/html,application/xhtml+xml');
is("$status $response->{headers}{'content-type'}", '200 text/html; charset=utf-8', 'the account is connected, and the browser gets a page') or diag explain $answer;
like($answer, qr{<h1>Connected</h1><p>The account is connected</p>}, 'that says so');
($status, $answer) = $shop->call(GET => $back, undef, Accept => 'text/html');
like("$status $answer", qr{^409 .*<h1>Not connected</h1><p>The attempt connected an account}s, 'also when it is opened again');
{
	local $shop->{cookie};
	($status, $answer) = $shop->call(GET => $back, undef, Accept => 'text/html');
	like("$status $answer", qr{^401 .*<p>Sign in first</p>}s, 'and to who is not signed in');
}
my $connection = $shop->bound("SELECT id FROM laras.connections WHERE state = 'connected'");
is($shop->bound("SELECT scopes FROM laras.connections WHERE id = $connection"), '{instagram_business_basic,instagram_business_manage_messages,instagram_business_manage_comments}', 'with what was granted');
is($shop->bound("SELECT authorizer_known AND profile::jsonb ->> 'account_type' = 'MEDIA_CREATOR' FROM laras.connections WHERE id = $connection"), 't', 'and who granted it');
is($shop->bound("SELECT token_expires_at BETWEEN laras.now() + interval '59 days' AND laras.now() + interval '61 days' FROM laras.connections WHERE id = $connection"), 't', 'for sixty days');
($status) = $shop->call(GET => $back);
is($status, 409, 'the way back cannot be gone twice');

# ------------------------------------------------------------------ messages
$shop->says(Sari => 'halo');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo'"), 'a message comes');
my $longest = "\xC3\xA9" x 500;
ok(reaches($shop->reply(Sari => $longest), 'sent'), '1,000 bytes are sent');
my (undef, undef, $error) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($shop->{workspace}); SELECT laras.reply((SELECT max(id) FROM laras.conversations), '${longest}x')");
like($error, qr/ERROR/, 'one more is not queued, though these are 501 characters');
drained();
is($shop->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out'"), 1, 'what was sent is one message, though it came back');

# an echo that comes before its answer, and one whose answer never came
$shop->fault(action => 'none', delay_ms => 1500);
my $slow = $shop->reply(Sari => 'pelan-pelan');
ok(reaches($slow, 'sent'), 'an echo settles a send before its answer');
is($stage->sql("SELECT resolved_by FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $slow"), 'echo', 'which is what is written down');
$shop->fault(action => 'close_unanswered', accept => JSON::PP::true);
my $lost = $shop->reply(Sari => 'jawabannya hilang');
ok(reaches($lost, 'sent'), 'and one without an answer');
is(scalar($shop->sends('Sari')), 3, 'each was sent once');
drained();
is($shop->bound("SELECT count(*), count(DISTINCT body), count(provider_message_id) FROM laras.messages WHERE direction = 'out'"), '3|3|3', 'and is one message, with its id');
# what the account says by itself
$sandbox->control(POST => 'account/event', { account => $id, event => { sender => { id => $id }, recipient => { id => $shop->person('Sari') }, timestamp => time * 1000,
			message => { mid => 'aWdfOWN', text => 'dari aplikasi', is_echo => JSON::PP::true } } });
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'dari aplikasi' AND direction = 'out' AND status = 'sent'"), 'what the owner writes in the app is a message too');
# and what waits to be sent a second time when its echo comes at last
$shop->bound("SELECT laras.set_uncertain_policy($connection, 'resend_once')");
$shop->fault(action => 'close_unanswered', accept => JSON::PP::true, statuses => 'never');
my $again = $shop->reply(Sari => 'sekali lagi');
ok(reaches($again, 'uncertain'), 'without answer and echo nobody knows');
$stage->sql("SELECT laras.pause_workers('courier'), laras.advance_clock('16 minutes')");
ok(reaches($again, 'queued'), 'it is to be sent again');
$sandbox->control(POST => 'account/event', { account => $id, event => { sender => { id => $id }, recipient => { id => $shop->person('Sari') }, timestamp => time * 1000,
			message => { mid => 'aWdfTEFURQ', text => 'sekali lagi', is_echo => JSON::PP::true } } });
ok(reaches($again, 'sent'), 'which a late echo settles');
$stage->sql("SELECT laras.resume_workers('courier')");
drained();
is(scalar($shop->sends('Sari')) . ' ' . $shop->bound("SELECT count(*) FROM laras.messages WHERE body = 'sekali lagi'"), '4 1', 'before it left, and as the message that it is');

# -------------------------------------------------------------------- tokens
my $before = $stage->sql("SELECT token FROM laras.channel_token WHERE connection_id = $connection");
days(29);
drained();
is(scalar(grep { $_->{path} =~ /refresh_access_token/ } $sandbox->ledger), 0, 'for half of its time a token is left alone');
days(2);
drained();
ok($shop->wait_bound("SELECT token_expires_at > laras.now() + interval '59 days' FROM laras.connections WHERE id = $connection", 30), 'then it is renewed');
isnt($stage->sql("SELECT token FROM laras.channel_token WHERE connection_id = $connection"), $before, 'the new one takes its place');
is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'token.refreshed'"), 1, 'with evidence');
drained();
is(scalar(grep { $_->{path} =~ /refresh_access_token/ } $sandbox->ledger), 1, 'once');
unlike(join("\n", map { JSON::PP->new->encode($_) } $stage->sql('SELECT coalesce(string_agg(c::text, $$ $$), $$$$) FROM laras.outbound_call c')), qr/IGAA/, 'and no log of calls has it');

my $calls = () = $sandbox->ledger;
my $late_one = $shop->reply(Sari => 'terlambat');
ok(reaches($late_one, 'refused'), 'after a day nothing is sent freely');
my @after = $sandbox->ledger;
is(scalar(@after), $calls, 'and the provider is not even asked');
$shop->says(Sari => 'masih ada?');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'masih ada?'"), 'the customer writes again');
ok(reaches($shop->reply(Sari => 'masih, kak'), 'sent'), 'and is answered with the new token');

# refused once: tried again after hours; a dead token stops the connection
$sandbox->fault(match => { path => 'refresh_access_token' }, action => 'http_error', http_status => 503);
days(31);
drained();
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.courier_task WHERE kind = 'refresh' AND workspace_id = $shop->{workspace} AND state = 'failed'"), 'a failure of the provider');
is($shop->tile->{state}, 'connected', 'changes nothing');
$sandbox->fault(match => { path => 'refresh_access_token' }, action => 'refuse', code => 190, subcode => 463);
$stage->sql("SELECT laras.advance_clock('7 hours')");
drained();
ok($shop->wait_bound("SELECT state = 'needs_reauth' FROM laras.connections WHERE id = $connection"), 'a token that the provider refuses stops the connection');
is($shop->bound("SELECT count(*) FROM laras.notices WHERE kind = 'needs_reauth'"), 1, 'and its owner is told');

# one that expired all the same
my $late = Channels->open($stage, 'instagram');
$late->connect;
days(61);
$sandbox->fault(match => { path => 'refresh_access_token' }, action => 'http_error', http_status => 503, times => 0);
drained();
ok($late->wait_bound("SELECT state = 'needs_reauth' FROM laras.connections WHERE id = $late->{connection}"), 'so does one that has expired');

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($shop->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

# --------------------------------------------------------------------- helpers

sub reaches { my ($message, $state) = @_; return $shop->wait_bound("SELECT state = '$state' FROM laras.outbox WHERE message_id = $message", 30); }
sub drained { return $stage->sql("SELECT laras.drain('30 s')") eq 't' || diag $stage->sql('SELECT worker, state, last_error FROM laras.worker_status'); }

sub days
{
	my ($n) = @_;
	$sandbox->advance($n * 86400);
	$stage->sql("SELECT laras.advance_clock('$n days')");
	$shop->as(sub { $stage->sign_in; $shop->{cookie} = $stage->{cookie} });
	return;
}
