# A customer's question becomes a draft that cites the business's own rows; it
# waits for a person, or goes out by itself where that was allowed; what changed
# under it, or was overtaken, is never sent; without a classifier nothing is.
#
# proves R055 R056 R057 R058 R059 R061 R062 R063 R065 R066 R067 R068 R069 R070

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('answers');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $node = $stage->node;
my $other = $stage->sql(q{SELECT laras.create_workspace('Toko Lain', 'other@shop.example', 'correct horse battery')});
Laras->go_live($stage->node, $other);

# the shop's knowledge, and a row of somebody else that would answer as well
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
	($workspace, 1, 'Kopi Gayo 250 gr', 'Biji sangrai sedang dari Aceh.', 95000, 12),
	($workspace, 2, 'Kopi Toraja 250 gr', 'Biji sangrai gelap.', 105000, 0),
	($workspace, 3, 'Kopi Kintamani 250 gr', 'Rasa jeruk.', NULL, NULL)});
$stage->bound(qq{INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
	($workspace, 10, 'pengiriman', 'id', 'Kami mengirim setiap hari kerja sebelum jam 15.00 dengan JNE, ongkir mulai Rp 9.000.')});
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, price) VALUES ($other, 901, 'Kopi Luwak 250 gr', 777000)}, $other);

sub draft_of
{
	my ($phone, $text) = @_;
	$stage->customer($phone, $text);
	my $quoted = $text =~ s/'/''/gr;
	my $id;
	wait_for(sub {
		$id = $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.messages m ON m.id = d.inbound_message_id WHERE m.body = '$quoted' ORDER BY d.id DESC LIMIT 1");
		return $id ne '' }, 20) or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'));
	return $id;
}
sub state_of { my ($id) = @_; return $stage->bound("SELECT state FROM laras.drafts WHERE id = $id"); }
sub column { my ($id, $what) = @_; return $stage->bound("SELECT $what FROM laras.drafts WHERE id = $id"); }
sub attempt { my ($sql) = @_; my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); $sql; COMMIT"); return ($err // '') . ($out // ''); }
sub texts { return map { $_->{body}{text}{body} // () } grep { $_->{method} eq "POST" && $_->{path} =~ m{/messages$} } $stage->sandbox->ledger; }
sub sent_as { my ($message) = @_; return $stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message", 20); }

# ---- held, cited, approved
my $id = draft_of('628124000001', 'Halo kak, berapa harga kopi gayo?');
is(state_of($id), 'held', 'a draft is held where nobody allowed it to go');
like(column($id, 'body'), qr/95\.000/, 'and gives the price of the row');
is(column($id, "sources->0->>'table' || ' ' || (sources->0->>'id')"), 'catalog_item 1', 'which it cites');
is(column($id, "sources->0->>'version' = (SELECT version::text FROM laras.catalog_item WHERE id = 1)"), 't', 'with its version');
is(column($id, 'verdict || verdict_reasons::text'), 'pass{}', 'it passed the classifier');
is(column($id, 'hold_reasons'), '{auto_send_off}', 'and the reason to wait is named');
is($stage->bound("SELECT count(*) FROM laras.approval_queue WHERE id = $id AND question = 'Halo kak, berapa harga kopi gayo?'"), 1, 'it stands in the queue with the question');
is($stage->sandbox->totals->{messages}{accepted} // 0, 0, 'nothing was sent');
for my $blank ("''", "'   '", "E'\\n'", "E'\\u200b'", "E'\\u2060 \\ufeff'", "E'\\u3164'")
{
	like(attempt("SELECT laras.approve_draft($id, $blank)"), qr/ERROR:  22023: a reply must not be empty/, "a draft is not approved in the words $blank");
	like(attempt("SELECT laras.reply((SELECT conversation_id FROM laras.drafts WHERE id = $id), $blank)"), qr/ERROR:  22023: a reply must not be empty/, 'nor is that a reply');
	like(attempt("SELECT laras.private_reply(1, $blank)"), qr/ERROR:  22023: a reply must not be empty/, 'nor one in private');
}
my $proposed = column($id, 'body');
my $from = $stage->sql('SELECT laras.now()');
my $message = $stage->bound("SELECT laras.approve_draft($id)");
is($stage->bound("SELECT d.decided_by || ' ' || (d.decided_at = x.decided_at) || ' ' || (x.decided_at BETWEEN '$from' AND laras.now()) || ' ' || e.actor || ' ' || (e.at BETWEEN '$from' AND laras.now()) FROM laras.drafts d JOIN laras.draft_decision x ON x.draft_id = d.id "
	  . "JOIN laras.evidence_log e ON e.subject_id = d.id AND e.action = 'draft.approved' WHERE d.id = $id"), 'service true true service true', 'who approved it and when is with the draft, in its decisions and in the evidence');
ok(sent_as($message), 'approved, it is sent') or diag($stage->sql('SELECT state, reason, error_code, attempts, not_before, laras.now() FROM laras.outbox') . $stage->sql('SELECT worker, state, turns, queued, last_error FROM laras.worker_status'));
is(join('|', texts()), $proposed, 'with exactly that text');
is($stage->bound("SELECT laras.approve_draft($id)"), $message, 'approved again it is the same message');
ok($stage->wait_bound("SELECT state = 'sent' FROM laras.drafts WHERE id = $id"), 'the draft says sent');
is(scalar(() = texts()), 1, 'sent once');
is($stage->bound("SELECT string_agg(action, ' ' ORDER BY entry_id) FROM laras.evidence_log WHERE subject_id = $id"), 'draft.created draft.approved', 'both acts are evidence');
is($stage->sql("SELECT act || ' ' || actor FROM laras.draft_decision WHERE draft_id = $id"), 'approved service', 'with who decided');
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $message"), 'and its delivery is confirmed');

# the provider's status may be quicker than its answer, which here never comes
$id = draft_of('628124000030', 'Halo kak, kopi gayo berapa harganya?');
$stage->sandbox->fault(action => 'hang', delay_ms => 60000, match => { route => 'messages', to => '628124000030' });
$message = $stage->bound("SELECT laras.approve_draft($id)");
ok(sent_as($message), 'a message is sent when its status says so');
is(state_of($id), 'sent', 'and so is its draft');

# ---- no ground, no price
$id = draft_of('628124000002', 'harga kopi luwak berapa?');
is(state_of($id), 'held', 'a question about what the shop does not sell is held');
unlike(column($id, "coalesce(body, '')"), qr/\d/, 'without a number, and without a neighbour\'s');
like(column($id, 'hold_reasons'), qr/hand_over|no_ground/, 'for a person');
$id = draft_of('628124000003', 'kopi kintamani harganya berapa?');
unlike(column($id, "regexp_replace(coalesce(body, ''), '250', '')"), qr/\d/, 'an unknown price is not invented');

# ---- a changed row
$id = draft_of('628124000004', 'kopi gayo berapa ya kak?');
$stage->bound('UPDATE laras.catalog_item SET price = 99000 WHERE id = 1');
is(column($id, 'sources_changed'), 't', 'a changed price shows at the draft');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA01.*has changed/s, 'which can no longer be approved');
$stage->bound('UPDATE laras.catalog_item SET price = 95000 WHERE id = 1');
is(column($id, 'sources_changed'), 'f', 'the same content again is the same version');
$stage->bound("UPDATE laras.catalog_item SET state = 'hidden' WHERE id = 1");
$stage->sql('SELECT laras.drain()');
is(state_of($id), 'stale', 'the keeper closes it');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA01/, 'for good');
$stage->bound("UPDATE laras.catalog_item SET state = 'active' WHERE id = 1");
like(attempt("UPDATE laras.catalog_item SET version = 1"), qr/428C9/, 'a version is nobody\'s to set');

# between approval and hand-off
$id = draft_of('628124000005', 'harga gayo brp kak');
$stage->sql("SELECT laras.pause_workers('courier')");
$message = $stage->bound("SELECT laras.approve_draft($id)");
$stage->bound('DELETE FROM laras.policy_text; UPDATE laras.catalog_item SET price = 98000 WHERE id = 1');
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT status = 'cancelled' FROM laras.messages WHERE id = $message"), 'changed between approval and hand-off: not sent');
is(state_of($id), 'stale', 'the draft is stale');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $message AND kind = 'draft_stale'"), 1, 'the owner is told') or diag $stage->bound('SELECT kind FROM laras.notices');

# ---- overtaken
$id = draft_of('628124000006', 'kopi toraja masih ada?');
my $next = draft_of('628124000006', 'oh ya, harga toraja berapa?');
is(state_of($id), 'superseded', 'a newer message supersedes the draft');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA02/, 'which is closed');
is(state_of($next), 'held', 'and the newer one waits');
my $conversation = column($next, 'conversation_id');
$stage->bound("SELECT laras.reply($conversation, 'Sebentar ya kak, saya cek dulu.')");
is(state_of($next), 'superseded', 'so does a person\'s reply');
is($stage->sql("SELECT actor FROM laras.draft_decision WHERE draft_id = $next"), 'service', 'with who did');

# ---- edited, rejected
$id = draft_of('628124000007', 'toraja 250 gr harganya?');
$message = $stage->bound("SELECT laras.approve_draft($id, 'Rp 100.000 khusus hari ini, kak.')");
ok(sent_as($message), 'a person\'s own words are the person\'s to state');
ok((grep { $_ eq 'Rp 100.000 khusus hari ini, kak.' } texts()), 'and are what is sent');
is($stage->sql("SELECT count(DISTINCT v.text_digest) FROM laras.verdict v JOIN laras.draft d ON d.message_id = v.message_id WHERE d.id = $id"), 2, 'under a verdict of their own');
is($stage->sql("SELECT act FROM laras.draft_decision WHERE draft_id = $id"), 'edited', 'recorded as an edit');
is($stage->bound("SELECT laras.approve_draft($id, 'Rp 100.000 khusus hari ini, kak.')"), $message, 'the same words again are the same message');
like(attempt("SELECT laras.approve_draft($id, 'Rp 90.000 saja, kak.')"), qr/LRA02.*approved in other words/s, 'other words are refused: the first were sent');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA02.*approved in other words.*not those of the drafter/s, 'as it stood it is refused too: nobody sees their approval where other words were sent');
$id = draft_of('628124000008', 'toraja berapa?');
$stage->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 1, E' pasti  untung\\n')");
like(attempt("SELECT laras.approve_draft($id, E'PASTI\\n untung')"), qr/22023.*not let through/s, 'a forbidden phrase is blocked in any dress');
like(attempt("SELECT laras.approve_draft($id, U&'p\\00ADasti\\00A0\\2009un\\200Btung')"), qr/22023.*not let through/s, 'whatever blanks and hidden signs it wears');
like(attempt("SELECT laras.approve_draft($id, '')"), qr/22023/, 'nothing is not a reply');
is($stage->bound("SELECT laras.reject_draft($id, 'salah harga')"), 't', 'a draft is rejected');
is($stage->bound("SELECT laras.reject_draft($id)"), 'f', 'once');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA02/, 'and stays so');
like(attempt('SELECT laras.approve_draft(1)'), qr/P0002/, 'no such draft');
like(attempt("SELECT laras.reject_draft($id, repeat('x', 2001))"), qr/22001/, 'a reason has an end');

# ---- two approvals at once
$id = draft_of('628124000009', 'kopi toraja brp harganya');
my @session = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
$_->query_safe("BEGIN; SELECT laras.act_as($workspace)") for @session;
my $first = $session[0]->query_safe("SELECT laras.approve_draft($id)");
$session[1]->query_until(qr/going/, "\\echo going\nSELECT laras.approve_draft($id);\n");
ok(wait_for_sql($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'approve_draft'}), 'the second approval waits for the first');
$session[0]->query_safe('COMMIT');
$session[1]->query_safe('COMMIT');
$_->quit for @session;
is($stage->sql("SELECT count(*) FROM laras.outbox WHERE draft_id = $id"), 1, 'two approvals at once send once');
is($stage->sql("SELECT count(*) FROM laras.draft_decision WHERE draft_id = $id"), 1, 'and are one decision');

# ---- a person takes time over one while the customer writes on
$id = draft_of('628124000020', 'toraja berapa harganya kak?');
my $slow = $node->background_psql('postgres');
$slow->query_safe("BEGIN; SELECT laras.act_as($workspace)");
$message = $slow->query_safe("SELECT laras.approve_draft($id)");
$stage->customer('628124000021', 'kopi toraja ada?');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.approval_queue WHERE question = 'kopi toraja ada?'"), 'others are drafted for meanwhile');
$slow->query_safe('COMMIT');
$slow->quit;
ok(sent_as($message), 'and what was approved is sent');
$id = draft_of('628124000022', 'toraja berapa harganya kakak?');
my $waiting = $node->background_psql('postgres');
$waiting->query_safe("BEGIN; SELECT laras.act_as($workspace)");
$waiting->query_safe("SELECT laras.reject_draft($id)");
my $contact = column($id, 'contact_id');
$conversation = column($id, 'conversation_id');
# as intake would write it, if it had not to wait for the conversation
my $newer = $stage->sql("INSERT INTO laras.message (workspace_id, id, conversation_id, contact_id, connection_id, slot, channel, direction, kind, status, author_kind) "
	. "SELECT v.workspace_id, laras.new_id(), v.id, v.contact_id, v.connection_id, p.slot, v.channel, 'in', 'unsupported', 'received', 'contact' "
	. "FROM laras.conversation v JOIN laras.contact p ON p.id = v.contact_id WHERE v.id = $conversation RETURNING id");
$stage->sql("INSERT INTO laras.draft_wanted (workspace_id, message_id, contact_id) VALUES ($workspace, $newer, $contact)");
$stage->sql('SELECT laras.drain()');
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE inbound_message_id = $newer"), 0, 'while a person is at work in a conversation no draft is made there');
is($stage->sql('SELECT count(*) FROM laras.draft_wanted'), 1, 'the message goes on waiting');
$waiting->query_safe('ROLLBACK');
$waiting->quit;
$stage->sql('SELECT laras.drain()');
is($stage->bound("SELECT state FROM laras.drafts WHERE inbound_message_id = $newer"), 'held', 'and gets one when the person is done');
is(state_of($id), 'superseded', 'which closes the older one');

# ---- a person is quicker
$stage->sql("SELECT laras.pause_workers('keeper')");
$stage->customer('628124000024', 'toraja ada kak? cepat ya');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'toraja ada kak? cepat ya'"), 'a message that the keeper has not seen yet');
$conversation = $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'toraja ada kak? cepat ya'");
$stage->bound("SELECT laras.reply($conversation, 'Ada, kak.')");
$stage->sql("SELECT laras.resume_workers('keeper')");
$stage->sql('SELECT laras.drain()');
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE conversation_id = $conversation") . $stage->sql('SELECT count(*) FROM laras.draft_wanted'), '00', 'and that is answered already gets no draft');

# ---- more waits than one turn takes
$stage->sql("SELECT laras.pause_workers('keeper')");
my $first_words = 'permisi kak mau tanya dulu ya';
$stage->customer('628124000026', $first_words);
$stage->customer(sprintf('6281241%05d', $_), 'ok') for 1 .. 60;
$stage->customer('628124000026', 'kopi toraja 250 gr harganya berapa sih');
my $words = join ', ', map { "'$_'" } $first_words, 'kopi toraja 250 gr harganya berapa sih';
ok($stage->wait_bound("SELECT count(*) = 2 FROM laras.messages WHERE body IN ($words)"), 'two messages of one customer, and many between');
$stage->sql("SELECT laras.resume_workers('keeper')");
$stage->sql("SELECT laras.drain('30 s')");
is($stage->bound("SELECT count(*) || ' ' || min(m.body) || ' ' || bool_and(d.body LIKE '%105.000%') FROM laras.drafts d JOIN laras.messages m ON m.id = d.inbound_message_id WHERE m.body IN ($words)"),
	'1 kopi toraja 250 gr harganya berapa sih true', 'get one draft, for the newer');
is($stage->sql('SELECT count(*) FROM laras.draft_wanted'), 0, 'and nothing is left waiting');

# ---- what is not text
sub picture
{
	my ($phone) = @_;
	return $stage->sandbox->control(POST => 'customer/message', { number => $stage->shop->{number}, from => $phone,
		wait => JSON::PP::true, message => { type => 'image', image => { id => '9001', mime_type => 'image/jpeg', sha256 => 'x' } } });
}
picture('628124000023');
my $of_picture = "SELECT d.id FROM laras.drafts d JOIN laras.messages m ON m.id = d.inbound_message_id JOIN laras.contact_identities i ON i.contact_id = d.contact_id AND i.value = '628124000023' WHERE m.body IS NULL";
ok($stage->wait_bound("SELECT count(*) = 1 FROM ($of_picture AND d.state = 'held' AND d.body IS NULL AND d.hold_reasons @> '{not_text}') d"), 'a picture waits for a person');
$next = $stage->bound($of_picture);
$id = draft_of('628124000023', 'harga kopi toraja ini kak?');
is(state_of($next), 'superseded', 'a text after it closes it');
picture('628124000023');
ok($stage->wait_bound("SELECT state = 'superseded' FROM laras.drafts WHERE id = $id"), 'and a picture after a text closes that');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA02/, 'for good');

# ---- by itself
like(attempt('SELECT laras.set_auto_send(1, true)'), qr/P0002/, 'no such connection');
$stage->bound("SELECT laras.set_auto_send($connection, true)");
is($stage->bound("SELECT auto_send FROM laras.connections WHERE id = $connection"), 't', 'auto-send is on');
$id = draft_of('628124000010', 'Berapa harga kopi Toraja 250 gr?');
ok($stage->wait_bound("SELECT state = 'sent' FROM laras.drafts WHERE id = $id"), 'a grounded draft goes out by itself') or diag(column($id, "state || hold_reasons::text || confidence"));
is($stage->sql("SELECT approved_by FROM laras.outbox WHERE draft_id = $id"), 'auto', 'marked auto');
like(join('|', texts()), qr/105\.000/, 'with the price of the row');
$id = draft_of('628124000011', 'saya mau komplain, barang saya rusak!');
is(state_of($id), 'held', 'a complaint still waits for a person');
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, topic, act, priority) VALUES ($workspace, 1, 'price', 'review', 5)");
$id = draft_of('628124000012', 'harga kopi gayo 250 gr berapa?');
is(state_of($id) . column($id, 'hold_reasons'), 'held{review_rule}', 'a review rule asks for a person');
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, channel, topic, act, minimum_confidence, priority) VALUES ($workspace, 2, 'whatsapp', 'price', 'allow', 0.1, 9)");
$id = draft_of('628124000013', 'harga kopi gayo 250 gr brp?');
ok($stage->wait_bound("SELECT state = 'sent' FROM laras.drafts WHERE id = $id"), 'one of higher priority allows it');

# ---- the classifier away
my $judged = do { $stage->bound("SELECT laras.set_auto_send($connection, false)"); draft_of('628124000025', 'berapa harga kopi gayo 250 gr ya kak?') };
is(column($judged, 'verdict'), 'pass', 'a draft that passed waits');
$node->safe_psql('postgres', 'ALTER SYSTEM SET laras.classifier = off');
$node->reload;
ok(wait_for_sql($node, q{SELECT current_setting('laras.classifier') = 'off'}), 'the classifier is switched off');
my $before = scalar(() = texts());
$id = draft_of('628124000014', 'harga kopi gayo?');
like(state_of($id) . column($id, 'hold_reasons'), qr/held.*classifier_unavailable/, 'every draft is held');
like(attempt("SELECT laras.approve_draft($id)"), qr/LRA03/, 'and none can be approved');
like(attempt("SELECT laras.approve_draft($judged)"), qr/LRA03/, 'not even one that was judged before');
like(attempt("SELECT laras.reply(" . column($id, 'conversation_id') . ", 'halo')"), qr/LRA03/, 'nor a reply be sent');
is(scalar(() = texts()), $before, 'nothing left');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET laras.classifier');
$node->reload;

# ---- nobody is asked, or asked again
is($stage->sql('SELECT count(*) FROM laras.draft_wanted'), 0, 'no message waits for a draft');
is($stage->sql('SELECT count(*) FROM laras.outbox o JOIN laras.verdict v ON v.workspace_id = o.workspace_id AND v.id = o.verdict_id WHERE v.outcome <> $$pass$$'), 0, 'nothing is in the outbox without a verdict that passed');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence holds');
# ------------------------------------------- many messages to one keep no other waiting
{
	my $sandbox = $stage->sandbox;
	my $waba = $sandbox->control(POST => 'waba', { name => 'Toko Lain', subscribe => [ $stage->shop->{app} ] })->{id};
	my $number = $sandbox->control(POST => 'number', { waba_id => $waba, display_phone_number => '+628117770010' })->{id};
	my $token = $sandbox->control(POST => 'token', { app_id => $stage->shop->{app}, waba_id => $waba })->{token};
	$stage->bound(qq(SELECT laras.pair_connection('whatsapp', '{"phone_number_id": "$number", "waba_id": "$waba"}', '$token', false)), $other);
	$stage->sql("SELECT laras.pause_workers('keeper')");
	my $before = $stage->sql('SELECT max(id) FROM laras.draft');
	$sandbox->customer_says($stage->shop, 628_129_900_000 + $_ . q(), "banjir $_", wait => JSON::PP::false) for 1 .. 150;
	ok(wait_for_sql($node, 'SELECT count(*) = 150 FROM laras.draft_wanted', 60), 'a hundred and fifty customers write to one shop');
	$sandbox->customer_says({ number => $number }, '628129911111', 'halo, ada orang?', wait => JSON::PP::true);
	ok(wait_for_sql($node, 'SELECT count(*) = 151 FROM laras.draft_wanted', 60), 'and one to another');
	$stage->sql("SELECT laras.resume_workers('keeper')");
	ok(wait_for_sql($node, 'SELECT count(*) = 0 FROM laras.draft_wanted', 120), 'all are drafted');
	cmp_ok($stage->sql("SELECT count(*) FROM laras.draft WHERE id > $before AND workspace_id = $workspace AND id < (SELECT id FROM laras.draft WHERE workspace_id = $other AND id > $before)"), '<=', 50, 'the one among the first');
	is($stage->sql("SELECT count(*) FROM laras.draft WHERE id > $before"), 151, 'each once');
}
$stage->stop;
done_testing();
