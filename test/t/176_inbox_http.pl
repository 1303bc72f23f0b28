# The inbox over HTTP: conversations, messages and drafts page by page, nothing
# twice and nothing left out; drafts edited, rejected, gone stale; a person's answer;
# erasure asked for. Who may not is told so, and other workspaces' rows are not there.
#
# proves R066 R068

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('inbox_http');
my $connection = $stage->connect;
my ($workspace, $yes) = ($stage->workspace, JSON::PP::true);
my ($status, $answer);
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 8000, 9)");
my %phone = map { sprintf('Pelanggan %d', $_) => sprintf('62812700%05d', $_) } 1 .. 5;
for my $name (sort keys %phone)
{
	$stage->customer($phone{$name}, "Kopi Tubruk berapa?", name => $name);
	$stage->customer($phone{$name}, "Ini $name");
}
ok($stage->wait_bound('SELECT count(*) = 10 FROM laras.messages'), 'five customers wrote twice each');
ok($stage->wait_bound("SELECT count(*) = 5 FROM laras.approval_queue WHERE body IS NOT NULL OR question LIKE 'Ini%'", 30), 'what each wrote last is drafted for');

# Every page of a list, by its cursor.
sub pages
{
	my ($path, $name, $limit) = @_;
	my (@all, $next);
	for (1 .. 50)
	{
		my (undef, $page) = $stage->call(GET => "$path?limit=$limit" . (defined $next ? "&after=$next" : ''));
		push @all, map { $_->{id} } @{ $page->{$name} };
		cmp_ok(scalar @{ $page->{$name} }, '<=', $limit, "$name: a page has at most $limit") if @{ $page->{$name} } > $limit;
		$next = $page->{next} // last;
	}
	return "@all";
}

# ---- lists
my $conversations = $stage->bound("SELECT string_agg(id::text, ' ' ORDER BY last_message_at DESC, id DESC) FROM laras.conversations");
is(pages('/api/conversations', 'conversations', $_), $conversations, "conversations by $_") for (1, 2, 5, 200);
my ($newest) = split / /, $conversations;
(undef, $answer) = $stage->call(GET => "/api/conversations?channel=whatsapp&state=open&limit=1");
is($answer->{conversations}[0]{contact_name}, 'Pelanggan 5', 'the newest first, with the name of the person');
is($answer->{conversations}[0]{connection_id}, $connection, 'ids are texts');
(undef, $answer) = $stage->call(GET => '/api/conversations?channel=telegram');
is(scalar @{ $answer->{conversations} }, 0, 'of one channel alone');
is(pages("/api/conversations/$newest/messages", 'messages', $_), $stage->bound("SELECT string_agg(id::text, ' ' ORDER BY provider_timestamp DESC, id DESC) FROM laras.messages WHERE conversation_id = $newest"),
	"messages by $_") for (1, 50);
is(pages('/api/drafts', 'drafts', 2), $stage->bound("SELECT string_agg(id::text, ' ' ORDER BY created_at, id) FROM laras.approval_queue"), 'drafts, the longest waiting first');
for my $bad ('limit=0', 'limit=-1', 'limit=x', 'after=7', 'after=.', 'after=1.x', 'after=99999999999999999999.1')
{
	($status, $answer) = $stage->call(GET => "/api/conversations?$bad");
	is("$status $answer->{error}{code}", '422 bad_page', "$bad is no page");
}
(undef, $answer) = $stage->call(GET => "/api/conversations/$newest");
is(join(' ', map { "$_->{purpose}:$_->{reason}" } @{ $answer->{windows} }), 'reply:open', 'a conversation says which windows are open');

# ---- decisions
my @draft = split / /, pages('/api/drafts', 'drafts', 50);
($status, $answer) = $stage->call(POST => "/api/drafts/$draft[0]/approve", { body => 'Terima kasih kak, ditunggu ya' });
is($status, 200, 'a draft is approved in other words');
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered') AND body = 'Terima kasih kak, ditunggu ya' FROM laras.messages WHERE id = $answer->{message_id}"), 'which are sent');
($status, $answer) = $stage->call(POST => "/api/drafts/$draft[0]/approve");
is("$status $answer->{error}{code}", '409 LRA02', 'and who approves it as it stood is told');
($status, $answer) = $stage->call(POST => "/api/drafts/$draft[1]/reject", { reason => 'bukan begitu' });
is("$status $answer->{state} " . ($answer->{already} ? 1 : 0), '200 rejected 0', 'another is rejected');
($status, $answer) = $stage->call(POST => "/api/drafts/$draft[1]/reject");
is("$status " . ($answer->{already} ? 1 : 0), '200 1', 'once');
($status, $answer) = $stage->call(POST => "/api/drafts/$draft[1]/approve");
is("$status $answer->{error}{code}", '409 LRA02', 'and cannot be approved then');
(undef, $answer) = $stage->call(GET => "/api/drafts/$draft[1]");
is($answer->{state}, 'rejected', 'as it says');
($status, $answer) = $stage->call(POST => "/api/drafts/$draft[2]/approve", { body => '' });
is($status, 422, 'an empty text is not approved');
($status, $answer) = $stage->call(POST => "/api/conversations/$newest/reply", { body => 'Halo kak, ada yang bisa dibantu?' });
is($status, 200, 'a person answers');
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered') FROM laras.messages WHERE id = $answer->{message_id}"), 'and is heard');
($status, $answer) = $stage->call(POST => "/api/conversations/$newest/reply", { body => 'x' x 4097 });
like("$status $answer->{error}{code} $answer->{error}{detail}", qr/^422 22023 The classifier gave the reason "too_long"/, 'what is too long is refused, and the answer says why');
is(($stage->call(POST => "/api/conversations/$newest/reply", { text => 'x' }))[0], 422, 'an answer without a body is none');
is(($stage->call(POST => '/api/comments/77/private-reply', { body => 'x' }))[0], 404, 'nor can a comment be answered that is not there');
for my $body ({ enabled => 'yes' }, {}, undef)
{
	is(($stage->call(POST => "/app/settings/integrations/$connection/auto-send", $body))[0], 422, 'auto-send is on or off');
}
is(($stage->call(POST => "/app/settings/integrations/$connection/auto-send", { enabled => $yes }))[0], 200, 'auto-send is switched on');
is($stage->bound("SELECT auto_send FROM laras.connections WHERE id = $connection"), 't', 'and is on');

# ---- erasure
my $contact = $stage->bound("SELECT contact_id FROM laras.conversations WHERE id = $newest");
($status, $answer) = $stage->call(POST => '/api/erasures', { scope => 'contact', subject => { contact_id => $contact } });
is($status, 200, 'erasure is asked for');
like($answer->{url}, qr{^\Q$stage->{url}\E/data-deletion/status/[0-9a-f]{32}$}, 'and seen at a public address');
ok(wait_for(sub { return ($stage->call(GET => "/data-deletion/status/$answer->{confirmation_code}"))[1]{state} eq 'removed' }), 'until it is done');
(undef, $answer) = $stage->call(GET => '/api/erasures');
is("$answer->{erasures}[0]{scope} $answer->{erasures}[0]{state} " . @{ $answer->{erasures} }, 'contact removed 1', 'as the list of requests says');
is(($stage->call(GET => "/api/conversations/$newest/messages"))[0], 404, 'its conversation is gone');
is(($stage->call(POST => '/api/erasures', { scope => 'contact' }))[0], 422, 'a request without a subject is none');
is(($stage->call(POST => '/api/erasures', { scope => 'contact', subject => { contact_id => '77' } }))[0], 404, 'nor one of nobody');

# what the server itself says of rows is not passed on
$stage->sql('CREATE UNIQUE INDEX one_of_each ON laras.erasure_request (scope)');
($status, $answer) = $stage->call(POST => '/api/erasures', { scope => 'contact', subject => { contact_id => $stage->bound('SELECT min(contact_id) FROM laras.conversations') } });
is("$status " . JSON::PP->new->canonical->encode($answer), '409 {"error":{"code":"23505","message":"it contradicts what is there"}}', 'an error of the server that may quote data is a code and no more');
$stage->sql('DROP INDEX laras.one_of_each');

# ---- who may not
my $kept = $stage->bound("SELECT min(id) FROM laras.approval_queue");
my @paths = ([ GET => '/api/conversations' ], [ GET => "/api/conversations/$newest" ], [ GET => "/api/conversations/$newest/messages" ],
	[ POST => "/api/conversations/$newest/reply", { body => 'x' } ], [ POST => '/api/comments/1/private-reply', { body => 'x' } ],
	[ POST => '/api/messages/1/cancel' ], [ POST => '/api/messages/1/settle', { outcome => 'sent' } ],
	[ GET => '/api/drafts' ], [ GET => "/api/drafts/$kept" ], [ POST => "/api/drafts/$kept/approve" ], [ POST => "/api/drafts/$kept/reject" ],
	[ GET => '/api/erasures' ], [ POST => '/api/erasures', { scope => 'contact', subject => { contact_id => '1' } } ],
	[ POST => "/app/settings/integrations/$connection/auto-send", { enabled => $yes } ]);
my $key = $stage->bound("SELECT laras.create_api_key('crm', '{crm}')");
my $theirs = $stage->sql("SELECT laras.create_workspace('Toko Lain', 'other\@shop.example', 'correct horse battery')");
my $other = $stage->bound("SELECT laras.create_api_key('all', '{inbox,erase,connect}')", $theirs);
for my $path (@paths)
{
	my ($method, $at, $body) = @$path;
	local $stage->{cookie};
	is(($stage->call(@$path))[0], 401, "$method $at: signed in alone");
	is(($stage->call(@$path, $body // ($method eq 'POST' ? {} : undef)))[0], 401, "$method $at: with or without a body") if @$path < 3;
	is(($stage->call($method, $at, $body, Authorization => "Bearer $key"))[0], 403, "$method $at: not by any key");
	($status, $answer) = $stage->call($method, $at, $body, Authorization => "Bearer $other");
	like($status . ' ' . (ref $answer->{conversations} || ref $answer->{drafts} || ref $answer->{erasures} ? join ',', map { ref ? @$_ : () } values %$answer : ''), qr/^(?:404|200) $/, "$method $at: nothing of another's");
}
{
	is(($stage->call(POST => "/api/drafts/$kept/reject", undef, 'X-Laras-CSRF' => ''))[0], 403, 'a browser must send the header');
	is(($stage->call(DELETE => '/api/conversations'))[0], 405, 'no other method');
}
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE id = $kept AND state = 'held'"), 1, 'the draft is as it was');
$stage->stop;
done_testing();
