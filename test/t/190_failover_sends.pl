# A failover sends nothing twice. A synchronous standby knows of every message whose
# request may have begun, whatever synchronous_commit says: promoted, it finds it
# uncertain. An asynchronous one may lack the last commits: promoted, it parks what
# waited, says so in doctor() and to the owner, sends what is new, and the rest when
# somebody says that the server before did not.
#
# proves R087

use strict;
use warnings;

use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('first', faults => 1, init => { allows_streaming => 1 },
	settings => { autovacuum => 'off', synchronous_commit => 'off', wal_writer_delay => '10s' },
	sandbox => { delivered_after_ms => -1, enforce_limits => JSON::PP::false });
my ($primary, $sandbox) = ($stage->node, $stage->sandbox);
$stage->connect;
$stage->sql("SELECT laras.pause_workers('keeper')");
my $first = 628_123_482_000;
my @who = qw(sudah belum mati baru);
$stage->customer($first + $_ . q(), 'halo', wait => JSON::PP::false) for 0 .. $#who;
ok($stage->wait_bound('SELECT count(*) = ' . @who . ' FROM laras.conversation', 60), 'people write');
my %conversation = map { $who[$_] => $stage->bound("SELECT id FROM laras.conversation WHERE contact_id IN (SELECT contact_id FROM laras.contacts_by_phone('+" . ($first + $_) . "'))") } 0 .. $#who;
$sandbox->fault(action => 'refuse', code => 131056, times => 0, match => { route => 'messages', text => 'belum' });

$primary->backup('base');
my %standby = map { $_ => standby($_) } qw(near far);
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'near'\n");
$primary->reload;
ok(wait_for_sql($primary, "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'", 60), 'one standby is synchronous, the other is not');

# ---------------------------------------------- what the far one does not hear
$stage->sql("SELECT laras.pause_workers('courier')");
my %message = map { $_ => $stage->bound("SELECT laras.reply($conversation{$_}, '$_')") } qw(sudah belum);
$stage->sql('SELECT pg_switch_wal()');
$primary->wait_for_catchup($standby{far});
ok(wait_for_sql($primary, 'SELECT count(*) = 2 AND bool_and(behind = 0 AND slabs_behind = 0) FROM laras.keyring_standbys', 60), 'both have the rows and the keys');
$standby{far}->append_conf('postgresql.conf', "primary_conninfo = ''\n");
$standby{far}->reload;
ok(wait_for_sql($primary, "SELECT count(*) = 1 FROM pg_stat_replication", 60), 'the far one is cut off');
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message{sudah}", 30), 'one of two that waited is sent then');
ok($stage->wait_bound("SELECT attempts > 0 FROM laras.outbox WHERE message_id = $message{belum}", 30), 'the other is not taken');
$stage->sql("SELECT laras.pause_workers('courier')");
$stage->sql("UPDATE laras.outbox SET not_before = laras.now() + interval '1 hour' WHERE message_id = $message{belum}");
$message{mati} = $stage->bound("SELECT laras.reply($conversation{mati}, 'mati')");
put_fault($primary, 'courier_after_mark_commit:kill9');
$primary->reload;
my $log = -s $primary->logfile;
$primary->psql('postgres', "SELECT laras.resume_workers('courier')");
ok(wait_for(sub { return substr(slurp_file($primary->logfile), $log) =~ /terminated by signal 9/ }, 60), 'the courier dies with a third about to leave');
$primary->stop('immediate', fail_ok => 1);
$sandbox->control(DELETE => 'fault');

# ------------------------------------------------------- the far one takes over
my $far = $standby{far};
$far->promote;
ok(open_vault($far), 'the far one is promoted, and its vault opens');
$message{baru} = bound($far, "SELECT laras.reply($conversation{baru}, 'baru')");
ok(wait_for(sub { return bound($far, "SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message{baru}") eq 't' }, 60), 'what is new is sent');
is(bound($far, "SELECT string_agg(state || ' ' || reason, ', ') FROM laras.outbox WHERE message_id IN ($message{sudah}, $message{belum})"), 'parked promoted, parked promoted', 'what waited is parked');
is(bound($far, "SELECT count(*) FROM laras.send_troubles WHERE reason = 'promoted' AND words_en LIKE '%another server%' AND words_id <> ''"), 2, 'which the owner reads');
is($far->safe_psql('postgres', "SELECT state || ': ' || detail FROM laras.doctor() WHERE \"check\" = 'parked sends'"), 'warn: 2 messages waited at a restore or a promotion, and another server may have sent them', 'and doctor() says');
is($far->safe_psql('postgres', "SELECT state || ': ' || detail FROM laras.resume() WHERE \"check\" = 'sends'"), 'warn: 2 messages waited when these contents were taken over and are parked: resume(true) sends them, if no other server did', 'as resume() does');
like(slurp_file($far->logfile), qr/this server was promoted, and 2 messages that waited are parked/, 'and the log');
is(bound($far, "SELECT laras.cancel_message($message{sudah})"), 't', 'somebody knows that one was sent');
$far->safe_psql('postgres', 'SELECT count(*) FROM laras.resume(true)');
ok(wait_for(sub { return bound($far, "SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message{belum}") eq 't' }, 60), 'and that the other was not, which is sent');
is($far->safe_psql('postgres', "SELECT state FROM laras.doctor() WHERE \"check\" = 'parked sends'"), 'ok', 'nothing is parked any more');
is(bound($far, "SELECT count(*) FROM laras.verify_evidence()"), 0, 'the evidence verifies');
$far->restart;
ok(open_vault($far), 'after a restart');
is($far->safe_psql('postgres', "SELECT laras.drain('500 ms'); SELECT count(*) FROM laras.outbox WHERE reason = 'promoted'"), "t\n0", 'nothing is parked again');
$far->stop;

# ------------------------------------------------ the near one, which missed nothing
my $near = $standby{near};
$near->append_conf('postgresql.conf', "laras.send_after_promotion = on\n");
$near->reload;
$near->promote;
ok(open_vault($near), 'the near one is promoted');
$message{lagi} = bound($near, "SELECT laras.reply($conversation{baru}, 'lagi')");
ok(wait_for(sub { return bound($near, "SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message{lagi}") eq 't' }, 60), 'it sends too');
is(bound($near, "SELECT state FROM laras.outbox WHERE message_id = $message{belum}"), 'queued', 'told that it missed nothing, it parks nothing');
is(bound($near, "SELECT state || ' ' || reason FROM laras.outbox WHERE message_id = $message{mati}"), 'uncertain outcome_unknown', 'what was about to leave is uncertain');
is(bound($near, "SELECT state FROM laras.outbox WHERE message_id = $message{sudah}"), 'sent', 'and what was sent is known');
$near->stop;
my %taken;
$taken{ $_->{body}{text}{body} }++ for $sandbox->ledger(accepted => 'true', path => '/messages', limit => 1000);
is_deeply([ @taken{qw(sudah belum mati baru lagi)} ], [ 1, 1, undef, 1, 1 ], 'no server repeated what another sent');
$stage->stop;
done_testing();

# A standby with mirrors of its own, which it fills from the primary.
sub standby
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $ENV{LARAS_FAULT_TREE});
	$node->init_from_backup($primary, 'base', has_streaming => 1);
	my $outside = PostgreSQL::Test::Utils::tempdir();
	my %mirror = map { $_ => "$outside/keyring_$_" } qw(a b);
	mkdir $_, 0700 or die "$_: $!" for values %mirror;
	my $directories = join ', ', map { "$_=$mirror{$_}" } sort keys %mirror;
	my $source = Laras->conninfo($primary, user => 'laras_standby') =~ s/'/''/gr;
	$node->append_conf('postgresql.conf', "laras.keyring_directory = '$directories'\nlaras.keyring_source = '$source'\ncluster_name = '$name'\nlaras.fault = ''\n");
	$node->start;
	return $node;
}

sub open_vault { my ($node) = @_; return wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'", 60); }

sub bound
{
	my ($node, $query) = @_;
	return $node->safe_psql('postgres', "BEGIN; SELECT 'bound', laras.act_as($stage->{workspace}); $query; COMMIT") =~ s/^bound\|\d+\n?//r;
}
