# A customer was answered and said no more: after the hours of the business's own
# rule its words are proposed, once a silence. Inside the window as a draft, outside
# as an approved template alone, and neither leaves before somebody approves it. What
# becomes of the template afterwards stops the rule, and its owner is told once.
#
# proves R075

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('followups');
my $workspace = $stage->workspace;
my $connection = $stage->connect;
my %phone = (sari => '628123450001', budi => '628123450002', tono => '628123450003', rina => '628123450004');

sub of { my ($who) = @_; return "(SELECT v.id FROM laras.conversations v JOIN laras.contact_identities i ON i.contact_id = v.contact_id WHERE i.value = '$phone{$who}' LIMIT 1)"; }
sub later { my ($time) = @_; $stage->sql("SELECT laras.advance_clock('$time')"); return; }
sub rule_state { return $stage->bound('SELECT state FROM laras.follow_up_rule'); }
sub told { return $stage->bound("SELECT count(*) FROM laras.notices WHERE kind = 'follow_up_stopped'"); }
# The keeper looks at the rules each minute of the product's clock.
sub becomes { my ($state, $what) = @_; later('2 minutes'); ok($stage->wait_bound("SELECT state = '$state' FROM laras.follow_up_rule", 30), $what) or diag rule_state(); return; }
sub drafts { my ($who) = @_; return $stage->bound("SELECT coalesce(string_agg(state || ' ' || purpose || ' ' || hold_reasons::text || ' ' || (template_id IS NOT NULL) || ' ' || body, '; ' ORDER BY created_at), '') FROM laras.drafts WHERE purpose = 'sales' AND conversation_id = " . of($who)); }

# Sari, Budi and Rina are answered; Tono is not.
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, act) VALUES ($workspace, 1, 'review')");
for my $who (sort keys %phone)
{
	is($stage->customer($phone{$who}, "halo dari $who")->{status}, 200, "$who writes");
}
ok($stage->wait_bound('SELECT count(*) = 4 FROM laras.conversations'), 'four conversations');
ok($stage->wait_bound('SELECT count(*) = 4 FROM laras.drafts'), 'with a draft each');
my %reply = map { ($_ => $stage->bound('SELECT laras.reply(' . of($_) . ", 'Ada, kak. Mau pesan?')")) } qw(sari budi rina);
ok($stage->wait_bound("SELECT count(*) = 3 FROM laras.messages WHERE direction = 'out' AND status IN ('sent', 'delivered', 'read')"), 'three are answered');
$stage->bound(q{SELECT laras.set_opt_out((SELECT contact_id FROM laras.messages WHERE body = 'halo dari rina'), true)});

# ------------------------------------------------------------- inside the window
$stage->bound("INSERT INTO laras.follow_up_rule (workspace_id, id, channel, idle_hours, body) VALUES ($workspace, 1, 'whatsapp', 6, 'Masih berminat, kak?')");
later('5 hours');
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE purpose = 'sales'"), 0, 'five hours are not six');
later('90 minutes');
ok($stage->wait_bound("SELECT count(*) = 2 FROM laras.drafts WHERE purpose = 'sales'", 30), 'after six hours two silences are followed up');
is(drafts('sari'), 'held sales {follow_up} false Masih berminat, kak?', "with the business's own words, held for a person");
is(drafts('tono'), '', 'not who was not answered');
is(drafts('rina'), '', 'nor who wants nothing unasked');
is($stage->bound("SELECT purpose FROM laras.approval_queue WHERE body = 'Masih berminat, kak?' LIMIT 1"), 'sales', 'the queue says what it is for');
my $draft = $stage->bound("SELECT id FROM laras.drafts WHERE purpose = 'sales' AND conversation_id = " . of('sari'));
my $message = $stage->bound("SELECT laras.approve_draft($draft)");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message"), 'approved, it leaves');
is($stage->sql("SELECT o.purpose || ' ' || v.purpose FROM laras.outbox o JOIN laras.verdict v ON v.id = o.verdict_id WHERE o.message_id = $message"), 'sales sales', 'for its purpose, for which it was judged');
is($stage->sql("SELECT string_agg(DISTINCT purpose || ' ' || priority, ', ') FROM laras.outbox"), 'sales 10, service 0', 'and behind the answers of people who wait for one');
my $budi = $stage->bound("SELECT id FROM laras.drafts WHERE purpose = 'sales' AND conversation_id = " . of('budi'));
is($stage->customer($phone{budi}, 'jadi kak')->{status}, 200, 'Budi writes before anybody looks');
ok($stage->wait_bound("SELECT state = 'superseded' FROM laras.drafts WHERE id = $budi", 30), 'which ends the follow-up');

# ------------------------------------------------------------ outside the window
my $template = $stage->bound(qq{SELECT laras.create_template($connection, 'masih_berminat', 'id', 'marketing', '[{"type": "BODY", "text": "Halo kak, {{1}} masih ada."}]')});
sub refused { my ($statement) = @_; my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SET LOCAL ROLE laras_app; $statement"); return $error; }
my $rule = "INSERT INTO laras.follow_up_rule (workspace_id, id, channel, idle_hours, template_id, template_values) VALUES ($workspace, 2";
like(refused("$rule, 'whatsapp', 48, 77, '{}')"), qr/23503: no such template/, 'a rule about a template that is not there is refused');
like(refused("$rule, 'whatsapp', 48, $template, '{\"body\": [\"kopi\", \"teh\"]}')"), qr/22023: the values do not fit the template: the number of values is not that of the places/, 'and one whose values do not fit');
like(refused("$rule, 'telegram', 48, $template, '{\"body\": [\"kopi\"]}')"), qr/22023: the template is of an account of another channel/, 'or whose channel is not that of the template');
like(refused("UPDATE laras.follow_up_rule SET template_id = $template"), qr/22023: the values do not fit/, 'also when it is changed');
$stage->bound("UPDATE laras.follow_up_rule SET idle_hours = 48, template_id = $template, template_values = '{\"body\": [\"kopi\"]}'");
is($stage->customer($phone{sari}, 'nanti ya')->{status}, 200, 'Sari puts it off');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'nanti ya'"), 'and is heard');
my $answer = $stage->bound('SELECT laras.reply(' . of('sari') . ", 'Baik, kak')");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $answer"), 'and answered');
later('50 hours');
my $turns = $stage->sql("SELECT turns FROM laras.worker_status WHERE worker = 'keeper'");
ok(wait_for_sql($stage->node, "SELECT turns > $turns + 3 FROM laras.worker_status WHERE worker = 'keeper'", 60), 'the keeper looks');
unlike(drafts('sari'), qr/;/, 'a template that is not approved is not proposed, and a text even less');
is(rule_state() . told(), 'new0', 'which nobody is told, as it is not for approval yet');
$stage->bound("SELECT laras.submit_template($template)");
ok($stage->wait_bound("SELECT status = 'pending' FROM laras.message_templates WHERE id = $template"), 'the template is submitted');
$stage->sandbox->control(POST => 'template', { waba_id => $stage->shop->{waba}, name => 'masih_berminat', language => 'id', status => 'APPROVED' });
ok($stage->wait_bound("SELECT sendable FROM laras.message_templates WHERE id = $template"), 'and approved');
later('1 hour');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE template_id = $template AND conversation_id = " . of('sari'), 30), 'then it is proposed');
like(drafts('sari'), qr/held sales \{follow_up\} true Halo kak, kopi masih ada\.$/, 'as the text that she would read');
$draft = $stage->bound("SELECT id FROM laras.drafts WHERE template_id = $template AND conversation_id = " . of('sari'));
my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.approve_draft($draft, 'lain'); COMMIT");
like($error, qr/22023/, "nobody rewrites the provider's approved words");
$message = $stage->bound("SELECT laras.approve_draft($draft)");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message"), 'approved, it leaves');
is($stage->bound("SELECT laras.approve_draft($draft)"), $message, 'once');
is($stage->sql("SELECT o.purpose || ' ' || v.purpose FROM laras.outbox o JOIN laras.verdict v ON v.id = o.verdict_id WHERE o.message_id = $message"), 'sales sales', 'judged as what it is for');
is(scalar(grep { ref $_->{body} && ($_->{body}{template}{name} // '') eq 'masih_berminat' } $stage->sandbox->ledger), 1, 'as the template');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $draft"), 'sent', 'as the draft says');
later('50 hours');
$turns = $stage->sql("SELECT turns FROM laras.worker_status WHERE worker = 'keeper'");
ok(wait_for_sql($stage->node, "SELECT turns > $turns + 3 FROM laras.worker_status WHERE worker = 'keeper'", 60), 'the keeper looks again');
is($stage->bound("SELECT count(*) FROM laras.drafts WHERE purpose = 'sales' AND conversation_id = " . of('sari')), 2, 'one silence, one follow-up');
ok($stage->wait_bound("SELECT state = 'ready' FROM laras.follow_up_rule", 30), 'the rule stands as it was meant');
is(told(), 0, 'and nobody was told anything');

# ------------------------------------------------- what becomes of the template
my %of_shop = (waba_id => $stage->shop->{waba}, name => 'masih_berminat', language => 'id');
sub judged { $stage->sandbox->control(POST => 'template', { %of_shop, @_ }); return; }
$stage->sandbox->control(POST => 'clock', { advance_s => 107 * 3600 });
is($stage->customer($phone{sari}, 'besok ya')->{status}, 200, 'Sari puts it off again');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'besok ya'"), 'and is heard');
$answer = $stage->bound('SELECT laras.reply(' . of('sari') . ", 'Siap, kak')");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $answer"), 'and answered');
later('50 hours');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state = 'held' AND template_id = $template", 30), 'the template is proposed');
$draft = $stage->bound("SELECT id FROM laras.drafts WHERE state = 'held' AND template_id = $template");
judged(status => 'PAUSED');
ok($stage->wait_bound("SELECT status = 'paused' FROM laras.message_templates WHERE id = $template"), 'and then paused by the provider');
becomes('template_not_approved', 'its rule says so');
is($stage->bound("SELECT string_agg(connection_id || ' ' || details::jsonb, ',') FROM laras.notices WHERE kind = 'follow_up_stopped'"), qq($connection {"state": "template_not_approved", "rule_id": "1"}), 'the owner is told which, and why');
$message = $stage->bound("SELECT laras.approve_draft($draft)");
ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $message"), 'approved all the same, it does not leave');
is($stage->sql("SELECT reason FROM laras.outbox WHERE message_id = $message"), 'template_not_approved', 'for that reason');
judged(category => 'MARKETING', body => 'Halo kak {{1}}, {{2}} masih ada.');
$stage->bound("SELECT laras.sync_templates($connection)");
ok($stage->wait_bound("SELECT status = 'approved' AND author IS NULL FROM laras.message_templates WHERE id = $template"), 'approved again, in words that nobody of the business wrote');
becomes('template_not_owned', 'the rule says what stops it now');
$stage->bound("SELECT laras.adopt_template($template)");
becomes('values_do_not_fit', 'taken on, they want two values');
is(told(), 1, 'which is told once, until it is mended');
$stage->bound(q{UPDATE laras.follow_up_rule SET template_values = '{"body": ["Sari", "kopi"]}'});
becomes('ready', 'with them it is');
judged(status => 'DISABLED');
ok($stage->wait_bound("SELECT status = 'disabled' FROM laras.message_templates WHERE id = $template"), 'disabled by the provider');
$stage->bound('UPDATE laras.follow_up_rule SET enabled = false');
later('2 minutes');
$turns = $stage->sql("SELECT turns FROM laras.worker_status WHERE worker = 'keeper'");
ok(wait_for_sql($stage->node, "SELECT turns > $turns + 3 FROM laras.worker_status WHERE worker = 'keeper'", 60), 'the keeper looks');
is(rule_state() . told(), 'ready1', 'a rule that is not in use is nobody\'s news');
$stage->bound('UPDATE laras.follow_up_rule SET enabled = true');
becomes('template_not_approved', 'in use again');
is(told(), 2, 'it is told anew');
judged(status => 'REINSTATED');
ok($stage->wait_bound("SELECT sendable FROM laras.message_templates WHERE id = $template"), 'reinstated');
becomes('ready', 'it goes on');
$stage->bound("SELECT laras.disconnect($connection)");
becomes('account_cut', 'without its account it cannot');
is(told(), 3, 'and that is told too');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE kind = 'follow_up_stopped' AND details IS NULL"), 3, 'without the details, whose keys went with the account');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();
