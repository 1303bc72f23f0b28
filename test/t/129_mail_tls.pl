# Mails over TLS, from the first byte or by STARTTLS: to a server whose certificate is trusted, in
# pieces as they go; to one whose is not, nothing is said, the password least of all.
#
# proves R082

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use Laras;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my ($program, $key, $certificate) = ("$dir/mail_tls", "$dir/key.pem", "$dir/certificate.pem");
my $log = '';
ok(IPC::Run::run([ $ENV{CC} // 'cc', qw(-std=gnu99 -D_GNU_SOURCE -O1 -g -Isrc -Dcurl_easy_init=trusting_easy_init), 'test/c/mail_tls.c',
			(map { "src/courier/$_.c" } qw(http call body talk mail usage)), split(' ', `pkg-config --cflags --libs libcurl libcrypto jansson`), '-o', $program ], '>', \$log, '2>&1'),
	"the courier's files build without the server") or BAIL_OUT($log);
ok(IPC::Run::run([ qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext), 'subjectAltName=DNS:localhost', '-keyout', $key, '-out', $certificate ], '>', \$log, '2>&1'),
	'a certificate') or BAIL_OUT($log);

# ---------------------------------------------------------------- a dialog
my ($printed, $heard) = dialog(300_000, $certificate);
is($printed, "answered 250\n", 'a mail is taken over TLS');
like($heard, qr/^EHLO .*^MAIL FROM:<toko\@shop\.example>\r\n.*^RCPT TO:<sari\@pelanggan\.example>\r\n.*^DATA\r\n/ms, 'after the usual words');
my ($mail) = $heard =~ /^DATA\r\n(.*?)^\.\r\n/ms;
cmp_ok(length $mail, '>', 300_000, 'all of it');
is(scalar(() = $mail =~ /^\.(?!\.)/mg), 0, 'with the dots at the beginnings of its lines doubled');
($printed, $heard) = dialog(1000, $certificate, taken => '451 4.3.0 later');
is($printed, "answered 451\n", 'the reply to the mail is the answer');
($printed, $heard) = dialog(1000, $certificate, sender => '553 not yours');
is($printed, "answered 553\n", 'as is one that comes before it');
unlike($heard, qr/^DATA/m, 'after which nothing more is said');
($printed, $heard) = dialog(1000, $certificate, password => '535 5.7.8 no');
is($printed, "answered 535\n", 'a password that is not taken');

# ------------------------------------------------------- one that nobody knows
($printed, $heard) = dialog(1000);
is($printed, "not sent 0\n", 'a server whose certificate is nobody\'s is told nothing');
is($heard, '', 'not even hello');

# ------------------------------------------------------------------ STARTTLS
my $plain;
($printed, $heard, $plain) = dialog(5000, $certificate, starttls => 1);
is($printed, "answered 250\n", 'a mail is taken by STARTTLS');
like($plain, qr/\AEHLO [^\r\n]+\r\nSTARTTLS\r\n\z/, 'before which nothing is said but hello');
like($heard, qr/\AEHLO .*^AUTH .*^MAIL FROM:.*^DATA/ms, 'and all else within');
($printed, $heard, $plain) = dialog(1000, $certificate, starttls => 0);
is($printed, "not sent 0\n", 'a server that does not offer it is given nothing');
unlike($plain . $heard, qr/AUTH|MAIL|sandi|c2FuZGk/, 'no password and no mail');
($printed, $heard, $plain) = dialog(1000, undef, starttls => 1);
is("$printed$heard", "not sent 0\n", 'nor one whose certificate is nobody\'s');
unlike($plain, qr/AUTH|MAIL/, 'not in clear either');
done_testing();

# What stands before the server of a dialog that begins in clear: it says hello, offers
# STARTTLS or not, writes down what it hears, and passes on what comes after.
sub front
{
	my ($offers, $behind, $file) = @_;
	my $listen = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "front: $!\n";
	my $pid = fork // die "fork: $!";
	return ($listen->sockport, $pid) if $pid;
	open my $out, '>', $file or POSIX::_exit(1);
	$out->autoflush(1);
	my $peer = $listen->accept or POSIX::_exit(1);
	print $peer "220 test\r\n";
	my $line = '';
	while (sysread $peer, $line, 1, length $line)
	{
		next unless $line =~ /\r\n\z/;
		print $out $line;
		if ($line =~ /^STARTTLS/ && $offers)
		{
			print $peer "220 go\r\n";
			last;
		}
		print $peer $line !~ /^EHLO/ ? "502 no\r\n" : $offers ? "250-test\r\n250 STARTTLS\r\n" : "250-test\r\n250 AUTH PLAIN\r\n";
		$line = '';
	}
	my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$behind") or POSIX::_exit(0);
	my $either = IO::Select->new($peer, $server);
	while (my @ready = $either->can_read(60))
	{
		for my $from (@ready)
		{
			sysread $from, my $bytes, 65536 or POSIX::_exit(0);
			my $to = $from == $peer ? $server : $peer;
			while (length $bytes) { my $n = syswrite($to, $bytes) or POSIX::_exit(0); substr $bytes, 0, $n, ''; }
		}
	}
	POSIX::_exit(0);
}

# A server of one connection behind openssl, and the program: what that printed, what the server heard.
sub dialog
{
	my ($bytes, $trusted, %reply) = @_;
	my $port = free_port();
	# what says hello in clear does so itself
	my ($in, $out, $printed, $complaint) = (defined $reply{starttls} ? '' : "220 test\r\n", '', '', '');
	my $server = IPC::Run::start([ qw(openssl s_server -quiet -naccept 1 -accept), $port, '-cert', $certificate, '-key', $key ], \$in, \$out, '2>', \my $noise);
	# it cannot be asked whether it listens: a connection would be its one
	my $listens = sprintf ':%04X ', $port;
	wait_for(sub { $server->pump_nb; return (slurp_file('/proc/net/tcp') . slurp_file('/proc/net/tcp6')) =~ /$listens[0-9A-F:]+ 0A/ }, 20) or die "no server\n";
	my ($url, $pid) = ("smtps://localhost:$port");
	if (defined $reply{starttls})
	{
		(my $front, $pid) = front($reply{starttls}, $port, "$dir/plain");
		$url = "smtp://localhost:$front";
	}
	my $client = IPC::Run::start([ $program, $url, $bytes, $trusted // () ], '>', \$printed, '2>', \$complaint);
	my $read = 0;
	my $in_mail = 0;
	my $over = wait_for(sub {
		$_->pump_nb for grep { $_->pumpable } $server, $client;
		while ($out =~ /\G(.*?)\r\n/gcs)
		{
			my $line = $1;
			if ($in_mail) { next unless $line eq '.'; $in_mail = 0; $in .= ($reply{taken} // '250 2.0.0 taken') . "\r\n"; }
			elsif ($line =~ /^EHLO/) { $in .= "250-test\r\n250 AUTH PLAIN\r\n"; }
			elsif ($line =~ /^AUTH/) { $in .= "334 \r\n"; }
			elsif ($line =~ /^MAIL/) { $in .= ($reply{sender} // '250 ok') . "\r\n"; }
			elsif ($line =~ /^RCPT/) { $in .= "250 ok\r\n"; }
			elsif ($line eq 'DATA') { $in .= "354 go\r\n"; $in_mail = 1; }
			elsif ($line !~ /^QUIT/) { $in .= ($reply{password} // '235 ok') . "\r\n"; }
		}
		return !$client->pumpable;
	}, 60);
	$client->finish if $over;
	$over or diag("not over: $complaint"), $client->kill_kill;
	$server->kill_kill;
	return ($printed, $out) unless defined $pid;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	return ($printed, $out, slurp_file("$dir/plain"));
}
