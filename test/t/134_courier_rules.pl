# What the courier keeps to: requests go to hosts of the list alone and follow no
# redirect; what is not answered within laras.request_timeout is uncertain until
# a status tells; who opted out before hand-off gets nothing; statuses climb in
# whatever order they come, early ones wait for their message, and a mark that is
# not ours proves nothing.
#
# proves R082 R085 R086

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('rules', settings => { 'laras.request_timeout' => '2s' },
	sandbox => { sent_after_ms => 5, delivered_after_ms => 30, read_after_ms => 60 });
$stage->connect;
my $serial = 0;

# ------------------------------------------------------- no answer in time
{
	my $to = person();
	$stage->sandbox->fault(action => 'hang', delay_ms => 60000, statuses => 'never', match => { route => 'messages', to => $to->{phone} });
	my $id = say($to, 'tidak dijawab');
	ok(reaches($id, 'uncertain'), 'a request without an answer is uncertain after the limit');
	is(requests($to), 1, 'one request was made');
	is($stage->sql("SELECT attempts || ' ' || (SELECT outcome || ' ' || resolved_by FROM laras.send_attempt WHERE outbox_id = o.id) FROM laras.outbox o WHERE message_id = $id"),
		'1 uncertain timeout', 'its attempt says why');
	is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $id AND kind = 'uncertain'"), 1, 'and the owner is told');

	# taken, and told by a status long after the courier gave up waiting
	$to = person();
	$stage->sandbox->control(POST => 'settings', { sent_after_ms => 6000 });
	$stage->sandbox->fault(action => 'hang', delay_ms => 60000, match => { route => 'messages', to => $to->{phone} });
	$id = say($to, 'dijawab oleh status');
	ok(reaches($id, 'sent'), 'a later status settles it');
	is($stage->sql("SELECT attempts || ' ' || (SELECT outcome || ' ' || resolved_by FROM laras.send_attempt WHERE outbox_id = o.id) FROM laras.outbox o WHERE message_id = $id"),
		'1 sent status', 'by the status, after one attempt');
	is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE subject_id = $id AND action = 'message.uncertain'"), 1,
		'having been uncertain');
	is(requests($to), 1, 'without a second request');
	$stage->sandbox->control(POST => 'settings', { sent_after_ms => 5 });
}

# ---------------------------------------------------------------- opted out
{
	my $to = person();
	$stage->sql("SELECT laras.pause_workers('courier')");
	my $id = say($to, 'jangan ganggu');
	$stage->bound("UPDATE laras.contact SET opt_out_at = laras.now() WHERE id = (SELECT contact_id FROM laras.conversation WHERE id = $to->{conversation})");
	$stage->sql("SELECT laras.resume_workers('courier')");
	ok(reaches($id, 'cancelled'), 'who opted out after approval gets nothing');
	is($stage->sql("SELECT reason || ' ' || attempts FROM laras.outbox WHERE message_id = $id"), 'opted_out 0', 'without any attempt');
	is($stage->bound("SELECT status FROM laras.messages WHERE id = $id"), 'cancelled', 'the message says so');
	is($stage->bound("SELECT count(*) FROM laras.notices WHERE message_id = $id"), 1, 'and a notice');
	is(requests($to), 0, 'the provider never heard of it');
	my $then = time;
	wait_for(sub { return time > $then + 1 });    # a provider's times have whole seconds
	$stage->webhook($to->{phone}, 'tapi saya mau tanya');
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'tapi saya mau tanya'"), 'writing again after it');
	ok(reaches(say($to, 'silakan'), 'sent'), 'brings an answer');
}

# ------------------------------------------------------------ out of order
{
	my $to = person();
	$stage->sandbox->fault(action => 'none', statuses => 'reversed', match => { route => 'messages', to => $to->{phone} });
	my $id = say($to, 'terbalik');
	ok($stage->wait_bound("SELECT count(*) = 3 FROM laras.message_statuses WHERE message_id = $id"), 'read, delivered, sent: all are kept');
	is($stage->bound("SELECT status FROM laras.messages WHERE id = $id"), 'read', 'the message shows the highest');
	is($stage->bound("SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM laras.message_statuses WHERE message_id = $id"), 'delivered read sent', 'one of each');
	is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE subject_id = $id AND action = 'message.delivered'"), 1, 'each once in the evidence');
}

# ---------------------------------------------------------- a mark not ours
{
	my $to = person();
	my $counted = ignored();
	$stage->sandbox->fault(action => 'reset_after_body', callback_data => 'A' x 22, match => { route => 'messages', to => $to->{phone} });
	my $id = say($to, 'tanda palsu');
	ok(reaches($id, 'uncertain'), 'the answer is lost');
	ok(wait_for(sub { return ignored() >= $counted + 3 }), 'each status with a mark that is not ours is counted');
	is($stage->sql("SELECT state FROM laras.outbox WHERE message_id = $id"), 'uncertain', 'and proves nothing');
	is($stage->sql('SELECT count(*) > 0 FROM laras.unmatched_status'), 't', 'it waits for a message of that id');
	is($stage->bound('SELECT sum(unmatched) FROM laras.stat_courier'), $stage->sql('SELECT count(*) FROM laras.unmatched_status'), 'as stat_courier shows');
}

# ------------------------------------------- before its message has an id
{
	my $to = person();
	my $waiting = $stage->sql('SELECT count(*) FROM laras.unmatched_status');
	$stage->sandbox->fault(action => 'none', statuses => 'first', delay_ms => 1500, callback_data => undef,
		match => { route => 'messages', to => $to->{phone} });
	my $id = say($to, 'status dulu');

	# The courier does not look at the answer until the status has been read.
	ok(wait_for_sql($stage->node, "SELECT state <> 'queued' FROM laras.outbox WHERE message_id = $id"), 'a request is made');
	$stage->sql("SELECT laras.pause_workers('courier')");
	if ($stage->sql("SELECT state FROM laras.outbox WHERE message_id = $id") eq 'sending')
	{
		ok(wait_for_sql($stage->node, "SELECT count(*) > $waiting FROM laras.unmatched_status"), 'a status for an id that is not known yet waits');
	}
	$stage->sql("SELECT laras.resume_workers('courier')");
	ok(reaches($id, 'sent') || reaches($id, 'uncertain'), 'the answer comes after its status');
	ok($stage->wait_bound("SELECT count(*) = 3 FROM laras.message_statuses WHERE message_id = $id"), 'no status is lost');
	ok($stage->wait_bound("SELECT status = 'read' FROM laras.messages WHERE id = $id"), 'and the message shows them');
	is($stage->sql('SELECT count(*) FROM laras.unmatched_status'), $waiting, 'nothing of it waits any more');
}

# ------------------------------------------------------ what the view shows
is($stage->bound('SELECT queued + sending + parked FROM laras.stat_courier'), 0, 'nothing is left to the courier');
is($stage->bound('SELECT sent = (SELECT count(*) FROM laras.outbox WHERE state = $$sent$$) AND uncertain = 2 AND cancelled = 1 '
	  . 'AND oldest_age IS NULL AND last_sent_at IS NOT NULL FROM laras.stat_courier'), 't', 'stat_courier counts what became of the rest');
{
	$stage->sql("SELECT laras.pause_workers('courier')");
	my $id = say(person(), 'menunggu');
	is($stage->bound("SELECT queued = 1 AND oldest_age >= interval '0' FROM laras.stat_courier"), 't', 'and what waits');
	is($stage->sql('SELECT count(*) FROM laras.stat_courier'), 0, 'to nobody without a workspace');
	$stage->sql("SELECT laras.resume_workers('courier')");
	ok(reaches($id, 'sent'), 'until it is sent');
}

# ------------------------------------------------------------------- egress
{
	my $host = '127.0.0.1';
	is($stage->sql('SELECT string_agg(host, $$ $$ ORDER BY registered, host) FROM laras.provider_host'),
		".cdninstagram.com .fbcdn.net api.instagram.com api.telegram.org graph.facebook.com graph.instagram.com graph.threads.net lookaside.fbsbx.com $host", 'the hosts that may be spoken to');
	for my $url ('http://graph.facebook.com', 'ftp://graph.facebook.com', 'https://user@graph.facebook.com', 'file:///etc/passwd', 'graph.facebook.com')
	{
		my (undef, undef, $error) = $stage->node->psql('postgres',
			"SELECT laras.register_provider_app('{whatsapp}', '99', 'secret-of-99', 'verify-token-of-99', '{\"graph_url\": \"$url\"}')");
		like($error, qr/graph_url must be an https URL/, "an app with $url is not registered");
	}

	# A provider that answers with a redirect to the sandbox: nobody goes there.
	my $port = free_port();
	my $redirect = start_program('redirect', [ $^X, '-MIO::Socket::INET', '-e', <<'PERL', $port, $stage->sandbox->url ], port => $port);
		my ($port, $to) = @ARGV;
		my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) or die $!;
		while (my $peer = $listen->accept)
		{
			my $head = '';
			while ($head !~ /\r\n\r\n/) { sysread $peer, $head, 65536, length $head or last; }
			my ($path) = $head =~ m{^\S+ (\S+)} or next;
			print $peer "HTTP/1.1 307 Elsewhere\r\nLocation: $to$path\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
			close $peer;
		}
PERL
	my $to = person();
	my $before = $stage->sandbox->totals->{requests};
	options("'{graph_url}', '\"http://127.0.0.1:$port\"'");
	my $id = say($to, 'ikut ke mana');
	ok(reaches($id, 'uncertain'), 'an answer that leads elsewhere is no answer');
	is($stage->sql("SELECT http_status FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $id"), 307, 'it was a redirect');
	is($stage->sandbox->totals->{requests}, $before, 'which nobody followed');
	$redirect->stop;
	options("'{graph_url}', '\"" . $stage->sandbox->url . "\"'");

	# A host that does not stand on the list.
	$stage->sql('CREATE OR REPLACE VIEW laras.provider_host AS SELECT $$graph.facebook.com$$::text AS host, NULL::text AS app_id, false AS registered');
	$before = $stage->sandbox->totals->{requests};
	$id = say($to, 'tidak di daftar');
	ok($stage->wait_bound("SELECT count(*) > 0 FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $id AND a.outcome = 'not_sent'"),
		'a request to a host that is not on the list does not begin');
	is($stage->sandbox->totals->{requests}, $before, 'nobody is spoken to');
}
$stage->stop;
done_testing();

sub person
{
	my $phone = sprintf('62812346%05d', ++$serial);
	$stage->customer($phone, "halo $serial");
	$stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo $serial'") or die "no message\n";
	return { phone => $phone, conversation => $stage->bound("SELECT conversation_id FROM laras.messages WHERE body = 'halo $serial'") };
}

sub say
{
	my ($to, $text) = @_;
	return $stage->bound("SELECT laras.reply($to->{conversation}, '$text')");
}

sub reaches
{
	my ($message, $state) = @_;
	return wait_for_sql($stage->node, "SELECT state = '$state' FROM laras.outbox WHERE message_id = $message", 30);
}

# Requests that the sandbox got for this person.
sub requests
{
	my ($to) = @_;
	return scalar grep { $_->{path} =~ m{/messages$} } $stage->sandbox->ledger(method => 'POST', to => $to->{phone});
}

sub ignored
{
	return $stage->sql("SELECT coalesce(sum(count), 0) FROM laras.ignored_events WHERE reason = 'wrong_mark'");
}

sub options
{
	my ($change) = @_;
	return $stage->sql("UPDATE laras.provider_app SET options = jsonb_set(options, $change)");
}
