# The product's clock moves only where the server was started for tests; ids are
# unique whatever the clock, the load and a restart do, and tell no counts.
# proves R232
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;
use List::Util qw(max min sum);

my $node = Laras->cluster('clock', settings => { 'laras.node' => 5 });
Tenants::vault_is_open($node);

# --- the clock, in test mode
cmp_ok($node->safe_psql('postgres', 'SELECT abs(extract(epoch FROM laras.now() - now()))'), '<', 1, 'the clock begins with the real time');
$node->safe_psql('postgres', q{SELECT laras.advance_clock('30 days')});
is($node->safe_psql('postgres', q{SELECT date_trunc('hour', laras.now() - now() + '30 minutes')}), '30 days', 'moved by 30 days, for every session');
is($node->safe_psql('postgres', q{SELECT date_trunc('hour', laras.now() - now() + '30 minutes')}, extra_params => [ '-U', 'laras_app' ]), '30 days', 'for every role');
my ($early, $late) = split /\n/, $node->safe_psql('postgres', q{BEGIN; SELECT laras.now(); SELECT laras.now() FROM pg_sleep(0.05); COMMIT});
is($late, $early, 'one time for one transaction');
is($node->safe_psql('postgres', q{BEGIN; SELECT now() - now() FROM laras.advance_clock('1 day'); ROLLBACK; SELECT date_trunc('hour', laras.now() - now() + '30 minutes')}),
	"00:00:00\n31 days", 'a rollback does not move it back');
$node->safe_psql('postgres', q{SELECT laras.advance_clock('-31 days')});
cmp_ok($node->safe_psql('postgres', 'SELECT abs(extract(epoch FROM laras.now() - now()))'), '<', 1, 'and back again');
for my $role (qw(laras_app laras_service laras_relay))
{
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT laras.advance_clock('1 day')", extra_params => [ '-U', $role ]);
	like($err, qr/42501/, "$role does not move it");
}
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION laras.advance_clock(interval) TO laras_service');
my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT laras.advance_clock('1 day')", extra_params => [ '-U', 'laras_service' ]);
like($err, qr/42501/, 'not even with the right to call it');

# --- ids
my $ids = $node->safe_psql('postgres', 'SELECT laras.new_id() FROM generate_series(1, 20000)');
my @id = split /\n/, $ids;
my %seen = map { $_ => 1 } @id;
is(scalar keys %seen, 20000, 'ids are unique within a statement');
is(scalar(grep { $_ <= 0 || $_ > 9223372036854775807 } @id), 0, 'ids are positive');
is(scalar(grep { ($_ >> 12 & 511) != 5 } @id), 0, 'ids carry the node');
my @milli = map { $_ >> 21 } @id;
is(scalar(grep { $milli[$_] < $milli[ $_ - 1 ] } 1 .. $#milli), 0, 'milliseconds never go back');
cmp_ok(abs($milli[0] / 1000 - time), '<', 30, 'and are those of the real clock');
like($node->safe_psql('postgres', "SELECT laras.id_time($id[0]) - to_timestamp($milli[0] / 1000.0)"), qr/^00:00:00/, 'laras.id_time reads them');

# Within a millisecond the twelve bits are a permutation, not a count: neighbours are not neighbours.
my ($steps, $small) = (0, 0);
for my $i (1 .. $#id)
{
	next if $milli[$i] != $milli[ $i - 1 ];
	$steps++;
	$small++ if abs(($id[$i] & 4095) - ($id[ $i - 1 ] & 4095)) <= 8;
}
cmp_ok($steps, '>', 1000, 'several ids share a millisecond');
# Of random pairs 17 in 4096 lie so near; a counter would have them all.
cmp_ok($small / $steps, '<', 0.02, 'the low bits tell no count');
# The same position in another millisecond has another number.
my %first;
$first{ $milli[$_] } //= $id[$_] & 4095 for 0 .. $#id;
my %different = map { $_ => 1 } values %first;
cmp_ok(scalar keys %different, '>', scalar(keys %first) * 0.9 - 1, 'nor does the first of each millisecond');

# Many sessions at once.
my @run;
for my $n (1 .. 6)
{
	my $output = '';
	push @run, [ IPC::Run::start([ 'psql', '-XAtq', '-c', 'SELECT laras.new_id() FROM generate_series(1, ' . long_run(20000, 200000) . ')', $node->connstr('postgres') ],
			'>', \$output), \$output ];
}
my %all = %seen;
my $count = keys %seen;
for my $run (@run)
{
	$run->[0]->finish;
	for (split /\n/, ${ $run->[1] }) { $all{$_} = 1; $count++; }
}
cmp_ok($count, '>=', 140000, "ids from six sessions at once ($count)");
is(scalar keys %all, $count, 'are unique');

# A restart with a clock that stepped back: the mark beside the keyring lies ahead of the clock,
# as it would, and ids go on above it.
my $mark_file = Laras->mirror($node, 'a') . '/ids';
my $mark = unpack 'x8 Q>', PostgreSQL::Test::Utils::slurp_file($mark_file);
cmp_ok($mark, '>=', max(map { $_ >> 21 } keys %all), 'the mark on disk lies above every id');
is(PostgreSQL::Test::Utils::slurp_file(Laras->mirror($node, 'b') . '/ids'), PostgreSQL::Test::Utils::slurp_file($mark_file), 'in both mirrors');
is(sprintf('%o', (stat $mark_file)[2] & 0777), '600', 'for the server alone');
$node->stop('immediate');
my $future = $mark + 86400 * 1000;
for my $mirror (qw(a b))
{
	open my $fh, '>:raw', Laras->mirror($node, $mirror) . '/ids' or die $!;
	print $fh pack('a8 Q> Q> Q>', 'LARASIDS', $future, ~$future, 0);
	close $fh or die $!;
}
$node->start;
cmp_ok($node->safe_psql('postgres', 'SELECT laras.new_id()') >> 21, '>=', $future, 'after a start, ids begin above the mark');
$node->stop('fast');
# One mirror's file damaged: the other one counts.
open my $fh, '>:raw', Laras->mirror($node, 'a') . '/ids' or die $!;
print $fh 'X' x 32;
close $fh or die $!;
$node->start;
cmp_ok($node->safe_psql('postgres', 'SELECT laras.new_id()') >> 21, '>=', $future, 'also with one of the files damaged');

# No mirror takes the mark: no id is given that could be repeated.
$node->stop('fast');
chmod 0500, map { Laras->mirror($node, $_) } qw(a b);
$node->start;
my ($code2, $out2, $err2) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT laras.new_id()");
like($err2, qr/LRB03: +could not write the high-water mark of ids/, 'without a place for the mark there are no ids');
chmod 0700, Laras->mirror($node, 'a');
cmp_ok($node->safe_psql('postgres', 'SELECT laras.new_id()') >> 21, '>=', $future, 'one mirror that takes it is enough');
chmod 0700, Laras->mirror($node, 'b');

# --- outside test mode
$node->adjust_conf('postgresql.conf', 'laras.test_mode', 'off');
$node->restart;
($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT laras.advance_clock('1 day')");
like($err, qr/LRB02: +the clock does not move on this server/, 'a superuser does not move the clock of an ordinary server');
for my $sql ('SET laras.test_mode = on', 'SET SESSION laras.test_mode = on', "SELECT set_config('laras.test_mode', 'on', true)", 'ALTER ROLE CURRENT_USER SET laras.test_mode = on', 'ALTER DATABASE postgres SET laras.test_mode = on')
{
	($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	like($err, qr/55P02/, "not switched on by: $sql");
}
$node->append_conf('postgresql.conf', 'laras.test_mode = on');
$node->reload;
($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT laras.advance_clock('1 day')");
like($err, qr/LRB02/, 'nor by a reload');
cmp_ok($node->safe_psql('postgres', 'SELECT abs(extract(epoch FROM laras.now() - now()))'), '<', 1, 'and its clock is the real one');

# --- without preload
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT laras.new_id()");
like($err, qr/LRB01/, 'without preload there are no ids');
cmp_ok($node->safe_psql('postgres', 'SELECT abs(extract(epoch FROM laras.now() - now()))'), '<', 1, 'the time can be read');
done_testing();
