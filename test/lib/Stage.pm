=pod

=head1 NAME

Stage - a cluster, a relay, a sandbox and a small shop, joined as in real life

=head1 SYNOPSIS

  my $stage = Stage->new('story');
  $stage->connect;                          # Embedded Signup over HTTP
  $stage->customer('628123450001', 'halo'); # a signed webhook comes in
  is($stage->inbox_sql("SELECT count(*) FROM laras.messages"), 1);

=cut

package Stage;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();
use Laras;
use Sandbox;

my $json = JSON::PP->new->canonical->allow_nonref;

=head2 Stage->new($name, %options)

Starts all of it. Options of Laras->cluster pass through; C<sandbox> is a hash
of the sandbox's settings; C<< live => 0 >> leaves terms and channels as a new partner finds them. The workspace has the owner C<owner@shop.example>,
password C<correct horse battery>.

=cut

sub new
{
	my ($class, $name, %option) = @_;
	my $settings = delete $option{sandbox} // {};
	my $live = delete $option{live} // 1;
	my $port = free_port();
	my $url = "http://127.0.0.1:$port";
	my $node = Laras->cluster($name, %option,
		settings => { 'laras.public_url' => $url, %{ $option{settings} // {} } });
	my $self = bless { node => $node, port => $port, url => $url, email => 'owner@shop.example',
		password => 'correct horse battery' }, $class;
	wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'")
	  or die "the vault did not open\n";
	$self->start_relay;
	$self->{sandbox} = Sandbox->start(sent_after_ms => 5, delivered_after_ms => 20, read_after_ms => -1, %$settings);
	$self->{shop} = $self->{sandbox}->shop(
		callback_url => "$url/api/webhooks/wa", verify_token => 'verify-me-please',
		deauthorize_url => "$url/api/meta/deauthorize", deletion_url => "$url/api/meta/data-deletion");
	$self->sql("SELECT laras.register_provider_app('{whatsapp}', '$self->{shop}{app}', '$self->{shop}{secret}', "
		  . "'verify-me-please', '{\"graph_url\": \"" . $self->{sandbox}->url . "\", \"config_id\": \"77\"}')");
	$self->{workspace} =
	  $self->sql("SELECT laras.create_workspace('Toko Kopi', '$self->{email}', '$self->{password}')");
	Laras->go_live($node, $self->{workspace}) if $live;
	return $self;
}

sub node { return $_[0]{node}; }
sub url { return $_[0]{url}; }
sub shop { return $_[0]{shop}; }
sub sandbox { return $_[0]{sandbox}; }
sub workspace { return $_[0]{workspace}; }
sub connection { return $_[0]{connection}; }

sub start_relay
{
	my ($self) = @_;
	$self->{relay} = start_program('relay',
		[ $self->{node}->config_data('--bindir') . '/laras-relay', '--listen', "127.0.0.1:$self->{port}",
			'--conninfo', Laras->conninfo($self->{node}, user => 'laras_relay', dbname => 'postgres') ],
		port => $self->{port});
	# it listens before it has reached the database
	wait_for(sub { return HTTP::Tiny->new(timeout => 5)->get("$self->{url}/healthz")->{status} == 200 }, 60)
	  or die "the relay did not reach the database\n";
	return;
}

=head2 $stage->sql($query), $stage->bound($query)

A query as superuser; the same in a transaction bound to the shop's workspace.

=cut

sub sql { my ($self, $query) = @_; return $self->{node}->safe_psql('postgres', $query); }

sub bound
{
	my ($self, $query, $workspace) = @_;
	$workspace //= $self->{workspace};
	my $all = $self->{node}->safe_psql('postgres',
		"BEGIN; SELECT 'bound', laras.act_as($workspace); $query; COMMIT");
	$all =~ s/^bound\|\d+\n?//;
	return $all;
}

=head2 $stage->wait_bound($query, $seconds = 15)

Waits until the query, bound, returns t.

=cut

sub wait_bound
{
	my ($self, $query, $seconds) = @_;
	my $last;
	my $ok = wait_for(sub { $last = $self->bound($query); return $last eq 't' }, $seconds // 15);
	Test::More::diag("still waiting for: $query\nlast result: $last") unless $ok;
	return $ok;
}

=head2 $stage->sign_in, $stage->call($method, $path, $body)

Signs in at the relay; a request with that session. The answer is (status,
decoded JSON or text, response).

=cut

sub call
{
	my ($self, $method, $path, $body, %header) = @_;
	my %headers = ('X-Laras-CSRF' => '1', Accept => 'application/json', %header);
	$headers{Cookie} = $self->{cookie} if defined $self->{cookie};
	my $content;
	if (ref $body)
	{
		$content = $json->utf8->encode($body);
		$headers{'Content-Type'} = 'application/json';
	}
	elsif (defined $body)
	{
		$content = $body;
	}
	my $response = http_call($method, "$self->{url}$path", headers => \%headers, timeout => 30,
		defined $content ? (content => $content) : ());
	# all that a browser ever saw, for tests that look for what it must not see
	$self->{seen} .= join "\n", $response->{content}, map { ref ? @$_ : $_ } %{ $response->{headers} // {} };
	return ($response->{status}, eval { $json->utf8->decode($response->{content}) } // $response->{content}, $response);
}

sub seen { return $_[0]{seen} // ''; }

sub sign_in
{
	my ($self) = @_;
	my ($status, undef, $response) =
	  $self->call(POST => '/login', { email => $self->{email}, password => $self->{password} });
	if ($status == 200 && $response->{headers}{'set-cookie'} =~ /^(laras_session=[^;]+)/)
	{
		$self->{cookie} = $1;
	}
	return $status;
}

=head2 $stage->launch, $stage->signup($attempt, %change)

Launches an attempt; finishes it with a fresh code of the sandbox, as a browser
would. C<%change> replaces what is posted.

=cut

sub launch
{
	my ($self) = @_;
	my ($status, $launch) = $self->call(POST => '/api/wa/connect', {});
	die "launch: $status\n" unless $status == 200;
	return $launch;
}

sub code
{
	my ($self, %change) = @_;
	return $self->{sandbox}->control(POST => 'code',
		{ app_id => $self->{shop}{app}, number => $self->{shop}{number}, waba_id => $self->{shop}{waba},
			user_id => $self->{shop}{user}, %change });
}

sub signup
{
	my ($self, $launch, %change) = @_;
	my $code = $self->code;
	return $self->call(POST => '/api/wa/embedded-signup-callback',
		{ state => $launch->{state}, code => $code->{code}, waba_id => $self->{shop}{waba},
			phone_number_id => $self->{shop}{number}, %change });
}

=head2 $stage->connect

All of it: sign in, launch, sign up. Returns the id of the connection.

=cut

sub connect
{
	my ($self) = @_;
	$self->sign_in == 200 or die "could not sign in\n" unless defined $self->{cookie};
	my ($status, $answer) = $self->signup($self->launch);
	die "signup: $status " . $json->encode($answer) . "\n" unless $status == 200;
	$self->{connection} = $self->bound("SELECT id FROM laras.connections WHERE state = 'connected' ORDER BY connected_at DESC LIMIT 1");
	return $self->{connection};
}

=head2 $stage->customer($phone, $text)

A customer writes through the sandbox; waits until the webhook was answered.

=cut

sub customer
{
	my ($self, $phone, $text, %more) = @_;
	return $self->{sandbox}->customer_says($self->{shop}, $phone, $text, wait => JSON::PP::true, %more);
}

=head2 $stage->webhook($phone, $text, %change)

Posts a signed text webhook of our own making to the relay; the response.
C<%change>: id, timestamp, number, name.

=cut

my $serial = 0;

sub body
{
	my ($self, $phone, $text, %change) = @_;
	return $json->utf8->encode({ object => 'whatsapp_business_account', entry => [ { id => $self->{shop}{waba}, changes => [ {
		field => 'messages', value => {
			messaging_product => 'whatsapp',
			metadata => { display_phone_number => $self->{shop}{phone}, phone_number_id => $change{number} // $self->{shop}{number} },
			contacts => [ { profile => { name => $change{name} // "Customer $phone" }, wa_id => $phone } ],
			messages => [ { from => $phone, id => $change{id} // sprintf('wamid.TEST%d.%d', $$, ++$serial),
				timestamp => '' . ($change{timestamp} // time), type => 'text', text => { body => $text } } ] } } ] } ] });
}

sub webhook
{
	my ($self, $phone, $text, %change) = @_;
	return post_webhook($self->{url}, 'wa', $self->{shop}{secret}, $self->body($phone, $text, %change));
}

sub stop
{
	my ($self) = @_;
	$self->{relay}->stop;
	$self->{sandbox}->program->stop;
	$self->{node}->stop('fast');
	return;
}

1;
