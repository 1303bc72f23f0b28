# The sandbox refuses each thing the provider refuses, with its code: one row a rule.
# Nothing that is refused is counted as taken, and what is right is taken.
use strict;
use warnings;
use Sandbox;
use Test::More;

my $s = Sandbox->start(sent_after_ms => -1, delivered_after_ms => -1, read_after_ms => -1);
my $shop = $s->shop;
my $budi = '628123456789';
my $stranger = '628990000001';
$s->control(POST => 'customer', { phone => $budi, name => 'Budi', identity_hash => 'right' });
$s->control(POST => 'customer', { phone => '628123400001', on_whatsapp => \0 });
$s->control(POST => 'customer', { phone => '628123400002', refuse => 130472 });
$s->control(POST => 'customer', { phone => '628123400003', stopped => \1 });
$s->control(POST => 'customer', { phone => '628123400004', user_id => 'ID.777' });
my $inbound = $s->customer_says($shop, $_, 'halo')->{id} for $budi, map { "62812340000$_" } 1 .. 4;
my $wamid = $s->customer_says($shop, $budi, 'halo lagi')->{id};

# ---- templates
sub template { $s->control(POST => 'template', { waba_id => $shop->{waba}, language => 'id', category => 'UTILITY', @_ }) }
template(name => 'pesanan', body => 'Halo {{1}}, pesanan {{2}} siap.');
template(name => 'tunggu', body => 'Halo', status => 'PENDING');
template(name => 'jeda', body => 'Halo', status => 'PAUSED');
template(name => 'mati', body => 'Halo', status => 'DISABLED');
template(name => 'promo', body => 'Diskon', category => 'MARKETING');
template(name => 'kode', body => 'Kode {{1}}', category => 'AUTHENTICATION');
template(name => 'gambar', body => 'Halo', header_format => 'IMAGE');
template(name => 'bernama', body => 'Halo {{nama}}');
template(name => 'panjang', body => 'x' x 1000 . '{{1}}');

sub tpl
{
	my ($name, $parameters, %more) = @_;
	return (type => 'template', text => undef,
		template => { name => $name, language => { code => 'id' },
			components => [ ($parameters ? { type => 'body', parameters => $parameters } : ()), @{ $more{components} // [] } ] });
}
sub param { return { type => 'text', text => $_[0], @_[1 .. $#_] } }
sub buttons { return { type => 'button', body => { text => 'pilih' }, action => { buttons => [@_] } } }
sub button { return { type => 'reply', reply => { id => "b$_[0]", title => $_[1] } } }
sub interactive { return (type => 'interactive', text => undef, interactive => $_[0]) }
sub list_of
{
	my ($rows) = @_;
	return { type => 'list', body => { text => 'menu' }, action => { button => 'Lihat',
		sections => [ { title => 'Kopi', rows => [ map { { id => "r$_", title => "Kopi $_" } } 1 .. $rows ] } ] } };
}

# name, changes to a good text message to Budi, HTTP status, code, subcode
my @message = (
	[ 'a right text', {}, 200 ],
	[ 'a number with plus and blanks', { to => '+62 812-3456-789' }, 200 ],
	[ 'type left out means text', { type => undef }, 200 ],
	[ 'no product', { messaging_product => undef }, 400, 100 ],
	[ 'another product', { messaging_product => 'sms' }, 400, 100 ],
	[ 'no recipient', { to => undef }, 400, 100 ],
	[ 'a recipient that is a number', { to => 628123456789 }, 400, 100 ],
	[ 'a recipient with letters', { to => '62812abc456' }, 400, 131009 ],
	[ 'a recipient too short', { to => '62812' }, 400, 131009 ],
	[ 'a recipient too long', { to => '6281234567890123' }, 400, 131009 ],
	[ 'the sender itself', { to => $shop->{phone} }, 400, 131021 ],
	[ 'a recipient type that is no person', { recipient_type => 'crowd' }, 400, 100 ],
	[ 'an unknown type', { type => 'telegram' }, 400, 100 ],
	[ 'a type only customers send', { type => 'order', order => {} }, 400, 131051 ],
	[ 'no part of that type', { text => undef }, 400, 100 ],
	[ 'a part that is no object', { text => 'halo' }, 400, 100 ],
	[ 'no text', { text => {} }, 400, 100 ],
	[ 'an empty text', { text => { body => '' } }, 400, 100 ],
	[ '4096 characters', { text => { body => "\x{e9}" x 4096 } }, 200 ],
	[ '4097 characters', { text => { body => 'x' x 4097 } }, 400, 100 ],
	[ 'a text that is a number', { text => { body => 5 } }, 400, 100 ],
	[ 'an unknown key of the text', { text => { body => 'x', bold => \1 } }, 400, 100 ],
	[ 'an unknown key of the message', { colour => 'red' }, 400, 100 ],
	[ 'callback data of 512', { biz_opaque_callback_data => 'x' x 512 }, 200 ],
	[ 'callback data of 513', { biz_opaque_callback_data => 'x' x 513 }, 400, 100 ],
	[ 'a reply to a message', { context => { message_id => $wamid } }, 200 ],
	[ 'a reply to nothing', { context => {} }, 400, 100 ],
	[ 'a reply to what is no message', { context => { message_id => 'abc' } }, 400, 131009 ],
	[ 'outside the window', { to => $stranger }, 400, 131047 ],
	[ 'not on WhatsApp', { to => '628123400001' }, 400, 131026 ],
	[ 'in an experiment', { to => '628123400002' }, 400, 130472 ],
	[ 'the wrong identity', { recipient_identity_key_hash => 'wrong' }, 400, 137000 ],
	[ 'the right identity', { recipient_identity_key_hash => 'right' }, 200 ],
	[ 'by user id', { to => undef, recipient => 'ID.777' }, 200 ],
	[ 'by an unknown user id', { to => undef, recipient => 'ID.778' }, 400, 131063 ],
	[ 'by what is no user id', { to => undef, recipient => 'nobody' }, 400, 131009 ],
	# media, location, contacts, reactions
	[ 'an image by link', { type => 'image', text => undef, image => { link => 'https://x.example/a.png' } }, 200 ],
	[ 'an image by id and link', { type => 'image', text => undef, image => { id => '1', link => 'https://x.example/a' } }, 400, 100 ],
	[ 'an image by nothing', { type => 'image', text => undef, image => {} }, 400, 100 ],
	[ 'an image by plain http', { type => 'image', text => undef, image => { link => 'http://x.example/a.png' } }, 400, 131053 ],
	[ 'a caption too long', { type => 'image', text => undef, image => { id => '1', caption => 'x' x 1025 } }, 400, 100 ],
	[ 'audio with a caption', { type => 'audio', text => undef, audio => { id => '1', caption => 'x' } }, 400, 100 ],
	[ 'a place', { type => 'location', text => undef, location => { latitude => -6.2, longitude => 106.8 } }, 200 ],
	[ 'half a place', { type => 'location', text => undef, location => { latitude => -6.2 } }, 400, 100 ],
	[ 'a place off the globe', { type => 'location', text => undef, location => { latitude => 91, longitude => 0 } }, 400, 131009 ],
	[ 'a contact', { type => 'contacts', text => undef, contacts => [ { name => { formatted_name => 'Ani' } } ] }, 200 ],
	[ 'no contact', { type => 'contacts', text => undef, contacts => [] }, 400, 100 ],
	[ 'a reaction', { type => 'reaction', text => undef, reaction => { message_id => $wamid, emoji => '' } }, 200 ],
	[ 'a reaction to nothing', { type => 'reaction', text => undef, reaction => { message_id => 'wamid.x', emoji => '' } }, 400, 131009 ],
	# interactive
	[ 'three buttons', { interactive(buttons(map { button($_, "Pilih $_") } 1 .. 3)) }, 200 ],
	[ 'four buttons', { interactive(buttons(map { button($_, "Pilih $_") } 1 .. 4)) }, 400, 131009 ],
	[ 'a button title of 21', { interactive(buttons(button(1, 'x' x 21))) }, 400, 131009 ],
	[ 'a button id of 257', { interactive(buttons(button('x' x 256, 'ya'))) }, 400, 131009 ],
	[ 'two buttons alike', { interactive(buttons(button(1, 'ya'), button(2, 'ya'))) }, 400, 131009 ],
	[ 'a body of 1025', { interactive({ %{ buttons(button(1, 'ya')) }, body => { text => 'x' x 1025 } }) }, 400, 131009 ],
	[ 'ten rows', { interactive(list_of(10)) }, 200 ],
	[ 'eleven rows', { interactive(list_of(11)) }, 400, 131009 ],
	[ 'an unknown interactive', { interactive({ type => 'dance', body => { text => 'x' }, action => {} }) }, 400, 131009 ],
	# templates
	[ 'a template', { tpl('pesanan', [ param('Budi'), param('A1') ]) }, 200 ],
	[ 'a template outside the window', { to => $stranger, tpl('pesanan', [ param('Ani'), param('A2') ]) }, 200 ],
	[ 'an unknown template', { tpl('tidak_ada') }, 404, 132001 ],
	[ 'another language', { type => 'template', text => undef, template => { name => 'promo', language => { code => 'en' } } }, 404, 132001 ],
	[ 'no language', { type => 'template', text => undef, template => { name => 'promo' } }, 400, 100 ],
	[ 'a template not approved', { tpl('tunggu') }, 404, 132001 ],
	[ 'a paused template', { tpl('jeda') }, 400, 132015 ],
	[ 'a disabled template', { tpl('mati') }, 400, 132016 ],
	[ 'too few parameters', { tpl('pesanan', [ param('Budi') ]) }, 400, 132000 ],
	[ 'too many parameters', { tpl('promo', [ param('Budi') ]) }, 400, 132000 ],
	[ 'a parameter of another kind', { tpl('kode', [ { type => 'image', image => {} } ]) }, 400, 132012 ],
	[ 'an empty parameter', { tpl('kode', [ param('') ]) }, 400, 100 ],
	[ 'a parameter with a line end', { tpl('kode', [ param("1\n2") ]) }, 400, 132007 ],
	[ 'a parameter with five blanks', { tpl('kode', [ param('1     2') ]) }, 400, 132007 ],
	[ 'a named parameter', { tpl('bernama', [ param('Budi', parameter_name => 'nama') ]) }, 200 ],
	[ 'a named parameter without name', { tpl('bernama', [ param('Budi') ]) }, 400, 132012 ],
	[ 'no header image', { tpl('gambar') }, 400, 132012 ],
	[ 'another header medium', { tpl('gambar', undef, components => [ { type => 'header', parameters => [ { type => 'video', video => { id => 1 } } ] } ]) }, 400, 132008 ],
	[ 'a header image', { tpl('gambar', undef, components => [ { type => 'header', parameters => [ { type => 'image', image => { id => 1 } } ] } ]) }, 200 ],
	[ 'a text too long when filled in', { tpl('panjang', [ param('x' x 200) ]) }, 400, 132005 ],
	[ 'marketing to who stopped it', { to => '628123400003', tpl('promo') }, 400, 131050 ],
	[ 'utility to who stopped marketing', { to => '628123400003', tpl('pesanan', [ param('A'), param('B') ]) }, 200 ],
	[ 'a code by user id', { to => undef, recipient => 'ID.777', tpl('kode', [ param('123') ]) }, 400, 131062 ],
	# marking as read
	[ 'read', { map({ $_ => undef } qw(to type text)), status => 'read', message_id => $wamid }, 200 ],
	[ 'reading nothing', { map({ $_ => undef } qw(to type text)), status => 'read', message_id => 'wamid.x' }, 400, 131009 ],
	[ 'another act than reading', { map({ $_ => undef } qw(to type text)), status => 'eaten', message_id => $wamid }, 400, 100 ],
);

my $taken = 0;
for my $case (@message)
{
	my ($name, $change, $status, $code) = @$case;
	my $message = Sandbox::text_message($budi, 'halo', %$change);
	my ($got, $answer) = $s->send_message($shop, $message);
	check($name, $got, $answer, $status, $code);
	$taken++ if $status == 200 && ($change->{status} // '') ne 'read';
}
is($s->totals->{accepted}, $taken, 'what was right was taken, and nothing else');

sub check
{
	my ($name, $got, $answer, $status, $code, $subcode) = @_;
	if ($status == 200)
	{
		is($got, 200, "$name: taken") or diag(explain($answer));
		return;
	}
	is_deeply(
		[ $got, map { $answer->{error}{$_} } qw(code error_subcode) ], [ $status, $code, $subcode ],
		"$name: $code" . ($subcode ? "/$subcode" : '')) or diag(explain($answer));
	ok($answer->{error}{message} && $answer->{error}{type} =~ /Exception$/ && $answer->{error}{fbtrace_id} =~ /^A/,
		"$name: the body is one of Meta's");
	is($answer->{error}{error_data}{messaging_product}, 'whatsapp', "$name: with details")
	  if $code > 130000;
}

# ---- what the answer to a message says
{
	my ($status, $answer) = $s->send_text($shop, '+62 812 3456 789', 'bentuk');
	is_deeply($answer->{contacts}, [ { input => '+62 812 3456 789', wa_id => $budi } ], 'input as given, wa_id as digits');
	like($answer->{messages}[0]{id}, qr/^wamid\.[A-Za-z0-9+\/=]+$/, 'an id');
	require MIME::Base64;
	like(MIME::Base64::decode_base64(substr $answer->{messages}[0]{id}, 6), qr/\Q$budi\E/, 'which holds the phone number');
	($status, $answer) = $s->send_message($shop, Sandbox::text_message(undef, 'x', recipient => 'ID.777'));
	is_deeply($answer->{contacts}, [ { input => 'ID.777', user_id => 'ID.777' } ], 'a user id is answered with the user id');
}

# ---- body that cannot be read
for my $body ('', '{', '[]', '"x"', '{"messaging_product":"whatsapp","messaging_product":"whatsapp"}')
{
	my ($status, $answer) = $s->graph(POST => "$shop->{number}/messages", token => $shop->{token}, body => $body);
	is($answer->{error}{code}, 100, "body '$body' is refused");
}

# ---- token, permission, object
my %token = map { ($_ => $s->control(POST => 'token', { app_id => $shop->{app}, waba_id => $shop->{waba} })->{token}) } 458 .. 467;
$s->control(POST => 'token', { token => $token{$_}, dead => $_ }) for 458, 459, 460, 464, 467;
$s->control(POST => 'token', { token => $token{463}, expires_in => 60 });
my $reader = $s->control(POST => 'token', { app_id => $shop->{app}, waba_id => $shop->{waba}, scopes => ['whatsapp_business_management'] });
my $nothing = $s->control(POST => 'token', { app_id => $shop->{app}, waba_id => $shop->{waba}, scopes => [] });
my $other = $s->shop;
is(($s->graph(POST => "$shop->{number}/messages", token => $token{463}, body => Sandbox::text_message($budi, 'x')))[0],
	200, 'a token works until it expires');
$s->advance(61);
for my $case (
	[ 'no token', undef, $shop->{number}, 400, 104 ],
	[ 'an unknown token', 'nonsense', $shop->{number}, 401, 190 ],
	(map { [ "a dead token ($_)", $token{$_}, $shop->{number}, 401, 190, $_ ] } 458, 459, 460, 463, 464, 467),
	[ 'no permission to send', $reader->{token}, $shop->{number}, 403, 10 ],
	[ 'no permission at all', $nothing->{token}, $shop->{number}, 403, 200 ],
	[ 'an unknown number', $shop->{token}, '123', 400, 100, 33 ],
	[ 'the number of another business', $other->{token}, $shop->{number}, 400, 100, 33 ])
{
	my ($name, $token, $number, @expected) = @$case;
	my ($status, $answer) = $s->graph(POST => "$number/messages", token => $token, body => Sandbox::text_message($budi, 'x'));
	check($name, $status, $answer, @expected);
}

# ---- state of number and account
for my $case (
	[ 'not registered', { registered => \0 }, 400, 133010 ],
	[ 'deleted', { deleted => \1 }, 400, 33 ],
	(map { [ "state $_->[1]", { refuse => $_->[1] }, @$_ ] }
		[ 403, 368 ], [ 403, 130497 ], [ 403, 131031 ], [ 400, 131037 ], [ 400, 131042 ], [ 500, 131045 ], [ 500, 131057 ],
		[ 403, 131005 ], [ 400, 131048 ], [ 400, 131064 ]))
{
	my ($name, $state, $status, $code) = @$case;
	$s->control(POST => 'number', { id => $shop->{number}, %$state });
	my ($got, $answer) = $s->send_text($shop, $budi, 'x');
	is_deeply([ $got, $answer->{error}{code} ], [ $status, $code ], "number $name: $code");
	$s->control(POST => 'number', { id => $shop->{number}, registered => \1, deleted => \0, refuse => 0 });
}
$s->control(POST => 'waba', { id => $shop->{waba}, refuse => 131031 });
is(($s->send_text($shop, $budi, 'x'))[1]{error}{code}, 131031, 'a locked business account');
$s->control(POST => 'waba', { id => $shop->{waba}, refuse => 0 });

# ---- a test number writes only to its list
$s->control(POST => 'number', { id => $shop->{number}, test => \1, allowed => ["+$budi"] });
is(($s->send_text($shop, $budi, 'x'))[0], 200, 'a test number reaches its list');
is(($s->send_text($shop, '628123400004', 'x'))[1]{error}{code}, 131030, 'and nobody else');
$s->control(POST => 'number', { id => $shop->{number}, test => \0 });

# ---- the window is the sandbox's own clock
$s->customer_says($shop, '628555000111', 'halo');
$s->advance(24 * 3600 - 5);
is(($s->send_text($shop, '628555000111', 'x'))[0], 200, 'open until 24 hours have passed');
$s->advance(6);
is(($s->send_text($shop, '628555000111', 'x'))[1]{error}{code}, 131047, 'shut then');
$s->customer_says($shop, '628555000111', 'halo lagi');
is(($s->send_text($shop, '628555000111', 'x'))[0], 200, 'open again after the customer wrote');

# ---- every code of the table can be scripted
for my $refusal (grep { $_->{code} } @{ $s->control(GET => 'refusals')->{refusals} })
{
	$s->fault(action => 'refuse', code => $refusal->{code}, subcode => $refusal->{subcode});
	my ($status, $answer) = $s->send_text($shop, '628555000111', 'x');
	is_deeply([ $status, $answer->{error}{code}, $answer->{error}{error_subcode} // 0 ],
		[ @$refusal{qw(status code subcode)} ], "scripted $refusal->{code}/$refusal->{subcode}");
}
my $usage = sub {
	$s->fault(action => 'refuse', code => $_[0]);
	return $s->graph(POST => "$shop->{number}/messages", token => $shop->{token}, body => '{}', raw => 1)->{headers};
};
like($usage->(4)->{'x-app-usage'}, qr/"call_count":100/, 'the app limit comes with its usage header');
like($usage->(80007)->{'x-business-use-case-usage'}, qr/estimated_time_to_regain_access/, "the account's limit with its own");
done_testing();
