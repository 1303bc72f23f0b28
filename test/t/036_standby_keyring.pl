# A standby with mirrors of its own: the keyring comes over a connection and
# never through WAL, byte for byte; what the primary erases is unreadable there;
# reading is off until it is allowed; an erasing transaction waits for a
# synchronous standby; promoted, it reveals, makes keys and erases. A server that
# is promoted with an old copy of the keyring stays shut (LRK07, with a hint) until
# the newest one comes or a person takes the old.
# proves R204 R233
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(move);
use IPC::Run ();
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = Laras->cluster('primary', faults => 1, init => { allows_streaming => 1 }, settings => { 'laras.keyring_slabs_ahead' => 16, autovacuum => 'off' });
my $vault = LarasVault->new($primary);
my $kept = $vault->subject('tetap');
my $early = $vault->subject('dihapus sebelum ada siaga');
$vault->destroy($early);
$primary->backup('base');

my %mirror = (primary => { map { $_ => Laras->mirror($primary, $_) } qw(a b) });

# A standby with empty mirrors beside its data directory; source: does it pull?
sub standby
{
	my ($name, $source) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $ENV{LARAS_FAULT_TREE});
	$node->init_from_backup($primary, 'base', has_streaming => 1);
	my $outside = PostgreSQL::Test::Utils::tempdir();
	$mirror{$name} = { map { $_ => "$outside/keyring_$_" } qw(a b) };
	mkdir $_, 0700 or die "$_: $!" for values %{ $mirror{$name} };
	my $directories = join ', ', map { "$_=$mirror{$name}{$_}" } qw(a b);
	my $connection = $source ? Laras->conninfo($primary, user => 'laras_standby') =~ s/'/''/gr : '';
	$node->append_conf('postgresql.conf', "laras.keyring_directory = '$directories'\nlaras.keyring_source = '$connection'\ncluster_name = '$name'\nhot_standby_feedback = on\n");
	return $node;
}

# Files that differ between a mirror of the primary and those of a standby.
sub differ
{
	my ($name) = @_;
	my $from = "$mirror{primary}{a}/0";
	my %differ;
	for my $to (map { "$_/0" } values %{ $mirror{$name} })
	{
		my %file = map { s{.*/}{}r => 1 } glob("$from/*"), glob("$to/*");
		$differ{$_} = 1 for grep { !-e "$from/$_" || !-e "$to/$_" || slurp_file("$from/$_") ne slurp_file("$to/$_") } keys %file;
	}
	return join ' ', sort keys %differ;
}
sub same { my ($name, $what) = @_; return ok(wait_for(sub { differ($name) eq '' }, 60), $what) || diag 'different: ' . differ($name); }

# As LarasVault, of another node.
sub reveal
{
	my ($node, $n) = @_;
	my (undef, $out, $err) = $node->psql('postgres', $vault->bound("SELECT coalesce(laras.reveal(body, id, 17::smallint), 'NULL') FROM subject WHERE id = $n"), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:\s+([0-9A-Z]{5}):/ ? $1 : $out =~ s/^\s+|\s+$//gr;
}
sub status { my ($node) = @_; return $node->safe_psql('postgres', q{SELECT phase || ': ' || coalesce(reason, '') FROM laras.keyring_summary()}); }

# --- the copy

# killed at two moments of it: before the copy has its name, and between a record and its mark
my $standby = standby('siaga', 1);
for my $step (qw(standby.copied standby.journalled))
{
	my $fault = $standby->data_dir . '/fault.conf';
	$standby->append_conf('postgresql.conf', "include_if_exists 'fault.conf'") if $step eq 'standby.copied';
	if ($step eq 'standby.journalled')
	{
		$standby->start;
		ok(wait_for_sql($primary, q{SELECT behind = 0 AND slabs_behind = 0 FROM laras.keyring_standbys WHERE standby = 'siaga'}, 60), 'started again, it has the journal and every slab, the primary says');
		is(differ('siaga'), '', 'and so it is');
		$standby->stop('fast');
		$vault->destroy($vault->subject('pergi selama siaga mati'));
	}
	append_to_file($fault, "laras.fault = '$step:kill9'\nrestart_after_crash = off\n");
	my $offset = -s $standby->logfile // 0;
	{
		# not by start(), which gives up the whole run where the server is down again by then
		local %ENV = $standby->_get_env(PGAPPNAME => undef);
		PostgreSQL::Test::Utils::system_log('pg_ctl', '-w', '-D', $standby->data_dir, '-l', $standby->logfile, '-o', '--cluster-name=siaga', 'start');
	}
	ok(wait_for(sub { substr(slurp_file($standby->logfile), $offset) =~ /was terminated by signal 9/ }), "killed at $step");
	ok(wait_for(sub { !-e $standby->data_dir . '/postmaster.pid' }), 'it is down');
	is($primary->safe_psql('postgres', q{SELECT behind || ' ' || (slabs_behind > 16) FROM laras.keyring_standbys WHERE standby = 'siaga'}), '0 true',
		'the primary says that it holds no keys yet, though it lacks no record of the journal') if $step eq 'standby.copied';
	$standby->{_pid} = undef;
	unlink $fault or die;
}
$standby->start;
$primary->wait_for_catchup($standby);
same('siaga', 'the keyring of the standby is the primary\'s, byte for byte, in both mirrors');
is(status($standby), 'closed: this server is a standby; it pulls its keys', 'it is shut, and says why');
is(reveal($standby, $kept), 'LRK01', 'nothing is revealed on it');
ok(wait_for_sql($primary, q{SELECT behind = 0 AND slabs_behind = 0 FROM laras.keyring_standbys WHERE standby = 'siaga'}), 'the primary knows how far it has come');
(undef, undef, my $err) = $primary->psql('postgres', q{SET ROLE laras_service; SELECT * FROM laras.pull_keyring('x', 0, '\x00000000000000000000000000000000', 0, '{}', 0)});
like($err, qr/permission denied for function pull_keyring/, 'nobody else may ask for it');

my $old = PostgreSQL::Test::Utils::tempdir();
copy_of_live($mirror{siaga}{a} . '/0', "$old/0");

# --- made, destroyed, leased: it follows

my $gone = $vault->subject('pergi');
$primary->safe_psql('postgres', $vault->bound("SELECT count(laras_test.key_owner_add(" . $vault->workspace . ", laras_test.lease(), 'group', i)) FROM generate_series(1, 1500) i"));
$vault->destroy($gone);
ok($vault->wait_verified, 'keys are made, one is destroyed');
$primary->append_conf('postgresql.conf', 'laras.keyring_slabs_ahead = 64');
$primary->reload;
ok(wait_for_sql($primary, q{SELECT max(slabs) >= 64 FROM laras.keyring_status}, 60), 'slabs are made');
ok(wait_for_sql($primary, q{SELECT behind = 0 AND slabs_behind = 0 FROM laras.keyring_standbys WHERE standby = 'siaga'}, 60), 'and the standby has them, the primary says');
same('siaga', 'the standby follows');
my ($slab, $at) = $vault->place($vault->slot($gone));
is(unpack('H2', substr(slurp_file("$mirror{siaga}{$_}/0/$slab"), $at, 1)), 'dd', "the key is destroyed in mirror $_ of the standby") for qw(a b);

# --- the master key is rotated on the primary

my $key_file = Laras->master_key_file($primary);
my $keys = slurp_file($key_file) . '2 ' . 'ab' x 32 . "\n";
unlink $key_file or die;
append_to_file($key_file, $keys);
chmod 0400, $key_file or die;
is($primary->safe_psql('postgres', 'SELECT laras.rotate_master_key()'), 2, 'the master key is rotated');
ok(wait_for_sql($primary, 'SELECT NOT running AND oldest_epoch = 2 FROM laras.progress_rotation', 60), 'every key is wrapped anew');
same('siaga', 'and so are those of the standby');
ok(wait_for_sql($primary, q{SELECT behind = 0 AND slabs_behind = 0 FROM laras.keyring_standbys}), 'which the primary knows');
is($primary->safe_psql('postgres', 'SELECT max(oldest_epoch) FROM laras.keyring_status'), '2', 'the first epoch is retired');

# --- reading on a standby

$standby->append_conf('postgresql.conf', 'laras.standby_reveal = on');
$standby->reload;
$primary->wait_for_catchup($standby);
ok(wait_for(sub { reveal($standby, $kept) eq 'tetap' }), 'allowed, the standby reveals') or diag status($standby);
is(reveal($standby, $_), 'NULL', 'but nothing that was erased') for $gone, $early;
my $later = $vault->subject('pergi lagi');
$primary->wait_for_catchup($standby);
ok(wait_for(sub { reveal($standby, $later) eq 'pergi lagi' }), 'a new key opens there');
$vault->destroy($later);
$primary->wait_for_catchup($standby);
ok(wait_for(sub { reveal($standby, $later) eq 'NULL' }), 'destroyed on the primary, it is unreadable there');

# --- the replayed database orders too, when the primary cannot be asked

$primary->safe_psql('postgres', 'ALTER ROLE laras_standby NOLOGIN; SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $$laras_standby$$');
ok(wait_for(sub { slurp_file($standby->logfile) =~ /the keyring is not pulled/ }), 'the standby cannot ask');
my $blind = $vault->subject('pergi tanpa kabar');
$vault->destroy($blind);
ok($vault->wait_verified, 'an erasure meanwhile');
$primary->wait_for_catchup($standby);
my $journal = $primary->safe_psql('postgres', 'SELECT max(journal) FROM laras.keyring_status');

# --- an erasing transaction waits for a synchronous standby

my $waiting = $vault->subject('ditunggu');
$primary->wait_for_catchup($standby);
$standby->stop('fast');
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'siaga'");
$primary->reload;
ok(wait_for_sql($primary, q{SELECT current_setting('synchronous_standby_names') = 'siaga'}), 'the standby is made synchronous');
$primary->safe_psql('postgres', q{SET synchronous_commit = off; CREATE TABLE other (i int)});
pass('what says so does not wait for it');
my ($out, $said) = ('', '');
my $client = IPC::Run::start([ 'psql', '-XAtq', '-d', $primary->connstr('postgres'), '-c', 'SET synchronous_commit = off', '-c', $vault->destroy_sql($waiting) ],
	'<', \undef, '>', \$out, '2>', \$said, IPC::Run::timeout(120));
ok(wait_for_sql($primary, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%COMMIT%'}), 'an erasing transaction waits all the same');
$standby->start;
IPC::Run::finish($client);
is($said, '', 'and ends when the standby has it');
is($vault->reveal($waiting), 'NULL', 'unreadable then');
$primary->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$primary->reload;

# --- promotion: the keys were not pulled since, but every order is replayed

is($primary->safe_psql('postgres', "SELECT count(*) FROM laras.key_destruction WHERE verified_at IS NULL"), 0, 'every order was carried out on the primary') if $vault->wait_verified;
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;
ok(wait_for_sql($standby, q{SELECT bool_and(phase = 'open' AND mirror_state = 'in sync') AND count(*) = 2 FROM laras.keyring_status}, 60), 'promoted, the vault opens') or diag status($standby);
is(reveal($standby, $kept), 'tetap', 'what was sealed on the primary opens');
is(reveal($standby, $_), 'NULL', 'what was erased there does not') for $early, $gone, $later, $blind, $waiting;
$standby->safe_psql('postgres', $vault->bound("SELECT count(laras_test.key_owner_add(" . $vault->workspace . ", laras_test.lease(), 'group', 10000 + i)) FROM generate_series(1, 2000) i"));
is($standby->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT slot) FROM laras.key_owner'), 0, 'no key is handed out twice');
$standby->safe_psql('postgres', $vault->destroy_sql($kept));
is(reveal($standby, $kept), 'NULL', 'and it erases');
is($standby->safe_psql('postgres', q{SELECT coalesce(string_agg(worker || ' ' || last_error, '; '), 'none') FROM laras.worker_status WHERE failures > 0}), 'none', 'no worker failed');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'laras standby'}), 0, 'what pulled is gone');
$standby->stop('fast');

# --- promoted with an old copy of the keyring

$primary->start;
$vault->wait_open;
$primary->safe_psql('postgres', 'ALTER ROLE laras_standby LOGIN');
my $second = standby('tua', 0);
system_or_bail('cp', '-a', "$old/0", $_) for values %{ $mirror{tua} };
$second->start;
$primary->wait_for_catchup($second);
$primary->stop('fast');
$second->promote;
ok(wait_for(sub { status($second) =~ /^closed: this server was promoted/ }), 'a server promoted with an old keyring stays shut') or diag status($second);
is(reveal($second, $blind), 'LRK07', 'with LRK07');
(undef, undef, $err) = $second->psql('postgres', $vault->bound("SELECT laras.reveal(body, id, 17::smallint) FROM subject WHERE id = $kept"));
like($err, qr/HINT:  Put back the newest mirrors of the keyring, the old primary's after a failover/, 'and a hint');
for my $name (qw(a b))
{
	move("$mirror{tua}{$name}/0", "$mirror{tua}{$name}.old") or die;
	system_or_bail('cp', '-a', "$mirror{primary}{$name}/0", "$mirror{tua}{$name}/coming");
	move("$mirror{tua}{$name}/coming", "$mirror{tua}{$name}/0") or die;
}
ok(wait_for_sql($second, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}, 60), 'the primary\'s own mirrors are brought: the vault opens') or diag status($second);
is(reveal($second, $kept) . ' ' . reveal($second, $blind), 'tetap NULL', 'and all is as it was there');
$second->stop('fast');

# ... and where there is none newer, a person takes the old one
my $third = standby('sisa', 0);
system_or_bail('cp', '-a', "$old/0", $_) for values %{ $mirror{sisa} };
$primary->start;
$vault->wait_open;
$third->start;
$primary->wait_for_catchup($third);
$primary->stop('fast');
$third->promote;
ok(wait_for(sub { status($third) =~ /^closed: this server was promoted/ }), 'another one');
is($third->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 't', 'a person takes it as it is');
ok(wait_for_sql($third, q{SELECT bool_and(phase = 'open' AND adoptions = 1) FROM laras.keyring_status}, 60), 'which its journal says, and the vault opens') or diag status($third);
is(reveal($third, $kept) . ' ' . reveal($third, $blind), 'tetap NULL', 'and the orders of the database are carried out');
$third->stop('fast');

# ... while one that is promoted as soon as the primary says that it lacks nothing has its keys
$primary->start;
$vault->wait_open;
my $fourth = standby('segera', 1);
$fourth->start;
ok(wait_for_sql($primary, q{SELECT behind = 0 AND slabs_behind = 0 FROM laras.keyring_standbys WHERE standby = 'segera'}, 60), 'a new standby, and the primary says that it lacks nothing');
$primary->stop('immediate');
$fourth->promote;
ok(wait_for_sql($fourth, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}, 60), 'promoted at once, its vault opens') or diag status($fourth);
is(reveal($fourth, $kept) . ' ' . reveal($fourth, $blind), 'tetap NULL', 'with every key, and none that was destroyed');
$fourth->stop('fast');
done_testing;
