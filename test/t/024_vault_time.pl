# Time slots and slow mirrors: an hour's slot is one for all workspaces and dies
# by the product's clock, a week's later; an hour that is still in use is not
# this test's; a backup from before an erasure does not open with the keyring
# as it now is; a second mirror that hangs delays a commit, bounded.
use strict;
use warnings;

use lib 'test/lib';
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = Laras->cluster('vault', crash => 1,
	settings => { 'laras.keyring_slabs_ahead' => 16, wal_level => 'replica', max_wal_senders => 4 });
my $vault = LarasVault->new($node);

sub one { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# --- hours and weeks

my $hour = one(q{SELECT laras_test.time_slot('hour', laras.now())});
is(one(q{SELECT laras_test.time_slot('hour', laras.now())}), $hour, 'one slot for the hour, in every session');
my $week = one(q{SELECT laras_test.time_slot('week', laras.now())});
isnt($week, $hour, 'the week has its own');
is(one(q{SELECT count(*) FROM laras.key_owner WHERE workspace_id = 0}), '2', 'both are owned by no workspace');
my $lost = one(q{BEGIN; SELECT laras_test.time_slot('hour', laras.now() + interval '50 hours'); ROLLBACK});
ok(wait_for_sql($node, "SELECT laras.key_state($lost) = 'destroyed'"), 'an hour made by a transaction that rolled back is destroyed');
my @race = map {
	my ($in, $out) = ("SELECT 'slot ' || laras_test.time_slot('hour', laras.now() + interval '51 hours');", '');
	{ in => $in, out => \$out, run => IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out) } } 1 .. 8;
$_->{run}->finish for @race;
my %answer = map { ${ $_->{out} } => 1 } @race;
is(keys %answer, 1, 'eight sessions at once agree on the slot of an hour');

my $body = one("SELECT laras_test.seal(@{[$vault->w]}, $hour, 8, @{[$vault->workspace]}, 1, 'raw body')");
my $open = sub {
	my $got = one($vault->bound("SELECT coalesce(laras.reveal('$body', 1, 8::smallint), 'NULL')"));
	$got =~ s/^\s+|\s+$//g;
	return $got;
};
is($open->(), 'raw body', 'a raw body opens');
one(q{SELECT laras.advance_clock('70 hours')});
ok(wait_for_sql($node, q{SELECT max(turns) > } . one(q{SELECT max(turns) + 2 FROM laras.worker_status WHERE worker = 'vault'})
	  . q{ FROM laras.worker_status WHERE worker = 'vault'}), 'the vault looks at the clock');
is($open->(), 'raw body', 'after 70 hours it still does');
one(q{SELECT laras.advance_clock('3 hours')});
ok(wait_for(sub { $open->() eq 'NULL' }), 'past laras.intake_key_horizon it no longer does');
is(one("SELECT laras.key_state($week)"), 'live', 'the week is not over');
is(one("SELECT reason FROM laras.key_destruction WHERE slot = $hour"), '2', 'destroyed by retention');
is(one("SELECT count(*) FROM laras.key_owner WHERE slot = $hour"), '0', 'and owned by nobody');
one(q{SELECT laras.advance_clock('31 days')});
ok(wait_for_sql($node, "SELECT laras.key_state($week) = 'destroyed'"), 'a week is over after thirty days');
ok($vault->wait_verified, 'all is read back');
unlike(slurp_file($node->logfile), qr/did not take a destruction in time/, 'no commit waited in vain');

# --- a backup from before the erasure, with the keyring as it now is

my $ani = $vault->subject('nomor Ani +628123456789');
my $budi = $vault->subject('nomor Budi +628987654321');
$node->backup('before');
$vault->destroy($ani);
ok($vault->wait_verified, 'Ani is erased after the backup');
$node->stop('fast');
my $old = PostgreSQL::Test::Cluster->new('old');
$old->init_from_backup($node, 'before');
$old->append_conf('postgresql.conf', 'port = ' . $old->port);
$old->start;
my $restored = bless { %$vault, node => $old }, 'LarasVault';
ok($restored->wait_open, 'the old backup opens with the keyring');
is($restored->reveal($ani), 'NULL', 'Ani does not open in the backup');
is($restored->reveal($budi), 'nomor Budi +628987654321', 'Budi does');
is(one_of($old, q{SELECT count(*) FROM laras.key_destruction WHERE reason = 1}), '0', 'though the backup knows no order');
like(one_of($old, q{SELECT DISTINCT sweeping FROM laras.keyring_status}), qr/^off below the mark/, 'and nothing is swept there: the database is older than its keyring');
is(one_of($old, q{SELECT DISTINCT swept FROM laras.keyring_status}), '0', 'not one slot');
$old->stop('fast');

sub one_of { my ($which, $sql) = @_; return $which->safe_psql('postgres', $sql); }

# nothing in data directory, WAL or backup shows the text
$node->start;
$vault->wait_open;
one('CHECKPOINT');
my @found;
for my $root ($node->data_dir, $node->backup_dir, $old->data_dir)
{
	require File::Find;
	File::Find::find({ no_chdir => 1, wanted => sub {
		return unless -f;
		push @found, $_ if slurp_file($_) =~ /\+628123456789|\+628987654321/;
	} }, $root);
}
is("@found", '', 'no file of data directory, WAL and backups holds the text in clear');

# --- a slow second mirror

SKIP:
{
	my $tree = $ENV{LARAS_FAULT_TREE};
	skip 'no server tree with fault points', 4 unless defined $tree && -d $tree;
	my $slow = Laras->cluster('slow', crash => 1, faults => 1,
		settings => { 'laras.keyring_slabs_ahead' => 16, 'laras.mirror_timeout' => '700ms' });
	my $there = LarasVault->new($slow);
	my $n = $there->subject('lambat');
	my $turns = q{SELECT max(turns) FROM laras.worker_status WHERE worker = 'vault'};
	my $before = one_of($slow, $turns);
	$slow->append_conf('postgresql.conf', "laras.fault = 'mirror.flush:sleep:3000'");
	$slow->reload;
	wait_for_sql($slow, "SELECT ($turns) > $before + 2");
	my $started = time;
	$there->destroy($n);
	my $took = time - $started;
	cmp_ok($took, '>', 0.6, "the commit waits for laras.mirror_timeout ($took s)");
	is($there->reveal($n), 'NULL', 'the value is gone already');
	is(one_of($slow, 'SELECT verified_at IS NULL FROM laras.key_destruction'), 't', 'and no longer: the order is pending');
	ok($there->wait_verified, 'until the mirror has it');
}

done_testing;
