# A machine set back as a whole, database and every mirror together: only what
# is kept outside can tell. Each signed checkpoint carries how far the keyring's
# journal is and is kept in laras.checkpoint_directory; a keyring that is older
# than the newest one there stays shut (LRK07, with a hint) until it is put
# right. Mirrors that alone are older open, since the database has every order.
# A directory that cannot be read holds nothing up, is told, and is looked at again.
# proves R204
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(move);
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $outside = PostgreSQL::Test::Utils::tempdir();
my $stall = PostgreSQL::Test::Utils::tempdir() . '/stall';
$ENV{LARAS_SINK_STALL} = $stall; # while it is there, laras-sink waits as for a medium that is gone
my $node = Laras->cluster('vault', crash => 1, faults => 1, settings => { 'laras.keyring_slabs_ahead' => 16, 'laras.checkpoint_directory' => $outside });
my $vault = LarasVault->new($node);
my %part = (data => $node->data_dir, outside => Laras->outside($node));
my $logs = 0;

sub doctor { return $node->safe_psql('postgres', q{SELECT state || coalesce(': ' || detail, '') FROM laras.doctor() WHERE "check" = 'checkpoint directory'}); }
sub closed { return wait_for_sql($node, "SELECT bool_and(phase = 'closed') AND max(reason) ~ '$_[0]' FROM laras.keyring_summary()"); }
sub newest { my ($file) = glob "$outside/*-*/newest"; return $file && -e $file ? slurp_file($file) : ''; }
sub position { return newest() =~ /^laras-journal (\d+) [0-9a-f]{32}$/m ? $1 : -1; }

sub keep
{
	my ($where) = @_;
	$node->stop('fast');
	for (sort keys %part) { system_or_bail('cp', '-a', $part{$_}, "$where/$_"); }
	return;
}

sub put_back
{
	my ($where, @what) = @_;
	for (@what)
	{
		# whole, at one moment: the server may be looking
		system_or_bail('cp', '-a', "$where/$_", "$part{$_}.coming");
		system_or_bail('rm', '-rf', $part{$_});
		move("$part{$_}.coming", $part{$_}) or die "$part{$_}: $!";
	}
	return;
}

# Something that the log is signed for.
sub create_one
{
	$logs++;
	$node->safe_psql('postgres', "SELECT laras.create_workspace('Toko $logs', 'ani$logs\@example.com', 'correct horse battery staple')");
	return;
}

sub sign
{
	my $before = newest();
	create_one();
	return wait_for(sub { newest() ne $before });
}

ok(sign(), 'a checkpoint is kept');
like(newest(), qr{\A\S+/laras/[0-9a-f-]{36}\n\d+\n[A-Za-z0-9+/]{43}=\nlaras-journal \d+ [0-9a-f]{32}\n\n\xe2\x80\x94 }, 'a signed note that carries how far the journal is');
is(doctor(), 'ok', 'doctor() is content');
my $kept = $vault->subject('tetap');
my $erased = $vault->subject('dihapus');

# --- as it was, and on from there

my %copy = map { $_ => PostgreSQL::Test::Utils::tempdir() } qw(old new);
keep($copy{old});
$node->start;
ok($vault->wait_open, 'a restart: the vault opens');

# --- what is kept outside does not answer at all

append_to_file($stall, '');
my $signed = newest();
my $offset = -s $node->logfile;
my $checkpoints = $node->safe_psql('postgres', 'SELECT count(*) FROM laras.evidence_checkpoint');
create_one();
ok(wait_for_sql($node, "SELECT count(*) > $checkpoints FROM laras.evidence_checkpoint"), 'a directory that does not answer: the log is signed all the same');
ok(wait_for(sub { substr(slurp_file($node->logfile), $offset) =~ /WARNING:.*checkpoints are not kept in laras.checkpoint_directory: the directory does not answer/ }), 'with a warning');
is(newest(), $signed, 'nothing was written');
$node->stop('fast');
$offset = -s $node->logfile;
$node->start;
ok($vault->wait_open, 'a start: the vault opens');
like(substr(slurp_file($node->logfile), $offset), qr/WARNING:.*not compared with laras.checkpoint_directory: the directory does not answer/, 'once it has waited');
is(doctor(), 'fail: the directory does not answer', 'doctor() tells');
unlink $stall or die;
ok(wait_for(sub { doctor() eq 'ok' }), 'it answers again: doctor() is content');
is($vault->reveal($kept), 'tetap', 'and nothing has closed');
ok(wait_for(sub { newest() ne $signed }), 'what was signed meanwhile is kept now');
ok(sign(), 'and what is signed from now on');

# --- an erasure that only the newer copies know

$vault->destroy($erased);
ok($vault->wait_verified && sign(), 'an erasure, and a checkpoint after it');
my $destroyed = $node->safe_psql('postgres', 'SELECT max(journal) FROM laras.keyring_status');
ok(wait_for(sub { position() >= $destroyed || (sign(), 0) }), 'which names its order');
my ($note) = newest() =~ m{^\S+/laras/(\S+)\n};
is(slurp_file((glob "$outside/*-*/$note")[0]), newest(), 'it is kept by the name of its log too');
is(scalar(() = glob("$outside/*-*/.[0-9a-z]*")), 0, 'nothing half written lies about');
keep($copy{new});

# --- both are set back

put_back($copy{old}, qw(data outside));
my $before = newest();
$node->start;
ok(closed('journal ends before the position of a signed checkpoint'), 'database and mirrors are old: the vault stays closed');
is($vault->reveal($erased), 'LRK07', 'what was erased does not open');
my (undef, undef, $said) = $node->psql('postgres', $vault->bound("SELECT laras.reveal(body, id, 17::smallint) FROM subject WHERE id = $kept"));
like($said, qr/the keyring is older than its witness.*HINT:  Put back the newest mirrors/s, 'nor anything else, and the hint says what to do');
is($node->safe_psql('postgres', q{SELECT state FROM laras.doctor() WHERE "check" = 'keyring'}), 'fail', 'doctor() says so');
is(newest(), $before, 'what is kept outside is as it was');

# mirrors of now, though the server runs: it looks again by itself
put_back($copy{new}, 'outside');
ok($vault->wait_open, 'the newest mirrors are put back: the vault opens');
is($vault->reveal($erased) . ', ' . $vault->reveal($kept), 'NULL, tetap', 'the erased stays erased, the other opens');
$node->stop('fast');

# --- the mirrors alone are set back

put_back($copy{new}, 'data');
put_back($copy{old}, 'outside');
$node->start;
ok($vault->wait_open, 'mirrors alone are old: the database holds the checkpoint, and the vault opens');
is($vault->reveal($erased) . ', ' . $vault->reveal($kept), 'NULL, tetap', 'the erased stays erased by the order of the database');
system_or_bail('cp', '-a', "$copy{new}/outside/evidence_key.high-water", $part{outside});
$before = newest();
ok(sign(), 'and checkpoints go on from there');
$node->restart;
ok($vault->wait_open, 'a restart after that: the vault opens');

# --- what is kept outside cannot be read

my ($place) = glob "$outside/*-*";
$node->stop('fast');
put_back($copy{new}, qw(data outside));
for my $case (
	[ 'is gone', sub { move($outside, "$outside.away") or die }, sub { move("$outside.away", $outside) or die }, 'the directory is not there' ],
	[ 'holds nonsense', sub { move("$place/newest", "$place/aside") or die; append_to_file("$place/newest", "sampah\n") }, sub { move("$place/aside", "$place/newest") or die }, 'is not one that this installation signed' ])
{
	my ($what, $spoil, $mend, $told) = @$case;
	my $offset = -s $node->logfile;
	$spoil->();
	$node->start;
	ok($vault->wait_open, "a directory that $what: the vault opens");
	like(substr(slurp_file($node->logfile), $offset), qr/WARNING:.*not compared with laras.checkpoint_directory: .*$told/, "it $what: with a warning");
	like(doctor(), qr/^fail: .*$told/, "it $what: and doctor() tells");
	$mend->();
	ok(wait_for(sub { doctor() eq 'ok' }), "it is right again: doctor() is content");
	is($vault->reveal($kept), 'tetap', 'and nothing has closed');
	$node->stop('fast');
}

# --- ... and nothing is written over it: when it can be read, the old machine is found out

move($outside, "$outside.away") or die;
put_back($copy{old}, qw(data outside));
$node->start;
ok($vault->wait_open, 'set back, and nothing can be compared: the vault opens');
is($vault->reveal($erased), 'dihapus', 'the erased is back: nobody could tell');
move("$outside.away", $outside) or die;
ok(closed('journal ends before|journal is another'), 'what is kept outside can be read again: the vault closes');
is($vault->reveal($erased), 'LRK07', 'and the erased is out of reach');
$vault->destroy($erased);
is($vault->state($erased), 'destroyed', 'destroying goes on');

# --- a person takes the checkpoints away: there are no newer mirrors

move($place, "$place.given-up") or die;
ok($vault->wait_open, 'the checkpoints are moved away: the vault opens');
is($vault->reveal($erased) . ', ' . $vault->reveal($kept), 'NULL, tetap', 'what was destroyed meanwhile is');
is($node->safe_psql('postgres', q{SELECT coalesce(string_agg(worker || ' ' || last_error, '; '), 'none') FROM laras.worker_status WHERE failures > 0}), 'none', 'no worker failed');
$node->stop('fast');
done_testing;
