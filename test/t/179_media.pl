# Pictures, films, voices and documents that customers send: fetched from the
# provider over HTTP, checked, sealed piece by piece, read again; what cannot be
# had stands in a state that the owner can read, and goes with its message, its
# customer or its workspace.
#
# proves R052 R128 R181

use strict;
use warnings;

use Channels;
use Digest::SHA ();
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('media', settings => { 'laras.request_timeout' => '3s' });
my $sandbox = $stage->sandbox;
my $shop = Channels->open($stage, 'whatsapp');
is(($shop->connect)[0], 200, 'a shop connects');
my $number = $shop->{account}{number};
my $big = 256 * 1024;

# ------------------------------------------------------------ fetched and read
my $small = arrives(Sari => 'image', { mime_type => 'image/jpeg', size => 3000 }, caption => 'begini?');
stored($small, 'a picture is fetched');
is(field($small, "mime_type || ' ' || size || ' ' || direction"), 'image/jpeg 3000 in', 'as the provider says');
is(field($small, 'sha256'), $small->{sha256}, 'and as it was sent');
is(read_all($small), $small->{sha256}, 'and can be read');
is($shop->bound("SELECT body FROM laras.messages WHERE id = " . field($small, 'message_id')), 'begini?', 'its caption is the text of the message');
my $exact = arrives(Sari => 'document', { mime_type => 'application/pdf', size => 2 * $big, filename => 'daftar.pdf' }, filename => 'daftar.pdf');
my $odd = arrives(Sari => 'video', { mime_type => 'video/mp4', size => 3 * $big + 77 });
my $unsized = arrives(Sari => 'audio', { mime_type => 'audio/ogg', size => 2 * $big + 1, unsized => JSON::PP::true });
my $one = arrives(Sari => 'sticker', { mime_type => 'image/webp', size => 1 });
for my $case ([ $exact, 2, 'two whole pieces' ], [ $odd, 4, 'three pieces and some' ], [ $unsized, 3, 'one whose length is not told' ], [ $one, 1, 'one byte' ])
{
	my ($media, $pieces, $what) = @$case;
	stored($media, "$what: fetched");
	is($stage->sql("SELECT count(*) || ' ' || (SELECT chunks FROM laras.media m WHERE m.id = c.media_id) FROM laras.media_chunk c WHERE c.media_id = " . id_of($media) . ' GROUP BY c.media_id'), "$pieces $pieces", "$what: in $pieces");
	is(read_all($media), $media->{sha256}, "$what: read again");
}
is(field($exact, 'filename'), 'daftar.pdf', 'a document has its name');
is($shop->bound("SELECT encode(sha256(laras.read_media($odd->{row}, 0, 8388608)), 'hex')"), $odd->{sha256}, 'all at once');
my $whole = $shop->bound("SELECT encode(laras.read_media($odd->{row}, 0, 8388608), 'hex')");
is($shop->bound("SELECT encode(laras.read_media($odd->{row}, $_->[0], $_->[1]), 'hex')"), substr($whole, 2 * $_->[0], 2 * $_->[1]), "bytes $_->[0] and $_->[1] more")
  for [ 0, 10 ], [ $big - 5, 10 ], [ $big, $big ], [ 3 * $big + 70, 100 ], [ 3 * $big + 77, 10 ], [ 5, 0 ];
is($shop->bound("SELECT length(laras.read_media($odd->{row}, 99999999, 1))"), 0, 'none behind the end');
like(refusal("SELECT laras.read_media($odd->{row}, -1, 10)"), qr/22003/, 'not before the first byte');
like(refusal("SELECT laras.read_media($odd->{row}, 0, 8388609)"), qr/22003/, 'nor more than 8 MiB at once');
like(refusal('SELECT laras.read_media(4711)'), qr/P0002/, 'nor what is not there');
is($stage->sql("SELECT count(*) FROM laras.media_chunk WHERE encode(laras.sealed_send(content), 'hex') LIKE '%' || substr('$whole', 1000, 40) || '%'"), 0, 'no byte lies in clear');
is($shop->bound("SELECT wanted || ' ' || fetching || ' ' || stored || ' ' || lost || ' ' || bytes FROM laras.stat_media"), '0 0 5 0 ' . (3000 + 2 * $big + 3 * $big + 77 + 2 * $big + 1 + 1), 'and the view counts them');
is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'media.fetched'"), 5, 'with evidence of each');
my @asked = grep { $_->{method} eq 'GET' && $_->{path} =~ m{/\d+$} } $sandbox->ledger;
isnt(scalar(@asked), 0, 'the ledger has the links that were asked for');
is(scalar(grep { !defined $_->{token} || !length $_->{token} } @asked), 0, 'every link was asked for with a token');

# what is asked for each media and each page of messages is read from an index alone, in its order
my $conversation = $shop->bound('SELECT conversation_id FROM laras.messages WHERE id = ' . field($exact, 'message_id'));
my $plans = plans("SELECT laras.act_as($shop->{workspace}); SELECT laras.upload_media($conversation, '\\x89504e470d0a1a0a', 'image/png')");
like($plans, qr/Index Only Scan using media_size on media/, 'the room that is left is summed up from an index') or diag $plans;
$plans = plans("SELECT status FROM laras.http_request('GET', '/api/conversations/$conversation/messages', 'limit=2', ARRAY['cookie', '$shop->{cookie}'], NULL)");
like($plans, qr/Index Scan Backward using message_conversation on message/, 'a page of messages is read in the order of an index') or diag $plans;
my ($page) = $plans =~ /(Limit[^\n]*\n(?:(?!Query Text)[^\n]*\n)*?[^\n]*Index Scan Backward using message_conversation)/;
like($plans, qr/using message_conversation on message.*\n\s*Index Cond: .*ROW\(CASE/, 'from where the page before ended') or diag $plans;
unlike($page // 'Sort', qr/Sort/, 'and nothing is sorted for it') or diag $plans;

# over HTTP
my ($status, $list) = $shop->call(GET => '/api/messages/' . field($exact, 'message_id') . '/media');
is("$status $list->{media}[0]{id} $list->{media}[0]{state} $list->{media}[0]{filename} $list->{media}[0]{size}", "200 $exact->{row} stored daftar.pdf " . 2 * $big, 'a message tells of its media');
my $got = fetched($odd);
is("$got->{status} " . Digest::SHA::sha256_hex($got->{content}), "200 $odd->{sha256}", 'the whole comes at once');
is($got->{headers}{'content-type'}, 'video/mp4', 'with its type');
is(join(' | ', @{ $got->{headers} }{qw(content-disposition x-content-type-options content-security-policy cache-control)}), "attachment; filename=\"video-$odd->{row}\" | nosniff | default-src 'none'; sandbox | no-store", 'to be saved and not shown');
for my $case ([ '0-9', 0, 10 ], [ "$big-", $big, 2 * $big + 77 ], [ '-20', 3 * $big + 57, 20 ], [ '5-99999999', 5, 3 * $big + 72 ])
{
	$got = fetched($odd, Range => "bytes=$case->[0]");
	is("$got->{status} " . unpack('H*', $got->{content}), '206 ' . substr($whole, 2 * $case->[1], 2 * $case->[2]), "a range: $case->[0]");
	is($got->{headers}{'content-range'}, "bytes $case->[1]-" . ($case->[1] + $case->[2] - 1) . '/' . (3 * $big + 77), 'and says which');
}
is(fetched($odd, Range => $_)->{status}, 200, "no range that is known: $_") for 'bytes=9-3', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=-';
is(fetched($odd, Range => 'bytes=99999999-')->{status}, 416, 'one behind the end');
$got = fetched(arrives_stored(Sari => 'document', { mime_type => 'text/html', size => 20, filename => "a\"b\r\n<x>.html" }, filename => "a\"b\r\n<x>.html"));
is($got->{headers}{'content-type'} . ' ' . $got->{headers}{'content-disposition'}, "application/octet-stream attachment; filename*=UTF-8''a%22b%0D%0A%3Cx%3E.html", 'what a browser would run has no type, and a name no quotes');
is($shop->as(sub { delete local $stage->{cookie}; return ($stage->call(GET => "/api/media/$odd->{row}"))[0] }), 401, 'nobody reads it unknown');
my $larger = arrives_stored(Sari => 'document', { mime_type => 'application/pdf', size => 17 * 1024 * 1024 });
is(fetched($larger)->{status}, 413, 'what is long is asked for in ranges');
$got = fetched($larger, Range => 'bytes=1000000-');
is("$got->{status} " . length($got->{content}), '206 ' . 4 * 1024 * 1024, 'of which one has 4 MiB at most');

# another workspace has no part in it
my $other = Channels->open($stage, 'whatsapp');
is(($other->call(GET => "/api/media/$odd->{row}"))[0], 404, 'over HTTP neither');
like(($stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($other->{workspace}); SELECT laras.read_media($odd->{row}); COMMIT"))[2], qr/P0002/, 'another workspace does not know it');

# pieces cannot be exchanged, moved or cut off
for my $case (
	[ 'exchanged', "UPDATE laras.media_chunk SET number = CASE number WHEN 0 THEN 1000 ELSE 0 END WHERE media_id = $odd->{row} AND number IN (0, 1); UPDATE laras.media_chunk SET number = 1 WHERE media_id = $odd->{row} AND number = 1000" ],
	[ 'moved', "UPDATE laras.media_chunk SET content = (SELECT content FROM laras.media_chunk WHERE media_id = $exact->{row} AND number = 0) WHERE media_id = $odd->{row} AND number = 0" ],
	[ 'cut off', "DELETE FROM laras.media_chunk WHERE media_id = $odd->{row} AND number = 3; UPDATE laras.media SET chunks = 3, size = 3 * $big WHERE id = $odd->{row}" ],
	[ 'left out', "DELETE FROM laras.media_chunk WHERE media_id = $odd->{row} AND number = 2" ])
{
	my ($what, $change) = @$case;
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($shop->{workspace}); $change; SELECT laras.read_media($odd->{row}, 0, 8388608)");
	like($error, qr/ERROR:  LRK05/, "pieces that were $what are told");
}
is(read_all($odd), $odd->{sha256}, 'and all of it was undone');

# --------------------------------------------------------------- what is refused
my $wrong = arrives(Sari => 'image', { mime_type => 'image/png', size => 900, sha256 => 'ab' x 32 });
ok($shop->wait_bound("SELECT reason = 'wrong_sha256' AND attempts > 0 AND state IN ('wanted', 'fetching') FROM laras.attachments WHERE id = " . id_of($wrong), 30), 'bytes that are not what the provider said are not kept') or diag states();
until_given_up($wrong, 'wrong_sha256');
is($shop->bound("SELECT count(*) FROM laras.notices WHERE kind = 'media_failed'"), 1, 'the owner is told once');
is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'media.refused'"), 1, 'with evidence');
is($stage->sql("SELECT count(*) FROM laras.media_chunk WHERE media_id = $wrong->{row}"), 0, 'and no piece is left');
is($shop->bound("SELECT laras.fetch_media($odd->{row})"), 'f', 'what is stored is not fetched again');
$sandbox->control(POST => 'media', { id => $wrong->{id}, sha256 => Digest::SHA::sha256_hex(made(900)) });
is($shop->bound("SELECT laras.fetch_media($wrong->{row})"), 't', 'what failed is, where somebody asks');
stored($wrong, 'and comes then');

my $gone = arrives(Sari => 'image', { mime_type => 'image/png', size => 10, expired => JSON::PP::true });
ok($shop->wait_bound("SELECT state = 'gone' AND reason = 'id_expired' FROM laras.attachments WHERE id = " . id_of($gone), 30), 'what the provider no longer has is gone') or diag states();
my $foreign = arrives(Sari => 'image', { mime_type => 'image/png', size => 10, redirect => 'https://evil.example/x' });
ok($shop->wait_bound("SELECT state = 'refused' AND reason = 'foreign_host' FROM laras.attachments WHERE id = " . id_of($foreign), 30), 'a redirect to a host that is not the provider\'s is not followed') or diag states();
my $behind = $sandbox->control(POST => 'media', { mime_type => 'image/png', size => 10, seed => 3, open => JSON::PP::true });
my $led = arrives(Sari => 'image', { mime_type => 'image/png', size => 10, seed => 3, redirect => $behind->{url} });
stored($led, 'one to a host of the provider is');

# a link that expires between the two requests is asked for once more
$sandbox->fault(match => { path => '_media' }, action => 'http_error', http_status => 404, times => 1);
my $late = arrives(Sari => 'image', { mime_type => 'image/png', size => 50 });
stored($late, 'an expired link is asked for anew');
is($sandbox->control(POST => 'media', { id => $late->{id} })->{links}, 2, 'by its id');
is(field($late, 'attempts'), 0, 'in the same try');

# cut off, slow, refused: tried again
for my $case ([ 'reset_mid_answer' ], [ 'hang' ], [ 'http_error', http_status => 500 ])
{
	my ($action, %more) = @$case;
	$sandbox->fault(match => { path => '_media' }, action => $action, times => 1, %more);
	my $media = arrives(Sari => 'document', { mime_type => 'application/pdf', size => 3 * $big });
	ok($shop->wait_bound("SELECT attempts = 1 AND state IN ('wanted', 'fetching') FROM laras.attachments WHERE id = " . id_of($media), 40), "$action: a try came to nothing") or diag states();
	is($stage->sql("SELECT count(*) FROM laras.media_chunk WHERE media_id = $media->{row}"), 0, "$action: and leaves no piece");
	$stage->sql("SELECT laras.advance_clock('1 minute')");
	stored($media, "$action: the next one brings it");
	is(read_all($media), $media->{sha256}, "$action: whole");
}

# ---------------------------------------------------------------------- quota
my $used = $shop->bound('SELECT sum(bytes) FROM laras.stat_media');
$stage->sql("SELECT laras.set_media_quota($shop->{workspace}, $used + 1000)");
my $much = arrives(Sari => 'image', { mime_type => 'image/png', size => 1001 });
ok($shop->wait_bound("SELECT state = 'over_quota' FROM laras.attachments WHERE id = " . id_of($much), 30), 'what is over the quota stands so') or diag states();
is($shop->bound("SELECT count(*) FROM laras.notices WHERE kind = 'media_over_quota'"), 1, 'the owner is told');
my $fits = arrives(Sari => 'image', { mime_type => 'image/png', size => 1000 });
stored($fits, 'what fits is fetched');
my $secretly = arrives(Sari => 'image', { mime_type => 'image/png', size => 5, unsized => JSON::PP::true });
ok($shop->wait_bound("SELECT state = 'over_quota' FROM laras.attachments WHERE id = " . id_of($secretly), 30), 'then there is no room') or diag states();
$stage->sql("SELECT laras.set_media_quota($shop->{workspace}, NULL)");
is($shop->bound("SELECT laras.fetch_media($much->{row})"), 't', 'with room again it is fetched where somebody asks');
stored($much, 'and comes');
is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'workspace.setting_set'"), 2, 'quotas leave evidence');

# ------------------------------------------------------- unsent, cut, erased
my $regretted = arrives(Sari => 'image', { mime_type => 'image/png', size => $big + 5 });
stored($regretted, 'one more');
says_raw('Sari', { type => 'revoke', revoke => { original_message_id => $regretted->{wamid} } });
ok($shop->wait_bound("SELECT count(*) = 0 FROM laras.attachments WHERE id = $regretted->{row}", 30), 'what is unsent goes') or diag $shop->bound("SELECT kind, unsent_at FROM laras.messages ORDER BY id DESC LIMIT 3");
is($stage->sql("SELECT count(*) FROM laras.media_chunk WHERE media_id = $regretted->{row}"), 0, 'with its bytes');

my $rina = arrives(Rina => 'image', { mime_type => 'image/png', size => $big + 5 });
stored($rina, 'Rina sends one');
my $contact = field($rina, 'contact_id');
$stage->sql("SELECT laras.pause_workers('keeper')");
like($shop->bound("SELECT string_agg(table_name || '=' || row_count, ' ' ORDER BY table_name) FROM laras.explain_erasure('contact', '{\"contact_id\": \"$contact\"}') WHERE table_name LIKE 'media%'"), qr/^media=1 media_chunk=2$/, 'the plan of her erasure counts it');
my $code = $shop->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$contact\"}')");
is($shop->bound("SELECT laras.read_media($rina->{row}) IS NULL"), 't', 'her picture is unreadable by that commit');
is(field($rina, "coalesce(mime_type, '-') || coalesce(sha256, '-')"), '--', 'and nothing is said of it');
$stage->sql('SELECT laras.resume_workers()');
ok(wait_for(sub { my (undef, $a) = $stage->call(GET => "/data-deletion/status/$code"); return $a->{state} eq 'removed' }, 30), 'and removed');
is($stage->sql("SELECT (SELECT count(*) FROM laras.media WHERE contact_id = $contact) + (SELECT count(*) FROM laras.media_chunk WHERE media_id = $rina->{row})"), 0, 'with all its pieces');

$stage->sql("SELECT laras.pause_workers('courier')");
my $waiting = arrives(Sari => 'image', { mime_type => 'image/png', size => 10 });
ok($shop->wait_bound("SELECT state = 'fetching' FROM laras.attachments WHERE id = " . id_of($waiting), 30), 'one waits for the courier');
$shop->bound("SELECT laras.disconnect($shop->{connection}, 'cukup')");
is(field($waiting, "state || ' ' || reason"), 'cancelled disconnected', 'the cut cancels it');
$stage->sql('SELECT laras.resume_workers()');
is(read_all($odd), $odd->{sha256}, 'what was fetched stays with its messages');
is($shop->bound("SELECT laras.fetch_media($waiting->{row})"), 'f', 'and nothing more is');
my $all = $shop->bound("SELECT laras.request_erasure('workspace', '{}')");
ok(wait_for_sql($stage->node, "SELECT (SELECT count(*) FROM laras.media WHERE workspace_id = $shop->{workspace}) + (SELECT count(*) FROM laras.media_chunk WHERE workspace_id = $shop->{workspace}) = 0"), 'with the workspace all of it goes');

$stage->stop;
done_testing();

# Bytes as the sandbox makes them up.
sub made
{
	my ($n, $seed) = @_;
	use integer;
	no warnings 'portable';
	my $x = ($seed // 1) * 0x9E3779B97F4A7C15 + 1;
	my $bytes = '';
	for (1 .. $n)
	{
		$x ^= $x << 13;
		$x ^= ($x >> 7) & 0x01FFFFFFFFFFFFFF;
		$x ^= $x << 17;
		$bytes .= chr(($x >> 32) & 255);
	}
	return $bytes;
}

# A person sends media; what the sandbox knows of it, and the id of the message.
sub arrives
{
	my ($name, $kind, $spec, %part) = @_;
	my $media = $sandbox->control(POST => 'media', { number => $number, %$spec });
	$media->{wamid} = says_raw($name, { type => $kind, $kind => { id => $media->{id}, mime_type => $media->{mime_type}, sha256 => $media->{sha256}, %part } });
	return $media;
}

sub says_raw
{
	my ($name, $message) = @_;
	return $sandbox->control(POST => 'customer/message', { number => $number, from => $shop->person($name), name => $name, message => $message, wait => JSON::PP::true })->{id};
}

# The row of it, once the message is in the inbox.
sub id_of
{
	my ($media) = @_;
	return $media->{row} if $media->{row};
	$shop->wait_bound("SELECT count(*) = 1 FROM laras.attachments a JOIN laras.messages m ON m.id = a.message_id WHERE m.provider_message_id = '$media->{wamid}'", 30);
	return $media->{row} = $shop->bound("SELECT a.id FROM laras.attachments a JOIN laras.messages m ON m.id = a.message_id WHERE m.provider_message_id = '$media->{wamid}'");
}

sub field { my ($media, $what) = @_; return $shop->bound("SELECT $what FROM laras.attachments WHERE id = " . id_of($media)); }

sub stored
{
	my ($media, $what) = @_;
	return ok($shop->wait_bound("SELECT state = 'stored' FROM laras.attachments WHERE id = " . id_of($media), 30), $what) || diag states();
}

sub arrives_stored
{
	my $media = arrives(@_);
	stored($media, 'another is fetched');
	return $media;
}

sub fetched
{
	my ($media, %header) = @_;
	id_of($media);
	return ($shop->call(GET => "/api/media/$media->{row}", undef, %header))[2];
}

sub read_all
{
	my ($media) = @_;
	id_of($media);
	return $shop->bound("SELECT encode(sha256(string_agg(laras.read_media($media->{row}, n, 100000), NULL ORDER BY n)), 'hex') FROM generate_series(0, greatest((SELECT size FROM laras.attachments WHERE id = $media->{row}) - 1, 0), 100000) AS n");
}

sub until_given_up
{
	my ($media, $reason) = @_;
	# as after six tries
	ok($shop->wait_bound("SELECT state = 'wanted' FROM laras.attachments WHERE id = $media->{row}", 30), 'it is tried again later');
	$stage->sql("UPDATE laras.media SET attempts = 6 WHERE id = $media->{row}");
	$stage->sql("SELECT laras.advance_clock('1 day')");
	ok($shop->wait_bound("SELECT state = 'failed' FROM laras.attachments WHERE id = $media->{row}", 30), 'after some tries it is given up') or diag states();
	return is(field($media, "reason || ' ' || attempts"), "$reason 7", 'with its reason');
}

# The plans of all statements within a statement, where no table is read whole.
sub plans
{
	my ($query) = @_;
	my ($out, $err) = ('', '');
	$stage->node->psql('postgres', "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_level = notice;
		SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_mergejoin = off; SET enable_hashjoin = off; SET jit = off; BEGIN; $query; ROLLBACK", stdout => \$out, stderr => \$err);
	return $err;
}

sub refusal { my ($query) = @_; return ($stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($shop->{workspace}); $query; COMMIT"))[2]; }

sub states { return $shop->bound("SELECT string_agg(concat_ws(' ', id, kind, state, reason, attempts, size), E'\\n' ORDER BY id) FROM laras.attachments"); }
