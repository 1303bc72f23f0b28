# Nothing of a channel is processed before its partner has connected it, agreed
# to the terms in force, the operator's and the provider's, and configured what
# its messages serve: what customers write is kept for the inbox, and that is all.
# Every record of a processing has its purpose, and there are but two. On what a
# customer's data is held the partner says, and answers for it.
#
# proves R221 R222 R225 R226 R239 R240

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('golive', live => 0);
my $node = $stage->node;
my $workspace = $stage->workspace;

sub refused
{
	my ($query, $state, $what, $login) = @_;
	my $act = $login ? "SELECT laras.enter('$login')" : "SELECT laras.act_as($workspace)";
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; $act; $query; COMMIT");
	like($error, qr/ERROR:  $state: /, $what);
	return $error;
}

# ------------------------------------------------------------ connected, no more
my $connection = $stage->connect;
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Gayo 250 gr', 95000, 12)");
$stage->bound("SELECT laras.set_auto_send($connection, true)");
is($stage->customer('628123450001', 'Halo kak, harga Kopi Gayo 250 gr berapa? bagus sekali!')->{status}, 200, 'a customer writes to a channel that nobody configured');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE direction = 'in'"), 'and stands in the inbox');
$stage->sql('SELECT laras.drain()');
is($stage->bound('SELECT count(*) FROM laras.drafts'), 0, 'no draft is made');
is($stage->sql('SELECT count(*) FROM laras.draft_wanted'), 0, 'nor is one wanted');
is($stage->bound('SELECT count(sentiment) FROM laras.messages'), 0, 'how it sounds is not measured');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');
like(refused("SELECT laras.reply($conversation, 'Rp 95.000, kak.')", '55000', 'nobody replies through it'), qr/purpose "service"/, 'for want of a purpose');
is($stage->bound(q{SELECT connected || ' ' || purposes::text || ' ' || missing_terms::text FROM laras.channel_readiness WHERE channel = 'whatsapp'}),
	'true {} {"partner 1","whatsapp 1"}', 'the owner sees what is missing');

# ------------------------------------------------------------------------ terms
like(refused(q{SELECT laras.configure_channel('whatsapp', '{service}')}, '55000', 'terms come before the configuration'), qr/partner 1, whatsapp 1/, 'each of which is named');
refused(q{SELECT laras.accept_terms('partner', '0')}, '22023', 'nobody agrees to a version that is not in force');
my $key = $stage->bound("SELECT laras.create_api_key('robot', '{admin,connect,inbox}')");
refused(q{SELECT laras.accept_terms('partner', '1')}, '42501', 'no program agrees to anything', $key);
$stage->bound("SELECT laras.add_member('agent\@shop.example', 'Agent', 'agent', 'correct horse battery')");
my $agent = $stage->sql("SELECT laras.log_in('agent\@shop.example', 'correct horse battery')");
refused(q{SELECT laras.accept_terms('partner', '1')}, '42501', 'nor does an agent', $agent);
my ($status, $answer) = $stage->call(GET => '/app/settings/terms');
is("$status " . join(' ', map { $_->{party} . (defined $_->{accepted_at} ? '+' : '-') } @{ $answer->{terms} }),
	'200 instagram- messenger- partner- telegram- threads- whatsapp-', 'the page of settings has the terms');
is(($stage->call(POST => '/app/settings/terms', { party => 'partner', version => '1' }))[0], 200, "the owner agrees to the operator's");
refused(q{SELECT laras.configure_channel('whatsapp', '{service}')}, '55000', "which is half of it: the provider's bind too");
$stage->bound(q{SELECT laras.accept_terms('whatsapp', '1')});
my $accepted = $stage->sql("SELECT string_agg(party || version || ' ' || split_part(accepted_by, ':', 1), ', ' ORDER BY party) FROM laras.terms_acceptance WHERE accepted_at IS NOT NULL");
is($accepted, 'partner1 member, whatsapp1 service', 'which version, who, when');
my $when = $stage->bound(q{SELECT laras.accept_terms('partner', '1')});
is($stage->bound(q{SELECT count(*) FROM laras.evidence_log WHERE action = 'terms.accepted'}), 2, 'in the evidence, once each');
is($stage->sql("SELECT accepted_at = '$when' FROM laras.terms_acceptance WHERE party = 'partner'"), 't', 'agreed again, the first time counts');

# --------------------------------------------------------------------- purposes
for my $purpose (qw(advertising prospecting training resale))
{
	refused("SELECT laras.configure_channel('whatsapp', '{service,$purpose}')", '22023', "$purpose is no purpose");
}
refused(q{SELECT laras.configure_channel('fax', '{service}')}, '42704', 'fax is no channel');
is(($stage->call(POST => '/app/settings/channels/whatsapp', { purposes => ['service'] }))[0], 200, 'the channel is configured to answer those who write');
is($stage->bound(q{SELECT count(*) FROM laras.evidence_log WHERE action = 'channel.configured'}), 1, 'as the evidence says');

# ------------------------------------------------------------------- processed
my $endpoint = $stage->sandbox->url . '/v1/chat/completions';
$stage->sql("SET ROLE laras_dba; SELECT laras.configure_llm($workspace, '$endpoint', 'good', 'sk-0123456789')");
is($stage->customer('628123450001', 'Kopi Gayo 250 gr masih ada?')->{status}, 200, 'the customer writes again');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state = 'sent' AND drafter = 'llm good'"), 'and is answered, by a language model');
is($stage->bound('SELECT count(sentiment) FROM laras.messages'), 1, 'what came from now on is measured');

# ------------------------------------ what a processing leaves says what it was for
# A table of such records has a column for it, or belongs to a row of one that has.
my @record = split /\n/, $stage->sql(q{SELECT DISTINCT table_name FROM laras.data_column WHERE category = 'ai_log' ORDER BY 1});
is("@record", 'draft draft_source llm_call verdict', 'records of what was read and written by software');
is($stage->sql(q{SELECT string_agg(DISTINCT table_name, ' ') FROM laras.data_column d WHERE category = 'ai_log' AND table_name <> 'draft_source'
	AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = format('laras.%I', d.table_name)::regclass AND a.attname = 'purpose' AND a.attnotnull AND NOT a.atthasdef)}), '', 'which each say what for, without a default that would say it for them');
is($stage->sql(q{SELECT count(*) FROM pg_constraint WHERE conrelid = 'laras.draft_source'::regclass AND confrelid = 'laras.draft'::regclass}), 1, 'or are part of one that does');
my %purpose = (draft => 'purpose', verdict => 'purpose', outbox => 'purpose', llm_call => 'purpose', message => 'sentiment_purpose');
for my $table (sort keys %purpose)
{
	is($stage->sql("SELECT count(*) > 0 AND bool_and($purpose{$table} = 'service') FROM laras.$table WHERE $purpose{$table} IS NOT NULL"), 't', "those of $table are for service");
	my (undef, undef, $error) = $node->psql('postgres', "UPDATE laras.$table SET $purpose{$table} = 'advertising'");
	like($error, $table eq 'message' ? qr/column "sentiment_purpose" can only be updated to DEFAULT/ : qr/violates check constraint "${table}_purpose_check"/, "and a row of $table takes no other");
}
is($stage->sql('SELECT count(*) FROM laras.message WHERE (sentiment IS NULL) <> (sentiment_purpose IS NULL)'), 0, 'no message is measured for nothing');
like($stage->sql(q{SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'laras.outbox'::regclass AND confrelid = 'laras.verdict'::regclass}), qr/purpose\) REFERENCES/, 'what is sent rests on a verdict for the same purpose');
$stage->sql("SET ROLE laras_dba; SELECT laras.configure_llm($workspace, '$endpoint', 'good', 'sk-0123456789', '{\"enabled\": false}')");
my $sent = $stage->bound("SELECT laras.reply($conversation, 'Silakan, kak.')");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $sent"), 'a person replies');
is($stage->bound(q{SELECT count(*) FROM laras.drafts WHERE inbound_message_id IN (SELECT id FROM laras.messages WHERE body LIKE 'Halo%')}), 0, 'what came before stays as it was');

# ------------------------------------------------------------- and is ended again
$stage->sql("SELECT laras.pause_workers('courier')");
my $late = $stage->bound("SELECT laras.reply($conversation, 'Terlambat')");
$stage->bound(q{SELECT laras.configure_channel('whatsapp', '{}')});
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT status = 'cancelled' FROM laras.messages WHERE id = $late"), 'what waits when the owner ends it does not leave');
is($stage->bound("SELECT reason || (words_en ~ 'configured') FROM laras.send_troubles WHERE message_id = $late"), 'not_configuredtrue', 'and says why');
is($stage->customer('628123450001', 'Halo? harga Kopi Gayo 250 gr?')->{status}, 200, 'what comes then');
ok($stage->wait_bound("SELECT count(*) = 3 FROM laras.messages WHERE direction = 'in'"), 'is kept');
$stage->sql('SELECT laras.drain()');
is($stage->bound('SELECT count(*) || $$ $$ || count(m.sentiment) FROM laras.messages m LEFT JOIN laras.drafts d ON d.inbound_message_id = m.id WHERE m.body LIKE $$Halo?%$$ AND d.id IS NULL'), '1 0', 'and no more');

# ------------------------------------------------------------------- new terms
for my $bad ([ q{'partnr', '2', laras.now()::date, 'New terms', NULL}, 'party', 'partner, or a channel: .*whatsapp' ], [ q{'partner', 'two words', laras.now()::date, 'New terms', NULL}, 'version', '1 to 32 letters' ],
	[ q{'partner', '2', laras.now()::date, '', NULL}, 'title', 'what the terms are called' ], [ q{'partner', '2', laras.now()::date, 'New terms', laras.now()::date - 1}, 'required_from', 'effective_from' ])
{
	my ($values, $column, $rule) = @$bad;
	my (undef, undef, $why) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE laras_dba; INSERT INTO laras.terms (party, version, effective_from, title, required_from) VALUES ($values)");
	like($why, qr/ERROR:  22023: $column of terms .*\nDETAIL:  .*$rule/s, "no terms: a $column that is none, and it says why");
}
$stage->sql("SET ROLE laras_dba; INSERT INTO laras.terms (party, version, effective_from, title) VALUES ('partner', '2', laras.now()::date, 'New terms'), ('partner', '3', laras.now()::date + 30, 'Later terms')");
like(refused(q{SELECT laras.configure_channel('whatsapp', '{service}')}, '55000', 'terms that changed are agreed to anew'), qr/in force: partner 2\./, 'those in force, not those to come');
$stage->bound(q{SELECT laras.accept_terms('partner', '2')});
$stage->bound(q{SELECT laras.configure_channel('whatsapp', '{service,sales}')});
my $processes = "SELECT laras.processes($workspace, 'whatsapp', 'service')";
$stage->sql("SET ROLE laras_dba; INSERT INTO laras.terms (party, version, effective_from, title, required_from) VALUES ('partner', '2b', laras.now()::date, 'Newer terms', laras.now()::date + 10)");
is($stage->sql($processes), 't', 'newer ones stop nobody while the notice runs');
$stage->sql("SET ROLE laras_dba; UPDATE laras.terms SET required_from = effective_from WHERE version = '2b'");
is($stage->sql($processes), 'f', 'from the day on that they are required nothing is processed');
refused("SELECT laras.reply($conversation, 'masih buka, kak')", '55000', 'nor sent');
$stage->bound(q{SELECT laras.accept_terms('partner', '2b')});
is($stage->sql($processes), 't', 'until they are agreed to');
my (undef, undef, $error) = $node->psql('postgres', "SET ROLE laras_dba; UPDATE laras.terms SET title = 'mine' WHERE version = '1'; SELECT count(*) FROM laras.terms WHERE title = 'mine'");
is($stage->sql("SELECT count(*) FROM laras.terms WHERE title = 'mine'"), 0, "the operator's own rows alone are the operator's");

# --------------------------- rules stand on a version of the provider's own terms
is($stage->sql("SELECT count(*) FROM laras.window_rule r JOIN laras.terms t ON t.party = r.channel WHERE r.origin = 'laras' AND r.terms_version IS DISTINCT FROM '1'"), 0, "windows carry the provider's version");
is($stage->sql("SELECT count(*) FROM laras.limit_rule r JOIN laras.terms t ON t.party = r.channel WHERE r.origin = 'laras' AND r.terms_version IS DISTINCT FROM '1'"), 0, 'and so do limits');
is($stage->sql("SELECT count(*) FROM laras.terms t CROSS JOIN (VALUES ('own_scope'), ('no_training')) AS w (rule) LEFT JOIN laras.ai_rule r ON r.channel = t.party AND r.rule = w.rule AND r.terms_version = t.version WHERE t.party <> 'partner' AND t.origin = 'laras' AND r.rule IS NULL"), 0, 'and the rules on what software answers and who may train on it, for each provider');
is($stage->sql("SELECT string_agg(DISTINCT table_name, ' ' ORDER BY table_name) FROM laras.data_column WHERE column_name = 'terms_version'"), 'ai_rule limit_rule window_rule', 'which is every table of such rules');
is($stage->bound("SELECT string_agg(rule || ' ' || terms_version, ', ' ORDER BY rule) FROM laras.ai_rules WHERE channel = 'whatsapp' AND enabled"), 'no_training 1, own_scope 1', 'whoever runs a shop may read them');

# ------------------------- the partner answers for the consent of its customers
my $contact = $stage->bound('SELECT id FROM laras.contacts');
my $basis = "SELECT consent_basis || ' ' || (consent_stated_at IS NOT NULL) FROM laras.contacts";
is($stage->bound($basis), 'wrote false', 'who wrote is known because they wrote');
is($stage->bound("SELECT laras.set_consent_basis($contact, 'consent')"), 't', 'the partner says that it has their consent');
is($stage->bound("SELECT laras.set_consent_basis($contact, 'consent')"), 'f', 'once');
is($stage->bound($basis), 'consent true', 'which stands at the contact');
is($stage->bound("SELECT actor || ' ' || (detail->>'basis') FROM laras.evidence_log WHERE action = 'contact.consent_stated'"), 'service consent', 'and in the evidence, with who said it');
refused("SELECT laras.set_consent_basis($contact, '$_')", '22023', "no basis: $_") for 'bought', '';
refused("SELECT laras.set_consent_basis(1, 'consent')", 'P0002', 'of nobody nothing is said');
(undef, undef, $error) = $node->psql('postgres', "UPDATE laras.contact SET consent_basis = 'bought'");
like($error, qr/violates check constraint/, 'no other word stands there');
is($stage->bound("SELECT laras.set_consent_basis($contact, 'wrote')") . $stage->bound($basis), 'twrote false', 'it may be taken back');

# --------------- no prospecting beyond the conversation: who never wrote here is nobody
$stage->sql('UPDATE laras.conversation SET last_inbound_at = NULL');
my $cold = $stage->bound(q{SELECT laras.reply(id, 'Promo hari ini!') FROM laras.conversations});
ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $cold"), 'a contact that never wrote to this number is not written to');
is($stage->bound("SELECT reason FROM laras.send_troubles WHERE message_id = $cold"), 'never_wrote', 'for that reason');
is($stage->sql(q{SELECT count(*) FROM laras.provider_host WHERE NOT registered AND host !~ '(facebook[.]com|instagram[.]com|threads[.]net|telegram[.]org|fbsbx[.]com|fbcdn[.]net|cdninstagram[.]com)$'}), 0, 'data leaves to the official interfaces, and where the operator registered an app');

# -------------------------------------- a legal record outlives the workspace
my $code = $stage->bound(q{SELECT laras.request_erasure('workspace', '{}')});
ok(wait_for(sub { my (undef, $a) = $stage->call(GET => "/data-deletion/status/$code"); return ref $a && $a->{state} eq 'removed' }, 60), 'the workspace is erased');
is($stage->sql("SELECT count(*) FROM laras.terms_acceptance WHERE workspace_id = $workspace"), 4, 'what it agreed to is kept');
is($stage->sql("SELECT string_agg(DISTINCT category || ' ' || erase_workspace || ' ' || basis, ',') FROM laras.data_column WHERE table_name = 'terms_acceptance'"), 'legal keep legal', 'as a legal record');
is($stage->sql("SELECT count(*) FROM laras.channel_handling WHERE workspace_id = $workspace"), 0, 'its configuration is not');
$stage->stop;
done_testing();
