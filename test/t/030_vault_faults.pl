# Faults under the keyring while it is in use: a mirror that is full, that fails
# to sync or to read, that is slow; slabs truncated, exchanged, of another keyring;
# directories in the wrong place or open to others. Each is told by its own code
# with a hint, none reads as an erasure, none loses a neighbour or an order.
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(copy move);
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('vault', crash => 1, faults => 1, settings => { 'laras.keyring_slabs_ahead' => 16, 'laras.mirror_timeout' => '300ms' });
my $vault = LarasVault->new($node);
my %mirror = map { $_ => Laras->mirror($node, $_) } qw(a b);
put_fault($node, '');
$node->reload;
my $neighbour = $vault->subject('tetangga');

sub set_fault
{
	my ($fault) = @_;
	put_fault($node, $fault);
	$node->reload;
	# The vault worker has read it: it has had two turns since.
	my $turns = $node->safe_psql('postgres', q{SELECT coalesce(max(turns), 0) FROM laras.worker_status WHERE worker = 'vault'});
	wait_for_sql($node, "SELECT max(turns) >= $turns + 2 FROM laras.worker_status WHERE worker = 'vault'");
	return;
}

sub state_of { my ($mirror) = @_; return $node->safe_psql('postgres', "SELECT mirror_state FROM laras.keyring_status WHERE mirror = '$mirror'"); }

sub whole_again
{
	my ($what) = @_;
	set_fault('');
	ok(wait_for_sql($node, q{SELECT bool_and(mirror_state = 'in sync' AND phase = 'open') FROM laras.keyring_status}, 60), "$what: over, both mirrors are in sync");
	ok($vault->wait_verified(60), "$what: every order is read back from both");
	ok(wait_for(sub { $vault->mirrors_differ eq '' }), "$what: and they are the same") or diag($vault->mirrors_differ);
	is($vault->reveal($neighbour), 'tetangga', "$what: the neighbour opens");
	return;
}

# SQLSTATE and hint of a statement that must fail.
sub refusal
{
	my ($sql) = @_;
	my (undef, undef, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($code) = $err =~ /ERROR:\s+(\w{5}):/;
	return ($code // 'none') . ($err =~ /HINT:\s+\S/ ? ' hint' : '');
}

# --- one mirror cannot be written: full, or its sync fails

for my $case (
	[ 'the second mirror is full', 'keyring.write:enospc:keyring_b', 'b' ],
	[ 'the first does not sync', 'keyring.sync:eio:keyring_a', 'a' ])
{
	my ($what, $fault, $bad) = @$case;
	my $gone = $vault->subject("pergi: $what");
	set_fault($fault);
	$vault->destroy($gone);
	is($vault->reveal($gone), 'NULL', "$what: an erasure happens all the same");
	ok(wait_for(sub { state_of($bad) eq 'behind' }), "$what: it is behind");
	is($node->safe_psql('postgres', "SELECT verified_at IS NULL FROM laras.key_destruction WHERE slot = " . $vault->slot($gone)), 't', "$what: the order stays pending");
	ok(wait_for_sql($node, "SELECT verified_mirrors = ARRAY['" . ($bad eq 'a' ? 'b' : 'a') . "'] FROM laras.key_destruction WHERE slot = " . $vault->slot($gone)), "$what: and names the mirror that has it");
	my $new = $vault->subject("datang: $what");
	is($vault->reveal($new), "datang: $what", "$what: new values are sealed and open");
	is($node->safe_psql('postgres', q{SELECT state FROM laras.doctor() WHERE "check" = 'keyring mirrors'}), 'fail', "$what: doctor() says so");
	whole_again($what);
	is($vault->reveal($gone) . ' ' . $vault->reveal($new), "NULL datang: $what", "$what: the erased stays erased, the new opens");
}

# --- no mirror can be written

my $gone = $vault->subject('pergi');
my $kept = $vault->subject('tinggal');
my $late = $vault->subject('terlambat');
set_fault('keyring.write:enospc:keyring_');
$vault->destroy($gone);
is($vault->reveal($gone), 'NULL', 'both are full: what has committed is unreadable at once');
is($vault->reveal($kept), 'tinggal', 'both are full: the others open') or diag($node->safe_psql('postgres', 'SELECT * FROM laras.keyring_status'));
ok(wait_for_sql($node, q{SELECT pending > 0 FROM laras.keyring_summary()}), 'both are full: the order is pending');
ok(wait_for(sub { refusal($vault->destroy_sql($late)) =~ /^LRK13 hint/ }), 'both are full: a further erasure is refused before its commit (LRK13)');
is($vault->state($late), 'live', 'and has not happened');
ok(wait_for(sub { refusal($vault->bound('SELECT laras_test.lease() FROM generate_series(1, 2000)')) =~ /^LRK(09|13) hint/ }), 'keys that nobody can write down are not given out (LRK09)');
$node->stop('immediate');
$node->start;
is($vault->reveal($gone) =~ /^(NULL|LRK\d\d)$/ ? 1 : 0, 1, 'after a crash the pending order has not brought the value back') or diag($vault->reveal($gone));
whole_again('both were full');
is($vault->reveal($gone) . ' ' . $vault->reveal($late), 'NULL terlambat', 'committed is destroyed, refused is not');

# --- reading fails

set_fault('keyring.read:eio:keyring_a');
is($vault->reveal($neighbour), 'tetangga', 'the first mirror cannot be read: the second answers');
set_fault('keyring.read:eio:keyring_');
is(refusal($vault->bound("SELECT laras.reveal(body, id, 17::smallint) FROM subject WHERE id = $neighbour")), 'LRK13 hint', 'none can be read: an error, never NULL');
is($vault->reveal($gone), 'NULL', 'what is destroyed is known without reading');
whole_again('unreadable mirrors');

# --- a mirror that is slow

$gone = $vault->subject('lambat');
set_fault('mirror.flush:sleep:3000');
$vault->destroy($gone);
is($vault->reveal($gone), 'NULL', 'a slow mirror does not hold the erasure up');
ok(wait_for(sub { slurp_file($node->logfile) =~ /did not take a destruction in time; it stays pending/ }), 'it is left pending for it');
whole_again('slow mirror');

# --- slabs

my $live = $vault->subject('masih ada');
my ($slab, $offset) = $vault->place($vault->slot($live));
my ($next) = grep { $_ ne $slab } map { s{.*/}{}r } glob "$mirror{a}/0/slab-*";
my @third = grep { !/\Q$slab\E|\Q$next\E|slab-00000000/ } glob "$mirror{a}/0/slab-*";

sub put_bytes { my ($file, $bytes) = @_; open my $fh, '>:raw', $file or die "$file: $!"; print $fh $bytes; close $fh or die; chmod 0600, $file; return; }

# of a keyring that somebody else made: the right number, another uuid
my $tool = $node->config_data('--bindir') . '/laras-keytool';
my $foreign = PostgreSQL::Test::Utils::tempdir();
chmod 0700, $foreign;
put_bytes("$foreign/key", '1 ' . 'ab' x 32 . "\n");
mkdir "$foreign/x", 0700;
system_or_bail($tool, 'init', '--key', "$foreign/key", '--mirror', "$foreign/x", '--number', 0, '--slabs', 16);
my %whole = map { $_ => slurp_file("$mirror{a}/0/$_") } $slab, $next;

my %damage = (
	truncated => sub { truncate "$_[0]/$slab", 100000 or die; },
	exchanged => sub { put_bytes("$_[0]/$slab", $whole{$next}); put_bytes("$_[0]/$next", $whole{$slab}); },
	'of another keyring' => sub { put_bytes("$_[0]/$slab", slurp_file("$foreign/x/0/$slab")); },
	missing => sub { unlink "$_[0]/$slab" or die; },
	blanked => sub { put_bytes("$_[0]/$slab", "\0" x length $whole{$slab}); },
	unreadable => sub { chmod 0, "$_[0]/$slab" or die; });
for my $what (sort keys %damage)
{
	next if $what eq 'unreadable' && $> == 0;
	# while it runs, in the first mirror
	$damage{$what}->("$mirror{a}/0");
	is($vault->reveal($live), 'masih ada', "a slab $what in the first mirror: the second answers");
	is($vault->reveal($neighbour), 'tetangga', "$what: the neighbour opens");
	chmod 0600, "$mirror{a}/0/$slab" if $what eq 'unreadable';
	# of the exchanged two nobody has asked for the second
	$node->restart if $what eq 'exchanged';
	ok(wait_for(sub { $vault->mirrors_differ eq '' }), "$what: the slab is whole again from the other mirror") or diag($vault->mirrors_differ);
	ok($vault->wait_open, "$what: the vault is open");
	is($vault->reveal($live), 'masih ada', "$what: and opens");
	next unless $what =~ /^(exchanged|missing|of another keyring)$/;

	# in both
	$node->stop('fast');
	my %now = map { $_ => slurp_file("$mirror{a}/0/$_") } $slab, $next;
	%whole = %now;
	$damage{$what}->("$mirror{$_}/0") for qw(a b);
	$node->start;
	ok($vault->wait_open, "$what in both: the vault opens");
	is(refusal($vault->bound("SELECT laras.reveal(body, id, 17::smallint) FROM subject WHERE id = $live")), 'LRK04 hint', "$what in both: absent, with a hint, never NULL");
	is($vault->state($live), 'absent', "$what in both: and called so");
	$node->stop('fast');
	for my $m (qw(a b)) { unlink "$mirror{$m}/0/$_" for $slab, $next; put_bytes("$mirror{$m}/0/$_", $now{$_}) for $slab, $next; }
	$node->start;
	ok($vault->wait_open, "$what in both: put back, the vault opens");
	is($vault->reveal($live) . ' ' . $vault->reveal($neighbour), 'masih ada tetangga', "$what in both: nothing was lost");
}

# an erasure of a slot whose slab is lost is journalled, and dies when the slab comes back
$node->stop('fast');
my $lost = slurp_file("$mirror{a}/0/$slab");
unlink "$mirror{$_}/0/$slab" for qw(a b);
$node->start;
ok($vault->wait_open, 'a slab is lost');
my $doomed = $vault->slot($live);
$node->safe_psql('postgres', $vault->destroy_sql($live));
is($vault->state($live), 'destroyed', 'what lay in it can be erased');
$node->stop('fast');
put_bytes("$mirror{$_}/0/$slab", $lost) for qw(a b);
$node->start;
ok($vault->wait_open, 'the slab comes back');
is($vault->reveal($live), 'NULL', 'and the erased is dead in it');
whole_again('slab lost and found');

# --- directories

for my $case (
	[ 'open to others', sub { chmod 0755, $mirror{a} }, sub { chmod 0700, $mirror{a} } ],
	[ 'open to its group', sub { chmod 0750, "$mirror{a}/0" }, sub { chmod 0700, "$mirror{a}/0" } ],
	[ 'that is a link', sub { move($mirror{a}, "$mirror{a}.real"); symlink "$mirror{a}.real", $mirror{a} }, sub { unlink $mirror{a}; move("$mirror{a}.real", $mirror{a}) } ])
{
	my ($what, $do, $undo) = @$case;
	$node->stop('fast');
	$do->();
	$node->start;
	ok($vault->wait_open, "a mirror $what is not used") or diag($node->safe_psql('postgres', 'SELECT * FROM laras.keyring_status'));
	isnt(state_of('a'), 'in sync', "a mirror $what is out of sync");
	is($vault->reveal($neighbour), 'tetangga', "a mirror $what: the other serves");
	$undo->();
	whole_again("a mirror $what");
}
$node->stop('fast');
chmod 0755, $_ for values %mirror;
$node->start;
ok(wait_for(sub { $vault->reveal($neighbour) eq 'LRK12' }), 'both open to others: LRK12') or diag($vault->reveal($neighbour));
chmod 0700, $_ for values %mirror;
ok($vault->wait_open, 'put right, the vault opens without a restart');
$node->stop('fast');
mkdir $node->data_dir . '/keys', 0700 or die;
symlink $node->data_dir, $node->basedir . '/around' or die;
for my $path ($node->data_dir . '/keys', $node->basedir . '/around/keys')
{
	$node->append_conf('postgresql.conf', "laras.keyring_directory = 'a=$path, b=$mirror{b}'");
	$node->start;
	ok(wait_for(sub { $vault->reveal($neighbour) eq 'LRK12' }), 'a keyring inside the data directory: LRK12') or diag($vault->reveal($neighbour));
	like($node->safe_psql('postgres', 'SELECT reason FROM laras.keyring_summary()'), qr/inside the data directory/, 'and told so');
	$node->stop('fast');
}
$node->append_conf('postgresql.conf', "laras.keyring_directory = 'a=$mirror{a}, b=$mirror{b}'");
$node->start;
whole_again('at the end');
unlike($node->safe_psql('postgres', 'SELECT string_agg(worker || last_error, chr(10)) FROM laras.worker_status WHERE failures > 0') // '', qr/./, 'no worker failed');
done_testing;
