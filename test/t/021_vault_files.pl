# Faults in a keyring's files, none of which reads as an erasure: slabs missing,
# short, foreign, exchanged, blanked; leases torn; journals altered, cut, with
# holes; directories and key files that others may read; mirrors that disagree,
# and a slot back from the dead. Then the tool that looks into a keyring: what it
# counts, and what it still finds readable in raw bytes after a subject's end.
# proves R020
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use lib 'test/lib';
use Keyring;

my $tool = Keyring::build_tool();
my $dir = PostgreSQL::Test::Utils::tempdir();
chmod 0700, $dir or die "chmod: $!";
Keyring::run_checks('vault_files', $dir);
mkdir "$dir/records", 0700 or die "mkdir: $!";
Keyring::run_checks('vault_records', "$dir/records");

# A keyring of the tool's own making: the master key and no other opens it.
sub write_key
{
	my ($name, $text, $mode) = @_;
	open my $file, '>', "$dir/$name" or die "$name: $!";
	print $file $text;
	close $file or die "$name: $!";
	chmod $mode, "$dir/$name" or die "chmod: $!";
	return "$dir/$name";
}
mkdir "$dir/$_", 0700 or die "mkdir: $!" for qw(x y);
my $key = write_key('key', '1 ' . 'ab' x 32 . "\n", 0400);
my $wrong = write_key('wrong', '1 ' . 'ac' x 32 . "\n", 0400);
my $open = write_key('open', '1 ' . 'ab' x 32 . "\n", 0644);
is( Keyring::output($tool, 'init', '--key', $key, '--mirror', "$dir/x", '--mirror', "$dir/y", '--number', 3, '--slabs', 16),
	"keyring 3 epoch 1 slabs 16 mirrors 2\n", 'a keyring is made');
like(Keyring::output($tool, 'init', '--key', $key, '--mirror', "$dir/x", '--number', 3), qr/LRK10/, 'once');
my $said = Keyring::output($tool, 'verify', '--keyring', "$dir/x/3", '--key', $key);
like($said, qr/^slots live 69632 wrapped 0 destroyed 0 damaged 0 absent 0 unused 65536$/m, 'all its slots open');
like($said, qr/^journal clean records 0 /m, 'its journal is empty');
like(Keyring::output($tool, 'verify', '--keyring', "$dir/y/3"),
	qr/^slots live 0 wrapped 69632 destroyed 0 damaged 0 /m, 'without the master key nothing opens');
like(Keyring::output($tool, 'verify', '--keyring', "$dir/x/3", '--key', $wrong), qr/^exit 2: .*wrong master key \(LRK02/m,
	'a wrong master key is told from damage');
like(Keyring::output($tool, 'verify', '--keyring', "$dir/x/3", '--key', $open), qr/^exit 2: .*LRK12/m,
	'a key file that others may read is not used');
chmod 0750, "$dir/x" or die "chmod: $!";
like(Keyring::output($tool, 'verify', '--keyring', "$dir/x/3"), qr/^exit 2: .*LRK12/m, 'nor such a directory');
chmod 0700, "$dir/x" or die "chmod: $!";

my $files = join '', map { PostgreSQL::Test::Utils::slurp_file($_) } glob "$dir/x/3/*";
cmp_ok(length $files, '>', 17 * 266240, 'the keyring as bytes');
is(index($files, pack('H*', 'ab' x 32)), -1, 'does not hold the master key');
is(index($files, 'ab' x 32), -1, 'nor its digits');

open my $slab, '+<', "$dir/x/3/slab-00000012" or die "slab: $!";
seek $slab, 4096 + 64 * 10, 0 or die "seek: $!";
print $slab "\0" x 128;
close $slab or die "slab: $!";
truncate "$dir/x/3/slab-00000013", 100000 or die "truncate: $!";
unlink "$dir/x/3/slab-00000014" or die "unlink: $!";
$said = Keyring::output($tool, 'verify', '--keyring', "$dir/x/3", '--key', $key);
like($said, qr/^slots live 61438 wrapped 0 destroyed 0 damaged 2 absent 8192 /m, 'damage and absence are counted, never as destroyed');
like($said, qr/^exit 1: .*^slab 00000013 absent: slab length\nslab 00000014 absent: slab missing\n/ms, 'and named');
like($said, qr/^slot 73738 damaged\nslot 73739 damaged\n/m, 'slot by slot');

# Raw bytes: what a keyring of today still reads. The pile holds one value of a
# live subject, one of a destroyed one, half a value, and a foreign one.
my @keyring = ('--keyring', "$dir/a/5", '--key', "$dir/master");
my %found;
for (split /\n/, Keyring::output($tool, 'scan', @keyring, '--places', "$dir/places", "$dir/pile", "$dir/wal"))
{
	my @column = split ' ';
	$found{ $column[7] } = [ @column[ 0, 1, 2, 5, 6, 8, 9, 10 ] ] if @column == 11;
}
is_deeply($found{1001}, [ 'opens', 1, 17, 'live', 'live', 7, 4242, unpack 'H*', 'apa kabar' ], 'a value opens where it is said to belong');
is_deeply($found{3003}, [ 'closed', 1, 17, 'live', 'destroyed', '-', '-', '-' ], 'one of a destroyed subject does not');
is_deeply($found{5005}, [ 'readable', 1, 17, 'live', 'live', '-', '-', '78' x 32 ], 'half a value of a live subject is readable');
is_deeply($found{w8102}, [ 'opens', 1, 17, 'live', 'live', 7, 4242, unpack 'H*', 'over the edge' ], 'a value that runs over a WAL page is found');
is($found{7007}, undef, 'a value of another keyring is none of ours');
is((grep { $_->[0] eq 'opens' } values %found), 2, 'nothing else opens');
is(Keyring::output($tool, 'scan', @keyring, "$dir/pile") =~ /^opens/m, '', 'without a list of places nothing is said to open');

my $value = unpack 'H*', PostgreSQL::Test::Utils::slurp_file("$dir/value");
my @ask = ('open', @keyring, '--workspace', 7);
is(Keyring::output($tool, @ask, '--row', 4242, '--field', 17, $value), "one value\n", 'a single value opens');
like(Keyring::output($tool, @ask, '--row', 4243, '--field', 17, $value), qr/^exit 1: does not open/, 'in another row it does not');
like(Keyring::output($tool, @ask, '--row', 4242, '--field', 16, $value), qr/^exit 1: does not open/, 'nor in another field');
like(Keyring::output($tool, 'open', @keyring, '--workspace', 8, '--row', 4242, $value), qr/^exit 1: does not open/, 'nor in another workspace');
like(Keyring::output($tool, $_), qr/^exit 2: /, "asked wrongly it says so: $_") for 'scan', 'open', 'verify', 'init', 'nonsense';
done_testing();
