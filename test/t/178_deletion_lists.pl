# Many at once: an owner's list of persons, in whatever spelling, is worked off line
# by line, through a crash in its middle, to a report and a certificate whose digests
# are of what was given and what was done; a provider's list of those who removed its
# app does what its callback does. Nobody else is touched, no id is kept.
#
# proves R154

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $stage = Stage->new('deletion_lists', faults => 1, crash => 1);
my ($node, $workspace) = ($stage->node, $stage->workspace);
my $connection = $stage->connect;
my ($status, $answer);
put_fault($node, '');

# ---- people: 60 who are listed, 3 who are not
my @phone = map { sprintf '62812%08d', 34560000 + $_ } 1 .. 60;
my @stays = map { sprintf '62813%08d', 11110000 + $_ } 1 .. 3;
{
	my @body = map { $stage->body($_, "dari $_") } @phone, @stays;
	my $quoted = join ',', map { "'sha256=" . Digest::SHA::hmac_sha256_hex($_, $stage->shop->{secret}) . "'" } @body;
	my $bytes = join ',', map { "'\\x" . unpack('H*', $_) . "'" } @body;
	is($stage->sql("SELECT count(*) FROM laras.receive_webhooks(array_fill('wa'::text, ARRAY[" . @body . "]), ARRAY[$quoted], ARRAY[$bytes]::bytea[]) WHERE status = 200"), scalar @body, 'they write');
}
ok($stage->wait_bound('SELECT count(*) = 63 FROM laras.contacts', 30), 'and are known');
my $theirs = $stage->sql(q{SELECT laras.create_workspace('Toko Lain', 'other@shop.example', 'correct horse battery')});

# ---- the list: spelled as people do, with lines that are none
my $n = 0;
my @line = map { /^62(\d{3})(\d{4})(\d+)$/ or die; (++$n % 3 == 0 ? "whatsapp,wa_id,$_" : $n % 3 == 1 ? "whatsapp,phone,0$1-$2-$3" : ",phone,+62 $1 $2 $3") } @phone;
push @line, 'whatsapp,phone,0812-9999-0001', 'whatsapp,igsid,17841400000', $line[0], 'pigeon,phone,0812', 'whatsapp,shoe,44', 'whatsapp,phone,', '"unterminated';
my $csv = join '', map { "$_\n" } 'channel,kind,value', @line[0 .. $#line - 1];

# Nothing is done while the keeper rests: the caller does not wait.
$stage->sql("SELECT laras.pause_workers('keeper')");
my $before = $stage->bound('SELECT count(*) FROM laras.contact_identities');
($status, $answer) = $stage->call(POST => '/api/deletion-lists', $csv, 'Content-Type' => 'text/csv');
is($status, 200, 'the list is taken') or diag explain $answer;
my $list = $answer->{id} or BAIL_OUT('no list');
is($stage->bound('SELECT count(*) FROM laras.contact_identities'), $before, 'and nothing done in the call');
(undef, $answer) = $stage->call(GET => "/api/deletion-lists/$list");
is("$answer->{state} $answer->{lines} $answer->{found} $answer->{refused} " . ($answer->{certificate} // 'none'), 'open 66 0 4 none', 'it says how far it is');
is($stage->sql("SELECT count(*) FROM laras.deletion_line WHERE indexes IS NOT NULL"), 62, 'what waits is kept as keyed hashes');

# ---- the keeper dies in the second batch, with the first one done
put_fault($node, 'deletion_list_batch:kill9:2');
$node->reload;
$stage->sql("SELECT laras.resume_workers('keeper')");
ok(wait_for(sub { return PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /was terminated by signal 9/ }, 30), 'in the next one the keeper is killed');
put_fault($node, '');
$node->reload;
# who crashed is held back for a while
wait_for(sub { return $node->psql('postgres', 'SELECT laras.resume_workers()') == 0 }, 60);
ok(wait_for(sub { my ($code, $out) = $node->psql('postgres', "SELECT state FROM laras.deletion_list WHERE id = $list"); return $code == 0 && $out eq 'done' }, 60), 'the list is done all the same')
  or diag(\$stage->sql('SELECT worker, state, last_error FROM laras.worker_status')), BAIL_OUT('the list is not done');

# ---- what became of it
ok(wait_for(sub { return HTTP::Tiny->new(timeout => 5)->get($stage->url . '/healthz')->{status} == 200 }, 60), 'the relay is back');
(undef, $answer) = $stage->call(GET => "/api/deletion-lists/$list");
is("$answer->{state} $answer->{found} $answer->{not_found} $answer->{refused} $answer->{contacts_erased} $answer->{keys_destroyed}", 'done 60 2 4 60 60', 'each line has its outcome, once');
my $certificate = $answer->{certificate};
is($certificate->{list_sha256}, sha256_hex($csv), 'the certificate is of the list that was given');
my @report;
my $next = 0;
while (defined $next)
{
	(undef, $answer) = $stage->call(GET => "/api/deletion-lists/$list/report?after=$next");
	push @report, @{ $answer->{lines} };
	$next = $answer->{next};
}
is($certificate->{report_sha256}, sha256_hex(join '', map { "$_->{line} $_->{outcome} " . ($_->{reason} // '') . "\n" } @report), 'and of the report');
is(join(',', map { "$_->{line} $_->{outcome}" . ($_->{reason} ? " $_->{reason}" : '') } @report[ 0, 59 .. 65 ]),
	'2 found,61 found,62 not_found,63 not_found,64 refused repeated,65 refused no_channel,66 refused no_kind,67 refused no_id', 'which says of each line what became of it');
is($stage->bound("SELECT action || ' ' || (detail ->> 'count') || ' ' || (detail ->> 'keys') FROM laras.evidence_log WHERE entry_id = $certificate->{evidence}"), 'deletion_list.finished 60 60', 'the entry it names is in the log');
is($stage->sql("SELECT count(*) || ' ' || count(DISTINCT subject_id) FROM laras.erasure_request WHERE path = 'list' AND workspace_id = $workspace"), '60 60', 'each person has one request');
ok($stage->wait_bound('SELECT count(*) = 3 FROM laras.contacts WHERE state = \'active\'', 60), 'those not listed stay');
ok($stage->wait_bound('SELECT count(*) = 3 FROM laras.messages', 60), 'of the others no message does');
ok(wait_for(sub { return $stage->sql("SELECT count(*) FROM laras.erasure_request WHERE path = 'list' AND state <> 'removed'") == 0 }, 60), 'as each request says');
is($stage->sql('SELECT count(*) FROM laras.deletion_line WHERE indexes IS NOT NULL OR kinds IS NOT NULL'), 0, 'no hash is kept');
is($stage->bound("SELECT count(*) FROM laras.deletion_lists", $theirs) + $stage->bound('SELECT count(*) FROM laras.deletion_report', $theirs), 0, 'another workspace sees nothing of it');

# ---- JSON, ids alone; lists that are none
($status, $answer) = $stage->call(POST => '/api/deletion-lists', { kind => 'phone', list => [ '0813-1111-0001', '+62 813 1111 0002' ] });
is($status, 200, 'a list in JSON, on every channel');
my $second = $answer->{id};
ok(wait_for(sub { return ($stage->call(GET => "/api/deletion-lists/$second"))[1]{state} eq 'done' }, 60), 'is worked off');
is($stage->bound("SELECT count(*) FROM laras.contacts WHERE state = 'active'"), 1, 'two more are erased');
is(join(' ', map { "$_->{id}" } @{ ($stage->call(GET => '/api/deletion-lists'))[1]{deletion_lists} }), "$second $list", 'both lists are listed');
for my $bad ([ {} ], [ { list => 'x', format => 'xml' } ], [ { list => '[{"value": "1"}]', format => 'json', kind => 'shoe' } ], [ { list => ['1'], channel => 'pigeon', kind => 'phone' } ], [ { list => 'no json', format => 'json' } ])
{
	like(($stage->call(POST => '/api/deletion-lists', @$bad))[0], qr/^422$/, 'no list: ' . $json->encode($bad->[0]));
}
is(($stage->call(GET => "/api/deletion-lists/$_/report"))[0], 404, "no list $_") for 77, 'x';
for my $list ("phone\n0812\n", { list => [ { phone => '0812' } ] })
{
	($status, $answer) = $stage->call(POST => '/api/deletion-lists?kind=phone', $list, ref $list ? () : ('Content-Type' => 'text/csv'));
	is("$status $answer->{error}{message}", '422 the list has no column "value"', 'a list without values is none');
	like($answer->{error}{hint}, qr/names the columns: value/, 'with a hint');
}
my $agent = $stage->bound("SELECT laras.create_api_key('inbox', '{inbox}')");
{
	local $stage->{cookie};
	is(($stage->call($_->[0], $_->[1], $_->[2], Authorization => "Bearer $agent"))[0], 403, "$_->[0] $_->[1] needs the scope erase")
	  for [ GET => '/api/deletion-lists' ], [ POST => '/api/deletion-lists', { list => [] } ], [ GET => "/api/deletion-lists/$list" ], [ GET => "/api/deletion-lists/$list/report" ];
}

# ---- a provider's list: who removed the app, by their ids in it
my $user = $stage->shop->{user};
my ($code, undef, $error) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSET ROLE laras_service; SELECT laras.import_deletion_list('whatsapp', '{1}')");
like($error, qr/42501/, 'the operator alone imports it');
(undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.import_deletion_list('whatsapp', '{1}')");
like($error, qr/LRT02/, 'and for no workspace');
my $import = $stage->sql("SET ROLE laras_dba; SELECT laras.import_deletion_list('whatsapp', ARRAY['424242', '$user', NULL, '$user'])");
ok(wait_for(sub { return $stage->sql("SET ROLE laras_dba; SELECT state FROM laras.provider_deletion_lists WHERE id = $import") eq 'done' }, 60), 'a list of the provider is worked off');
is($stage->sql("SET ROLE laras_dba; SELECT string_agg(concat_ws(' ', line, outcome, reason, connections_cut), ',' ORDER BY line) FROM laras.provider_deletion_report WHERE list_id = $import"),
	'1 not_found 0,2 found 1,3 refused no_id 0,4 refused repeated 0', 'with an outcome for each');
is($stage->bound("SELECT state || ' ' || disconnect_trigger FROM laras.connections WHERE id = $connection"), 'disconnected deletion_callback', 'who removed the app has no connection any more');
is($stage->sql("SELECT string_agg(scope || ' ' || state, ',' ORDER BY state) FROM laras.erasure_request WHERE path = 'list' AND channel = 'whatsapp'"), 'provider_user no_data_held,provider_user removed', 'each id has a request, as by a callback');
is($stage->sql("SET ROLE laras_dba; SELECT certificate ->> 'list_sha256' FROM laras.provider_deletion_lists WHERE id = $import"), sha256_hex("424242\n$user\n\n$user\n"), 'and the certificate is of that list');

# ---- erased with the workspace, but for the proof
$stage->bound("SELECT laras.request_erasure('workspace', '{}')");
ok(wait_for(sub { return $stage->sql("SELECT count(*) FROM laras.deletion_line WHERE workspace_id = $workspace") == 0 }, 60), 'its reports go with a workspace');
is($stage->sql("SELECT count(*) FROM laras.deletion_list WHERE workspace_id = $workspace"), 2, 'that they were done stays');
is($stage->sql('SELECT count(*) FROM laras.verify_platform_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();
