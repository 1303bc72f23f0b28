# Drafts by a language model: what it is told is what the drafting role sees, a
# customer's text is data in it; what it writes is held to its form, to the rows
# that it was given and to the classifier; every way to go wrong is held with
# its reason or falls back, is logged, and sends nothing. Key, budget, log,
# cache and erasure.
# proves R056 R057 R060 R064 R104 R105 R224
use strict;
use warnings;

use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref;
my $stage = Stage->new('llm', settings => { 'laras.request_timeout' => '1500ms' });
my $node = $stage->node;
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $other = $stage->sql(q{SELECT laras.create_workspace('Toko Lain', 'other@shop.example', 'correct horse battery')});
my $endpoint = $stage->sandbox->url . '/v1/chat/completions';
my $key = 'sk-rahasia-sekali-0123456789';

$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
	($workspace, 1, 'Kopi Toraja 250 gr', 'Biji sangrai gelap.', 105000, 9), ($workspace, 2, 'Teh Poci', 'Diseduh lama.', 6000, 40)});
$stage->bound(qq{INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES ($workspace, 3, 'jam buka', 'id', 'Kami buka setiap hari jam 07.00 sampai 21.00.')});
$stage->sql(qq{BEGIN; SELECT laras.act_as($other) > 0; SET LOCAL ROLE laras_app; INSERT INTO laras.catalog_item (workspace_id, id, name, price) VALUES ($other, 4, 'Kopi Toraja rahasia tetangga', 77777); COMMIT});
$stage->bound("SELECT laras.set_auto_send($connection, true)");

# Through a bind parameter, as a client does.
sub configure
{
	my ($model, %options) = @_;
	my $url = delete $options{url} // $endpoint;
	my $text = $json->encode(\%options);
	return $node->psql('postgres', "SET ROLE laras_dba; SELECT laras.configure_llm($workspace, '$url', '$model', '$key', '$text')");
}

my $serial = 0;
my $phone;
sub asks
{
	my ($text, $from) = @_;
	$phone = $from // sprintf '6281270%06d', ++$serial;
	my $before = $stage->bound("SELECT coalesce(max(d.id), 0) FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'");
	$stage->customer($phone, $text);
	my $id = '';
	wait_for(sub {
		$id = $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone' AND d.id > $before");
		return $id ne '' }, 60) or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'), $stage->sql('SELECT kind, state, result FROM laras.courier_task ORDER BY id'));
	return $id;
}
sub draft { my ($id) = @_; return $stage->bound("SELECT CASE WHEN state IN ('approved', 'sent') THEN 'goes' ELSE state END || '|' || array_to_string(hold_reasons, ' ') || '|' || drafter || '|' || coalesce(body, '') FROM laras.drafts WHERE id = $id"); }
sub call { my ($id, $what) = @_; return $stage->bound("SELECT $what FROM laras.llm_calls c JOIN laras.drafts d ON d.inbound_message_id = c.inbound_message_id WHERE d.id = $id"); }
sub chats { return grep { $_->{path} =~ m{/chat/completions$} } $stage->sandbox->ledger; }

# ---- who may, and what is refused
is(configure('good'), 0, 'the operator names an endpoint');
isnt($node->psql('postgres', "SET ROLE $_; SELECT laras.configure_llm($workspace, '$endpoint', 'good', '', '{}')"), 0, "$_ does not") for qw(laras_app laras_service);
isnt(configure('good', url => $_), 0, "no endpoint: $_") for 'http://example.org/v1', 'file:///etc/passwd', 'ftp://127.0.0.1/', "$endpoint?x=1", '';
like((configure('good', unknown_word => 1))[2], qr/there is no option "unknown_word"/, 'an option that there is not is named');
like((configure('good', retries => 'many'))[2], qr/option "retries" must be a whole number/, 'so is one of another type');
unlike((configure('good', 'sk-4711 secret' => 1))[2], qr/4711/, 'what is no word is not repeated');
isnt(configure('good', %$_), 0, 'no option: ' . $json->encode($_)) for { unknown => 1 }, { retries => 'many' }, { retries => 9 }, { on_failure => 'shrug' }, { request_options => { messages => [] } }, { request_options => {} }, { request_options => { store => JSON::PP::true } }, { no_train => JSON::PP::true, request_options => { seed => 1 } }, { no_train_header => "X: y\nZ: w" };
# what is refused is said with the argument, and not by a statement inside
for my $bad ({ on_failure => 'panic' }, { daily_calls => -1 }, { daily_calls => 3_000_000_000 }, { retries => 5 }, { keep_days => 3651 }, { cache_minutes => -1 }, { no_train_header => 'none' }, { no_train_header => 'Authorization: x' }, { no_train_header => 'content-length: 3' }, { model => '' }, { model => ' ' }, { model => 'x' x 201 }, { url => 'https://model.example/' . 'x' x 1000 })
{
	my %options = %$bad;
	my (undef, undef, $error) = configure(delete $options{model} // 'good', %options);
	my ($named) = keys %$bad;
	like($error, qr/ERROR:  $named /, "refused by name: $named");
	unlike($error, qr/INSERT|violates/, 'and nothing of the inside');
}
isnt($node->psql('postgres', "SET ROLE laras_dba; SELECT laras.configure_llm(1, '$endpoint', 'good', '', '{}')"), 0, 'no such workspace');

# ---- a good model
configure('good', no_train_header => 'X-No-Train: 1');
my $id = asks('Halo kak, kopi toraja berapa harganya?');
my $first = $phone;
is(draft($id), 'goes||llm good|Untuk Kopi Toraja 250 gr harganya Rp 105000.00, Kak.', 'its draft goes by itself');
is($stage->bound("SELECT string_agg(source_table || source_id, ',') FROM laras.draft_sources WHERE draft_id = $id"), 'catalog_item1', 'and cites the row that it was given');
my $request = $json->decode(call($id, 'c.prompt'));
is($request->{model}, 'good', 'the log has what was asked');
is($request->{store}, JSON::PP::false, 'and that nothing be kept for training');
my $told = $json->decode($request->{messages}[1]{content});
is_deeply([ sort map { $_->{id} } @{ $told->{rows} } ], [ 'catalog_item/1' ], 'the rows are this workspace\'s');
is($told->{answer}, 'Halo kak, kopi toraja berapa harganya?', 'what is to be answered is a text beside the orders');
unlike($request->{messages}[0]{content}, qr/toraja/i, 'of which nothing stands in the orders');
unlike(call($id, 'c.prompt'), qr/tetangga|77777/, 'nothing of another workspace is told');
is(call($id, 'c.no_train || c.state || c.cached'), 'trueansweredfalse', 'the log says that it was told not to train');
like(call($id, 'c.response'), qr/"reply"/, 'and what the model wrote');
is((chats())[0]{type}, 'no-train 1', 'the endpoint was told by the header');
# It says so where the request does, whatever the endpoint's row claims.
my %told_by = (
	'a member' => [ [], 't', '' ],
	'another member' => [ [ request_options => { provider => { data_collection => 'deny' } } ], 't', '' ],
	'the header' => [ [ request_options => {}, no_train_header => 'X-No-Train: 1' ], 't', 'no-train 1' ],
	'nothing' => [ [ no_train => JSON::PP::false, request_options => {}, no_train_header => 'X-No-Train: 1' ], 'f', '' ],
);
$stage->sql("SET ROLE laras_dba; INSERT INTO laras.ai_rule (channel, rule, enabled, remark) VALUES ('whatsapp', 'no_training', false, 'a model of our own, in this house')");
for my $how (sort keys %told_by)
{
	my ($options, $flag, $header) = @{ $told_by{$how} };
	is(configure('good', @$options), 0, "told by $how");
	$id = asks("kopi toraja berapa harganya, dengan $how?");
	is(call($id, 'c.no_train') . ((chats())[-1]{type} // ''), "$flag$header", "the log says what is so: $how");
}
configure('good', cache_minutes => 0);
$stage->sql("UPDATE laras.llm_endpoint SET request_options = '{}', no_train = true WHERE workspace_id = $workspace");
is(call(asks('kopi toraja berapa harganya, kalau begini?'), 'c.no_train'), 'f', 'also where the row claims what the request does not do');
$stage->sql("SET ROLE laras_dba; DELETE FROM laras.ai_rule WHERE origin = 'local'");
my $not_asked = () = chats();
like(draft(asks('kopi toraja berapa harganya, kalau begitu?')), qr/^held\|[^|]*\bllm_trains\b/, 'where the terms forbid it, a model that may train is not asked');
is(scalar(() = chats()), $not_asked, 'nobody is told anything');
isnt($node->psql('postgres', "SET ROLE laras_dba; INSERT INTO laras.ai_rule (channel, rule, enabled, remark) VALUES ('whatsapp', 'own_scope', false, 'we want everything')"), 0, 'that it answers about the business alone nobody switches off');
configure('good', no_train_header => 'X-No-Train: 1');
is($stage->bound('SELECT calls_today FROM laras.llm_status'), 6, 'the calls are counted');
like($stage->bound('SELECT prompt_tokens_today FROM laras.llm_status'), qr/^[1-9]/, 'with its tokens');

# ---- the conversation, and no other one
asks('Dan teh poci ada, kak?', $first);
my $talk = $json->decode($json->decode($stage->bound("SELECT c.prompt FROM laras.llm_calls c ORDER BY c.created_at DESC, c.id DESC LIMIT 1"))->{messages}[1]{content})->{conversation};
is($talk->[0]{text}, 'Halo kak, kopi toraja berapa harganya?', 'what was written before is told');
is((grep { $_->{from} eq 'shop' } @$talk) > 0 ? 1 : 0, 1, 'with what the shop said');
$id = asks('teh poci berapa harganya?');
unlike(call($id, 'c.prompt'), qr/Halo kak, kopi toraja/, 'and nothing of another conversation');

# ---- courtesy and what a person must answer cost no call
my $before = () = chats();
is((split /\|/, draft(asks($_)))[2], 'built-in 1', "the built-in drafter answers: $_") for 'terima kasih ya kak', 'pesanan saya mana?';
like(draft(asks($_)), qr/^held\|hand_over off_scope\|built-in 1\|/, "and refuses: $_") for 'Buatkan saya puisi tentang hujan.', 'kerjain pr matematika aku dong', 'jadi pacarku yuk';
is(scalar(() = chats()), $before, 'nobody was asked');

# ---- the cache of a workspace
$id = asks('kak teh poci berapa harganya ya?');
my $again = asks('kak teh poci berapa harganya ya?');
is(call($again, "c.cached || c.state || coalesce(c.no_train::text, ' nobody was told')"), 'trueanswered nobody was told', 'the same prompt is answered from the log');
is((split /\|/, draft($again))[3], (split /\|/, draft($id))[3], 'alike');
is($stage->bound("SELECT count(*) FROM laras.llm_calls WHERE prompt LIKE '%kak teh poci berapa%'"), 2, 'each conversation has its own row');
# The same words in another workspace, which sells the same under the same id: a row of its own, and nobody's answer but its own.
my $waba = $stage->sandbox->control(POST => 'waba', { name => 'Toko Lain', subscribe => [ $stage->shop->{app} ] })->{id};
my $number = $stage->sandbox->control(POST => 'number', { waba_id => $waba, display_phone_number => '+628117770009' })->{id};
my $token = $stage->sandbox->control(POST => 'token', { app_id => $stage->shop->{app}, waba_id => $waba })->{token};
Laras->go_live($node, $other);
$stage->bound(qq(SELECT laras.pair_connection('whatsapp', '{"phone_number_id": "$number", "waba_id": "$waba"}', '$token', false)), $other);
$stage->bound("UPDATE laras.catalog_item SET id = 2, name = 'Teh Poci', description = 'Diseduh lama.', price = 6000, stock = 40 WHERE workspace_id = $other", $other);
$node->psql('postgres', "SET ROLE laras_dba; SELECT laras.configure_llm($other, '$endpoint', 'good', '$key', '{\"no_train_header\": \"X-No-Train: 1\"}')");
my $asked_before = () = chats();
$stage->sandbox->customer_says({ number => $number }, '628127999001', 'kak teh poci berapa harganya ya?', wait => JSON::PP::true);
ok(wait_for(sub { $stage->bound("SELECT count(*) = 1 FROM laras.llm_calls WHERE state = 'answered'", $other) eq 't' }, 60), 'another workspace asks the same');
is($stage->bound("SELECT prompt FROM laras.llm_calls", $other), call($again, 'c.prompt'), 'word for word');
is($stage->bound("SELECT cached FROM laras.llm_calls", $other), 'f', 'and is not answered from the cache of the first');
is(scalar(() = chats()), $asked_before + 1, 'the model was asked once more');
is($stage->sql("SELECT count(*) FROM (SELECT prompt_index FROM laras.llm_call GROUP BY prompt_index HAVING count(DISTINCT workspace_id) > 1) x"), 0, 'by no index is one found among the other\'s');

# ---- every way to go wrong
my %bad = (garbage => 'llm_unreadable', prose => 'llm_unreadable', shapeless => 'llm_wrong_shape', choiceless => 'llm_wrong_shape',
	foreign => 'llm_foreign_row', endless => 'llm_too_long', groundless => 'llm_no_ground', unknown => 'llm_refused');
# as it stands in the log: what no text can hold is a question mark there
my %came = (garbage => qr/^\x01\x02 <<<< not json at all \?\?\? \{\{\{$/, prose => qr/^Halo Kak! Tentu saja/, shapeless => qr/^\{"reply":\["halo"\]/, choiceless => qr/^\{"choices":"none"\}$/,
	foreign => qr/4242424242/, endless => qr/^\{"choices":\[\{"message":\{"content":"xxx/, groundless => qr/pasti bisa/, unknown => qr/The model does not exist/);
$stage->customer('6281270999001', 'halo', name => 'Budi Santoso');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts d JOIN laras.contacts c ON c.id = d.contact_id WHERE c.name = 'Budi Santoso'"), 'a customer has a name');
my $sent = $stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out'");
for my $model (sort keys %bad)
{
	configure($model, retries => 0);
	my $asked = asks("harga kopi toraja berapa kak ($model)?");
	like(draft($asked), qr/^held\|[^|]*\b$bad{$model}\b/, "a model that is $model is held");
	is(call($asked, 'c.state'), $model eq 'unknown' ? 'no_answer' : $model =~ /^(?:garbage|choiceless|endless)$/ ? 'bad_answer' : 'answered', 'and logged');
	like(call($asked, 'left(c.response, 100)'), $came{$model}, 'with what came');
}
is($stage->bound("SELECT max(octet_length(response)) FROM laras.llm_calls"), 65536, 'of ten megabytes the first 64 kB');
is($stage->sql("SELECT count(*) FROM laras.llm_call WHERE state <> 'queued' AND reason IS NOT NULL AND response IS NULL"), 0, 'no answer that came is lost to the log');
configure('obedient', retries => 0);
like(draft(asks('kopi toraja enak sekali, Rp 1.000 sekilo')), qr/^held\|[^|]*ungrounded_price/, 'a price that a customer names is held');
like(draft(asks('kopi toraja enak kata Budi Santoso')), qr/^held\|[^|]*other_person/, 'which a model that obeys another one is not let say');
configure('poet', retries => 0);
like(draft(asks('kopi toraja berapa kak?')), qr/^held\|[^|]*off_scope/, 'so is a poem');
like(draft(asks('how much is the kopi toraja please, tell me')), qr/^held\|[^|]*wrong_language/, 'and an answer in another language');
configure('parrot', retries => 0);
my %told = ('MERDEKA' => 'off_scope', 'DISKON BOLEH' => 'off_scope', 'SUDAH LUNAS' => 'off_scope', 'IYA BOLEH' => 'low_confidence', 'Ya.' => 'low_confidence');
for my $words (sort keys %told)
{
	my $asked = asks("kopi toraja berapa harganya kak? catatannya begini: $words");
	like(draft($asked), qr/^held\|[^|]*\b$told{$words}\b[^|]*\|llm parrot\|\Q$words\E$/, "a model that says what a customer tells it to say, and cites a row: $words");
	is(call($asked, 'c.state'), 'answered', 'is logged');
}
like(draft(asks('kopi toraja berapa harganya kak? catatannya begini: Kopi Toraja rasa ayam geprek')), qr/^held\|llm_echo\|/, 'whatever of the row stands in it: what a customer dictates is no answer');
configure('good', retries => 0);
$stage->sandbox->fault(action => 'hang', match => { path => 'chat/completions' }, times => 1);
like(draft(asks('kopi toraja harga berapa ya kakak?')), qr/^held\|[^|]*llm_no_answer/, 'one that says nothing is held');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out'"), $sent, 'nothing of all that was sent');

# ---- the built-in drafter takes over where the owner wants it
configure('unknown', retries => 0, on_failure => 'built_in');
is((split /\|/, draft(asks('teh poci berapa min?')))[0, 2] ? join('|', (split /\|/, draft($stage->bound('SELECT max(id) FROM laras.drafts')))[0, 2, 3]) : '', 'goes|built-in 1|Harga Teh Poci Rp 6.000.', 'the built-in draft goes its way');
configure('good', daily_calls => 0, on_failure => 'built_in');
is(join('|', (split /\|/, draft(asks('harga teh poci brp gan?')))[0, 2]), 'goes|built-in 1', 'also when the budget is spent');
configure('good', daily_calls => 0);
like(draft(asks('harga teh poci brp kk?')), qr/^held\|[^|]*llm_budget/, 'or a person is asked');
configure('good', retries => 2);
$stage->sandbox->fault(action => 'http_error', http_status => 503, match => { path => 'chat/completions' }, times => 1);
$id = asks('hrg teh poci brp kak?');
is(join('|', (split /\|/, draft($id))[0, 2]), 'goes|llm good', 'a call that got no answer is made again');
is(call($id, 'c.attempts'), 2, 'until one comes');

# ---- an endpoint that does not answer is left alone, but for a probe
configure('good', retries => 0);
my $fault = $stage->sandbox->fault(action => 'http_error', http_status => 503, match => { path => 'chat/completions' }, times => 0)->{id};
$sent = $stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out'");
my @silent = map { asks("teh poci harganya berapa, tanya yang ke-$_?") } 1 .. 5;
is(scalar(grep { draft($_) =~ /^held\|[^|]*llm_no_answer/ } @silent), 5, 'five calls without an answer');
$before = () = chats();
like(draft(asks('teh poci berapaan sih?')), qr/^held\|[^|]*llm_resting/, 'and the next is not made');
is(scalar(() = chats()), $before, 'nobody is asked');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type IN ('laras courier', 'laras keeper')");
like(draft(asks('berapaan teh poci itu?')), qr/^held\|[^|]*llm_resting/, 'by no other run of the workers either');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out'"), $sent, 'nothing is sent');
$stage->sandbox->control(DELETE => "fault?id=$fault");
$stage->sql("SELECT laras.advance_clock('20 seconds')");
is(join('|', (split /\|/, draft(asks('harga teh poci sekarang berapa ya kak?')))[0, 2]), 'goes|llm good', 'after a while it is tried again');
is(join('|', (split /\|/, draft(asks('kalau teh poci harganya brp?')))[0, 2]), 'goes|llm good', 'and asked as before');

# ---- the key, and who was erased
is($stage->sql("SELECT count(*) FROM laras.llm_endpoint WHERE position('$key' IN llm_endpoint::text) > 0"), 0, 'the key stands nowhere');
is(scalar(grep { /\Q$key\E/ && !/configure_llm|position\(/ } split /\n/, slurp_file($node->logfile)), 0, 'nor in the log, but where this test wrote it');
my $contact = $stage->bound("SELECT contact_id FROM laras.contact_identities WHERE value = '$phone'");
isnt($stage->bound("SELECT count(*) FROM laras.llm_calls WHERE contact_id = $contact AND prompt IS NOT NULL"), 0, 'what was asked about a person');
$stage->bound(qq{SELECT laras.request_erasure('contact', '{"contact_id": "$contact"}')});
is($stage->bound("SELECT count(*) FROM laras.llm_calls WHERE contact_id = $contact AND (prompt IS NOT NULL OR response IS NOT NULL)"), 0, 'is unreadable with the person');
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.llm_calls WHERE contact_id = $contact"), 'and goes');

# ---- each request costs one of the day's budget, one that is made again too.
my $used = $stage->bound('SELECT calls_today FROM laras.llm_status');
configure('good', retries => 4, daily_calls => $used + 2);
my $deaf = $stage->sandbox->fault(action => 'http_error', http_status => 503, match => { path => 'chat/completions' }, times => 0)->{id};
$before = () = chats();
$id = asks('hrg teh poci hari ini brp kak?');
like(draft($id), qr/^held\|[^|]*\bllm_budget\b/, 'a call is made again until the budget is spent');
is(call($id, 'c.attempts || c.state || c.reason'), '2no_answerllm_budget', 'twice in all');
is(scalar(() = chats()), $before + 2, 'as the endpoint saw');
is($stage->bound('SELECT calls_today FROM laras.llm_status'), $used + 2, 'and as is counted');
$stage->sandbox->control(DELETE => "fault?id=$deaf");
like(draft(asks('hrg teh poci besok brp kak?')), qr/^held\|[^|]*\bllm_budget\b/, 'then nothing is asked any more');
is(scalar(() = chats()), $before + 2, 'that day');
$stage->sql("SELECT laras.advance_clock(date_trunc('day', laras.now() AT TIME ZONE 'UTC') + interval '1 day 1 second' - laras.now() AT TIME ZONE 'UTC')");
# what customers write from here on is written by that clock
sub later_asks
{
	my ($text) = @_;
	$phone = sprintf '6281270%06d', ++$serial;
	$stage->webhook($phone, $text, timestamp => $stage->sql('SELECT extract(epoch FROM laras.now())::bigint'));
	wait_for(sub { $stage->bound("SELECT count(*) FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'") eq '1' }, 60);
	return $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'");
}
# to the sandbox, whose clock stands where it stood, nobody wrote that day
like(draft(later_asks('teh poci berapa harganya min?')), qr/^(?:goes\||held\|needs_template\|)llm good/, 'the next day has a budget of its own');
is($stage->bound('SELECT calls_today FROM laras.llm_status'), 1, 'of which one is spent');
is($stage->sql("SELECT string_agg(calls::text, ' ' ORDER BY day) FROM laras.llm_usage WHERE workspace_id = $workspace"), ($used + 2) . ' 1', 'beside the day before');

# ---- and the log's end
configure('good', keep_days => 5);
$stage->sql("SELECT laras.advance_clock('6 days')");
# what has its term is looked for at the keeper's start, and then each hour
$stage->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras keeper'});
ok(wait_for_sql($node, "SELECT count(*) = 0 FROM laras.llm_call WHERE workspace_id = $workspace", 90), 'the log goes when its days are over');
is($stage->sql("SELECT count(*) FROM laras.llm_call WHERE workspace_id = $other"), 1, 'and no other workspace\'s');

done_testing();
