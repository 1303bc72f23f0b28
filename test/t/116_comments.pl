# Comments below the business's own posts are inbox items: one conversation a
# person and thread, a draft for each, answered in public or once in private. What
# nobody granted, and what stands below others' posts, is not kept. Our own words
# that come back make no second comment; what is deleted is emptied, what is
# hidden is not answered; a scope is spoken through where it was granted alone.
#
# proves R007 R009 R048 R050 R051 R053 R071 R072 R077 R113

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('comments');
my $sandbox = $stage->sandbox;
my ($message, $error);

# ------------------------------------------------------------------- Instagram
my $shop = Channels->open($stage, 'instagram');
is(($shop->connect)[0], 200, 'an account is connected, comments granted');
my $connection = $shop->connection;
my $post = post($shop);
my $sari = says($shop, $post, Sari => 'berapa harganya kak?');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'berapa harganya kak?'", 30), 'a comment below its post is there');
is($shop->bound("SELECT kind || ' ' || direction || ' ' || (provider_post_id = '$post') || ' ' || (provider_comment_id = '$sari') FROM laras.comments"), 'comment in true true', 'with its post and id');
is($shop->bound("SELECT kind || ' ' || unread FROM laras.inbox"), 'comment 1', 'as an item of the inbox');
is($shop->bound("SELECT count(*) FROM laras.conversations WHERE surface = 'message'"), 0, 'and no direct message');
is($stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'read_post' AND workspace_id = $shop->{workspace}"), 1, 'whose post it is the provider was asked');
my $second = says($shop, $post, Budi => 'ada warna biru?', parent => $sari);
says($shop, $post, Sari => 'yang merah ada?', parent => $sari);
says($shop, $post, Sari => 'ongkirnya berapa?');
ok($shop->wait_bound('SELECT count(*) = 4 FROM laras.comments'), 'more of them');
is($stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'read_post' AND workspace_id = $shop->{workspace}"), 1, 'it is asked once');
is($shop->bound("SELECT string_agg(n::text, ' ' ORDER BY n) FROM (SELECT count(*) AS n FROM laras.comments GROUP BY conversation_id) c"), '1 1 2', 'one conversation a person and thread');
is($shop->bound("SELECT t.body FROM laras.comments c JOIN laras.comments t ON t.id = c.about_message_id WHERE c.body = 'ada warna biru?'"), 'berapa harganya kak?', 'which knows what it answers');
ok($shop->wait_bound("SELECT count(*) = 3 FROM laras.drafts WHERE state = 'held'"), 'each thread has its draft');

# others' posts, and no grant
my $foreign = post($shop, foreign => JSON::PP::true);
says($shop, $foreign, Sari => 'rahasia orang lain');
ok(ignored('comment_on_foreign_post', 1), "what stands below another's post is counted");
is($shop->bound("SELECT count(*) FROM laras.comments WHERE body = 'rahasia orang lain'"), 0, 'and not kept');
my $deaf = Channels->open($stage, 'instagram');
is(($deaf->connect(permissions => 'instagram_business_basic,instagram_business_manage_messages'))[0], 200, 'an account whose comments were not granted');
says($deaf, post($deaf), Sari => 'tidak boleh dibaca');
ok(ignored('comment_not_authorised', 1), 'hears none');
is($deaf->bound('SELECT count(*) FROM laras.comments') . $stage->sql("SELECT count(*) FROM laras.quarantined_event WHERE workspace_id = $deaf->{workspace}"), '00', 'nor keeps any');

# ------------------------------------------------------------- public answers
$message = $shop->bound('SELECT laras.reply(' . thread('berapa harganya kak?') . ", 'Rp15.000 kak', pg_catalog.jsonb_build_object('comment_id', " . comment('berapa harganya kak?') . '))');
is(ends($shop, $message), 'sent  1', 'a public answer is sent');
is($shop->bound("SELECT kind || ' ' || surface || ' ' || (about_message_id = " . comment('berapa harganya kak?') . ") FROM laras.messages m JOIN laras.conversations v ON v.id = m.conversation_id WHERE m.id = $message"), 'comment comment true', 'below the comment that was meant');
drained();
is($shop->bound("SELECT count(*) FROM laras.comments WHERE direction = 'out'"), 1, 'and is one comment, though it came back');
is($shop->bound("SELECT count(*) FROM laras.drafts WHERE inbound_message_id = $message"), 0, 'that nobody answers');
for my $action (qw(close_unanswered none))
{
	$sandbox->fault(match => { path => '/replies' }, action => $action, $action eq 'none' ? (delay_ms => 1500) : (accept => JSON::PP::true));
	$message = $shop->bound('SELECT laras.reply(' . thread('ada warna biru?') . ", 'ada, $action')");
	is(ends($shop, $message), 'sent  1', "$action: what comes back settles it");
	is($stage->sql("SELECT resolved_by FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $message"), 'echo', "$action: which is written down");
}
drained();
is($shop->bound("SELECT count(*) || ' ' || count(DISTINCT provider_comment_id) FROM laras.comments WHERE direction = 'out'"), '3 3', 'each is one comment');
is($shop->bound("SELECT count(*) FROM pg_proc p WHERE pronamespace = 'laras'::regnamespace AND proname ~ 'publish|create_post|post_media'"), 0, 'nothing else can be posted');

# ------------------------------------------------------------ private answers
my $asked = comment('ada warna biru?');
my $answer = $shop->bound("SELECT laras.private_reply($asked, 'Halo Budi, kami kirim katalognya')");
is(ends($shop, $answer), 'sent  1', 'a private answer is sent');
is($shop->bound("SELECT comment_id = $asked AND message_id = $answer AND status = 'sent' AND tries = 1 FROM laras.private_replies"), 't', 'and logged');
is($shop->bound("SELECT private_reply_id FROM laras.comments WHERE id = $asked"), $answer, 'with the comment');
is($shop->bound("SELECT v.surface FROM laras.conversations v JOIN laras.messages m ON m.conversation_id = v.id WHERE m.id = $answer"), 'message', 'as a direct message');
like(fails($shop, "SELECT laras.private_reply($asked, 'sekali lagi')"), qr/answered in private already/, 'once');
is($shop->bound("SELECT string_agg(w.purpose || ' ' || w.reason, ', ' ORDER BY w.purpose) FROM laras.conversation_windows w WHERE w.conversation_id = " . thread('ada warna biru?')), 'private_reply window_used, public_reply open', 'as is shown beforehand');
is(ends($shop, $shop->bound("SELECT laras.reply((SELECT conversation_id FROM laras.messages WHERE id = $answer), 'dan satu lagi')")), 'refused never_wrote 0', 'it opens no window');
$shop->says(Budi => 'terima kasih');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages m JOIN laras.messages a USING (conversation_id) WHERE m.body = 'terima kasih' AND a.id = $answer"), 'what the person answers does');
is(ends($shop, $shop->bound("SELECT laras.reply((SELECT conversation_id FROM laras.messages WHERE id = $answer), 'sama-sama')")), 'sent  1', 'there');
# one that certainly was not sent may be followed by another
my $late = comment('ongkirnya berapa?');
$sandbox->fault(match => { route => 'messages' }, action => 'refuse', code => 100);
is(ends($shop, $shop->bound("SELECT laras.private_reply($late, 'gratis')")), 'refused provider_refused 1', 'one that the provider refuses');
is(ends($shop, $shop->bound("SELECT laras.private_reply($late, 'gratis ongkir')")), 'sent  1', 'may be tried again');
is($shop->bound("SELECT tries FROM laras.private_replies WHERE comment_id = $late"), 2, 'and the log says so');
is($shop->bound("SELECT count(*) FROM laras.private_replies"), 2, 'one row a comment');

# a thread's draft knows the thread alone: not what the same person said in private, nor other threads
$shop->says(Sari => 'alamat rumah saya Jalan Melati 77');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'alamat rumah saya Jalan Melati 77'"), 'somebody who comments writes in private too');
is(($stage->node->psql('postgres', "SET ROLE laras_dba; SELECT laras.configure_llm($shop->{workspace}, '" . $sandbox->url . "/v1/chat/completions', 'good', 'sk-1', '{}')"))[0], 0, 'a language model drafts');
says($shop, $post, Sari => 'kopi itu masih ada?', parent => $sari);
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.llm_calls c JOIN laras.comments m ON m.id = c.inbound_message_id WHERE m.body = 'kopi itu masih ada?' AND c.prompt IS NOT NULL", 60), 'for the next comment in public') or diag $stage->sql('SELECT state, reason FROM laras.llm_call');
my $prompt = $shop->bound("SELECT c.prompt FROM laras.llm_calls c JOIN laras.comments m ON m.id = c.inbound_message_id WHERE m.body = 'kopi itu masih ada?' LIMIT 1");
like($prompt, qr/kopi itu masih ada/, 'it is told the comment');
unlike($prompt, qr/Melati|ongkirnya berapa|ada warna biru/, 'and nothing that was said in private or in another thread');
is($shop->bound("SELECT count(*) FROM laras.drafts d JOIN laras.comments m ON m.id = d.inbound_message_id WHERE d.body ~ 'Melati'"), 0, 'nor does any draft of a thread say it');
is(($stage->node->psql('postgres', "SET ROLE laras_dba; SELECT laras.configure_llm($shop->{workspace}, '" . $sandbox->url . q{/v1/chat/completions', 'good', 'sk-1', '{"enabled": false}')}))[0], 0, 'the model goes');

# ------------------------------------------------------------------------ live
my $live = post($shop, live => JSON::PP::true);
says($shop, $live, Tono => 'mau dong');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE kind = 'live_comment'", 30), 'a comment during a broadcast');
is(ends($shop, $shop->bound('SELECT laras.reply(' . thread('mau dong') . ", 'siap')")), 'refused window_not_enabled 0', 'takes no answer in public');
is(ends($shop, $shop->bound('SELECT laras.private_reply(' . comment('mau dong') . ", 'siap kak')")), 'sent  1', 'but one in private');

# ---------------------------------------------------------------------- scopes
$stage->sql("UPDATE laras.connection SET scopes = array_remove(scopes, 'instagram_business_manage_comments') WHERE id = $connection");
my @before = $sandbox->ledger;
is(ends($shop, $shop->bound('SELECT laras.reply(' . thread('berapa harganya kak?') . ", 'tanpa izin')")), 'refused scope_missing 0', 'without its scope nothing is said in public');
is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'scope.refused'"), 1, 'with evidence');
is(scalar(my @after = $sandbox->ledger), scalar(@before), 'and the provider is not asked');
$stage->sql("UPDATE laras.connection SET scopes = '{instagram_business_basic,instagram_business_manage_comments}' WHERE id = $connection");
is(ends($shop, $shop->bound("SELECT laras.reply((SELECT conversation_id FROM laras.messages WHERE id = $answer), 'tanpa izin')")), 'refused scope_missing 0', "nor by a comment's scope to a person");
is(ends($shop, $shop->bound('SELECT laras.reply(' . thread('berapa harganya kak?') . ", 'dengan izin')")), 'sent  1', 'but where it was granted');
$stage->sql("UPDATE laras.connection SET scopes = '{instagram_business_basic,instagram_business_manage_messages,instagram_business_manage_comments}' WHERE id = $connection");

# ----------------------------------------------------------------- seven days
my $old = says($shop, $post, Wati => 'masih ada?');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'masih ada?'"), 'a comment');
$sandbox->advance(7 * 86400);
$stage->sql("SELECT laras.advance_clock('7 days')");
is(ends($shop, $shop->bound('SELECT laras.private_reply(' . comment('masih ada?') . ", 'masih')")), 'refused window_closed 0', 'seven days later takes no private answer');
is(ends($shop, $shop->bound('SELECT laras.reply(' . thread('masih ada?') . ", 'masih')")), 'sent  1', 'but a public one');

# ------------------------------------------------------------------- mentions
# the event has ids alone: it is in the inbox at once, and its text is asked for
my %reading = (match => { method => 'GET', path => $shop->{account}{number} }, times => 1);
$sandbox->fault(%reading, action => 'http_error', http_status => 503);
my $told = mentioned($shop, name => 'rina', text => '@toko harga tumblernya berapa?');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE kind = 'mention' AND provider_comment_id = '$told->{id}' AND text_state = 'asked' AND body IS NULL"), 'a mention is in the inbox at once, without its text');
is($shop->bound("SELECT unread FROM laras.inbox WHERE conversation_id = (SELECT conversation_id FROM laras.comments WHERE provider_comment_id = '$told->{id}')"), 1, 'as something new');
# the same event once more, as of another second: nobody is made of it
is(event(time + 1, $told), 200, 'it is told twice');
drained();
is($shop->bound("SELECT count(*) || ' ' || (SELECT count(*) FROM laras.contacts c WHERE NOT EXISTS (SELECT 1 FROM laras.contact_identities i WHERE i.contact_id = c.id)) FROM laras.comments WHERE kind = 'mention'"), '1 1', 'and there once, with one person');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = '\@toko harga tumblernya berapa?' AND text_state IS NULL", 60), 'its text follows, though the first try failed') or diag $stage->sql("SELECT state, attempts, result FROM laras.courier_task WHERE kind = 'read_mention'");
is(asked(), 2, 'with as many questions');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.drafts d JOIN laras.comments c ON c.id = d.inbound_message_id WHERE c.provider_comment_id = '$told->{id}'"), 'a draft answers it, as it does a comment');
$message = $shop->bound('SELECT laras.reply(' . thread('@toko harga tumblernya berapa?') . ", 'Rp90.000 kak')");
is(ends($shop, $message), 'sent  1', 'it is answered');
is(join(' ', map { $_->{to} } grep { ($_->{type} // '') eq 'mention_answer' } $sandbox->ledger), $told->{id}, 'where Instagram takes answers to mentions');
my $caption = mentioned($shop, name => 'rina.foto', text => 'pagi di @toko', caption => JSON::PP::true);
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'pagi di \@toko' AND provider_comment_id = '$caption->{media_id}'"), 'so is the text of a caption');
is($shop->bound("SELECT name FROM laras.contacts WHERE id = (SELECT contact_id FROM laras.comments WHERE body = 'pagi di \@toko')"), 'rina.foto', 'with who wrote it');
is($stage->sql("SELECT count(*) FROM laras.draft_wanted w JOIN laras.message m ON m.id = w.message_id WHERE m.kind = 'mention'") . $shop->bound("SELECT count(*) FROM laras.drafts d JOIN laras.comments c ON c.id = d.inbound_message_id WHERE c.body = 'pagi di \@toko'"), '00', 'which speaks of the shop and not to it: nobody drafts for it');
is(event(time + 2, $caption), 200, 'told again');
drained();
is(asked(), 3, 'what has its text is not asked for again');
# what cannot be had ends, and says so
my $lost = mentioned($shop, text => '@toko halo', silent => JSON::PP::true);
$sandbox->control(POST => 'account/mention', { id => $lost->{id}, gone => JSON::PP::true, wait => JSON::PP::true });
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE provider_comment_id = '$lost->{id}' AND text_state = 'gone' AND body IS NULL"), 'one that was taken back is gone');
$sandbox->fault(%reading, action => 'refuse', code => 10);
my $secret = mentioned($shop, text => '@toko psst');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE provider_comment_id = '$secret->{id}' AND text_state = 'not_allowed'"), 'of one that may not be seen the provider says so');
is($shop->bound("SELECT string_agg(code::text, ' ' ORDER BY code) FROM laras.notices WHERE kind = 'mention_unread'"), '10 100', 'the owner is told of both');
is($shop->bound("SELECT string_agg(action || ' ' || n, ', ' ORDER BY action) FROM (SELECT action, count(*) AS n FROM laras.evidence_log WHERE action ~ '^mention' GROUP BY action) e"), 'mention.read 2, mention.unread 2', 'and it is evidence');
is($stage->sql("SELECT count(*) FROM laras.courier_task WHERE kind = 'read_mention' AND state IN ('queued', 'claimed')"), 0, 'nothing is left to ask');
# tasks that end without a word
$stage->sql("SELECT laras.pause_workers('courier')");
my $left = mentioned($shop, text => '@toko masih di sana?');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE provider_comment_id = '$left->{id}' AND text_state = 'asked'"), 'one that nobody asks for any more');
$stage->sql("DELETE FROM laras.courier_task WHERE kind = 'read_mention' AND state = 'queued'");
$stage->sql("SELECT laras.advance_clock('25 hours'); SELECT laras.resume_workers('courier')");
$sandbox->advance(25 * 3600);
drained();
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE provider_comment_id = '$left->{id}' AND text_state = 'failed'"), 'ends after a day');
# who said it is a person whose words can be erased
my $rina = $shop->bound("SELECT contact_id FROM laras.comments WHERE provider_comment_id = '$told->{id}'");
$stage->sql("CREATE TABLE copied AS SELECT id, body FROM laras.message WHERE contact_id = $rina AND direction = 'in'");
is($shop->bound('SELECT count(laras.reveal(body, id, 17::smallint)) FROM copied'), 1, 'its text opens with the key of its writer');
$shop->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$rina\"}')");
ok($stage->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM laras.message WHERE contact_id = $rina"), 'who can be erased');
is($shop->bound('SELECT count(laras.reveal(body, id, 17::smallint)) FROM copied'), 0, 'and then a copy of it opens no more');
$stage->sql('DROP TABLE copied');

# ------------------------------------------------------------------------ Page
my $page = Channels->open($stage, 'messenger');
is(($page->connect)[0], 200, 'a Page whose comments nobody granted');
my $wall = post($page);
says($page, $wall, Sari => 'belum boleh');
ok(ignored('comment_not_authorised', 1, 'messenger'), 'hears none');
my $open = Channels->open($stage, 'messenger');
is(($open->connect(permissions => 'pages_messaging,pages_manage_engagement'))[0], 200, 'one with comments');
$wall = post($open);
my $said = says($open, $wall, Sari => 'buka jam berapa?');
ok($open->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'buka jam berapa?'"), 'hears them');
is($stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'read_post' AND workspace_id = $open->{workspace}"), 0, "whose id says that the post is the Page's");
says($open, post($open, foreign => JSON::PP::true), Sari => 'punya orang');
ok(ignored('comment_on_foreign_post', 1, 'messenger'), "and not what stands below others'");
is(ends($open, $open->bound('SELECT laras.reply(' . thread('buka jam berapa?', $open) . ", 'jam 8 pagi')")), 'sent  1', 'answered in public');
$sandbox->fault(match => { path => '/comments' }, action => 'close_unanswered', accept => JSON::PP::true);
$message = $open->bound('SELECT laras.reply(' . thread('buka jam berapa?', $open) . ", 'Minggu juga, kak')");
is(ends($open, $message), 'sent  1', 'where the answer was lost what comes back through the feed settles it');
is($stage->sql("SELECT resolved_by FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $message"), 'echo', 'which is written down');
is(ends($open, $open->bound('SELECT laras.private_reply(' . comment('buka jam berapa?', $open) . ", 'jam 8 sampai 5')")), 'sent  1', 'and in private');
drained();
is($open->bound("SELECT count(*) || ' ' || count(DISTINCT provider_comment_id) FROM laras.comments WHERE direction = 'out'"), '2 2', 'each once');
becomes($said, 'hide');
ok($open->wait_bound('SELECT hidden_at IS NOT NULL FROM laras.comments WHERE direction = $$in$$'), 'a comment is hidden');
is(ends($open, $open->bound('SELECT laras.reply(' . thread('buka jam berapa?', $open) . ", 'halo?')")), 'refused comment_hidden 0', 'and takes no answer in public');
becomes($said, 'unhide');
ok($open->wait_bound('SELECT hidden_at IS NULL FROM laras.comments WHERE direction = $$in$$'), 'until it is shown again');
becomes($said, 'edited', 'tutup jam berapa?');
ok($open->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'tutup jam berapa?' AND edited_at IS NOT NULL"), 'its writer edits it');
$stage->sql("SELECT laras.pause_workers('courier')");
$message = $open->bound('SELECT laras.reply(' . thread('tutup jam berapa?', $open) . ", 'jam 5 sore')");
becomes($said, 'remove');
ok($open->wait_bound('SELECT unsent_at IS NOT NULL AND body IS NULL FROM laras.comments WHERE direction = $$in$$'), 'and deletes it: its content goes');
$stage->sql("SELECT laras.resume_workers('courier')");
is(ends($open, $message), 'cancelled comment_gone 0', 'with the answer that had not left');
is($open->bound("SELECT string_agg(DISTINCT action, ' ' ORDER BY action) FROM laras.evidence_log WHERE action ~ '^comment|deleted|edited'"), 'comment.hidden comment.shown message.deleted message.edited', 'all of it is evidence');
is($stage->sql("SELECT count(*) FROM laras.message WHERE workspace_id = $open->{workspace} AND direction = 'in' AND kind <> 'text' AND body IS NOT NULL"), 0, 'no word of it is left');

# --------------------------------------------------------------- end of it all
is($shop->bound("SELECT count(*) FROM laras.messages m JOIN laras.contact_identities i ON i.contact_id = m.contact_id WHERE i.value = '" . $shop->person('Budi') . "'") > 3 ? 1 : 0, 1, 'a person who commented');
my $budi = $shop->bound("SELECT contact_id FROM laras.contact_identities WHERE value = '" . $shop->person('Budi') . "'");
$shop->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$budi\"}')");
ok($stage->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM (SELECT contact_id FROM laras.private_reply UNION ALL SELECT contact_id FROM laras.message UNION ALL SELECT contact_id FROM laras.conversation) t WHERE contact_id = $budi"), 'is erased with every comment and answer');
is($stage->sql("SELECT count(*) > 0 FROM laras.post WHERE connection_id = $connection"), 't', 'posts were known');
$shop->bound("SELECT laras.disconnect($connection)");
is($stage->sql("SELECT count(*) FROM laras.post WHERE connection_id = $connection"), 0, 'and are forgotten with the connection');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($_->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies') for $shop, $open;
$stage->stop;
done_testing();

# --------------------------------------------------------------------- helpers

sub post { my ($who, %more) = @_; return $sandbox->control(POST => 'account/post', { account => $who->{account}{number}, %more })->{id}; }

sub says
{
	my ($who, $below, $name, $text, %more) = @_;
	my $told = $sandbox->control(POST => 'account/comment', { post => $below, from => $who->person($name), name => $name, text => $text, wait => JSON::PP::true, %more });
	die "not told: $text\n" unless $told->{told};
	return $told->{id};
}

# Somebody mentions the account; event: Instagram tells that again; asked: how often texts were asked for.
sub mentioned { my ($who, %what) = @_; return $sandbox->control(POST => 'account/mention', { account => $who->{account}{number}, %what, $what{silent} ? () : (wait => JSON::PP::true) }); }
sub asked { return $stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'read_mention'"); }

sub event
{
	my ($time, $what) = @_;
	my $value = { media_id => $what->{media_id}, $what->{id} eq $what->{media_id} ? () : (comment_id => $what->{id}) };
	return Laras::post_webhook($stage->url, 'instagram', $shop->{account}{secret}, JSON::PP->new->encode({ object => 'instagram', entry => [ { id => $shop->{account}{number}, time => $time, changes => [ { field => 'mentions', value => $value } ] } ] }))->{status};
}

sub becomes { my ($id, $verb, $text) = @_; $sandbox->control(POST => 'account/comment', { id => $id, verb => $verb, defined $text ? (text => $text) : (), wait => JSON::PP::true }); return; }
sub comment { my ($body, $who) = @_; return ($who // $shop)->bound("SELECT id FROM laras.comments WHERE body = '$body'"); }
sub thread { my ($body, $who) = @_; return ($who // $shop)->bound("SELECT conversation_id FROM laras.comments WHERE body = '$body'"); }
sub fails { my ($who, $query) = @_; (undef, undef, my $why) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($who->{workspace}); $query"); return $why; }
sub drained { return $stage->sql("SELECT laras.drain('30 s')") eq 't' || diag $stage->sql('SELECT worker, state, last_error FROM laras.worker_status'); }

# How a message ended: state, reason, and how often the provider was asked.
sub ends
{
	my ($who, $id) = @_;
	$who->wait_bound("SELECT state IN ('sent', 'refused', 'cancelled', 'parked') FROM laras.outbox WHERE message_id = $id", 30);
	return $who->bound("SELECT state || ' ' || coalesce(reason, '') || ' ' || (SELECT count(*) FROM laras.send_attempt a WHERE a.outbox_id = o.id) FROM laras.outbox o WHERE message_id = $id");
}

sub ignored
{
	my ($reason, $n, $channel) = @_;
	my $query = "SELECT coalesce(sum(count), 0) = $n FROM laras.ignored_events WHERE reason = '$reason' AND channel = '" . ($channel // 'instagram') . "'";
	return $stage->node->poll_query_until('postgres', $query) || diag $stage->sql('SELECT * FROM laras.ignored_events');
}
