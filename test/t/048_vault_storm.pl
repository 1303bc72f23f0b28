# The vault in a storm: keys are handed out, destroyed and wrapped anew under
# load while processes of the server are killed at any moment, the server too, a
# mirror goes away and comes back. After each round what was committed holds:
# what was destroyed is, in both mirrors, all else opens, no key was handed out
# twice, and the mirrors are the same, byte for byte.
# LARAS_SEED=n repeats a sequence of blows, not their moments.
# proves R020
use strict;
use warnings;

use lib 'test/lib';
use File::Copy qw(move);
use IPC::Run;
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $seed = $ENV{LARAS_SEED} // int rand 1_000_000_000;
my $rounds = long_run(4, 120);
srand $seed;
diag "seed $seed";

my $node = Laras->cluster('storm', crash => 1, settings => { 'laras.keyring_slabs_ahead' => 16 });
my $vault = LarasVault->new($node);
my %mirror = map { $_ => Laras->mirror($node, $_) } qw(a b);
my $key_file = Laras->master_key_file($node);
my $epoch = 1;
my %told;

$node->safe_psql('postgres', 'CREATE TABLE gone (id bigint PRIMARY KEY); CREATE SEQUENCE load_id START 1000');
my $load = $node->basedir . '/load.sql';
my ($workspace, $w) = ($vault->workspace, $vault->w);
append_to_file($load, <<"SQL");
\\set roll random(1, 10)
SELECT nextval('load_id') AS n \\gset
BEGIN;
SELECT laras_test.bind($workspace);
INSERT INTO subject (id, slot) VALUES (:n, laras_test.lease());
SELECT laras_test.key_owner_add($workspace, slot, 'contact', :n) FROM subject WHERE id = :n;
UPDATE subject SET body = laras_test.seal($w, slot, 17, $workspace, :n, convert_to('isi ' || :n, 'UTF8')) WHERE id = :n;
\\if :roll = 1
ROLLBACK;
\\else
COMMIT;
\\endif
BEGIN;
SELECT laras_test.bind($workspace);
WITH chosen AS (INSERT INTO gone SELECT id FROM subject WHERE id BETWEEN :n - 30 AND :n - 1 AND id % 3 = 0 ON CONFLICT DO NOTHING RETURNING id)
SELECT count(laras_test.destroy($workspace, s.slot)) FROM chosen JOIN subject s USING (id);
COMMIT;
SQL
chmod 0644, $load;

sub answers { my ($sql) = @_; my ($code, $out) = $node->psql('postgres', $sql); return $code == 0 ? $out : ''; }
sub pid_of { my ($what) = @_; my $pid = answers("SELECT pid FROM pg_stat_activity WHERE $what ORDER BY random() LIMIT 1"); return $pid =~ /^(\d+)$/ ? $1 : undef; }
sub postmaster { my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/; return $pid; }
sub is_up { return answers('SELECT 1') eq '1'; }

# Wait until nothing of it is left, so that another may start.
sub start_again
{
	my ($old) = @_;
	wait_for(sub { !kill 0, $old }, 60);
	$node->{_pid} = undef;
	wait_for(sub { $node->start(fail_ok => 1) }, 60) or BAIL_OUT('the server does not start');
	return;
}

my %blow = (
	# a worker or a session dies: the server restarts all of them
	vault => sub { my $pid = pid_of(q{backend_type = 'laras vault'}); kill 9, $pid if $pid; },
	session => sub { my $pid = pid_of(q{application_name = 'pgbench'}); kill 9, $pid if $pid; },
	postmaster => sub { my $pid = postmaster(); kill 9, $pid; start_again($pid); },
	immediate => sub { $node->stop('immediate', fail_ok => 1); $node->start; },
	rotate => sub {
		$epoch++ if answers("SELECT bool_and(oldest_epoch = $epoch) FROM laras.keyring_status") eq 't' && add_key($epoch + 1) && answers('SELECT laras.rotate_master_key()') ne '';
	},
	away => sub {
		my $pid = postmaster();
		kill 9, $pid;
		wait_for(sub { !kill 0, $pid }, 60);
		move($mirror{b}, "$mirror{b}.away") or die "move: $!";
		start_again($pid);
	},
	back => sub { move("$mirror{b}.away", $mirror{b}) or die "move: $!" if -d "$mirror{b}.away"; });

sub add_key
{
	my ($number) = @_;
	my $keys = slurp_file($key_file);
	return 1 if $keys =~ /^$number /m;
	# every key is under the epoch in use: the ones before it are not needed any more
	$keys = join '', grep { !/^(\d+) / || $1 == $epoch } split /^/, $keys;
	open my $fh, '>', "$key_file.new" or die;
	print $fh $keys, "$number ", unpack('H*', join '', map { chr rand 256 } 1 .. 32), "\n";
	close $fh or die;
	chmod 0400, "$key_file.new" or die;
	move("$key_file.new", $key_file) or die;
	return 1;
}

# In every round one of these sequences, under load.
my @sequence = ([qw(vault)], [qw(away back vault)], [qw(rotate vault)], [qw(session rotate postmaster)], [qw(immediate)], [qw(away rotate back)], [qw(rotate immediate vault)], [qw(postmaster away back postmaster)]);
for my $round (1 .. $rounds)
{
	my @blows = @{ $sequence[($round - 1) % @sequence] };
	for my $what (@blows)
	{
		my $out = '';
		my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-T', 20, '-f', $load, $node->connstr('postgres') ], '>', \$out, '2>', \$out);
		usleep(rand 1_500_000);
		$blow{$what}->();
		$told{$what}++;
		usleep(rand 700_000);
		$bench->kill_kill;
		wait_for(sub { is_up() }, 60);
	}
	$blow{back}->();
	my $what = "round $round (@blows)";
	ok( wait_for(sub {
			answers(q{SELECT laras.resume_workers('vault')});
			return answers(q{SELECT bool_and(phase = 'open' AND mirror_state = 'in sync') AND count(*) = 2 FROM laras.keyring_status}) eq 't'
			  && answers('SELECT NOT running FROM laras.progress_rotation') =~ /^t?$/;
		}, 120), "$what: open, both mirrors in sync") or diag answers('SELECT * FROM laras.keyring_status; SELECT * FROM laras.progress_rotation');
	ok($vault->wait_verified(60), "$what: every destruction is read back");
	like(answers($vault->bound(q{SELECT count(*) FROM subject s LEFT JOIN gone g USING (id) WHERE s.id >= 1000 AND laras.reveal(s.body, s.id, 17::smallint) IS DISTINCT FROM CASE WHEN g.id IS NULL THEN 'isi ' || s.id END})), qr/^0$/m,
		"$what: what was destroyed is, all else opens");
	is(answers('SELECT count(*) - count(DISTINCT slot) FROM subject'), 0, "$what: no key was handed out twice");
	ok(wait_for(sub { $vault->mirrors_differ eq '' }), "$what: the mirrors are the same") or diag $vault->mirrors_differ;
}
diag join ', ', map { "$told{$_} times $_" } sort keys %told;
cmp_ok(answers('SELECT count(*) FROM gone'), '>', 10 * $rounds, 'keys were destroyed in it');
cmp_ok(answers('SELECT count(*) FROM subject WHERE id NOT IN (SELECT id FROM gone)'), '>', 10 * $rounds, 'and others kept');
$node->stop('fast');
done_testing;
