# What waits for a person, and what became of it when nobody was in time: the queue
# says until when a draft may be approved; one whose window has closed is refused, or
# comes back where the courier found it too late; a follow-up makes room for the
# template, which is filled for whom it is for; whoever opts out leaves nothing to
# approve, and what did not leave says why wherever it is shown. Rules that could
# never fit, and phrases of nothing, are refused with a word on what would be right.
#
# proves R075 R078 R089

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('queue');
my $workspace = $stage->workspace;
my $connection = $stage->connect;
my %phone = (sari => '628123460001', budi => '628123460002', tono => '628123460003', rina => '628123460004', ira => '628123460005', nobody => '628123460006');
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 8000, 9)");

sub of { my ($who) = @_; return "(SELECT v.id FROM laras.conversations v JOIN laras.contact_identities i ON i.contact_id = v.contact_id WHERE i.value = '$phone{$who}' LIMIT 1)"; }
sub later { my ($time) = @_; $stage->sql("SELECT laras.advance_clock('$time')"); return; }
sub draft { my ($who, $what) = @_; return $stage->bound("SELECT $what FROM laras.drafts WHERE conversation_id = " . of($who) . ' ORDER BY created_at DESC, id DESC LIMIT 1'); }
sub queued { my ($who, $what) = @_; return $stage->bound("SELECT $what FROM laras.approval_queue WHERE conversation_id = " . of($who)); }
sub refused { my ($statement) = @_; my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SET LOCAL ROLE laras_app; $statement"); return $error; }
sub ends { my ($message) = @_; wait_for_sql($stage->node, "SELECT state NOT IN ('queued', 'sending') FROM laras.outbox WHERE message_id = $message"); return $stage->sql("SELECT state || ' ' || coalesce(reason, '') || ' ' || attempts FROM laras.outbox WHERE message_id = $message"); }
sub asks { my ($who) = @_; $stage->customer($phone{$who}, 'Kopi Tubruk berapa?', name => $who eq 'nobody' ? '' : ($who eq 'ira' ? 'Ira Prasetya' : ucfirst $who)); return $stage->wait_bound("SELECT count(*) = 1 FROM laras.approval_queue WHERE conversation_id = " . of($who), 30); }
sub sent_to { my ($who) = @_; return scalar(grep { ref $_->{body} && ($_->{body}{to} // '') =~ /$phone{$who}/ } $stage->sandbox->ledger(method => 'POST', path => '/messages')); }

# ------------------------------------------------------------------ the window
ok(asks($_), "$_ asks") for qw(sari budi tono);
is(queued('sari', "needs_template || ' ' || (window_closes_at = last_inbound_at + interval '24 h')"), 'false true', 'the queue says until when');
my %first = map { ($_ => draft($_, 'id')) } qw(sari budi tono);
later('23 h 59 min');
$stage->sql("SELECT laras.pause_workers('courier')");
my %late = map { ($_ => $stage->bound("SELECT laras.approve_draft($first{$_})")) } qw(sari tono);
later('2 min');
is(queued('budi', 'needs_template'), 't', 'the queue says that it has closed');
$stage->sql("SELECT laras.resume_workers('courier')");
is(ends($late{$_}), 'refused window_closed 0', "approved in the last minute for $_, handed over too late") for qw(sari tono);
is($stage->bound("SELECT status FROM laras.messages WHERE id = $late{sari}"), 'failed', 'the message ends so');
is($stage->bound("SELECT kind || ' ' || reason FROM laras.notices WHERE message_id = $late{sari}"), 'window_closed window_closed', 'and a notice says why');
like(draft('sari', "state || ' ' || array_to_string(hold_reasons, ' ') || ' ' || (decided_by IS NULL)"), qr/^held .*needs_template true$/, 'the draft waits for a person again');
is(queued('sari', "needs_template || ' ' || (id = $first{sari})"), 'true true', 'in the queue, which says what it needs');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE subject_id = $first{sari} AND action = 'draft.held'"), 1, 'and so does the evidence');
like(refused("SELECT laras.approve_draft($first{$_})"), qr/55000: the window for this draft has closed.*DETAIL: .*HINT:  Send an approved template/s, "$_\'s cannot be approved any more") for qw(sari budi);
like(refused("SELECT laras.approve_draft($first{budi}, 'Rp 8.000, kak')"), qr/55000: the window/, 'in no words');
$stage->sign_in;
my ($status, $answer) = $stage->call(POST => "/api/drafts/$first{budi}/approve");
is("$status $answer->{error}{code}", '409 55000', 'nor over HTTP');
(undef, $answer) = $stage->call(GET => '/api/drafts?limit=50');
is(join(' ', map { $_->{needs_template} ? $_->{window_closes_at} =~ /^2/ : 0 } grep { $_->{id} eq $first{budi} } @{ $answer->{drafts} }), 1, 'where the queue says the same');
is($stage->bound("SELECT laras.reject_draft($first{budi}, 'terlambat')"), 't', 'it can be rejected');
is($stage->sql("SET ROLE laras_dba; INSERT INTO laras.window_rule (channel, purpose, opened_by, lasts, remark) VALUES ('whatsapp', 'reply', 'message', 172800, 'two days')"), '', 'the operator makes the window longer');
is(queued('tono', 'needs_template'), 'f', 'which the queue knows at once');
my $again = $stage->bound("SELECT laras.approve_draft($first{tono})");
isnt($again, $late{tono}, 'approved again, it is another message');
is(ends($again), 'sent  1', 'which is sent');
is($stage->bound("SELECT laras.approve_draft($first{tono})") . ' ' . sent_to('tono'), "$again 1", 'once');
is($stage->sql("SET ROLE laras_dba; DELETE FROM laras.window_rule"), '', 'the provider\'s window is back');
$stage->sandbox->advance(86460);
$stage->customer($phone{sari}, 'Halo?');
ok($stage->wait_bound("SELECT state = 'superseded' FROM laras.drafts WHERE id = $first{sari}", 30), 'what Sari writes next supersedes the draft that waited');
is(sent_to('sari'), 0, 'of which nothing was ever sent');

# ----------------------------------------------------------------- opting out
ok(asks('rina'), 'Rina asks');
my $rina = draft('rina', 'id');
$stage->customer($phone{rina}, 'BERHENTI');
ok($stage->wait_bound("SELECT state = 'superseded' FROM laras.drafts WHERE id = $rina", 30), 'and opts out: nobody is asked about a draft for her any more');
like(refused("SELECT laras.approve_draft($rina)"), qr/LRA02: .*HINT:  The customer asked not to be written to/s, 'whoever approves it is told what is true');
my $message = $stage->bound('SELECT laras.reply(' . of('rina') . ", 'masih ada, kak')");
is($stage->bound("SELECT kind || ' ' || reason FROM laras.notices WHERE message_id = $message"), 'send_refused opted_out', 'a notice of what did not leave says why');
$stage->sign_in;
(undef, $answer) = $stage->call(GET => "/api/messages/$message");
is("$answer->{status} $answer->{reason}", 'cancelled opted_out', 'and so does the message over HTTP');

# ---------------------------------------------------- follow-ups nobody approved
my $template = $stage->bound(qq{SELECT laras.create_template($connection, 'masih_ada', 'id', 'marketing', '[{"type": "BODY", "text": "Halo {{1}}, {{2}} masih menunggu."}]')});
$stage->bound("SELECT laras.submit_template($template)");
ok($stage->wait_bound("SELECT status = 'pending' FROM laras.message_templates WHERE id = $template"), 'a template is submitted');
$stage->sandbox->control(POST => 'template', { waba_id => $stage->shop->{waba}, name => 'masih_ada', language => 'id', status => 'APPROVED' });
ok($stage->wait_bound("SELECT sendable FROM laras.message_templates WHERE id = $template"), 'and approved');
for my $who (qw(ira nobody))
{
	ok(asks($who), "$who asks");
	$message = $stage->bound('SELECT laras.reply(' . of($who) . ", 'Rp 8.000, kak.')");
	ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message"), 'and is answered');
}
$stage->bound("INSERT INTO laras.follow_up_rule (workspace_id, id, idle_hours, body) VALUES ($workspace, 1, 6, 'Jadi, kak?')");
later('7 h');
ok($stage->wait_bound("SELECT count(*) = 2 FROM laras.approval_queue WHERE purpose = 'sales' AND conversation_id IN (" . of('ira') . ', ' . of('nobody') . ')', 60), 'their silences are followed up');
my $missed = draft('ira', 'id');
later('18 h');
ok($stage->wait_bound("SELECT state = 'stale' AND 'window_closed' = ANY (hold_reasons) FROM laras.drafts WHERE id = $missed", 60), 'the window closes before anybody looks: the draft goes, with the reason');
like(refused("SELECT laras.approve_draft($missed)"), qr/LRA02: the window closed before anybody approved the draft/, 'as whoever is late is told');
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE purpose = 'sales' AND conversation_id = " . of('ira')), 1, 'and nothing takes its place where the rule has no template');
$stage->bound(qq{UPDATE laras.follow_up_rule SET template_id = $template, template_values = '{"body": ["{name|kak}", "{business}"]}'});
later('2 min');
ok($stage->wait_bound("SELECT count(*) = 2 FROM laras.approval_queue WHERE template_id = $template AND conversation_id IN (" . of('ira') . ', ' . of('nobody') . ')', 60), 'where it has one, the template does');
my $business = $stage->bound('SELECT name FROM laras.workspaces');
is(queued('ira', "body || ' ' || needs_template || ' ' || hold_reasons::text"), "Halo Ira Prasetya, $business masih menunggu. false {follow_up}", 'filled for whom it is for, and held for a person');
like(queued('nobody', 'body'), qr/^Halo kak, /, 'with the fallback where no name is known');
is($stage->sql("SELECT count(*) FROM laras.draft WHERE template_values IS NOT NULL AND template_values::text LIKE '%Prasetya%'"), 0, 'the name is sealed like every text');
$message = $stage->bound('SELECT laras.approve_draft(' . queued('ira', 'id') . ')');
is(ends($message), 'sent  1', 'approved, it leaves');
my ($left) = grep { ref $_->{body} && ($_->{body}{template}{name} // '') eq 'masih_ada' } $stage->sandbox->ledger;
is(join('|', map { $_->{text} } @{ $left->{body}{template}{components}[0]{parameters} }), "Ira Prasetya|$business", 'with her name');
later('50 h');
my $turns = $stage->sql("SELECT turns FROM laras.worker_status WHERE worker = 'keeper'");
ok(wait_for_sql($stage->node, "SELECT turns > $turns + 3 FROM laras.worker_status WHERE worker = 'keeper'", 60), 'the keeper looks again');
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE purpose = 'sales' AND conversation_id = " . of('ira')), 2, 'still one follow-up a silence');

# ------------------------------------------------------- rules that say nothing
my $rule = "INSERT INTO laras.follow_up_rule (workspace_id, id, idle_hours, body, template_id, template_values) VALUES ($workspace, 9";
my $review = "INSERT INTO laras.review_rule (workspace_id, id, minimum_value, maximum_value, from_time, to_time) VALUES ($workspace, 9";
my @wrong = (
	[ "$review, 10, 5, NULL, NULL)", qr/22023: minimum_value is above maximum_value/ ],
	[ "$review, NULL, NULL, '08:00', '08:00')", qr/22023: from_time and to_time are the same/ ],
	[ "INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 9, '   ')", qr/22023: the phrase is blank/ ],
	[ "INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 9, '')", qr/22023: the phrase is blank/ ],
	[ "INSERT INTO laras.required_phrase (workspace_id, id, phrase) VALUES ($workspace, 9, U&'\\00A0 ')", qr/22023: the phrase is blank/ ],
	[ "INSERT INTO laras.required_phrase (workspace_id, id, phrase) VALUES ($workspace, 9, repeat('x', 501))", qr/22023: the phrase is too long/ ],
	[ "INSERT INTO laras.required_phrase (workspace_id, id, phrase, topic) VALUES ($workspace, 9, 'x', 'harga')", qr/22023: .*no such topic.*DETAIL: .*price/s ],
	[ "$rule, 0, 'x', NULL, '{}')", qr/22023: idle_hours is not between 1 and 720/ ],
	[ "$rule, 721, 'x', NULL, '{}')", qr/22023: idle_hours/ ],
	[ "$rule, 6, ' ', NULL, '{}')", qr/22023: .*must not be empty/ ],
	[ "$rule, 6, NULL, NULL, '{}')", qr/22023: .*neither body nor template_id/ ],
	[ "$rule, 6, 'x', NULL, '[]')", qr/22023: template_values is no JSON object/ ],
	map({ [ "$rule, 6, NULL, $template, '{\"body\": [\"$_\", \"kopi\"]}')", qr/22023: .*no placeholder.*HINT: .*\{name\|Kak\}/s ] } '{nama}', '{name', 'a } b', '{name|}', '{{1}}', '{}'),
);
like(refused($_->[0]), $_->[1], substr($_->[0], 12, 40) . '... is refused') for @wrong;
is($stage->bound("$review, 5, 5, '22:00', '06:00') RETURNING id"), 9, 'one price and a night are a rule');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();
