# A commit that queued work wakes the worker at once, however long its poll; a
# rolled-back transaction wakes nobody; drain waits for what was committed.
# proves R238

use strict;
use warnings;

use lib 'test/lib';
use Laras;
use Test::More;

my $node = Laras->cluster('wakeup', faults => 1, settings => { 'laras.poll_interval' => '1h' });
$node->safe_psql('postgres', q{CREATE FUNCTION public.queue_work(int) RETURNS void
	AS '$libdir/laras', 'laras_test_queue_work' LANGUAGE C STRICT});
$node->safe_psql('postgres', 'CREATE TABLE committed_at (t timestamptz)');
is($node->safe_psql('postgres', 'SELECT laras.drain()'), 't', 'the workers are idle');

# --- latency: from just before the commit to the beginning of the turn

# the intake worker has no clock of its own, unlike the keeper: a turn of it was a wake-up
my $intake = q{FROM laras.worker_status WHERE worker = 'intake'};
my @late;
for (1 .. 20)
{
	my $turns = $node->safe_psql('postgres', "SELECT turns $intake");
	$node->safe_psql('postgres', q{
		BEGIN; SELECT public.queue_work(1);
		TRUNCATE committed_at; INSERT INTO committed_at SELECT clock_timestamp(); COMMIT;});
	wait_for_sql($node, "SELECT turns > $turns AND queued = 0 $intake", 10) or last;
	push @late, $node->safe_psql('postgres',
		"SELECT extract(epoch FROM last_turn_at - (SELECT t FROM committed_at)) * 1000 $intake");
}
is(scalar @late, 20, 'every commit woke the worker, whose poll comes once an hour');
my ($median) = (sort { $a <=> $b } @late)[ @late / 2 ];
diag(sprintf 'from commit to turn: %.2f ms (median)', $median);
cmp_ok((sort { $a <=> $b } @late)[0], '>', 0, 'and never before the commit began');

# --- what wakes nobody

my $count = "SELECT turns $intake";
my $turns = $node->safe_psql('postgres', $count);
$node->safe_psql('postgres', 'BEGIN; SELECT public.queue_work(1); ROLLBACK;');
$node->psql('postgres', 'SELECT public.queue_work(1), 1/0');
$node->safe_psql('postgres', 'BEGIN; SELECT public.queue_work(1); INSERT INTO committed_at VALUES (now());');
$node->safe_psql('postgres', 'CREATE TABLE other (n int)');
is($node->safe_psql('postgres', $count), $turns, 'a transaction that did not commit wakes nobody');
is($node->safe_psql('postgres', "SELECT queued $intake"), '0', 'and queues nothing');

# --- prepared transactions leave the work to the poll, and do not leak it

$node->safe_psql('postgres', q{BEGIN; SELECT public.queue_work(1); PREPARE TRANSACTION 'p'});
is($node->safe_psql('postgres', $count), $turns, 'PREPARE TRANSACTION wakes nobody');
$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});

# --- a savepoint that was rolled back does not take the work of the rest away

$node->safe_psql('postgres', 'BEGIN; SELECT public.queue_work(1); SAVEPOINT s; SELECT 1; ROLLBACK TO s; COMMIT;');
ok(wait_for_sql($node, "SELECT turns = $turns + 1 AND queued = 0 $intake"), 'one commit, one turn');

# --- work for a paused worker waits, and is not forgotten

my $keeper = q{FROM laras.worker_status WHERE worker = 'keeper'};
$node->safe_psql('postgres', 'SELECT laras.pause_workers()');
$node->safe_psql('postgres', 'SELECT public.queue_work(3)') for 1 .. 3;
is($node->safe_psql('postgres', "SELECT queued || ' ' || (waiting_since IS NOT NULL) $keeper"), '3 true', 'work for a paused worker waits');
is($node->safe_psql('postgres', q{SELECT laras.drain('100 ms')}), 'f', 'and drain says so');
$node->safe_psql('postgres', 'SELECT laras.resume_workers()');
is($node->safe_psql('postgres', 'SELECT laras.drain()'), 't', 'until it is resumed');
is($node->safe_psql('postgres', "SELECT queued || ' ' || (waiting_since IS NULL) $keeper"), '0 true', 'nothing waits then');

# --- a turn that fails has served nothing

$node->safe_psql('postgres', q{ALTER SYSTEM SET laras.fault = 'keeper_turn:error'});
$node->reload;
$node->safe_psql('postgres', 'SELECT public.queue_work(3)');
is($node->safe_psql('postgres', 'SELECT laras.drain()'), 't', 'a failed turn is repeated without another wake-up');
cmp_ok($node->safe_psql('postgres', "SELECT failures $keeper"), '>', 0, 'it did fail');

$node->stop;
done_testing();
