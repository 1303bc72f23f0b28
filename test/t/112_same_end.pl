# However access to an account ends, it ends alike, for each of the seven drivers:
# by its owner, by what the provider posts (deauthorize, data deletion, an event of
# the account), by a refusal that says it was withdrawn (met by a send, by the hourly
# question, by a renewal), and by a dead token that its owner has not renewed for thirty
# days. Each way has a workspace of its own with the same story, and what is left
# of both is compared row by row; Ends says what is left out, and why. Requests cut
# with no worker running and, but for the owner's, nobody signed in. Manual review
# is not in this test.
#
# proves R119 R120 R121 R125 R134 R140 R153

use strict;
use warnings;

use Channels;
use Ends;
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('same_end');
my (%end, @shops);
for my $channel (Channels->names)
{
	for my $way (Channels->ends($channel))
	{
		my $shop = Channels->open($stage, $channel);
		my ($status, $answer) = $shop->connect;
		is($status, 200, "$channel, $way: connected") or diag explain $answer;
		$shop->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($shop->{workspace}, 1, 'Kopi Gayo 250 gr', 95000, 12)");
		$shop->says(Budi => 'Halo kak, berapa harga kopi gayo?');
		push @shops, { shop => $shop, way => $way, name => "$channel, $way", id => $shop->connection };
	}
}

# Something of each kind: read and answered, drafted, waiting to be sent, waiting to be read.
ok(all_of('message', "direction = 'in'", 1, \@shops), 'all are heard');
$_->{shop}->reply(Budi => 'Halo Budi, sembilan puluh lima ribu') for talking(@shops);
ok(all_of('outbox', "state = 'sent'", 1, [ talking(@shops) ]), 'and answered');
ok(all_of('message', "status = 'delivered'", 1, [ grep { $_->{shop}->statuses } @shops ]), 'what tells of it is told');
$_->{shop}->says(Sari => 'Halo kak, berapa harga kopi gayo?') for @shops;
ok(all_of('message', "direction = 'in'", 2, \@shops), 'another writes');
drained();
$stage->sql("SELECT laras.pause_workers('courier'), laras.pause_workers('keeper')");
for my $one (talking(@shops))
{
	$one->{shop}->reply(Budi => 'Sebentar ya kak');
	# where something else finds it out, this one is for later
	$one->{shop}->bound("UPDATE laras.outbox SET not_before = laras.now() + '60 days' WHERE workspace_id = $one->{shop}{workspace} AND state = 'queued'") if $one->{way} =~ /^(?:event|poll|renewal)/;
}
for my $one (by(qw(event)))
{
	ok($one->{shop}->lose, "$one->{name}: an event says so");
	ok($one->{shop}->wait_bound("SELECT state = 'lost' FROM laras.connections"), "$one->{name}: which is read");
}
$stage->sql('SELECT laras.pause_workers()');
$_->{shop}->says(Tono => 'Masih ada?') for grep { !late($_) } @shops;

# ------------------------------------------------------- the request that cuts
$_->{cut} = ($_->{shop}->call(POST => "/app/settings/integrations/$_->{id}/disconnect", {}))[0] for by('owner');
$stage->sql('DELETE FROM laras.session');
for my $one (by(qw(deauthorize deletion)))
{
	my ($path, $form) = $one->{shop}->callback($one->{way});
	($one->{cut}, $one->{answer}) = $one->{shop}->call(POST => $path, $form, 'Content-Type' => 'application/x-www-form-urlencoded');
}
for my $one (by(qw(owner deauthorize deletion)))
{
	is($one->{cut}, 200, "$one->{name}: cut");
	is(left($one), 'destroyed disconnected 0 0 0 0 0 0', "$one->{name}: by that request alone");
}

# --------------------------------------------------- what finds it out by itself
$_->{shop}->fault(action => 'refuse', $_->{way} eq 'send' ? $_->{shop}->withdrawn : (code => { $_->{shop}->fault_codes }->{dead})) for by(qw(send forgotten));
$stage->sql("SELECT laras.resume_workers(w) FROM unnest('{vault,courier,keeper}'::text[]) AS u (w)");
ended(by(qw(owner deauthorize deletion event send)));
parked(by('forgotten'));
for my $one (by(qw(poll poll_forgotten)))
{
	$stage->sandbox->fault(match => $one->{shop}->polled, action => 'refuse', $one->{shop}->withdrawn);
}
later('61 minutes', 61 * 60);
ended(by('poll'));
parked(by('poll_forgotten'));
$stage->sql('SELECT laras.resume_workers()');
ok(wait_for_sql($stage->node, 'SELECT sum(c.events) = (SELECT count(*) FROM laras.webhook_event) FROM laras.event_cursor c'), 'all that had come was read')
  or diag $stage->sql('SELECT * FROM laras.event_cursor');
compared(grep { !late($_) } @shops);

# --------------------------------------------------- what nobody looked after
$stage->sandbox->fault(match => $_->{shop}->renewed, action => 'refuse', $_->{shop}->withdrawn) for by('renewal');
later('31 days', 31 * 86400);
ended(grep { late($_) } @shops);
compared(by('owner'), grep { late($_) } @shops);

for my $one (@shops)
{
	my $tells = $one->{shop}->tells;
	is($one->{shop}->bound("SELECT remote_revoke FROM laras.connections"), $one->{way} ne 'owner' ? 'skipped' : $tells ? 'done' : 'not_told', "$one->{name}: the provider is told where it does not know");
	is(scalar($one->{shop}->told), 1, "$one->{name}: once") if $tells && $one->{way} eq 'owner';
}
for my $one (by('deletion'))
{
	my ($page) = $one->{answer}{url} =~ m{(/data-deletion/status/\w+)$};
	my (undef, $answer) = $stage->call(GET => $page);
	is(ref $answer ? $answer->{state} : '', 'removed', "$one->{name}: the code says removed");
}
for my $one (by('owner'))
{
	my $shop = $one->{shop};
	$shop->sign_in;
	my ($status) = $shop->connect;
	is("$status " . $shop->tile->{state} . ' ' . scalar(@{ $shop->tile->{connections} }), '200 connected 2', "$one->{name}: it can be connected afresh");
}
for my $token (grep { defined } map { $_->{shop}{account}{token} } @shops)
{
	unlike($stage->seen, qr/\Q$token\E/, 'no token in any answer');
}
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();

# --------------------------------------------------------------------- helpers

sub by { my %way = map { $_ => 1 } @_; return grep { $way{ $_->{way} } } @shops; }
sub talking { return grep { $_->{shop}->talks } @_; }
sub late { return $_[0]{way} =~ /^(?:renewal|forgotten|poll_forgotten)$/; }

# Every workspace of the list has so many rows of a table.
sub all_of
{
	my ($table, $condition, $n, $list) = @_;
	my $ids = join ', ', map { $_->{shop}{workspace} } @$list;
	my $query = "SELECT count(*) = $n * " . @$list . " FROM laras.$table WHERE workspace_id IN ($ids) AND $condition";
	return 1 if wait_for_sql($stage->node, $query, 60);
	diag "still waiting for: $query";
	diag "$_->{name}: " . $stage->sql("SELECT count(*) FROM laras.$table WHERE workspace_id = $_->{shop}{workspace} AND $condition") for @$list;
	return 0;
}

sub drained { return is($stage->sql("SELECT laras.drain('60 s')"), 't', 'drained'); }

# What a cut leaves: the key's state, the connection's, how many of its columns name the account, and rows that do.
sub left
{
	my ($one) = @_;
	my $rows = join ", ", map { "(SELECT count(*) FROM laras.$_ WHERE workspace_id = $one->{shop}{workspace} AND connection_id = $one->{id})" } qw(channel_token route authorizer connection_attempt courier_task);
	return $stage->sql("SELECT concat_ws(' ', laras.key_state(slot), state, num_nonnulls(display_name, account_ids, profile, account_index, provider_app_id, token_expires_at), $rows) FROM laras.connection WHERE workspace_id = $one->{shop}{workspace} AND id = $one->{id}");
}

sub ended
{
	my (@list) = @_;
	my $ids = join ', ', map { $_->{id} } @list;
	ok(wait_for_sql($stage->node, 'SELECT count(*) = ' . @list . " FROM laras.connection WHERE id IN ($ids) AND state = 'disconnected' AND remote_revoke <> 'pending'", 60), 'ended: ' . join ' ', sort map { $_->{way} } @list);
	for my $one (@list)
	{
		is(left($one), 'destroyed disconnected 0 0 0 0 0 0', "$one->{name}: nothing of the account is left");
		next if $one->{way} =~ /^(?:owner|deauthorize|deletion)$/;
		is($one->{shop}->bound("SELECT (SELECT disconnect_trigger FROM laras.connections) || ' ' || (SELECT count(*) FROM laras.notices WHERE kind = 'access_lost') || ' ' || (SELECT count(*) FROM laras.evidence_log WHERE action = 'connection.lost' AND subject_id = $one->{id})"),
			'lost_access 1 1', "$one->{name}: the owner is told, with evidence");
	}
	return;
}

# Not ended yet: the owner may log in again.
sub parked
{
	my (@list) = @_;
	for my $one (@list)
	{
		ok($one->{shop}->wait_bound("SELECT state = 'needs_reauth' FROM laras.connections", 60), "$one->{name}: waits for its owner");
		is($stage->sql("SELECT string_agg(DISTINCT state, ' ') FROM laras.outbox WHERE workspace_id = $one->{shop}{workspace} AND state <> 'sent'"), 'parked', "$one->{name}: with what was to be sent");
	}
	return;
}

sub later
{
	my ($interval, $seconds) = @_;
	$stage->sql("SELECT laras.advance_clock('$interval')");
	$stage->sandbox->advance($seconds);
	# every duty looks at the new time; the paused intake keeps it from being done
	$stage->sql("SELECT laras.drain('200 ms')");
	return;
}

# What comes later is not heard; then all ways of a channel are compared with its owner's.
sub compared
{
	my (@list) = @_;
	for my $one (@list)
	{
		is($one->{shop}->late(Budi => 'masih di sana?'), 200, "$one->{name}: what comes later is acknowledged");
	}
	drained();
	for my $one (@list)
	{
		my $shop = $one->{shop};
		$one->{end} = Ends->of($stage, $shop->workspace, $one->{way} eq 'event' ? 1 : 0);
		is(scalar($shop->sends('Budi')), $shop->talks ? 1 : 0, "$one->{name}: nothing more was sent");
		is($shop->bound("SELECT count(*) FROM laras.messages WHERE direction = 'in'"), 2, "$one->{name}: nor heard");
		is($shop->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, "$one->{name}: the evidence verifies");
	}
	my %owner = map { $_->{shop}->channel => $_ } grep { $_->{way} eq 'owner' } @list;
	for my $one (@list)
	{
		my $owner = $owner{ $one->{shop}->channel };
		next if $one == $owner;
		is_same_end($owner->{end}, $one->{end}, "$one->{name}: ends as the owner's disconnect");
	}
	cmp_ok(Ends->size($_->{end}), '>', $_->{shop}->talks ? 15 : 8, "$_->{name}: the comparison saw rows of many tables") for values %owner;
	return;
}
