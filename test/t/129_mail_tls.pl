# Mails over TLS, from the first byte or by STARTTLS: to a server whose certificate is trusted, in
# pieces as they go; to one whose is not, and to one that offers none, nothing is said, the password
# least of all. First by the courier's files alone, which never speak in clear; then an
# address is connected and answers, at a server that takes nothing in clear.
#
# proves R082

use strict;
use warnings;

use Channels;
use IPC::Run ();
use Laras;
use PostgreSQL::Test::Utils;
use Sandbox;
use Stage;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my ($program, $key, $certificate) = ("$dir/mail_tls", "$dir/key.pem", "$dir/certificate.pem");
my $log = '';
ok(IPC::Run::run([ $ENV{CC} // 'cc', qw(-std=gnu99 -D_GNU_SOURCE -O1 -g -Isrc), 'test/c/mail_tls.c',
			(map { "src/courier/$_.c" } qw(http call body address talk mail usage)), split(' ', `pkg-config --cflags --libs libcurl libcrypto jansson`), '-o', $program ], '>', \$log, '2>&1'),
	"the courier's files build without the server") or BAIL_OUT($log);
ok(IPC::Run::run([ qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext), 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', $key, '-out', $certificate ], '>', \$log, '2>&1'),
	'a certificate') or BAIL_OUT($log);
my ($sandbox, $clear) = (Sandbox->start(tls => [ $certificate, $key ]), Sandbox->start);
mailbox($_) for $sandbox, $clear;
my %at = ('TLS from the first byte' => $sandbox->smtps, STARTTLS => $sandbox->smtp);

# ---------------------------------------------------------------- a dialog
for my $way (sort keys %at)
{
	my $url = $at{$way};
	my $before = $way eq 'STARTTLS' ? 'EHLO STARTTLS' : '';
	is(sends($url, 300_000, $certificate), 'answered 250', "$way: a mail is taken");
	like(join(' | ', $sandbox->dialog), qr/^\Q$before\E \| EHLO AUTH \(secret\) MAIL RCPT DATA( QUIT)?$/, "$way: after the usual words, all of them within");
	my ($mail) = reverse grep { $_->{accepted} } $sandbox->ledger(number => 'toko@shop.example');
	is("$mail->{to} " . ($mail->{body} =~ s/.*?\r\n\r\n//sr), 'sari@pelanggan.example ' . ".a line that begins with a dot\r\n" x int((300_000 - 14 + 31) / 32), "$way: all of it, with its dots");
	for my $case ([ mail => 451, 'the reply to the mail is the answer' ], [ login => 535, 'a password that is not taken' ])
	{
		$sandbox->fault(match => { route => $case->[0] }, action => 'refuse', code => $case->[1], times => 1);
		is(sends($url, 1000, $certificate), "answered $case->[1]", "$way: $case->[2]");
	}
	unlike(($sandbox->dialog)[1], qr/MAIL/, "$way: after which nothing more is said");
	mailbox($sandbox, address => 'lain@shop.example');
	is(sends($url, 1000, $certificate), 'answered 553', "$way: a reply that comes before the mail is one as well");
	unlike(($sandbox->dialog)[1], qr/DATA/, "$way: after which it is not sent");
	mailbox($sandbox);

	# one that nobody knows
	is(sends($url, 1000), 'not sent 0', "$way: a server whose certificate is nobody's is given nothing");
	is(join(' | ', $sandbox->dialog), "$before | ", "$way: and told nothing but that");
}
# the name is not the server's
is(sends($sandbox->smtps =~ s/127\.0\.0\.1/127.0.0.2/r, 1000, $certificate), 'not sent 0', 'nor one that is somebody else');
is(sends($clear->smtp, 1000, $certificate), 'not sent 0', 'a server that offers no TLS is given nothing');
is(($clear->dialog)[0], 'EHLO', 'no password and no mail');
is(scalar($clear->ledger), 0, 'and has nothing');

# --------------------------------------------------- what others might say to it
my ($answer) = Laras::raw_exchange($sandbox->smtp =~ /(\d+)$/, "EHLO x\r\nAUTH PLAIN AHRva28Ac2FuZGkgcmFoYXNpYQ==\r\nSTARTTLS\r\nMAIL FROM:<toko\@shop.example>\r\n", seconds => 1);
like($answer, qr/^250-STARTTLS\r\n.*^538 .*^220 2\.0\.0 [^\r]*\r\n\z/ms, 'the server takes no password in clear, and nothing that was slipped in before TLS');

# ------------------------------------------------------------- an address connects
my $stage = Stage->new('mail_tls', settings => { 'laras.certificate_authorities' => $certificate }, sandbox => { tls => [ $certificate, $key ] });
for my $url ($stage->sandbox->smtp, $stage->sandbox->smtps)
{
	my ($scheme) = $url =~ /^(\w+)/;
	$stage->sql("SELECT laras.register_provider_app('{email}', 'mail', 'the secret of all addresses of this house', 'not used for mail', '{\"smtp\": [\"$url\"]}')");
	$stage->{installed}{email} = 1;
	my $shop = Channels->open($stage, 'email');
	is(($shop->connect(account => { %{ $shop->{account} }, token => 'sandi yang salah' }))[0], 422, "$scheme: a wrong password is refused");
	is(($shop->connect)[0], 200, "$scheme: an address is connected");
	like(join(' | ', $stage->sandbox->dialog), $scheme eq 'smtp' ? qr/^EHLO STARTTLS \| EHLO AUTH/ : qr/^ \| EHLO AUTH/, "$scheme: nothing but that TLS is wanted was said in clear");
	$shop->says(Sari => 'halo kak');
	ok($shop->wait_bound('SELECT count(*) = 1 FROM laras.conversations', 30), "$scheme: Sari writes");
	my $message = $shop->reply(Sari => 'halo Sari');
	ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message", 40), "$scheme: and is answered") or diag $shop->bound("SELECT state, reason, error_code FROM laras.outbox WHERE message_id = $message");
	is(scalar($shop->sends('Sari')), 1, "$scheme: once");
	like(join(' | ', $stage->sandbox->dialog), $scheme eq 'smtp' ? qr/^EHLO STARTTLS \| EHLO AUTH .*MAIL RCPT DATA/ : qr/^ \| EHLO AUTH .*MAIL RCPT DATA/, "$scheme: all within TLS");
}
$stage->stop;
$_->program->stop for $sandbox, $clear;
done_testing();

sub mailbox { my ($where, %change) = @_; return $where->control(POST => 'mailbox', { address => 'toko@shop.example', user => 'toko', password => 'sandi rahasia', %change }); }

# How far the program comes with a mail of so many bytes.
sub sends
{
	my ($url, $bytes, $trusted) = @_;
	my ($printed, $complaint) = ('', '');
	IPC::Run::run([ $program, $url, $bytes, $trusted // () ], '>', \$printed, '2>', \$complaint, IPC::Run::timeout(60));
	chomp $printed;
	return $printed;
}
