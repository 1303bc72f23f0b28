# kill -9 at each step of destroying, leasing, sweeping and opening: what was
# committed ends destroyed in both mirrors, what was not stays, a slot of a
# rolled-back or lost transaction ends destroyed and no slot is handed out
# twice; the neighbour opens throughout.
use strict;
use warnings;

use lib 'test/lib';
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('vault', crash => 1, faults => 1, settings => { 'laras.keyring_slabs_ahead' => 16 });
my $vault = LarasVault->new($node);
my $neighbour = $vault->subject('tetangga');
my %handed_out;

# The worker reads its fault from a file, so that it can be taken away while the server restarts.
put_fault($node, '');
$node->reload;

sub set_fault
{
	my ($fault) = @_;
	put_fault($node, $fault);
	$node->reload;
	return;
}

sub log_since { return substr(slurp_file($node->logfile), $_[0]); }

# A session that dies at the fault point.
sub session_dies
{
	my ($fault, $sql) = @_;
	my $offset = -s $node->logfile;
	my ($code) = $node->psql('postgres', "SET laras.fault = '$fault:kill9'; $sql");
	return $code != 0 && wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ }, 20);
}

sub turns
{
	my ($code, $out) = $node->psql('postgres', q{SELECT coalesce(max(turns), 0) FROM laras.worker_status WHERE worker = 'vault'});
	return $code == 0 ? $out : 0;
}

# The vault worker dies at the fault point, after whatever it takes to get there.
sub worker_dies
{
	my ($fault, $act) = @_;
	my $offset = -s $node->logfile;
	set_fault("$fault:kill9");
	# Two turns later it has read its configuration.
	my $turns = turns();
	wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ || turns() >= $turns + 2 }, 20);
	$act->() if $act;
	my $died = wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ }, 30);
	set_fault('');
	return $died;
}

sub up_again
{
	my ($message) = @_;
	# The launcher holds back who crashed; that is another test's story.
	ok( wait_for(
			sub {
				my ($code, $out) = $node->psql('postgres',
					q{SELECT bool_and(phase = 'open') FROM laras.keyring_status; SELECT laras.resume_workers('vault')});
				return $code == 0 && $out =~ /^t/;
			},
			90),
		"$message: the vault opens again");
	is($vault->reveal($neighbour), 'tetangga', "$message: the neighbour opens");
	return;
}

sub settled
{
	my ($message) = @_;
	ok($vault->wait_verified(60), "$message: read back from both mirrors");
	ok(wait_for(sub { $vault->mirrors_differ eq '' }), "$message: mirrors are the same") or diag($vault->mirrors_differ);
	return;
}

# --- destroying: before the commit nothing has happened, after it all has

for my $step (qw(destroy.pre_commit destroy.prepared))
{
	my $n = $vault->subject("sebelum $step");
	ok(session_dies($step, $vault->destroy_sql($n)), "killed at $step");
	up_again($step);
	is($vault->reveal($n), "sebelum $step", "$step: not committed, so not destroyed");
}
for my $step (qw(destroy.committed destroy.bits_set destroy.appended destroy.journal_written
	destroy.slot_written destroy.flushed destroy.done))
{
	my $n = $vault->subject("sesudah $step");
	ok(session_dies($step, $vault->destroy_sql($n)), "killed at $step");
	up_again($step);
	is($vault->reveal($n), 'NULL', "$step: committed, so destroyed");
	is($vault->state($n), 'destroyed', "$step: in the keyring");
	settled($step);
}

# --- the worker, between the first mirror and the second, and before it marks the row

for my $step (qw(mirror.flush destroy.verified))
{
	my $n = $vault->subject("pekerja $step");
	ok(worker_dies($step, sub { $node->psql('postgres', $vault->destroy_sql($n)) }), "worker killed at $step");
	up_again($step);
	is($vault->reveal($n), 'NULL', "$step: destroyed");
	settled($step);
}

# --- errors after the commit are not the session's: it stays pending and is repeated

my $pending = $vault->subject('tertunda');
is($node->psql('postgres', 'SET laras.fault = \'destroy.committed:sleep:500\'; ' . $vault->destroy_sql($pending)), 0, 'a slow commit');
is($vault->reveal($pending), 'NULL', 'is destroyed');

# --- slots of transactions that did not commit

sub leased_and_lost
{
	my ($sql) = @_;
	my ($code, $out) = $node->psql('postgres', $sql);
	my @slot = $out =~ /^slot (\d+)$/mg;
	return @slot;
}

my $lease = q{SELECT 'slot ' || laras_test.lease()};
my @lost = leased_and_lost("BEGIN; $lease; $lease; ROLLBACK;");
is(@lost, 2, 'two slots leased and rolled back');
push @lost, leased_and_lost("BEGIN; SAVEPOINT a; $lease; SAVEPOINT b; $lease; RELEASE b; ROLLBACK TO a; COMMIT;");
is(@lost, 4, 'and two in savepoints');
push @lost, leased_and_lost("BEGIN; $lease; SELECT 1/0; COMMIT;");
is(@lost, 5, 'and one lost to an error');
ok( wait_for_sql($node, 'SELECT bool_and(laras.key_state(s) = \'destroyed\') FROM unnest(ARRAY[' . join(',', @lost) . ']::bigint[]) AS s'),
	'all of them end destroyed');
my $reason = $node->safe_psql('postgres', 'SELECT count(*) FROM laras.key_destruction WHERE slot IN (' . join(',', @lost) . ')');
is($reason, '0', 'by no order of the database');
my ($kept) = leased_and_lost($vault->bound(qq{
	SAVEPOINT a; INSERT INTO subject (id, slot) VALUES (900, laras_test.lease()); RELEASE a;
	SELECT laras_test.key_owner_add(@{[$vault->workspace]}, slot, 'contact', 900) FROM subject WHERE id = 900;
	SELECT 'slot ' || slot FROM subject WHERE id = 900}));
is($node->safe_psql('postgres', "SELECT laras.key_state($kept)"), 'live', 'one that committed through a savepoint lives');

# after a crash: leased, handed out, never committed
@lost = leased_and_lost("SET laras.fault = 'lease.abort:kill9'; BEGIN; $lease; ROLLBACK;");
is(@lost, 1, 'killed while it rolls back');
up_again('lease.abort');
ok(wait_for_sql($node, "SELECT laras.key_state($lost[0]) = 'destroyed'"), 'lease.abort: its slot is swept');
@lost = leased_and_lost("BEGIN; $lease; SET laras.fault = 'lease.taken:kill9'; $lease; COMMIT;");
is(@lost, 1, 'killed with a slot in hand');
up_again('lease.taken');
ok(wait_for_sql($node, "SELECT laras.key_state($lost[0]) = 'destroyed'"), 'lease.taken: its slot is swept');
ok(worker_dies('orphan.before', sub { @lost = leased_and_lost("BEGIN; $lease; ROLLBACK;") }), 'worker killed before it destroys a rolled-back slot');
up_again('orphan.before');
ok(wait_for_sql($node, "SELECT laras.key_state($lost[0]) = 'destroyed'"), 'orphan.before: the slot is swept after the restart');
is($node->safe_psql('postgres', "SELECT laras.key_state($kept)"), 'live', 'no sweep took a slot that has an owner');

# --- leasing: no slot twice, whatever step the worker dies at

sub lease_many
{
	my ($count) = @_;
	my ($code, $out) = $node->psql('postgres', $vault->bound(qq{
		WITH taken AS MATERIALIZED (SELECT laras_test.lease() AS slot FROM generate_series(1, $count))
		SELECT 'slot ' || slot, laras_test.key_owner_add(@{[$vault->workspace]}, slot, 'group', 1) FROM taken}));
	return $out =~ /^slot (\d+)/mg;
}

my $twice = 0;
$twice += $handed_out{$_}++ for lease_many(300);
for my $step (qw(lease.before_write lease.written lease.published))
{
	ok(worker_dies($step, sub { $twice += $handed_out{$_}++ for lease_many(400) }), "worker killed at $step");
	up_again($step);
	my @more = lease_many(700);
	is(@more, 700, "$step: slots are leased again");
	$twice += $handed_out{$_}++ for @more;
}
is($twice, 0, 'no slot was handed out twice');

# --- opening

$node->stop('fast');
put_fault($node, 'open.replaying:kill9');
my $offset = -s $node->logfile;
$node->start;
ok(wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ }, 20), 'worker killed while it replays');
set_fault('');
up_again('open.replaying');

my $making = Laras->cluster('making', crash => 1, faults => 1, extension => 0);
$making->append_conf('postgresql.conf', "laras.fault = 'create.begin:exit1'");
$making->restart;
$making->safe_psql('postgres', 'CREATE EXTENSION laras CASCADE');
ok(wait_for(sub { slurp_file($making->logfile) =~ /exited with exit code 1/ }), 'worker lost while it makes the keyring');
$making->append_conf('postgresql.conf', "laras.fault = ''");
$making->reload;
ok(wait_for_sql($making, q{SELECT bool_and(phase = 'open') AND count(*) = 2 FROM laras.keyring_status}, 90), 'the keyring is made by the next');

done_testing;
