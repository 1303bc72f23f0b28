# The relay and its database: 200 only after the commit, whatever kills what in
# between; many webhooks in one commit; a failing call is halved until the
# culprit stands alone; 503 with Retry-After while the database is away, slow or
# overrun, and service again when it is back, without a restart.
# proves R235
use strict;
use warnings;
use lib 'test/relay';
use IO::Select;
use Laras;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = relay_cluster('main');
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub hook { return request('POST', '/api/webhooks/wa', @_); }

# Sends all at once; the statuses in order.
sub hooks
{
	my ($port, @body) = @_;
	my @jobs = map { { pieces => [ hook($_) ] } } @body;
	exchange_all($port, \@jobs, width => 1000, quiet => 0.05, seconds => 20);
	return map { (read_answers($_->{stream}))[0][0] // 'none' } @jobs;
}

# ---- the commit decides ----
my $relay = start_relay($node);
my $socket = connect_to($relay->{port});
is((answer_of($socket, request('GET', '/setting/synchronous_commit')))[1] =~ s/.*\r\n//sr, 'on', 'commits are durable');
is((answer_of($socket, hook('late one')))[0], 503, 'a commit that fails after the rows came is no 200');
is(sql('SELECT count(*) FROM laras.stub_event'), 0, 'and leaves nothing');

my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK laras.stub_event IN SHARE MODE;');
syswrite $socket, hook('waits for the lock');
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}), 'the statement waits');
ok(!IO::Select->new($socket)->can_read(0.2), 'no answer before the commit');
$locker->query_safe('COMMIT');
is((answer_of($socket, ''))[0], 200, 'then 200');
$locker->quit;
is((answer_of($socket, hook('missing')))[0], 503, 'an item without a row in the result is 503');
is($relay->stop, 0, 'it ends well');

# ---- many in one commit, one that spoils it ----
$relay = start_relay($node, ['--connections=1']);
my $port = $relay->{port};
sql('TRUNCATE laras.stub_event');
my $first = connect_to($port);
syswrite $first, hook('sleep 0.7');
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'the connection is busy');
is(join(' ', hooks($port, map { "item $_" } 1 .. 300)), join(' ', (200) x 300), '300 that gathered meanwhile are answered');
is(sql(q{SELECT count(*) || ' in ' || count(DISTINCT call) FROM laras.stub_event WHERE body LIKE 'item %'}), '300 in 1', 'in one call');
is((answer_of($first, ''))[0], 200, 'the first one too');

syswrite $first, hook('sleep 0.7');
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'the connection is busy');
my @status = hooks($port, map { $_ == 13 || $_ == 77 ? "poison $_" : "sound $_" } 1 .. 100);
is(join(' ', @status), join(' ', map { $_ == 13 || $_ == 77 ? 503 : 200 } 1 .. 100), 'two that raise are 503, the other 98 are 200');
is(sql(q{SELECT count(*) || ' ' || count(DISTINCT body) FROM laras.stub_event WHERE body LIKE 'sound %'}), '98 98', 'and stored once');
is((answer_of($first, ''))[0], 200, 'the first one too');
is($relay->stop, 0, 'it ends well');
is(counter($relay, 'failed'), 2, 'the two are counted');
cmp_ok(counter($relay, 'halved'), '<=', 14, 'found in at most seven steps each');
like($relay->output, qr/a single item failed \(SQLSTATE 22023\)/, 'and reported, without their content');
unlike($relay->output, qr/poison/, 'nothing of which is in the log');

# ---- away and back ----
$relay = start_relay($node);
$port = $relay->{port};
$node->stop('fast');
ok(wait_for(sub { $relay->output =~ /not connected/ }), 'the relay sees that the database is gone');
$socket = connect_to($port);
my ($status, $answer) = answer_of($socket, "POST /api/webhooks/wa HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
is($status, 503, 'without a database: 503 before the body');
like($answer, qr/\r\nRetry-After: 2\r\n/, 'with Retry-After');
is((answer_of(connect_to($port), request('GET', '/status/200')))[0], 503, 'pages too');
$node->start;
ok(wait_for(sub { (answer_of(connect_to($port), hook('back')))[0] eq '200' }, 20), 'served again when it is back');
is(scalar(() = $relay->output =~ /not connected/g), 1, 'said once, however often it was tried');

# ---- started before what it calls exists ----
sql('ALTER FUNCTION laras.http_continue RENAME TO not_yet');
my $early = start_relay($node, [], connected => 0);
ok(wait_for(sub { $early->output =~ /not connected \(SQLSTATE 42883\)/ }), 'a relay that is there before the extension says so');
sql('ALTER FUNCTION laras.not_yet RENAME TO http_continue');
ok(wait_for(sub { (answer_of(connect_to($early->{port}), hook('early')))[0] eq '200' }, 20), 'and serves once it is');
is($early->stop, 0, 'it ends well');

# ---- a connection lost in the middle ----
$socket = connect_to($port);
syswrite $socket, hook('sleep 20');
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'a statement runs');
ok(wait_for_sql($node, q{SELECT count(*) > 1 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state = 'idle'}),
	'and other connections are back');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
is((answer_of($socket, ''))[0], 503, 'its connection killed: 503');
is((answer_of(connect_to($port), hook('goes on')))[0], 200, 'the others serve on');
is($relay->stop, 0, 'it ends well');
is(counter($relay, 'database_losses'), 1, 'one loss is counted');

# ---- slow, and overrun ----
$relay = start_relay($node, [ '--connections=1', '--max-queue=5', '--max-wait=3000', '--statement-timeout=6000' ]);
$port = $relay->{port};
my @busy = map { connect_to($port) } 1 .. 7;
syswrite $busy[0], hook('sleep 5');
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'the only connection is busy');
syswrite $_, hook('queued') for @busy[ 1 .. 5 ];
sleep 0.1;
is((answer_of($busy[6], request('POST', '/api/webhooks/wa', undef, 'Content-Length: 9')))[0], 503, 'the queue is full: 503 before the body');
is(scalar(my @said = IO::Select->new(@busy[ 1 .. 5 ])->can_read(0)), 0, 'while those in the queue still wait');
is((answer_of($_, ''))[0], 503, 'what waits too long is 503') for @busy[ 1 .. 5 ];
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 1, 'when its time is up, not when the connection is free');
is((answer_of($busy[0], ''))[0], 200, 'what was under way is finished');
is((answer_of(connect_to($port), hook('sleep 30')))[0], 503, 'a silent database: given up');
ok(wait_for(sub { (answer_of(connect_to($port), hook('again')))[0] eq '200' }, 20), 'and reached anew');
is($relay->stop, 0, 'it ends well');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});

# ---- pages do not stop webhooks, nor webhooks pages ----
$relay = start_relay($node, ['--connections=2']);
$port = $relay->{port};
my @page = map { connect_to($port) } 1 .. 4;
syswrite $_, request('GET', '/sleep/3') for @page;
sleep 0.1;
is((answer_of(connect_to($port), hook('between pages')))[0], 200, 'a webhook goes beside slow pages');
is(scalar(my @early = IO::Select->new(@page)->can_read(0)), 0, 'without waiting for them');
is((answer_of($_, ''))[0], 200, 'the pages come') for @page;

# ---- ending ----
syswrite $page[0], request('GET', '/sleep/0.5');
syswrite $page[1], hook('sleep 0.5');
sleep 0.1;
$relay->signal('TERM');
is((answer_of($page[0], ''))[0], 200, 'a request under way is answered at the end');
is((answer_of($page[1], ''))[0], 200, 'a webhook too');
is($relay->stop, 0, 'and the relay ends well');
$relay = start_relay($node, ['--drain-timeout=200']);
$socket = connect_to($relay->{port});
syswrite $socket, request('GET', '/sleep/3');
ok(wait_for_sql($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'a long request runs');
is($relay->stop >> 8, 1, 'past its time the relay ends all the same, with status 1');

# ---- every 200 is a row, whoever dies ----
$relay = start_relay($node);
$port = $relay->{port};
my %acknowledged;
my $refused = 0;
for my $round (1 .. long_run(4, 100))
{
	my @jobs = map { { pieces => [ hook("round $round item $_") ] } } 1 .. 400;
	my $killer = fork // die "fork: $!";
	if ($killer == 0)
	{
		# the postmaster and all its children, without a word
		sleep 0.02 + 0.02 * ($round % 4);
		kill 'QUIT', $node->{_pid};
		POSIX::_exit(0);
	}
	exchange_all($port, \@jobs, width => 50, quiet => 0.02, seconds => 20);
	waitpid $killer, 0;
	for my $n (0 .. $#jobs)
	{
		my ($got) = @{ (read_answers($jobs[$n]{stream}))[0] };
		if (($got // '') eq '200') { $acknowledged{"round $round item " . ($n + 1)} = 1; }
		else { $refused++; }
	}
	ok(wait_for(sub { !-e $node->data_dir . '/postmaster.pid' }, 20), "round $round: the server died");
	$node->{_pid} = undef;
	$node->start;
	ok(wait_for(sub { (answer_of(connect_to($port), request('GET', '/status/200')))[0] eq '200' }, 20), 'and is reached again');
}
my %stored = map { $_ => 1 } split /\n/, sql(q{SELECT convert_from(body, 'UTF8') FROM laras.stub_event WHERE body LIKE 'round %'});
my @lost = grep { !$stored{$_} } sort keys %acknowledged;
is_deeply(\@lost, [], scalar(keys %acknowledged) . " were answered 200, and every one is stored; $refused were not");
cmp_ok(scalar(keys %acknowledged), '>', 50, 'some were');
cmp_ok($refused, '>', 50, 'and some were not');
is($relay->stop, 0, 'the relay lived through it');
done_testing();
