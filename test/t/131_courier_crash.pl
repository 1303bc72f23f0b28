# kill -9 at every stop point of the courier, and of the whole server, toward a
# provider without idempotency keys that lies: answers that are lost, late, broken,
# without an id, with another message's id, an error for what was taken, a status
# before the answer, twice, in the wrong order or never. No message that was
# accepted is lost, none that is held comes twice, one that is to be resent comes a
# second time at most and only where it was uncertain, and each ends sent, refused or
# visibly uncertain; uncertain stays only what the provider never reported on. The
# sandbox's ledger is the truth. The long form is goals S1, S2 and the second half
# of S4; its figures stand in docs/reference/sends.md.
#
# proves R087

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;
use Time::HiRes qw(sleep time);

# What a kill leaves in the kernel's hands is not lost, so nothing need be synced, and a restart takes less.
my $stage = Stage->new('crash', faults => 1, crash => 1,
	settings => { fsync => 'off', 'laras.request_timeout' => '2s', 'laras.uncertain_wait' => '3s', log_statement => 'none' },
	sandbox => { sent_after_ms => 5, delivered_after_ms => 30, read_after_ms => -1, enforce_limits => JSON::PP::false,
		ledger_entries => 1_000_000, ledger_bytes => 1 << 30 });
my $node = $stage->node;
my $sandbox = $stage->sandbox;
my $connection = $stage->connect;

my $seed = $ENV{LARAS_SEED} // int(rand 1_000_000);
my $crashes = $ENV{LARAS_CRASHES} // long_run(1, 20);    # at each point
srand $seed;
note "seed $seed";

# Where the courier is killed; of what happens with every request, at one of the first.
my @points = (
	(map { [ $_, 1 ] } qw(courier_after_claim courier_before_mark_commit courier_after_mark_commit courier_resolving)),
	(map { [ $_, 3 ] } qw(courier_after_start courier_connecting courier_go courier_body courier_asked courier_head courier_answer courier_answered)),
	(map { [ $_, 1 ] } qw(courier_before_record courier_before_record_commit courier_after_record_commit courier_sweep courier_swept courier_stop server)));
cmp_ok(scalar @points, '>=', 12, scalar @points . ' stop points');
my $lives = @points * $crashes;
my $messages = $ENV{LARAS_MESSAGES} // long_run(16 * $lives, 100_000);
my $each = int($messages / $lives) + 1;    # a life's
# enough of them that nobody's pace is exceeded: 45 messages, then one each six seconds
my $people = $messages < 900 ? 60 : int($messages / 15);

# How the provider lies about a message, by a word in its text; hits: how often of a hundred.
my %lie = (
	unanswered => { hits => 2, action => 'close_unanswered' },
	reset => { hits => 2, action => 'reset_after_body' },
	half => { hits => 2, action => 'reset_mid_answer' },
	broken => { hits => 1, action => 'malformed' },
	no_id => { hits => 1, action => 'no_id' },
	same_id => { hits => 1, action => 'same_id' },
	late => { hits => 1, action => 'hang', delay_ms => 3000 },
	error_taken => { hits => 1, action => 'http_error', accept => JSON::PP::true },
	error => { hits => 1, action => 'http_error' },
	refused => { hits => 1, action => 'refuse', code => 131047 },
	first => { hits => 2, action => 'none', statuses => 'first' },
	twice => { hits => 2, action => 'none', statuses => 'twice' },
	reversed => { hits => 2, action => 'none', statuses => 'reversed' },
	silent => { hits => 1, action => 'close_unanswered', statuses => 'never' },
	foreign => { hits => 1, action => 'close_unanswered', callback_data => 'AAAAAAAAAAAAAAAAAAAAAA' });
my @lies;
for my $name (sort keys %lie)
{
	my %spec = %{ $lie{$name} };
	push @lies, ($name) x delete $spec{hits};
	$sandbox->fault(%spec, times => 0, match => { route => 'messages', text => "lie:$name." });
}
my $words = join ',', map { "'$_'" } @lies, ('none') x (100 - @lies);

$stage->sql("SELECT laras.pause_workers('keeper')");
my $first = 628_125_000_000;
$stage->customer($first + $_ . q(), 'halo', wait => JSON::PP::false) for 1 .. $people;
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.conversation", 120), "$people people write");
# few enough at once that a life leaves something to the next
$stage->bound("SELECT laras.set_send_rate($connection, " . 8 * $each . ')');

# ------------------------------------------------------------- one life after another
my ($asked, $killed, $serial) = (0, 0, 0);
my %missed;
my $began = time;
for my $round (1 .. $crashes)
{
	for my $point (sort { $a->[2] <=> $b->[2] } map { [ @$_, rand ] } @points)
	{
		my ($name, $hits) = @$point;
		my $log = -s $node->logfile;
		my $fault = "$name:kill9:" . (1 + int rand $hits);
		# rows that are found in the sweep must have been left by a life before
		$fault = "courier_after_mark_commit:kill9,$name:kill9" if $name =~ /swe/;
		reload($name eq 'server' ? '' : $fault);
		ask() or $missed{"$name: asked"}++;
		begin();
		if ($name eq 'server')
		{
			$round % 2 ? $node->stop('immediate') : kill_server();
			$node->start;
			$killed++;
			next;
		}
		stop_courier() if $name eq 'courier_stop';
		my $deaths = $name =~ /swe/ ? 2 : 1;
		my $die = sub { return deaths($log) >= $deaths };
		my $died = wait_for($die, 20);
		if (!$died)
		{
			# a process that is only starting does not hear of new settings
			reload($fault);
			$died = ask();
			stop_courier() if $name eq 'courier_stop';
			$died &&= wait_for($die, 30);
		}
		$died ? $killed++ : $missed{$name}++;
		# gone before the next life begins
		reload('');
	}
}
is_deeply(\%missed, {}, "the courier was killed $killed times, at every point") or diag join "\n", (split /\n/, slurp_file($node->logfile))[ -40 .. -1 ];

# ---------------------------------------------- how soon a successor sends (goal S4)
my @resumed;
for my $turn (1 .. ($crashes > 1 ? 3 : 1))
{
	wait_for_sql($node, 'SELECT true', 60) or last;
	begin();
	# who crashed often is held back; what is measured is one that was well
	wait_for_sql($node, "SELECT crashes = 0 FROM laras.list_workers() WHERE worker = 'courier'", 120) if $crashes > 1;
	my $pid;
	wait_for(sub { return $pid = worker_pid($node, 'courier') }, 30) or last;
	# a pause ends with the memory it is kept in
	$stage->sql("SELECT laras.pause_workers('courier')");
	ask();
	my $log = -s $node->logfile;
	my $at = time;
	kill 'KILL', $pid;
	wait_for(sub { return deaths($log) }, 30) or last;
	# what was on its way has arrived by now
	sleep 0.1;
	my $taken = $sandbox->totals->{accepted};
	wait_for(sub { return $sandbox->totals->{accepted} > $taken }, 60) or last;
	push @resumed, time - $at;
}
ok(@resumed, 'a successor goes on sending');
@resumed = sort { $a <=> $b } @resumed;

begin();

# ------------------------------------------------------------------- all has ended
# The provider comes to its senses once only those wait that it had lied about: each of hundreds that always fail would take a probe of the breaker.
wait_for_sql($node, "SELECT count(*) = 0 FROM laras.outbox WHERE state IN ('queued', 'sending') AND NOT resent", long_run(120, 900));
$sandbox->control(DELETE => 'fault');
ok(wait_for_sql($node, "SELECT count(*) = 0 FROM laras.outbox WHERE state IN ('queued', 'sending') OR state = 'uncertain' AND uncertain_policy = 'resend_once' AND NOT resent", long_run(150, 900)), 'nothing waits any more')
  or diag $stage->sql('SELECT state, reason, count(*) FROM laras.outbox GROUP BY 1, 2') . "\n" . $stage->sql('SELECT worker, state, last_error FROM laras.worker_status');
my $took = time - $began;

# What the provider took, by its own ledger: text to how often.
my (%taken, $after);
while (my @page = $sandbox->ledger(accepted => 'true', path => '/messages', limit => 5000, after => $after // 0))
{
	$taken{ ($_->{body}{text} // {})->{body} // $_->{body}{image}{caption} }++ for @page;
	$after = $page[-1]{seq};
}
my @twice = grep { $taken{$_} > 1 && /^pesan/ } sort keys %taken;
is("@twice", '', 'what is held no customer got twice');
my @again = grep { $taken{$_} > 1 && /^ulang/ } sort keys %taken;
is(join(' ', grep { $taken{$_} > 2 } @again), '', 'and nobody anything three times');

# Statuses that met a server that was down come again after pauses that double, after so many crashes to more than minutes: the provider's time moves on to them.
ok(wait_for(sub {
	my $webhooks = $sandbox->status->{webhooks};
	return 1 if $webhooks->{retrying} + $webhooks->{in_flight} == 0;
	$sandbox->advance(600) if $webhooks->{in_flight} == 0;
	return 0;
}, long_run(60, 300)), 'the provider has told all that it had to tell');
my %reported = map { $_ => 1 } grep { !/lie:(silent|foreign)\./ } keys %taken;
my (%state, %by, %resent, %told);
wait_for(sub {
	%state = ();
	for my $line (split /\n/, $stage->bound("SELECT m.body || '|' || o.state || '|' || coalesce(a.resolved_by, '') || '|' || o.resent || '|' || (o.reason IS NOT DISTINCT FROM 'sent_twice') FROM laras.outbox o JOIN laras.messages m ON m.id = o.message_id LEFT JOIN laras.send_attempt a ON a.workspace_id = o.workspace_id AND a.id = o.attempt_id"))
	{
		my ($text, @is) = split /\|/, $line;
		($state{$text}, $by{$text}, $resent{$text}, $told{$text}) = @is;
	}
	return !grep { ($state{$_} // '') ne 'sent' || ($taken{$_} > 1) != ($told{$_} eq 'true') } keys %reported;
}, long_run(60, 300));
is($stage->sql('SELECT count(*) FROM laras.outbox'), scalar keys %state, 'every row has its message');
cmp_ok(scalar keys %state, '>=', $asked, 'every reply that was accepted is there') or diag "$asked were";
my %wrong;
for my $text (sort keys %state)
{
	my ($state, $lie) = ($state{$text}, $text =~ /lie:(\w+)\./);
	$wrong{"$lie: $state, and the provider knows nothing of it"}++ if $state eq 'sent' && !$taken{$text};
	$wrong{"$lie: $state, and was taken"}++ if $state eq 'refused' && $taken{$text};
	$wrong{"$lie: $state, and was reported"}++ if $state ne 'sent' && $reported{$text};
	$wrong{"$lie: taken twice, and was never uncertain"}++ if ($taken{$text} // 0) > 1 && $resent{$text} ne 'true';
	$wrong{"$lie: taken twice and reported, and nobody was told"}++ if $reported{$text} && $taken{$text} > 1 && $told{$text} ne 'true';
	$wrong{"$lie: taken once, and told twice"}++ if ($taken{$text} // 0) < 2 && $told{$text} eq 'true';
	$wrong{"$lie: $state"}++ if $state !~ /^(sent|refused|uncertain)$/;
}
is_deeply(\%wrong, {}, 'each ended as the provider knows it: sent, refused or uncertain')
  or diag join "\n", $stage->sql('SELECT * FROM laras.ignored_events'), $stage->sql('SELECT count(*) FROM laras.unmatched_status'),
  JSON::PP::encode_json($sandbox->control(GET => 'status')->{webhooks}), $stage->sql('SELECT outcome, resolved_by, count(*) FROM laras.send_attempt GROUP BY 1, 2'),
  $stage->sql('SELECT worker, state, last_error FROM laras.worker_status');
my %count;
$count{$_}++ for values %state;
my $settled = grep { $by{$_} eq 'status' } keys %state;
is($stage->sql("SELECT count(*) FROM laras.messages m JOIN laras.outbox o ON o.message_id = m.id WHERE (o.state = 'uncertain') <> (m.status = 'uncertain')"), 0, 'which the inbox shows');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
my $lag = $stage->sql("SELECT round(1000 * coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM o.finished_at - s.received_at)), 0)) FROM laras.send_attempt a
	JOIN laras.outbox o ON o.id = a.outbox_id JOIN LATERAL (SELECT min(received_at) AS received_at FROM laras.message_status WHERE message_id = o.message_id) s ON true WHERE a.resolved_by = 'status'");

# The line that docs/reference/sends.md is written from.
my $many = keys %state;
diag sprintf "%d messages, %d kills at %d points, seed %d, %.0f s: sent %d, refused %d, uncertain %d; of what is held taken twice %d; resent %d, of these taken twice %d, told so %d; lost 0; settled by a status %d, reported and not settled %d, median %s ms after it came; first send after a kill %.1f s (median), %.1f s (longest) of %d",
  $many, $killed + @resumed, scalar @points, $seed, $took, $count{sent} // 0, $count{refused} // 0, $count{uncertain} // 0, scalar @twice,
  scalar(grep { $_ eq 'true' } values %resent), scalar @again, scalar(grep { $_ eq 'true' } values %told), $settled, scalar(grep { $state{$_} ne 'sent' } keys %reported), $lag, $resumed[ $#resumed / 2 ], $resumed[-1], scalar @resumed
  if @resumed && $crashes > 1;
$stage->stop;
done_testing();

# As many replies as a life is to have, each with a text of its own. False where the server went away meanwhile.
sub ask
{
	return wait_for(sub {
		my $from = ++$serial * 100_000;
		my ($rc, $out) = $node->psql('postgres', "BEGIN; SELECT laras.act_as($stage->{workspace}); SELECT 'asked ' || count(laras.reply(c.id, (ARRAY['pesan ', 'pesan ', 'ulang '])[1 + c.r % 3] || $from + c.r || ' lie:' || (ARRAY[$words])[1 + (($serial * $each + c.r) * 7919 + $seed) % 100] || '.',
				CASE c.r % 3 WHEN 2 THEN '{\"uncertain_policy\": \"resend_once\"}' ELSE '{}' END::jsonb
				|| CASE c.r % 7 WHEN 3 THEN jsonb_build_object('media_id', laras.upload_media(c.id, '\\x89504e470d0a1a0a'::bytea || convert_to('gambar ' || c.r, 'UTF8'), 'image/png')) ELSE '{}' END))
			FROM (SELECT id, row_number() OVER (ORDER BY (id % 1009 * 31 + $from) % 1009, id) AS r FROM laras.conversation) c WHERE c.r <= $each; COMMIT");
		return 0 unless defined $rc && $rc == 0 && $out =~ /asked (\d+)/;
		$asked += $1;
		return 1;
	}, 60);
}

# Who crashes often in a row is held back; here that is no fault of its own. The server may be in recovery from one.
sub begin { return wait_for(sub { return $node->psql('postgres', 'SELECT laras.resume_workers()') == 0 }, 60); }

# The stop points of the processes that begin or look from now on; the postmaster is told without a connection.
sub reload
{
	my ($fault) = @_;
	put_fault($node, $fault);
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	kill 'HUP', $pid;
	return;
}

sub stop_courier { return wait_for_sql($node, "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE backend_type = 'laras courier'", 30); }

# kill -9 of the postmaster, whose orphans end by themselves. Nobody may have buried them yet.
sub kill_server
{
	my $lock = $node->data_dir . '/postmaster.pid';
	my ($pid) = slurp_file($lock) =~ /^(\d+)/;
	kill 'STOP', $pid;    # or it has one more child than are seen
	my @processes = ($pid, split ' ', slurp_file("/proc/$pid/task/$pid/children"));
	$node->kill9;
	wait_for(sub { return !grep { lives($_) } @processes }, 60) or BAIL_OUT('the orphans do not end');
	unlink $lock, $node->host . "/.s.PGSQL." . $node->port . ".lock";
	return;
}

sub lives
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or return 0;
	return (<$fh> // '') =~ /\) [^ZX]/;
}

sub deaths
{
	my ($from) = @_;
	return scalar(() = substr(slurp_file($node->logfile), $from) =~ /terminated by signal 9/g);
}
