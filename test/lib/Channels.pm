=pod

=head1 NAME

Channels - every channel as one shop of its own, for what must hold of all alike

=head1 SYNOPSIS

  for my $shop (map { Channels->open($stage, $_) } Channels->names)
  {
      my ($status, $answer) = $shop->connect;    # over HTTP, against the sandbox
      $shop->says('Sari', 'halo');               # a customer writes
      is(scalar($shop->sends('Sari')), 1);       # what the provider took
  }

=head1 DESCRIPTION

A driver of the product joins every shared story by one package here that says
how its accounts are made in the sandbox, connected, written to and cut. The
stage is one cluster; each shop is a workspace of its own.

=cut

package Channels;

use strict;
use warnings;

use JSON::PP ();
use Laras;

my %class = (whatsapp => 'Channels::WhatsApp', instagram => 'Channels::Instagram', messenger => 'Channels::Messenger', threads => 'Channels::Threads', telegram => 'Channels::Telegram', email => 'Channels::Email', generic => 'Channels::Generic');
my $json = JSON::PP->new->canonical->allow_nonref;
my $count = 0;

sub names { return sort keys %class; }

=head2 Channels->open($stage, $channel)

A new workspace whose owner is signed in, and an account at the provider that
is not connected yet.

=cut

sub open
{
	my ($self, $stage, $channel) = @_;
	my $n = ++$count;
	my $shop = bless { stage => $stage, channel => $channel, n => $n, email => "owner$n\@shop.example" }, $class{$channel};
	$shop->{workspace} = $stage->sql("SELECT laras.create_workspace('Toko $n', '$shop->{email}', '$stage->{password}')");
	Laras->go_live($stage->node, $shop->{workspace});
	$shop->as(sub { $stage->sign_in == 200 or die "could not sign in\n"; $shop->{cookie} = $stage->{cookie} });
	$stage->{installed}{$channel}++ or $shop->install;
	$shop->asset;
	return $shop;
}

=head2 Channels->ends($channel)

All the ways in which access to an account of that channel can end: owner;
deauthorize, deletion (callbacks); event (of the account); send, poll, renewal (a request
is told that it was withdrawn); forgotten, poll_forgotten (a request is told that the token
is dead, and nobody logs in again).

=cut

sub ends
{
	my (undef, $channel) = @_;
	my $class = $class{$channel};
	my $withdrawn = $class->withdraws;
	return ('owner', $class->calls_back ? qw(deauthorize deletion) : (), $class->loses ? 'event' : (),
		$withdrawn ? 'send' : (), $class->talks ? 'forgotten' : (),
		$class->polls ? ($withdrawn ? 'poll' : 'poll_forgotten') : (), $class->renews ? 'renewal' : ());
}

sub channel { return $_[0]{channel}; }
sub stage { return $_[0]{stage}; }
sub workspace { return $_[0]{workspace}; }
sub connection { return $_[0]{connection}; }
sub sandbox { return $_[0]{stage}->sandbox; }

# Runs with the stage in this shop's hands.
sub as
{
	my ($self, $code) = @_;
	local @{ $self->{stage} }{qw(cookie email)} = ($self->{cookie}, $self->{email});
	return $code->();
}

sub call { my ($self, @request) = @_; return $self->as(sub { return $self->{stage}->call(@request) }); }
sub bound { my ($self, $query) = @_; return $self->{stage}->bound($query, $self->{workspace}); }

sub wait_bound
{
	my ($self, $query, $seconds) = @_;
	local $self->{stage}{workspace} = $self->{workspace};
	return $self->{stage}->wait_bound($query, $seconds);
}

=head2 $shop->connect(%change)

Connects over HTTP as its owner would; (status, answer). C<%change> spoils it:
C<token> (or code) is given instead of a good one, C<account> is another shop's.

=cut

sub connect
{
	my ($self, %change) = @_;
	my ($status, $answer) = $self->log_in(%change);
	$self->{connection} = $self->bound("SELECT id FROM laras.connections WHERE state = 'connected' ORDER BY connected_at DESC, id DESC LIMIT 1")
	  if $status == 200;
	return ($status, $answer);
}

# The tile of the channel on the integrations page.
sub tile
{
	my ($self) = @_;
	my (undef, $answer) = $self->call(GET => '/app/settings/integrations');
	return (grep { $_->{channel} eq $self->{channel} } @{ $answer->{integrations} })[0];
}

# A number for a person's name, always the same in a shop.
sub person
{
	my ($self, $name) = @_;
	return $self->{people}{$name} //= sprintf '62812%03d%05d', $self->{n}, 1 + keys %{ $self->{people} // {} };
}

# Answers a person in the conversation that they began.
sub reply
{
	my ($self, $name, $text) = @_;
	return $self->bound("SELECT laras.reply((SELECT v.id FROM laras.conversations v JOIN laras.contact_identities i ON i.contact_id = v.contact_id WHERE i.value = '"
		  . $self->person($name) . "' ORDER BY v.id LIMIT 1), \$text\$$text\$text\$)");
}

# Requests to send to this person, of those that the provider took.
sub sends
{
	my ($self, $name) = @_;
	return $self->sandbox->ledger(to => $self->person($name), accepted => 'true', number => $self->{account}{number});
}

# Its owner signs in again.
sub sign_in
{
	my ($self) = @_;
	return $self->as(sub { delete $self->{stage}{cookie}; $self->{stage}->sign_in == 200 or die "could not sign in\n"; $self->{cookie} = $self->{stage}{cookie} });
}

# The refusal that says that access was withdrawn, or where none does, that the token is dead.
sub withdrawn
{
	my ($self) = @_;
	my %code = $self->fault_codes;
	return $self->withdraws ? (code => 190, subcode => 458) : (code => $code{dead});
}

# A fault for the next send of this shop.
sub fault { my ($self, %fault) = @_; return $self->sandbox->fault(match => $self->matches_send, %fault); }

# What is so of most channels.
sub talks { return 1; }        # direct messages go both ways
sub hears { my ($self) = @_; return $self->talks; }    # somebody may write to it
sub logs_in { return 1; }      # its owner connects it by a log-in or a token
sub loses { return 0; }        # it tells by a webhook that access was taken away: lose() does that
sub tells { return 1; }        # the provider has a call that ends a subscription
sub withdraws { return 0; }    # a refusal may say that its owner took the access away: withdrawn
sub polls { return 0; }        # it is asked every hour whether events come: polled matches that
sub renews { return 0; }       # its token is renewed, and nothing else asks: renewed matches that
sub calls_back { my ($class) = @_; return $class->can('callback') != \&Channels::callback; }
sub statuses { return 0; }     # it is told what became of a message
sub has_profile { return 1; }  # it says more of the account than a name
sub names_people { return 1; }  # it says what a customer is called
sub callback { return; }       # path and form of what the provider posts about who connected
sub too_long { return 'x' x 4097; }
sub asks { return 0; }         # it can be asked what became of a send without an answer
sub unclear { return qw(close_unanswered no_id); }    # faults after which nobody knows

# The form of a callback about who connected.
sub signed_request
{
	my ($self) = @_;
	my $payload = MIME::Base64::encode_base64url($json->encode({ algorithm => 'HMAC-SHA256', issued_at => time, user_id => $self->{account}{user} }));
	return HTTP::Tiny->new->www_form_urlencode(
		{ signed_request => MIME::Base64::encode_base64url(Digest::SHA::hmac_sha256($payload, $self->{account}{secret})) . ".$payload" });
}

# -------------------------------------------------------------------- WhatsApp
package Channels::WhatsApp;

use Digest::SHA ();
use HTTP::Tiny;
use MIME::Base64 ();
our @ISA = ('Channels');

sub install { return; }    # the stage has registered the app

sub asset
{
	my ($self) = @_;
	my $shop = $self->{stage}->shop;
	my $waba = $self->sandbox->control(POST => 'waba', { name => "Shop $self->{n}", subscribe => [] });
	my $phone = sprintf '6281110%05d', 50000 + $self->{n};
	my $number = $self->sandbox->control(POST => 'number', { waba_id => $waba->{id}, display_phone_number => "+$phone" });
	$self->{account} = { number => $number->{id}, above => $waba->{id}, display => "+$phone", user => "77$self->{n}", app => $shop->{app}, secret => $shop->{secret} };
	return;
}

sub log_in
{
	my ($self, %change) = @_;
	my $account = $change{account} // $self->{account};
	my (undef, $launch) = $self->call(POST => '/api/wa/connect', {});
	my $code = $self->sandbox->control(POST => 'code', { app_id => $account->{app}, number => $account->{number}, waba_id => $account->{above}, user_id => $account->{user} });
	return $self->call(POST => '/api/wa/embedded-signup-callback',
		{ state => $launch->{state}, code => $change{token} // $code->{code}, waba_id => $account->{above}, phone_number_id => $account->{number} });
}

sub refused { return (502, 'exchange_refused'); }
sub subscribing { return { path => 'subscribed_apps', method => 'POST' }; }
sub told { my ($self) = @_; return grep { $_->{method} eq 'DELETE' && $_->{path} =~ m{/$self->{account}{above}/subscribed_apps} } $self->sandbox->ledger; }
sub matches_send { my ($self) = @_; return { route => 'messages', number => $self->{account}{number} }; }
sub fault_codes { return (throttled => 130429, refused => 131026, dead => 190); }
sub statuses { return 1; }

sub says
{
	my ($self, $name, $text) = @_;
	return $self->sandbox->control(POST => 'customer/message',
		{ number => $self->{account}{number}, from => $self->person($name), name => $name, text => $text, wait => JSON::PP::true })->{status};
}

# What a provider that was not told goes on sending.
sub late
{
	my ($self, $name, $text) = @_;
	my $body = $self->{stage}->body($self->person($name), $text, number => $self->{account}{number});
	$body =~ s/$self->{stage}{shop}{waba}/$self->{account}{above}/;
	return Laras::post_webhook($self->{stage}->url, 'wa', $self->{account}{secret}, $body)->{status};
}

sub callback
{
	my ($self, $kind) = @_;
	return ($kind eq 'deletion' ? '/api/meta/data-deletion' : '/api/meta/deauthorize', $self->signed_request);
}

sub withdraws { return 1; }
sub polls { return 1; }
sub polled { my ($self) = @_; return { path => "$self->{account}{above}/subscribed_apps", method => 'GET' }; }
sub loses { return 1; }

# The business took the partner away.
sub lose
{
	my ($self) = @_;
	my $waba = $self->{account}{above};
	return Laras::post_webhook($self->{stage}->url, 'wa', $self->{account}{secret}, $json->utf8->encode({ object => 'whatsapp_business_account', entry => [ { id => $waba, time => time,
		changes => [ { field => 'account_update', value => { event => 'PARTNER_REMOVED', waba_info => { waba_id => $waba, owner_business_id => '1' } } } ] } ] }))->{status} == 200;
}

# ------------------------------------------------------------------- Instagram
package Channels::Instagram;

our @ISA = ('Channels');

sub install
{
	my ($self) = @_;
	my $url = $self->{stage}->url;
	my $app = $self->{stage}{instagram} = $self->sandbox->control(POST => 'app', { callback_url => "$url/api/webhooks/instagram", verify_token => 'verify-me-please' });
	$self->{stage}->sql("SELECT laras.register_provider_app('{instagram}', '$app->{id}', '$app->{secret}', 'verify-me-please', '{\"graph_url\": \"" . $self->sandbox->url . "\"}')");
	return;
}

sub asset
{
	my ($self) = @_;
	my $app = $self->{stage}{instagram};
	my $made = $self->sandbox->control(POST => 'account', { app_id => $app->{id}, username => "toko.$self->{n}" });
	$self->{account} = { number => $made->{id}, display => "\@toko.$self->{n}", user => "88$self->{n}", app => $app->{id}, secret => $app->{secret} };
	return;
}

sub segment { return 'ig'; }
sub object { return 'instagram'; }

# A code as the log-in page gives it; %change: permissions, pages.
sub code
{
	my ($self, $account, %change) = @_;
	return $self->sandbox->control(POST => 'account/code',
		{ account => $account->{number}, user_id => $account->{user}, redirect_uri => $self->{stage}->url . '/api/' . $self->segment . '/callback', %change })->{code};
}

sub log_in
{
	my ($self, %change) = @_;
	my (undef, $launch) = $self->call(POST => '/api/' . $self->segment . '/connect', {});
	my $code = $change{token} // $self->code($change{account} // $self->{account}, map { $_ => $change{$_} } grep { /^(?:permissions|pages)$/ } keys %change);
	$self->{calls} = () = $self->sandbox->ledger;
	return $self->call(GET => '/api/' . $self->segment . "/callback?code=$code%23_&state=$launch->{state}");
}

sub refused { return (502, 'exchange_refused'); }
sub subscribing { return { path => 'subscribed_apps', method => 'POST' }; }
sub matches_send { my ($self) = @_; return { route => 'messages', path => $self->{account}{number} }; }
sub fault_codes { return (throttled => 613, refused => 100, dead => 190); }
sub withdraws { return 1; }
sub polls { return 1; }
sub polled { return { path => 'me/subscribed_apps', method => 'GET' }; }
sub names_people { return 0; }
sub too_long { return "\xC3\xA9" x 501; }    # 1,002 bytes

sub told
{
	my ($self) = @_;
	my @call = $self->sandbox->ledger;
	return grep { $_->{method} eq 'DELETE' && $_->{path} =~ m{/me/subscribed_apps$} } @call[ $self->{calls} .. $#call ];
}

sub says
{
	my ($self, $name, $text) = @_;
	return $self->sandbox->control(POST => 'account/message',
		{ account => $self->{account}{number}, from => $self->person($name), text => $text, wait => JSON::PP::true })->{status};
}

sub late
{
	my ($self, $name, $text) = @_;
	return Laras::post_webhook($self->{stage}->url, $self->{channel}, $self->{account}{secret}, $json->encode({ object => $self->object, entry => [ {
		id => $self->{account}{number}, time => time * 1000, messaging => [ {
			sender => { id => $self->person($name) }, recipient => { id => $self->{account}{number} }, timestamp => time * 1000,
			message => { mid => 'aWdfLATE', text => $text } } ] } ] }))->{status};
}

sub callback
{
	my ($self, $kind) = @_;
	return ($kind eq 'deletion' ? '/api/meta/instagram/data-deletion' : '/api/meta/instagram/deauthorize', $self->signed_request);
}

# ------------------------------------------------------------------- Messenger
package Channels::Messenger;

our @ISA = ('Channels::Instagram');

sub install
{
	my ($self) = @_;
	my $url = $self->{stage}->url;
	my $app = $self->{stage}{messenger} = $self->sandbox->control(POST => 'app', { callback_url => "$url/api/webhooks/messenger", verify_token => 'verify-me-please' });
	$self->{stage}->sql("SELECT laras.register_provider_app('{messenger}', '$app->{id}', '$app->{secret}', 'verify-me-please', '{\"graph_url\": \"" . $self->sandbox->url . "\"}')");
	return;
}

sub asset
{
	my ($self) = @_;
	my $app = $self->{stage}{messenger};
	my $made = $self->sandbox->control(POST => 'account', { app_id => $app->{id}, kind => 'page', name => "Toko $self->{n}" });
	$self->{account} = { number => $made->{id}, display => "Toko $self->{n}", user => "66$self->{n}", app => $app->{id}, secret => $app->{secret} };
	return;
}

sub segment { return 'messenger'; }
sub object { return 'page'; }
sub has_profile { return 0; }
sub subscribing { my ($self) = @_; return { path => "$self->{account}{number}/subscribed_apps", method => 'POST' }; }
sub polled { my ($self) = @_; return { path => "$self->{account}{number}/subscribed_apps", method => 'GET' }; }
sub too_long { return 'x' x 2001; }

sub told
{
	my ($self) = @_;
	return grep { $_->{method} eq 'DELETE' && $_->{path} =~ m{/$self->{account}{number}/subscribed_apps$} } $self->sandbox->ledger;
}

sub callback
{
	my ($self, $kind) = @_;
	return ($kind eq 'deletion' ? '/api/meta/data-deletion' : '/api/meta/deauthorize', $self->signed_request);
}

# --------------------------------------------------------------------- Threads
package Channels::Threads;

our @ISA = ('Channels::Instagram');

sub install
{
	my ($self) = @_;
	my $url = $self->{stage}->url;
	my $app = $self->{stage}{threads} = $self->sandbox->control(POST => 'app', { callback_url => "$url/api/webhooks/threads", verify_token => 'verify-me-please' });
	$self->{stage}->sql("SELECT laras.register_provider_app('{threads}', '$app->{id}', '$app->{secret}', 'verify-me-please', '{\"graph_url\": \"" . $self->sandbox->url . "\"}')");
	return;
}

sub asset
{
	my ($self) = @_;
	my $app = $self->{stage}{threads};
	my $made = $self->sandbox->control(POST => 'account', { app_id => $app->{id}, kind => 'threads', username => "toko.$self->{n}" });
	$self->{account} = { number => $made->{id}, display => "\@toko.$self->{n}", user => $made->{id}, app => $app->{id}, secret => $app->{secret} };
	return;
}

sub segment { return 'threads'; }
sub polls { return 0; }
sub renews { return 1; }
sub renewed { return { path => 'refresh_access_token' }; }
sub tells { return 0; }
sub subscribing { return; }
sub asks { return 1; }
sub matches_send { my ($self) = @_; return { path => "$self->{account}{number}/threads_publish" }; }
sub too_long { return 'x' x 501; }

# Everything is said in public, below a post of the shop's.
sub says
{
	my ($self, $name, $text) = @_;
	$self->{post} //= $self->sandbox->control(POST => 'account/post', { account => $self->{account}{number} })->{id};
	return $self->sandbox->control(POST => 'account/comment',
		{ post => $self->{post}, from => $self->person($name), name => $self->person($name), text => $text, wait => JSON::PP::true })->{status};
}

sub late
{
	my ($self, $name, $text) = @_;
	return Laras::post_webhook($self->{stage}->url, 'threads', $self->{account}{secret}, $json->encode({ app_id => $self->{account}{app}, topic => 'moderate',
		target_id => '1', time => time, values => { field => 'replies', value => { id => '99', username => 'sari', text => $text, media_type => 'TEXT_POST',
			root_post => { id => '1', owner_id => $self->{account}{number}, username => 'toko' }, timestamp => '2026-01-01T10:00:00+0000' } } }))->{status};
}

sub callback
{
	my ($self, $kind) = @_;
	return ($kind eq 'deletion' ? '/api/meta/threads/data-deletion' : '/api/meta/threads/deauthorize', $self->signed_request);
}

# -------------------------------------------------------------------- Telegram
package Channels::Telegram;

our @ISA = ('Channels');

my $secret = 'the secret of all bots of this house';

sub install
{
	my ($self) = @_;
	$self->{stage}->sql("SELECT laras.register_provider_app('{telegram}', 'bots', '$secret', 'not used by Telegram', '{\"graph_url\": \"" . $self->sandbox->url . "\"}')");
	return;
}

sub asset
{
	my ($self) = @_;
	my $bot = $self->sandbox->control(POST => 'bot', { id => "51000$self->{n}", username => "toko$self->{n}_bot" });
	$self->{account} = { number => $bot->{id}, token => $bot->{token}, display => "\@$bot->{username}" };
	return;
}

sub log_in
{
	my ($self, %change) = @_;
	my $account = $change{account} // $self->{account};
	return $self->call(POST => '/api/telegram/connect', { token => $change{token} // $account->{token} });
}

sub refused { return (422, 'token_not_for_account'); }
sub subscribing { my ($self) = @_; return { path => "bot$self->{account}{number}", route => 'setWebhook' }; }
sub told { my ($self) = @_; return grep { $_->{path} eq "/bot$self->{account}{number}/deleteWebhook" } $self->sandbox->ledger; }
sub matches_send { my ($self) = @_; return { route => 'sendMessage', path => "bot$self->{account}{number}:" }; }
sub fault_codes { return (throttled => 429, refused => 403, dead => 401); }
sub polls { return 1; }
sub polled { my ($self) = @_; return { route => 'getWebhookInfo', path => "bot$self->{account}{number}:" }; }

sub says
{
	my ($self, $name, $text) = @_;
	return $self->sandbox->control(POST => 'bot/message',
		{ bot => $self->{account}{number}, from => $self->person($name), name => $name, text => $text, wait => JSON::PP::true })->{status};
}

sub late
{
	my ($self, $name, $text) = @_;
	my $person = { id => $self->person($name) + 0, is_bot => JSON::PP::false, first_name => $name };
	my $response = Laras::http_call('POST', "$self->{stage}{url}/api/webhooks/telegram/$self->{account}{number}",
		headers => { 'Content-Type' => 'application/json',
			'X-Telegram-Bot-Api-Secret-Token' => Digest::SHA::hmac_sha256_hex("telegram/$self->{account}{number}", $secret) },
		content => $json->encode({ update_id => 1, message => { message_id => 900, date => time, from => $person, chat => { id => $person->{id}, type => 'private' }, text => $text } }));
	return $response->{status};
}

# ----------------------------------------------------------------------- Email
package Channels::Email;

use IPC::Run ();

our @ISA = ('Channels');

my $mail_secret = 'the secret of all addresses of this house';
my $mails = 0;

sub install
{
	my ($self) = @_;
	$self->{stage}->sql("SELECT laras.register_provider_app('{email}', 'mail', '$mail_secret', 'not used for mail', '{\"smtp\": [\"" . $self->sandbox->smtp . "\"]}')");
	return;
}

sub asset
{
	my ($self) = @_;
	my $address = "toko$self->{n}\@shop.example";
	my $password = "sandi-yang-panjang-sekali-$self->{n}";
	$self->sandbox->control(POST => 'mailbox', { address => $address, password => $password });
	$self->{account} = { number => $address, token => $password, display => $address };
	return;
}

# A person is an address, written with capitals as some do.
sub person { my ($self, $name) = @_; return "$name\@pelanggan$self->{n}.example"; }

sub log_in
{
	my ($self, %change) = @_;
	my $account = $change{account} // $self->{account};
	return $self->call(POST => '/api/email/connect', { address => $account->{number}, token => $change{token} // $account->{token}, name => "Toko $self->{n}" });
}

# Once connected, the mail server's pipe is told where and with what.
sub connect
{
	my ($self, %change) = @_;
	my ($status, $answer) = $self->SUPER::connect(%change);
	return ($status, $answer) if $status != 200;
	my ($given, $hook) = $self->call(POST => "/app/settings/integrations/$self->{connection}/webhook-secret", {});
	die "no secret: $given\n" unless $given == 200;
	$self->{hook} = $hook;
	$self->{pipe} = $PostgreSQL::Test::Utils::tmp_check . "/pipe_$$" . "_$self->{channel}_$self->{n}";
	open my $file, '>', $self->{pipe} or die "$self->{pipe}: $!";
	print $file "url $hook->{url}\nsecret $hook->{secret}\n";
	close $file;
	chmod 0600, $self->{pipe};
	return ($status, $answer);
}

sub refused { return (422, 'credentials_refused'); }
sub subscribing { return; }
sub tells { return 0; }
sub told { return 0; }    # nobody is to be told
sub unclear { return ('close_unanswered', 'reset_after_body'); }
sub too_long { return 'x' x (256 * 1024 + 1); }
sub matches_send { my ($self) = @_; return { route => 'mail', number => $self->{account}{number} }; }
sub fault_codes { return (throttled => 421, refused => 550, dead => 535); }

# A password is refused at the log-in.
sub fault
{
	my ($self, %fault) = @_;
	my $match = $self->matches_send;
	$match->{route} = 'login' if ($fault{code} // 0) == 535;
	delete $fault{statuses};
	return $self->sandbox->fault(match => $match, %fault);
}

# A mail as a mail server has it; %field replaces and adds.
sub mail
{
	my ($self, $name, $text, %field) = @_;
	my %all = (From => "$name <" . $self->person($name) . '>', To => $self->{account}{number}, Subject => 'Tanya',
		Date => 'Thu, 20 Nov 2025 08:00:00 +0700', 'Message-ID' => sprintf('<mail%d.%d@pelanggan.example>', $$, ++$mails), %field);
	return join('', map { "$_: $all{$_}\n" } sort keys %all) . "\n$text\n";
}

# Through the program that a mail server calls: what it ends with.
sub piped
{
	my ($self, $mail) = @_;
	IPC::Run::run([ 'laras-mailpipe', $self->{pipe} ], '<', \$mail, '>', \my $out, '2>', \$self->{complaint});
	return $? >> 8;
}

sub says { my ($self, $name, $text) = @_; return $self->piped($self->mail($name, $text)) == 0 ? 200 : 0; }
sub late { my ($self, $name, $text) = @_; return $self->says($name, $text); }

# --------------------------------------------------------------------- Generic
package Channels::Generic;

our @ISA = ('Channels');

my $generic_secret = 'the secret of a system that posts JSON';

sub install { return; }    # each system is an app of its own

sub asset
{
	my ($self) = @_;
	$self->{account} = { number => "9000$self->{n}" };    # nobody says a name
	$self->{stage}->sql("SELECT laras.register_provider_app('{generic}', '$self->{account}{number}', '$generic_secret', 'not used here', '" . $json->encode({
		mapping => { id => '/id', from => '/who', name => '/name', text => '/said', media => { list => '/files', url => '/href', type => '/mime', name => '/title', size => '/bytes' } },
		media_hosts => [ '127.0.0.1', 'files.localhost' ] }) . "')");
	return;
}

# By the operator alone, in SQL: there is nobody to ask.
sub log_in
{
	my ($self, %change) = @_;
	my $account = $change{account} // $self->{account};
	my ($code, undef, $error) = $self->{stage}->node->psql('postgres',
		"BEGIN; SELECT laras.act_as($self->{workspace}); SELECT laras.pair_connection('generic', '{\"source_id\": \"$account->{number}\"}', 'none needed', false); COMMIT", on_error_stop => 1);
	return (200, { state => 'connected' }) if $code == 0;
	my ($message) = $error =~ /ERROR:\s+(.*)/;
	return (409, { error => { code => 'account_in_use', message => $message } });
}

sub logs_in { return 0; }
sub talks { return 0; }
sub hears { return 1; }
sub tells { return 0; }
sub told { return 0; }
sub subscribing { return; }
sub has_profile { return 0; }
sub matches_send { return { path => 'nothing is sent there' }; }

sub says
{
	my ($self, $name, $text, @files) = @_;
	my $body = $json->utf8->encode({ id => 'g' . ++$self->{said}, who => $self->person($name), name => $name, said => $text, files => \@files });
	return Laras::http_call('POST', "$self->{stage}{url}/api/webhooks/generic/$self->{account}{number}",
		headers => { 'X-Laras-Signature' => 'sha256=' . Digest::SHA::hmac_sha256_hex($body, $generic_secret) }, content => $body)->{status};
}

sub late { my ($self, $name, $text) = @_; return $self->says($name, $text); }

1;
