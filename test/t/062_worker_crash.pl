# What happens when a worker fails, crashes, or is killed: an error is contained,
# a crash restarts the server once and then holds the culprit back, longer each
# time, and nobody else; nothing that was committed is lost.
# proves R238

use strict;
use warnings;

use lib 'test/lib';
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = Laras->cluster('crash', crash => 1, faults => 1,
	settings => { 'laras.poll_interval' => '50ms' });
$node->safe_psql('postgres', 'CREATE TABLE kept (n int)');
wait_for_sql($node, q{SELECT count(*) > 0 FROM laras.worker_status WHERE database = 'postgres'});
my $kinds = $node->safe_psql('postgres',
	q{SELECT count(*) FROM laras.worker_status WHERE database = 'postgres'});
my $rows = 0;

sub log_since { return substr(slurp_file($node->logfile), $_[0]); }

sub all_there
{
	my ($message, $seconds) = @_;
	ok( wait_for_sql(
			$node,
			qq{SELECT count(*) = $kinds FROM laras.worker_status
			   WHERE database = 'postgres' AND state IN ('idle', 'working')},
			$seconds),
		$message);
	return;
}

# A row before each crash; all of them must be there at the end.
sub commit_row
{
	$node->safe_psql('postgres', 'INSERT INTO kept VALUES (' . ++$rows . ')');
	return;
}

sub set_fault
{
	my ($fault) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET laras.fault = '$fault'");
	$node->reload;
	return;
}

sub crashes { return $node->safe_psql('postgres', "SELECT crashes FROM laras.worker_status WHERE worker = '$_[0]'"); }

all_there('the workers run');

# --- an error in a turn

my $offset = -s $node->logfile;
my $keeper = worker_pid($node, 'keeper');
set_fault(join ',', ('keeper_turn:error') x 4);
ok( wait_for_sql($node, q{SELECT failures = 4 AND failures_in_a_row = 0 FROM laras.worker_status WHERE worker = 'keeper'}),
	'four failing turns are counted, and over');
is($node->safe_psql('postgres', q{SELECT last_error_code || last_error FROM laras.worker_status WHERE worker = 'keeper'}),
	'XX000fault "keeper_turn"', 'the last error is shown');
is(worker_pid($node, 'keeper'), $keeper, 'the process lives on');
is(() = log_since($offset) =~ /laras keeper in database "postgres" failed/g, 1, 'the condition is logged once');
like(log_since($offset), qr/laras keeper in database "postgres" works again after 4 failures/, 'and its end');

# --- an error in a duty holds up neither the worker nor other duties

$offset = -s $node->logfile;
set_fault(join ',', ('duty_test:error') x 8);
$node->safe_psql('postgres', q{CREATE FUNCTION public.queue_work(int) RETURNS void
	AS '$libdir/laras', 'laras_test_queue_work' LANGUAGE C STRICT});
$node->safe_psql('postgres', 'SELECT public.queue_work(3)');
ok( wait_for_sql($node, q{SELECT failures_in_a_row >= 3 AND pending = 1 FROM laras.worker_status WHERE worker = 'keeper'}),
	'a failing duty is owed');
my $turns = $node->safe_psql('postgres', q{SELECT turns FROM laras.worker_status WHERE worker = 'keeper'});
ok(wait_for_sql($node, qq{SELECT turns > $turns FROM laras.worker_status WHERE worker = 'keeper'}), 'while the keeper turns');
is($node->safe_psql('postgres', q{SELECT laras.drain('200 ms')}), 'f', 'drain does not call that done');
set_fault('');
$node->safe_psql('postgres', 'SELECT laras.resume_workers()');
is($node->safe_psql('postgres', q{SELECT laras.drain()}), 't', 'once it works, it is');

# --- kill -9 of a worker

commit_row();
my $launcher = worker_pid($node, 'launcher');
$keeper = worker_pid($node, 'keeper');
$offset = -s $node->logfile;
kill 'KILL', $keeper;
ok(wait_for(sub { log_since($offset) =~ /all server processes terminated; reinitializing/ }),
	'kill -9 of a worker restarts the server');
ok(wait_for_sql($node, 'SELECT true'), 'once');
all_there('the workers are back');
is(scalar(grep { $_ > 1250 } log_since($offset) =~ /It is started again in (\d+) ms/g), 0, 'a first crash costs a second');
is(crashes('keeper'), '1', 'the crash is put down to the worker');
is(crashes('launcher'), '0', 'not to the launcher');
is($node->safe_psql('postgres', q{SELECT count(*) FROM laras.worker_status WHERE crashes > 0}), '1', 'nor to any other worker');
like(log_since($offset), qr/laras keeper in database "postgres" crashed \(1 in a row\)/, 'and said in the log');
is(() = log_since($offset) =~ /reinitializing/g, 1, 'one crash, one restart');

# --- a worker that crashes whenever it starts

commit_row();
$offset = -s $node->logfile;
set_fault('keeper_start:kill9');
my $began = time;
kill 'TERM', worker_pid($node, 'keeper');
ok( wait_for(sub { (() = log_since($offset) =~ /reinitializing/g) >= 3 }, 60),
	'a worker that crashes at each start crashes again');
sleep 0.2 until (log_since($offset) =~ /crashed \(4 in a row\)/ || time - $began > 60);
my $took = time - $began;
my @delays = log_since($offset) =~ /It is started again in (\d+) ms/g;
note "started again after @delays ms";
is(scalar @delays, 3, 'each crash is followed by a delay');
for my $i (0 .. $#delays)
{
	# the second in a row and so on: 2 s, 4 s, 8 s, a quarter either way
	my $middle = 1000 * 2**($i + 1);
	ok($delays[$i] >= 0.75 * $middle && $delays[$i] <= 1.25 * $middle, "delay $delays[$i] ms is about $middle ms");
}
cmp_ok($took, '>', 0.75 * 6, 'and the delays are kept');
ok(wait_for_sql($node, 'SELECT true'), 'the server answers meanwhile');
commit_row();
is( $node->safe_psql('postgres', q{SELECT state FROM laras.worker_status WHERE worker = 'keeper'}),
	'backing off', 'with the worker held back');
is($node->safe_psql('postgres', q{SELECT count(*) FROM laras.worker_status WHERE crashes > 0}), '1', 'and nobody else');
set_fault('');
is( $node->safe_psql('postgres', q{SELECT laras.resume_workers();
		SELECT next_attempt_at IS NULL FROM laras.worker_status WHERE worker = 'keeper'}),
	"\nt", 'resume_workers() takes the delay away');
all_there('and it starts');

# --- one that is forgiven while it runs begins to count anew

for my $forgiven (0, 1)
{
	if ($forgiven)
	{
		is(crashes('keeper'), '1', 'one crash is counted');
		$node->safe_psql('postgres', q{SELECT laras.resume_workers('keeper')});
		commit_row();    # whoever took a turn since has heard it
		is($node->safe_psql('postgres', q{SELECT laras.drain()}), 't', 'the keeper is forgiven');
	}
	$offset = -s $node->logfile;
	kill 'KILL', worker_pid($node, 'keeper');
	ok(wait_for(sub { log_since($offset) =~ /crashed \((\d+) in a row\)/ }), 'and crashes');
	like(log_since($offset), qr/laras keeper in database "postgres" crashed \(1 in a row\)/, 'for the first time in a row');
	ok(wait_for_sql($node, 'SELECT true'), 'the server answers again');
	all_there('with all its workers');
}

# --- a vault that crashes does not keep the others of its database from starting

$offset = -s $node->logfile;
set_fault('vault_start:kill9');
kill 'TERM', worker_pid($node, 'vault');
ok(wait_for(sub { log_since($offset) =~ /laras vault in database "postgres" crashed \(3 in a row\)/ }, 60), 'the vault crashes at each start');
ok( wait_for_sql($node, q{SELECT bool_and(CASE worker WHEN 'vault' THEN state = 'backing off' ELSE state IN ('idle', 'working') END)
		FROM laras.worker_status WHERE database = 'postgres'}),
	'the others run while it is held back');
set_fault('');
$node->safe_psql('postgres', q{SELECT laras.resume_workers('vault')});
all_there('and it comes back when it is forgiven');

# --- kill -9 of the launcher

$offset = -s $node->logfile;
kill 'KILL', worker_pid($node, 'launcher');
ok(wait_for(sub { log_since($offset) =~ /reinitializing/ }), 'kill -9 of the launcher restarts the server');
all_there('and everything is back');
is(crashes('launcher'), '1', 'the launcher remembers');

# --- deaths that are nobody's fault

for my $how ('immediate', 'kill9')
{
	my $before = $node->safe_psql('postgres', 'SELECT string_agg(worker || crashes, $$,$$ ORDER BY worker) FROM laras.worker_status');
	commit_row();
	if ($how eq 'immediate') { $node->stop('immediate') }
	else
	{
		my @processes = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity');
		$node->kill9;
		ok(wait_for(sub { !grep { kill 0, $_ } @processes }), 'the orphans end');
	}
	$offset = -s $node->logfile;
	$node->start;
	all_there("after $how the workers are back");
	unlike(log_since($offset), qr/It is started again in/, 'none held back');
	is($node->safe_psql('postgres', 'SELECT string_agg(worker || crashes, $$,$$ ORDER BY worker) FROM laras.worker_status'),
		$before, 'and no crash was put down to anybody');
}

# --- nothing was lost

is($node->safe_psql('postgres', 'SELECT string_agg(n::text, $$,$$ ORDER BY n) FROM kept'),
	join(',', 1 .. $rows), 'every committed row is there');

$node->stop;
done_testing();
