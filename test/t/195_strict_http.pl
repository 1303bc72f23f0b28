# What is misspelled, cut off or of another type is refused by every route that takes
# a body, and does nothing: an edited text in the wrong member must not send the
# unedited one. Parameters of the query likewise. The routes are those of the table,
# so that one that is added is tried too.
#
# proves R066 R068

use strict;
use warnings;

use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('strict_http');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my ($status, $answer);
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 8000.1, 9)");
$stage->customer('6281270000001', 'harga kopi tubruk?', name => 'Rina');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.approval_queue WHERE body IS NOT NULL', 30), 'a draft waits');
my $draft = $stage->bound('SELECT id FROM laras.approval_queue');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');

# ---- every route of the table that takes a body
my $table = slurp_file('src/gateway/routes.c');
my @routes;
while ($table =~ /\{\s*"(\w+)",\s*"([^"]+)",\s*LARAS_HTTP_(\w+),\s*laras_http_\w+,\s*(NULL|"[^"]*"),\s*LARAS_BODY_(\w+)(?:,\s*(NULL|"[^"]*"))?(?:,\s*true)?\s*\}/g)
{
	push @routes, { method => $1, path => $2, query => $4, body => $5, members => $6 };
}
is(scalar @routes, () = $table =~ /^\s*\{"/mg, 'every line of the table is read');
my @taking = grep { $_->{method} eq 'POST' && $_->{body} ne 'RAW' } @routes;
cmp_ok(scalar @taking, '>', 18, 'most routes that change something take a JSON object');

# What of the shop's rows could have changed.
sub state
{
	return $stage->bound(q{SELECT md5(concat(
	  (SELECT string_agg(concat(d.id, d.state, d.decided_at, d.message_id), ',' ORDER BY d.id) FROM laras.draft d),
	  (SELECT string_agg(concat(c.id, c.state, c.auto_send), ',' ORDER BY c.id) FROM laras.connection c),
	  (SELECT string_agg(concat(o.id, o.state), ',' ORDER BY o.id) FROM laras.outbox o), (SELECT count(*) FROM laras.message), (SELECT count(*) FROM laras.erasure_request), (SELECT count(*) FROM laras.deletion_list),
	  (SELECT count(*) FROM laras.connection_attempt), (SELECT count(*) FROM laras.courier_task), (SELECT count(*) FROM laras.session), (SELECT count(*) FROM laras.terms_acceptance),
	  (SELECT string_agg(concat(p.channel, p.purposes), ',' ORDER BY p.channel) FROM laras.channel_handling p)))});
}

my $before = state();
for my $route (@taking)
{
	my $path = $route->{path};
	my $id = $path =~ m{/drafts/} ? $draft : $path =~ m{/conversations/} ? $conversation : $path =~ m{/channels/} ? 'whatsapp' : $connection;
	$path =~ s/\{\}/$id/;
	my %member = map { /(\w+):(\w)/ ? ($1 => $2) : () } split / /, $route->{members} =~ s/"//gr;
	my ($first) = sort keys %member;
	my @bad = ('notjson', '[]', '"text"', 'null', '5', '{', '{"text": "x"}', '{"Body": "x"}', '{"reason": "x", "reason": "y"}', '{"zzz": null}', '{} {}', "{}\0", '  ', "\xff");
	push @bad, map { "{\"$first\": $_}" } '5', 'null', '1.5', $member{$first} eq 's' ? ('["x"]', '{"x": 1}', 'true') : ('"x"') if defined $first && $member{$first} ne 'l';
	push @bad, "{\"$first\": \"x\"", "{\"$first\": \"x\"} trailing", "{\"$first\": \"x\", \"zzz\": 1}", "{\"$first\": \"x\", \"$first\": \"x\"}" if defined $first;
	my @wrong;
	for my $body (@bad)
	{
		($status, $answer) = $stage->call(POST => $path, $body, 'Content-Type' => 'application/json');
		my $expected = $route->{body} eq 'PIECES' && $status == 400 ? 400 : 422;
		push @wrong, "$body: $status" if $status != $expected || !ref $answer;
	}
	is("@wrong", '', "POST $route->{path} refuses what is not its body");
	is(($stage->call(POST => "$path?zzz=1", '{}', 'Content-Type' => 'application/json'))[0], 422, 'and a parameter it has not') if $route->{query} ne 'NULL';
}
is(state(), $before, 'and nothing was changed by any of it');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $draft"), 'held', 'the draft waits as before');

# ---- a text that shows nothing
for my $blank ('', '  ', "\n", "\x{200b}", "\x{2060}\x{feff}", "\x{3164}", "\x{ad}\t")
{
	my $shown = join ' ', map { sprintf 'U+%04X', ord } split //, $blank;
	is(($stage->call(POST => "/api/drafts/$draft/approve", { body => $blank }))[0], 422, "no draft is approved in the words \"$shown\"");
	is(($stage->call(POST => "/api/conversations/$conversation/reply", { body => $blank }))[0], 422, 'nor a reply sent');
}
is(state(), $before, 'nothing left');

# ---- what a list is asked by
my %unknown = ('/api/conversations' => [ 'channel=wa', 'channel=', 'channel', 'state=zzz', 'zzz=1', 'Channel=whatsapp', 'channel=whatsapp&channel=telegram', 'state=open%00' ],
	'/api/drafts' => [ 'state=held', 'limit' ], "/api/drafts/$draft" => ['x=1'], '/api/erasures' => ['state=done'], "/api/conversations/$conversation/messages" => ['before=1'],
	'/app/settings/terms' => ['x=1']);
for my $path (sort keys %unknown)
{
	is(($stage->call(GET => "$path?$_"))[0], 422, "$path?$_ is refused") for @{ $unknown{$path} };
}
(undef, $answer) = $stage->call(GET => '/api/conversations?channel=wa');
like($answer->{error}{hint}, qr/^The channels are .*whatsapp/, 'with the channels there are');
(undef, $answer) = $stage->call(GET => '/api/conversations?state=zzz');
is($answer->{error}{hint}, 'The states are open, waiting and closed.', 'and the states');
(undef, $answer) = $stage->call(GET => '/api/conversations?zzz=1');
is($answer->{error}{hint}, 'The parameters are after, limit, channel and state.', 'and the parameters');
is(($stage->call(GET => "/api/conversations?state=open&channel=whatsapp&limit=5&"))[0], 200, 'what is known is answered');
is(($stage->call(GET => '/data-deletion?fbclid=1'))[0], 200, 'a page that others link to takes what they append');

# ---- numbers as people write them
my (undef, undef, $response) = $stage->call(GET => "/api/drafts/$draft");
my ($confidence) = $response->{content} =~ /"confidence":([^,}]+)/;
is($confidence, $stage->bound("SELECT round(confidence::numeric, 6)::float8 FROM laras.drafts WHERE id = $draft"), 'confidence has no more digits than it needs');

# ---- no body, and a right one
is(($stage->call(POST => "/api/drafts/$draft/approve", { body => 'Terima kasih kak' }))[0], 200, 'an edited text is taken');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'Terima kasih kak' AND status IN ('sent', 'delivered')"), 'and that is what was sent');
$stage->customer('6281270000001', 'stok kopi tubruk?', name => 'Rina');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.approval_queue WHERE body IS NOT NULL', 30), 'another draft waits');
$draft = $stage->bound('SELECT id FROM laras.approval_queue');
is(($stage->call(POST => "/api/drafts/$draft/approve"))[0], 200, 'without a body it goes as it stands');
$stage->stop;
done_testing();
