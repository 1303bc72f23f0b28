# Mails over TLS, from the first byte: to a server whose certificate is trusted, in
# pieces as they go; to one whose is not, nothing is said, the password least of all.
#
# proves R082

use strict;
use warnings;

use IPC::Run ();
use Laras;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my ($program, $key, $certificate) = ("$dir/mail_tls", "$dir/key.pem", "$dir/certificate.pem");
my $log = '';
ok(IPC::Run::run([ $ENV{CC} // 'cc', qw(-std=gnu99 -D_GNU_SOURCE -O1 -g -Isrc -Dcurl_easy_init=trusting_easy_init), 'test/c/mail_tls.c',
			(map { "src/courier/$_.c" } qw(http talk mail usage)), split(' ', `pkg-config --cflags --libs libcurl libcrypto jansson`), '-o', $program ], '>', \$log, '2>&1'),
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
done_testing();

# A server of one connection behind openssl, and the program: what that printed, what the server heard.
sub dialog
{
	my ($bytes, $trusted, %reply) = @_;
	my $port = free_port();
	my ($in, $out, $printed, $complaint) = ("220 test\r\n", '', '', '');
	my $server = IPC::Run::start([ qw(openssl s_server -quiet -naccept 1 -accept), $port, '-cert', $certificate, '-key', $key ], \$in, \$out, '2>', \my $noise);
	# it cannot be asked whether it listens: a connection would be its one
	my $listens = sprintf ':%04X ', $port;
	wait_for(sub { $server->pump_nb; return (slurp_file('/proc/net/tcp') . slurp_file('/proc/net/tcp6')) =~ /$listens[0-9A-F:]+ 0A/ }, 20) or die "no server\n";
	my $client = IPC::Run::start([ $program, "smtps://localhost:$port", $bytes, $trusted // () ], '>', \$printed, '2>', \$complaint);
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
	return ($printed, $out);
}
