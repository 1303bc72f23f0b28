# When process slots are short laras says so once, works with what it has got,
# and fills up when slots come free. Without preload it says what is missing.
# proves R238

use strict;
use warnings;

use lib 'test/lib';
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = Laras->cluster('slots', databases => 'postgres, second, third', start => 0);
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(second third);
$node->safe_psql($_, 'CREATE EXTENSION laras CASCADE') for qw(postgres second third);
wait_for_sql($node, q{SELECT count(*) > 0 FROM laras.worker_status WHERE database = 'postgres'});
my $kinds = $node->safe_psql('postgres',
	q{SELECT count(*) FROM laras.worker_status WHERE database = 'postgres'});
$node->safe_psql('postgres', 'CHECKPOINT');

# the launcher, the server's own for logical replication, and one database's set
my $slots = 2 + $kinds;
my $free = $slots - 2;
$node->append_conf('postgresql.conf', "max_worker_processes = $slots\n");
my $offset = -s $node->logfile;
$node->restart;
my $count = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'laras %' AND datid IS NOT NULL};
ok(wait_for_sql($node, "SELECT ($count) = $free"), 'as many workers run as there are slots');
ok(wait_for(sub { slurp_file($node->logfile) =~ /no background worker slot is free/ }), 'what is missing is logged');
# long enough for several more attempts
sleep 4;
my $log = substr slurp_file($node->logfile), $offset;
is(() = $log =~ /no background worker slot is free/g, 1, 'once');
like($log, qr/laras needs \d+ background workers, max_worker_processes allows $slots/, 'and said beforehand');
my @working = split /\n/, $node->safe_psql('postgres', q{SELECT DISTINCT datname FROM pg_stat_activity
	WHERE backend_type LIKE 'laras %' AND datid IS NOT NULL});
cmp_ok(scalar @working, '>', $kinds > 1 ? 1 : 0, 'every database gets its first worker before another gets its second')
  if $free > 1;
ok($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM laras.worker_status WHERE state IN ($$idle$$, $$working$$)') eq 't',
	'and these work');

$node->safe_psql('postgres', "ALTER DATABASE $_ ALLOW_CONNECTIONS false") for grep { $_ ne 'postgres' } qw(second third);
ok( wait_for_sql($node, qq{SELECT count(*) = $kinds FROM laras.worker_status
		WHERE database = 'postgres' AND state IN ('idle', 'working')}, 70),
	'when slots come free they are used');
$node->stop;

# --- without preload

my $bare = Laras->cluster('bare', preload => 0);
is($bare->safe_psql('postgres', q{SELECT count(*) FROM pg_extension WHERE extname = 'laras'}), '1',
	'without preload the extension can be created');
for my $call ('laras.drain()', 'laras.pause_workers()', 'laras.resume_workers()', 'laras.list_workers()')
{
	my ($code, $out, $err) = $bare->psql('postgres', "SELECT $call", extra_params => ['-vVERBOSITY=verbose']);
	like($err, qr/ERROR:  LRB01: laras is not preloaded.*HINT:  Add laras to shared_preload_libraries/s, "$call says what is missing");
}
is($bare->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'laras %'}), '0', 'no worker runs');
$bare->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$bare->safe_psql('postgres', 'DROP DATABASE copy');
pass('databases come and go');
$bare->stop;
done_testing();
