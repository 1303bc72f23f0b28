# The relay over sockets: every raw request of the corpus is answered and closed
# as its table says, whole, cut in two and one byte at a time, and none is ever
# read as two; what a request carries arrives at the SQL functions as it was,
# what they answer comes out as HTTP, and hostile answers do not.
# proves R235
use strict;
use warnings;
use lib 'test/relay';
use IO::Socket::UNIX;
use IPC::Run qw(run);
use Laras;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = relay_cluster('main');
my $relay = start_relay($node, [ '--max-body=1024', '--max-queue=100000' ]);
my $port = $relay->{port};
my @case = corpus();
my $expected_requests = 0;

# What is wrong with a job's outcome, or nothing.
sub judge
{
	my ($job) = @_;
	my $case = $job->{case};
	my ($status, $rest) = read_answers($job->{stream}, $case->{name} eq 'ok-head');
	$expected_requests += $case->{requests};
	my @wrong;
	push @wrong, "statuses @$status, not $case->{status}" unless "@$status" eq $case->{status};
	push @wrong, 'closed ' . $job->{closed} . ", not $case->{closed}" unless $job->{closed} == $case->{closed};
	push @wrong, 'bytes that are no answer' if length $rest;
	return @wrong ? "$case->{name}, pieces of " . join('+', map { length } @{ $job->{pieces} }[ 0, -1 ]) . ": @wrong" : ();
}

my @jobs = map { { case => $_, pieces => [ $_->{bytes} ] } } @case;
exchange_all($port, \@jobs);
for my $job (@jobs)
{
	my @wrong = judge($job);
	is("@wrong", '', "whole: $job->{case}{name}");
}

# Cut in two: every byte boundary in the long run, some of them in the short one.
my @cut;
for my $case (@case)
{
	my $length = length $case->{bytes};
	my $step = long_run(1 + int($length / 12), $length > 4000 ? 97 : 1);
	for (my $at = 1; $at < $length; $at += $step)
	{
		push @cut, { case => $case, pieces => [ substr($case->{bytes}, 0, $at), substr($case->{bytes}, $at) ] };
	}
}
exchange_all($port, \@cut, width => 200, pause => 0.005);
my @wrong = map { judge($_) } @cut;
is_deeply([ @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ] ], [], scalar(@cut) . ' cuts in two change nothing');

# One byte at a time; the longest ones would only repeat themselves.
my @byte = map { { case => $_, pieces => [ split //, $_->{bytes} ] } }
  grep { length $_->{bytes} < 400 } @case;
exchange_all($port, \@byte, width => 200, pause => 0, seconds => 30);
@wrong = map { judge($_) } @byte;
is_deeply(\@wrong, [], scalar(@byte) . ' requests one byte at a time');

ok($relay->stop == 0, 'it ends well');
is(counter($relay, 'requests'), $expected_requests, "exactly the $expected_requests requests that were sent were seen");

# ---- what goes through ----

$relay = start_relay($node, [ '--ticket-timeout=1000' ]);
$port = $relay->{port};
my $base = "http://127.0.0.1:$port";
my $socket = connect_to($port);

my ($status, $answer) = answer_of($socket, request('POST', '/echo/a%20b?x=1&y=%41', "\x00\xff\r\n",
	'X-One: 1', 'X-Two:  a, b ', 'X-Two: c', 'TE: trailers', 'Keep-Alive: 5', 'Proxy-Authorization: secret'));
my $head = qr/HTTP\/1\.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nContent-Length: \d+\r\n/;
is($answer =~ s/\A${head}Content-Type: text\/plain\r\n\r\n//r,
	"POST\n/echo/a%20b\nx=1&y=%41\n127.0.0.1\nhost|relay.test|x-one|1|x-two|a, b|x-two|c\n\\000\\377\r\n",
	'method, path, query, peer, fields but for those of the connection, and body arrive as they were');
($status, $answer) = answer_of($socket, request('HEAD', '/large/5000'));
like($answer, qr/\A${head}Content-Type: text\/plain\r\n\r\n\z/, 'HEAD is asked as GET and answered without the body');
like($answer, qr/Content-Length: 5000\r\n/, 'with its length');
is((answer_of($socket, request($_, '/status/200', $_ eq 'GET' ? undef : '')))[0], 200, "$_ goes through")
  for qw(GET POST PUT PATCH DELETE);
($status, $answer) = answer_of($socket, request('GET', '/status/204'));
unlike($answer, qr/Content-Length|ok/, '204 has neither length nor body');
($status, $answer) = answer_of($socket, request('GET', '/empty'));
like($answer, qr/\A${head}\r\n\z/, 'headers and body may be NULL');
is((answer_of($socket, request('GET', '/nothing')))[0], 404, 'the database knows the routes');
($status, $answer) = answer_of($socket, request('GET', '/large/3000000'));
is(length($answer =~ s/.*?\r\n\r\n//sr), 3_000_000, 'a large answer is whole');
($status, $answer) = answer_of($socket, request('GET', '/status/200'));
is($status, 200, 'all on one connection');

# ---- answers that HTTP does not allow ----
my %hostile = (split => 500, name => 500, odd => 502, null => 502, many => 502);
for my $kind (sort keys %hostile)
{
	($status, $answer) = answer_of(connect_to($port), request('GET', "/headers/$kind"));
	is($status, $hostile{$kind}, "headers that are $kind: $hostile{$kind}");
	unlike($answer, qr/^Set-Cookie/mi, 'nothing of them goes out');
}
($status, $answer) = answer_of($socket, request('GET', '/headers/framing'));
like($answer, qr/\A${head}X-A: a\r\n\r\nok\z/, 'framing is the relay\'s own');
($status, $answer) = answer_of($socket, request('GET', '/headers/twice'));
like($answer, qr/Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/, 'a name may repeat');
is((answer_of($socket, request('GET', "/status/$_")))[0], 502, "status $_ is no answer") for 0, 99, 600;
is((answer_of($socket, request('GET', '/raise/22012')))[0], 500, 'a function that raises: 500');
is((answer_of($socket, request('GET', "/raise/$_")))[0], 503, "$_ may pass: 503") for qw(40001 40P01 55P03);

# ---- tickets ----
my $turns = $node->safe_psql('postgres', "SELECT nextval('laras.stub_turn')");
my $begun = time;
($status, $answer) = answer_of($socket, request('GET', '/ticket/4'));
my $took = time - $begun;
is($status, 201, 'a ticket ends in its answer');
like($answer, qr/at last\z/, 'which is the last one');
cmp_ok($took, '>=', 0.4, 'asked every 100 ms');
is($node->safe_psql('postgres', "SELECT nextval('laras.stub_turn') - $turns - 1"), 4, 'four times');
($status) = answer_of($socket, request('GET', '/ticket/1000'));
is($status, 504, 'a ticket that does not end is a timeout');
is((answer_of(connect_to($port), request('GET', '/ticket/')))[0], 502, 'an empty ticket is no answer');

# ---- webhooks ----
sub hook { my ($path, $body, @header) = @_; return (answer_of($socket, request('POST', "/api/webhooks/$path", $body, @header)))[0]; }
my $bytes = join '', map { chr } 0 .. 255;
is(hook('wa', $bytes, 'X-Hub-Signature-256: sha256=ab', 'X-Laras-Signature: no'), 200, 'a webhook is stored');
is(hook('telegram/17', 'second', 'X-Telegram-Bot-Api-Secret-Token: t', 'X-Laras-Signature: no'), 200, 'a path goes on');
is(hook('generic/%2e./x?y=z', 'third', 'x-laras-signature: g'), 200, 'as received, without query');
is(hook('', 'fourth'), 200, 'an empty channel is for the database to judge');
is(hook('unknown', 'fifth'), 404, 'which has the status');
is(hook('wa', 'status 401'), 401, 'whatever it is');
is(hook('wa', ''), 200, 'an empty body too');
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws('|', channel, signature, encode(body, 'hex')), E'\n' ORDER BY id) FROM laras.stub_event}),
	join("\n", 'wa|sha256=ab|' . unpack('H*', $bytes), 'telegram/17|t|' . unpack('H*', 'second'),
		'generic/%2e./x|g|' . unpack('H*', 'third'), '||' . unpack('H*', 'fourth'), 'unknown||' . unpack('H*', 'fifth'),
		'wa||' . unpack('H*', 'status 401'), 'wa||'), 'channel, first signature and raw body arrive as they were');
is((answer_of($socket, request('GET', '/api/webhooks/wa?hub.challenge=1')))[0], 404, 'a GET of that path is a request like others');
is((answer_of($socket, request('POST', '/api/webhooksX', 'x')))[0], 404, 'and so is a POST beside it');
is((answer_of($socket, request('POST', '/API/webhooks/wa', 'x')))[0], 404, 'or in another case');

# ---- 100-continue ----
my $expecting = connect_to($port);
syswrite $expecting, request('POST', '/echo', undef, 'Content-Length: 2', 'Expect: 100-Continue');
my $interim = '';
ok(wait_for(sub { sysread $expecting, $interim, 1000, length $interim; $interim =~ /\r\n\r\n/ }, 5), 'an expectation is met');
is($interim, "HTTP/1.1 100 Continue\r\n\r\n", 'by 100');
is((answer_of($expecting, 'ok'))[0], 200, 'and the body is taken');
is((answer_of(connect_to($port), request('POST', '/echo', undef, 'Content-Length: 5000000', 'Expect: 100-continue')))[1] =~ /100 Continue/ ? 1 : 0,
	0, 'a body too large is refused without it');

# ---- half-closed ----
my $half = connect_to($port);
syswrite $half, request('GET', '/sleep/0.2');
shutdown $half, 1;
is((answer_of($half, ''))[0], 200, 'a client that has said all it wants still gets its answer');
$half = connect_to($port);
syswrite $half, "GET / HTTP/1.1\r\nHost:";
shutdown $half, 1;
is((answer_of($half, ''))[0], 'closed', 'one that stops in the middle gets none');

my $log = $relay->output;
unlike($log, qr/secret|second|sha256|hub|telegram/i, 'nothing that was sent stands in the log');
is((answer_of($socket, request('GET', '/say/whisper')))[0], 200, 'a warning of the database');
unlike($relay->output, qr/whisper/, 'is not printed');
is($relay->stop, 0, 'it ends well');

# ---- listening ----
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $binary = $node->config_data('--bindir') . '/laras-relay';
my $path = "$dir/relay.sock";
IO::Socket::UNIX->new(Local => $path, Listen => 1) or die "$path: $!";
ok(-S $path, 'a socket file is left over');
$relay = start_program('unix', [ $binary, "--listen=unix:$path", '--conninfo=' . conninfo($node) ], ready => qr/database: connected/);
my $unix = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
($status, $answer) = answer_of($unix, request('GET', '/echo'));
like($answer, qr/GET\n\/echo\n\nhost\|/, 'a unix socket is listened on and has no peer');
my ($out, $err) = ('', '');
run [ $binary, "--listen=unix:$path" ], '>', \$out, '2>', \$err;
is($? >> 8, 3, 'a second relay on the same socket does not start');
like($err, qr/another server listens/, 'and says why');
is($relay->stop, 0, 'it ends well');
ok(!-e $path, 'and takes its socket file away');

my $passed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 10) or die "listen: $!";
my $program = q{use POSIX; POSIX::dup2($ARGV[0], 3); $^F = 3; $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; shift; exec @ARGV or die $!};
{
	local $^F = 100;
	$passed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 10) or die "listen: $!";
}
$relay = start_program('activated', [ $^X, '-e', $program, fileno $passed, $binary, '--listen=systemd', '--conninfo=' . conninfo($node) ],
	ready => qr/database: connected/);
is((answer_of(connect_to($passed->sockport), request('GET', '/status/200')))[0], 200, 'a socket passed by LISTEN_FDS is served');
is($relay->stop, 0, 'it ends well');
run [ $binary, '--listen=systemd' ], '>', \$out, '2>', \$err;
is($? >> 8, 3, 'without one it does not start');

for (
	[ '--no-such' => 'x', 'no such option' ],
	[ '--max-body' => '-1', 'takes a number' ],
	[ '--max-body' => '1k', 'takes a number' ],
	[ '--connections' => '0', 'takes a number' ],
	[ 'stray', 'not an option' ],
	[ '--max-queue', 'takes a value' ])
{
	my $message = pop @$_;
	$err = '';
	run [ $binary, @$_ ], '>', \$out, '2>', \$err;
	is($? >> 8, 2, "@$_: exit 2");
	like($err, qr/\Q$message\E/, $message);
}
{
	local $ENV{LARAS_RELAY_MAX_BODY} = 'much';
	run [ $binary ], '>', \$out, '2>', \$err;
	is($? >> 8, 2, 'the environment is checked alike');
}
run [ $binary, '--listen=127.0.0.1:' . $passed->sockport ], '>', \$out, '2>', \$err;
is($? >> 8, 3, 'an address in use: exit 3');
ok(run([ $binary, '--help' ], '>', \$out), '--help');
like($out, qr/--max-body .*LARAS_RELAY_MAX_BODY/s, 'names options and environment');
done_testing();
