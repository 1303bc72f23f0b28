# The launcher and its workers: they start, show themselves, come back after
# TERM, follow the settings, pause, and stay quiet where they have nothing to do.
# proves R238

use strict;
use warnings;

use lib 'test/lib';
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('life', databases => 'postgres, second, absent, tmpl');
wait_for_sql($node, q{SELECT count(*) > 0 FROM laras.worker_status WHERE database = 'postgres'});
my $kinds = $node->safe_psql('postgres',
	q{SELECT count(*) FROM laras.worker_status WHERE database = 'postgres'});
cmp_ok($kinds, '>', 0, 'the database has workers');

sub all_there
{
	my ($database, $message, $seconds) = @_;
	ok( wait_for_sql(
			$node,
			qq{SELECT count(*) = $kinds FROM laras.worker_status
			   WHERE database = '$database' AND state IN ('idle', 'working') AND pid IS NOT NULL},
			$seconds),
		$message);
	return;
}

sub log_since
{
	my ($offset) = @_;
	return substr(slurp_file($node->logfile), $offset);
}

# --- they start

all_there('postgres', 'every worker runs');
is( $node->safe_psql(
		'postgres', q{SELECT bool_and(a.usename = 'laras_worker' AND a.application_name = a.backend_type)
		FROM pg_stat_activity a JOIN laras.worker_status s USING (pid) WHERE s.database = 'postgres'}),
	't', 'connected as laras_worker, under their own names');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
	WHERE backend_type = 'laras launcher' AND datname IS NULL}),
	'1', 'one launcher, attached to no database');
my ($code, undef, $err) = $node->psql('postgres', 'SELECT 1', extra_params => [ '-U', 'laras_worker' ]);
isnt($code, 0, 'a client cannot log in as laras_worker');
like($err, qr/too many connections for role "laras_worker"/, 'and is told so');

ok($node->safe_psql('postgres', 'SELECT laras.drain()') eq 't', 'an idle database drains');

# --- they come back

my $victim = worker_pid($node, 'keeper');
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($victim)"), 't', 'a worker is terminated');
ok( wait_for(sub { my $pid = worker_pid($node, 'keeper'); return $pid ne '' && $pid ne $victim }),
	'another takes its place');
is($node->safe_psql('postgres', q{SELECT next_attempt_at IS NULL AND crashes = 0 FROM laras.worker_status WHERE worker = 'keeper'}),
	't', 'which nothing held back');

my $launcher = worker_pid($node, 'launcher');
my $before = $node->safe_psql('postgres', q{SELECT string_agg(worker || pid, ' ' ORDER BY worker)
	FROM laras.worker_status WHERE database = 'postgres'});
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok( wait_for(sub { my $pid = worker_pid($node, 'launcher'); return $pid ne '' && $pid ne $launcher }),
	'the launcher comes back after TERM');
is( $node->safe_psql(
		'postgres', q{SELECT string_agg(worker || pid, ' ' ORDER BY worker)
	FROM laras.worker_status WHERE database = 'postgres'}),
	$before, 'and takes its workers over as they are');
is($node->safe_psql('postgres', q{SELECT max(n) FROM (SELECT count(*) AS n FROM pg_stat_activity
	WHERE backend_type LIKE 'laras %' GROUP BY backend_type, datid) g}),
	'1', 'no worker runs twice');

# --- several databases, with and without the extension

my $offset = -s $node->logfile;
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('postgres', 'CREATE DATABASE absent');
$node->safe_psql('postgres', 'CREATE DATABASE tmpl IS_TEMPLATE true');
ok( wait_for_sql($node, q{SELECT bool_and(state = 'no extension') FROM laras.worker_status WHERE database = 'absent'}),
	'a database without the extension is left alone');
is( $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
	WHERE backend_type LIKE 'laras %' AND datname IN ('absent', 'tmpl')}),
	'0', 'nobody is connected there, nor to a template');
# left to itself a database without the extension is looked into every 30 s
$node->safe_psql('second', 'CREATE EXTENSION laras CASCADE');
all_there('second', 'CREATE EXTENSION brings the workers, not the next look', 20);
unlike(log_since($offset), qr/(ERROR|FATAL|WARNING|PANIC)/, 'the log stays quiet');

# --- another version

$offset = -s $node->logfile;
$node->safe_psql('second', q{UPDATE pg_catalog.pg_extension SET extversion = '0.0.1' WHERE extname = 'laras'});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM laras.worker_status WHERE database = 'second'});
ok( wait_for_sql($node, q{SELECT bool_and(state = 'other version') FROM laras.worker_status WHERE database = 'second'}),
	'workers wait where the extension has another version');
is(() = log_since($offset) =~ /has version "0\.0\.1", the library has/g, 1, 'which is said once');
all_there('postgres', 'the others are not disturbed');
$node->safe_psql('second',
	q{UPDATE pg_catalog.pg_extension e SET extversion = default_version
	  FROM pg_catalog.pg_available_extensions a WHERE a.name = e.extname AND e.extname = 'laras'});
$node->safe_psql('second', q{ALTER EXTENSION laras UPDATE});
all_there('second', 'ALTER EXTENSION ... UPDATE brings them back');

# --- DROP EXTENSION with workers connected

is(($node->psql('second', q{SET lock_timeout = '10s'; DROP EXTENSION laras}))[0], 0, 'DROP EXTENSION does not wait for workers');
ok( wait_for_sql($node, q{SELECT bool_and(state = 'no extension') FROM laras.worker_status WHERE database = 'second'}),
	'and they are gone');

# --- SIGHUP

$node->safe_psql('postgres', q{ALTER SYSTEM SET laras.databases = 'second'});
$node->reload;
ok( wait_for_sql($node, q{SELECT count(*) = 0 FROM pg_stat_activity
	WHERE backend_type LIKE 'laras %' AND datname = 'postgres'}),
	'a database that is no longer named loses its workers');
$node->safe_psql('postgres', q{ALTER SYSTEM RESET laras.databases});
$node->reload;
all_there('postgres', 'and has them again when it is named again');

# --- pause and resume

$node->safe_psql('postgres', 'SELECT laras.pause_workers()');
is($node->safe_psql('postgres', q{SELECT string_agg("check" || ' ' || state || coalesce(' ' || detail, ''), ', ' ORDER BY "check") FROM laras.doctor() WHERE "check" ~ '^worker'}),
	'worker courier warn paused, worker intake warn paused, worker keeper warn paused, worker vault ok', 'doctor() tells of workers that do nothing');
like(($node->psql('postgres', q{SELECT laras.drain('0.2 s')}))[2], qr/not all work was done in time.*intake is paused/s, 'and drain() of whom it waited for');
ok( wait_for_sql($node, q{SELECT bool_and(state = 'paused') FROM laras.worker_status
	WHERE database = 'postgres' AND worker <> 'vault'}),
	'paused workers say so');
my $turns = q{SELECT sum(turns) FROM laras.worker_status WHERE database = 'postgres' AND worker <> 'vault'};
my $paused = $node->safe_psql('postgres', $turns);
is($node->safe_psql('postgres', q{SELECT laras.drain('1 s')}), 'f', 'nothing drains meanwhile');
is($node->safe_psql('postgres', $turns), $paused, 'and run no turn');
$node->safe_psql('postgres', 'SELECT laras.resume_workers()');
is($node->safe_psql('postgres', 'SELECT laras.drain()'), 't', 'resumed workers work');

($code, undef, $err) = $node->psql('postgres', q{SELECT laras.pause_workers('nobody')}, extra_params => ['-vVERBOSITY=verbose']);
like($err, qr/ERROR:  22023/, 'an unknown worker is refused');
($code, undef, $err) = $node->psql('postgres', q{SELECT laras.drain('-1 s')}, extra_params => ['-vVERBOSITY=verbose']);
like($err, qr/ERROR:  22023/, 'a negative timeout too');

# --- rights

$node->safe_psql('postgres', 'CREATE ROLE nobody_special LOGIN; CREATE ROLE operator LOGIN IN ROLE laras_dba');
for my $call ('laras.drain()', 'laras.pause_workers()', 'laras.resume_workers()', 'laras.list_workers()')
{
	($code, undef, $err) = $node->psql('postgres', "SELECT $call",
		extra_params => [ '-U', 'nobody_special', '-vVERBOSITY=verbose' ]);
	like($err, qr/ERROR:  42501/, "an ordinary role may not call $call");
}
is( $node->safe_psql('postgres', q{SELECT count(*) > 1 FROM laras.worker_status}, extra_params => [ '-U', 'operator' ]),
	't', 'laras_dba reads worker_status');

$node->stop;
done_testing();
