
=pod

=head1 NAME

Sandbox - starting, setting up and questioning laras-sandbox in tests

=head1 SYNOPSIS

  use Sandbox;

  my $sandbox = Sandbox->start;
  my $shop = $sandbox->shop(callback_url => "$relay/api/webhooks/wa");
  $sandbox->customer_says($shop, '628123456789', 'halo');
  my ($status, $answer) = $sandbox->send_text($shop, '628123456789', 'halo juga');
  is($sandbox->totals->{accepted}, 1);

=head1 DESCRIPTION

A sandbox belongs to the test that started it and ends with it. Control calls
that are not answered with 2xx are an error of the test; Graph calls return the
HTTP status and the decoded body (undef when it is no JSON).

=cut

package Sandbox;

use strict;
use warnings;

use Encode qw(encode_utf8);
use JSON::PP ();
use Laras;

my $json = JSON::PP->new->canonical->allow_nonref;

=head2 Sandbox->start(%settings)

Starts one on a free port, with these settings changed (docs/reference/sandbox).
C<< tls => [ $certificate, $key ] >>: its mail server shows that.

=cut

sub start
{
	my ($class, %settings) = @_;
	my $port = free_port();
	my $smtp = free_port();
	my $tls = delete $settings{tls};
	my $smtps = $tls ? free_port() : undef;
	my $program = start_program('sandbox', [ 'laras-sandbox', '--listen', "127.0.0.1:$port", '--smtp', "127.0.0.1:$smtp",
			$tls ? ('--smtps', "127.0.0.1:$smtps", '--certificate', $tls->[0], '--key', $tls->[1]) : () ], port => $port);
	my $self = bless { port => $port, smtp => "smtp://127.0.0.1:$smtp", $tls ? (smtps => "smtps://127.0.0.1:$smtps") : (), url => "http://127.0.0.1:$port", program => $program }, $class;
	$self->control(POST => 'settings', \%settings) if %settings;
	return $self;
}

=head2 Sandbox->at($url)

One that runs already.

=cut

sub at { my ($class, $url) = @_; return bless { url => $url }, $class; }

sub url { return $_[0]{url}; }
sub port { return $_[0]{port}; }
sub smtp { return $_[0]{smtp}; }    # the mail server's URL
sub smtps { return $_[0]{smtps}; }  # where it is TLS from the first byte

# What was said in the mail server's last dialog: in clear, and within TLS.
sub dialog { my ($last) = sort { $b->{number} <=> $a->{number} } @{ $_[0]->control(GET => 'dialogs')->{dialogs} }; return @{ $last // {} }{qw(clear secure)}; }
sub program { return $_[0]{program}; }

=head2 $sandbox->control($method, $path, $body)

A control call; returns what it answers. C<control_status> returns the HTTP
status and the answer of one that may be refused.

=cut

sub control_status
{
	my ($self, $method, $path, $body) = @_;
	my $response = http_call($method, "$self->{url}/_sandbox/$path", timeout => 60,
		headers => { 'Content-Type' => 'application/json' },
		defined $body ? (content => $json->utf8->encode($body)) : ());
	return ($response->{status}, eval { $json->utf8->decode($response->{content}) } // $response->{content});
}

sub control
{
	my ($self, $method, $path, $body) = @_;
	my ($status, $answer) = $self->control_status($method, $path, $body);
	die "control call $method $path: $status " . (ref $answer ? $json->encode($answer) : $answer) . "\n"
	  unless $status =~ /^2/;
	return $answer;
}

=head2 $sandbox->shop(%change)

An app, a WABA it is subscribed to, a number and a token, as most tests need
them: a hash of C<app secret waba number phone token user>. C<%change>:
callback_url, verify_token, deauthorize_url, deletion_url (of the app), number
(a hash of the number's own).

=cut

my $shops = 0;

sub shop
{
	my ($self, %change) = @_;
	my $n = ++$shops;
	my $number = delete $change{number} // {};
	my $app = $self->control(POST => 'app', { verify_token => 'verify-me', %change });
	my $waba = $self->control(POST => 'waba', { name => "Shop $n", subscribe => [ $app->{id} ] });
	my $phone = sprintf '6281110%05d', $n;
	my $made = $self->control(POST => 'number',
		{ waba_id => $waba->{id}, display_phone_number => "+$phone", %$number });
	my $token = $self->control(POST => 'token', { app_id => $app->{id}, waba_id => $waba->{id} });
	return {
		app => $app->{id}, secret => $app->{secret}, waba => $waba->{id}, business => $waba->{business_id},
		number => $made->{id}, phone => $phone, token => $token->{token}, user => $token->{user_id}
	};
}

=head2 $sandbox->customer_says($shop, $phone, $text, %more)

The customer writes, which opens the window; returns the answer of the call.

=cut

sub customer_says
{
	my ($self, $shop, $phone, $text, %more) = @_;
	return $self->control(POST => 'customer/message',
		{ number => $shop->{number}, from => $phone, text => $text, %more });
}

=head2 $sandbox->graph($method, $path, token => ..., body => {...} or text, form => {...}, raw => 1)

A Graph call. With C<raw> the HTTP::Tiny response is returned as it is.

=cut

sub graph
{
	my ($self, $method, $path, %option) = @_;
	my %headers;
	$headers{Authorization} = "Bearer $option{token}" if defined $option{token};
	my $content;
	if (defined $option{body})
	{
		$headers{'Content-Type'} = 'application/json';
		$content = ref $option{body} ? $json->utf8->encode($option{body}) : $option{body};
	}
	elsif ($option{form})
	{
		$headers{'Content-Type'} = 'application/x-www-form-urlencoded';
		$content = HTTP::Tiny->new->www_form_urlencode($option{form});
	}
	elsif ($method eq 'POST')
	{
		$content = '';
	}
	my $response = http_call($method, "$self->{url}/v23.0/$path", headers => \%headers,
		timeout => $option{timeout} // 10, defined $content ? (content => $content) : ());
	return $response if $option{raw};
	return ($response->{status}, scalar eval { $json->utf8->decode($response->{content}) });
}

=head2 $sandbox->send_message($shop, { ... }), $sandbox->send_text($shop, $to, $text, %more)

POST /{number}/messages with the shop's token; a part that is undef is left out.

=cut

sub send_message
{
	my ($self, $shop, $message) = @_;
	return $self->graph(POST => "$shop->{number}/messages", token => $shop->{token}, body => $message);
}

sub send_text
{
	my ($self, $shop, $to, $text, %more) = @_;
	return $self->send_message($shop, text_message($to, $text, %more));
}

sub text_message
{
	my ($to, $text, %more) = @_;
	my %message = (messaging_product => 'whatsapp', to => $to, type => 'text', text => { body => $text }, %more);
	delete @message{ grep { !defined $message{$_} } keys %message };
	return \%message;
}

=head2 $sandbox->fault(action => ..., ...), ->ledger(filter => value, ...), ->totals, ->status, ->advance($seconds), ->reset

=cut

sub fault { my ($self, %spec) = @_; return $self->control(POST => 'fault', \%spec); }
sub totals { return $_[0]->control(GET => 'totals'); }
sub status { return $_[0]->control(GET => 'status'); }
sub advance { my ($self, $seconds) = @_; return $self->control(POST => 'clock', { advance_s => $seconds }); }
sub reset { return $_[0]->control(POST => 'reset'); }

sub ledger
{
	my ($self, %filter) = @_;
	my $query = HTTP::Tiny->new->www_form_urlencode(\%filter);
	return @{ $self->control(GET => 'ledger' . (length $query ? "?$query" : ''))->{entries} };
}

package Sandbox::Callback;

=head1 A CUSTOMER'S SERVER

=head2 Sandbox::Callback->start(verify_token => 'verify-me', answers => [200, ...])

An HTTP server that writes down what it receives and answers each POST with the
next of C<answers> (the last for ever). A GET is a verification handshake. What
came is returned by C<requests>: a list of {method, path, query, headers, body}.
A POST to a path that contains "deletion" is answered as a data-deletion
callback has to be.

=cut

use Errno qw(EINTR);
use IO::Socket::INET;
use Laras;
use PostgreSQL::Test::Utils;

my $count = 0;

sub start
{
	my ($class, %option) = @_;
	my $file = sprintf '%s/callback_%d_%d.jsonl', $PostgreSQL::Test::Utils::tmp_check, $$, ++$count;
	my $port = free_port();
	my $answers = join ',', @{ $option{answers} // [200] };
	my $program = start_program('callback',
		[ $^X, '-MSandbox', '-e', 'Sandbox::Callback::serve(@ARGV)', $port, $file,
			$option{verify_token} // 'verify-me', $answers ],
		port => $port);
	return bless { url => "http://127.0.0.1:$port", file => $file, program => $program }, $class;
}

sub url { return $_[0]{url}; }
sub program { return $_[0]{program}; }

sub requests
{
	my ($self) = @_;
	open my $fh, '<', $self->{file} or return;
	return map { $json->utf8->decode($_) } grep { /\n\z/ } <$fh>;
}

=head2 $callback->updates($field)

The values of all updates of that field (default "messages") that came, in order.

=cut

sub updates
{
	my ($self, $field) = @_;
	$field //= 'messages';
	my @value;
	for my $request (grep { $_->{method} eq 'POST' } $self->requests)
	{
		my $body = eval { $json->utf8->decode(Encode::encode('latin-1', $request->{body})) } or next;
		for my $entry (@{ $body->{entry} })
		{
			push @value, map { $_->{value} } grep { $_->{field} eq $field } @{ $entry->{changes} };
		}
	}
	return @value;
}

# Every status that came: [wamid, status, callback data].
sub statuses
{
	my ($self) = @_;
	return map { my $v = $_; map { [ @$_{qw(id status biz_opaque_callback_data)} ] } @{ $v->{statuses} // [] } }
	  $self->updates;
}

# Runs in a process of its own, one request a connection.
sub serve
{
	my ($port, $file, $verify_token, $answers) = @_;
	my @answer = split /,/, $answers;
	my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1)
	  or die "127.0.0.1:$port: $!";
	open my $log, '>>', $file or die "$file: $!";
	$log->autoflush(1);
	local $SIG{PIPE} = 'IGNORE';
	while (1)
	{
		my $peer = $listen->accept;
		next if !$peer && $! == EINTR;
		die "accept: $!" unless $peer;
		my $data = '';
		while ($data !~ /\r\n\r\n/) { sysread $peer, $data, 65536, length $data or last; }
		my ($head, $body) = split /\r\n\r\n/, $data, 2;
		next unless defined $body;
		my ($line, @field) = split /\r\n/, $head;
		my ($method, $target) = split / /, $line;
		my ($path, $query) = split /\?/, $target, 2;
		my %header = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @field;
		my $length = $header{'content-length'} // 0;
		while (length $body < $length) { sysread $peer, $body, 65536, length $body or last; }
		print $log $json->utf8->encode(
			{ method => $method, path => $path, query => $query // '', headers => \%header, body => $body }), "\n";
		my ($status, $type, $content) = (200, 'text/plain', 'ok');
		if ($method eq 'GET')
		{
			my %query = map { /^([^=]+)=(.*)$/ ? ($1 => $2) : () } split /&/, $query // '';
			my $good = ($query{'hub.mode'} // '') eq 'subscribe' && ($query{'hub.verify_token'} // '') eq $verify_token;
			($status, $content) = $good ? (200, $query{'hub.challenge'}) : (403, 'no');
		}
		elsif ($path =~ /deletion/)
		{
			($type, $content) = ('application/json', '{"url":"https://shop.example/d/abc123","confirmation_code":"abc123"}');
		}
		else
		{
			$status = @answer > 1 ? shift @answer : $answer[0];
		}
		print $peer "HTTP/1.1 $status Answer\r\nContent-Type: $type\r\nContent-Length: " . length($content)
		  . "\r\nConnection: close\r\n\r\n$content";
		close $peer;
	}
}

1;
