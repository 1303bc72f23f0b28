# The test library itself: a program started by a test is awaited, spoken to and
# ended; a signature is the one the provider documents.
use strict;
use warnings;
use Laras;
use Test::More;

my $port = free_port();
my $server = start_program('listener', [ $^X, '-MIO::Socket::INET', '-e', <<'PERL', $port ], port => $port);
	my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1',
		LocalPort => $ARGV[0], ReuseAddr => 1) or die $!;
	while (my $peer = $listen->accept) {
		my $request = '';
		while ($request !~ /\r\n\r\n/) { sysread $peer, $request, 65536, length $request or last; }
		print $peer "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" if length $request;
		close $peer;
	}
PERL
ok($server->alive, 'the program runs');
is(http_call('GET', "http://127.0.0.1:$port/")->{content}, 'ok', 'it answers a request');
my ($answer, $closed) = raw_exchange($port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", chunk => 5);
like($answer, qr{^HTTP/1\.1 200 OK\r\n.*ok$}s, 'it answers one that comes in pieces');
ok($closed, 'the end of the answer is seen');
isnt($server->stop, undef, 'it ends when asked');
ok(!kill(0, $server->pid), 'and is gone');
ok(!eval { start_program('absent', ['/nonexistent/program'], port => $port); 1 },
	'a program that cannot start is an error');
like($@, qr{did not come up \(ended\):\ncannot run /nonexistent/program}, 'which says why');

# RFC 4231, test case 2.
is(webhook_headers('Jefe', 'what do ya want for nothing?')->{'X-Hub-Signature-256'},
	'sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
	'the signature is HMAC-SHA-256 over the raw bytes');
my $calls = 0;
ok(wait_for(sub { ++$calls == 3 }, 5), 'waiting ends when the condition holds');
ok(!wait_for(sub { 0 }, 0.2), 'and when the time is up');
done_testing();
