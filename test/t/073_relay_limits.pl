# The limits of the relay: slow heads, bodies and readers are ended by their
# phase's deadline, however they drip; many connections, large bodies and storms
# of resets leave it answering others, within its memory.
# proves R235
use strict;
use warnings;
use lib 'test/relay';
use IPC::Run qw(run);
use Laras;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Relay;
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

my $node = relay_cluster('main');
my $head = "POST /api/webhooks/wa HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";

# ---- deadlines ----
my $relay = start_relay($node, [ '--head-timeout=500', '--body-timeout=500', '--total-timeout=1500', '--min-rate=100',
		'--write-timeout=500', '--write-total-timeout=1000', '--idle-timeout=600' ]);
my $port = $relay->{port};

sub timed
{
	my ($what, $least, $most, $expected, %job) = @_;
	my @jobs = ({ pieces => $job{pieces} });
	exchange_all($port, \@jobs, pause => $job{pause} // 0.05, seconds => 5, quiet => 5);
	my ($status) = read_answers($jobs[0]{stream});
	is("@$status", $expected, "$what: $expected");
	ok($jobs[0]{closed} && $jobs[0]{seconds} >= $least && $jobs[0]{seconds} <= $most, "$what: closed in time")
	  or diag("after $jobs[0]{seconds} s");
}
timed('nothing at all', 0.4, 1.2, '', pieces => []);
timed('half a head', 0.4, 1.2, '408', pieces => ["GET / HTTP/1.1\r\n"]);
timed('a head that drips', 0.4, 1.2, '408', pieces => [ "GET / HTTP/1.1\r\n", map { ("X-$_: y\r\n") } 1 .. 60 ]);
timed('a body that stops', 0.4, 1.3, '408', pieces => [ $head, 'x' ]);
timed('a body slower than its rate', 0.4, 1.5, '408', pieces => [ $head, ('x') x 100 ]);
timed('a body that keeps its rate but takes too long', 1.3, 2.2, '408', pieces => [ $head, ('x' x 12) x 60 ]);
timed('chunks that drip', 0.4, 1.5, '408', pieces => [ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", ("1\r\nx\r\n") x 60 ]);
timed('a connection kept alive for nothing', 0.5, 1.5, '200', pieces => [ request('GET', '/status/200') ]);
timed('a head of 100,000 fields', 0, 2, '431', pieces => [ "GET / HTTP/1.1\r\nHost: a\r\n" . "X: y\r\n" x 100_000 ]);

# A client that asks for much and reads nothing is reset.
my $greedy = connect_to($port);
setsockopt $greedy, SOL_SOCKET, SO_RCVBUF, pack('i', 4096);
syswrite $greedy, request('GET', '/large/20000000');
sleep 1.5;
my ($got, $total) = (0, 0);
$total += $got while $got = sysread $greedy, my $buffer, 1 << 20;
cmp_ok($total, '<', 20_000_000, 'an answer that nobody reads is broken off');
is((answer_of(connect_to($port), request('GET', '/status/200')))[0], 200, 'others are served');

# ---- resets ----
for (1 .. long_run(500, 5000))
{
	my $socket = connect_to($port);
	syswrite $socket, ($_ % 4 == 0 ? '' : $_ % 4 == 1 ? 'GET / HT' : $_ % 4 == 2 ? $head : request('GET', '/sleep/0.01'));
	setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
	close $socket;
}
is((answer_of(connect_to($port), request('GET', '/status/200')))[0], 200, 'a storm of resets is survived');
is($relay->stop, 0, 'it ends well');

# ---- how many ----
$relay = start_relay($node, [ '--max-per-address=20' ]);
$port = $relay->{port};
my @many = map { connect_to($port) } 1 .. 20;
is((answer_of($many[19], request('GET', '/status/200')))[0], 200, 'twenty from one address');
is((answer_of(connect_to($port), ''))[0], 'closed', 'not one more');
close shift @many;
ok(wait_for(sub { (answer_of(connect_to($port), request('GET', '/status/200')))[0] eq '200' }, 5), 'until one has gone');
@many = ();
is($relay->stop, 0, 'it ends well');

$relay = start_relay($node, [ '--max-connections=20' ]);
$port = $relay->{port};
@many = map { my $s = connect_to($port); syswrite $s, 'GET /'; $s } 1 .. 20;
is((answer_of(connect_to($port), request('GET', '/status/200')))[0], 200, 'a full house: the newcomer is served');
is((answer_of($many[0], ''))[0], 'closed', 'the one that dallied longest has given way');
@many = ();
is($relay->stop, 0, 'it ends well');

# ---- how much ----
$relay = start_relay($node);
$port = $relay->{port};
my @large = map { { pieces => [ request('POST', '/api/webhooks/wa', 'L' x 4_000_000) ] } } 1 .. 24;
exchange_all($port, \@large, width => 24, seconds => 30, pause => 0, quiet => 0.1);
my %seen;
$seen{ (read_answers($_->{stream}))[0][0] // 'none' }++ for @large;
cmp_ok($seen{200} // 0, '>=', 3, 'bodies of 4 MB are taken');
is(join(' ', grep { !/^(?:200|503)$/ } sort keys %seen), '', 'or refused by 503');
is((answer_of(connect_to($port), request('POST', '/api/webhooks/wa', 'x' x (4 * 1024 * 1024 + 1))))[0], 413, 'one over the limit by 413');
my $memory = memory_high($relay);
cmp_ok($memory, '<', 65536, "in less than 64 MB ($memory kB)");

my @partial = map { my $s = connect_to($port); syswrite $s, "POST /api/webhooks/wa HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n" . 'x' x 60_000; $s } 1 .. 40;
is((answer_of(connect_to($port), request('POST', '/api/webhooks/wa', 'small')))[0], 200, 'half-sent large bodies do not shut out small ones');
@partial = ();
is($relay->stop, 0, 'it ends well');

# ---- ten thousand slow ones (fewer in the short run) ----
my $slow = long_run(1500, 10_000);
$relay = start_relay($node, [ '--head-timeout=60000' ]);
$port = $relay->{port};
my @child;
my $each = 2500;
for (my $left = $slow; $left > 0; $left -= $each)
{
	my $n = $left < $each ? $left : $each;
	pipe my $ready, my $tell or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		my @socket = map { my $s = connect_to($port); syswrite $s, "GET / HTTP/1.1\r\nX-Slow: "; $s } 1 .. $n;
		syswrite $tell, '1';
		while (1)
		{
			sleep 1;
			syswrite $_, 'x' for @socket;
		}
	}
	close $tell;
	push @child, $pid;
	is(sysread($ready, my $byte, 1), 1, "$n slow connections are open");
}
my @took;
my $socket = connect_to($port);
for (1 .. 300)
{
	my $begun = time;
	my ($status) = answer_of($socket, request('POST', '/api/webhooks/wa', "beside $_"));
	push @took, time - $begun if $status eq '200';
}
is(scalar @took, 300, 'beside them all webhooks are taken');
my $p99 = (sort { $a <=> $b } @took)[ int(@took * 0.99) ];
cmp_ok($p99, '<=', 0.1, sprintf('99 of 100 within 100 ms (%.1f ms)', $p99 * 1000));
$memory = memory_high($relay);
cmp_ok($memory, '<', 65536, "in less than 64 MB ($memory kB)");
opendir my $fds, '/proc/' . $relay->pid . '/fd' or die "fd: $!";
my $open = grep { /^\d+$/ } readdir $fds;
cmp_ok($open, '<=', $slow + 30, 'with no descriptor too many');
for my $pid (@child) { kill 'KILL', $pid; waitpid $pid, 0; }
is($relay->stop, 0, 'it ends well');

# ---- system calls that fail ----
SKIP:
{
	skip 'strace may not trace here', 8 unless run([ 'strace', '-o', '/dev/null', 'true' ], '>', \my $out, '2>', \my $err);
	my $binary = $node->config_data('--bindir') . '/laras-relay';
	for my $fault ('accept4:error=EMFILE', 'accept4:error=ECONNABORTED', 'recvfrom:error=EINTR', 'sendmsg:error=EAGAIN')
	{
		$relay = start_program('faulty', [ 'strace', '-D', '-qq', '-e', 'trace=none', '-e', "inject=$fault:when=20+5", '-o', '/dev/null',
				$binary, '--listen=127.0.0.1:0', '--conninfo=' . conninfo($node) ], ready => qr/listening on 127.*database: connected/s);
		my ($there) = $relay->output =~ /listening on 127\.0\.0\.1:(\d+)/;
		my @status = map { (answer_of(connect_to($there), request('POST', '/api/webhooks/wa', 'x'), 5))[0] } 1 .. 40;
		is(scalar(grep { $_ eq '200' } @status), 40, "served through $fault now and then");
		is($relay->stop, 0, "and ends well");
	}
}

# ---- the unit of the how-to ----
SKIP:
{
	my $page = slurp_file('docs/how-to/run-the-relay.md');
	my ($unit) = $page =~ /relay\.service`\n\n```ini\n(.*?)```/s;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/laras-relay.service';
	append_to_file($file, $unit // '');
	my ($out, $err) = ('', '');
	skip 'no systemd-analyze that reads files', 1
	  unless has_command('systemd-analyze')
	  && run([ 'systemd-analyze', 'security', '--offline=true', '--no-pager', $file ], '>', \$out, '2>', \$err);
	my ($exposure) = $out =~ /Overall exposure level for \S+ ([\d.]+)/;
	cmp_ok($exposure // 10, '<=', 1.0, 'the documented unit is exposed by at most 1.0 of 10, by systemd\'s count');
}
done_testing();
