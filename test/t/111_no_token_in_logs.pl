# A token's whole life on a server that logs all it can: connecting, sending,
# disconnecting, failing at every step. No log, no view of what runs, no table in
# clear and no error that reached the log holds it, whichever way it was handed
# over; statements of a superuser, which are logged, are withheld where they
# carry one, and only those.
#
# proves R015 R017 R020

use strict;
use warnings;

use JSON::PP ();
use Laras;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('secrets', settings => {
	shared_preload_libraries => 'laras, pg_stat_statements, auto_explain',
	'pg_stat_statements.track' => 'all', 'pg_stat_statements.track_utility' => 'on',
	'auto_explain.log_min_duration' => 0, 'auto_explain.log_nested_statements' => 'on', 'auto_explain.log_verbose' => 'on',
	log_statement => 'all', log_min_duration_statement => 0, log_duration => 'on',
	log_parameter_max_length => -1, log_parameter_max_length_on_error => -1,
	log_error_verbosity => 'verbose', log_min_messages => 'debug1', log_min_error_statement => 'debug1',
	debug_print_parse => 'on', debug_print_rewritten => 'on', log_lock_waits => 'on' });
my $node = $stage->node;
my $workspace = $stage->workspace;
my $json = JSON::PP->new->canonical;
$stage->sql('CREATE EXTENSION pg_stat_statements');

# Every token that ever came near, by how it was handed over.
my %token = (signup => $stage->shop->{token});

# ------------------------------------------- the usual life, and failing in it
my $connection = $stage->connect;
$stage->customer('6281230001234', 'halo');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.messages'), 'connected by signup, and a customer wrote');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');
my $sent = $stage->bound("SELECT laras.reply($conversation, 'halo juga')");
ok($stage->wait_bound("SELECT provider_message_id IS NOT NULL FROM laras.messages WHERE id = $sent"), 'a reply is sent with the token');
for my $failure ([ action => 'malformed' ], [ action => 'refuse', code => 190 ])
{
	$stage->sandbox->fault(@$failure, match => { route => 'messages' });
	my $lost = $stage->bound("SELECT laras.reply($conversation, 'yang gagal @$failure')");
	ok($stage->wait_bound("SELECT state NOT IN ('queued', 'sending') FROM laras.outbox WHERE message_id = $lost"), "a send meets @$failure")
	  or diag $stage->sql("SELECT state, reason FROM laras.outbox");
}
# the exchange succeeds and what follows fails: the token exists and is given back
$stage->call(POST => "/app/settings/integrations/$connection/disconnect", {});
$stage->sandbox->control(POST => 'token', { token => $stage->shop->{token}, app_id => $stage->shop->{app}, waba_id => $stage->shop->{waba}, dead => 0 });
$stage->sandbox->fault(match => { path => 'subscribed_apps', method => 'POST' }, action => 'refuse', code => 100);
my ($status) = $stage->signup($stage->launch);
is($status, 502, 'a signup fails after its exchange');
$stage->sandbox->fault(match => { path => 'oauth/access_token' }, action => 'malformed');
($status) = $stage->signup($stage->launch);
cmp_ok($status, '>=', 500, 'and another in its exchange');

# ------------------------------------------------ handed over in SQL, each way
$token{parameter} = paired('as a parameter', sub { my ($ids, $secret) = @_; by_parameter('laras_service', $ids, $secret) });
$token{literal} = paired('in the text of a statement', sub {
	my ($ids, $secret) = @_;
	psql('laras_service', "SELECT laras.pair_connection('whatsapp', '$ids', '$secret')");
});
$token{operator} = paired('in the text of a statement of a superuser, whose statements are logged', sub {
	my ($ids, $secret) = @_;
	psql(undef, "SELECT laras.pair_connection('whatsapp', '$ids', '$secret')");
});
$token{'operator, parameter'} = paired('as a parameter of a superuser', sub { my ($ids, $secret) = @_; by_parameter(undef, $ids, $secret) });
$token{prepared} = paired('through a statement that was prepared', sub {
	my ($ids, $secret) = @_;
	psql(undef, "PREPARE p (jsonb, text) AS SELECT laras.pair_connection('whatsapp', \$1, \$2); EXECUTE p ('$ids', '$secret')");
});
$token{migration} = paired('without verification', sub {
	my ($ids, $secret) = @_;
	psql(undef, "SELECT laras.pair_connection('whatsapp', '$ids', '$secret', false)");
});
# of no form that anybody knows
$token{'of a language model'} = 'k3y-' . join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 40;
$stage->sql("SELECT laras.configure_llm($workspace, 'https://llm.example/v1/chat/completions', 'm', '$token{'of a language model'}')");
$stage->sql(q{CREATE FUNCTION wrapped(account jsonb, secret text) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN RAISE DEBUG 'pairing with %', secret; RETURN laras.pair_connection('whatsapp', account, secret); END $$});
$token{wrapped} = paired("by a function that hides laras's and speaks of it", sub {
	my ($ids, $secret) = @_;
	psql(undef, "SELECT wrapped('$ids', '$secret')");
});

# sealed by the client: what is logged anywhere is ciphertext, and the provider gets the token
my $key = $stage->sql(q{SELECT encode(laras.public_key(), 'hex')});
$token{boxed} = paired('that the client has sealed', sub {
	my ($ids, $secret) = @_;
	my $box = '';
	IPC::Run::run([ 'laras-keytool', 'box', $key ], '<', \"$secret\n", '>', \$box) or die 'laras-keytool box';
	like($box, qr{^laras-box:[A-Za-z0-9+/]+=*$}, 'a box for the courier');
	psql('laras_service', "SELECT laras.pair_connection('whatsapp', '$ids', '" . ($box =~ s/\n//r) . "')");
});
ok((grep { ($_->{path} // '') =~ /phone_numbers|subscribed_apps/ } $stage->sandbox->ledger), 'the provider was asked with what was in it');
$token{'boxed, altered'} = new_token();
{
	my ($ids) = number();
	my $box = '';
	IPC::Run::run([ 'laras-keytool', 'box', $key ], '<', \$token{'boxed, altered'}, '>', \$box) or die 'laras-keytool box';
	$box =~ s/\n//;
	substr($box, 80, 1) = substr($box, 80, 1) eq 'A' ? 'B' : 'A';
	psql('laras_service', "SELECT laras.pair_connection('whatsapp', '$ids', '$box')");
	ok($stage->wait_bound("SELECT state = 'failed' FROM laras.connection_attempt ORDER BY id DESC LIMIT 1"), 'a box that was altered pairs nothing');
}

# --------------------------------------------------------- what goes wrong there
for my $user (undef, 'laras_service')
{
	my $who = $user // 'a superuser';
	my $secret = $token{"mistakes of $who"} = new_token();
	my ($ids) = number();
	my $call = "SELECT laras.pair_connection('whatsapp', '$ids', '$secret')";
	for my $mistake (
		[ 'where the ids belong' => "SELECT laras.pair_connection('whatsapp', '{\"phone_number_id\": $secret}', 'x')", qr/json/ ],
		[ 'as a number' => "SELECT laras.disconnect('$secret')", qr/bigint/ ],
		[ 'in an unterminated string' => "SELECT laras.pair_connection('whatsapp', '$ids', '$secret", qr/unterminated/ ],
		[ 'as a name' => "SELECT $secret", qr/does not exist/ ],
		[ 'too long' => "SELECT laras.pair_connection('whatsapp', '$ids', '" . $secret x 30 . "')", qr/1 to 2048 bytes/ ],
		[ 'for no channel' => "SELECT laras.pair_connection('$secret', '$ids', '$secret')", qr/no such channel/ ],
		[ 'unbound' => "COMMIT; $call", qr/LRT01|bound/ ],
		[ 'and runs out of time' => "SET LOCAL statement_timeout = 200; $call, pg_sleep(30)", qr/statement timeout/ ],
		[ 'and a constraint fails with it' => "CREATE TEMP TABLE t (x text CHECK (length(x) < 3)); INSERT INTO t VALUES ('$secret')", qr/check constraint|permission/ ])
	{
		my ($where, $sql, $expected) = @$mistake;
		my (undef, $error) = psql($user, $sql, 1);
		like($error, $expected, "$who hands it over $where");
	}
	by_parameter($user, $secret, $secret, 1);
	by_parameter($user, $ids, $secret, 1, 'SET LOCAL statement_timeout = 200;', ', pg_sleep(30)');
}
# at the provider: a token that it does not know
my ($ids) = number();
$token{unknown} = 'EAAGunknown' . 'x7Kq' x 20;
psql('laras_service', "SELECT laras.pair_connection('whatsapp', '$ids', '$token{unknown}')");
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.connection_attempt WHERE id = (SELECT max(id) FROM laras.connection_attempt) AND state = 'failed'"),
	'a token that the provider does not know');
# ------------------------------------------------- what others see of what runs
my $secret = $token{sampled} = new_token();
($ids) = number();
my $running = start_program('psql', [ $node->config_data('--bindir') . '/psql', '-X', '-d', Laras->conninfo($node, user => 'laras_service'),
	'-c', "BEGIN; SELECT laras.act_as($workspace)", '-c', "SELECT laras.pair_connection('whatsapp', '$ids', '$secret'), pg_sleep(3)" ]);
my $seen = '';
ok(wait_for(sub { $seen .= $stage->sql("SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE query ~ 'hidden'"); return $seen =~ /laras\.pair_connection/ }),
	'a session that pairs is seen to');
$seen = '';
while ($running->alive)
{
	$seen .= $stage->sql('SELECT string_agg(a::text, chr(10)) FROM pg_stat_activity a');
}
is(leaks($seen), '', 'and shows no token');

# -------------------------------------------------------------------- everywhere
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.courier_task WHERE state IN ('queued', 'claimed')"), 'nothing is under way');
for my $cut (split /\n/, $stage->bound("SELECT id FROM laras.connections WHERE state = 'connected'"))
{
	psql('laras_service', "SELECT laras.disconnect($cut, 'done')");
}
is(leaks($stage->sql('SELECT string_agg(s::text, chr(10)) FROM pg_stat_statements s')), '', 'no token in pg_stat_statements');
my $tables = '';
for my $table (split /\n/, $stage->sql("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'laras'::regnamespace AND relkind IN ('r', 'v', 'p')"))
{
	$tables .= $stage->bound("SELECT t::text FROM $table t");
}
like($tables, qr/connection\.connected/, 'the tables were read');
is(leaks($tables), '', 'no token in clear in any table or view, evidence and outbound calls among them');
is(leaks($stage->seen), '', 'none in what a browser saw');

# the vault is shut: what would seal it cannot
$token{shut} = new_token();
($ids) = number();
$stage->sql("ALTER SYSTEM SET laras.master_key_file = '" . Laras->outside($node) . "/nowhere'");
$node->restart;
for my $user (undef, 'laras_service')
{
	my (undef, $error) = psql($user, "SELECT laras.pair_connection('whatsapp', '$ids', '$token{shut}')", 1);
	like($error, qr/vault/, 'nothing is taken while the vault is shut');
	by_parameter($user, $ids, $token{shut}, 1);
}

my %log = map { $_ => slurp_file($_) } glob "$PostgreSQL::Test::Utils::log_path/*secrets*.log $PostgreSQL::Test::Utils::log_path/111_*_relay.log $PostgreSQL::Test::Utils::log_path/111_*_sandbox.log";
my $server = $log{ $node->logfile };
cmp_ok(length $server, '>', 100_000, 'the server logged much');
like($server, qr/LOG: .*statement: .*SELECT id FROM laras\.conversations/, 'statements of a superuser are logged');
like($server, qr/plan:|Query Text/, 'and explained');
like($server, qr/a log record was withheld, since it would show a secret; without its values it is: statement: %s/, 'those that carry a secret are withheld, with what kind of record it was');
like($server, qr/22P02: a log record was withheld, since it would show a secret; without its values it is: invalid input syntax for type %s/, 'errors that quote a token too, with their SQLSTATE');
for my $path (sort keys %log)
{
	(my $name = $path) =~ s{.*/}{};
	is(leaks($log{$path}), '', "no token in $name");
	unlike($log{$path}, qr/\Q$stage->{shop}{secret}\E|\Q$stage->{password}\E/, "nor the app's secret or a password in $name");
}
ok((grep { /relay/ } keys %log) && (grep { /sandbox/ } keys %log), 'the logs of relay and sandbox are among them');

$stage->stop;
done_testing();

# ------------------------------------------------------------------- helpers

sub new_token
{
	return $stage->sandbox->control(POST => 'token', { app_id => $stage->shop->{app}, waba_id => $stage->shop->{waba} })->{token};
}

my $numbers;

sub number
{
	my $made = $stage->sandbox->control(POST => 'number', { waba_id => $stage->shop->{waba}, display_phone_number => sprintf('+62811777%04d', ++$numbers) });
	return ($json->encode({ phone_number_id => $made->{id}, waba_id => $stage->shop->{waba} }), $made->{id});
}

# Pairs a new number; waits until it is connected; returns the token.
sub paired
{
	my ($how, $pair) = @_;
	my ($account, $id) = number();
	my $new = new_token();
	my $before = $stage->bound("SELECT count(*) FROM laras.connections WHERE state = 'connected'");
	$pair->($account, $new);
	ok($stage->wait_bound("SELECT count(*) = $before + 1 FROM laras.connections WHERE state = 'connected'"), "paired with a token $how")
	  or diag $stage->sql('SELECT * FROM laras.connection_attempt ORDER BY 1 DESC LIMIT 1');
	return $new;
}

# Returns output and error of statements in a bound transaction.
sub psql
{
	my ($user, $sql, $fails) = @_;
	my ($code, $out, $error) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); $sql; COMMIT",
		defined $user ? (extra_params => [ '-U', $user ]) : ());
	diag $error if $code != 0 && !$fails;
	return ($out, $error);
}

# The extended protocol: the token travels as a parameter.
sub by_parameter
{
	my ($user, $account, $secret, $fails, $before, $after) = @_;
	my $script = $node->basedir . '/pair.bench';
	open my $fh, '>', $script or die $!;
	print $fh join "\n", 'BEGIN;', 'SELECT laras.act_as(:ws);', $before // (),
	  "SELECT laras.pair_connection('whatsapp', :account::jsonb, :secret)" . ($after // '') . ';', 'COMMIT;', '';
	close $fh;
	my $said = '';
	my $ok = IPC::Run::run([ $node->config_data('--bindir') . '/pgbench', '-n', '-t', 1, '-M', 'extended', '-f', $script,
			'-D', "ws=$workspace", '-D', "account=$account", '-D', "secret=$secret", '-h', $node->host, '-p', $node->port,
			defined $user ? ('-U', $user) : (), 'postgres' ], '<', \'', '>', \$said, '2>&1');
	diag $said if !$ok && !$fails;
	return;
}

# Which tokens stand in a text, in any form of writing them.
sub leaks
{
	my ($text) = @_;
	my @found;
	for my $how (sort keys %token)
	{
		my @form = ($token{$how}, unpack('H*', $token{$how}), uc unpack('H*', $token{$how}), join(' ', unpack 'C*', $token{$how}));
		for my $shift (0 .. 2)
		{
			push @form, substr encode_base64('x' x $shift . $token{$how}, ''), 4, 60;
		}
		push @found, $how if grep { index($text, $_) >= 0 } @form;
	}
	return join ', ', @found;
}
