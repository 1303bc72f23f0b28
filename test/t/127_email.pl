# Email: the parser against a table, the secret of each address and the path that
# names its connection, and what the inbox makes of mails, answers, machines,
# bounces and copies; the pipe program that a mail server calls.
#
# proves R045 R092

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex sha256_hex);
use IPC::Run ();
use JSON::PP ();
use Laras;
use MIME::Base64 qw(encode_base64);
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
	like($error, qr{smtp"? must be a list|not of its type}, "no list of mail servers: $bad");
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

# ------------------------------------------------------------- attached files
# bytes of every value, of two pieces and of one, beside what cannot be kept
my $long = join '', map { chr(($_ * 7919 + ($_ >> 8)) & 255) } 0 .. 299_999;
my $short = "\0\1\xff\0" x 5;
my $attached = attached(20, [ 'image/png', 'foto kopi.png', $long ], [ 'application/pdf', 'kosong.pdf', '' ], [ 'audio/ogg', "suara.ogg", $short ]);
receive($first, $attached);
receive($first, "Received: from elsewhere\r\n$attached");
drain();
my $files = "FROM laras.attachments a JOIN laras.messages m ON m.id = a.message_id WHERE m.body = 'berkas 20'";
is(bound($workspace[0], "SELECT string_agg(concat_ws(' ', a.kind, a.state, a.reason, a.mime_type, a.filename, a.size), ', ' ORDER BY a.size DESC) $files"),
	'image stored image/png foto kopi.png 300000, audio stored audio/ogg suara.ogg 20, document refused empty 0', 'the files of a mail are kept, each once, and one that is none costs the others nothing');
is(bound($workspace[0], "SELECT string_agg(encode(sha256(laras.read_media(a.id)), 'hex') || ' ' || (a.sha256 = encode(sha256(laras.read_media(a.id)), 'hex')), ', ' ORDER BY a.size DESC) $files AND a.state = 'stored'"),
	sha256_hex($long) . ' true, ' . sha256_hex($short) . ' true', 'as they were sent');
is(bound($workspace[0], "SELECT laras.read_media(a.id, 262140, 8) = '\\x" . unpack('H*', substr $long, 262140, 8) . "' $files AND a.kind = 'image'"), 't', 'also across two pieces');
is(bound($workspace[0], "SELECT count(*) FROM laras.notices WHERE kind = 'media_failed'"), 1, 'the owner hears of the one that is none');

# between the first and the second the quota is reached; a smaller third one finds room
sql("SELECT laras.set_media_quota($workspace[0], (SELECT sum(size)::bigint + 1000 FROM laras.media WHERE workspace_id = $workspace[0] AND state = 'stored'))");
receive($first, attached(21, [ 'image/png', 'satu.png', 'a' x 600 ], [ 'image/png', 'dua.png', 'b' x 600 ], [ 'image/png', 'tiga.png', 'c' x 400 ]));
drain();
$files =~ s/20/21/;
is(bound($workspace[0], "SELECT string_agg(concat_ws(' ', a.state, a.reason, a.filename, a.size), ', ' ORDER BY a.filename) $files"),
	'stored satu.png 600, stored tiga.png 400, over_quota over_quota 600', 'what is over the quota is not kept');
is(bound($workspace[0], "SELECT bool_or(laras.fetch_media(a.id)) $files AND a.state = 'over_quota'"), 'f', 'and lies nowhere from where it could be fetched');
is(bound($workspace[0], "SELECT count(*) FROM laras.notices WHERE kind = 'media_over_quota'"), 1, 'of which the owner hears');
sql("SELECT laras.set_media_quota($workspace[0], NULL)");

# what the pipe posts of a mail that is longer than is taken: its end is missing, and so is that of its last file
receive($first, substr attached(22, [ 'image/png', 'awal.png', 'a' x 100 ], [ 'video/mp4', 'film.mp4', 'v' x 3_300_000 ]), 0, 4 << 20);
drain();
$files =~ s/21/22/;
is(bound($workspace[0], "SELECT string_agg(concat_ws(' ', a.kind, a.state, a.reason, a.filename), ', ' ORDER BY a.kind) $files"), 'image stored awal.png, video refused too_long', 'half a file is none');

# a mail within the mail is a file as it stands, odd lines, parts, levels and all; encoded it is what it was before
my $inner = mail(90, "--d\r\nContent-Type: text/plain\r\n\r\ndalam =41 \n--d\r\nContent-Type: image/png; name=x.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--d\r\nContent-Type: message/rfc822\r\n\r\nFrom: a\@b.example\r\n\r\nlebih dalam\r\n--d--\r\nsisa",
	From => 'Budi  <budi@lain.example>', Subject => "Keluhan\r\n  pengiriman", 'X-Odd ' => ' v ', 'Content-Type' => 'multipart/mixed; boundary="d"');
receive($first, mail(23, "--batas\r\nContent-Type: text/plain\r\n\r\nberkas 23\r\n--batas\r\nContent-Type: message/rfc822\r\n\r\n$inner\r\n"
	  . "--batas\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=surat.eml\r\nContent-Transfer-Encoding: base64\r\n\r\n" . encode_base64($inner, "\r\n")
	  . "\r\n--batas\r\nContent-Type: message/rfc822\r\n\r\n\r\n--batas--", 'Content-Type' => 'multipart/mixed; boundary=batas'));
receive($first, slurp_file('test/payloads/email/bounce-of-another.eml'));
drain();
$files =~ s/22/23/;
is(bound($workspace[0], "SELECT string_agg(concat_ws(' ', a.kind, a.state, a.reason, a.mime_type, a.filename, CASE a.state WHEN 'stored' THEN encode(sha256(laras.read_media(a.id)), 'hex') END), ', ' ORDER BY a.filename) $files"),
	"document stored message/rfc822 Keluhan  pengiriman.eml " . sha256_hex($inner) . ", document stored message/rfc822 surat.eml " . sha256_hex($inner) . ', document refused empty',
	'a mail within the mail is kept byte for byte, and named for its subject where it has no name');
is(bound($workspace[0], "SELECT string_agg(p.content::jsonb -> 'from' ->> 0, ',' ORDER BY p.position) FROM laras.message_parts p JOIN laras.messages m ON m.id = p.message_id WHERE m.body = 'berkas 23' AND p.content::jsonb ? 'from'"),
	join(',', ('{"name": "Budi", "address": "budi@lain.example"}') x 2), 'who wrote it is told beside it');
is(bound($workspace[0], "SELECT count(*) FROM laras.message_parts p JOIN laras.messages m ON m.id = p.message_id WHERE m.body = 'Could not deliver.' AND p.kind = 'document'") . bound($workspace[0], $files =~ s/^FROM(.*) WHERE.*/SELECT count(*) FROM$1 WHERE m.body = 'Could not deliver.'/r), '10',
	'what a report gives back is told of, and not kept');

# of who wrote them they are unreadable with the rest, and then gone
my $sari = bound($workspace[0], "SELECT DISTINCT a.contact_id $files");
sql("CREATE TABLE copied AS SELECT c.* FROM laras.media_chunk c JOIN laras.media m ON m.id = c.media_id WHERE m.contact_id = $sari");
my $opened = 'SELECT count(laras.reveal_bytes(content, media_id, 51::smallint)) FROM copied';
is(bound($workspace[0], $opened), sql('SELECT count(*) FROM copied'), 'a copy of the pieces opens while the key is there');
bound($workspace[0], "SELECT laras.request_erasure('contact', '{\"contact_id\": \"$sari\"}')");
ok(wait_for_sql($node, "SELECT count(*) = 0 FROM laras.media WHERE contact_id = $sari"), 'an erasure takes them along');
is(sql("SELECT count(*) FROM laras.media_chunk"), 0, 'with every piece');
is(bound($workspace[0], $opened), 0, 'and the copy opens no more');
sql('DROP TABLE copied');

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

# A mail with these files: [ type, name, bytes ].
sub attached
{
	my ($n, @files) = @_;
	my $body = "--batas\r\nContent-Type: text/plain\r\n\r\nberkas $n\r\n";
	$body .= "--batas\r\nContent-Type: $_->[0]\r\nContent-Disposition: attachment; filename=\"$_->[1]\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" . encode_base64($_->[2], "\r\n") . "\r\n" for @files;
	return mail($n, "$body--batas--", 'MIME-Version' => '1.0', 'Content-Type' => 'multipart/mixed; boundary=batas');
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
