# Every way in which a database and its keyring come together again, and what
# shows that the erased stay erased in it and that nothing opens before that is
# sure. Here is what is in no other test.
#
#   database          keyring            what happens                                test
#   ----------------  -----------------  ------------------------------------------  ------------------
#   older, dump       newest             adopted, resume() erases again              150, 151
#   older, base copy  newest             closes by itself, resume() erases again     151
#   older, point in   newest             the same on a new timeline; nobody's slot   here
#     time                               is swept
#   current           one old mirror     caught up before it is read                 022, 032, 038
#   current           all mirrors old    the database's orders, and its lease        034
#   current           none               refused (LRK04), nothing is made            151
#   current           of other contents  refused (LRK06), adopt_keyring() too        151
#   both older        (whole machine)    LRK07 by the checkpoints kept outside       035
#   copy of files     the source's own   refused by lock while the source runs       151
#   copy of files     none               refused (LRK04), the source is untouched    here
#   copy of files     a copy of it       opens: a copy of a keyring; what either     here
#                                        erases since, the other still has
#   TEMPLATE copy     the source's own   refused: LRK04 beside the source, LRK06 in  here
#                                        its place, until adopt_keyring()
#   dump, fresh       newest, adopted    opens after resume()                        150
#   pg_upgrade        newest, adopted    opens after resume()                        152
#   another cluster   in use             two on one keyring are refused by lock      022, 151
#   promoted standby  pulled             opens                                       036
#   promoted standby  older copy         LRK07 until a newer one or adopt_keyring()  036
#
# proves R203 R204
use strict;
use warnings;

use lib 'test/lib';
use Laras;
use LarasVault;
use PostgreSQL::Test::RecursiveCopy ();
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('source', init => { allows_streaming => 1, has_archiving => 1 }, settings => { 'laras.keyring_slabs_ahead' => 16, autovacuum => 'off' });
my $vault = LarasVault->new($node);
my %source = map { $_ => Laras->mirror($node, $_) } qw(a b);
my $kept = $vault->subject('tetap');
my $early = $vault->subject('dihapus lebih dulu');
my $late = $vault->subject('dihapus kemudian');
$vault->destroy($early);
ok($vault->wait_verified, 'one is erased');
$node->backup('base');

sub status { my ($at, $database) = @_; return $at->safe_psql($database // 'postgres', q{SELECT phase || ': ' || coalesce(reason, '') FROM laras.keyring_summary()}); }
sub answer { my ($at, $database) = @_; return $at->safe_psql($database // 'postgres', q{SELECT status FROM laras.http_request('GET', '/healthz', NULL, '{}', NULL)}); }
sub opens { my ($at, $database) = @_; return wait_for_sql($at, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}, 60, $database) || diag(status($at, $database)); }

# As LarasVault, of another node or database.
sub reveal
{
	my ($at, $n, $database) = @_;
	my (undef, $out, $err) = $at->psql($database // 'postgres', $vault->bound("SELECT coalesce(laras.reveal(body, id, 17::smallint), 'NULL') FROM subject WHERE id = $n"), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:\s+([0-9A-Z]{5}):/ ? $1 : $out =~ s/^\s+|\s+$//gr;
}
sub all_of { my ($at, $database) = @_; return join ' ', map { reveal($at, $_, $database) } $kept, $early, $late; }

# A copy of the files; its mirrors are where mirror says, or empty.
sub copy_of
{
	my ($name, $mirror, %option) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);
	$copy->init_from_backup($node, 'base', %option);
	my $outside = PostgreSQL::Test::Utils::tempdir();
	my %own = map { $_ => "$outside/keyring_$_" } qw(a b);
	for my $which (qw(a b))
	{
		if ($mirror eq 'copied') { PostgreSQL::Test::RecursiveCopy::copypath($source{$which}, $own{$which}); }
		else { mkdir $own{$which} or die "$own{$which}: $!"; }
	}
	system_or_bail('chmod', '-R', 'go=', $outside);
	my $directories = join ', ', map { "$_=" . ($mirror eq 'shared' ? $source{$_} : $own{$_}) } qw(a b);
	$copy->append_conf('postgresql.conf', "laras.keyring_directory = '$directories'\narchive_mode = off\n");
	return ($copy, \%own);
}

# --- a copy of the files without its keyring

my ($without, $empty) = copy_of('without', 'empty');
$without->start;
ok(wait_for(sub { status($without) =~ /^closed: the database has keys, and no mirror holds their keyring/ }), 'a clone without its keyring stays shut') or diag status($without);
is(all_of($without), 'LRK04 LRK04 LRK04', 'nothing opens, and nothing reads as erased');
is(answer($without), 503, 'it is closed to requests');
is(join(' ', map { glob "$empty->{$_}/[0-9]*" } qw(a b)), '', 'and no keyring is made in its place');
$without->stop('fast');

# --- a copy of the files with a copy of the keyring

my ($with, undef) = copy_of('with', 'copied');
$with->start;
ok(opens($with), 'a clone that carries a copy of the keyring opens');
is(all_of($with), 'tetap NULL dihapus kemudian', 'the erased stay erased in it');
$node->safe_psql('postgres', $vault->destroy_sql($late));
$with->safe_psql('postgres', $vault->destroy_sql($kept));
is(all_of($node), 'tetap NULL NULL', 'what is erased in the clone is not in the source');
is(all_of($with), 'NULL NULL dihapus kemudian', 'nor the other way: a copy of the keyring opens what was erased since, until its end');
$with->stop('fast');
ok($vault->wait_verified, 'the source goes on');

# --- recovery to a point in time before an erasure, with the newest keyring

my $point = $vault->subject('dihapus sesudah titik');
$node->safe_psql('postgres', q{SELECT pg_create_restore_point('before')});
my $lost = $vault->slot($vault->subject('sesudah titik'));
$vault->destroy($point);
ok($vault->wait_verified, 'an erasure after the point');
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
$node->stop('fast');
my ($back, undef) = copy_of('back', 'shared', has_restoring => 1, standby => 0);
$back->append_conf('postgresql.conf', "recovery_target_name = 'before'\nrecovery_target_action = 'promote'\n");
$back->start;
ok(opens($back), 'recovered to a point in time, on the newest keyring, the vault opens');
is($back->safe_psql('postgres', 'SELECT timeline_id > 1 FROM pg_control_checkpoint()'), 't', 'on a timeline of its own');
is(reveal($back, $point), 'NULL', 'what was erased after the point stays erased');
is(all_of($back), 'tetap NULL NULL', 'the others are as they were');
is(answer($back), 503, 'it is closed until the erased rows are erased once more');
my $swept = $back->safe_psql('postgres', 'SELECT sweeping FROM laras.keyring_summary()');
like($swept, qr/^off below the mark/, 'no slot is swept that the lost time may have used');
unlike($back->safe_psql('postgres', 'SELECT * FROM laras.resume()'), qr/\|fail\|/, 'resume() ends well');
is(answer($back), 200, 'and it is open');
$back->safe_psql('postgres', $vault->bound("SELECT count(laras_test.key_owner_add(" . $vault->workspace . ", laras_test.lease(), 'group', i)) FROM generate_series(1, 1000) i"));
is($back->safe_psql('postgres', "SELECT count(*) FROM laras.key_owner WHERE slot = $lost"), 0, 'and no slot of the lost time is handed out again');
$back->stop('fast');

# --- CREATE DATABASE ... TEMPLATE

$node->start;
$vault->wait_open;
$node->safe_psql('postgres', 'SELECT laras.pause_workers()');
$node->append_conf('postgresql.conf', "laras.databases = 'postgres, salinan'");
$node->safe_psql('template1', q{CREATE DATABASE salinan TEMPLATE postgres});
$node->restart;
$vault->wait_open;
is($vault->reveal($kept), 'tetap', 'beside a copy of it the database opens');
ok(wait_for(sub { status($node, 'salinan') =~ /^closed: the database has keys, and no mirror holds their keyring/ }), 'the copy finds no keyring of its own and makes none') or diag status($node, 'salinan');
is(all_of($node, 'salinan'), 'LRK04 LRK04 LRK04', 'nothing opens in it');
is(answer($node, 'salinan'), 503, 'it is closed to requests');
$node->append_conf('postgresql.conf', "laras.databases = 'salinan'");
$node->restart;
ok(wait_for(sub { status($node, 'salinan') =~ /^closed: the keyring names another cluster or database/ }), 'in its place it is refused the keyring that is another\'s') or diag status($node, 'salinan');
is(all_of($node, 'salinan'), 'LRK06 LRK06 LRK06', 'with LRK06');
is($node->safe_psql('salinan', 'SELECT laras.adopt_keyring()'), 't', 'until it is adopted');
ok(opens($node, 'salinan'), 'then the vault opens');
is(all_of($node, 'salinan'), 'tetap NULL NULL', 'the erased stay erased');
$node->append_conf('postgresql.conf', "laras.databases = 'postgres'");
$node->restart;
ok(wait_for(sub { status($node) =~ /^closed: the keyring names another cluster or database/ }), 'and the first one owns it no more') or diag status($node);
$node->stop('fast');
done_testing;
