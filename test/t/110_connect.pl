# Connecting a WhatsApp number over HTTP against the sandbox, receiving through
# it, and cutting it: by the owner, by deauthorize, by data deletion; inert
# afterwards.
#
# proves R001 R005 R006 R011 R012 R013 R016 R021 R022 R023 R024 R025 R026 R027 R028
# proves R036 R039 R041 R042 R045 R119 R120 R121 R122 R124 R125 R126 R130 R131 R132 R133
# proves R136 R137 R138 R141 R142 R143 R145 R146 R148 R149 R152

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use Laras;
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('connect');
my ($status, $answer);

# ------------------------------------------------------------------ signing in
($status) = $stage->call(GET => '/app/settings/integrations');
is($status, 401, 'integrations need a session');
($status) = $stage->call(POST => '/login', { email => 'owner@shop.example', password => 'wrong horse battery' });
is($status, 401, 'a wrong password is refused');
is($stage->bound("SELECT count(*) FROM laras.workspaces"), 1, 'the workspace is there');
is($stage->sql('SELECT count(*) FROM laras.session'), 0, 'and left no session');
is($stage->sign_in, 200, 'the owner signs in');
($status, $answer) = $stage->call(GET => '/app/settings/integrations');
is($status, 200, 'integrations are listed');
is($answer->{integrations}[0]{state}, 'not_connected', 'WhatsApp is not connected');
($status) = $stage->call(POST => '/api/wa/connect', {}, 'X-Laras-CSRF' => '');
is($status, 403, 'a request that changes something needs the CSRF header');

# ------------------------------------------------------------------- handshake
my $hook = '/api/webhooks/wa?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=';
($status, $answer) = $stage->call(GET => $hook . 'verify-me-please');
is("$status $answer", '200 1158201444', 'the right verify token gets the challenge');
($status) = $stage->call(GET => $hook . 'guess');
is($status, 403, 'another does not');

# -------------------------------------------------------------- embedded signup
my %rows_before = rows();
my $first = $stage->launch;
like($first->{state}, qr/^[0-9a-f]{64}$/, 'a launch has a state');
is($stage->bound("SELECT scopes @> '{whatsapp_business_messaging}' FROM laras.consent_grant"), 't',
	'consent is recorded at the launch');
my %rows_open = rows();
($status, $answer) = $stage->call(POST => '/api/wa/embedded-signup-cancel', { state => $first->{state} });
is("$status $answer->{message}", '200 Signup was cancelled before it finished', 'cancelling says so');
is_deeply({ rows() }, \%rows_open, 'and writes no row');
($status) = $stage->signup($first);
is($status, 409, 'a cancelled attempt is used up');

my $stale = $stage->launch;
my $launch = $stage->launch;
($status) = $stage->signup($stale);
is($status, 409, 'a newer launch supersedes an older one');
for my $missing (qw(code waba_id phone_number_id))
{
	($status) = $stage->signup($launch, $missing => undef);
	is($status, 422, "without $missing nothing happens");
}
is($stage->sql('SELECT (SELECT count(*) FROM laras.connection) + (SELECT count(*) FROM laras.channel_token) '
	  . '+ (SELECT count(*) FROM laras.route) + (SELECT count(*) FROM laras.courier_task)'), 0,
	'no row of a connection so far');
is(scalar(graph_calls()), 0, 'and no call to the provider');

# a failure after the exchange leaves nothing and gives the token back
$stage->sandbox->fault(match => { path => 'subscribed_apps', method => 'POST' }, action => 'refuse', code => 100);
($status, $answer) = $stage->signup($launch);
is($status, 502, 'a refused subscription fails the connect');
is($answer->{error}{code}, 'subscribe_refused', 'with its reason');
is($stage->sql('SELECT (SELECT count(*) FROM laras.connection) + (SELECT count(*) FROM laras.channel_token) '
	  . '+ (SELECT count(*) FROM laras.route)'), 0, 'nothing of a connection is left');
ok((grep { $_->{method} eq 'DELETE' && $_->{path} =~ /permissions/ } graph_calls()), 'the token was revoked');

my $expired = $stage->launch;
$stage->sql("SELECT laras.advance_clock('61 minutes')");
($status, $answer, my $gone) = $stage->signup($expired);
is($status, 410, 'an attempt expires');
is($gone->{headers}{location}, '/app/settings/integrations', 'and leads back to Integrations');
$stage->sign_in;

my $good = $stage->launch;
($status, $answer) = $stage->signup($good);
is($status, 200, 'the signup connects') or diag explain $answer;
is($answer->{state}, 'connected', 'and says so');
my $calls = () = graph_calls();
($status) = $stage->signup($good);
is($status, 409, 'the callback cannot be replayed');
is(scalar(graph_calls()), $calls, 'and nobody called the provider for it');
($status, $answer) = $stage->call(GET => '/app/settings/integrations');
my ($tile) = @{ $answer->{integrations} };
is($tile->{state}, 'connected', 'the tile says connected');
is($tile->{connections}[0]{display_name}, '+' . $stage->shop->{phone}, 'with the number from the provider');
my $connection = $tile->{connections}[0]{id};
is($stage->bound("SELECT (profile::jsonb ->> 'quality_rating') IS NOT NULL AND (profile::jsonb ->> 'verified_name') IS NOT NULL FROM laras.connections WHERE id = $connection"),
	't', 'name and quality of the number are kept');
ok((grep { $_->{path} =~ /oauth\/access_token/ } graph_calls()), 'the code was exchanged by the server');
is($stage->bound("SELECT count(*) FROM laras.outbound_call o JOIN laras.consent_grant g ON true WHERE o.started_at < g.granted_at AND o.connection_id = $connection"),
	0, 'no call came before the consent');

# ---------------------------------------------------------------- the way in
is($stage->customer('6281234500001', 'halo, ada kopi?')->{status}, 200, 'a webhook is taken');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo, ada kopi?'"), 'and becomes a message');
my $other = $stage->sql("SELECT laras.create_workspace('Other', 'other\@shop.example', 'correct horse battery')");
is($stage->bound('SELECT count(*) FROM laras.messages', $other), 0, 'which no other workspace sees');

# -------------------------------------------------- rights and wrong requests
my $agent = $stage->bound("SELECT laras.add_member('agent\@shop.example', 'Agent', 'agent', 'correct horse battery')");
{
	local $stage->{cookie};
	local $stage->{email} = 'agent@shop.example';
	is($stage->sign_in, 200, 'an agent signs in');
	($status) = $stage->call(POST => "/app/settings/integrations/$connection/disconnect", {});
	is($status, 403, 'an agent may not disconnect');
	local $stage->{email} = 'other@shop.example';
	is($stage->sign_in, 200, 'the owner of another workspace signs in');
	($status) = $stage->call(POST => "/app/settings/integrations/$connection/disconnect", {});
	is($status, 404, 'and finds no such connection');
}

my $before = state_of_connections();
for my $case (
	[ 'unsigned', 400, {} ],
	[ 'mis-signed', 403, { signed_request => signed({ user_id => $stage->shop->{user} }, 'another secret') } ],
	[ 'wrong algorithm', 400, { signed_request => signed({ user_id => '1', algorithm => 'HMAC-SHA1' }) } ],
	[ 'stale', 400, { signed_request => signed({ user_id => '1', issued_at => time - 3 * 86400 }) } ],
	[ 'from the future', 400, { signed_request => signed({ user_id => '1', issued_at => time + 86400 }) } ],
	[ 'expired', 400, { signed_request => signed({ user_id => '1', expires => 1291840400 }) } ],
	[ 'tampered', 403, { signed_request => signed({ user_id => '1' }) . 'A' } ])
{
	my ($name, $want, $form) = @$case;
	($status) = form_post('/api/meta/data-deletion', $form);
	is($status, $want, "a request that is $name is refused");
	($status) = form_post('/api/meta/deauthorize', $form);
	is($status, $want, 'on both paths');
}
is(state_of_connections(), $before, 'and none of them changed a thing');

# somebody nobody knows
($status, $answer) = form_post('/api/meta/data-deletion', { signed_request => signed({ user_id => '99999' }) });
is($status, 200, 'an unknown user gets a code');
my ($none) = $answer->{url} =~ m{(/data-deletion/status/\w+)$};
($status, $answer) = $stage->call(GET => $none);
is("$status $answer->{state}", '200 no_data_held', 'whose status says that nothing was held');

# ---------------------------------------------------------- data deletion
my $user = $stage->bound("SELECT authorizer_known FROM laras.connections WHERE id = $connection");
is($user, 't', 'the exchange gave the app-scoped id of who connected');
my $request = signed({ user_id => $stage->shop->{user} });
my $response;
($status, $answer, $response) = form_post('/api/meta/data-deletion', { signed_request => $request }, 'X-Forwarded-Host' => 'evil.example');
is($status, 200, 'the deletion callback is answered');
like($answer->{confirmation_code}, qr/^[0-9a-f]{32}$/, 'with a code of 128 bits');
is($answer->{url}, $stage->url . "/data-deletion/status/$answer->{confirmation_code}", 'and a link made from the configuration');
my $code = $answer->{confirmation_code};
inert('data deletion', $connection);
($status, $answer) = form_post('/api/meta/data-deletion', { signed_request => $request });
is($answer->{confirmation_code}, $code, 'the same request gets the same code');
is($stage->sql("SELECT count(*) FROM laras.key_destruction WHERE reason = 3"), 1, 'and destroys nothing again');
($status, $answer) = $stage->call(GET => "/data-deletion/status/$code");
is("$status $answer->{state}", '200 removed', 'the status says removed');
unlike(JSON::PP->new->encode($answer), qr/$stage->{shop}{user}|$stage->{shop}{number}|$stage->{workspace}/, 'and names nobody');
($status, $answer, $response) = $stage->call(GET => "/data-deletion/status/$code", undef, Accept => 'text/html');
like($response->{content}, qr/<h1>Data deletion/, 'there is a page for people');
($status) = $stage->call(GET => '/data-deletion/status/' . ('0' x 32));
is($status, 404, 'a guessed code shows nothing');

# -------------------------------------------------- again, cut by the owner
$stage->sandbox->control(POST => 'token', { token => $stage->shop->{token}, app_id => $stage->shop->{app}, waba_id => $stage->shop->{waba}, dead => 0 });
my $second = $stage->connect;
isnt($second, $connection, 'connecting again starts afresh');
is($stage->bound("SELECT auto_send FROM laras.connections WHERE id = $second"), 'f', 'without the old automation');
($status, $answer) = $stage->call(POST => "/app/settings/integrations/$second/disconnect", { reason => 'season over' });
is("$status $answer->{state} $answer->{already}", '200 disconnected 0', 'the owner disconnects') or diag explain $answer;
inert('disconnect', $second);
ok(wait_for(sub { $stage->bound("SELECT remote_revoke FROM laras.connections WHERE id = $second") eq 'done' }), 'the provider was told');
ok((grep { $_->{method} eq 'DELETE' && $_->{path} =~ /subscribed_apps/ } graph_calls()), 'with the token that was being destroyed');
($status, $answer) = $stage->call(POST => "/app/settings/integrations/$second/disconnect", {});
is("$status $answer->{already}", '200 1', 'a second disconnect reports that it is done');
is($stage->sql("SELECT count(*) FROM laras.key_destruction WHERE reason = 3"), 2, 'and orders nothing');

# ------------------------------------------------- cut by a deauthorize callback
my $removed = $stage->connect;
my $taken_back = signed({ user_id => $stage->shop->{user} });
($status, $answer) = form_post('/api/meta/deauthorize', { signed_request => $taken_back });
is($status, 200, 'a deauthorize callback is answered');
ok(!exists $answer->{confirmation_code}, 'without a code');
inert('deauthorize', $removed);
is($stage->bound("SELECT disconnect_trigger || ' ' || remote_revoke FROM laras.connections WHERE id = $removed"), 'deauthorize skipped', 'the provider knows already');

# -------------------------------------------- cut by the owner, provider down
my $third = $stage->connect;
$stage->sandbox->program->stop;
my $start = time;
($status, $answer) = $stage->call(POST => "/app/settings/integrations/$third/disconnect", {});
is($status, 200, 'a disconnect does not wait for the provider');
cmp_ok(time - $start, '<', 5, 'nor long');
ok(wait_for(sub { $stage->bound("SELECT remote_revoke FROM laras.connections WHERE id = $third") eq 'failed' }), 'and records that it could not be told');

unlike($stage->seen, qr/EAAG|\Q$stage->{shop}{secret}\E/, 'no token and no secret in any answer');
unlike(slurp_file($stage->node->logfile), qr/EAAG[A-Za-z0-9]{20}/, 'nor a token in the log, at log_statement = all of the test cluster');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');

$stage->stop;
done_testing();

# ------------------------------------------------------------------- helpers

sub rows
{
	my $tables = $stage->sql("SELECT string_agg(format('SELECT %L AS t, count(*) AS n FROM laras.%I', relname, relname), ' UNION ALL ' ORDER BY relname) "
		  . "FROM pg_class WHERE relnamespace = 'laras'::regnamespace AND relkind = 'r' AND relname !~ 'evidence|keyring|key_|event_cursor'");
	return map { split /\|/ } split /\n/, $stage->sql($tables);
}

sub graph_calls
{
	return $stage->sandbox->ledger;
}

sub signed
{
	my ($payload, $secret) = @_;
	my $text = encode_base64url(JSON::PP->new->canonical->encode(
			{ algorithm => 'HMAC-SHA256', issued_at => time + 3660, %$payload }));
	return encode_base64url(hmac_sha256($text, $secret // $stage->shop->{secret})) . ".$text";
}

sub form_post
{
	my ($path, $form, %header) = @_;
	return $stage->call(POST => $path, HTTP::Tiny->new->www_form_urlencode($form),
		'Content-Type' => 'application/x-www-form-urlencoded', %header);
}

sub state_of_connections
{
	return $stage->sql('SELECT c.xmin, c.* FROM laras.connection c') . $stage->sql('SELECT * FROM laras.erasure_request');
}

sub inert
{
	my ($how, $id) = @_;
	is($stage->sql("SELECT (SELECT count(*) FROM laras.channel_token WHERE connection_id = $id) "
			. "+ (SELECT count(*) FROM laras.route WHERE connection_id = $id) "
			. "+ (SELECT count(*) FROM laras.authorizer WHERE connection_id = $id) "
			. "+ (SELECT count(*) FROM laras.connection_attempt WHERE connection_id = $id)"),
		0, "$how: token, routes, authorizer and attempts are gone");
	is($stage->sql("SELECT state, display_name IS NULL AND account_ids IS NULL AND profile IS NULL AND account_index IS NULL FROM laras.connection WHERE id = $id"),
		'disconnected|t', "$how: a tombstone without content is left");
	is($stage->sql("SELECT laras.key_state(slot) FROM laras.connection WHERE id = $id"), 'destroyed', "$how: the key is destroyed");
	my $messages = $stage->bound('SELECT count(*) FROM laras.messages');
	my $events = $stage->sql('SELECT count(*) FROM laras.webhook_event');
	# the provider may repeat for days what it could not deliver
	is($stage->webhook('6281234500002', "after $how")->{status}, 200, "$how: later webhooks are acknowledged");
	is($stage->sql('SELECT count(*) FROM laras.webhook_event'), $events, "$how: and not stored");
	is($stage->bound('SELECT count(*) FROM laras.messages'), $messages, "$how: nor shown");
	cmp_ok($stage->sql("SELECT coalesce(sum(count), 0) FROM laras.ignored_events WHERE reason = 'unknown_account'"), '>', 0, "$how: only counted");
	return;
}
