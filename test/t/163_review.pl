# Who is asked before a reply goes: the owner's rules by channel, topic and
# confidence, row by row; what the classifier holds no rule lets through; where
# drafter or classifier fail, that draft waits, nothing is sent, and those beside it
# are not hurt, not even by an error that nobody foresaw; what was queued and then lost its ground is not sent.
#
# proves R059 R063 R065 R066 R067

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('review', faults => 1);
my $node = $stage->node;
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $other = $stage->sql(q{SELECT laras.create_workspace('Toko Lain', 'other@shop.example', 'correct horse battery')});
Laras->go_live($stage->node, $other);
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
	($workspace, 1, 'Kopi Toraja 250 gr', 'Biji sangrai gelap.', 105000, 9), ($workspace, 2, 'Teh Poci', 'Diseduh lama.', 6000, 40)});
$stage->bound(qq{INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
	($workspace, 3, 'jam buka', 'id', 'Kami buka setiap hari jam 07.00 sampai 21.00.'), ($workspace, 4, 'pengiriman', 'id', 'Kami kirim setiap hari kerja.')});
$stage->bound("SELECT laras.set_auto_send($connection, true)");

my $serial = 0;

# A question of somebody new; the draft's id.
sub asks
{
	my ($text) = @_;
	my $phone = sprintf '6281270%06d', ++$serial;
	$stage->customer($phone, $text);
	my $id;
	wait_for(sub {
		$id = $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'");
		return $id ne '' }, 30) or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'));
	return $id;
}
sub what_became { my ($id) = @_; return $stage->bound("SELECT CASE WHEN state IN ('approved', 'sent') THEN 'goes' ELSE state END || ' ' || array_to_string(hold_reasons, ' ') FROM laras.drafts WHERE id = $id") =~ s/ $//r; }
sub requests { return scalar(() = grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} } $stage->sandbox->ledger); }

# ---- rules: channel, topic, act, confidence, priority (d: not given)
my %question = (price => 'Berapa harga kopi Toraja 250 gr?', hours => 'jam buka toko?', unsure => 'Berapa harga 3 kopi Toraja 250 gr?');
for (
	[ 'no rule', [], price => 'goes', hours => 'goes', unsure => 'held low_confidence' ],
	[ 'review all', [ 'd d review d 0' ], price => 'held review_rule', hours => 'held review_rule' ],
	[ 'review a topic', [ 'd price review d 0' ], price => 'held review_rule', hours => 'goes' ],
	[ 'review a channel', [ 'whatsapp d review d 0' ], price => 'held review_rule' ],
	[ 'review another channel', [ 'telegram d review d 0' ], price => 'goes', unsure => 'held low_confidence' ],
	[ 'review a topic on another channel', [ 'telegram price review d 0' ], price => 'goes' ],
	[ 'review below what nothing reaches', [ 'd d review 1 0' ], price => 'held review_rule' ],
	[ 'review below little', [ 'd d review 0.1 0' ], price => 'goes', unsure => 'held low_confidence' ],
	[ 'allow from little on', [ 'd d allow 0.1 0' ], price => 'goes', unsure => 'goes' ],
	[ 'allow from much on', [ 'd price allow 1 0' ], price => 'goes', unsure => 'held low_confidence' ],
	[ 'allow one topic of all that are reviewed', [ 'd d review d 1', 'd price allow d 5' ], price => 'goes', hours => 'held review_rule' ],
	[ 'the higher one asks', [ 'd d review d 5', 'd price allow d 1' ], price => 'held review_rule' ],
	[ 'of two alike the one that asks', [ 'd price allow d 3', 'd d review d 3' ], price => 'held review_rule' ],
)
{
	my ($what, $rules, %expected) = @$_;
	my $values = join ', ', map {
		my ($channel, $topic, $act, $confidence, $priority) = map { $_ eq 'd' ? 'NULL' : /^[0-9.]+$/ ? $_ : "'$_'" } split / /;
		"($workspace, laras.new_id(), $channel, $topic, $act, $confidence, $priority)" } @$rules;
	$stage->bound('DELETE FROM laras.review_rule' . ($values ? "; INSERT INTO laras.review_rule (workspace_id, id, channel, topic, act, minimum_confidence, priority) VALUES $values" : ''));
	is(what_became(asks($question{$_})), $expected{$_}, "$what: $_") for sort keys %expected;
}
$stage->bound('DELETE FROM laras.review_rule');
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, act, priority) VALUES ($other, 1, 'review', 99)", $other);
is(what_became(asks($question{price})), 'goes', "a neighbour's rule says nothing here");

# ---- no rule lets through what the classifier holds
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, act, minimum_confidence, priority) VALUES ($workspace, 1, 'allow', 0, 99)");
$stage->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 1, 'TERAKHIR  kali')");
$stage->bound("UPDATE laras.policy_text SET body = 'Kami kirim untuk terakhir kali.' WHERE id = 4");
is(what_became(asks('bisa kirim hari apa kak?')), 'held forbidden_phrase', 'a forbidden phrase');
is(what_became(asks('saya mau komplain, barang saya rusak')), 'held hand_over', 'a complaint');
$stage->bound('DELETE FROM laras.review_rule; DELETE FROM laras.forbidden_phrase');

# ---- the drafter fails, the classifier fails
sub set_fault
{
	my ($fault) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET laras.fault = '$fault'");
	$node->reload;
	# a turn of the keeper begins with the settings that hold then
	$node->safe_psql('postgres', 'SELECT laras.drain()');
	return;
}
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.messages WHERE status = 'queued'"), 'all that may go has gone');
my $before = requests();
set_fault('answer_judge:error');
my $id = asks($question{price});
is(what_became($id), 'held classifier_unavailable', 'a classifier that raises passes nothing: the draft waits');
like($stage->bound("SELECT body || ' ' || verdict FROM laras.drafts WHERE id = $id"), qr/105\.000.* hold$/, 'with its text, for a person');
is(requests(), $before, 'nothing is sent');
my $good = asks($question{price});
is(what_became($good), 'goes', 'the next one is not hurt');
my $message = $stage->bound("SELECT laras.approve_draft($id)");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered') FROM laras.messages WHERE id = $message"), 'a person may approve it, under a verdict of its own');
is($stage->sql("SELECT count(*) FILTER (WHERE outcome = 'pass') || ' ' || count(*) FROM laras.verdict WHERE message_id = $message"), '1 2', 'which did not exist before');

set_fault('answer_compose:error');
$id = asks($question{hours});
is(what_became($id), 'held drafter_failed', 'a drafter that raises leaves a draft without text');
is($stage->bound("SELECT body IS NULL FROM laras.approval_queue WHERE id = $id"), 't', 'in the queue');
is(what_became(asks($question{hours})), 'goes', 'and the next one is answered');
set_fault('');

# ---- a turn fails as a whole, and so does the first message alone
$stage->sql("SELECT laras.pause_workers('keeper')");
my @together = map { sprintf '6281271%06d', $_ } 1 .. 4;
$stage->customer($_, $question{hours}) for @together;
my $list = join ', ', map { "'$_'" } @together;
ok($stage->wait_bound("SELECT count(*) = 4 FROM laras.inbox i JOIN laras.contact_identities x USING (contact_id) WHERE x.value IN ($list)"), 'four ask at once');
$node->safe_psql('postgres', q{ALTER SYSTEM SET laras.fault = 'answer_store:error,answer_store:error'});
$node->reload;
$stage->sql("SELECT laras.resume_workers('keeper')");
ok($stage->wait_bound("SELECT count(*) = 4 FROM laras.drafts d JOIN laras.contact_identities x USING (contact_id) WHERE x.value IN ($list) AND d.state IN ('approved', 'sent')", 60),
	'a turn that fails does not stop drafting, nor does a message that fails alone');
like($stage->sql("SELECT last_error FROM laras.worker_status WHERE worker = 'keeper'"), qr/answer_store/, 'though both were errors');
set_fault('');

# ---- queued, and then without ground
for ([ 'a price that changed', $question{price}, 'UPDATE laras.catalog_item SET price = price + 1 WHERE id = 1' ],
	[ 'an item that was hidden', $question{price}, q{UPDATE laras.catalog_item SET state = 'hidden' WHERE id = 1}, q{UPDATE laras.catalog_item SET state = 'active' WHERE id = 1} ],
	[ 'a policy that was rewritten', $question{hours}, q{UPDATE laras.policy_text SET body = 'Kami buka jam 08.00.' WHERE id = 3} ],
	[ 'a policy that is gone', $question{hours}, 'DELETE FROM laras.policy_text WHERE id = 3' ])
{
	my ($what, $text, $change, $back) = @$_;
	$stage->sql("SELECT laras.pause_workers('courier')");
	$id = asks($text);
	is(what_became($id), 'goes', "$what: approved by itself");
	$message = $stage->bound("SELECT message_id FROM laras.drafts WHERE id = $id");
	$before = requests();
	$stage->bound($change);
	$stage->sql("SELECT laras.resume_workers('courier')");
	ok($stage->wait_bound("SELECT status = 'cancelled' FROM laras.messages WHERE id = $message"), 'not sent');
	is($stage->bound("SELECT state FROM laras.drafts WHERE id = $id") . ' ' . $stage->bound("SELECT kind FROM laras.notices WHERE message_id = $message"), 'stale draft_stale', 'stale, and told');
	is(requests(), $before, 'the provider never heard of it');
	$stage->bound($back) if $back;
}

# ---- what damage a row of the table may have
my $failures = $stage->sql("SELECT failures FROM laras.worker_status WHERE worker = 'keeper'");
$stage->sql("SELECT laras.pause_workers('keeper')");
my ($hurt, $sound) = ('6281270900001', '6281270900002');
$stage->customer($_, $question{price}) for $hurt, $sound;
ok($stage->wait_bound("SELECT count(*) = 2 FROM laras.inbox i JOIN laras.contact_identities x USING (contact_id) WHERE x.value IN ('$hurt', '$sound')"), 'two ask');
$stage->sql('UPDATE laras.message m SET body = (SELECT o.body FROM laras.message o WHERE o.id <> m.id AND o.body IS NOT NULL LIMIT 1) WHERE id = '
	. $stage->bound("SELECT m.id FROM laras.messages m JOIN laras.contact_identities x USING (contact_id) WHERE x.value = '$hurt'"));
$stage->sql("SELECT laras.resume_workers('keeper')");
my $of = sub { my ($phone) = @_; return $stage->sql("SELECT d.id FROM laras.draft d WHERE d.contact_id = " . $stage->bound("SELECT contact_id FROM laras.contact_identities WHERE value = '$phone'")); };
ok(wait_for(sub { return $of->($hurt) ne '' && $of->($sound) ne '' }), 'both get a draft');
like(what_became($of->($hurt)), qr/^held damaged/, 'of a message that does not open, one that says so');
is(what_became($of->($sound)), 'goes', 'the other one is answered');
is($stage->sql("SELECT failures FROM laras.worker_status WHERE worker = 'keeper'"), $failures, 'the keeper was not disturbed');
is($stage->sql(q{SELECT count(*) FROM laras.outbox o JOIN laras.verdict v ON v.workspace_id = o.workspace_id AND v.id = o.verdict_id WHERE v.outcome <> 'pass'}), 0, 'nothing was ever queued without a verdict that passed');
is($stage->sql(q{SELECT count(*) FROM laras.draft d WHERE decided_by = 'auto' AND NOT EXISTS (SELECT FROM laras.draft_decision c WHERE c.draft_id = d.id AND c.act = 'auto_sent' AND c.actor = 'auto')}), 0, 'each that went by itself says so');

# ---- nobody waits for the drafter
set_fault('answer_compose:sleep:8000');
my $slow = '6281272000001';
$before = requests();
$stage->customer($slow, $question{price});
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'laras keeper' AND xact_start < clock_timestamp() - interval '0.5 s'}), 'a drafter takes its time');
my $contact = $stage->bound("SELECT contact_id FROM laras.contact_identities WHERE value = '$slow'");
for ([ 'a price is changed', 'UPDATE laras.catalog_item SET price = 1 WHERE id = 1' ], [ 'auto-send is switched', "SELECT laras.set_auto_send($connection, true)" ],
	[ 'the customer is erased', "SELECT laras.request_erasure('contact', '{\"contact_id\": \"$contact\"}')" ], [ 'the connection is cut', "SELECT laras.disconnect($connection)" ])
{
	my ($what, $sql) = @$_;
	my ($code, undef, $error) = $node->psql('postgres', "SET lock_timeout = '3s'; BEGIN; SELECT laras.act_as($workspace); $sql; COMMIT", on_error_stop => 1);
	is("$code $error", '0 ', "meanwhile $what");
}
set_fault('');
is($stage->sql("SELECT count(*) FROM laras.draft WHERE contact_id = $contact"), 0, 'and what it made is not kept');
is(requests(), $before, 'nor sent');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence holds');
$stage->stop;
done_testing();
