# A master key command that never ends, never stops printing, or leaves others
# behind: it is cut off, its processes with it, each case has its code with a
# hint, the server stops while it waits, and the log shows no key.
use strict;
use warnings;

use lib 'test/lib';
use Laras;
use LarasVault;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('vault', settings => { 'laras.keyring_slabs_ahead' => 16 });
my $vault = LarasVault->new($node);
my $key_file = Laras->master_key_file($node);
my ($hex) = slurp_file($key_file) =~ /([0-9a-f]{64})/;
my $subject = $vault->subject('halo');
my $gone = $vault->subject('pergi');
$vault->destroy($gone);

sub command
{
	my ($command) = @_;
	$node->append_conf('postgresql.conf', "laras.master_key_command = '$command'");
	return;
}

# Processes that carry this mark in their command line.
sub left_over
{
	my ($mark) = @_;
	my @left;
	for my $file (glob '/proc/[0-9]*/cmdline')
	{
		open my $fh, '<', $file or next;
		local $/ = undef;
		my $text = <$fh> // '';
		push @left, $text =~ tr/\0/ /r if index($text, $mark) >= 0 && $file !~ m{/$$/};
	}
	return join ' | ', @left;
}

sub refused
{
	my ($what, $expected, $seconds) = @_;
	my $err = '';
	ok( wait_for(
			sub {
				(undef, undef, $err) = $node->psql('postgres',
					$vault->bound("SELECT laras.reveal(body, id, 17::smallint) FROM subject WHERE id = $subject"),
					extra_params => [ '-v', 'VERBOSITY=verbose' ]);
				return $err =~ /ERROR:\s+$expected:/;
			},
			$seconds),
		"$what: $expected") or diag $err;
	like($err, qr/HINT:\s+\S/, "$what: with a hint");
	is($vault->state($gone), 'destroyed', "$what: what is destroyed is known");
	return;
}

command('yes');
$node->restart;
refused('a command that never stops printing', 'LRK14', 30);
# its number of seconds is the mark by which what is left of it is found
command("sleep 86423; cat $key_file");
$node->restart;
ok(wait_for(sub { left_over('sleep 86423') ne '' }), 'a command that never ends runs');
refused('a command that has not ended yet', 'LRK01', 10);
$node->stop('fast');
is(left_over('sleep 86423'), '', 'the server stops meanwhile, and nothing of it is left');
command("cat $key_file; sleep 86424 & sleep 86425");
$node->start;
refused('a command that prints the key and never ends', 'LRK14', 60);
# The next attempt may be under way; it goes with the command.
command("cat $key_file; exec sleep 0");
$node->reload;
ok($vault->wait_open(60), 'one that ends opens the vault, without a restart');
is($vault->reveal($subject), 'halo', 'values open');
ok(wait_for(sub { left_over('sleep 86424') . left_over('sleep 86425') eq '' }, 40), 'nothing is left of those that did not') or diag left_over('sleep 8642');

# --- doctor() asks it too, and not each time

my $asked = $node->basedir . '/asked';
my $doctor = q{SELECT state || ' ' || coalesce(detail, '') FROM laras.doctor() WHERE "check" = 'master key source'};
command("echo %p >> $asked; cat $key_file");
$node->restart;
ok($vault->wait_open, 'a command that writes down when it is asked');
my $opening = () = slurp_file($asked) =~ /^content$/mg;
like($node->safe_psql('postgres', $doctor), qr/^ok/, 'doctor() asks what a restart would');
is(() = slurp_file($asked) =~ /^content$/mg, $opening + 1, 'once');
command("echo %p >> $asked; exit 3");
$node->reload;
like($node->safe_psql('postgres', $doctor), qr/^ok/, 'who looks often');
is(() = slurp_file($asked) =~ /^content$/mg, $opening + 1, 'does not ask often');
$node->restart;
command("cat $key_file");
$node->reload;
ok($vault->wait_open, 'a good command again');
command("echo %p >> $asked; exit 3");
$node->reload;
ok( wait_for_sql($node, "SELECT setting LIKE '%exit 3' FROM pg_settings WHERE name = 'laras.master_key_command'"), 'and then one that fails');
like($node->safe_psql('postgres', $doctor), qr/^fail the vault would not open again: the command ended with a failure/, 'is found out before a restart needs it');
command("exec cat $key_file");
$node->reload;

unlike(slurp_file($node->logfile), qr/$hex/i, 'the log does not show the key');
is($node->safe_psql('postgres', 'SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
done_testing;
