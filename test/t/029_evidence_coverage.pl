# Whatever changes something leaves an act in the evidence, in the transaction
# that changes it: every function that may, by a list that the catalogue must
# agree with; what workers do on its behalf; and what the provider says of a
# message, its id among it.
#
# proves R211 R216 R220

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('coverage');
my $node = $stage->node;
my $workspace = $stage->workspace;

# ------------------------------------------------------ the list is whole
my %expected;
for my $line (split /\n/, slurp_file('test/sql/evidence_coverage.list'))
{
	next if $line =~ /^(#|$)/;
	my ($name, $rest) = $line =~ /^(\w+) (.+)$/ or die "evidence_coverage.list: $line";
	$expected{$name} = $rest;
}
my @function = split /\n/, $stage->sql(<<'SQL');
SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'laras' AND p.provolatile = 'v' ORDER BY 1
SQL
my %exists = map { $_ => 1 } @function;
is(join(' ', grep { !$expected{$_} } @function), '', 'every function that may change something is on the list');
is(join(' ', grep { !$exists{$_} } sort keys %expected), '', 'and the list names no other');

# ------------------------------------------------------------ a stage to act on
my $connection = $stage->connect;
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Gayo 250 gr', 95000, 12)");
is($stage->customer('6281230007777', 'Halo kak, berapa harga kopi gayo?')->{status}, 200, 'a customer writes');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.messages'), 'and is heard');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state = 'held'"), 'and gets a draft');
my $draft = $stage->bound('SELECT id FROM laras.drafts');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');
my $contact = $stage->bound('SELECT id FROM laras.contacts');
my $agent = $stage->bound("SELECT laras.add_member('agent\@shop.example', 'Agent', 'agent', 'correct horse battery')");
my $owner = $stage->bound("SELECT id FROM laras.members WHERE role = 'owner'");
$stage->bound("SELECT laras.create_api_key('one', '{inbox}')");
my $prefix = $stage->bound('SELECT prefix FROM laras.api_keys LIMIT 1');
my $session = $stage->sql("SELECT laras.log_in('owner\@shop.example', 'correct horse battery')");
my $odd = $stage->body('6281230007777', 'x') =~ s/"id":"wamid[^"]*",//r;
is(post_webhook($stage->url, 'wa', $stage->shop->{secret}, $odd)->{status}, 200, 'something odd comes');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.quarantine'), 'and is set aside');
my $aside = $stage->bound('SELECT id FROM laras.quarantine');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'event.quarantined' AND subject_id = $aside"), 1, 'as the evidence says');
my $number = $stage->sandbox->control(POST => 'number', { waba_id => $stage->shop->{waba}, display_phone_number => '+628117770002' })->{id};
my $pair = qq('whatsapp', '{"phone_number_id": "$number", "waba_id": "$stage->{shop}{waba}"}', '$stage->{shop}{token}');
my $act = "SELECT laras.act_as($workspace, $owner)";
my $template = $stage->bound(qq{SELECT laras.create_template($connection, 'kabar', 'id', 'utility', '[{"type": "BODY", "text": "Kabar baik"}]')});

# A rotation wants the next epoch's key beside the current one.
my $key_file = Laras->master_key_file($node);
my $keys = slurp_file($key_file) . '2 ' . 'ab' x 32 . "\n";
unlink $key_file;
PostgreSQL::Test::Utils::append_to_file($key_file, $keys);
chmod 0400, $key_file or die;

my $escrow = $node->basedir . '/escrow';
mkdir $escrow, 0700 or die "$escrow: $!";
my $copy = $stage->sql("SELECT laras.register_keyring_copy('clone for staging')");

# What is run for each function, in a transaction of its own that is rolled back.
my %case = (
	adopt_template => [ $act, "SELECT laras.adopt_template($template)" ],
	create_template => [ $act, qq{SELECT laras.create_template($connection, 'salam', 'id', 'utility', '[{"type": "BODY", "text": "Salam"}]')} ],
	submit_template => [ $act, "SELECT laras.submit_template($template)" ],
	send_template => [ $act, "SELECT laras.send_template($conversation, $template)" ],
	accept_terms => [ "INSERT INTO laras.terms (party, version, effective_from, title) VALUES ('partner', '2', laras.now()::date, 'New terms')", $act, "SELECT laras.accept_terms('partner', '2')" ],
	configure_channel => [ $act, "SELECT laras.configure_channel('whatsapp', '{service}')" ],
	add_member => [ $act, "SELECT laras.add_member('new\@shop.example', 'New', 'agent', 'correct horse battery')" ],
	approve_draft => [ $act, "SELECT laras.approve_draft($draft)" ],
	begin_connect => [ $act, "SELECT laras.begin_connect('whatsapp')" ],
	create_api_key => [ $act, "SELECT laras.create_api_key('two', '{inbox}')" ],
	create_workspace => [ "SELECT laras.create_workspace('Second', 'second\@shop.example', 'correct horse battery')" ],
	disconnect => [ $act, "SELECT laras.disconnect($connection)" ],
	http_request => [ q{SELECT laras.http_request('POST', '/login', '', '{content-type,application/json}', convert_to('{"email": "owner@shop.example", "password": "correct horse battery"}', 'UTF8'))} ],
	log_in => [ "SELECT laras.log_in('owner\@shop.example', 'correct horse battery')" ],
	log_out => [ "SELECT laras.enter('$session')", 'SELECT laras.log_out()' ],
	pair_connection => [ $act, "SELECT laras.pair_connection($pair)", "SELECT laras.pair_connection($pair, false)" ],
	configure_llm => [ "SELECT laras.configure_llm($workspace, 'https://llm.example/v1/chat/completions', 'm', 'sk-0123456789')" ],
	register_provider_app => [ "SELECT laras.register_provider_app('{whatsapp}', '555', 'a secret of an app', 'verify-me-please')" ],
	reject_draft => [ $act, "SELECT laras.reject_draft($draft, 'no')" ],
	remove_member => [ $act, "SELECT laras.remove_member($agent)" ],
	confirm_master_key_destroyed => [ "UPDATE laras.master_key_epoch SET epoch = 9, retired_at = began_at", "SELECT laras.confirm_master_key_destroyed(9, 'HSM record 9')" ],
	escrow_keyring => [ "SELECT laras.escrow_keyring('$escrow', 'safe of the bank')" ],
	register_keyring_copy => [ "SELECT laras.register_keyring_copy('clone for staging')" ],
	confirm_keyring_copy_destroyed => [ "SELECT laras.confirm_keyring_copy_destroyed($copy, 'the clone was wiped')" ],
	rotate_master_key => [ 'SELECT laras.rotate_master_key()' ],
	remove_mirror => [ "SELECT laras.remove_mirror('b', 'its disk was shredded')" ],
	replay_quarantined => [ $act, "SELECT laras.replay_quarantined($aside)" ],
	merge_contacts => [ $act, "INSERT INTO laras.contact (workspace_id, id, slot) SELECT workspace_id, 77, slot + 100000 FROM laras.contact WHERE id = $contact", "SELECT laras.merge_contacts($contact, 77, 'sama')" ],
	private_reply => [ "UPDATE laras.message SET kind = 'comment', channel = 'instagram' WHERE conversation_id = $conversation", "UPDATE laras.conversation SET channel = 'instagram' WHERE id = $conversation", $act, "SELECT laras.private_reply((SELECT min(id) FROM laras.messages WHERE kind = 'comment'), 'baik')" ],
	reply => [ $act, "SELECT laras.reply($conversation, 'halo juga')" ],
	erase_listed => [ $act, "SELECT laras.erase_listed('value', 'csv', NULL, 'phone')" ],
	import_deletion_list => [ "SELECT laras.import_deletion_list('whatsapp', '{4711}')" ],
	request_erasure => [ $act, "SELECT laras.request_erasure('contact', '{\"contact_id\": \"$contact\"}')" ],
	revoke_api_key => [ $act, "SELECT laras.revoke_api_key('$prefix')" ],
	set_auto_send => [ $act, "SELECT laras.set_auto_send($connection, true)" ],
	set_presence => [ $act, "SELECT laras.set_presence($connection, 'read')" ],
	set_uncertain_policy => [ $act, "SELECT laras.set_uncertain_policy($connection, 'resend_once')" ],
	set_region => [ $act, "SELECT laras.set_region('SG')" ],
	set_time_zone => [ $act, "SELECT laras.set_time_zone('Asia/Makassar')" ],
	set_send_rate => [ $act, "SELECT laras.set_send_rate($connection, 20)" ],
	cancel_message => [ $act, "SELECT laras.cancel_message(laras.reply($conversation, 'halo juga'))" ],
	settle_message => [ $act, "CREATE TEMP TABLE lost AS SELECT laras.reply($conversation, 'halo juga') AS id", "UPDATE laras.outbox SET state = 'uncertain' WHERE message_id = (SELECT id FROM lost)", 'SELECT laras.settle_message(id, $$sent$$) FROM lost' ],
	take_webhook_secret => [ "SELECT laras.register_provider_app('{email}', 'mail', 'a secret of addresses', 'not used here', '{\"smtp\": [\"smtps://mail.example\"]}')",
		$act, qq(SELECT laras.take_webhook_secret(laras.pair_connection('email', '{"address": "halo\@shop.example", "server": "smtps://mail.example"}', 'x', false))) ],
	fetch_media => [ "INSERT INTO laras.media (workspace_id, id, message_id, part_id, contact_id, connection_id, slot, direction, kind, state) SELECT workspace_id, 88, id, 1, contact_id, connection_id, slot, 'in', 'image', 'failed' FROM laras.message WHERE conversation_id = $conversation LIMIT 1", $act, 'SELECT laras.fetch_media(88)' ],
	upload_media => [ $act, "SELECT laras.upload_media($conversation, '\\x89504e470d0a1a0a', 'image/png')" ],
	set_media_quota => [ "SELECT laras.set_media_quota($workspace, 1000)" ],
	set_opt_out => [ $act, "SELECT laras.set_opt_out($contact, true)" ],
	set_consent_basis => [ $act, "SELECT laras.set_consent_basis($contact, 'consent')" ],
	set_member_role => [ $act, "SELECT laras.set_member_role($agent, 'admin')" ],
);

for my $name (sort keys %expected)
{
	next if $expected{$name} =~ /^- \w/ || $name eq 'receive_webhooks';
	ok($case{$name}, "$name can be run") or next;
	my $entries = $stage->sql('SELECT count(*) FROM laras.evidence_entry');
	my ($code, $out, $error) = $node->psql('postgres', join('; ', 'BEGIN', @{ $case{$name} },
		q{SELECT 'acts', string_agg(DISTINCT laras.evidence_action(action), ' ') FROM laras.evidence_entry WHERE txid = pg_current_xact_id()}, 'ROLLBACK'));
	is($error, '', "$name runs");
	my ($acts) = $out =~ /^acts\|(.*)$/m;
	my %found = map { $_ => 1 } split / /, $acts // '';
	is(join(' ', grep { !$found{$_} } split / /, $expected{$name}), '', "$name leaves $expected{$name} in its own transaction") or diag "found: $acts";
	is($stage->sql(q{SELECT count(*) FROM laras.evidence_entry e WHERE pg_xact_status(e.txid) = 'aborted'}), 0, 'and none where that is rolled back');
}

# ------------------------------------------------------- what workers do
my $received = q{SELECT count(*) = count(*) FILTER (WHERE e.xmin = m.xmin) AND count(*) > 0 FROM laras.message m
	JOIN laras.evidence_entry e ON e.workspace_id = m.workspace_id AND e.subject_id = m.id AND laras.evidence_action(e.action) = 'message.received'};
is($stage->sql($received), 't', 'a message received is in the evidence by the transaction that stored it');

# ------------------------------------------- what the provider says of a message
my $message = $stage->bound("SELECT laras.reply($conversation, 'Masih ada, kak.')");
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $message"), 'a reply is delivered');
my $wamid = $stage->bound("SELECT provider_message_id FROM laras.messages WHERE id = $message");
my $log = $stage->bound("SELECT string_agg(action || ' ' || detail::text, chr(10)) FROM laras.evidence_log WHERE subject_id = $message");
for my $action (qw(message.queued message.sent message.delivered))
{
	like($log, qr/^\Q$action\E /m, "$action is in the chain");
}
like($log, qr/^message\.sent .*"provider_message_id"/m, "with the provider's id of it");
unlike($log, qr/\Q$wamid\E/, 'committed to, not written down');
ok(wait_for(sub { $stage->bound("SELECT count(*) = 0 FROM laras.evidence_log WHERE position IS NULL") eq 't' }), 'all of it gets its place in the tree');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'which verifies');
$stage->stop;
done_testing();
