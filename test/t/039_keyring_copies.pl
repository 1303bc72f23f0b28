# Copies of the keyring beside its mirrors: one is on record before it is written,
# for at most 30 days; it is the keyring, its keys wrapped as they are, so that with
# the master key of its time it reads what was erased since, and with another
# nothing; it is void when that master key is destroyed, and said to be late when
# nobody says what became of it. Where it cannot be made nothing of it is left.
use strict;
use warnings;

use lib 'test/lib';
use IPC::Run ();
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('copies', crash => 1, faults => 1, settings => { 'laras.keyring_slabs_ahead' => 16 });
my $vault = LarasVault->new($node);
my $key_file = Laras->master_key_file($node);
my ($first_key) = slurp_file($key_file) =~ /([0-9a-f]{64})/;
my $tool = $node->config_data('--bindir') . '/laras-keytool';
my %place = map { $_ => $node->basedir . "/$_" } qw(vaulted other open);
mkdir $_, 0700 or die "$_: $!" for values %place;
chmod 0755, $place{open} or die;

sub put_keys
{
	my ($path, %key) = @_;
	unlink $path;
	append_to_file($path, join '', map { "$_ $key{$_}\n" } sort keys %key);
	chmod 0400, $path or die;
	return $path;
}
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub refusal { my (undef, undef, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); my ($code) = $err =~ /ERROR:\s+(\w{5}):/; return ($code // 'none') . ($err =~ /HINT:\s+\S/ ? ' hint' : ''); }
sub error { return ($node->psql('postgres', $_[0]))[2]; }
sub doctor { return sql(q{SELECT state FROM laras.doctor() WHERE "check" = 'keyring copies'}); }

my $neighbour = $vault->subject('tetangga');
my $erased = $vault->subject('dihapus sesudah salinan');
my $wrapped = slurp_file(Laras->mirror($node, 'a') . '/0/slab-00000010');

# --- what it wants

is(refusal("SET ROLE laras_service; SELECT laras.escrow_keyring('$place{vaulted}', 'safe of the bank')"), '42501', 'for laras_dba alone');
is(refusal("SELECT laras.escrow_keyring('$place{vaulted}', 'safe of the bank', '31 days')"), '22023', 'for more than 30 days it is refused');
is(refusal("SELECT laras.escrow_keyring('$place{vaulted}', 'safe of the bank', '-1 day')"), '22023', 'and for none');
is(refusal("SELECT laras.escrow_keyring('$place{vaulted}', '')"), '22023 hint', 'and without a label');
is(refusal("SELECT laras.escrow_keyring(NULL, 'safe of the bank')"), '22004', 'nulls are refused');
is(refusal("SELECT laras.escrow_keyring('relative', 'safe of the bank')"), '22023 hint', 'a relative path is refused');
is(refusal("SELECT laras.escrow_keyring('" . Laras->mirror($node, 'a') . "', 'safe of the bank')"), '22023 hint', 'a mirror is no place for it');
is(refusal("SELECT laras.escrow_keyring('" . $node->data_dir . "', 'safe of the bank')"), 'LRK12 hint', 'nor the data directory');
is(refusal("SELECT laras.escrow_keyring('$place{open}', 'safe of the bank')"), 'LRK12 hint', 'nor one that others may enter');
is(refusal("SELECT laras.escrow_keyring('$place{other}/none', 'safe of the bank')"), 'LRK12 hint', 'nor one that is not there');
my $absent = error("SELECT laras.escrow_keyring('$place{other}/none', 'safe of the bank')");
like($absent, qr/cannot be copied to this directory\nDETAIL:.*No such file or directory.*\nHINT:.*mode 0700/, 'and what to do about it is said');
is(sql('SELECT count(*) FROM laras.keyring_copies'), 0, 'of all that nothing is on record');

# --- one is made

sql("BEGIN; SELECT laras.escrow_keyring('$place{other}', 'never'); ROLLBACK");
my $copy = sql("SET ROLE laras_dba; SELECT laras.escrow_keyring('$place{vaulted}', 'safe of the bank', '20 days')");
ok(wait_for_sql($node, "SELECT state = 'kept' FROM laras.keyring_copies WHERE copy_id = $copy"), 'it is made') or diag sql('SELECT * FROM laras.keyring_copies');
is(sql("SELECT kind, label, directory = '$place{vaulted}', oldest_epoch, epoch, expires_at - registered_at, made_at >= registered_at FROM laras.keyring_copies"), 'escrow|safe of the bank|t|1|1|20 days|t', 'and on record');
is(sql('SELECT DISTINCT copies FROM laras.keyring_status'), 1, 'keyring_status counts it');
ok(!-e "$place{other}/0", 'what was rolled back is not made');
is(slurp_file("$place{vaulted}/0/slab-00000010"), $wrapped, 'its keys are wrapped as they are');
is((stat "$place{vaulted}/0")[2] & 0777, 0700, 'only the server\'s user enters it');
is(refusal("SELECT laras.escrow_keyring('$place{vaulted}', 'once more')"), 'LRK10 hint', 'it is not written over');
like(error("SELECT laras.escrow_keyring('$place{vaulted}', 'once more')"), qr/a keyring lies there.*\nHINT:  A copy is not written over/, 'and nobody speaks of mirrors');
is(sql("SELECT count(*) FROM laras.evidence_entry WHERE laras.evidence_action(action) = 'keyring.escrowed' AND subject_id = $copy"), 1, 'the evidence has it');
is(doctor(), 'ok', 'doctor() has no complaint');

# --- what it opens

$vault->destroy($erased);
is($vault->reveal($erased), 'NULL', 'what is erased after it is unreadable here');
my $value = sql("SELECT encode(laras.sealed_send(body), 'hex') FROM subject WHERE id = $erased");
sub opens
{
	my (%key) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ $tool, 'open', '--keyring', "$place{vaulted}/0", '--key', put_keys($node->basedir . '/some_key', %key),
		'--workspace', $vault->workspace, '--row', $erased, '--field', 17, $value ], '>', \$out, '2>', \$err);
	return $out =~ s/\n//r;
}
is(opens(1 => $first_key), 'dihapus sesudah salinan', 'and opens from the copy with the master key of its time');
is(opens(1 => 'ab' x 32), '', 'with another it does not');
my $clone = sql("SELECT laras.register_keyring_copy('clone for staging', '5 days')");
is(sql("SELECT kind, state FROM laras.keyring_copies WHERE copy_id = $clone"), 'other|kept', 'a copy made outside is registered');

# --- time passes

sql(q{SELECT laras.advance_clock('6 days')});
is(sql("SELECT string_agg(state, ' ' ORDER BY registered_at) FROM laras.keyring_copies"), 'kept expired', 'one is past its time');
is(doctor(), 'warn', 'doctor() says so');
is(refusal("SELECT laras.confirm_keyring_copy_destroyed($clone, 'gone')"), '22023 hint', 'its end is confirmed by a statement');
is(refusal("SELECT laras.confirm_keyring_copy_destroyed(1, 'the clone was wiped')"), '22023 hint', 'of a copy that is known');
is(sql("SET ROLE laras_dba; SELECT laras.confirm_keyring_copy_destroyed($clone, 'the clone and its volume were wiped')"), 't', 'and is recorded');
is(sql("SELECT laras.confirm_keyring_copy_destroyed($clone, 'the clone and its volume were wiped')"), 'f', 'once');
is(sql("SELECT count(*) FROM laras.evidence_entry WHERE laras.evidence_action(action) = 'keyring_copy.destroyed' AND subject_id = $clone"), 1, 'the evidence has it');
is(doctor() . ' ' . sql('SELECT DISTINCT copies FROM laras.keyring_status'), 'ok 1', 'doctor() has no complaint');

# --- the end of its master key

put_keys($key_file, 1 => $first_key, 2 => 'cd' x 32);
is(sql('SELECT laras.rotate_master_key()'), 2, 'the master key is rotated');
ok(wait_for_sql($node, 'SELECT NOT running AND oldest_epoch = 2 FROM laras.progress_rotation', 60), 'to its end');
is(sql("SELECT state FROM laras.keyring_copies WHERE copy_id = $copy"), 'kept', 'until the old one is destroyed the copy counts');
is(opens(1 => $first_key), 'dihapus sesudah salinan', 'and opens');
put_keys($key_file, 2 => 'cd' x 32);
sql(q{SELECT laras.confirm_master_key_destroyed(1, 'HSM record 1')});
is(sql("SELECT state FROM laras.keyring_copies WHERE copy_id = $copy"), 'void', 'then it is void');
is(opens(2 => 'cd' x 32), '', 'and opens with no master key that is left');
is(sql('SELECT DISTINCT copies FROM laras.keyring_status'), 0, 'keyring_status counts none');
is($vault->reveal($neighbour), 'tetangga', 'the keyring itself opens');

# --- where it cannot be made

append_to_file($node->data_dir . '/fault.conf', "laras.fault = 'keyring.sync:enospc:/other/'\n");
$node->append_conf('postgresql.conf', "include 'fault.conf'");
$node->reload;
$copy = sql("SELECT laras.escrow_keyring('$place{other}', 'a full disk')");
ok(wait_for_sql($node, "SELECT state = 'failed' AND trouble <> '' FROM laras.keyring_copies WHERE copy_id = $copy"), 'a copy that cannot be written says so') or diag sql('SELECT * FROM laras.keyring_copies');
is(join(' ', glob "$place{other}/*"), '', 'and leaves nothing behind');
is(sql(q{SELECT bool_and(mirror_state = 'in sync') FROM laras.keyring_status}), 't', 'the mirrors are none the worse');
$node->stop('fast');
done_testing;
