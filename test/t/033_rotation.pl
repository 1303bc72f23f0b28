# A new master key: every key is wrapped anew while values are written, read and
# erased beside it, with a kill -9 at each step and a mirror away; what is erased
# meanwhile stays erased, nothing else is lost, the courier goes on. A copy of
# the keyring from before opens with the old master key, and with no other: an
# erasure reaches every copy of the keyring when that key is destroyed (older base
# backups under the keyring in use: 037, 151).
#
# proves R203
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(move);
use IPC::Run ();
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('rotation', crash => 1, faults => 1, settings => { 'laras.keyring_slabs_ahead' => 16, 'laras.mirror_timeout' => '500ms' });
my $node = $stage->node;
my $connection = $stage->connect;
my $vault = LarasVault->new($node);
my %mirror = map { $_ => Laras->mirror($node, $_) } qw(a b);
my $key_file = Laras->master_key_file($node);
my %key = (1 => (split ' ', slurp_file($key_file))[1], map { $_ => unpack('H*', join '', map { chr rand 256 } 1 .. 32) } 2 .. 12);
my $tool = $node->config_data('--bindir') . '/laras-keytool';
put_fault($node, '');
$node->reload;

sub log_since { return substr(slurp_file($node->logfile), $_[0]); }
sub error { return ($node->psql('postgres', $_[0]))[2]; }
sub doctor { my ($check, $column) = @_; return $node->safe_psql('postgres', 'SELECT ' . ($column // 'state') . qq{ FROM laras.doctor() WHERE "check" = '$check'}); }
sub refusal { my (undef, undef, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); my ($code) = $err =~ /ERROR:\s+(\w{5}):/; return ($code // 'none') . ($err =~ /HINT:\s+\S/ ? ' hint' : ''); }

sub put_keys
{
	my ($path, @epochs) = @_;
	unlink $path;
	open my $fh, '>', $path or die "$path: $!";
	print $fh map { "$_ $key{$_}\n" } @epochs;
	close $fh or die;
	chmod 0400, $path or die;
	return;
}

sub settings_read
{
	my $turns = $node->safe_psql('postgres', q{SELECT max(turns) FROM laras.worker_status WHERE worker = 'vault'});
	wait_for_sql($node, "SELECT max(turns) >= $turns + 2 FROM laras.worker_status WHERE worker = 'vault'");
	return;
}

# What the tool counts in a mirror with these epochs' keys.
sub verify
{
	my ($path, @epochs) = @_;
	put_keys($node->basedir . '/some_key', @epochs);
	my ($out, $err) = ('', '');
	IPC::Run::run([ $tool, 'verify', '--keyring', $path, '--key', $node->basedir . '/some_key' ], '>', \$out, '2>', \$err);
	return $out =~ /^slots live (\d+) wrapped (\d+) destroyed (\d+) damaged (\d+)/m ? "wrapped $2 damaged $4" : $err;
}

sub rotated
{
	my ($epoch, $what) = @_;
	ok( wait_for(sub {
			my ($code, $out) = $node->psql('postgres', "SELECT NOT running AND epoch = $epoch AND oldest_epoch = $epoch FROM laras.progress_rotation; SELECT bool_and(phase = 'open' AND mirror_state = 'in sync') FROM laras.keyring_status; SELECT laras.resume_workers('vault')");
			return $code == 0 && $out =~ /^t\nt/;
		}, 120), "$what: every key is under epoch $epoch") or diag $node->safe_psql('postgres', 'SELECT * FROM laras.progress_rotation; SELECT * FROM laras.keyring_status');
	ok($vault->wait_verified(60), "$what: every erasure is read back");
	ok(wait_for(sub { $vault->mirrors_differ eq '' }), "$what: the mirrors are the same") or diag $vault->mirrors_differ;
	return;
}

my $neighbour = $vault->subject('tetangga');
my $before = $vault->subject('sebelum');
$vault->destroy($before);
ok($vault->wait_verified, 'an erasure before it');
my $erased_later = $vault->subject('dihapus sesudah salinan');
for my $m (qw(a b))
{
	mkdir $node->basedir . "/copy_$m" or die;
	chmod 0700, $node->basedir . "/copy_$m" or die;
	copy_of_live("$mirror{$m}/0", $node->basedir . "/copy_$m/0");
}
$vault->destroy($erased_later);

# --- what it wants

is(refusal('SELECT laras.rotate_master_key()'), 'LRK02 hint', 'without a key of the next epoch nothing begins');
like(error('SELECT laras.rotate_master_key()'), qr/master key of the next epoch is missing \(epoch 2\)/, 'which is named');
put_keys($key_file, 2, 1);
my $order = error('SELECT laras.rotate_master_key()');
like($order, qr/in the order of their epochs, the lowest first \(line 2\)/, 'lines in another order are refused with the line');
ok((!grep { index($order, $key{$_}) >= 0 } 1, 2), 'and without the key');
is(doctor('master key source'), 'fail', 'nor would the vault open again: doctor() says so');
put_keys($key_file, 2);
like(doctor('master key source', 'detail'), qr/would not open again: the master key of an epoch is missing \(epoch 1\)/, 'as it does where the line in use is gone');
put_keys($key_file, 1);
is(doctor('master key source'), 'ok', 'and is content when it is back');
{ local $key{2} = $key{1}; put_keys($key_file, 1, 2); is(refusal('SELECT laras.rotate_master_key()'), 'LRK02 hint', 'nor with the same key once more'); }
is(refusal(q{SET ROLE laras_service; SELECT laras.rotate_master_key()}), '42501', 'nor for anybody but laras_dba');
is(refusal(q{SELECT laras.confirm_master_key_destroyed(1, 'HSM record 1')}), '55000 hint', 'a key in use is not confirmed to be destroyed');
put_keys($key_file, 1, 2);

# --- under load: values are written, read and erased meanwhile

my $load = $node->basedir . '/load.sql';
$node->safe_psql('postgres', 'CREATE SEQUENCE load_id START 100000; CREATE TABLE wrong (n bigint)');
open my $fh, '>', $load or die;
print $fh <<"SQL";
SELECT nextval('load_id') AS n \\gset
BEGIN;
SELECT laras_test.bind(@{[$vault->workspace]});
INSERT INTO subject (id, slot) VALUES (:n, laras_test.lease());
SELECT laras_test.key_owner_add(@{[$vault->workspace]}, slot, 'contact', :n) FROM subject WHERE id = :n;
UPDATE subject SET body = laras_test.seal(@{[$vault->w]}, slot, 17, @{[$vault->workspace]}, :n, convert_to('isi ' || :n, 'UTF8')) WHERE id = :n;
COMMIT;
BEGIN;
SELECT laras_test.bind(@{[$vault->workspace]});
INSERT INTO wrong SELECT id FROM subject WHERE id BETWEEN :n - 40 AND :n AND id % 3 <> 0 AND id >= 100000 AND body IS NOT NULL AND laras.reveal(body, id, 17::smallint) IS DISTINCT FROM 'isi ' || id;
COMMIT;
\\if :n3
\\endif
BEGIN;
SELECT laras_test.bind(@{[$vault->workspace]});
SELECT laras_test.destroy(@{[$vault->workspace]}, slot) FROM subject WHERE id = :n AND id % 3 = 0;
COMMIT;
SQL
close $fh;
my $text = slurp_file($load) =~ s/^\\if :n3\n\\endif\n//mr;
open $fh, '>', $load or die;
print $fh $text;
close $fh;
chmod 0644, $load;
my ($out, $err) = ('', '');
my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', '12', '-f', $load, $node->connstr('postgres') ], '>', \$out, '2>', \$err);
ok(wait_for_sql($node, 'SELECT count(*) > 20 FROM subject'), 'values are written');
is($node->safe_psql('postgres', 'SET ROLE laras_dba; SELECT laras.rotate_master_key()'), '2', 'the master key is rotated');
rotated(2, 'under load');
IPC::Run::finish($bench);
is($err =~ /(ERROR:.*)/ ? $1 : '', '', 'no writer, reader or eraser was refused meanwhile');
like($out, qr/number of transactions actually processed: [1-9]/, 'and they were many');
is($node->safe_psql('postgres', 'SELECT count(*) FROM wrong'), 0, 'no value read wrong');
my $check = $vault->bound('SELECT count(*) FILTER (WHERE laras.reveal(body, id, 17::smallint) IS DISTINCT FROM CASE WHEN id % 3 <> 0 THEN $$isi $$ || id END) || $$ $$ || (count(*) > 100) FROM subject WHERE id >= 100000 AND body IS NOT NULL');
like($node->safe_psql('postgres', $check), qr/^0 true$/m, 'afterwards the erased are erased and all others open');
is($vault->reveal($neighbour) . ' ' . $vault->reveal($before), 'tetangga NULL', 'those from before too');
is(verify("$mirror{a}/0", 2), 'wrapped 0 damaged 0', 'the tool finds every content key under the new key alone') or diag verify("$mirror{a}/0", 1, 2);
is($node->safe_psql('postgres', q{SELECT string_agg(epoch || ' ' || (retired_at IS NOT NULL), ', ' ORDER BY epoch) FROM laras.master_key_epoch}), '1 true, 2 false', 'the first epoch is retired');
my $conversation = do { $stage->customer('6281280001111', 'halo'); $stage->wait_bound('SELECT count(*) = 1 FROM laras.conversations'); $stage->bound('SELECT id FROM laras.conversations') };
my $sent = $stage->bound("SELECT laras.reply($conversation, 'halo juga')");
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $sent", 30), 'the courier opens its token under the new key');
$node->restart;
ok($vault->wait_open, 'with both keys at hand the vault opens');
put_keys($key_file, 2);
$node->restart;
ok($vault->wait_open, 'and with the new one alone');
is($vault->reveal($neighbour), 'tetangga', 'values open');

# --- kill -9 at each step, then on to the end

my $epoch = 2;
for my $step ('rotate.keyring', 'rotate.begun', 'rotate.slot:100', 'rotate.written:3', 'rotate.slot:9001', 'rotate.slab', 'rotate.journalled')
{
	my ($name, $hit) = split /:/, $step;
	my $erased = $vault->subject("pergi $step");
	my $kept = $vault->subject("tinggal $step");
	put_keys($key_file, $epoch, $epoch + 1);
	my $offset = -s $node->logfile;
	put_fault($node, "$name:kill9" . (defined $hit ? ":$hit" : ''));
	$node->reload;
	settings_read();
	$node->psql('postgres', 'SELECT laras.rotate_master_key()');
	$node->psql('postgres', $vault->destroy_sql($erased));
	ok(wait_for(sub { log_since($offset) =~ /was terminated by signal 9/ }, 60), "$step: killed");
	put_fault($node, '');
	$node->reload;
	ok(wait_for(sub { $node->psql('postgres', 'SELECT 1') == 0 }, 60), "$step: the server is back");
	$epoch++;
	rotated($epoch, $step);
	$node->psql('postgres', $vault->destroy_sql($erased)) if $vault->state($erased) ne 'destroyed';
	is($vault->reveal($erased) . ' ' . $vault->reveal($kept) . ' ' . $vault->reveal($neighbour), "NULL tinggal $step tetangga", "$step: the erased is erased, the others open");
	put_keys($key_file, $epoch);
}
is(verify("$mirror{b}/0", $epoch), 'wrapped 0 damaged 0', 'every content key is under the last one');

# --- a mirror that is away holds the old epoch, and so the old key, in use

put_keys($key_file, $epoch, $epoch + 1);
my $away = $vault->subject('saat cermin pergi');
put_fault($node, 'keyring.sync:eio:keyring_b');
$node->reload;
settings_read();
$vault->destroy($away);
wait_for_sql($node, q{SELECT mirror_state = 'behind' FROM laras.keyring_status WHERE mirror = 'b'});
move($mirror{b}, "$mirror{b}.away") or die;
put_fault($node, '');
$node->reload;
$epoch++;
is($node->safe_psql('postgres', 'SELECT laras.rotate_master_key()'), $epoch, 'with a mirror away a rotation begins');
is($node->safe_psql('postgres', 'SELECT laras.rotate_master_key() IS NULL'), 't', 'once');
ok(wait_for_sql($node, 'SELECT slabs_done = slabs FROM laras.progress_rotation', 60), 'the mirror at hand is through');
is($node->safe_psql('postgres', 'SELECT running FROM laras.progress_rotation'), 't', 'but the old epoch is not retired');
like($node->safe_psql('postgres', 'SELECT waits_for FROM laras.progress_rotation'), qr/^mirror "b" is out of sync/, 'and what it waits for is said');
for my $given ($epoch - 1, $epoch)
{
	my $lacks = $given == $epoch ? $epoch - 1 : $epoch;
	my ($o, $e) = ('', '');
	put_keys($node->basedir . '/some_key', $given);
	ok(!IPC::Run::run([ $tool, 'verify', '--keyring', "$mirror{a}/0", '--key', $node->basedir . '/some_key' ], '>', \$o, '2>', \$e), 'a key file with one of two epochs is found wanting');
	like($o, qr/^epoch $lacks missing: /m, "of epoch $lacks it says so") or diag $e;
	my ($live, $wrapped) = $o =~ /^slots live (\d+) wrapped (\d+) destroyed \d+ damaged 0 /m;
	my $not = 0;
	$not += $1 while $o =~ /^slab [0-9a-f]{8} not verified: (\d+) keys$/mg;
	is($not, $wrapped, 'and in which slabs keys are not verified');
	cmp_ok($given == $epoch ? $live : $wrapped, '>', 1000, 'all others are');
}
is(refusal("SELECT laras.confirm_master_key_destroyed(" . ($epoch - 1) . ", 'HSM record')"), '55000 hint', 'nor to be destroyed');
move("$mirror{b}.away", $mirror{b}) or die;
rotated($epoch, 'the mirror is back');
is(verify("$mirror{b}/0", $epoch), 'wrapped 0 damaged 0', 'it has no key of the old epoch');
is($vault->reveal($away) . ' ' . $vault->reveal($neighbour), 'NULL tetangga', 'and all is as it was');
$sent = $stage->bound("SELECT laras.reply($conversation, 'masih di sini')");
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $sent", 30), 'the courier goes on');

# --- epochs that are destroyed

put_keys($key_file, 1, $epoch);
like(error(q{SELECT laras.confirm_master_key_destroyed(1, 'HSM record 1')}), qr/still given to the server.*HINT: .*Take its line out/s, 'a key that the server is still given is not destroyed');
put_keys($key_file, $epoch);

is(refusal(q{SELECT laras.confirm_master_key_destroyed(2, 'HSM record 2')}), '55000 hint', 'epochs are confirmed in their order');
is(refusal(q{SELECT laras.confirm_master_key_destroyed(1, '')}), '22023 hint', 'and with a reference');
is($node->safe_psql('postgres', q{SET ROLE laras_dba; SELECT laras.confirm_master_key_destroyed(1, 'HSM record 1')}), 't', 'the first is confirmed to be destroyed');
is($node->safe_psql('postgres', q{SELECT laras.confirm_master_key_destroyed(1, 'HSM record 1')}), 'f', 'once');
ok(wait_for_sql($node, 'SELECT journalled_at IS NOT NULL FROM laras.master_key_epoch WHERE epoch = 1'), 'the journal has it');

# a copy from epoch 1, made before an erasure: its key decides
put_keys($node->basedir . '/key_1', 1);
put_keys($node->basedir . '/key_now', $epoch);
my ($value, $slot) = split /\|/, $node->safe_psql('postgres', "SELECT encode(laras.sealed_send(body), 'hex'), slot FROM subject WHERE id = $erased_later");
my @open = ('open', '--workspace', $vault->workspace, '--row', $erased_later, '--field', 17, $value);
sub opens { my ($keyring, $key) = @_; my ($o, $e) = ('', ''); IPC::Run::run([ $tool, @open[ 0 .. 0 ], '--keyring', $keyring, '--key', $key, @open[ 1 .. $#open ] ], '>', \$o, '2>', \$e); return $o; }
is(opens($node->basedir . '/copy_a/0', $node->basedir . '/key_1'), "dihapus sesudah salinan\n", 'who has a copy from before the erasure and the old master key reads it');
isnt(opens($node->basedir . '/copy_a/0', $node->basedir . '/key_now'), "dihapus sesudah salinan\n", 'with the old master key destroyed nobody does');
isnt(opens("$mirror{a}/0", $node->basedir . '/key_now'), "dihapus sesudah salinan\n", 'nor with the keyring as it is');
$node->stop('fast');
for my $m (qw(a b)) { move("$mirror{$m}/0", "$mirror{$m}/real") or die; system_or_bail('cp', '-a', $node->basedir . "/copy_$m/0", "$mirror{$m}/0"); }
put_keys($key_file, $epoch);
$node->start;
ok(wait_for(sub { $vault->reveal($neighbour) eq 'LRK02' }), 'the server does not open such a copy either') or diag $vault->reveal($neighbour);
$node->stop('fast');
for my $m (qw(a b)) { system_or_bail('rm', '-rf', "$mirror{$m}/0"); move("$mirror{$m}/real", "$mirror{$m}/0") or die; }
$node->start;
ok($vault->wait_open, 'the true keyring opens');
is($vault->reveal($neighbour), 'tetangga', 'with all its values');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing;
