
=pod

=head1 NAME

Laras - what the tests of laras share: clusters, programs, requests, patience

=head1 SYNOPSIS

  use lib 'test/lib';
  use Laras;
  use Test::More;

  my $node = Laras->cluster('main');
  is($node->safe_psql('postgres', 'SELECT laras.new_id() > 0'), 't');
  ok(wait_for_sql($node, 'SELECT count(*) = 4 FROM laras.worker_status'));

=head1 DESCRIPTION

Every cluster is private: its own data directory, a Unix socket in a short path
and no network address. Settings that a test needs otherwise are passed in
C<settings>; nothing here is hidden from it.

=cut

package Laras;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Errno qw(EINTR);
use Exporter 'import';
use File::Path qw(make_path remove_tree);
use HTTP::Tiny;
use IO::Socket::INET;
use POSIX qw(WNOHANG _exit);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Scalar::Util qw(refaddr);
use Test::Builder;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  wait_for wait_for_sql free_port start_program
  webhook_headers post_webhook http_call raw_exchange
  copy_of_live put_fault bound_to worker_pid long_run shared_file bench_report
  has_command parallel_setting driver_sources
);

# Facts about each cluster made here that PostgreSQL::Test::Cluster has no place for.
my %facts;
# Programs still running, by pid; ended when the test ends, whatever way it ends.
my %running;

# PostgreSQL::Test gives up the whole run where a server does not start or a command fails. Here every file has
# servers of its own: it alone has failed, and the files after it are still worth running.
{
	no warnings 'redefine';
	*Test::Builder::BAIL_OUT = sub { die "gives up: " . ($_[1] // 'no reason told') . "\n" };
}

# A server that dies may take psql along before psql has read what it was given: IPC::Run then ends the whole
# test. Where the test wants to know how psql ended, that is an end as any other of a lost connection.
{
	my $psql = \&PostgreSQL::Test::Cluster::psql;
	no warnings 'redefine';
	*PostgreSQL::Test::Cluster::psql = sub {
		my ($node, $database, $query, %option) = @_;
		my @result;
		return wantarray ? @result : $result[0] if eval { @result = $psql->($node, $database, $query, %option); 1 };
		die $@ if $@ !~ /Broken pipe/ || $option{on_error_die};
		return wantarray ? (2, '', 'psql: error: connection lost') : 2;
	};
}

=head1 CLUSTERS

=head2 Laras->cluster($name, %options)

Returns a started PostgreSQL::Test::Cluster with laras preloaded, two keyring
mirrors and a master key outside the data directory, and the extension created
in C<postgres>. Options:

  settings   => { 'laras.x' => 'y', work_mem => '1MB' }   added last; undef leaves one out
  databases  => 'postgres'     where laras works; the extension is created in the first
  crash      => 1              fsync on, server restarts after a crash: for kill -9 tests
  faults     => 1              the library with fault points (tests skip themselves without it)
  preload    => 0              do not preload the library
  extension  => 0              do not create the extension
  start      => 0              do not start either
  init       => { allows_streaming => 1 }     passed on to PostgreSQL::Test::Cluster::init

=cut

sub cluster
{
	my ($class, $name, %option) = @_;
	my @where;
	if ($option{faults})
	{
		my $tree = $ENV{LARAS_FAULT_TREE};
		Test::More::plan(skip_all => 'no server tree with fault points (LARAS_FAULT_TREE)')
		  unless defined $tree && -d $tree;
		@where = (install_path => $tree);
	}
	my $node = PostgreSQL::Test::Cluster->new($name, @where);
	my %init = %{ $option{init} // {} };
	# Text must be what customers write, whatever locale the caller has.
	push @{ $init{extra} }, '--encoding=UTF8', '--locale=C.UTF-8';
	$node->init(%init);

	my $outside = $node->basedir . '/outside';
	my %mirror = map { $_ => "$outside/keyring_$_" } qw(a b);
	make_path($outside, values %mirror, { mode => 0700 });
	# make_path obeys the umask; the vault demands exactly this.
	chmod 0700, $outside, values %mirror or die "chmod: $!";
	my $master = "$outside/master_key";
	my $evidence = "$outside/evidence_key";
	write_secret($master, '1 ' . random_hex(32) . "\n");
	write_secret($evidence, random_hex(32) . "\n");
	$facts{ $node->name } =
	  { mirror => \%mirror, master => $master, evidence => $evidence, outside => $outside };

	my %setting = (
		# Text search, dates and money in tests must not follow the machine's habits.
		timezone => 'UTC',
		max_worker_processes => 24,
		max_prepared_transactions => 4,
		'laras.databases' => $option{databases} // 'postgres',
		'laras.keyring_directory' => "a=$mirror{a}, b=$mirror{b}",
		'laras.master_key_file' => $master,
		'laras.evidence_key_file' => $evidence,
		'laras.test_mode' => 'on');
	$setting{shared_preload_libraries} = 'laras' if $option{preload} // 1;
	@setting{qw(fsync restart_after_crash)} = qw(on on) if $option{crash};
	%setting = (%setting, %{ $option{settings} // {} });
	$node->append_conf('postgresql.conf',
		join('', map { "$_ = " . conf_literal($setting{$_}) . "\n" }
			  grep { defined $setting{$_} } sort keys %setting));

	return $node if exists $option{start} && !$option{start};
	$node->start;
	if ($option{extension} // 1)
	{
		my ($database) = split /\s*,\s*/, $option{databases} // 'postgres';
		$node->safe_psql('postgres', "CREATE DATABASE $database") if $database ne 'postgres';
		$node->safe_psql($database, 'CREATE EXTENSION laras CASCADE');
	}
	return $node;
}

=head2 Laras->mirror($node, 'a'), Laras->master_key_file($node), Laras->outside($node)

Where that cluster's keyring mirror, master key file and the directory of both lie.

=cut

sub mirror { my ($class, $node, $name) = @_; return $facts{ $node->name }{mirror}{$name}; }
sub master_key_file { my ($class, $node) = @_; return $facts{ $node->name }{master}; }
sub evidence_key_file { my ($class, $node) = @_; return $facts{ $node->name }{evidence}; }
sub outside { my ($class, $node) = @_; return $facts{ $node->name }{outside}; }

=head2 Laras->conninfo($node, user => 'laras_relay', dbname => 'postgres')

A libpq connection string for a program beside the cluster.

=cut

sub conninfo
{
	my ($class, $node, %also) = @_;
	my %part = (host => $node->host, port => $node->port, dbname => 'postgres', %also);
	return join ' ', map { my $v = $part{$_}; $v =~ s/([\\'])/\\$1/g; "$_='$v'" } sort keys %part;
}

# A value as postgresql.conf reads it.
sub conf_literal
{
	my ($value) = @_;
	$value =~ s/'/''/g;
	return "'$value'";
}

sub random_hex
{
	my ($bytes) = @_;
	open my $fh, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
	read($fh, my $random, $bytes) == $bytes or die "/dev/urandom: short read";
	return unpack 'H*', $random;
}

# Writes a file that only its owner may read, never readable by others in between.
sub write_secret
{
	my ($path, $content) = @_;
	sysopen my $fh, $path, POSIX::O_WRONLY() | POSIX::O_CREAT() | POSIX::O_EXCL(), 0400
	  or die "$path: $!";
	print $fh $content;
	close $fh or die "$path: $!";
	return;
}

=head2 Laras->go_live($node, $workspace)

What a partner does before messages are processed: accepts the terms in force and
configures every channel, for both purposes.

=cut

sub go_live
{
	my ($class, $node, $workspace) = @_;
	$node->safe_psql('postgres', "BEGIN; SELECT laras.act_as($workspace); " . go_live_sql() . ' COMMIT');
	return;
}

=head2 Laras->go_live_sql

The statements of that, for a transaction that is bound.

=cut

sub go_live_sql
{
	return 'SELECT count(laras.accept_terms(party, version)) FROM laras.terms_in_force; '
	  . q{SELECT count(*) FROM (SELECT laras.configure_channel(channel, '{service,sales}') FROM laras.provider OFFSET 0) c;};
}

=head1 PATIENCE

=head2 wait_for(sub { ... }, $seconds = 30)

Calls until it returns true, and returns that; false once the time is up. Twenty
calls a second: no test sleeps for luck.

=head2 wait_for_sql($node, $query, $seconds = 30, $database = 'postgres')

The same for a query that must come to return C<t>. What it last returned is
printed when it did not. An error counts as "not yet": workers and restarts
refuse connections for a while.

=cut

sub wait_for
{
	my ($condition, $seconds) = @_;
	my $deadline = time + ($seconds // 30);
	while (1)
	{
		my $result = $condition->();
		return $result if $result;
		return $result if time >= $deadline;
		sleep 0.05;
	}
}

sub wait_for_sql
{
	my ($node, $query, $seconds, $database) = @_;
	my ($out, $err) = ('', '');
	my $done = wait_for(
		sub {
			# psql that is refused may close its input before it was fed: that is "not yet" too.
			eval { (undef, $out, $err) = $node->psql($database // 'postgres', $query); 1 }
			  or ($out, $err) = ('', $@);
			return defined $out && $out eq 't';
		},
		$seconds);
	Test::More::diag("still waiting for: $query\nlast result: " . ($out // '') . "\n" . ($err // ''))
	  unless $done;
	return $done;
}

=head2 worker_pid($node, 'vault', $database = 'postgres')

The process id of that laras worker, or an empty string.

=cut

sub worker_pid
{
	my ($node, $kind, $database) = @_;
	my $where = $kind eq 'launcher' ? '' : q{ AND datname = '} . ($database // 'postgres') . q{'};
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'laras $kind'$where");
}

=head2 copy_of_live($from, $to)

Copies a directory in which a server is at work: a file that is renamed away
meanwhile is a reason to begin again, not to fail.

=cut

sub copy_of_live
{
	my ($from, $to) = @_;
	wait_for(sub { remove_tree($to); system('cp', '-a', $from, $to) == 0 }, 30) or die "cp -a $from $to: $?";
	return;
}

=head2 has_command($name)

Whether PATH has a program of that name: what a test can do without is not among
the packages that it installs.

=cut

sub has_command
{
	my ($name) = @_;
	return scalar grep { -x "$_/$name" } split /:/, $ENV{PATH};
}

=head2 parallel_setting($node)

The setting that makes every query run in parallel; 16 renamed it.

=cut

sub parallel_setting
{
	my ($node) = @_;
	return $node->pg_version < 16 ? 'force_parallel_mode' : 'debug_parallel_query';
}

=head2 put_fault($node, $fault)

The fault points that the server's processes read from a file at its next reload
or start ('' for none), so that they can be taken away while it restarts.

=cut

sub put_fault
{
	my ($node, $fault) = @_;
	my $file = $node->data_dir . '/fault.conf';
	$node->append_conf('postgresql.conf', "include 'fault.conf'") if !-e $file;
	open my $fh, '>', $file or die "$file: $!";
	print $fh $fault ? "laras.fault = '$fault'\n" : '';
	close $fh or die "$file: $!";
	return;
}

=head2 bound_to($node, $workspace, $sql)

What statements print that are bound to a workspace.

=cut

sub bound_to
{
	my ($node, $workspace, $sql) = @_;
	my $all = $node->safe_psql('postgres', "BEGIN; SELECT 'bound', laras.act_as($workspace); $sql; COMMIT");
	$all =~ s/^bound\|\d+\n?//;
	return $all;
}

=head2 long_run($short, $long)

The size of a test: the second under C<make test-long>, else the first.

=cut

sub long_run
{
	my ($short, $long) = @_;
	return ($ENV{LARAS_SIZE} // '') eq 'long' ? $long : $short;
}

=head2 driver_sources()

What a program over the channels' drivers is made from, without PostgreSQL: the
sources, and what they are compiled and linked with, for the compiler's command.

=cut

sub driver_sources
{
	return (glob('src/channel/*.c'), 'src/base/json.c', split ' ', `pkg-config --cflags --libs jansson gmime-3.0`);
}

=head2 shared_file('payloads/whatsapp')

The path of material that is not part of this repository, or undef where it is
absent; the test then says so by skipping.

=cut

sub shared_file
{
	my ($path) = @_;
	my $file = ($ENV{LARAS_SHARED} // '') . "/$path";
	return -e $file ? $file : undef;
}

=head2 bench_report($what, $figure, $unit, $goal = '-')

One line of the table of C<make bench>; see test/bin/bench.

=cut

sub bench_report
{
	my ($what, $figure, $unit, $goal) = @_;
	open my $fh, '>>', $ENV{LARAS_BENCH_OUT} or die "LARAS_BENCH_OUT: $!";
	print $fh join("\t", $what, $figure, $unit, $goal // '-'), "\n";
	close $fh or die "LARAS_BENCH_OUT: $!";
	return;
}

=head1 PROGRAMS

=head2 free_port()

A TCP port of 127.0.0.1 that nobody listened on a moment ago.

=head2 start_program($name, \@command, port => $port, ready => qr/.../, env => {}, seconds => 15)

Starts a program in the background, its output in the test's log directory, and
waits until it listens on C<port> (127.0.0.1) or its output matches C<ready>.
Returns an object with C<pid>, C<output>, C<alive>, C<signal('TERM')> and
C<stop>, which returns the wait status. Whatever still runs when the test ends
is ended by its pid.

=cut

sub free_port
{
	my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)
	  or die "no free port: $!";
	return $socket->sockport;
}

my $program_count = 0;

sub start_program
{
	my ($name, $command, %option) = @_;
	my $log = sprintf '%s/%s_%d_%s.log', $PostgreSQL::Test::Utils::log_path,
	  ($0 =~ m{([^/]+?)(?:\.pl)?$})[0], ++$program_count, $name;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		# The child must not run this test's END blocks, hence _exit.
		%ENV = (%ENV, %{ $option{env} // {} });
		open STDIN, '<', '/dev/null' or _exit(126);
		open STDOUT, '>', $log or _exit(126);
		open STDERR, '>&', \*STDOUT or _exit(126);
		{ no warnings 'exec'; exec { $command->[0] } @$command; }
		print STDERR "cannot run $command->[0]: $!\n";
		_exit(127);
	}
	my $program = bless { pid => $pid, name => $name, log => $log }, 'Laras::Program';
	$running{$pid} = $program;
	my $ready = wait_for(
		sub {
			return 'ended' unless $program->alive;
			return 'ready' if $option{ready} && $program->output =~ $option{ready};
			return 'ready' if $option{port} && IO::Socket::INET->new(
				PeerAddr => '127.0.0.1', PeerPort => $option{port}, Timeout => 1);
			return 'ready' unless $option{ready} || $option{port};
			return;
		},
		$option{seconds} // 15) // 'silent';
	if ($ready ne 'ready')
	{
		my $output = $program->output;
		$program->stop;
		die "$name did not come up ($ready):\n$output";
	}
	return $program;
}

END
{
	# stop() waits for its child; the test's own exit status must survive that.
	local $?;
	$_->stop for values %running;
}

package Laras::Program
{
	use Time::HiRes qw(sleep time);

	sub pid { return $_[0]{pid}; }

	# Reaps the child once it ended and keeps its status.
	sub alive
	{
		my ($self) = @_;
		return 0 if defined $self->{status};
		if (waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid})
		{
			$self->{status} = $?;
			delete $running{ $self->{pid} };
			return 0;
		}
		return 1;
	}

	sub output
	{
		my ($self) = @_;
		open my $fh, '<', $self->{log} or return '';
		local $/;
		return scalar <$fh> // '';
	}

	sub signal { my ($self, $signal) = @_; return $self->alive && kill $signal, $self->{pid}; }

	# Asks with TERM, insists with KILL after ten seconds.
	sub stop
	{
		my ($self, $signal) = @_;
		$self->signal($signal // 'TERM');
		my $deadline = time + 10;
		while ($self->alive)
		{
			kill 'KILL', $self->{pid} if time > $deadline;
			sleep 0.02;
		}
		return $self->{status};
	}
}

=head1 REQUESTS

=head2 webhook_headers($secret, $body)

The headers Meta sends with a webhook body: content type and the HMAC-SHA-256 of
the raw bytes.

=head2 post_webhook($base_url, $channel, $secret, $body)

Posts a signed body to C</api/webhooks/$channel> and returns the response.

=head2 http_call($method, $url, headers => {}, content => '', timeout => 10)

One request with no redirect followed; an HTTP::Tiny response (status 599 is a
failure to talk at all).

=head2 raw_exchange($port, $bytes, seconds => 5, chunk => 0)

Writes the bytes as they are to 127.0.0.1:$port, in pieces of C<chunk> where it
is given, and returns all that comes back until the peer closes or the time is
up, and whether it closed.

=cut

sub webhook_headers
{
	my ($secret, $body) = @_;
	return {
		'Content-Type' => 'application/json',
		'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, $secret)
	};
}

sub post_webhook
{
	my ($base, $channel, $secret, $body) = @_;
	return http_call('POST', "$base/api/webhooks/$channel",
		headers => webhook_headers($secret, $body), content => $body);
}

sub http_call
{
	my ($method, $url, %option) = @_;
	my $http = HTTP::Tiny->new(max_redirect => 0, timeout => $option{timeout} // 10,
		keep_alive => 0, agent => 'laras-test');
	my %request = (headers => $option{headers} // {});
	$request{content} = $option{content} if defined $option{content};
	return $http->request($method, $url, \%request);
}

sub raw_exchange
{
	my ($port, $bytes, %option) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
	  or die "127.0.0.1:$port: $!";
	local $SIG{PIPE} = 'IGNORE';
	$socket->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
	my $chunk = $option{chunk} || length $bytes || 1;
	for (my $at = 0; $at < length $bytes; $at += $chunk)
	{
		# A peer that has answered and closed already is no error: its answer counts.
		last unless defined syswrite $socket, substr($bytes, $at, $chunk);
		sleep 0.001 if $option{chunk};
	}
	my ($answer, $closed) = ('', 0);
	my $deadline = time + ($option{seconds} // 5);
	while ((my $left = $deadline - time) > 0)
	{
		my $bits = '';
		vec($bits, fileno $socket, 1) = 1;
		my $found = select $bits, undef, undef, $left;
		next if $found < 0 && $! == EINTR;
		last if $found <= 0;
		my $got = sysread $socket, $answer, 65536, length $answer;
		if (!$got)
		{
			$closed = 1;
			last;
		}
	}
	return wantarray ? ($answer, $closed) : $answer;
}

1;
