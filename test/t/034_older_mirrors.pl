# Both mirrors set back to a copy that is older than the database: the lease is
# raised to what the database knows before a key is handed out, so that no slot
# is ever handed out twice; the orders of the database are carried out in the
# mirrors that lack them; what was sealed under keys that are lost is an error
# and never reads as an erasure.
# proves R204
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(copy);
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('vault', crash => 1, settings => { 'laras.keyring_slabs_ahead' => 16, autovacuum => 'off' });
my $vault = LarasVault->new($node);
my %mirror = map { $_ => Laras->mirror($node, $_) . '/0' } qw(a b);
my $before = $vault->subject('sebelum salinan');
my $erased = $vault->subject('dihapus sesudah salinan');

sub bytes { my ($mirror, $slot) = @_; my ($slab, $at) = $vault->place($slot); return substr slurp_file("$mirror{$mirror}/$slab"), $at, 64; }
sub leased { return $node->safe_psql('postgres', 'SELECT max(leased) FROM laras.keyring_status'); }

# The newest positions of many slots, taken and owned in transactions that stay.
sub take { my ($n, $as) = @_; $node->safe_psql('postgres', $vault->bound("SELECT count(laras_test.key_owner_add(" . $vault->workspace . ", laras_test.lease(), 'group', $as * 100000 + i)) FROM generate_series(1, $n) i")); return; }

# Both mirrors as they were when this was called.
sub copy_mirrors
{
	my ($where) = @_;
	$node->stop('fast');
	for my $name (qw(a b))
	{
		mkdir "$where/$name" or die "$where/$name: $!";
		system_or_bail('cp', '-a', "$mirror{$name}/.", "$where/$name");
	}
	$node->start;
	$vault->wait_open;
	return;
}

sub set_back
{
	my ($where, %option) = @_;
	$node->stop($option{mode} // 'fast');
	for my $name (qw(a b))
	{
		system_or_bail('rm', '-rf', $mirror{$name});
		system_or_bail('cp', '-a', "$where/$name", $mirror{$name});
	}
	$node->start;
	return;
}

my $old = PostgreSQL::Test::Utils::tempdir();
copy_mirrors($old);
is($node->safe_psql('postgres', 'SELECT leased FROM laras.keyring_mark') . '', leased(), 'the database knows the end of the lease');

# --- more than one lease later, with an erasure, and slots of a transaction that rolled back

take(1500, 1);
my $after = $vault->subject('sesudah salinan');
$vault->destroy($erased);
ok($vault->wait_verified, 'an erasure after the copy');
is($node->safe_psql('postgres', 'SELECT leased FROM laras.keyring_mark'), leased(), 'the database knows each lease');
my $end = leased();
my $lost = $vault->slot($after);

set_back($old);
ok($vault->wait_open, 'both mirrors are older than the database: the vault opens');
cmp_ok(leased(), '>=', $end, 'the lease is where it was') or diag leased();
like(slurp_file($node->logfile), qr/every mirror of the keyring is older than this database/, 'it is told');
is($vault->reveal($before), 'sebelum salinan', 'what was sealed before the copy opens');
is($vault->reveal($after), 'sesudah salinan', 'and after it, since its slot was made ahead');

# --- the orders of the database

is($vault->reveal($erased), 'NULL', 'the erased is dead, though both mirrors had brought it back');
is($vault->state($erased), 'destroyed', 'its key is destroyed');
is(unpack('H2', bytes($_, $vault->slot($erased))), 'dd', "in mirror $_ too") for qw(a b);
like(slurp_file($node->logfile), qr/\d+ orders of the database were carried out again/, 'by the order of the database');

# --- nothing is handed out twice

take(2000, 2);
my $twice = q{SELECT count(*) - count(DISTINCT slot) FROM laras.key_owner};
is($node->safe_psql('postgres', $twice), 0, 'two thousand more slots, and none twice');
is($node->safe_psql('postgres', q{SELECT count(*) FROM laras.key_owner k WHERE laras.key_state(k.slot) = 'unused'}), 0, 'none that is owned counts as unused');
is($vault->mirrors_differ, '', 'the mirrors are the same');

# --- the database does not know of a lease: it was written before that was noted

take(1, 3);
$end = leased();
$node->safe_psql('postgres', 'UPDATE laras.keyring_mark SET leased = 0');
set_back($old, mode => 'immediate');
ok($vault->wait_open, 'a database that noted no lease: the vault opens');
take(1500, 4);
is($node->safe_psql('postgres', $twice), 0, 'its rows are asked instead, and no slot is handed out twice');
is($vault->reveal($before) . ', ' . $vault->reveal($erased), 'sebelum salinan, NULL', 'and nothing has changed');

# --- a copy from before the slabs that the database uses

my $window = PostgreSQL::Test::Utils::tempdir();
system_or_bail('cp', '-a', "$old/.", $window);
my ($slab) = $vault->place($lost);
unlink "$window/$_/$slab" or die for qw(a b);
set_back($window);
ok($vault->wait_open, 'a copy that lacks a slab: the vault opens');
is($vault->reveal($after), 'LRK04', 'what was sealed under its keys is an error, never NULL');
ok(!-e "$mirror{a}/$slab", 'no slab was made in its place');
take(3000, 5);
is($node->safe_psql('postgres', q{SELECT count(*) FROM laras.key_owner k WHERE k.kind = 'group' AND k.owner_id > 500000 AND laras.key_state(k.slot) <> 'live'}), 0, 'no key is handed out that is out of reach');
$node->safe_psql('postgres', 'UPDATE laras.keyring_mark SET leased = 200000');
$node->restart;
ok($vault->wait_open, 'three windows of slabs were made since the copy: the vault opens');
take(1, 6);
is($node->safe_psql('postgres', q{SELECT laras.key_state(k.slot) || ' ' || (k.slot >= 327680) FROM laras.key_owner k WHERE k.kind = 'group' AND k.owner_id > 600000}), 'live true', 'the next key comes from a new window');
is(join(' ', grep { -e sprintf "$mirror{a}/slab-%08x", $_ } 48 .. 79), '', 'and nothing is made in the place of the lost ones');
copy("$old/$_/$slab", "$mirror{$_}/$slab") && chmod(0600, "$mirror{$_}/$slab") or die for qw(a b);
$node->restart;
ok($vault->wait_open, 'the slab is put back');
is($vault->reveal($after), 'sesudah salinan', 'and what was sealed opens');
is($node->safe_psql('postgres', $twice), 0, 'no slot was handed out twice');
$node->stop('fast');
done_testing;
