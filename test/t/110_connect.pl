# Connecting a WhatsApp number over HTTP against the sandbox, receiving through
# it, and cutting it: by the owner, by deauthorize, by data deletion; inert
# afterwards. Pairing by ids; what callbacks of another channel reach; guessing
# codes. No worker polls meanwhile: whatever is to be done must wake it.
#
# proves R001 R004 R005 R006 R011 R012 R013 R016 R021 R022 R023 R024 R025 R026 R027 R028
# proves R036 R039 R041 R042 R045 R119 R120 R121 R122 R124 R125 R126 R130 R131 R132 R133
# proves R010 R123 R127 R136 R137 R138 R139 R141 R142 R143 R144 R145 R146 R148 R149 R152

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use Laras;
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('connect', settings => { 'laras.poll_interval' => '30min' });
my ($status, $answer);

# ------------------------------------------------------------------ signing in
($status) = $stage->call(GET => '/app/settings/integrations');
is($status, 401, 'integrations need a session');
($status) = $stage->call(POST => '/login', { email => 'owner@shop.example', password => 'wrong horse battery' });
is($status, 401, 'a wrong password is refused');
{
	# Guesses over HTTP are stopped, and only those of who guesses.
	my $from = sub {
		my ($peer, $password) = @_;
		return $stage->sql("SELECT status FROM laras.http_request('POST', '/login', '', '{content-type,application/json}', "
			  . qq{convert_to('{"email": "owner\@shop.example", "password": "$password"}', 'UTF8'), '$peer')});
	};
	my %answers;
	ok(wait_for(sub { $answers{ $from->('192.0.2.50', 'wrong horse battery') }++ for 1 .. 25; return $from->('192.0.2.50', 'correct horse battery') == 429 }, 60),
		'who goes on guessing passwords is refused, also the right one: it learns nothing');
	is(join(' ', sort keys %answers), '401 429', 'with no other answers');
	cmp_ok($answers{401}, '>=', 20, 'after twenty wrong ones');
	is($from->('192.0.2.51', 'correct horse battery'), 200, 'another client is not');
	$stage->sql('DELETE FROM laras.session');
}
is($stage->bound("SELECT count(*) FROM laras.workspaces"), 1, 'the workspace is there');
is($stage->sql('SELECT count(*) FROM laras.session'), 0, 'and left no session');
is($stage->sign_in, 200, 'the owner signs in');
($status, $answer) = $stage->call(GET => '/app/settings/integrations');
is($status, 200, 'integrations are listed');
is(tile('whatsapp')->{state}, 'not_connected', 'WhatsApp is not connected');
is(join(',', map { "$_->{channel} " . ($_->{can_connect} ? 'yes' : 'no') } @{ $answer->{integrations} }), 'email no,generic no,instagram no,messenger no,telegram no,threads no,whatsapp yes', 'a tile for each provider says whether it can be: the operator has registered an app for it');
{
	my $apps = sub { return $stage->sql("SET ROLE laras_dba; SELECT string_agg(concat_ws(' ', app_id, channels, serves, options ->> 'config_id', takes_previous_secret), '; ' ORDER BY changed_at, id) FROM laras.provider_apps") };
	my $shop = $stage->shop;
	is($apps->(), "$shop->{app} {whatsapp} {whatsapp} 77 f", 'the operator sees the apps, without their secrets');
	my ($code) = $stage->node->psql('postgres', 'SET ROLE laras_service; SELECT * FROM laras.provider_apps');
	isnt($code, 0, 'the operator alone');
	my $two = $stage->sql("BEGIN; SELECT laras.register_provider_app('{whatsapp,messenger}', '900', 'another-secret-of-an-app', 'verify-me-please'); "
		  . "SET LOCAL ROLE laras_dba; SELECT string_agg(concat_ws(' ', app_id, serves), '; ' ORDER BY id) FROM laras.provider_apps; ROLLBACK");
	is((split /\n/, $two)[-1], "$shop->{app} {}; 900 {messenger,whatsapp}", 'the app registered last serves');
}
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
($status, $answer) = $stage->call(POST => '/api/wa/embedded-signup-cancel', { state => $first->{state} });
is("$status $answer->{state}", '200 cancelled', 'again it is the same');
($status, $answer) = $stage->call(POST => '/api/wa/embedded-signup-cancel', { state => $_ })
  and is("$status $answer->{error}{code}", '404 unknown_attempt', 'what nobody was given is not cancelled')
  for 'zzz', 'f' x 64;
($status) = $stage->signup($first);
is($status, 409, 'a cancelled attempt is used up');

my $stale = $stage->launch;
my $launch = $stage->launch;
($status) = $stage->signup($stale);
is($status, 409, 'a newer launch supersedes an older one');
($status, $answer) = $stage->call(POST => '/api/wa/embedded-signup-cancel', { state => $stale->{state} });
is("$status $answer->{error}{message}", '409 a newer launch has replaced the attempt', 'which cannot be cancelled then');
($status, $answer) = $stage->call(POST => '/api/wa/embedded-signup-callback', 'code=x');
is("$status $answer->{error}{code}", '400 bad_request', 'what is no JSON is none of the pieces');
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
($status, $answer) = $stage->call(POST => '/api/wa/embedded-signup-cancel', { state => $good->{state} });
is("$status $answer->{error}{code}", '409 already_connected', 'what is connected is not cancelled');
my $calls = () = graph_calls();
($status) = $stage->signup($good);
is($status, 409, 'the callback cannot be replayed');
is(scalar(graph_calls()), $calls, 'and nobody called the provider for it');
($status, $answer) = $stage->call(GET => '/app/settings/integrations');
my $tile = tile('whatsapp');
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
my $calls_so_far = () = graph_calls();
($status, $answer, $response) = form_post('/api/meta/data-deletion', { signed_request => $request }, 'X-Forwarded-Host' => 'evil.example');
is($status, 200, 'the deletion callback is answered');
like($answer->{confirmation_code}, qr/^[0-9a-f]{32}$/, 'with a code of 128 bits');
is($answer->{url}, $stage->url . "/data-deletion/status/$answer->{confirmation_code}", 'and a link made from the configuration');
my $code = $answer->{confirmation_code};
inert('data deletion', $connection);
is_deeply([ calls_since($calls_so_far) ], [], 'nothing is fetched from the account any more, and the provider need not be told');
($status, $answer) = form_post('/api/meta/data-deletion', { signed_request => $request });
is($answer->{confirmation_code}, $code, 'the same request gets the same code');
is($stage->sql("SELECT count(*) FROM laras.key_destruction WHERE reason = 3"), 1, 'and destroys nothing again');
($status, $answer) = $stage->call(GET => "/data-deletion/status/$code");
is("$status $answer->{state}", '200 removed', 'the status says removed');
unlike(JSON::PP->new->encode($answer), qr/$stage->{shop}{user}|$stage->{shop}{number}|$stage->{workspace}/, 'and names nobody');
($status, $answer, $response) = $stage->call(GET => "/data-deletion/status/$code", undef, Accept => 'text/html');
like($response->{content}, qr/<h1>Data deletion/, 'there is a page for people');
my %miss;
for my $guess ('0' x 32, substr($code, 0, 31) . ($code =~ /0$/ ? '1' : '0'), uc $code . 'x', 'x', '%27', 'y' x 3000)
{
	($status, undef, $response) = $stage->call(GET => "/data-deletion/status/$guess");
	$miss{ join ' ', $status, $response->{content}, map { "$_=$response->{headers}{$_}" } grep { $_ ne 'date' } sort keys %{ $response->{headers} } }++;
}
is(scalar keys %miss, 1, 'codes that do not exist are all answered alike') or diag explain \%miss;
like((keys %miss)[0], qr/^404 .*no such code/, 'as not found');

# who guesses is stopped, and only who guesses; the database is told the client by the relay
my $from = sub {
	my ($peer, $guess, $headers) = @_;
	$headers //= '{}';
	return split /\|/, $stage->sql("SELECT status, headers[array_position(headers, 'retry-after') + 1] FROM laras.http_request('GET', '/data-deletion/status/$guess', '', '$headers', '', '$peer')");
};
# Guesses by the first sub until the second is refused what exists: on a slow machine a limit fills up again meanwhile.
my ($refused, $after) = (0, 0);
my $limited = sub {
	my ($guess, $ask) = @_;
	return wait_for(sub {
		$guess->($_) for 1 .. 40;
		($refused, $after) = $ask->();
		return $refused == 429;
	});
};
my %answers;
$answers{ ($from->('192.0.2.1', sprintf '%032x', $_))[0] }++ for 1 .. 40;
cmp_ok($answers{404}, '>=', 20, 'a client may guess wrong some times');
ok($limited->(sub { $answers{ ($from->('192.0.2.1', sprintf '%032x', $_[0]))[0] }++ }, sub { return $from->('192.0.2.1', $code) }),
	'who goes on guessing is refused, also a code that exists: it learns nothing');
is(join(' ', sort keys %answers), '404 429', 'with no other answers');
cmp_ok($after, '>', 0, 'and is told when to come again');
is(($from->('192.0.2.2', $code))[0], 200, 'another client is not');
ok($limited->(sub { $from->(sprintf('2001:db8:0:1::%x', $_[0]), sprintf('%032x', $_[0])) }, sub { return $from->('2001:db8:0:1:ffff::1', $code) }),
	'addresses of one IPv6 network are one client');
is(($from->('2001:db8:0:2::1', $code))[0], 200, 'of another network another');
$from->('192.0.2.3', $code) for 1 .. 40;
is(($from->('192.0.2.3', $code))[0], 200, 'asking for a code that exists is never limited');
$stage->sql("ALTER SYSTEM SET laras.client_address_header = 'x-real-ip'");
$stage->sql('SELECT pg_reload_conf()');
ok($limited->(sub { $from->('192.0.2.4', sprintf('%032x', $_[0]), '{x-real-ip,192.0.2.9}') }, sub { return $from->('192.0.2.6', $code, '{x-real-ip,192.0.2.9}') }),
	'behind a proxy the client is whom its header names');
is(($from->('192.0.2.1', $code, '{x-real-ip,192.0.2.5}'))[0], 200, 'and the peer is nobody');
$stage->sql('ALTER SYSTEM RESET laras.client_address_header');
$stage->sql('SELECT pg_reload_conf()');

# -------------------------------------------------- again, cut by the owner
$stage->sandbox->control(POST => 'token', { token => $stage->shop->{token}, app_id => $stage->shop->{app}, waba_id => $stage->shop->{waba}, dead => 0 });
my $second = $stage->connect;
isnt($second, $connection, 'connecting again starts afresh');
is($stage->bound("SELECT auto_send FROM laras.connections WHERE id = $second"), 'f', 'without the old automation');
$calls_so_far = () = graph_calls();
($status, $answer) = $stage->call(POST => "/app/settings/integrations/$second/disconnect", { reason => 'season over' });
is("$status $answer->{state} $answer->{already}", '200 disconnected 0', 'the owner disconnects') or diag explain $answer;
inert('disconnect', $second);
ok(wait_for(sub { $stage->bound("SELECT remote_revoke FROM laras.connections WHERE id = $second") eq 'done' }), 'the provider was told');
ok((grep { $_->{method} eq 'DELETE' && $_->{path} =~ /subscribed_apps/ } graph_calls()), 'with the token that was being destroyed');
is(join(' ', sort map { $_->{method} } calls_since($calls_so_far)), 'DELETE', 'beside that nothing was asked of the account')
  or diag explain [ calls_since($calls_so_far) ];
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

# ------------------------------------------------ callbacks of another channel
my $third = $stage->connect;
$before = state_of_connections();
for my $path (qw(/api/meta/instagram/deauthorize /api/meta/instagram/data-deletion))
{
	($status) = form_post($path, { signed_request => signed({ user_id => $stage->shop->{user} }) });
	is($status, 403, "$path knows no app yet");
}
my $secret_there = 'another app for instagram';
$stage->sql("SELECT laras.register_provider_app('{instagram}', '900', '$secret_there', 'verify-me-there')");
my $there = signed({ user_id => $stage->shop->{user} }, $secret_there);
($status) = form_post('/api/meta/instagram/deauthorize', { signed_request => signed({ user_id => '1' }) });
is($status, 403, 'the secret of another channel is none here');
($status) = form_post('/api/meta/deauthorize', { signed_request => $there });
is($status, 403, 'nor this one there');
($status) = form_post('/api/meta/instagram/deauthorize', { signed_request => signed({ user_id => '1', issued_at => time - 3 * 86400 }, $secret_there) });
is($status, 400, 'what is stale is refused on this path too');
is(state_of_connections(), $before, 'and none of that changed a thing');
($status, $answer) = form_post('/api/meta/instagram/deauthorize', { signed_request => $there });
is($status, 200, 'its own is answered');
is_deeply($answer, { success => JSON::PP::true }, 'without a code');
($status, $answer) = form_post('/api/meta/instagram/data-deletion', { signed_request => $there });
like($answer->{confirmation_code}, qr/^[0-9a-f]{32}$/, 'the deletion with one');
my ($page) = $answer->{url} =~ m{(/data-deletion/status/\w+)$};
($status, $answer) = $stage->call(GET => $page);
is("$status $answer->{state}", '200 no_data_held', 'that says what is held there: nothing');
is($stage->bound("SELECT state FROM laras.connections WHERE id = $third"), 'connected', "the number's connection stands");

# ------------------------------------------------------------ an app's options
my $app = "laras.register_provider_app('{whatsapp}', '" . $stage->shop->{app} . "', '" . $stage->shop->{secret} . "', 'verify-me-please'";
my $options = sub { return $stage->sql("SELECT options FROM laras.provider_app WHERE app_id = '" . $stage->shop->{app} . "'") };
my $told = $options->();
(undef, undef, my $why) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nSELECT $app, '{\"graph-url\": \"https://graph.example\"}')");
like($why, qr/22023.*HINT:  The options are .*graph_url/s, 'an option that is mistyped is refused');
$stage->sql("SELECT $app)");
is($options->(), $told, 'a secret is changed without the options being said again');
my $before_last = $stage->sql("SELECT previous_secret IS NOT NULL FROM laras.provider_app WHERE app_id = '" . $stage->shop->{app} . "'");
$stage->sql("SELECT laras.register_provider_app('{whatsapp}', '9091', 'a secret of another app', 'verify-me-please')");
is($stage->launch->{launch}{app_id} // '', '9091', 'the app registered last serves new connections');
$stage->sql("SELECT $app)");
is($stage->launch->{launch}{app_id} // '', $stage->shop->{app}, 'also one that was there before');
is($stage->sql("SELECT previous_secret IS NOT NULL FROM laras.provider_app WHERE app_id = '" . $stage->shop->{app} . "'"), $before_last, 'a secret that is said again is no change of it');
my $nowhere = free_port();
$stage->sql("SELECT $app, '{\"graph_url\": \"http://127.0.0.1:$nowhere\"}')");
($status, $answer) = $stage->signup($stage->launch);
is("$status $answer->{error}{code}", '502 provider_unreachable', 'a provider that cannot be asked says nothing of the account');
$stage->sql("SELECT $app, '$told')");
$stage->sandbox->fault(action => 'http_error', http_status => 503, match => { path => 'debug_token' });
($status, $answer) = $stage->signup($stage->launch);
is("$status $answer->{error}{code}", '502 provider_unreachable', 'nor does one that has a fault');

# ---------------------------------------------------------------------- pairing
my $paired_number = $stage->sandbox->control(POST => 'number', { waba_id => $stage->shop->{waba}, display_phone_number => '+628117770001' })->{id};
my $own_token = $stage->sandbox->control(POST => 'token', { app_id => $stage->shop->{app}, waba_id => $stage->shop->{waba} })->{token};
my $account = qq({"phone_number_id": "$paired_number", "waba_id": "$stage->{shop}{waba}"});
$calls_so_far = () = graph_calls();
my $bad = $stage->bound(qq(SELECT laras.pair_connection('whatsapp', '{"phone_number_id": "$paired_number", "waba_id": "4711"}', '$own_token')));
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.connection_attempt WHERE state = 'failed' AND id = (SELECT max(id) FROM laras.connection_attempt)"), 'a token that does not reach the account pairs nothing');
is($stage->bound("SELECT count(*) FROM laras.connections WHERE id = $bad"), 0, 'no row of it');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE kind = 'connect_failed' AND connection_id = $bad"), 1, 'but a notice that says so');
my $paired = $stage->bound("SELECT laras.pair_connection('whatsapp', '$account', '$own_token')");
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.connections WHERE id = $paired AND state = 'connected'"), 'a number is paired by its ids and a token');
ok((grep { $_->{path} =~ /debug_token/ } calls_since($calls_so_far)) && (grep { $_->{path} =~ /phone_numbers/ } calls_since($calls_so_far))
	&& (grep { $_->{path} =~ /subscribed_apps/ && $_->{method} eq 'POST' } calls_since($calls_so_far)), 'once the provider has confirmed token and number over HTTP, and sends webhooks');
($status, $answer) = $stage->call(GET => '/app/settings/integrations');
is(scalar(grep { $_->{id} eq $paired && $_->{display_name} eq '+628117770001' } @{ tile('whatsapp')->{connections} }), 1, 'it is on the tile');
is($stage->webhook('6281234500009', 'ke nomor kedua', number => $paired_number)->{status}, 200, 'a customer writes to it');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'ke nomor kedua'"), 'and is heard');
for my $where ($stage->workspace, $other)
{
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($where); SELECT laras.pair_connection('whatsapp', '$account', '$own_token'); COMMIT");
	like($error, qr/23505: the account is connected already/, 'it cannot be paired again, here or elsewhere');
}
($status) = $stage->call(POST => "/app/settings/integrations/$paired/disconnect", {});
inert('after pairing', $paired, $paired_number);

# -------------------------------------------- cut by the owner, provider down
$stage->sandbox->program->stop;
($status, $answer) = $stage->call(POST => "/app/settings/integrations/$third/disconnect", {});
is($status, 200, 'a disconnect does not wait for the provider');
is($answer->{provider_told}, 'pending', 'who is told afterwards');
ok(wait_for(sub { $stage->bound("SELECT remote_revoke FROM laras.connections WHERE id = $third") eq 'failed' }), 'and records that it could not be told');

unlike($stage->seen, qr/EAAG|\Q$stage->{shop}{secret}\E/, 'no token and no secret in any answer');
unlike(slurp_file($stage->node->logfile), qr/EAAG[A-Za-z0-9]{20}/, 'nor a token in the log, at log_statement = all of the test cluster');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');

$stage->stop;
done_testing();

# ------------------------------------------------------------------- helpers

# The tile of a channel in the answer at hand.
sub tile { my ($channel) = @_; return (grep { $_->{channel} eq $channel } @{ $answer->{integrations} })[0]; }

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

# What was asked of the provider after the first so many requests.
sub calls_since
{
	my ($n) = @_;
	my @all = graph_calls();
	return @all[ $n .. $#all ];
}

sub state_of_connections
{
	return $stage->sql('SELECT c.xmin, c.* FROM laras.connection c') . $stage->sql('SELECT * FROM laras.erasure_request');
}

sub inert
{
	my ($how, $id, $number) = @_;
	is($stage->sql("SELECT (SELECT count(*) FROM laras.channel_token WHERE connection_id = $id) "
			. "+ (SELECT count(*) FROM laras.route WHERE connection_id = $id) "
			. "+ (SELECT count(*) FROM laras.authorizer WHERE connection_id = $id) "
			. "+ (SELECT count(*) FROM laras.connection_attempt WHERE connection_id = $id)"),
		0, "$how: token, routes, authorizer and attempts are gone");
	is($stage->sql("SELECT state, display_name IS NULL AND account_ids IS NULL AND profile IS NULL AND account_index IS NULL FROM laras.connection WHERE id = $id"),
		'disconnected|t', "$how: a tombstone without content is left");
	is($stage->bound("SELECT display_name IS NULL AND profile IS NULL FROM laras.connections WHERE id = $id"), 't', "$how: no name and no picture of it is shown");
	is($stage->sql("SELECT laras.key_state(slot) FROM laras.connection WHERE id = $id"), 'destroyed', "$how: the key is destroyed");
	my $messages = $stage->bound('SELECT count(*) FROM laras.messages');
	my $events = $stage->sql('SELECT count(*) FROM laras.webhook_event');
	# the provider may repeat for days what it could not deliver
	is($stage->webhook('6281234500002', "after $how", defined $number ? (number => $number) : ())->{status}, 200, "$how: later webhooks are acknowledged");
	is($stage->sql('SELECT count(*) FROM laras.webhook_event'), $events, "$how: and not stored");
	is($stage->bound('SELECT count(*) FROM laras.messages'), $messages, "$how: nor shown");
	cmp_ok($stage->sql("SELECT coalesce(sum(count), 0) FROM laras.ignored_events WHERE reason = 'unknown_account'"), '>', 0, "$how: only counted");
	return;
}
