# Opening hours in a draft: it cites the rows by which it speaks, and until when
# they are so by the business's clock; other hours, hours of that date written
# later, another time zone and the end of the day each take the draft's ground
# away, whether it waits for a person or for the courier; what people write is held
# against them where a rule asks for it, to the minute; a model gets them with the time.
# proves R056 R057 R059
use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('hours');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $node = $stage->node;

# A zone in which it is about noon, whenever this runs.
my $ahead = 12 - (gmtime)[2];
$stage->bound("SELECT laras.set_time_zone('Etc/GMT" . ($ahead == 0 ? '' : sprintf '%+d', -$ahead) . "')");
my $hours = '08:00-23:30';
$stage->bound("INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) SELECT $workspace, n, d, CASE WHEN n % 2 = 0 THEN '$hours' ELSE '08:00-23:15' END
	FROM unnest('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[]) WITH ORDINALITY AS u (d, n)");
my $today = "(laras.now() AT TIME ZONE laras.time_zone())";
my $row = $stage->bound("SELECT extract(isodow FROM $today)::int");

my $serial = 0;
sub asks
{
	my ($text) = @_;
	my $phone = sprintf '6281290%06d', ++$serial;
	$stage->customer($phone, $text);
	my $id;
	wait_for(sub { $id = $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'"); return $id ne '' }, 30)
	  or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'));
	return $id;
}
sub attempt { my ($sql) = @_; my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; SELECT laras.act_as($workspace); $sql; COMMIT"); return ($err // '') =~ /ERROR: +(\S+)/ ? $1 : 'done'; }
sub changed { my ($id) = @_; return $stage->bound("SELECT sources_changed FROM laras.drafts WHERE id = $id"); }

my $id = asks('masih buka kak?');
like($stage->bound("SELECT body FROM laras.drafts WHERE id = $id"), qr/^Ya, sekarang kami buka, sampai pukul 23\.(15|30)\.$/, 'what is asked of now is answered by the clock');
is($stage->bound("SELECT verdict || verdict_reasons::text FROM laras.drafts WHERE id = $id"), 'pass{}', 'and stands in the row, times and words');
is($stage->bound("SELECT string_agg(source_table || ' ' || source_id || ' ' || (source_version = current_version) || ' ' || changed, ',') FROM laras.draft_sources WHERE draft_id = $id"), "opening_hours $row true false", 'which it cites with its version');
is($stage->sql("SELECT quoted_for = (laras.now() AT TIME ZONE w.time_zone)::date, (valid_until AT TIME ZONE w.time_zone)::time IN ('23:15', '23:30') FROM laras.draft_source s JOIN laras.workspace w USING (workspace_id) WHERE s.draft_id = $id"),
	't|t', 'for today, and until it closes');

# ---- each of these takes the ground of a draft that waits
for ([ 'other hours', "UPDATE laras.opening_hours SET hours = '08:00-23:45' WHERE id = $row", "UPDATE laras.opening_hours SET hours = '$hours' WHERE id = $row" ],
	[ 'hours for this very date', "INSERT INTO laras.opening_hours (workspace_id, id, on_date, hours, note) VALUES ($workspace, 99, $today\::date, 'closed', 'Sakit')", 'DELETE FROM laras.opening_hours WHERE id = 99' ],
	[ 'a row that is gone', "DELETE FROM laras.opening_hours WHERE id = $row", "INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) SELECT $workspace, $row, ('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[])[$row], '$hours'" ],
	[ 'another clock', "SELECT laras.set_time_zone('Asia/Jakarta'); SELECT laras.set_time_zone('Asia/Makassar')", "SELECT laras.set_time_zone('Etc/GMT" . ($ahead == 0 ? '' : sprintf '%+d', -$ahead) . "')" ])
{
	my ($what, $change, $back) = @$_;
	$id = asks('hari ini buka sampai jam berapa?');
	is(changed($id), 'f', "$what: before, it holds");
	$stage->bound($change);
	is(changed($id), 't', 'then its ground is gone');
	is(attempt("SELECT laras.approve_draft($id)"), 'LRA01', 'and nobody can approve it');
	$stage->bound($back);
}
$id = asks('jam buka kak?');
$stage->bound("INSERT INTO laras.opening_hours (workspace_id, id, on_date, hours) VALUES ($workspace, 99, $today\::date + 3, 'closed')");
is(changed($id), 'f', 'what is said of every week holds, whatever one date is like');
like($stage->bound("SELECT body FROM laras.preview_reply('jam buka kak?')"), qr/ kami tutup\.$/, 'though a list tells of the days to come');
$stage->bound('DELETE FROM laras.opening_hours WHERE id = 99');

# ---- queued, and then without ground
$stage->bound("SELECT laras.set_auto_send($connection, true)");
$stage->sql("SELECT laras.pause_workers('courier')");
$id = asks('besok buka jam berapa?');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $id"), 'approved', 'a sure answer goes by itself');
my $tomorrow = $row % 7 + 1;
$stage->bound("UPDATE laras.opening_hours SET hours = '09:00-10:00' WHERE id = $tomorrow");
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT m.status = 'cancelled' FROM laras.drafts d JOIN laras.messages m ON m.id = d.message_id WHERE d.id = $id"), 'unless the hours change before it leaves');
$stage->bound("SELECT laras.set_auto_send($connection, false)");

# ---- people's own words
my $conversation = $stage->bound("SELECT conversation_id FROM laras.drafts WHERE id = $id");
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, texts) VALUES ($workspace, 1, 'people')");
is(attempt("SELECT laras.reply($conversation, 'Besok kami buka jam 9 pagi sampai jam 10 pagi.')"), 'done', 'a person says what stands in the row');
is(attempt("SELECT laras.reply($conversation, 'Besok kami buka jam 9 malam sampai jam 10 pagi.')"), '22023', 'and not another time, nor another half of the day');

# ---- the day is over
$id = asks('hari ini buka sampai jam berapa?');
$stage->sql("SELECT laras.advance_clock(interval '12 hours 30 minutes')");
is(changed($id), 't', 'after midnight today is another day');
is(attempt("SELECT laras.approve_draft($id)"), 'LRA01', 'and nobody approves what was said of the one before');

# ---- a model is given them, and the time
$stage->sql("SELECT laras.configure_llm($workspace, '" . $stage->sandbox->url . "/v1/chat/completions', 'good', 'sk-0123456789')");
$id = asks('kalau besok bukanya dari jam berapa ya kak?');
my $json = JSON::PP->new;
my $told = $json->decode($json->decode($stage->bound("SELECT c.prompt FROM laras.llm_calls c JOIN laras.drafts d ON d.inbound_message_id = c.inbound_message_id WHERE d.id = $id"))->{messages}[1]{content});
is(scalar(grep { $_->{id} =~ m{^opening_hours/} && $_->{day} && $_->{open} =~ /^\d\d:\d\d-/ } @{ $told->{rows} }), 7, 'the rows of the week');
like($told->{now}, qr/^\w+day \d{4}-\d\d-\d\d \d\d:\d\d \(Etc/, 'and what time it is');
is($stage->sql("SELECT count(*) FILTER (WHERE valid_until IS NULL) FROM laras.draft_source WHERE draft_id = $id AND source_table = 'opening_hours'"), 0, 'what it cites of them holds until the doors move');
$stage->stop;
done_testing();
