# Mirrors that go for good, come new, or come back old under another name; kill
# -9 at each step of a mirror's joining and of its removal; the scrub, which finds
# and mends what nobody has asked for, and makes nothing of what it cannot mend.
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(move);
use File::Path qw(remove_tree);
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
my $gone = $vault->subject('pergi');

sub state_of { my ($mirror) = @_; return $node->safe_psql('postgres', "SELECT mirror_state FROM laras.keyring_status WHERE mirror = '$mirror'"); }
sub log_since { return substr(slurp_file($node->logfile), $_[0]); }
sub refusal { my (undef, undef, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); return $err =~ /ERROR:\s+(\w{5}):/ ? $1 : ''; }
sub doctor { my ($check) = @_; return $node->safe_psql('postgres', qq{SELECT state FROM laras.doctor() WHERE "check" = '$check'}); }

sub same_bytes
{
	my ($x, $y) = @_;
	my %name = map { s{.*/}{}r => 1 } glob("$x/0/*"), glob("$y/0/*");
	return join ' ', grep { !-e "$x/0/$_" || !-e "$y/0/$_" || slurp_file("$x/0/$_") ne slurp_file("$y/0/$_") } sort keys %name;
}

# The second mirror fails to sync an erasure, and then it is away.
sub lose_b
{
	my ($n) = @_;
	put_fault($node, 'keyring.sync:eio:keyring_b');
	$node->reload;
	my $turns = $node->safe_psql('postgres', q{SELECT max(turns) FROM laras.worker_status WHERE worker = 'vault'});
	wait_for_sql($node, "SELECT max(turns) >= $turns + 2 FROM laras.worker_status WHERE worker = 'vault'");
	$vault->destroy($n);
	wait_for(sub { state_of('b') eq 'behind' });
	move($mirror{b}, "$mirror{b}.away") or die;
	put_fault($node, '');
	$node->reload;
	return;
}

# The launcher holds back a worker that crashed; that is another test's story.
sub in_sync
{
	my ($what, @names) = @_;
	my $list = join ', ', map { "'$_'" } @names;
	ok( wait_for(sub {
			my ($code, $out) = $node->psql('postgres', "SELECT count(*) = " . @names . " AND bool_and(mirror_state = 'in sync' AND phase = 'open') FROM laras.keyring_status WHERE mirror IN ($list); SELECT laras.resume_workers('vault')");
			return $code == 0 && $out =~ /^t/;
		}, 90), "$what: in sync");
	return;
}

# --- joining, with a kill -9 at each of its steps

for my $step (qw(join.journalled join.merged join.leased))
{
	my $erased = $vault->subject("pergi $step");
	lose_b($erased);
	is(state_of('b'), 'behind', "$step: a mirror is away");
	my $new = $vault->subject("datang $step");
	my $offset = -s $node->logfile;
	put_fault($node, "$step:kill9");
	$node->reload;
	# two turns later the worker has read it
	my $turns = $node->safe_psql('postgres', q{SELECT max(turns) FROM laras.worker_status WHERE worker = 'vault'});
	wait_for_sql($node, "SELECT max(turns) >= $turns + 2 FROM laras.worker_status WHERE worker = 'vault'");
	move("$mirror{b}.away", $mirror{b}) or die;
	ok(wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ }, 40), "$step: killed while it joins again");
	put_fault($node, '');
	$node->reload;
	in_sync($step, qw(a b));
	ok($vault->wait_verified(60), "$step: the erasure is read back from both");
	is($vault->reveal($erased) . ' ' . $vault->reveal($new) . ' ' . $vault->reveal($neighbour), "NULL datang $step tetangga", "$step: the erased is dead, the others open");
	ok(wait_for(sub { $vault->mirrors_differ eq '' }), "$step: the mirrors are the same") or diag($vault->mirrors_differ);
}

# --- removing

is(refusal(q{SELECT laras.remove_mirror('x', 'it never was there')}), '22023', 'an unknown mirror is not removed');
is(refusal(q{SELECT laras.remove_mirror('b', 'gone')}), '22023', 'nor one without a statement');
is(refusal(q{SET ROLE laras_service; SELECT laras.remove_mirror('b', 'its disk was shredded')}), '42501', 'nor by anybody but laras_dba');
lose_b($gone);
is(state_of('b'), 'behind', 'a mirror is lost');
my $order = "FROM laras.key_destruction WHERE slot = " . $vault->slot($gone);
ok(wait_for_sql($node, "SELECT verified_mirrors = '{a}' AND verified_at IS NULL $order"), 'its destruction is pending and names the mirror that has it');
is(refusal(q{SELECT laras.remove_mirror('a', 'the wrong one of the two')}), '55000', 'the last one in sync is not removed');
is(refusal(q{BEGIN; SELECT laras.remove_mirror('b', 'its disk was shredded'); SELECT laras.remove_mirror('a', 'and the other one too')}), '55000', 'nor both in one transaction');
$node->safe_psql('postgres', q{BEGIN; SELECT laras.remove_mirror('b', 'its disk was shredded'); ROLLBACK});
is(state_of('b'), 'behind', 'a statement that is rolled back removes nothing');
my $offset = -s $node->logfile;
put_fault($node, 'mirror.removing:kill9');
$node->reload;
# the kill may come before the answer is read
my (undef, $removed, $lost) = $node->psql('postgres', q{SET ROLE laras_dba; SELECT laras.remove_mirror('b', 'its disk was shredded on 2026-01-05')});
ok($removed eq 't' || $lost =~ /crash of another server process|connection to server was lost/, 'a mirror is removed by a statement') or diag "$removed $lost";
ok(wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ }, 20), 'killed before it is carried out');
put_fault($node, '');
$node->reload;
in_sync('after the crash', 'a');
ok(wait_for(sub { state_of('b') eq 'removed' }), 'it is removed all the same');
ok(wait_for_sql($node, "SELECT verified_mirrors = '{a}' AND verified_at IS NOT NULL $order"), 'nothing waits for it any more');
ok(wait_for_sql($node, 'SELECT journalled_at IS NOT NULL FROM laras.mirror_removal'), 'the journal has it');
is($node->safe_psql('postgres', q{SELECT laras.remove_mirror('b', 'its disk was shredded on 2026-01-05')}), 'f', 'once');
is($node->safe_psql('postgres', q{SET ROLE laras_auditor; SELECT mirror || ': ' || statement FROM laras.mirror_removal}), 'b: its disk was shredded on 2026-01-05', 'an auditor reads the statement');
is(doctor('keyring mirrors'), 'fail', 'doctor() asks for another mirror');

# It is back, with a key that was destroyed since: nobody looks at it.
move("$mirror{b}.away", $mirror{b}) or die;
my %left = map { $_ => slurp_file($_) } glob "$mirror{b}/0/*";
$node->restart;
in_sync('after a restart', 'a');
is(state_of('b'), 'removed', 'removed it stays');
is($vault->reveal($gone), 'NULL', 'the erased is not read from it');
$node->safe_psql('postgres', 'SELECT laras.scrub_keyring()');
ok(wait_for_sql($node, 'SELECT count(*) = 1 FROM laras.keyring_scrub'), 'a scrub ends without it');
is(join(' ', grep { slurp_file($_) ne $left{$_} } sort keys %left), '', 'not a byte of it has changed');

# --- a new mirror, and the removed one's directory under another name

my %place = (a => $mirror{a}, c => Laras->outside($node) . '/keyring_c', d => $mirror{b});
mkdir $place{c} or die;
chmod 0700, $place{c};
sub use_mirrors { my @names = @_; $node->append_conf('postgresql.conf', "laras.keyring_directory = '" . join(', ', map { "$_=$place{$_}" } @names) . "'"); $node->restart; return; }
use_mirrors(qw(a c));
in_sync('a new mirror', qw(a c));
ok(wait_for(sub { same_bytes($place{a}, $place{c}) eq '' }), 'it is filled') or diag same_bytes($place{a}, $place{c});
use_mirrors(qw(a c d));
in_sync('an old mirror under a new name', qw(a c d));
ok(wait_for(sub { same_bytes($place{a}, $place{d}) eq '' }), 'it is caught up before it is read') or diag same_bytes($place{a}, $place{d});
is($vault->reveal($gone) . ' ' . $vault->reveal($neighbour), 'NULL tetangga', 'and brings nothing back');
ok($vault->wait_verified, 'all three have every destruction');
use_mirrors(qw(a d));
in_sync('two of them', qw(a d));

# --- one that is moved while it is in use

use_mirrors(qw(a d));
move($place{d}, "$place{d}.moved") or die "move: $!";
ok(wait_for(sub { state_of('d') eq 'behind' }), 'a mirror that is moved is noticed, though what is open of it takes every write');
my $while_moved = $vault->subject('selagi dipindah');
$vault->destroy($while_moved);
move("$place{d}.moved", $place{d}) or die "move: $!";
in_sync('moved back', qw(a d));
ok($vault->wait_verified, 'and has what it missed');

# --- the scrub

sub scrub
{
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM laras.keyring_scrub');
	is($node->safe_psql('postgres', 'SET ROLE laras_dba; SELECT laras.scrub_keyring()'), 't', 'a scrub is asked for');
	ok(wait_for_sql($node, "SELECT count(*) > $before FROM laras.keyring_scrub", 60), 'and ends');
	return $node->safe_psql('postgres', q{SELECT format('damaged %s absent %s repaired %s', damaged, absent, repaired) FROM laras.keyring_scrub ORDER BY started_at DESC LIMIT 1});
}

sub scribble
{
	my ($name, $n, $bytes) = @_;
	my ($slab, $at) = $vault->place($vault->slot($n));
	open my $fh, '+<:raw', "$place{$name}/0/$slab" or die;
	seek $fh, $at, 0;
	my $old = '';
	read $fh, $old, 64;
	seek $fh, $at, 0;
	print $fh $bytes // $old;
	close $fh or die;
	return $old;
}

is(scrub(), 'damaged 0 absent 0 repaired 0', 'all is well');
is($node->safe_psql('postgres', 'SELECT NOT running AND slabs_done = slabs AND live + destroyed = slabs * 4096 FROM laras.progress_scrub'), 't', 'the progress view counts every slot');
is(doctor('keyring scrub'), 'ok', 'so says doctor()');
my @asleep = map { $vault->subject("tidur $_") } 1 .. 3;
scribble('a', $asleep[0], "\0" x 64);
my $turned = scribble('d', $asleep[1]);
substr($turned, 40, 1) ^= "\1";
scribble('d', $asleep[1], $turned);
scribble('d', $gone, "\0" x 64);
is(scrub(), 'damaged 0 absent 0 repaired 3', 'a blanked key, a turned bit and a blanked mark are put right, though nobody asked for them');
is(same_bytes($place{a}, $place{d}), '', 'the mirrors are the same again');
is($vault->reveal($asleep[0]) . ', ' . $vault->reveal($asleep[1]) . ', ' . $vault->reveal($gone), 'tidur 1, tidur 2, NULL', 'and mean what they meant');

# a mark that both mirrors lost: the journal knows
scribble($_, $gone, "\0" x 64) for qw(a d);
is(scrub(), 'damaged 0 absent 0 repaired 1', 'a mark lost in both mirrors is written again from the journal');
$node->restart;
in_sync('restart', qw(a d));
is($vault->reveal($gone), 'NULL', 'the erased stays erased');

# what cannot be mended stays what it is
my %good = map { $_ => scribble($_, $asleep[2], "\0" x 64) } qw(a d);
is(scrub(), 'damaged 1 absent 0 repaired 0', 'a key blanked in both mirrors is damaged');
is($vault->reveal($asleep[2]), 'LRK03', 'an error, never NULL');
is(doctor('keyring scrub'), 'fail', 'doctor() tells');
scribble($_, $asleep[2], $good{$_}) for qw(a d);
is(scrub(), 'damaged 0 absent 0 repaired 0', 'put back, all is well');
is($vault->reveal($asleep[2]), 'tidur 3', 'it opens');
my ($slab) = $vault->place($vault->slot($asleep[0]));
my $whole = slurp_file("$place{a}/0/$slab");
unlink "$place{a}/0/$slab" or die;
is(scrub(), 'damaged 0 absent 0 repaired 4096', 'a slab that one mirror lost is copied');
is(same_bytes($place{a}, $place{d}), '', 'byte for byte');
unlink "$place{$_}/0/$slab" for qw(a d);
is(scrub(), 'damaged 0 absent 4096 repaired 0', 'one that both lost is absent');
for my $name (qw(a d)) { open my $fh, '>:raw', "$place{$name}/0/$slab" or die; print $fh $whole; close $fh; chmod 0600, "$place{$name}/0/$slab"; }
is(scrub(), 'damaged 0 absent 0 repaired 0', 'until it is back');

# under a load of erasures, and by the clock
my @many = map { $vault->subject("banyak $_") } 1 .. 40;
$node->safe_psql('postgres', q{SELECT laras.scrub_keyring()});
$vault->destroy($_) for @many[ 0 .. 29 ];
ok(wait_for_sql($node, 'SELECT NOT running FROM laras.progress_scrub'), 'a scrub beside erasures ends');
ok($vault->wait_verified(60), 'every erasure is read back');
ok(wait_for(sub { same_bytes($place{a}, $place{d}) eq '' }), 'the mirrors are the same') or diag same_bytes($place{a}, $place{d});
is($node->safe_psql('postgres', q{SELECT damaged + absent FROM laras.keyring_scrub ORDER BY started_at DESC LIMIT 1}), 0, 'and no key is lost');
is($vault->reveal($many[35]), 'banyak 36', 'the others open');
my $scrubs = $node->safe_psql('postgres', 'SELECT count(*) FROM laras.keyring_scrub');
$node->safe_psql('postgres', q{SELECT laras.advance_clock('25 hours')});
ok(wait_for_sql($node, "SELECT count(*) > $scrubs FROM laras.keyring_scrub", 60), 'a day later one has begun by itself');
is(doctor('keyring scrub'), 'ok', 'doctor() is content');

# --- as much is made ahead as was used in a month

$node->safe_psql('postgres', $vault->bound(q{SELECT laras_test.key_owner_add(} . $vault->workspace . q{, laras_test.lease(), 'group', i) FROM generate_series(1, 4096) i}));
my $made = $node->safe_psql('postgres', 'SELECT max(slabs) FROM laras.keyring_status');
$node->safe_psql('postgres', q{INSERT INTO laras.keyring_scrub SELECT laras.now() - interval '29 hours', laras.now(), 1, 1, 0, 0, 0, 0, 0});
ok(wait_for_sql($node, "SELECT max(slabs) >= $made + 16 FROM laras.keyring_status", 60), 'slabs for a month of such days are made ahead') or diag $node->safe_psql('postgres', 'SELECT * FROM laras.keyring_scrub');
is($node->safe_psql('postgres', 'SELECT coalesce(string_agg(worker || last_error, chr(10)), $$$$) FROM laras.worker_status WHERE failures > 0'), '', 'no worker failed');
done_testing;
