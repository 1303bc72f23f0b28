# Email: the parser against a table, the secret of each address and the path that
# names its connection, and what the inbox makes of mails, answers, machines,
# bounces and copies; the pipe program that a mail server calls.
#
# proves R045 R092

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use IPC::Run ();
use JSON::PP ();
use Laras;
use Payloads;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my $payloads = Payloads->build;
$payloads->agree('email', 'our own bodies', 'test/payloads/email', 'test/payloads/email/expected.tsv', '-a', 'halo@toko.example');

hostile();

my $node = Laras->cluster('email', settings => { 'laras.public_url' => 'https://laras.example' });
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'the vault opens');
my ($old, $new) = ('the secret of all addresses here', 'the secret after a change');
register($old);
my @workspace = map { sql("SELECT laras.create_workspace('W$_', 'w$_\@shop.example', 'correct horse battery')") } 1, 2;
my $first = pair($workspace[0], 'halo@toko.example');
my $second = pair($workspace[1], 'cs@lain.example');
my ($ret, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace[1]); SELECT laras.pair_connection('email', '{\"address\": \"halo\@toko.example\"}', 'x', false)");
like($error, qr/connected already/, 'an address is connected once');
(undef, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace[1]); SELECT laras.pair_connection('email', '{\"address\": \"bukan alamat\"}', 'x', false)");
like($error, qr/form of an address/, 'what is none is refused');
for my $bad ('"smtps://mail.example"', '["https://mail.example"]', '["smtps://u@mail.example"]', '[]')
{
	(undef, undef, $error) = $node->psql('postgres', "SELECT laras.register_provider_app('{email}', 'mail2', '$old', 'not used here', '{\"smtp\": $bad}')");
	like($error, qr/smtp must be a list/, "no list of mail servers: $bad");
}

# ------------------------------------------------------ secrets and the path
my $given = $json->decode(bound($workspace[0], "SELECT laras.take_webhook_secret($first)"));
is($given->{url}, "https://laras.example/api/webhooks/email/$first", 'where mails are posted');
is($given->{secret}, hmac_sha256_hex("email/$first", $old), 'with what they are signed');
my %secret = ($first => $given->{secret}, $second => $json->decode(bound($workspace[1], "SELECT laras.take_webhook_secret($second)"))->{secret});
(undef, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace[0]); SELECT laras.take_webhook_secret($first)");
like($error, qr/given out already/, 'it is given once');
(undef, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace[0]); SELECT laras.take_webhook_secret($second)");
like($error, qr/no such connection/, 'to its own workspace');
my $hello = mail(1, 'halo kak');
is(receive($first, $hello, $secret{$second}), 401, "another address's secret is refused");
is(receive($first, $hello, $old), 401, "and the operator's own, which never leaves the house");
is(receive($first, $hello, ''), 401, 'and an empty one');
is(post("email/$first", $hello, $secret{$first}), 401, 'the secret itself is no signature');
is(post("email/halo\@toko.example", $hello, 'sha256=' . hmac_sha256_hex($hello, $secret{$first})), 401, 'the address is no path');
is(post('email', $hello, 'x'), 404, 'a path without a connection');
is(receive($first, $hello), 200, 'its own secret is taken');
is(receive($second, mail(1, 'ke alamat kedua', To => 'cs@lain.example')), 200, 'and the other its own');
drain();
is(bound($workspace[0], 'SELECT string_agg(body, \',\') FROM laras.messages'), 'halo kak', 'each address speaks to its own workspace');
is(bound($workspace[1], 'SELECT string_agg(body, \',\') FROM laras.messages'), 'ke alamat kedua', 'alone');
is(bound($workspace[0], "SELECT string_agg(kind || ' ' || value, ',') FROM laras.contact_identities"), 'email Sari.Dewi@contoh.example', 'a person is an address, as they write it');

# ----------------------------------------------------------------- the inbox
is(receive($first, "Received: from elsewhere\r\n$hello"), 200, 'a repeat that took another way');
receive($first, mail(2, 'lagi', From => 'Sari Dewi <SARI.DEWI@CONTOH.example>', 'In-Reply-To' => '<m1@contoh.example>'));
receive($first, mail(3, 'dari masa depan', Date => 'Thu, 20 Nov 2098 08:00:00 +0700'));
receive($first, mail(4, 'sedang cuti', 'Auto-Submitted' => 'auto-replied'));
receive($first, mail(5, 'Kabar untuk semua', 'List-Id' => '<kopi.example>', From => 'milis@daftar.example'));
receive($first, mail(6, 'Palsu', From => 'halo@toko.example'));
receive($first, slurp_file('test/payloads/email/attachment.eml'));
receive($first, slurp_file('test/payloads/email/own-copy.eml'));
receive($first, slurp_file('test/payloads/email/no-from.eml'));
receive($first, '{"json": true}');
drain();
is(bound($workspace[0], 'SELECT count(*) FROM laras.contacts'), 2, 'an address in other letters is the same person');
is(bound($workspace[0], "SELECT string_agg(kind || ' ' || body, ', ' ORDER BY id) FROM laras.messages"),
	'text halo kak, text lagi, text dari masa depan, auto_reply sedang cuti, list_mail Kabar untuk semua, text Ini bukti transfernya ya kak.', 'mails, each once');
is(bound($workspace[0], "SELECT about_message_id = (SELECT id FROM laras.messages WHERE body = 'halo kak') FROM laras.messages WHERE body = 'lagi'"), 't', 'an answer names what it answers');
is(bound($workspace[0], "SELECT provider_timestamp <= created_at FROM laras.messages WHERE body = 'dari masa depan'"), 't', 'no date lies in the future');
is(bound($workspace[0], "SELECT count(*) FROM laras.drafts d JOIN laras.messages m ON m.id = d.inbound_message_id WHERE m.kind IN ('auto_reply', 'list_mail')"), 0, 'no machine is answered');
is(bound($workspace[0], "SELECT last_inbound_at IS NULL FROM laras.conversations v JOIN laras.contact_identities i ON i.contact_id = v.contact_id WHERE i.value = 'milis\@daftar.example'"), 't', 'nor does one open a conversation for answers');
is(bound($workspace[0], "SELECT string_agg(p.kind || ' ' || (p.content::jsonb ->> 'filename'), ', ' ORDER BY p.position) FROM laras.message_parts p WHERE p.content::jsonb ->> 'filename' IS NOT NULL"), "image bukti.jpg, document nota pesanan \xe2\x82\xac.pdf", 'attachments are told of');
is(bound($workspace[0], "SELECT string_agg(reason, ',' ORDER BY reason) FROM laras.quarantine"), 'from_own_address,message_without_sender,not_a_mail', 'what nobody can be known by is set aside');
is(sql("SELECT count FROM laras.ignored_events WHERE channel = 'email' AND reason = 'wrong_mark'"), 1, 'a copy that bears a mark which is not ours is counted and no more');

# ------------------------------------------------------------- end of it all
register($new);
is(receive($second, mail(7, 'sebelum', To => 'cs@lain.example')), 200, 'a secret derived before the operator changed theirs still signs');
is(receive($second, mail(8, 'sesudah', To => 'cs@lain.example'), hmac_sha256_hex("email/$second", $new)), 200, 'as does one derived after');
bound($workspace[0], "SELECT laras.disconnect($first)");
is(receive($first, mail(9, 'masih?')), 200, 'an address that is disconnected is answered');
my $again = pair($workspace[1], 'halo@toko.example');
is(receive($again, mail(10, 'dari yang lama'), $secret{$first}), 401, 'who had the address before cannot sign for who has it now');
drain();
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'masih?'"), 0, 'and not heard');
is(bound($workspace[1], 'SELECT count(*) FROM laras.messages'), 3, 'nor by another');

is(sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is(bound($_, 'SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies') for @workspace;
# statements of this test are logged with what they are given: they are left out
unlike(join('', grep { !/127_email/ } split /^/, slurp_file($node->logfile)), qr/Sari|halo kak|contoh|\Q$secret{$first}\E/, 'nothing of a mail, and no secret, stands in the log');
$node->stop('fast');
done_testing();

# --------------------------------------------------------------------- helpers

# Mails of 4 MB that are nothing but one trick each: read in bounded memory, to the end.
sub hostile
{
	my $head = "From: a\@b.example\nSubject: s\nMessage-ID: <adv\@x.example>\n";
	my %mail = (
		fields => "a:\n" x 1400000,
		addresses => 'From: ' . 'a@b.example, ' x 320000 . "\n\nx\n",
		words => "From: a\@b.example\nSubject: " . '=?utf-8?q?a?= ' x 300000 . "\n\nx\n",
		comments => 'From: ' . '(' x 4000000 . "\n\nx\n",
		boundaries => "${head}Content-Type: multipart/mixed; boundary=b\n\n" . "--b\n\n" x 800000,
		levels => $head . join('', map { "Content-Type: multipart/mixed; boundary=b$_\n\n--b$_\n" } 1 .. 60000),
		enclosed => $head . "Content-Type: message/rfc822\n\n" x 140000,
		enclosed_list => "${head}Content-Type: message/rfc822\n\nTo: " . 'x@y.example, ' x 320000 . "\n\nx\n",
		markup => "${head}Content-Type: text/html\n\n" . '<blockquote><div style="display:none">' x 100000,
		attributes => "${head}Content-Type: text/html\n\n" . '<a "' x 1000000,
		quotes => "$head\n" . "> x\ny\n" x 600000,
		parameters => "${head}Content-Disposition: attachment; " . join('', map { "filename*$_=b; " } 1 .. 200000) . "\n\nx\n",
	);
	for my $name (sort keys %mail)
	{
		my $path = PostgreSQL::Test::Utils::tempdir() . "/$name.eml";
		open my $out, '>', $path or die "$path: $!";
		print $out substr $mail{$name}, 0, 4 << 20;
		close $out;
		my $found = '';
		my $ok = IPC::Run::run([ 'sh', '-c', 'ulimit -v 300000; exec "$@"', 'sh', $payloads->{program}, 'email', $path ], '>', \$found, '2>&1');
		ok($ok && $found =~ /^\Q$name\E\.eml\t(?:message|fault|refused)\t/, "4 MB of $name do no harm") or diag substr $found, 0, 200;
	}
	return;
}

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub bound { return bound_to($node, @_); }

sub register { return sql("SELECT laras.register_provider_app('{email}', 'mail', '$_[0]', 'not used here', '{\"smtp\": [\"smtps://mail.example:465\"]}')"); }
sub pair { my ($workspace, $address) = @_; return bound($workspace, "SELECT laras.pair_connection('email', '{\"address\": \"$address\", \"server\": \"smtps://mail.example:465\"}', 'sandi', false)"); }
sub drain { sql("SELECT laras.drain('30 s')") eq 't' or diag sql('SELECT worker, state, last_error FROM laras.worker_status'); return; }

# A mail with this number; fields replace the usual ones.
sub mail
{
	my ($n, $text, %field) = @_;
	my %all = (From => 'Sari Dewi <Sari.Dewi@contoh.example>', To => 'halo@toko.example', Subject => "Surat $n",
		Date => 'Thu, 20 Nov 2025 08:00:00 +0700', 'Message-ID' => "<m$n\@contoh.example>", %field);
	return join('', map { "$_: $all{$_}\r\n" } sort keys %all) . "\r\n$text\r\n";
}

sub receive
{
	my ($connection, $bytes, $key) = @_;
	return post("email/$connection", $bytes, 'sha256=' . hmac_sha256_hex($bytes, $key // $secret{$connection}));
}

sub post
{
	my ($path, $bytes, $signature) = @_;
	return sql("SELECT status FROM laras.receive_webhooks('{$path}', ARRAY['$signature'], ARRAY[decode('" . unpack('H*', $bytes) . "', 'hex')])");
}
