# Answers by email: the mail as it leaves, in its thread and in no other; what a
# server says before and after it; ends that nobody saw and what settles them; a
# slow server that holds up nobody else; no password without TLS; the pipe.
#
# proves R045 R082 R092

use strict;
use warnings;

use Channels;
use Digest::SHA qw(hmac_sha256_hex);
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('email_send', settings => { 'laras.request_timeout' => '60s' });
my $shop = Channels->open($stage, 'email');
my ($status, $answer) = $shop->connect;
is($status, 200, 'an address is connected') or diag explain $answer;
my $address = $shop->{account}{number};
($status) = $shop->call(POST => "/app/settings/integrations/$shop->{connection}/webhook-secret", {});
is($status, 409, 'its secret is given out once');

# ------------------------------------------------------------------ the mail
is($shop->piped($shop->mail(Sari => 'Ada kopi?', Subject => '=?UTF-8?Q?Kopi_=E2=98=95_=26_teh?=', 'Message-ID' => '<satu@pelanggan.example>',
	References => '<nol@pelanggan.example>', From => '"Sari, =?UTF-8?Q?D=C3=A9wi?=" <Sari@pelanggan1.example>')), 0, 'a mail comes by the pipe');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages"), 'and is read');
my $first = $shop->reply(Sari => "Halo \xe2\x98\x95\r\n.\n.titik\nFrom di awal baris\n" . 'panjang ' x 40);
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $first", 30), 'it is answered');
my ($sent) = $shop->sends('Sari');
my ($head, $body) = split /\r\n\r\n/, $sent->{body}, 2;
my %field = map { /^([\w-]+): (.*)$/s ? (lc $1 => $2 =~ s/\r\n\s+/ /gr) : () } split /\r\n(?!\s)/, $head;
is($field{to}, 'Sari@pelanggan1.example', 'to the address as its owner wrote it');
is($field{from}, "Toko 1 <$address>", 'from the address, with its name');
is($field{subject}, 'Re: Kopi =?UTF-8?B?4piV?= & teh', 'about what was asked');
is($field{'in-reply-to'}, '<satu@pelanggan.example>', 'in answer to that mail');
is($field{references}, '<nol@pelanggan.example> <satu@pelanggan.example>', 'in its thread');
like($field{'message-id'}, qr/^<laras\.[\w-]{22}\@shop\.example>$/, 'named after the attempt');
is("<" . $shop->bound("SELECT provider_message_id FROM laras.messages WHERE id = $first") . ">", $field{'message-id'}, 'which is the message from then on');
is($field{'auto-submitted'}, undef, 'a person wrote it');
is($field{'content-transfer-encoding'}, 'quoted-printable', 'in letters that every server takes');
unlike($sent->{body}, qr/[^\r\n\t -~]/, 'and in no others');
is((grep { length > 998 } split /\r\n/, $sent->{body}), 0, 'in lines that are not too long');
$body =~ s/=\r\n//g;
$body =~ s/=([0-9A-F]{2})/chr hex $1/ge;
like($body, qr/\AHalo \xe2\x98\x95\r\n\.\r\n\.titik\r\nFrom di awal baris\r\npanjang /, 'the text is whole, with its dots');

# nothing that somebody wrote becomes a line of the header
is($shop->piped($shop->mail(Budi => 'suntik', Subject => 'satu =?UTF-8?Q?=0D=0ABcc=3A_korban=40x.example=0D=0A=0D=0Aisi?=')), 0, 'a subject that would be more');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'suntik'"), 'is read');
my $injected = $shop->reply(Budi => 'Baik');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $injected", 30), 'and answered');
my ($clean) = $shop->sends('Budi');
unlike((split /\r\n\r\n/, $clean->{body})[0], qr/^(?:Bcc|isi)/m, 'without a line more');

# -------------------------------------------- ends that nobody saw, and what settles them
my %text = (bounced => 'yang memantul', copied => 'yang disalin');
my %id;
for my $what (sort keys %text)
{
	$shop->fault(action => 'close_unanswered');
	$id{$what} = $shop->reply(Sari => $text{$what});
	ok($shop->wait_bound("SELECT state = 'uncertain' FROM laras.outbox WHERE message_id = $id{$what}", 30), "$what: nobody saw the end");
}
my %name = map { my $text = $text{$_}; my ($e) = grep { $_->{body} =~ /\Q$text\E/ } $shop->sends('Sari'); ($_ => $e->{body} =~ /^Message-I[dD]: (<\S+>)/m) } keys %text;
is($shop->piped("From: $address\nTo: Sari\@pelanggan1.example\nSubject: Re: Kopi\nMessage-ID: $name{copied}\nDate: Thu, 20 Nov 2025 09:00:00 +0700\n\n$text{copied}\n"), 0, 'a copy comes');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $id{copied}"), 'copied: it was sent');
is($shop->piped(bounce($name{bounced}, 'failed', '5.1.1')), 0, 'a bounce comes');
ok($shop->wait_bound("SELECT status = 'failed' AND error_code = 511 FROM laras.messages WHERE id = $id{bounced}"), 'bounced: it was sent and came back');
is($shop->piped(bounce($field{'message-id'}, 'delivered', '2.1.5')), 0, 'a delivery report');
ok($shop->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $first"), 'says so');
is($shop->piped(bounce('<laras.AAAAAAAAAAAAAAAAAAAAAA@shop.example>', 'failed', '5.1.1')), 0, 'a bounce of a mail that we never sent');
ok(wait_for_sql($stage->node, "SELECT coalesce(sum(count), 0) = 1 FROM laras.ignored_events WHERE channel = 'email' AND reason = 'wrong_mark'"), 'is counted');
is($shop->bound("SELECT count(*) FROM laras.messages WHERE direction = 'in'"), 2, 'none of them is a message');

# ----------------------------------------- a server that says nothing holds up nobody
my $other = Channels->open($stage, 'email');
($status) = $other->connect;
is($status, 200, 'another address is connected');
is($other->says(Dewi => 'halo juga'), 200, 'and heard');
ok($other->wait_bound("SELECT count(*) = 1 FROM laras.messages"), 'and read');
$shop->fault(action => 'hang');
my $hanging = $shop->reply(Sari => 'yang digantung');
ok(wait_for(sub { scalar(grep { ($_->{body} // '') =~ /digantung/ } $shop->sandbox->ledger) }, 30), 'a mail to which the server says nothing');
my $quick = $other->reply(Dewi => 'Halo Dewi');
ok($other->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $quick", 30), 'others leave meanwhile');
is($shop->bound("SELECT state FROM laras.outbox WHERE message_id = $hanging"), 'sending', 'while that one waits');
$stage->node->append_conf('postgresql.conf', "laras.request_timeout = '1s'");
$stage->node->reload;
$other->fault(action => 'hang');
my $late = $other->reply(Dewi => 'yang terlambat');
ok($other->wait_bound("SELECT state = 'uncertain' FROM laras.outbox WHERE message_id = $late", 30), 'when its time is over it is uncertain');
is(scalar(grep { $_->{body} =~ /terlambat/ } $other->sends('Dewi')), 1, 'and was sent once');

# ----------------------------------------------- a password that is changed
$stage->sandbox->control(POST => 'mailbox', { address => $address, password => 'sandi-yang-baru-sekali' });
my $parked = $shop->reply(Budi => 'menunggu sandi');
ok($shop->wait_bound("SELECT state = 'parked' FROM laras.outbox WHERE message_id = $parked", 30), 'with a password that was changed elsewhere an answer waits');
is($shop->tile->{state}, 'needs_reauth', 'and the tile says why');
($status) = $shop->call(POST => '/api/email/connect', { address => $address, token => 'sandi-yang-baru-sekali', name => 'Toko Baru' });
is($status, 200, 'the address is connected with the new one');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $parked", 30), 'and the answer leaves');
is($shop->bound("SELECT count(*) FROM laras.connections"), 1, 'through the connection that it had');
is(scalar(grep { $_->{body} =~ /^From: Toko Baru </m } $shop->sends('Budi')), 1, 'under the name that it was given now');
is($shop->piped($shop->mail(Sari => 'masih')), 0, 'whose secret still signs');

# ------------------------------------------------------------------ the pipe
is($shop->piped("Subject: tanpa pengirim\n\nx\n"), 0, 'what nobody can read is taken all the same');
my $good = $shop->{pipe};
$shop->{pipe} = "$good.wrong";
write_file($shop->{pipe}, "url $shop->{hook}{url}\nsecret not-this-one\n");
is($shop->piped($shop->mail(Sari => 'x')), 75, 'where the secret is wrong, the mail is to be tried again');
write_file($shop->{pipe}, "secret $shop->{hook}{secret}\n");
is($shop->piped($shop->mail(Sari => 'x')), 78, 'a file without a URL cannot be used');
write_file($shop->{pipe}, "url http://127.0.0.1:1/x\nsecret $shop->{hook}{secret}\n");
is($shop->piped($shop->mail(Sari => 'x')), 75, 'where nobody answers it is tried again later');
unlike($shop->{complaint}, qr/\Q$shop->{hook}{secret}\E/, 'and no secret is said');
write_file($shop->{pipe}, slurp_file($good));
chmod 0644, $shop->{pipe};
is($shop->piped($shop->mail(Sari => 'x')), 78, 'a file that everybody can read is not used');
$shop->{pipe} = $good;
is($shop->piped($shop->mail(Sari => 'surat besar') . ('x' x 70 . "\n") x 70000), 0, 'of a mail that is too long the beginning is taken');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body LIKE 'surat besar%' AND length(body) < 300000"), 'and read') or diag $shop->bound("SELECT string_agg(kind || ' ' || coalesce(length(body), -1), ',') FROM laras.messages"), $shop->bound('SELECT string_agg(reason, \',\') FROM laras.quarantine');

# ------------------------------------------------ who may be spoken to, and how
($status, $answer) = $shop->call(POST => '/api/email/connect', { address => 'lain@shop.example', token => 'x', server => 'smtp://169.254.169.254:25' });
is("$status $answer->{error}{code}", '422 unknown_server', 'a server that the operator did not list is not spoken to');
my $without = Channels->open($stage, 'email');
$stage->sql("SELECT laras.register_provider_app('{email}', 'mail', 'the secret of all addresses of this house', 'not used for mail', '{\"smtp\": [\"" . ($stage->sandbox->smtp =~ s/127\.0\.0\.1/localhost/r) . "\"]}')");
($status, $answer) = $without->connect;
is("$status " . ($answer->{error}{code} // ''), '502 server_unreachable', 'without TLS there is no log-in, but to a stand-in named by its number');
is(scalar(grep { $_->{number} eq $without->{account}{number} } $stage->sandbox->ledger), 0, 'and no password left');

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($shop->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
unlike(slurp_file($stage->node->logfile), qr/\Q$shop->{account}{token}\E|\Q$shop->{hook}{secret}\E/, 'neither password nor secret stands in the log');
$stage->stop;
done_testing();

# --------------------------------------------------------------------- helpers

sub bounce
{
	my ($id, $action, $code) = @_;
	return "Return-Path: <>\nFrom: MAILER-DAEMON\@mx.example\nTo: $address\nSubject: Delivery\nMessage-ID: <b." . (substr $id, 7, 8) . ".$action\@mx.example>\nMIME-Version: 1.0\n"
	  . "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nReport.\n--b\nContent-Type: message/delivery-status\n\n"
	  . "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; sari\@pelanggan1.example\nAction: $action\nStatus: $code\n\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: $id\n--b--\n";
}

sub write_file
{
	my ($path, $content) = @_;
	open my $out, '>', $path or die "$path: $!";
	print $out $content;
	close $out or die "$path: $!";
	return chmod 0600, $path;
}
