# Databases are dropped, renamed, moved and copied while workers are connected,
# within two seconds, and nobody without the right can use that to stop workers.
# proves R238

use strict;
use warnings;

use lib 'test/lib';
use File::Path qw(make_path);
use Laras;
use Test::More;

my $names = join ', ', 'postgres', map { "shop$_" } 1 .. 4;
my $node = Laras->cluster('databases', databases => $names, settings => { 'laras.poll_interval' => '10min' });
wait_for_sql($node, q{SELECT count(*) > 0 FROM laras.worker_status WHERE database = 'postgres'});
my $kinds = $node->safe_psql('postgres',
	q{SELECT count(*) FROM laras.worker_status WHERE database = 'postgres'});

sub connected
{
	my ($database) = @_;
	return wait_for_sql($node,
		qq{SELECT count(*) = $kinds FROM pg_stat_activity WHERE datname = '$database' AND backend_type LIKE 'laras %'});
}

# Runs the statement in `postgres`. The server itself gives sessions that are in the
# way five seconds, so that success says that the workers left in time.
sub quick
{
	my ($sql, $message) = @_;
	my ($code, undef, $err) = $node->psql('postgres', $sql);
	is($code, 0, "$message succeeds") or diag $err;
	return;
}

for my $name (map { "shop$_" } 1 .. 3)
{
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION laras CASCADE');
	ok(connected($name), "$name has its workers");
}

# --- refused where the right is missing, and the workers live on

$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN CREATEDB');
my $pids = q{SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_activity
	WHERE datname = 'shop1' AND backend_type LIKE 'laras %'};
my $before = $node->safe_psql('postgres', $pids);
for my $sql ('DROP DATABASE shop1', 'ALTER DATABASE shop1 RENAME TO mine', 'CREATE DATABASE mine TEMPLATE shop1',
	'ALTER DATABASE shop1 SET TABLESPACE pg_default')
{
	my ($code) = $node->psql('postgres', $sql, extra_params => [ '-U', 'stranger' ]);
	isnt($code, 0, "a stranger may not: $sql");
}
is($node->safe_psql('postgres', $pids), $before, 'and has not disturbed the workers');

# --- copy

quick('CREATE DATABASE shop4 TEMPLATE shop1', 'CREATE DATABASE ... TEMPLATE');
ok(connected('shop1'), 'the copied database has its workers again');
ok(connected('shop4'), 'and so has the copy');

# --- move

my $space = Laras->outside($node) . '/space';
make_path($space, { mode => 0700 });
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
quick('ALTER DATABASE shop2 SET TABLESPACE elsewhere', 'ALTER DATABASE ... SET TABLESPACE');
ok(connected('shop2'), 'the moved database has its workers again');

# --- rename, there and back

quick('ALTER DATABASE shop3 RENAME TO other', 'ALTER DATABASE ... RENAME');
ok( wait_for_sql($node, q{SELECT count(*) = 0 FROM laras.worker_status WHERE database IN ('shop3', 'other')}),
	'under a name that is not listed it has no workers');
quick('ALTER DATABASE other RENAME TO shop3', 'the way back');
ok(connected('shop3'), 'and has them again under its own');

# --- a hold lasts as long as the transaction, and no longer

my ($code, $out, $err) = $node->psql('postgres', q{
	BEGIN;
	ALTER DATABASE shop3 RENAME TO other;
	SELECT state, count(*) FROM laras.worker_status WHERE database = 'shop3' GROUP BY state;
	ROLLBACK;});
like($out, qr/^held\|$kinds$/m, 'inside the transaction the workers are held');
ok(connected('shop3'), 'after the rollback they are back');

# --- a statement that fails gives the workers back too

my $session = $node->background_psql('shop3');
$session->query_safe('SELECT 1');
($code, $out, $err) = $node->psql('postgres', 'SET statement_timeout = 3000; ALTER DATABASE shop3 RENAME TO other');
isnt($code, 0, 'with a session of its own a database cannot be renamed');
ok(connected('shop3'), 'and gets its workers back');
$session->quit;

# --- the connection is forbidden and allowed again

quick('ALTER DATABASE shop3 ALLOW_CONNECTIONS false', 'ALTER DATABASE ... ALLOW_CONNECTIONS');
ok( wait_for_sql($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'shop3'}),
	'a database that takes no connections loses its workers');
quick('ALTER DATABASE shop3 ALLOW_CONNECTIONS true', 'and back');
ok(connected('shop3'), 'and gets them back');

# --- drop

for my $name (map { "shop$_" } 1 .. 4)
{
	quick("DROP DATABASE $name", 'DROP DATABASE');
}
ok( wait_for_sql($node, q{SELECT count(*) = 0 FROM laras.worker_status WHERE database LIKE 'shop%'}),
	'dropped databases are forgotten');
ok(connected('postgres'), 'their neighbour was not disturbed');

# --- a worker in the middle of a long turn does not hold it up either

$node->safe_psql('postgres', 'CREATE DATABASE shop1');
$node->safe_psql('shop1', 'CREATE EXTENSION laras CASCADE');
ok(connected('shop1'), 'once more');
my $stopped = $node->safe_psql('postgres', q{SELECT pid FROM laras.worker_status WHERE database = 'shop1' AND worker = 'keeper'});
kill 'STOP', $stopped;
my $drop = $node->background_psql('postgres');
$drop->query_until(qr/going/, "\\echo going\nDROP DATABASE shop1;\n");
ok( wait_for_sql($node, q{SELECT count(*) > 0 FROM laras.worker_status WHERE database = 'shop1' AND state = 'stopping'}),
	'DROP DATABASE waits for a worker that does not move');
kill 'CONT', $stopped;
$drop->quit;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'shop1'}), '0', 'and drops when it does');
is($drop->{stderr}, '', 'without having lost its patience');

my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/laras_worker|FATAL:  database/, 'no worker ran into a database that was being altered');

$node->stop;
done_testing();
