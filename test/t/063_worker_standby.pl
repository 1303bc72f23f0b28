# A standby runs no worker and says nothing; when it is promoted it takes over,
# once, with one set of workers.
# proves R233

use strict;
use warnings;

use lib 'test/lib';
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = Laras->cluster('primary', init => { allows_streaming => 1 });
wait_for_sql($primary, q{SELECT count(*) > 0 FROM laras.worker_status WHERE database = 'postgres'});
my $kinds = $primary->safe_psql('postgres',
	q{SELECT count(*) FROM laras.worker_status WHERE database = 'postgres'});
my $running = qq{SELECT count(*) = $kinds FROM laras.worker_status
	WHERE database = 'postgres' AND state IN ('idle', 'working')};
my $processes = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'laras %'};

ok(wait_for_sql($primary, $running), 'the primary has its workers');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

is($standby->safe_psql('postgres', $processes), '0', 'the standby has neither launcher nor worker');
is($standby->safe_psql('postgres', q{SELECT string_agg(worker || ' ' || state, ',') FROM laras.worker_status}),
	'launcher stopped', 'and says so');
my ($code, $out, $err) = $standby->psql('postgres', q{SELECT laras.drain('100 ms')});
is($out, 'f', 'nothing drains there');
$primary->safe_psql('postgres', 'CREATE DATABASE another');
$primary->wait_for_catchup($standby);
$standby->reload;
is($standby->safe_psql('postgres', $processes), '0', 'nor do a change or a reload bring any');
# what clients asked is logged too, and is not what is meant
my @said = grep { !/statement:/ && /laras (launcher|vault|intake|courier|keeper)|ERROR|PANIC/ && !/^\s/ } split /\n/, slurp_file($standby->logfile);
is("@said", '', 'the log is silent');

# --- promotion

$primary->stop('immediate');
$standby->promote;
ok(wait_for_sql($standby, $running), 'promoted, it has its workers');
is($standby->safe_psql('postgres', 'SELECT count(next_attempt_at) FROM laras.worker_status'), '0', 'none held back');
is($standby->safe_psql('postgres', q{SELECT max(n) FROM (SELECT count(*) AS n FROM pg_stat_activity
	WHERE backend_type LIKE 'laras %' GROUP BY backend_type, datid) g}),
	'1', 'each of them once');
is($standby->safe_psql('postgres', $processes), 1 + $kinds, 'and a launcher');
is($standby->safe_psql('postgres', 'SELECT laras.drain()'), 't', 'they work');
is($standby->safe_psql('postgres', 'SELECT sum(crashes) FROM laras.worker_status'), '0', 'no crash is inherited from the primary');

$standby->stop;
done_testing();
