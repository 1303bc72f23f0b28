# Pictures, films, voices and documents on every channel that has them: what people
# send is fetched as the channel gives it; what the business gives is judged, sealed
# and sent as the channel takes it, once, and within its limits. Threads and systems
# of one's own bring media and are sent none.
#
# proves R052 R082

use strict;
use warnings;

use Channels;
use Digest::SHA ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Laras;
use MIME::Base64 ();
use Stage;
use Test::More;

my $stage = Stage->new('channels');
my $sandbox = $stage->sandbox;
my $file = "\x89PNG\r\n\x1a\n" . join '', map { chr(($_ * 7919 + ($_ >> 8)) & 255) } 1 .. 300_000;
my $sha = Digest::SHA::sha256_hex($file);
my %shop;
# how files of a type begin, and on which channel such may be given
my %begins = (
	'image/jpeg' => [ "\xff\xd8\xff\xe0", 'whatsapp' ], 'image/png' => [ "\x89PNG\r\n\x1a\n", 'whatsapp' ], 'image/webp' => [ "RIFF\x10\0\0\0WEBPVP8 ", 'whatsapp' ], 'image/gif' => [ 'GIF89a', 'email' ],
	'video/mp4' => [ "\0\0\0\x18ftypisom", 'whatsapp' ], 'video/3gpp' => [ "\0\0\0\x18ftyp3gp4", 'whatsapp' ], 'video/quicktime' => [ "\0\0\0\x08wide", 'messenger' ], 'video/webm' => [ "\x1aE\xdf\xa3", 'messenger' ], 'video/ogg' => [ 'OggS', 'messenger' ],
	'audio/aac' => [ "\xff\xf1P\x80", 'whatsapp' ], 'audio/amr' => [ "#!AMR\n", 'whatsapp' ], 'audio/mpeg' => [ "ID3\x03", 'whatsapp' ], 'audio/mp4' => [ "\0\0\0\x20ftypM4A ", 'whatsapp' ], 'audio/ogg' => [ 'OggS', 'whatsapp' ], 'audio/wav' => [ "RIFF\x10\0\0\0WAVEfmt ", 'messenger' ],
	'application/pdf' => [ "\n%PDF-1.7", 'whatsapp' ], 'application/msword' => [ "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 'whatsapp' ], 'application/vnd.ms-excel' => [ "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 'whatsapp' ],
	'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet' => [ "PK\x03\x04", 'whatsapp' ], 'text/plain' => [ 'Daftar harga', 'whatsapp' ], 'application/zip' => [ "PK\x03\x04", 'telegram' ],
);

# how a person sends a picture there
my %picture = (
	whatsapp => sub {
		my ($shop, $media) = @_;
		return $sandbox->control(POST => 'customer/message', { number => $shop->{account}{number}, from => $shop->person('Sari'), wait => JSON::PP::true,
			message => { type => 'image', image => { id => $media->{id}, mime_type => 'image/png', sha256 => $media->{sha256} } } });
	},
	instagram => \&by_link,
	messenger => \&by_link,
	email => sub {
		my ($shop) = @_;
		my $part = "--b\nContent-Type: text/plain\n\nini gambarnya\n--b\nContent-Type: image/png; name=kopi.png\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\n";
		return $shop->piped($shop->mail(Sari => $part . MIME::Base64::encode_base64($file) . '--b--', 'MIME-Version' => '1.0', 'Content-Type' => 'multipart/mixed; boundary=b'));
	},
	threads => sub {
		my ($shop, $media) = @_;
		return $sandbox->control(POST => 'account/comment', { post => $shop->{post}, from => $shop->person('Sari'), name => $shop->person('Sari'), text => 'lihat ini', media => $media->{id}, wait => JSON::PP::true });
	},
	generic => sub {
		my ($shop, $media) = @_;
		return $shop->says(Sari => 'ini gambarnya', { href => $media->{url}, mime => 'image/png', title => 'kopi.png', bytes => $media->{size} });
	},
	telegram => sub {
		my ($shop, $media) = @_;
		my $small = $sandbox->control(POST => 'media', { bot => $shop->{account}{number}, size => 10 });
		return $sandbox->control(POST => 'bot/message', { bot => $shop->{account}{number}, from => $shop->person('Sari'), wait => JSON::PP::true,
			message => { photo => [ { file_id => $small->{id}, width => 90, height => 60, file_size => 10 }, { file_id => $media->{id}, width => 900, height => 600, file_size => $media->{size} } ] } });
	},
);
# what it is called when it is sent, whether a text goes with it, and a type that is not taken
my %sends = (whatsapp => [ 'image', 1, 'image/gif' ], instagram => [ 'image', 0, 'text/plain' ], messenger => [ 'image', 0, 'text/plain' ], telegram => [ 'photo', 1 ], email => [ undef, 1 ]);

for my $channel (sort keys %picture)
{
	my $shop = $shop{$channel} = Channels->open($stage, $channel);
	is(($shop->connect)[0], 200, "$channel: connected");
	$shop->call(POST => "/app/settings/integrations/$shop->{connection}/webhook-secret", {}) if $channel eq 'email';
	is($shop->says(Sari => 'halo'), 200, "$channel: Sari writes");
	ok($shop->wait_bound('SELECT count(*) = 1 FROM laras.conversations', 30), "$channel: and is heard");
	$shop->{conversation} = $shop->bound('SELECT id FROM laras.conversations');

	# ------------------------------------------------------------- what she sends
	if ($picture{$channel})
	{
		my $owner = $channel eq 'telegram' ? 'bot' : 'number';
		my $media = $channel eq 'email' ? undef : $sandbox->control(POST => 'media', { mime_type => 'image/png', data => MIME::Base64::encode_base64($file, ''),
			$channel =~ /instagram|messenger|generic/ ? (open => JSON::PP::true) : $channel eq 'threads' ? () : ($owner => $shop->{account}{number}) });
		$picture{$channel}->($shop, $media);
		ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.attachments WHERE state = 'stored'", 30), "$channel: a picture of hers is fetched") or diag states($shop);
		is($shop->bound("SELECT encode(sha256(laras.read_media(id)), 'hex') FROM laras.attachments WHERE direction = 'in'"), $sha, "$channel: as she sent it");
		my $got = Laras::http_call('GET', $stage->url . '/api/media/' . $shop->bound("SELECT id FROM laras.attachments WHERE direction = 'in'"), headers => { Cookie => $shop->{cookie} });
		is("$got->{status} " . Digest::SHA::sha256_hex($got->{content}), "200 $sha", "$channel: over HTTP too");
	}

	# ------------------------------------------------------------- what she is sent
	next unless $sends{$channel};
	my ($type, $captioned, $not) = @{ $sends{$channel} };
	my ($status, $answer) = $shop->call(POST => "/api/conversations/$shop->{conversation}/media?filename=kopi%20baru.png", $file, 'Content-Type' => 'image/png');
	is($status, 201, "$channel: a picture is given over HTTP") or diag explain $answer;
	my $id = $answer->{media_id};
	is($shop->bound("SELECT direction || ' ' || kind || ' ' || state || ' ' || filename || ' ' || sha256 FROM laras.attachments WHERE id = $id"), "out image stored kopi baru.png $sha", "$channel: and kept");
	if ($captioned)
	{
		$shop->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($shop->{workspace}, laras.new_id(), 'rahasia')");
		like(refusal($shop, "SELECT laras.reply($shop->{conversation}, 'ini rahasia', '{\"media_id\": \"$id\"}')"), qr/not let through/, "$channel: the text that goes with it is judged");
		my $named = $shop->bound("SELECT laras.upload_media($shop->{conversation}, '\\x89504e470d0a1a0a', 'image/png', 'rahasia.png')");
		like(refusal($shop, "SELECT laras.reply($shop->{conversation}, 'ini', '{\"media_id\": \"$named\"}')"), qr/not let through/, "$channel: and its name");
	}
	else
	{
		like(refusal($shop, "SELECT laras.reply($shop->{conversation}, 'ini', '{\"media_id\": \"$id\"}')"), qr/22023: no text goes with such media/, "$channel: no text goes with it");
	}
	my $message = $shop->bound("SELECT laras.reply($shop->{conversation}, '" . ($captioned ? 'ini kopinya' : '') . "', '{\"media_id\": \"$id\"}')");
	ok($shop->wait_bound("SELECT status IN ('sent', 'delivered') FROM laras.messages WHERE id = $message", 40), "$channel: it is sent") or diag $shop->bound("SELECT state, reason, error_code, attempts FROM laras.outbox WHERE message_id = $message");
	is($shop->bound("SELECT kind || ' ' || (SELECT message_id = m.id FROM laras.attachments WHERE id = $id) FROM laras.messages m WHERE id = $message"), 'image true', "$channel: and belongs to its message");
	my @sent = $shop->sends('Sari');
	is(scalar @sent, 1, "$channel: once");
	if ($channel eq 'email')
	{
		my ($part) = $sent[0]{body} =~ /Content-Type: image\/png(.*?)\r\n--/s;
		like($part, qr/filename="kopi baru.png"/, 'email: with its name');
		is(Digest::SHA::sha256_hex(MIME::Base64::decode_base64(($part =~ /\r\n\r\n(.*)/s)[0])), $sha, 'email: as it was given');
		like($sent[0]{body}, qr/\r\n\r\nini kopinya\r\n/, 'email: beside the text');
	}
	else
	{
		is($sent[0]{type}, $type, "$channel: as what it is");
		is($sandbox->control(POST => 'media', { newest => JSON::PP::true })->{sha256}, $sha, "$channel: as it was given");
	}
	like(refusal($shop, "SELECT laras.reply($shop->{conversation}, '', '{\"media_id\": \"$id\"}')"), qr/55000: the media went with a message already/, "$channel: it is not sent twice");
	like(refusal($shop, "SELECT laras.upload_media($shop->{conversation}, 'x', '$not')"), qr/22023: the channel does not take media of that type/, "$channel: $not is not taken") if $not;
	like(refusal($shop, "SELECT laras.upload_media($shop->{conversation}, repeat('x', 10485761)::bytea, 'image/jpeg')"), qr/54000: the channel takes at most/, "$channel: nor what is too long") if $channel ne 'email';
}

# ------------------------------------------------------------- a mail that is passed on
my $mail = $shop{email};
my $passed = "From: Budi <budi\@lain.example>\nSubject: Nota\n\nTotal 90.000\n";
$mail->piped($mail->mail(Sari => "--b\nContent-Type: text/plain\n\nlihat suratnya\n--b\nContent-Type: message/rfc822\n\n$passed\n--b--", 'MIME-Version' => '1.0', 'Content-Type' => 'multipart/mixed; boundary=b'));
ok($mail->wait_bound("SELECT count(*) = 1 FROM laras.attachments WHERE filename = 'Nota.eml' AND state = 'stored'", 30), 'email: a mail that is passed on is kept') or diag states($mail);
my $nota = Laras::http_call('GET', $stage->url . '/api/media/' . $mail->bound("SELECT id FROM laras.attachments WHERE filename = 'Nota.eml'"), headers => { Cookie => $mail->{cookie} });
is("$nota->{headers}{'content-type'} $nota->{content}", "application/octet-stream $passed", 'email: as it was, and as nothing that runs');

# ------------------------------------------------------------- hosts of one's own
my $own = $shop{generic};
is($own->bound("SELECT kind || ' ' || filename FROM laras.attachments"), 'image kopi.png', 'generic: under the name that it has there');
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "no socket: $!";
my $inside = 'https://files.localhost:' . $listener->sockport . '/x';
my $elsewhere = $sandbox->control(POST => 'media', { mime_type => 'image/png', data => 'eA==', open => JSON::PP::true, redirect => $inside });
for my $case ([ 'a host that is not listed', 'https://files.example/x', 'refused', 'foreign_host' ],
	[ 'a listed host without TLS', 'http://files.localhost/x', 'refused', 'foreign_host' ],
	[ 'a user before the host', 'https://files.localhost@files.example/x', 'refused', 'foreign_host' ],
	[ 'a redirect to another listed host', $elsewhere->{url}, 'refused', 'foreign_host' ],
	[ 'a listed name that leads inside', $inside, 'wanted', 'no_answer' ])
{
	my ($what, $url, $state, $reason) = @$case;
	$own->says(Sari => $what, { href => $url, mime => 'image/png' });
	ok($own->wait_bound("SELECT count(*) = 1 FROM laras.attachments a JOIN laras.messages m ON m.id = a.message_id WHERE m.body = '$what' AND a.state = '$state' AND a.reason = '$reason'", 30), "generic: $what is not asked") or diag states($own);
}
is(IO::Select->new($listener)->can_read(0), undef, 'generic: nothing came inside');
for my $bad ('[]', '["10.0.0.1"]', '["localhost"]', '["Files.example"]', '["files.example/x"]', '["2130706433"]', '"files.example"')
{
	like(($stage->node->psql('postgres', "\\set VERBOSITY verbose\nSELECT laras.register_provider_app('{generic}', '77', 'the secret of a system', 'not used here', '{\"mapping\": {}, \"media_hosts\": $bad}')"))[2], qr/22023: (?:media_hosts must be|option "media_hosts" must be a list)/, "generic: $bad is no list of hosts");
}

# ------------------------------------------------------- what may not be sent, and where
my $wa = $shop{whatsapp};
like(refusal($wa, "SELECT laras.upload_media(4711, 'x', 'image/png')"), qr/P0002/, 'no such conversation');
like(refusal($wa, "SELECT laras.upload_media($wa->{conversation}, '', 'image/png')"), qr/22023/, 'nothing');
like(refusal($wa, "SELECT laras.upload_media($wa->{conversation}, 'x', 'image/png', '../etc/passwd')"), qr/22023/, 'a name that is a path');
like(refusal($wa, "SELECT laras.upload_media($wa->{conversation}, 'x', E'image/png\\r\\nX: y')"), qr/22023/, 'a type that is a header');
like(refusal($wa, "SELECT laras.upload_media($wa->{conversation}, NULL, 'image/png')"), qr/22004/, 'null');
like(refusal($shop{telegram}, "SELECT laras.reply($shop{telegram}{conversation}, '', '{\"media_id\": \"" . given($wa, 'image/png') . "\"}')"), qr/P0002/, 'what was given to another workspace');
$wa->says(Budi => 'halo juga');
ok($wa->wait_bound('SELECT count(*) = 2 FROM laras.conversations', 30), 'Budi writes');
my $budi = $wa->bound("SELECT id FROM laras.conversations WHERE id <> $wa->{conversation}");
like(refusal($wa, "SELECT laras.reply($budi, '', '{\"media_id\": \"" . given($wa, 'image/png') . "\"}')"), qr/P0002/, 'what was given for somebody else');
like(refusal($wa, "SELECT laras.reply($wa->{conversation}, 'teks', '{\"media_id\": \"" . given($wa, 'audio/ogg') . "\"}')"), qr/22023: no text goes/, 'a text with a voice');
like(refusal($wa, "SELECT laras.reply($wa->{conversation}, repeat('x', 1025), '{\"media_id\": \"" . given($wa, 'image/png') . "\"}')"), qr/22023: the text that goes with media/, 'a text that is too long');
for my $type (sort keys %begins)
{
	my ($bytes, $channel) = @{ $begins{$type} };
	my ($to, $other) = ($shop{$channel}, $type eq 'image/png' ? 'image/jpeg' : 'image/png');
	like(given($to, $type), qr/^\d+$/, "bytes of $type are taken as such");
	like(refusal($to, "SELECT laras.upload_media($to->{conversation}, '\\x" . unpack('H*', $begins{$other}[0] . 'gambar') . "', '$type; x=y')"), qr/22023: the media is not of the type that it is given as\nDETAIL:  Its bytes begin like those of $other/, "those of $other are not");
	like(refusal($to, "SELECT laras.upload_media($to->{conversation}, 'gambar', '$type')"), qr/22023: the media is not of the type/, 'nor others') if $type ne 'text/plain';
}
like($shop{telegram}->bound("SELECT laras.upload_media($shop{telegram}{conversation}, 'gambar', 'application/x-resep')"), qr/^\d+$/, 'of a type that nothing is known of all are');
$stage->sql("SELECT laras.set_media_quota($wa->{workspace}, 100)");
like(refusal($wa, "SELECT laras.upload_media($wa->{conversation}, '\\x89504e470d0a1a0a'::bytea || repeat('x', 100)::bytea, 'image/png')"), qr/54000: the workspace has no room/, 'beyond the quota');
$stage->sql("SELECT laras.set_media_quota($wa->{workspace}, NULL)");

# --------------------------------------------------------- an upload that goes wrong
my $before = images($wa);
for my $case ([ 'close_unanswered' ], [ 'http_error', http_status => 503 ])
{
	my ($action, %more) = @$case;
	$sandbox->fault(match => { path => "$wa->{account}{number}/media" }, action => $action, times => 1, %more);
	my $message = $wa->bound("SELECT laras.reply($wa->{conversation}, '$action', '{\"media_id\": \"" . given($wa, 'image/png') . "\"}')");
	ok($wa->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message", 40), "$action: the upload is made again") or diag $wa->bound("SELECT state, reason, error_code, attempts FROM laras.outbox WHERE message_id = $message");
	is(images($wa), ++$before, "$action: and the message sent once");
}
# the second request is no upload: nobody knows
$sandbox->fault(match => { route => 'messages', number => $wa->{account}{number} }, action => 'close_unanswered', accept => JSON::PP::true, statuses => 'never');
my $unclear = $wa->bound("SELECT laras.reply($wa->{conversation}, 'entah', '{\"media_id\": \"" . given($wa, 'image/png') . "\"}')");
ok($wa->wait_bound("SELECT state = 'uncertain' FROM laras.outbox WHERE message_id = $unclear", 40), 'of a send without an answer nobody knows');
is(images($wa), ++$before, 'and it is not repeated');

# ------------------------------------------------------------------ links
my $insta = $shop{instagram};
my ($url) = map { $_->{body}{message}{attachment}{payload}{url} } $insta->sends('Sari');
{
	my $got = Laras::http_call('GET', $url);
	is("$got->{status} " . Digest::SHA::sha256_hex($got->{content}), "200 $sha", 'the link leads to the picture');
	is($got->{headers}{'x-content-type-options'}, 'nosniff', 'as nothing that runs');
	is(Laras::http_call('GET', $url =~ s/.$//r . ($url =~ /0$/ ? '1' : '0'))->{status}, 404, 'one that was changed leads nowhere');
	$stage->sql("SELECT laras.advance_clock('11 minutes')");
	is(Laras::http_call('GET', $url)->{status}, 404, 'nor does an old one');
}
is(Laras::http_call('GET', $stage->url . '/media/' . '0' x 80)->{status}, 404, 'nor one that somebody made');

# ------------------------------------------------------------- erased before it left
$stage->sql("SELECT laras.pause_workers('courier')");
my $waiting = $wa->bound("SELECT laras.reply($budi, 'gambar', jsonb_build_object('media_id', laras.upload_media($budi, '\\x89504e470d0a1a0a', 'image/png')))");
my $contact = $wa->bound("SELECT contact_id FROM laras.messages WHERE id = $waiting");
$wa->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$contact\"}')");
$stage->sql('SELECT laras.resume_workers()');
ok(wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.media WHERE contact_id = $contact"), 'what waits for somebody erased goes with them');
is(scalar($wa->sends('Budi')), 0, 'and is never sent');

$stage->stop;
done_testing();

sub by_link
{
	my ($shop, $media) = @_;
	return $sandbox->control(POST => 'account/message', { account => $shop->{account}{number}, from => $shop->person('Sari'), wait => JSON::PP::true,
		message => { attachments => [ { type => 'image', payload => { url => $media->{url} } } ] } });
}

sub given { my ($shop, $type) = @_; return $shop->bound("SELECT laras.upload_media($shop->{conversation}, '\\x" . unpack('H*', $begins{$type}[0] . 'gambar') . "', '$type')"); }
sub images { my ($shop) = @_; return scalar grep { $_->{type} eq 'image' } $shop->sends('Sari'); }
sub refusal { my ($shop, $query) = @_; return ($stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($shop->{workspace}); $query; COMMIT"))[2]; }
sub states { my ($shop) = @_; return $shop->bound("SELECT string_agg(concat_ws(' ', id, kind, state, reason, attempts, size), E'\\n' ORDER BY id) FROM laras.attachments"); }
