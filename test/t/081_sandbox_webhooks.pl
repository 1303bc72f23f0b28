# The sandbox's webhooks: verification, signature over the raw body, inbound messages,
# statuses with callback data, retries, overrides, the callbacks of deauthorizing and deletion.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);
use Encode qw(encode);
use Laras;
use Sandbox;
use Test::More;

my $s = Sandbox->start;
my $hook = Sandbox::Callback->start(verify_token => 'toko&kopi=1');
my $shop = $s->shop(callback_url => $hook->url . '/hook', verify_token => 'toko&kopi=1',
	deauthorize_url => $hook->url . '/deauthorize', deletion_url => $hook->url . '/deletion');
my $budi = '628123456789';

sub statuses_of { my ($id) = @_; return [ map { $_->[1] } grep { $_->[0] eq $id } $hook->statuses ]; }
sub waits_for { my ($id, $n) = @_; return wait_for(sub { @{ statuses_of($id) } >= $n }, 10); }

# ---- verification
{
	# the listener compares what came undecoded
	my $plain = Sandbox::Callback->start(verify_token => 'secret');
	my $right = $s->control(POST => 'app', { callback_url => $plain->url, verify_token => 'secret', verify => \1 });
	ok($right->{verified}, 'the challenge came back');
	my ($get) = $plain->requests;
	like($get->{query}, qr/^hub\.mode=subscribe&hub\.challenge=\d+&hub\.verify_token=secret$/, 'asked with its three parameters');
	my $wrong = $s->control(POST => 'app', { callback_url => $plain->url, verify_token => 'other', verify => \1 });
	ok(!$wrong->{verified} && $wrong->{verify_error} =~ /403/, 'a wrong token is not verified');
	my $dead = $s->control(POST => 'app', { callback_url => 'http://127.0.0.1:1/', verify_token => 'x', verify => \1 });
	ok(!$dead->{verified}, 'nor is a dead address');
}

# ---- an inbound message
my $said = $s->customer_says($shop, $budi, "halo \x{1F600} caf\x{e9}/teh", name => "Budi \x{e9}", wait => \1);
is($said->{status}, 200, 'delivered');
my ($request) = grep { $_->{method} eq 'POST' } $hook->requests;
my $raw = encode('latin-1', $request->{body});
is($request->{headers}{'x-hub-signature-256'}, 'sha256=' . hmac_sha256_hex($raw, $shop->{secret}), 'signed over the raw body');
unlike($raw, qr/[^\x20-\x7e]/, 'which is ASCII');
like($raw, qr{\\ud83d\\ude00 caf\\u00e9\\/teh}, 'with escapes as Meta makes them');
is($request->{headers}{'content-type'}, 'application/json', 'JSON');
my $body = JSON::PP->new->decode($raw);
is_deeply([ $body->{object}, $body->{entry}[0]{id}, $body->{entry}[0]{changes}[0]{field} ],
	[ 'whatsapp_business_account', $shop->{waba}, 'messages' ], 'the envelope');
my $value = $body->{entry}[0]{changes}[0]{value};
is_deeply($value->{metadata}, { display_phone_number => $shop->{phone}, phone_number_id => $shop->{number} }, 'metadata');
my $message = $value->{messages}[0];
is_deeply([ @$message{qw(from id type)}, $message->{text}{body} ],
	[ $budi, $said->{id}, 'text', "halo \x{1F600} caf\x{e9}/teh" ], 'the message');
like($message->{timestamp}, qr/^\d{10}$/, 'its time is a text of seconds');
like($message->{from_user_id}, qr/^ID\.\d+$/, 'with a business-scoped id');
is_deeply([ $value->{contacts}[0]{profile}{name}, @{ $value->{contacts}[0] }{qw(wa_id user_id)} ],
	[ "Budi \x{e9}", $budi, $message->{from_user_id} ], 'and the contact');
like(decode_base64url(substr $said->{id}, 6), qr/\Q$budi\E/, 'the id holds the number');

$s->control(POST => 'customer/message', { number => $shop->{phone}, from => $budi, wait => \1,
	message => { type => 'location', location => { latitude => -6.2, longitude => 106.8 } } });
is((map { @{ $_->{messages} // [] } } $hook->updates)[-1]{location}{longitude}, 106.8, 'other kinds pass as they are given');
$s->control(POST => 'customer', { phone => '628777000111', name => 'Sari', hidden => \1, username => '@sari' });
$s->customer_says($shop, '628777000111', 'tanpa nomor', wait => \1);
my $hidden = ($hook->updates)[-1];
ok(!exists $hidden->{messages}[0]{from} && !exists $hidden->{contacts}[0]{wa_id} && $hidden->{messages}[0]{from_user_id},
	'a hidden customer has a user id and no number');

# ---- statuses
my (undef, $answer) = $s->send_text($shop, $budi, 'baik', biz_opaque_callback_data => 'attempt-"1"');
my $id = $answer->{messages}[0]{id};
ok(waits_for($id, 3), 'three statuses came');
is_deeply(statuses_of($id), [qw(sent delivered read)], 'in order');
my @status = grep { $_->{id} eq $id } map { @{ $_->{statuses} // [] } } $hook->updates;
is_deeply([ map { $_->{biz_opaque_callback_data} } @status ], [ ('attempt-"1"') x 3 ], 'each with the callback data');
is_deeply($status[0]{pricing},
	{ billable => JSON::PP::false, pricing_model => 'PMP', type => 'free_customer_service', category => 'service' },
	'a service message is free in the window');
is_deeply([ @{ $status[0] }{qw(recipient_id)}, $status[0]{recipient_user_id} ], [ $budi, $message->{from_user_id} ], 'and names the recipient');
$s->control(POST => 'template', { waba_id => $shop->{waba}, name => 'promo', language => 'id', category => 'MARKETING', body => 'Diskon' });
(undef, $answer) = $s->send_message($shop,
	{ messaging_product => 'whatsapp', to => '628990000009', type => 'template', template => { name => 'promo', language => { code => 'id' } } });
ok(waits_for($answer->{messages}[0]{id}, 1), 'a template has statuses');
my ($paid) = grep { $_->{id} eq $answer->{messages}[0]{id} } map { @{ $_->{statuses} // [] } } $hook->updates;
is_deeply([ $paid->{pricing}{billable}, $paid->{pricing}{category} ], [ JSON::PP::true, 'marketing' ], 'and costs');
ok(!exists $paid->{biz_opaque_callback_data}, 'none was given, none comes back');

# ---- a refusal that comes as a status
$s->control(POST => 'number', { id => $shop->{number}, late => \1 });
my ($code, $late) = $s->send_text($shop, '628990000010', 'terlambat', biz_opaque_callback_data => 'late-1');
is($code, 200, 'accepted although the window is shut');
ok(waits_for($late->{messages}[0]{id}, 1), 'and refused later');
my ($failed) = grep { $_->{id} eq $late->{messages}[0]{id} } map { @{ $_->{statuses} // [] } } $hook->updates;
is_deeply([ $failed->{status}, $failed->{errors}[0]{code}, $failed->{biz_opaque_callback_data} ],
	[ 'failed', 131047, 'late-1' ], 'as a failed status with its code');
is(scalar(grep { $_->{accepted} } $s->ledger(callback_data => 'late-1')), 0, 'the ledger does not call it taken');
$s->control(POST => 'number', { id => $shop->{number}, late => \0 });

# ---- other updates, preferences, raw bodies
$s->control(POST => 'event', { waba_id => $shop->{waba}, field => 'account_update', value => { event => 'DISABLED_UPDATE' } });
ok(wait_for(sub { grep { $_->{event} eq 'DISABLED_UPDATE' } $hook->updates('account_update') }), 'any other update');
$s->control(POST => 'customer/preference', { number => $shop->{number}, from => $budi, value => 'stop' });
ok(wait_for(sub { grep { ($_->{user_preferences}[0]{value} // '') eq 'stop' } $hook->updates('user_preferences') }), 'a stop of marketing');
my $posted = $s->control(POST => 'webhook', { app_id => $shop->{app}, body => '{"broken"', signature => 'sha256=00' });
is($posted->{status}, 200, 'a body as it is');
my $last = ($hook->requests)[-1];
is_deeply([ $last->{body}, $last->{headers}{'x-hub-signature-256'} ], [ '{"broken"', 'sha256=00' ], 'with the signature that was asked for');
$s->control(POST => 'webhook', { app_id => $shop->{app}, body => { a => 1 }, signature => '' });
ok(!exists(($hook->requests)[-1]{headers}{'x-hub-signature-256'}), 'or none');

# ---- retries with growing pauses, the same bytes
my $slow = Sandbox::Callback->start(answers => [ 500, 503, 404, 200 ]);
my $retry = $s->shop(callback_url => $slow->url);
is($s->customer_says($retry, $budi, 'ulang', wait => \1)->{status}, 500, 'a first attempt that failed');
my @pause;
for my $attempt (2 .. 4)
{
	my $before = $s->control(GET => 'clock')->{now_ms};
	ok(wait_for(sub { $s->status->{webhooks}{retrying} == 1 }), "attempt $attempt is planned");
	$s->advance(2**($attempt - 2) * 0.5);
	is(scalar($slow->requests), $attempt - 1, 'not yet');
	$s->advance(2**($attempt - 2) * 0.7);
	ok(wait_for(sub { $slow->requests == $attempt }, 5), 'repeated after its pause');
}
ok(wait_for(sub { $s->status->{webhooks}{retrying} == 0 }), 'a 200 ends it');
my %bodies = map { $_->{body} => 1 } $slow->requests;
is(scalar(keys %bodies), 1, 'each attempt was the same body');
my $never = Sandbox::Callback->start(answers => [500]);
my $lost = $s->shop(callback_url => $never->url);
$s->customer_says($lost, $budi, 'hilang', wait => \1);
my $dropped = $s->status->{webhooks}{dropped};
ok(wait_for(sub { $s->advance(6 * 3600); $s->status->{webhooks}{dropped} == $dropped + 1 }, 30), 'after a week it is given up');
cmp_ok(scalar($never->requests), '<', 60, 'having been tried ever less often');

# ---- whose callback: number before account before app
my $first = Sandbox::Callback->start;
my $second = Sandbox::Callback->start;
my ($status) = $s->graph(POST => "$shop->{waba}/subscribed_apps", token => $shop->{token},
	body => { override_callback_uri => $first->url, verify_token => 'verify-me' });
is($status, 200, 'an override is verified and set');
$s->customer_says($shop, $budi, 'ke akun', wait => \1);
is(($first->updates)[-1]{messages}[0]{text}{body}, 'ke akun', 'and used');
($status) = $s->graph(POST => $shop->{number}, token => $shop->{token},
	body => { webhook_configuration => { override_callback_uri => $second->url, verify_token => 'verify-me' } });
is($status, 200, "a number's own is set too");
$s->customer_says($shop, $budi, 'ke nomor', wait => \1);
is(($second->updates)[-1]{messages}[0]{text}{body}, 'ke nomor', 'and goes before');
my ($bad, $why) = $s->graph(POST => "$shop->{waba}/subscribed_apps", token => $shop->{token},
	body => { override_callback_uri => $first->url, verify_token => 'wrong' });
is_deeply([ $bad, $why->{error}{code} ], [ 400, 2200 ], 'an override that does not verify is refused');
$s->graph(POST => $shop->{number}, token => $shop->{token}, body => { webhook_configuration => { override_callback_uri => '' } });
$s->graph(POST => "$shop->{waba}/subscribed_apps", token => $shop->{token});
my $before = $hook->requests;
$s->customer_says($shop, $budi, 'kembali', wait => \1);
is(scalar($hook->requests), $before + 1, "an empty POST goes back to the app's");

# ---- unsubscribed: nothing comes, nothing fails
$s->graph(DELETE => "$shop->{waba}/subscribed_apps", token => $shop->{token});
is($s->customer_says($shop, $budi, 'hening')->{apps}, 0, 'nobody is told');
$s->graph(POST => "$shop->{waba}/subscribed_apps", token => $shop->{token});
is($s->customer_says($shop, $budi, 'lagi')->{apps}, 1, 'until it is subscribed again');

# ---- batches, of two accounts in one body
my $pile = $s->customer_says($shop, $budi, 'banyak', count => 200);
ok(wait_for(sub { grep { ($_->{messages}[0]{id} // '') eq $pile->{id} } $hook->updates }, 20), 'two hundred messages came');
is(scalar(grep { ($_->{messages}[0]{text}{body} // '') eq 'banyak' } $hook->updates), 200, 'each once');
cmp_ok(scalar(grep { $_->{body} =~ /banyak/ } $hook->requests), '<', 200, 'in fewer bodies');

# ---- deauthorize and data deletion
for my $kind (qw(deauthorize data_deletion))
{
	my $person = $kind eq 'deauthorize' ? $shop->{user} : '990011';
	my $done = $s->control(POST => $kind, { app_id => $shop->{app}, user_id => $person });
	is($done->{status}, 200, "$kind is posted");
	my $form = ($hook->requests)[-1];
	my ($signature, $payload) = $form->{body} =~ /^signed_request=([\w-]+)\.([\w-]+)$/;
	is($form->{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'as a form');
	is(decode_base64url($signature), hmac_sha256($payload, $shop->{secret}), 'signed over the encoded payload');
	my $claims = JSON::PP->new->decode(decode_base64url($payload));
	is_deeply([ @$claims{qw(algorithm user_id)} ], [ 'HMAC-SHA256', $person ], 'and names the person');
	is($done->{json}{confirmation_code}, 'abc123', 'the confirmation code is returned') if $kind eq 'data_deletion';
}
my ($gone, $dead) = $s->send_text($shop, $budi, 'x');
is_deeply([ $gone, $dead->{error}{code}, $dead->{error}{error_subcode} ], [ 401, 190, 458 ], "the person's token is dead");
done_testing();
