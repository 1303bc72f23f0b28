# A dump restored into a fresh cluster with the same keyring: serial, in four
# jobs, in one transaction. Every row comes back, sealed values open, the erased
# stay erased, laras keeps still until resume() and goes on where it was: what
# waited is applied and sent, once. The master key is in no dump.
#
# proves R020

use strict;
use warnings;

use Channels;
use IPC::Run ();
use JSON::PP ();
use Laras;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::RecursiveCopy ();
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $stage = Stage->new('source');
my $source = $stage->node;
my $workspace = $stage->workspace;
my $connection = $stage->connect;

# The source's transaction numbers lie beyond those of every fresh cluster.
burn($source, 3000);

# ---------------------------------------------------------------- real contents
my %person = (budi => '6281250001111', sari => '6281250002222', tono => '6281250003333');
$stage->customer($person{$_}, "halo dari $_") for sort keys %person;
ok($stage->wait_bound('SELECT count(*) = 3 FROM laras.messages'), 'three people wrote');
my $conversation = $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'halo dari sari'");
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price) SELECT $workspace, laras.new_id(), 'Kopi ' || i, 1000 * i FROM generate_series(1, 300) i");
$stage->bound("INSERT INTO laras.policy_text (workspace_id, id, topic, body) VALUES ($workspace, laras.new_id(), 'kirim', E'Dikirim\\ttiap hari\\\\\\nkecuali Minggu')");
$stage->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 1, 'pasti untung')");
$stage->bound("INSERT INTO laras.required_phrase (workspace_id, id, phrase, topic) VALUES ($workspace, 1, 'belum termasuk ongkir', 'price')");
$stage->bound("INSERT INTO laras.faq (workspace_id, id, question, answer) VALUES ($workspace, 1, 'Buka jam berapa?', 'Buka jam 09.00.')");
$stage->bound("INSERT INTO laras.opening_hours (workspace_id, id, weekday, hours) VALUES ($workspace, 1, 'sunday', '08:00-12:00, 16:00-02:00')");
$stage->bound("INSERT INTO laras.opening_hours (workspace_id, id, on_date, hours, note) VALUES ($workspace, 2, '2030-12-25', 'closed', 'Natal')");
$stage->bound("INSERT INTO laras.brand_voice (workspace_id, id, greeting, sign_off, emoji) VALUES ($workspace, 1, 'Halo!', E'Salam,\\nKopi Kita', false)");
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, topic) VALUES ($workspace, 1, 'price')");
$stage->bound("SELECT laras.create_api_key('mesin', '{inbox}')");
$stage->customer($person{sari}, 'buka jam berapa kak?');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE jsonb_array_length(sources) > 0"), 'a draft cites a row');
$stage->sql("SELECT laras.configure_llm($workspace, '" . $stage->sandbox->url . "/v1/chat/completions', 'groundless', 'sk-0123456789')");
$stage->customer($person{tono}, 'kopi 7 ada kak?');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE 'llm_no_ground' = ANY (hold_reasons)"), 'a language model was asked');
$stage->sql("INSERT INTO laras.window_rule (channel, purpose, opened_by, lasts, remark) VALUES ('whatsapp', 'reply', 'message', 80000, 'a little sooner')");
$stage->sql("INSERT INTO laras.chat_spelling (word, meaning, reason) VALUES ('sjk', 'serundeng', 'short name of a dish here')");
$stage->bound(qq{SELECT laras.create_template($connection, 'kabar', 'id', 'utility', '[{"type": "BODY", "text": "Kabar baik"}]')});
$stage->bound("INSERT INTO laras.follow_up_rule (workspace_id, id, idle_hours, body) VALUES ($workspace, 1, 20, 'Masih berminat, kak?')");
$stage->sql("INSERT INTO laras.terms (party, version, effective_from, title) VALUES ('partner', '2', laras.now()::date, 'Terms of this operator')");
$stage->sql("INSERT INTO laras.ai_rule (channel, rule, enabled, remark) VALUES ('telegram', 'no_training', false, 'a model of our own')");
$stage->sql("INSERT INTO laras.limit_rule (channel, per_second, remark) VALUES ('whatsapp', 20, 'a shared number')");
$stage->bound("SELECT laras.set_opt_out((SELECT contact_id FROM laras.messages WHERE body = 'halo dari tono'), true)");
$stage->bound('SELECT laras.reject_draft(id) FROM laras.drafts WHERE jsonb_array_length(sources) > 0');
$stage->sandbox->fault(action => 'refuse', code => 131026, match => { route => 'messages' });
my $refused = reply('tidak sampai');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.notices WHERE message_id = $refused"), 'a refusal leaves a notice');
$stage->sandbox->fault(action => 'close_unanswered', statuses => 'never', match => { route => 'messages' });
my $uncertain = $stage->bound(qq(SELECT laras.reply($conversation, 'entah', '{"uncertain_policy": "resend_once"}')));
ok($stage->wait_bound("SELECT state = 'uncertain' FROM laras.outbox WHERE message_id = $uncertain"), 'and a lost answer a message of which nobody knows');
is(post_webhook($stage->url, 'wa', $stage->shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $stage->shop->{waba},
	changes => [ { field => 'messages', value => { messaging_product => 'whatsapp', metadata => { display_phone_number => '1', phone_number_id => $stage->shop->{number} },
	statuses => [ { id => 'wamid.NOBODYS', status => 'delivered', timestamp => '' . time, recipient_id => $person{sari} } ] } } ] } ] }))->{status}, 200, 'a status of nothing that is known');
ok(wait_for_sql($source, 'SELECT count(*) = 1 FROM laras.unmatched_status'), 'is kept for a while');
is(post_webhook($stage->url, 'wa', $stage->shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $stage->shop->{waba},
	changes => [ { field => 'messages', value => { messaging_product => 'whatsapp', metadata => { display_phone_number => '1', phone_number_id => $stage->shop->{number} },
	messages => [ { id => 'wamid.PLACE', from => $person{sari}, timestamp => '' . time, type => 'location', location => { latitude => -6.2, longitude => 106.8 } } ] } } ] } ] }))->{status}, 200, 'somebody says where she is');
ok(wait_for_sql($source, 'SELECT count(*) = 1 FROM laras.message_part'), 'which is a part of her message');
my $picture = $stage->sandbox->control(POST => 'media', { number => $stage->shop->{number}, mime_type => 'image/png', size => 300000 });
$stage->sandbox->control(POST => 'customer/message', { number => $stage->shop->{number}, from => $person{sari}, message => { type => 'image', image => { id => $picture->{id}, mime_type => 'image/png', sha256 => $picture->{sha256} } } });
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.attachments WHERE state = 'stored'", 30), 'she sends a picture');
my $sent = reply('selamat datang');
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $sent"), 'a reply was delivered');
my $public = Channels->open($stage, 'instagram');
$public->connect;
my $below = $stage->sandbox->control(POST => 'account/post', { account => $public->{account}{number} })->{id};
$stage->sandbox->control(POST => 'account/comment', { post => $below, from => $public->person('Sari'), name => 'Sari', text => 'berapa?' });
ok($public->wait_bound('SELECT count(*) = 1 FROM laras.comments', 30), 'somebody comments below a post');
$stage->sandbox->control(POST => 'account/comment', { post => $below, from => $public->person('Sinta'), name => 'Sinta', text => 'ini Sari' });
ok($public->wait_bound('SELECT count(*) = 2 FROM laras.comments', 30), 'and once more under another name');
$public->bound("SELECT laras.merge_contacts((SELECT contact_id FROM laras.comments WHERE body = 'berapa?'), (SELECT contact_id FROM laras.comments WHERE body = 'ini Sari'), 'sama')");
my $private = $public->bound("SELECT laras.private_reply(id, 'Rp15.000') FROM laras.comments WHERE body = 'berapa?'");
ok($public->wait_bound("SELECT status = 'sent' FROM laras.messages WHERE id = $private", 30), 'and is answered in private');
is($stage->webhook('', 'x', id => undef)->{status}, 200, 'a message that is none is taken');
is(post_webhook($stage->url, 'wa', $stage->shop->{secret}, '{broken')->{status}, 200, 'so is a body that is none');
is($stage->webhook('628', 'x', number => '999')->{status}, 200, 'and one for nobody');
ok(wait_for_sql($source, 'SELECT (SELECT count(*) FROM laras.quarantined_event) > 0 AND (SELECT count(*) FROM laras.quarantined_body) > 0 AND (SELECT count(*) FROM laras.ignored_event) > 0'), 'they are set aside and counted');
my $code = $stage->bound("SELECT laras.request_erasure('contact', jsonb_build_object('contact_id', (SELECT contact_id::text FROM laras.messages WHERE body = 'halo dari budi')))");
ok(wait_for(sub { my (undef, $a) = $stage->call(GET => "/data-deletion/status/$code"); return $a->{state} eq 'removed' }), 'Budi is erased');
my $other = $stage->sql("SELECT laras.create_workspace('Other', 'other\@shop.example', 'correct horse battery')");

$stage->sql('SELECT laras.scrub_keyring()');
ok(wait_for_sql($source, 'SELECT count(*) = 1 FROM laras.keyring_scrub'), 'the keyring is looked at');
$stage->sql("INSERT INTO laras.mirror_removal (place, mirror, statement, pending, journalled_at) VALUES (decode('00112233445566778899aabbccddeeff', 'hex'), 'z', 'its disk was shredded', 0, now())");

$stage->sql("SELECT laras.register_keyring_copy('clone for staging')");

$stage->bound("SELECT laras.erase_listed(E'value\\n0812-9999-9999', 'csv', NULL, 'phone')");

# What waits when the dump is made: two events, one reply.
$stage->sql("SELECT laras.drain('30 s')");
ok(wait_for_sql($source, 'SELECT count(*) = 0 FROM laras.key_destruction WHERE verified_at IS NULL'), 'every destruction is verified');
$stage->sql("SELECT laras.pause_workers('keeper')");
$stage->customer($person{tono}, 'belum dijawab');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'belum dijawab'"), 'a message waits for its draft');
$stage->sql('SELECT laras.pause_workers()');
is($stage->webhook($person{tono}, "menunggu $_")->{status}, 200, 'an event waits') for 1, 2;
my $waiting = reply('balasan yang menunggu');

$stage->sql("INSERT INTO laras.send_pause SELECT workspace_id, id, true, 3, clock_timestamp() FROM laras.connection WHERE state = 'connected' LIMIT 1");

my $before = fingerprint($source);
# Whatever is dumped has a row here, or the comparison would prove nothing of it; a partition may be empty.
my @empty = grep { !$before->{$_} && !/^webhook_event_\d+$/ } sort keys %$before;
is("@empty", '', 'every table has rows before the dump');
ok((grep { /^webhook_event_\d+$/ && $before->{$_} } keys %$before), 'and so have raw events');

# -------------------------------------------------------------------- the dumps
my $dumps = $source->basedir . '/dumps';
mkdir $dumps or die "$dumps: $!";
my @dump = ('pg_dump', '--role=laras_backup', '-d', $source->connstr('postgres'));
command_ok([ @dump, '-Fc', '-f', "$dumps/custom" ], 'pg_dump as laras_backup, one file');
command_ok([ @dump, '-Fd', '-j2', '-f', "$dumps/directory" ], 'and a directory');
command_ok([ @dump, '-Fp', '-f', "$dumps/plain" ], 'and text');
is_deeply(fingerprint($source), $before, 'meanwhile nothing moved');

my $plain = slurp_file("$dumps/plain");
like($plain, qr/^$workspace\t/m, 'the dump holds the rows');
for my $file (Laras->master_key_file($source), Laras->evidence_key_file($source))
{
	my ($hex) = slurp_file($file) =~ /([0-9a-f]{64})/ or die 'no key';
	my $key = pack 'H*', $hex;
	my $base64 = encode_base64($key, '') =~ s/=+$//r;
	ok($plain !~ /\Q$hex\E/i && index($plain, $key) < 0 && index($plain, $base64) < 0, 'and no key');
}
# a token stands between other signs than those of sealed values, which may happen to begin like one
unlike($plain, qr/halo dari|menunggu|$person{sari}|(?<![A-Za-z0-9+\/])EAAG[A-Za-z0-9]{24}/, 'nor a word, a number or a token');

$stage->{relay}->stop;
$source->stop('fast');

# ----------------------------------------------------------------- the restores
my $directory = "$dumps/directory";
for my $case (
	[ serial => {}, "$dumps/custom" ],
	[ jobs => { PGOPTIONS => '-c session_replication_role=replica' }, '-j4', '--exit-on-error', $directory ],
	[ single => {}, '--single-transaction', '--exit-on-error', "$dumps/custom" ])
{
	restore(@$case);
}
$stage->sandbox->program->stop;
done_testing();

# ------------------------------------------------------------------- helpers

sub reply { return $stage->bound("SELECT laras.reply($conversation, '$_[0]')"); }

# The rows of every table of laras by name, as text: '' where there is none.
sub fingerprint
{
	my ($node) = @_;
	my $each = $node->safe_psql('postgres', q{SELECT string_agg(format(
		$$SELECT %L || ' ' || coalesce(md5(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C")), '') FROM laras.%I t$$,
		relname, relname), ' UNION ALL ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'laras'::regnamespace AND relkind = 'r'});
	return { map { my ($table, $sum) = split / /, $_, 2; ($table => $sum) } split /\n/, $node->safe_psql('postgres', $each) };
}

# Uses up transaction numbers.
sub burn
{
	my ($node, $n) = @_;
	$node->safe_psql('postgres', "SELECT pg_current_xact_id();\n" x $n);
	return;
}

sub answer
{
	my ($node, $method, $path) = @_;
	return $node->safe_psql('postgres', "SELECT status FROM laras.http_request('$method', '$path', NULL, '{}', NULL)");
}

sub webhook
{
	my ($node, $body) = @_;
	my $signature = webhook_headers($stage->shop->{secret}, $body)->{'X-Hub-Signature-256'};
	return $node->safe_psql('postgres', "SELECT status FROM laras.receive_webhooks('{wa}', '{$signature}', ARRAY[decode('" . unpack('H*', $body) . "', 'hex')])");
}

sub sends { return scalar grep { $_->{method} eq 'POST' && $_->{path} =~ /messages$/ } $stage->sandbox->ledger; }

sub bound
{
	my ($node, $query) = @_;
	my $all = $node->safe_psql('postgres', "BEGIN; SELECT 'bound', laras.act_as($workspace); $query; COMMIT");
	return $all =~ s/^bound\|\d+\n?//r;
}

sub restore
{
	my ($how, $environment, @options) = @_;
	my $node = Laras->cluster("to_$how", start => 0, settings => { 'laras.public_url' => $stage->url });
	# The mirrors, the master key and the key of evidence with its high-water file move over.
	for my $mirror (qw(a b))
	{
		rmdir Laras->mirror($node, $mirror) or die "rmdir: $!";
		PostgreSQL::Test::RecursiveCopy::copypath(Laras->mirror($source, $mirror), Laras->mirror($node, $mirror));
	}
	my %file = (Laras->master_key_file($source) => Laras->master_key_file($node),
		Laras->evidence_key_file($source) => Laras->evidence_key_file($node),
		Laras->evidence_key_file($source) . '.high-water' => Laras->evidence_key_file($node) . '.high-water');
	for my $from (keys %file)
	{
		unlink $file{$from};
		system('cp', '-p', $from, $file{$from}) == 0 or die "cp $from";
	}
	system('chmod', '-R', 'go=', Laras->outside($node)) == 0 or die 'chmod';
	$node->start;

	{
		local %ENV = (%ENV, %$environment);
		my ($out, $err) = ('', '');
		ok(IPC::Run::run([ 'pg_restore', '-d', $node->connstr('postgres'), @options ], '>', \$out, '2>', \$err), "$how: pg_restore succeeds") or diag $err;
		is($err, '', "$how: without a word");
	}
	my $after = fingerprint($node);
	my @own = $node->safe_psql('postgres', 'SELECT count(*) FROM laras.installation');
	is("@own", '2', "$how: the place the rows came from stands beside this one");
	my %wanted = %$before;
	# these speak of the place and not of the contents
	delete @$_{qw(installation evidence_cursor)} for $after, \%wanted;
	is_deeply($after, \%wanted, "$how: every row of every table is as it was");

	# ------------------------------------------------------------- kept closed
	closed($node, "$how, the keyring another's");
	my ($state) = $node->safe_psql('postgres', q{SELECT string_agg("check" || ' ' || state, ', ') FROM laras.resume() WHERE state = 'fail'});
	is($state, 'keyring fail, event cursor fail', "$how: resume() first wants the keyring");
	is($node->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 't', "$how: the keyring is adopted");
	ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), "$how: the vault opens");
	is(bound($node, "SELECT body FROM laras.messages WHERE id = $sent"), 'selamat datang', "$how: what was sealed opens");
	my $sends = sends();
	closed($node, "$how, not resumed");
	is($node->safe_psql('postgres', q{SELECT state FROM laras.doctor() WHERE "check" = 'contents'}), 'fail', "$how: doctor() says so");
	$node->safe_psql('postgres', "SELECT laras.drain('5 s')");
	is(bound($node, "SELECT count(*) FROM laras.messages WHERE body LIKE 'menunggu%'"), 0, "$how: no event is applied");
	is($node->safe_psql('postgres', "SELECT state FROM laras.outbox WHERE message_id = $waiting"), 'queued', "$how: nothing is claimed");
	is(sends(), $sends, "$how: nor sent");
	my $now = fingerprint($node);
	my @moved = grep { ($now->{$_} // '') ne ($wanted{$_} // '') && !/^(installation|evidence_cursor)$/ } sort keys %$now;
	is("@moved", 'keyring_mark', "$how: the keeper keeps still, only the adoption left its mark");

	# a hanging foreign key: found, said, and nothing opened
	my $hanging = $node->safe_psql('postgres', "BEGIN; SET LOCAL session_replication_role = replica; "
		  . "DELETE FROM laras.conversation WHERE id = $conversation; "
		  . q{SELECT "check", detail FROM laras.resume() WHERE state = 'fail' ORDER BY 1; } . 'ROLLBACK');
	like($hanging, qr/^foreign key \w+\|\d+ rows of laras\.message name a row of laras\.conversation that is not there$/m, "$how: a row without its parent is found");
	like($hanging, qr/^event cursor\|laras stays closed; nothing was changed: put right what fails above, and call laras\.resume\(\) again$/m, "$how: and keeps laras closed");
	my (undef, undef, $error) = $node->psql('postgres', 'SET ROLE laras_service; SELECT * FROM laras.resume()');
	like($error, qr/permission denied/, "$how: only laras_dba resumes");

	# ------------------------------------------------------------------ resumed
	my $resumed = $node->safe_psql('postgres', 'SET ROLE laras_dba; SELECT * FROM laras.resume()');
	unlike($resumed, qr/\|fail\|/, "$how: resume() finds all whole");
	like($resumed, qr/^event cursor\|ok\|.* 2 events are still/m, "$how: and two events to apply") or diag $resumed;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM laras.installation'), 1, "$how: the contents are at home");
	ok(wait_for(sub { bound($node, "SELECT count(*) FROM laras.messages WHERE body LIKE 'menunggu%'") eq '2' }), "$how: what waited is applied");
	like($resumed, qr/^sends\|warn\|1 messages/m, "$how: what waited to be sent is parked, for the source may have sent it");
	is($node->safe_psql('postgres', "SELECT uncertain_policy FROM laras.outbox WHERE message_id = $uncertain"), 'hold', "$how: nor is what is uncertain sent again from here");
	$node->safe_psql('postgres', "SELECT laras.drain('5 s')");
	is(sends(), $sends, "$how: nothing is sent twice by itself");
	like($node->safe_psql('postgres', 'SET ROLE laras_dba; SELECT * FROM laras.resume(true)'), qr/^sends\|ok\|1 parked/m, "$how: who knows better says so");
	ok(wait_for(sub { sends() == $sends + 1 }), "$how: and it is sent");
	is(answer($node, 'GET', '/healthz'), 200, "$how: the gateway is open");
	is(webhook($node, $stage->body($person{sari}, "sesudah $how")), 200, "$how: a new webhook is taken");
	ok(wait_for(sub { bound($node, "SELECT count(*) FROM laras.messages WHERE body = 'sesudah $how'") eq '1' }), "$how: and applied");
	# This cluster comes to the numbers that the source's events had.
	burn($node, 4000);
	is(webhook($node, $stage->body($person{sari}, "terakhir $how")), 200, "$how: long after");
	ok(wait_for(sub { bound($node, "SELECT count(*) FROM laras.messages WHERE body = 'terakhir $how'") eq '1' }), "$how: webhooks are applied");
	is($node->safe_psql('postgres', "SELECT laras.drain('30 s')"), 't', "$how: nothing is left to do");
	is(bound($node, q{SELECT body FROM laras.messages WHERE kind = 'text' ORDER BY body COLLATE "C"}),
		join("\n", 'balasan yang menunggu', 'belum dijawab', 'buka jam berapa kak?', 'entah', 'halo dari sari', 'halo dari tono', 'kopi 7 ada kak?', 'menunggu 1', 'menunggu 2', 'selamat datang',
			"sesudah $how", "terakhir $how", 'tidak sampai'),
		"$how: nothing came twice, and of Budi nothing");
	is($node->safe_psql('postgres', "SELECT laras.erasure_status('$code')->>'state'"), 'removed', "$how: the erased stay erased");
	is(bound($node, q{SELECT count(*) > 0 FROM laras.drafts d JOIN laras.messages m ON m.id = d.inbound_message_id WHERE m.body IN ('belum dijawab', 'menunggu 1', 'menunggu 2')})
		  . $node->safe_psql('postgres', 'SELECT count(*) FROM laras.draft_wanted'), 't0', "$how: who waited for a draft has one");
	is(bound($node, 'SELECT count(*) FROM laras.verify_evidence()'), 0, "$how: the evidence verifies");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM laras.verify_platform_evidence()'), 0, "$how: the platform's too");
	unlike($node->safe_psql('postgres', 'SELECT * FROM laras.resume()'), qr/\|fail\|/, "$how: resume() once more changes nothing");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, "$how: no worker failed")
	  or diag $node->safe_psql('postgres', 'SELECT worker, last_error_code, last_error FROM laras.worker_status');

	if ($how eq 'single')
	{
		unlink Laras->master_key_file($node);
		$node->restart;
		wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'closed'");
		(undef, undef, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.begin_connect('whatsapp'); COMMIT");
		like($error, qr/vault/, 'without the master key no connection is begun');
		is(bound($node, 'SELECT count(*) FROM laras.catalog_item'), 300, 'while what needs no key works');
	}
	$node->stop('fast');
	return;
}

sub closed
{
	my ($node, $when) = @_;
	is(webhook($node, $stage->body($person{sari}, 'terlalu awal')), 503, "$when: a webhook is answered 503");
	is(answer($node, 'GET', '/app/settings/integrations'), 503, "$when: so is a request");
	is(answer($node, 'GET', '/healthz'), 503, "$when: and the question after health");
	return;
}
