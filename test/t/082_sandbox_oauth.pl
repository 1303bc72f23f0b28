# Connecting at the sandbox: codes live 30 seconds and once, secrets are checked, a token
# reaches what was granted, numbers are listed and registered, access can be taken away.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use Sandbox;
use Test::More;

my $s = Sandbox->start;
my $shop = $s->shop;
my $other = $s->shop;
my %app = (client_id => $shop->{app}, client_secret => $shop->{secret});

sub query { return HTTP::Tiny->new->www_form_urlencode($_[0]) }
sub exchange { my (%with) = @_; return $s->graph(GET => 'oauth/access_token?' . query({ %app, %with })) }
sub new_code { return $s->control(POST => 'code', { app_id => $shop->{app}, number => $shop->{number}, @_ }) }
sub refused
{
	my ($name, $code, $subcode, $status, $answer) = @_;
	is_deeply([ $answer->{error}{code}, $answer->{error}{error_subcode} ], [ $code, $subcode ], $name) or diag(explain($answer));
	return;
}

# ---- codes
my $code = new_code(user_id => '5550001');
is_deeply($code->{event}, { type => 'WA_EMBEDDED_SIGNUP', event => 'FINISH',
	data => { phone_number_id => $shop->{number}, waba_id => $shop->{waba}, business_id => $shop->{business} } },
	'what the browser is told');
refused('a wrong secret', 1, undef, exchange(code => $code->{code}, client_secret => 'x' x 32));
refused('an unknown app', 101, undef, exchange(code => $code->{code}, client_id => '1'));
refused('no code', 100, undef, exchange());
refused('an unknown code', 100, undef, exchange(code => 'AQnonsense'));
refused('the code of another app', 100, undef,
	exchange(code => $code->{code}, client_id => $other->{app}, client_secret => $other->{secret}));
my ($status, $token) = exchange(code => $code->{code});
is($status, 200, 'the code is good once');
like($token->{access_token}, qr/^EAAG\w{80}$/, 'for a token');
ok(!exists $token->{expires_in}, 'that does not expire');
refused('a second time', 100, 36009, exchange(code => $code->{code}));
my $late = new_code();
$s->advance(31);
refused('after 30 seconds', 100, 36007, exchange(code => $late->{code}));
my $soon = new_code();
$s->advance(28);
is((exchange(code => $soon->{code}))[0], 200, 'but not before');

# ---- the dialog
my $dialog = $s->graph(GET => 'dialog/oauth?' . query({ client_id => $shop->{app}, redirect_uri => 'https://shop.example/cb', state => 'a b&c' }), raw => 1);
is($dialog->{status}, 302, 'the dialog sends back');
my ($back) = ($dialog->{headers}{location} // '') =~ m{^https://shop\.example/cb\?code=(\w+)&state=a%20b%26c$};
ok($back, 'with a code and the state') or diag($dialog->{headers}{location});
refused('another redirect_uri', 100, 36008, exchange(code => $back, redirect_uri => 'https://shop.example/other'));
is((exchange(code => $back, redirect_uri => 'https://shop.example/cb'))[0], 200, 'the same one');

# ---- debug_token
my $app_token = "$shop->{app}|$shop->{secret}";
my ($ok, $debug) = $s->graph(GET => 'debug_token?' . query({ input_token => $token->{access_token} }), token => $app_token);
is($ok, 200, 'the token is explained to its app');
ok($debug->{data}{is_valid} && $debug->{data}{app_id} eq $shop->{app} && $debug->{data}{user_id} eq '5550001', 'as valid');
is_deeply($debug->{data}{granular_scopes}, [ map { { scope => $_, target_ids => [ $shop->{waba} ] } }
	qw(whatsapp_business_messaging whatsapp_business_management) ], 'with what it reaches');
refused('to nobody', 104, undef, $s->graph(GET => 'debug_token?' . query({ input_token => $token->{access_token} })));
refused('nor with a wrong secret', 190, undef, $s->graph(GET => 'debug_token?' . query({ input_token => 'x' }), token => "$shop->{app}|wrong"));
my (undef, $foreign) = $s->graph(GET => 'debug_token?' . query({ input_token => $token->{access_token} }), token => "$other->{app}|$other->{secret}");
ok(!$foreign->{data}{is_valid} && !exists $foreign->{data}{app_id}, 'another app learns nothing');

# ---- assets
my (undef, $numbers) = $s->graph(GET => "$shop->{waba}/phone_numbers", token => $token->{access_token});
is_deeply([ map { $_->{id} } @{ $numbers->{data} } ], [ $shop->{number} ], 'the numbers of the account');
my (undef, $number) = $s->graph(GET => "$shop->{number}?fields=display_phone_number,verified_name", token => $token->{access_token});
is_deeply([ sort keys %$number ], [qw(display_phone_number id verified_name)], 'the fields that were asked for');
refused('the account of another', 100, 33, $s->graph(GET => "$other->{waba}/phone_numbers", token => $token->{access_token}));
refused('an edge there is not', 100, 33, $s->graph(GET => "$shop->{waba}/treasures", token => $token->{access_token}));
my (undef, $subscribed) = $s->graph(GET => "$shop->{waba}/subscribed_apps", token => $token->{access_token});
is($subscribed->{data}[0]{whatsapp_business_api_data}{id}, $shop->{app}, 'the subscribed app');

# ---- registering
sub register { return $s->graph(POST => "$shop->{number}/register", token => $token->{access_token}, body => { messaging_product => 'whatsapp', @_ }) }
$s->control(POST => 'number', { id => $shop->{number}, registered => \0 });
refused('no pin', 100, undef, register());
refused('a short pin', 100, undef, register(pin => '12345'));
is_deeply([ register(pin => '123456') ], [ 200, { success => JSON::PP::true } ], 'registered');
refused('another pin', 133005, undef, register(pin => '654321'));
register(pin => '654321') for 1 .. 8;
refused('the eleventh try', 133016, undef, register(pin => '123456'));
$s->advance(73 * 3600);
is((register(pin => '123456'))[0], 200, 'three days later it works again');
$s->control(POST => 'number', { id => $other->{number}, coexistence => \1 });
is(($s->graph(POST => "$other->{number}/register", token => $other->{token}, body => { messaging_product => 'whatsapp', pin => '111111' }))[0],
	400, 'a number of the business app is not registered');

# ---- templates by API
my ($made, $template) = $s->graph(POST => "$shop->{waba}/message_templates", token => $token->{access_token},
	body => { name => 'salam', language => 'id', category => 'UTILITY', components => [ { type => 'BODY', text => 'Halo {{1}}' } ] });
is_deeply([ $made, $template->{status} ], [ 200, 'PENDING' ], 'a template is handed in');
refused('with a bad name', 100, undef, $s->graph(POST => "$shop->{waba}/message_templates", token => $token->{access_token},
	body => { name => 'Salam!', language => 'id', category => 'UTILITY' }));
my (undef, $list) = $s->graph(GET => "$shop->{waba}/message_templates?name=salam", token => $token->{access_token});
is($list->{data}[0]{components}[0]{text}, 'Halo {{1}}', 'and listed');

# ---- appsecret_proof
$s->control(POST => 'app', { id => $shop->{app}, require_proof => \1 });
refused('no proof', 100, undef, $s->graph(GET => "$shop->{number}", token => $token->{access_token}));
my $proof = hmac_sha256_hex($token->{access_token}, $shop->{secret});
is(($s->graph(GET => "$shop->{number}?appsecret_proof=$proof", token => $token->{access_token}))[0], 200, 'with the proof');
$s->control(POST => 'app', { id => $shop->{app}, require_proof => \0 });

# ---- taking access away
is(($s->graph(DELETE => '5550001/permissions/whatsapp_business_messaging', token => $token->{access_token}))[0], 200, 'one permission');
refused('is gone', 10, undef, $s->graph(POST => "$shop->{number}/messages", token => $token->{access_token}, body => '{}'));
refused("another person's", 100, 33, $s->graph(DELETE => '5550002/permissions', token => $token->{access_token}));
is(($s->graph(DELETE => '5550001/permissions', token => $token->{access_token}))[0], 200, 'all of them');
refused('kill the token', 190, 458, $s->graph(GET => "$shop->{number}", token => $token->{access_token}));
my (undef, $dead) = $s->graph(GET => 'debug_token?' . query({ input_token => $token->{access_token} }), token => $app_token);
ok(!$dead->{data}{is_valid} && $dead->{data}{error}{subcode} == 458, 'which debug_token says too');

# ---- nothing of the above in the ledger's paths
is(scalar(grep { $_->{path} =~ /client_secret|input_token/ } $s->ledger), 0, 'the ledger keeps no query');
done_testing();
