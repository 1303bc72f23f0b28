# kill -9 at every stop point of the courier: no message is lost, none comes
# twice, and each ends sent, refused or visibly uncertain.
#
# proves R087

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $rounds = long_run(1, 10);
my $stage = Stage->new('crash', faults => 1, crash => 1, sandbox => { sent_after_ms => 5, delivered_after_ms => 30, read_after_ms => -1 });
my $connection = $stage->connect;
my @points = qw(courier_after_claim courier_before_mark_commit courier_after_mark_commit courier_after_start
  courier_before_record courier_before_record_commit courier_after_record_commit);
my %asked;
my $serial = 0;

for my $round (1 .. $rounds)
{
	for my $point (@points)
	{
		my @conversation;
		for my $n (1 .. 3)
		{
			my $phone = sprintf '62812500%05d', ++$serial;
			$stage->customer($phone, "halo $serial");
			ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo $serial'"), "$point: a customer writes");
			push @conversation, [ $serial, $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'halo $serial'") ];
		}
		$stage->sql("SELECT laras.pause_workers('courier')");
		for my $c (@conversation)
		{
			my $text = "jawaban $c->[0]";
			$stage->bound("SELECT laras.reply($c->[1], '$text')");
			$asked{$text} = 1;
		}
		$stage->sql("ALTER SYSTEM SET laras.fault = '$point:kill9'");
		$stage->sql('SELECT pg_reload_conf()');
		my $log = -s $stage->node->logfile;
		$stage->node->psql('postgres', "SELECT laras.resume_workers('courier')");
		ok(wait_for(sub { return substr(slurp_file($stage->node->logfile), $log) =~ /terminated by signal 9/ }, 20), "$point: the courier is killed there");
		ok(wait_for(sub {
			my ($rc) = $stage->node->psql('postgres', "ALTER SYSTEM RESET laras.fault; SELECT pg_reload_conf()");
			return defined $rc && $rc == 0;
		}, 60), "$point: the server comes back");
		ok(wait_for_sql($stage->node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'", 60), "$point: the vault opens");
		$stage->sql('SELECT laras.resume_workers()');
	}
}
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.messages WHERE direction = 'out' AND status = 'queued'", 90), 'nothing waits any more')
  or diag $stage->sql('SELECT state, reason, attempts FROM laras.outbox') . "\n" . $stage->sql('SELECT worker, state, last_error FROM laras.worker_status');

# Statuses that met a server that was down come again, after growing pauses.
wait_for(sub {
	return $stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND status IN ('sent', 'delivered', 'read')")
	  == $stage->sandbox->totals->{messages}{distinct} }, 60);
my $totals = $stage->sandbox->totals;
is($totals->{messages}{repeated}, 0, 'no customer got anything twice');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out'"), scalar keys %asked, 'every reply that was accepted is there');
my $taken = $totals->{messages}{distinct};
my $sent = $stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND status IN ('sent', 'delivered', 'read')");
my $uncertain = $stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND status = 'uncertain'");
is($sent, $taken, 'what the provider took is known as sent')
  or diag $stage->sql('SELECT state, reason, attempts FROM laras.outbox') . "\n" . $stage->sql('SELECT * FROM laras.ignored_events')
  . "\n" . $stage->sql('SELECT status, received_at FROM laras.unmatched_status') . "\n" . $stage->sandbox->control(GET => 'status')->{webhooks}{retrying};
is($sent + $uncertain, scalar keys %asked, 'the rest is visibly uncertain');
note "$sent sent, $uncertain uncertain";
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();
