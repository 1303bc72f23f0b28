
=pod

=head1 NAME

Relay - a database with functions of the right names, a relay, and many raw
connections at once

=head1 DESCRIPTION

For the tests of laras-relay, which need neither the extension nor its library:
see stub.sql for what the functions do.

=cut

package Relay;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use Laras;
use PostgreSQL::Test::Cluster;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  relay_cluster start_relay conninfo corpus exchange_all connect_to request read_answers
  answer_of memory_high counter
);

=head2 relay_cluster($name)

A started cluster whose database C<postgres> holds the stub.

=cut

sub relay_cluster
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', "max_connections = 100\nlog_min_messages = fatal\n");
	$node->start;
	$node->psql('postgres', '\i test/relay/stub.sql', on_error_die => 1);
	return $node;
}

sub conninfo
{
	my ($node, %also) = @_;
	my %part = (host => $node->host, port => $node->port, dbname => 'postgres', %also);
	return join ' ', map { "$_='$part{$_}'" } sort keys %part;
}

=head2 start_relay($node, \@options, %option)

A running relay that is connected to the node (unless C<< connected => 0 >>); its
port is in C<< $relay->{port} >>.

=cut

sub start_relay
{
	my ($node, $options, %option) = @_;
	my $connected = $option{connected} // 1;
	my $relay = start_program(
		'relay',
		[
			$node->config_data('--bindir') . '/laras-relay',
			'--listen=127.0.0.1:0', '--conninfo=' . conninfo($node), @{ $options // [] }
		],
		ready => $connected ? qr/listening on 127.*database: connected/s : qr/listening on 127/,
		env => $option{env} // {});
	($relay->{port}) = $relay->output =~ /listening on 127\.0\.0\.1:(\d+)/;
	return $relay;
}

# A counter of the relay's last line: known once it has ended.
sub counter
{
	my ($relay, $name) = @_;
	my @value = $relay->output =~ /\b\Q$name\E=(\d+)/g;
	return $value[-1];
}

# Peak resident memory in kB.
sub memory_high
{
	my ($relay) = @_;
	open my $fh, '<', '/proc/' . $relay->pid . '/status' or return;
	my ($kb) = map { /^VmHWM:\s+(\d+) kB/ ? $1 : () } <$fh>;
	return $kb;
}

=head2 corpus()

The raw requests: hashes of name, bytes, requests, status, closed.

=cut

sub corpus
{
	my @case;
	open my $table, '<', 'test/payloads/http/expected.tsv' or die "expected.tsv: $!";
	while (<$table>)
	{
		next if /^#/;
		chomp;
		my ($name, $requests, $status, $closed) = split /\t/;
		open my $fh, '<:raw', "test/payloads/http/$name.http" or die "$name.http: $!";
		local $/;
		push @case, { name => $name, bytes => scalar <$fh>, requests => $requests,
			status => $status, closed => $closed eq 'y' ? 1 : 0 };
	}
	return @case;
}

sub request
{
	my ($method, $path, $body, @header) = @_;
	push @header, 'Content-Length: ' . length $body if defined $body;
	return join("\r\n", "$method $path HTTP/1.1", 'Host: relay.test', @header, '', '') . ($body // '');
}

sub connect_to
{
	my ($port) = @_;
	my $socket;
	for (1 .. 50)
	{
		$socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) and last;
		sleep 0.02;
	}
	die "127.0.0.1:$port: $!" unless $socket;
	setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
	return $socket;
}

# Final statuses in a stream of answers (without 100), and what is left over.
sub read_answers
{
	my ($stream, @head_only) = @_;
	my @status;
	while ($stream =~ s/\AHTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n//)
	{
		my ($status, $head) = ($1, $2);
		next if $status == 100;
		my ($length) = $head =~ /^Content-Length: (\d+)\r$/mi;
		$length = 0 if !defined $length || shift @head_only;
		if (length $stream < $length)
		{
			$stream = "HTTP/1.1 $status x\r\n$head\r\n$stream";
			last;
		}
		substr($stream, 0, $length, '');
		push @status, $status;
	}
	return (\@status, $stream);
}

# One request on a connection that stays open; dies when no answer comes.
sub answer_of
{
	my ($socket, $bytes, $seconds) = @_;
	my $stream = '';
	my $until = time + ($seconds // 10);
	syswrite $socket, $bytes if length $bytes;
	while (time < $until)
	{
		next unless IO::Select->new($socket)->can_read(0.1);
		my $got = sysread $socket, $stream, 65536, length $stream;
		my ($status) = read_answers($stream);
		return ($status->[-1], $stream) if @$status;
		return ('closed', $stream) unless $got;
	}
	return ('silent', $stream);
}

=head2 exchange_all($port, \@jobs, %option)

Runs jobs at once, at most C<width> of them (100). A job has C<pieces>, written one
after another with a pause; when all have run, each has C<stream> (all that came
back), C<closed> (0 or 1) and C<seconds>. A connection counts as left open when C<quiet>
seconds (0.3) pass after the last piece and an answer.

=cut

sub exchange_all
{
	my ($port, $jobs, %option) = @_;
	my $width = $option{width} // 100;
	my $quiet = $option{quiet} // 0.3;
	my $pause = $option{pause} // 0.001;
	my $limit = $option{seconds} // 10;
	my @waiting = @$jobs;
	my %running;
	my $select = IO::Select->new;
	local $SIG{PIPE} = 'IGNORE';
	while (@waiting || %running)
	{
		while (@waiting && keys %running < $width)
		{
			my $job = shift @waiting;
			my $socket = connect_to($port);
			$socket->blocking(0);
			@$job{qw(stream closed begun last left)} = ('', 0, time, time, [ @{ $job->{pieces} } ]);
			$running{$socket} = [ $socket, $job ];
			$select->add($socket);
		}
		for my $pair (values %running)
		{
			my ($socket, $job) = @$pair;
			next unless @{ $job->{left} } && time - $job->{last} >= $pause;
			my $piece = shift @{ $job->{left} };
			my $n = syswrite $socket, $piece;
			# what the socket did not take comes next; a peer that closed wants no more
			if (defined $n && $n < length $piece) { unshift @{ $job->{left} }, substr $piece, $n; }
			elsif (!defined $n) { $job->{left} = $!{EAGAIN} ? [ $piece, @{ $job->{left} } ] : []; }
			$job->{last} = time;
		}
		my $busy = grep { @{ $_->[1]{left} } } values %running;
		for my $socket ($select->can_read($busy ? $pause : 0.02))
		{
			my $job = $running{$socket}[1];
			my $got = sysread $socket, $job->{stream}, 262144, length $job->{stream};
			$job->{last} = time if $got;
			$job->{closed} = 1 if defined $got ? !$got : !$!{EAGAIN};
		}
		for my $key (keys %running)
		{
			my ($socket, $job) = @{ $running{$key} };
			my $now = time;
			next unless $job->{closed} || $now - $job->{begun} > $limit ||
			  (!@{ $job->{left} } && length $job->{stream} && $now - $job->{last} > $quiet);
			$job->{seconds} = $now - $job->{begun};
			$select->remove($socket);
			delete $running{$key};
			close $socket;
		}
	}
	return;
}

1;
