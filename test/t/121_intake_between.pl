# An event that commits while the intake worker's turn has begun, but has not
# yet said how far it will read, is applied like any other: what was
# acknowledged is never passed over.
#
# proves R047

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('between', faults => 1);
$stage->connect;
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.connections'), 'a shop is connected');

for my $round (1 .. 2)
{
	my ($first, $second) = map { "halo $round $_" } qw(satu dua);

	# The turn that the first message wakes stands still in its transaction.
	$stage->sql("SELECT laras.pause_workers('intake')");
	$stage->sql("ALTER SYSTEM SET laras.fault = 'intake_turn:sleep:1500'");
	$stage->sql('SELECT pg_reload_conf()');
	is($stage->webhook('6281260001111', $first)->{status}, 200, 'a webhook is acknowledged');
	$stage->sql("SELECT laras.resume_workers('intake')");
	ok(wait_for_sql($stage->node,
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'laras intake' AND state = 'active'"),
		'a turn of the intake worker is under way');
	is($stage->webhook('6281260002222', $second)->{status}, 200, 'and so is one that comes during it');
	$stage->sql('ALTER SYSTEM RESET laras.fault');
	$stage->sql('SELECT pg_reload_conf()');
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = '$_'"), "$_ is in the inbox")
	  for $first, $second;
}
$stage->stop;
done_testing();
