# Erasing a contact and a workspace: messages, drafts and what was said in deciding
# on them are unreadable by one commit wherever a copy lies (live files, WAL, an
# earlier base backup), rows removed in batches, a neighbour untouched, the raw
# event dead with its hour.
#
# proves R014 R073 R121 R214 R234

use strict;
use warnings;

use File::Find ();
use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Sealed;
use Stage;
use Test::More;

my $stage = Stage->new('erasure', crash => 1, init => { allows_streaming => 1 });
my $node = $stage->node;
my $workspace = $stage->workspace;
my $connection = $stage->connect;

my %person = (budi => '6281230001111', sari => '6281230002222');
my %text = (budi => 'info kopi gayo kak, salam dari budi', sari => 'info teh melati kak, salam dari sari');
# what the drafts will say, in no message
my %said = (budi => 'sangrai khas kelinci', sari => 'kuncup dari lembah');
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, description, price) VALUES ($workspace, 1, 'Kopi Gayo', '$said{budi}', 123000), ($workspace, 2, 'Teh Melati', '$said{sari}', 45000)");
for my $name (sort keys %person)
{
	is($stage->webhook($person{$name}, $text{$name}, name => ucfirst $name)->{status}, 200, "$name writes");
}
ok($stage->wait_bound('SELECT count(*) = 2 FROM laras.messages'), 'both are in the inbox');
my %contact = map { $_ => $stage->bound("SELECT contact_id FROM laras.messages WHERE body = '$text{$_}'") } keys %person;
my %message = map { $_ => $stage->bound("SELECT id FROM laras.messages WHERE body = '$text{$_}'") } keys %person;
my %draft;
for my $name (sort keys %person)
{
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE inbound_message_id = $message{$name} AND body LIKE '%$said{$name}%'"), "a draft for $name") or diag $stage->bound('SELECT * FROM laras.drafts');
	$draft{$name} = $stage->bound("SELECT id FROM laras.drafts WHERE inbound_message_id = $message{$name}");
}
is($stage->bound("SELECT laras.reject_draft($draft{budi}, 'budi minta diskon besar')"), 't', 'one is rejected, with a reason that tells of its customer');
my $event = $stage->sql("SELECT workspace_id || ' ' || id FROM laras.webhook_event ORDER BY received_at LIMIT 1");

# what will be looked for: place of each value, and the words in clear
my $shared = $node->basedir . '/sealed_places.sql';
my @wanted = split /\n/, $stage->sql(<<'SQL');
SELECT workspace_id || ' ' || id FROM laras.message
UNION SELECT workspace_id || ' ' || id FROM laras.contact
UNION SELECT workspace_id || ' ' || id FROM laras.contact_identity
UNION SELECT workspace_id || ' ' || id FROM laras.draft
UNION SELECT workspace_id || ' ' || id FROM laras.draft_decision
UNION SELECT workspace_id || ' ' || id FROM laras.webhook_event
UNION SELECT workspace_id || ' ' || connection_id FROM laras.channel_token
UNION SELECT workspace_id || ' ' || id FROM laras.connection
SQL
my $places = Sealed::write_places($node, @wanted);
$stage->sql('CHECKPOINT');
$node->backup('before');

my $found = scan('before anything is erased', $node->data_dir, $node->backup_dir . '/before');
for my $name (sort keys %person)
{
	ok($found->{text} =~ /\Q$text{$name}\E/, "the scan finds what $name wrote");
	ok($found->{lines} =~ /^opens 1 12 .*\Q$said{$name}\E/m, 'and the draft of the answer');
}
ok($found->{lines} =~ /^opens 1 25 .*minta diskon/m, 'and the reason of the rejection');
ok($found->{text} =~ /\Q$stage->{shop}{token}\E|EAA/, 'and the token') or diag substr $found->{text}, 0, 500;

# nothing of it lies there in clear
my $clear = '';
File::Find::find({ no_chdir => 1, wanted => sub {
	return unless -f;
	my $bytes = slurp_file($_);
	$clear .= "$_ " if grep { index($bytes, $_) >= 0 } values %text, values %person, 'minta diskon besar';
	$clear .= "$_ " if $bytes =~ /EAAG[A-Za-z0-9]{24}/;
} }, $node->data_dir . '/base', $node->data_dir . '/pg_wal');
is($clear, '', 'no text, number or token lies in a table, an index or WAL in clear');
is($stage->sql("SELECT get_byte(t, 0) || ' ' || get_byte(t, 1) FROM (SELECT laras.sealed_send(token) AS t FROM laras.channel_token) s"), '1 2',
	'the token is sealed for the courier (AES-256-GCM, nonce of 12 bytes, tag of 16)');

# -------------------------------------------------------------- one contact
my $before = JSON::PP->new->canonical->encode({ rows() });
my $plan = $stage->bound("SELECT string_agg(table_name || '=' || row_count, ' ' ORDER BY table_name) FROM laras.explain_erasure('contact', '{\"contact_id\": \"$contact{budi}\"}') WHERE action IN ('delete', 'null') AND row_count > 0");
like($plan, qr/contact=1.*message=1/, 'the plan counts rows') or diag $plan;
my ($rc, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.request_erasure('contact', '{\"contact_id\": \"1\"}'); COMMIT");
like($error, qr/no such contact/, 'an unknown contact is refused');
($rc, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.request_erasure('everything', '{}'); COMMIT");
like($error, qr/scope must be/, 'and an unknown scope');
for my $case ([ 'workspace', '{"contact_id": "4711"}' ], [ 'workspace', '[]' ], [ 'contact', '{}' ], [ 'contact', '{"contact_id": "abc"}' ],
	[ 'contact', '{"contact_id": "1", "also": 2}' ], [ 'connection', '{"contact_id": "1"}' ])
{
	($rc, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.request_erasure('$case->[0]', '$case->[1]'); COMMIT");
	like($error, qr/ERROR:  22023: the subject does not fit the scope "$case->[0]".*HINT/s, "scope $case->[0] refuses $case->[1]");
}
is($stage->sql("SELECT state FROM laras.workspace WHERE workspace_id = $workspace"), 'active', 'and nothing is erased by a slip');

# rolled back, nothing happens
$stage->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$contact{budi}\"}'); ROLLBACK; BEGIN; SELECT 1");
is($stage->bound("SELECT body FROM laras.messages WHERE id = $message{budi}"), $text{budi}, 'a rolled-back request erases nothing');

$stage->sql("SELECT laras.pause_workers('keeper')");
my $code = $stage->bound("SELECT laras.request_erasure('contact', '{\"identity\": {\"channel\": \"whatsapp\", \"kind\": \"wa_id\", \"value\": \"$person{budi}\"}}')");
like($code, qr/^[0-9a-f]{32}$/, 'the request is accepted with a code');
is($stage->bound("SELECT count(*) || ' ' || count(body) FROM laras.messages WHERE id = $message{budi}"), '1 0', 'the row is there and unreadable at once');
is($stage->bound("SELECT body FROM laras.messages WHERE id = $message{sari}"), $text{sari}, "the neighbour's opens");
my ($status, $answer) = $stage->call(GET => "/data-deletion/status/$code");
is("$status $answer->{state}", '200 unreadable', 'the code says unreadable');
is($stage->sql("SELECT DISTINCT laras.key_state(slot) FROM laras.key_destruction WHERE reason = 1"), 'destroyed', 'the key is destroyed');

$found = scan('after the commit, before any row is removed', $node->data_dir, $node->backup_dir . '/before');
is(scalar(() = $found->{lines} =~ /^opens 1 (?!8 )\d+ .*\Q$text{budi}\E/mg), 0, 'no sealed value of the erased person opens anywhere');
is(scalar(() = $found->{lines} =~ /^opens 1 12 .*\Q$said{budi}\E/mg), 0, 'neither does the draft of an answer to that person');
unlike($found->{lines}, qr/^opens 1 25 /m, 'nor what was said in rejecting it');
ok($found->{lines} =~ /^opens 1 12 .*\Q$said{sari}\E/m, "the neighbour's draft opens");
is($stage->bound("SELECT count(*) || ' ' || count(body) FROM laras.drafts WHERE id = $draft{budi}"), '1 0', 'the row of the draft is there, and says nothing');
ok($found->{lines} =~ /^opens 1 8 .*\Q$text{budi}\E/m, 'but the raw event that brought it, until its hour is over') or diag substr $found->{lines}, 0, 2000;
ok($found->{lines} =~ /^opens 1 17 .*\Q$text{sari}\E/m, "the neighbour's message opens");

$stage->sql("SELECT laras.resume_workers('keeper')");
ok(wait_for(sub { my (undef, $a) = $stage->call(GET => "/data-deletion/status/$code"); return $a->{state} eq 'removed' }), 'the keeper removes the rows');
is($stage->sql("SELECT (SELECT count(*) FROM laras.contact WHERE id = $contact{budi}) + (SELECT count(*) FROM laras.message WHERE contact_id = $contact{budi}) "
	  . "+ (SELECT count(*) FROM laras.conversation WHERE contact_id = $contact{budi}) + (SELECT count(*) FROM laras.contact_identity WHERE contact_id = $contact{budi}) "
	  . "+ (SELECT count(*) FROM laras.contact_name_word WHERE contact_id = $contact{budi})"),
	0, 'no row of the person is left');
is($stage->sql("SELECT (SELECT count(*) FROM laras.draft WHERE id = $draft{budi}) + (SELECT count(*) FROM laras.draft_source WHERE draft_id = $draft{budi}) "
	  . "+ (SELECT count(*) FROM laras.draft_decision WHERE draft_id = $draft{budi}) + (SELECT count(*) FROM laras.verdict WHERE contact_id = $contact{budi})"),
	0, 'nor of drafts, citations, decisions and verdicts');
is($stage->bound("SELECT state || ' ' || (body LIKE '%$said{sari}%') FROM laras.drafts"), 'held true', "the neighbour's draft still waits");
is($stage->bound('SELECT count(*) FROM laras.messages'), 1, 'one message stays');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence still verifies');
my $removed = $stage->bound("SELECT string_agg(key || '=' || value, ' ' ORDER BY key) FROM laras.progress_erasure, jsonb_each_text(removed_rows) WHERE scope = 'contact'");
is(join(' ', grep { !/^quarantined/ } split / /, $removed), join(' ', grep { !/identity|name_word/ } split / /, $plan), 'what was removed is what was planned')
  or diag "planned $plan\nremoved $removed";

# the person writes again: a new contact, nothing of the old
is($stage->webhook($person{budi}, 'halo lagi')->{status}, 200, 'the person writes again');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo lagi' AND contact_id <> $contact{budi}"), 'and is a new contact');

# ------------------------------------------------------- the hour of raw events
$stage->sql("SELECT laras.advance_clock('80 hours')");
ok(wait_for(sub {
	my $s = scan(undef, $node->data_dir, $node->backup_dir . '/before');
	return $s->{lines} !~ /^opens 1 8 .*\Q$text{budi}\E/m;
}, 60), 'when the hour is over, the raw event does not open either');

# ---------------------------------------------------------------- disconnect
$stage->sign_in;
($status, $answer) = $stage->call(POST => "/app/settings/integrations/$connection/disconnect", {});
is($status, 200, 'the owner disconnects');
$found = scan('after the disconnect', $node->data_dir, $node->backup_dir . '/before');
unlike($found->{lines}, qr/^opens 2 4 .*EAA/m, 'the token opens nowhere, not in WAL, not in the backup');
ok($found->{lines} =~ /^opens 1 17 .*\Q$text{sari}\E/m, 'the inbox stays readable');

# ------------------------------------------------------------- the workspace
my $other = $stage->sql("SELECT laras.create_workspace('Other', 'other\@shop.example', 'correct horse battery')");
my $agent = $stage->bound("SELECT laras.add_member('agent\@shop.example', 'Agent', 'agent', 'correct horse battery')");
(undef, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace, $agent); SELECT laras.request_erasure('workspace', '{}'); COMMIT");
like($error, qr/permission denied|scope|right|role/i, 'an agent may not erase the workspace');
my $owner = $stage->bound("SELECT id FROM laras.members WHERE role = 'owner'");
# Somebody who began to write before the erasure, and commits after all else has gone.
my $late = $node->background_psql('postgres', on_error_stop => 1);
$late->query_safe("BEGIN; SELECT laras.act_as($workspace); INSERT INTO laras.catalog_item (workspace_id, id, name) VALUES ($workspace, 77, 'Late')");
my $whole = $node->safe_psql('postgres', "BEGIN; SELECT laras.act_as($workspace, $owner); SELECT laras.request_erasure('workspace', '{}'); COMMIT");
($whole) = $whole =~ /([0-9a-f]{32})/;
ok($whole, 'the owner erases it');
$found = scan('after the workspace was erased', $node->data_dir, $node->backup_dir . '/before');
unlike($found->{lines}, qr/^opens 1 17 /m, 'no message of it opens anywhere');
ok(wait_for_sql($node, "SELECT count(*) = 0 FROM laras.member WHERE workspace_id = $workspace"), 'the rows go');
my $turns = "SELECT turns FROM laras.worker_status WHERE worker = 'keeper'";
my $seen = $stage->sql($turns);
ok(wait_for_sql($node, "SELECT turns > $seen + 2 FROM laras.worker_status WHERE worker = 'keeper'"), 'the keeper looks again');
(undef, my $state) = $stage->call(GET => "/data-deletion/status/$whole");
is($state->{state}, 'unreadable', 'which is not called removed while somebody writes who began before it');
$late->query_safe('COMMIT');
$late->quit;
ok(wait_for(sub { my (undef, $a) = $stage->call(GET => "/data-deletion/status/$whole"); return ref $a && $a->{state} eq 'removed' }, 60), 'its rows are removed')
  or diag $stage->sql('SELECT worker, last_error_code, last_error FROM laras.worker_status');
is($stage->sql("SELECT count(*) FROM laras.message WHERE workspace_id = $workspace"), 0, 'no message is left');
is($stage->sql("SELECT count(*) FROM laras.catalog_item WHERE workspace_id = $workspace"), 0, 'nor what came late');
is($stage->sql("SELECT state FROM laras.workspace WHERE workspace_id = $workspace"), 'erased', 'a tombstone says so');
is($stage->sql("SELECT count(*) FROM laras.member WHERE workspace_id = $other"), 1, 'the other workspace stands');

# the plan and the register speak of the same tables
my @planned = split / /, $node->safe_psql('postgres', "BEGIN; SELECT laras.act_as($other); SELECT string_agg(table_name, ' ') FROM laras.explain_erasure('workspace', '{}'); COMMIT") =~ s/^\d+\n//r;
my %planned = map { $_ => 1 } @planned;
my @missing = grep { !$planned{$_} } split /\n/, $stage->sql(
	"SELECT DISTINCT table_name FROM laras.data_column WHERE erase_workspace = 'delete' AND table_name <> 'workspace' ORDER BY 1");
is("@missing", '', 'every table that the register deletes for a workspace is in the plan');
$stage->stop;
done_testing();

sub rows { return map { ($_ => 1) } @wanted; }

# Everything that opens in these directories, with the keyring and master key as they now are.
sub scan
{
	my ($what, @directories) = @_;
	my $found = Sealed::scan($node, $places, @directories);
	note "$what: " . scalar(() = $found->{lines} =~ /^opens/mg) . ' values open' if defined $what;
	return $found;
}
