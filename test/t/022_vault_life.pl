# The vault's life: shut without a master key (destroying works, revealing says
# why), refusing a wrong, short, readable or misplaced one; erasures that a
# restart keeps; damage that never reads as an erasure and is repaired from the
# other mirror; mirrors that go and come back; a keyring that changes its owner.
# proves R014 R020
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(move);
use File::Path qw(remove_tree);
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('vault', crash => 1, settings => { 'laras.keyring_slabs_ahead' => 16 });
my $vault = LarasVault->new($node);
my $key_file = Laras->master_key_file($node);
my $key = slurp_file($key_file);

sub status { my ($column) = @_; return $node->safe_psql('postgres', "SELECT string_agg(DISTINCT $column\::text, ',') FROM laras.keyring_status"); }

sub write_key
{
	my ($path, $text, $mode) = @_;
	unlink $path;
	open my $fh, '>', $path or die "$path: $!";
	print $fh $text;
	close $fh or die "$path: $!";
	chmod $mode, $path or die "$path: $!";
	return;
}

sub restarted
{
	my ($message) = @_;
	$node->restart;
	ok($vault->wait_open, $message);
	return;
}

# --- what is stored

my $ani = $vault->subject('halo, saya Ani');
my $budi = $vault->subject('selamat pagi');
is($vault->reveal($ani), 'halo, saya Ani', 'a sealed value opens');
is( $node->safe_psql('postgres',
		"SELECT algorithm, length(nonce), length(tag) FROM subject, laras.describe_sealed(body) WHERE id = $ani"),
	'A256GCM|12|16', 'AES-256-GCM with a nonce of 12 bytes and a tag of 16');
is($vault->mirrors_differ, '', 'both mirrors hold the same bytes');

# --- shut: no master key

$vault->destroy($budi);
unlink $key_file or die;
$node->restart;
ok(wait_for_sql($node, q{SELECT bool_and(phase = 'closed' AND reason IS NOT NULL) AND count(*) = 2 FROM laras.keyring_status}),
	'without its master key the vault stays closed, and says why');
is($vault->reveal($ani), 'LRK12', 'revealing raises an error that names the missing file');
is($vault->reveal($budi), 'LRK12', 'of a destroyed value too: a closed vault answers nothing');
is($vault->state($budi), 'destroyed', 'but the state of a key is known');
my ($code, $out, $err) = $node->psql('postgres', $vault->bound('SELECT laras_test.lease()'));
like($err, qr/the master key or the keyring directory is unsafe.*HINT/s, 'nothing is sealed in clear instead: leasing fails with a hint');

is($node->safe_psql('postgres', 'SELECT laras.new_id() > 0'), 't', 'ids need no vault');
$vault->destroy($ani);
is($vault->state($ani), 'destroyed', 'destroying works while the vault is shut');
ok($vault->wait_verified, 'and is read back from both mirrors');

# --- keys that are refused

for my $case (
	[ 'wrong', "1 " . ('ab' x 32) . "\n", 0400, 'LRK02' ],
	[ 'short', "1 " . ('ab' x 31) . "\n", 0400, 'LRK02' ],
	[ 'with a surplus line', $key . "2 " . ('cd' x 32) . "\n" . "3 " . ('ef' x 32) . "\n", 0400, 'LRK02' ],
	[ 'of another epoch', $key =~ s/^1 /2 /r, 0400, 'LRK02' ],
	[ 'empty', '', 0400, 'LRK02' ],
	[ 'world-readable', $key, 0444, 'LRK12' ],
	[ 'group-readable', $key, 0440, 'LRK12' ])
{
	my ($what, $text, $mode, $expected) = @$case;
	write_key($key_file, $text, $mode);
	ok(wait_for(sub { $vault->reveal($ani) eq $expected }, 20), "a master key that is $what is refused ($expected)")
	  or diag($vault->reveal($ani) . ': ' . status('reason'));
}
write_key($node->data_dir . '/master_key', $key, 0400);
$node->append_conf('postgresql.conf', "laras.master_key_file = '" . $node->data_dir . "/master_key'");
$node->reload;
ok(wait_for(sub { status('reason') =~ /inside the data directory/ }, 20), 'a key inside the data directory is refused');
is($vault->reveal($ani), 'LRK12', 'with LRK12');
unlink $node->data_dir . '/master_key';
$node->append_conf('postgresql.conf', "laras.master_key_file = '$key_file'");
write_key($key_file, $key, 0400);
$node->reload;
ok($vault->wait_open, 'the right key opens the vault without a restart');

# --- a command instead of the file

my $log = -s $node->logfile;
for my $case (
	[ 'that fails', 'exit 3', 'LRK14' ],
	[ 'that prints nothing', 'true', 'LRK02' ],
	[ 'that prints and fails', "cat $key_file; exit 1", 'LRK14' ])
{
	my ($what, $command, $expected) = @$case;
	$node->append_conf('postgresql.conf', "laras.master_key_command = '$command'");
	$node->restart;
	ok(wait_for(sub { $vault->reveal($ani) eq $expected }, 20), "a key command $what: $expected") or diag($vault->reveal($ani));
}
$node->append_conf('postgresql.conf', "laras.master_key_command = 'test %p = content && cat $key_file'");
restarted('a key command that is told its purpose opens the vault');
$node->append_conf('postgresql.conf', "laras.master_key_command = ''");
my $hex = (split ' ', $key)[1];
unlike(slurp_file($node->logfile), qr/$hex/i, 'the log does not show the key');

# --- erasures outlive restarts, whole and crashed

my $citra = $vault->subject('rahasia Citra');
my $dewi = $vault->subject('pesanan Dewi');
$vault->destroy($citra);
is($vault->reveal($citra), 'NULL', 'destroyed: NULL at once');
restarted('restart');
is($vault->reveal($ani), 'NULL', 'an erasure made while the vault was shut is kept');
is($vault->reveal($citra), 'NULL', 'and one made while it was open');
is($vault->reveal($dewi), 'pesanan Dewi', 'the neighbour opens');
$node->stop('immediate');
$node->start;
ok($vault->wait_open, 'it opens after an immediate stop');
is($vault->reveal($citra) . ' ' . $vault->reveal($dewi), 'NULL pesanan Dewi', 'and nothing has changed');
ok($vault->wait_verified, 'all orders are read back');
ok(wait_for(sub { $vault->mirrors_differ eq '' }), 'mirrors are the same') or diag($vault->mirrors_differ);

# --- damage is an error, never an erasure, and is repaired

my ($slab, $offset) = $vault->place($vault->slot($dewi));
$vault->scribble('a', $slab, $offset, "\0" x 64);
is($vault->reveal($dewi), 'pesanan Dewi', 'a slot blanked in the first mirror opens from the second');
ok(wait_for(sub { slurp_file($node->logfile) =~ /keyring slot \d+ is whole again/ && $vault->mirrors_differ eq '' }), 'and is repaired');

$vault->scribble('a', $slab, $offset, "\0" x 64);
$vault->scribble('b', $slab, $offset, "\0" x 64);
is($vault->reveal($dewi), 'LRK03', 'blanked in both: an error');
is($vault->state($dewi), 'damaged', 'called damaged');
restarted('restart over a blanked slot');
is($vault->reveal($dewi), 'LRK03', 'it still is no erasure');

my $live = $vault->subject('masih ada');
($slab, $offset) = $vault->place($vault->slot($live));
my ($tomb_slab, $tomb_offset) = $vault->place($vault->slot($citra));
my $tomb = substr(slurp_file(Laras->mirror($node, 'a') . "/0/$tomb_slab"), $tomb_offset, 64);
my $good = substr(slurp_file(Laras->mirror($node, 'a') . "/0/$slab"), $offset, 64);
for my $case (
	[ 'a copied mark of another slot', $tomb ],
	[ 'a mark with its slot number changed', substr($tomb, 0, 4) . pack('N', $vault->slot($live)) . substr($tomb, 8) ],
	[ 'one bit turned', chr(ord(substr $good, 0, 1)) . substr($good, 1, 20) . chr(ord(substr $good, 21, 1) ^ 1) . substr($good, 22) ],
	[ 'a torn write', substr($tomb, 0, 32) . substr($good, 32) ])
{
	my ($what, $bytes) = @$case;
	$vault->scribble($_, $slab, $offset, $bytes) for qw(a b);
	is($vault->reveal($live), 'LRK03', "$what: an error, never NULL");
	$vault->scribble($_, $slab, $offset, $good) for qw(a b);
	ok(wait_for(sub { $vault->reveal($live) eq 'masih ada' }), 'and the right bytes open again');
}

# whole slabs
$node->stop('fast');
for my $mirror (qw(a b))
{
	my $path = Laras->mirror($node, $mirror) . "/0/$slab";
	move($path, "$path.kept") or die;
	open my $fh, '>:raw', $path or die;
	print $fh substr(slurp_file("$path.kept"), 0, 100000);
	close $fh;
	chmod 0600, $path;
}
$node->start;
ok($vault->wait_open, 'a truncated slab does not keep the vault shut');
is($vault->reveal($live), 'LRK04', 'what it held is absent, not erased');
is($vault->state($live), 'absent', 'and called so');
$node->stop('fast');
for my $mirror (qw(a b))
{
	my $path = Laras->mirror($node, $mirror) . "/0/$slab";
	open my $fh, '>:raw', $path or die;
	print $fh "\0" x -s "$path.kept";
	close $fh;
}
$node->start;
ok($vault->wait_open, 'nor does a blanked one');
is($vault->reveal($live), 'LRK04', 'which reads as absent too');
$node->stop('fast');
for my $mirror (qw(a b))
{
	my $path = Laras->mirror($node, $mirror) . "/0/$slab";
	move("$path.kept", $path) or die;
}
unlink Laras->mirror($node, 'b') . "/0/$slab" or die;
$node->start;
ok($vault->wait_open, 'a slab that one mirror lacks');
is($vault->reveal($live), 'masih ada', 'opens from the other');
ok(wait_for(sub { $vault->mirrors_differ eq '' }), 'and is copied') or diag($vault->mirrors_differ);

# --- a mirror goes, misses erasures, and comes back old

my $b = Laras->mirror($node, 'b');
my $eka = $vault->subject('Eka, sebelum');
copy_of_live("$b/0", "$b/copy");
move("$b/0", "$b/away") or die;
$vault->destroy($eka);
is($vault->reveal($eka), 'NULL', 'with a mirror away an erasure still happens');
restarted('restart with one mirror away') if -e "$b/0";
$node->stop('fast');
remove_tree("$b/0") if -e "$b/0";
remove_tree("$b/away");
move("$b/copy", "$b/0") or die;
$node->start;
ok($vault->wait_open, 'an older copy of a mirror is put back');
is($vault->reveal($eka), 'NULL', 'the erasure stands');
ok($vault->wait_verified, 'orders are read back from both');
ok(wait_for(sub { $vault->mirrors_differ eq '' }), 'and its bytes are those of the other') or diag($vault->mirrors_differ);

# both mirrors older than the database
my $fitri = $vault->subject('Fitri');
$node->stop('fast');
system_or_bail('cp', '-a', Laras->mirror($node, $_) . '/0', Laras->mirror($node, $_) . '/copy') for qw(a b);
$node->start;
$vault->wait_open;
$vault->destroy($fitri);
ok($vault->wait_verified, 'an erasure');
$node->stop('fast');
for my $mirror (qw(a b))
{
	my $path = Laras->mirror($node, $mirror);
	remove_tree("$path/0");
	move("$path/copy", "$path/0") or die;
}
$node->start;
ok($vault->wait_open, 'both mirrors restored from before it');
is($vault->reveal($fitri), 'NULL', 'the order in the database is carried out before the vault opens');

# an empty second mirror is filled
$node->stop('fast');
remove_tree("$b/0");
$node->start;
ok($vault->wait_open, 'an empty mirror');
ok(wait_for(sub { $vault->mirrors_differ eq '' }), 'is filled') or diag($vault->mirrors_differ);

# --- one mirror only

$node->append_conf('postgresql.conf', "laras.keyring_directory = 'a=" . Laras->mirror($node, 'a') . "'");
$node->restart;
ok(wait_for(sub { $vault->reveal($live) eq 'LRK01' }), 'one mirror is not enough') or diag($vault->reveal($live));
$node->append_conf('postgresql.conf', 'laras.single_mirror = on');
restarted('unless laras.single_mirror says so');
is($vault->reveal($live), 'masih ada', 'then values open');
is($node->safe_psql('postgres', q{SELECT state || ': ' || detail FROM laras.doctor() WHERE "check" = 'keyring failure domains'}), 'warn: every key lies on one file system', 'doctor() says what that means');
$node->append_conf('postgresql.conf', "laras.single_mirror = off\nlaras.keyring_directory = 'a=" . Laras->mirror($node, 'a') . ", b=$b'");
restarted('two again');

# --- the key is not in the database, nor in a dump of it

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'a dump is made');
my @secret = ($hex, pack('H*', $hex));
my $find = sub {
	my ($root) = @_;
	my @hit;
	require File::Find;
	File::Find::find({ no_chdir => 1, wanted => sub {
		return unless -f;
		my $text = slurp_file($_);
		for my $secret (@secret) { push @hit, $_ if index($text, $secret) >= 0; }
	} }, $root);
	return join ' ', @hit;
};
$node->safe_psql('postgres', 'CHECKPOINT');
is($find->($dump), '', 'the master key is not in a dump');
is($find->($node->data_dir), '', 'nor anywhere in the data directory');
is($find->(Laras->mirror($node, 'a')), '', 'nor in the keyring');
unlike(slurp_file($dump), qr/masih ada|Fitri|Dewi/, 'the dump shows no sealed text');

# --- a second cluster on the same keyring, and one that takes it over

my $other = Laras->cluster('other', start => 0, settings => {
	'laras.keyring_directory' => join(', ', map { "$_=" . Laras->mirror($node, $_) } qw(a b)),
	'laras.master_key_file' => $key_file });
$other->start;
$other->safe_psql('postgres', 'CREATE EXTENSION laras CASCADE');
ok(wait_for_sql($other, q{SELECT phase = 'closed' AND reason LIKE '%another cluster%' FROM laras.keyring_status}),
	'another cluster is refused');
($code, $out, $err) = $other->psql('postgres', 'SELECT laras.adopt_keyring()', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err, qr/LRK06/, 'and cannot adopt the keyring while its owner runs');
$node->stop('fast');
is($other->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 't', 'it can when the owner is gone');
ok(wait_for_sql($other, q{SELECT bool_and(phase = 'open' AND adoptions = 1) FROM laras.keyring_status}), 'the vault opens there');
is($other->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 'f', 'a second call changes nothing');
is($other->safe_psql('postgres', 'SELECT DISTINCT swept FROM laras.keyring_status'), '0', 'no key of the old owner is taken for an orphan');
$other->restart;
ok(wait_for_sql($other, q{SELECT bool_and(phase = 'open' AND swept <= 512) FROM laras.keyring_status}), 'nor after a restart');
$other->stop('fast');
$node->start;
ok(wait_for(sub { $vault->reveal($live) eq 'LRK06' }), 'the old owner is refused now');
is($node->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 't', 'until it adopts the keyring again');
ok($vault->wait_open, 'it opens');
is($vault->reveal($live), 'masih ada', 'and every value with it');

done_testing;
