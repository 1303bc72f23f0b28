# What is wrong with one message hurts that one alone: a message that cannot be
# judged stands back while the others leave; an answer that cannot be written
# down (the id of another message) ends uncertain and keeps no other from being
# known; where there is no memory for a request its message stays in the queue; what
# is put off leaves when it is due, and not when somebody asks the next time; and a
# queue of thousands to one person keeps nobody waiting.
#
# proves R087

use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('trouble', faults => 1, sandbox => { sent_after_ms => -1, delivered_after_ms => -1, read_after_ms => -1, enforce_limits => JSON::PP::false() });
$stage->connect;
my $serial = 0;

# ----------------------------------------------------------- cannot be judged
{
	my ($bad, @good) = map { person() } 1 .. 4;
	pause();
	my $id = say($bad, 'rusak');
	my @id = map { say($_, 'utuh') } @good;
	my $slot = $stage->sql("SELECT slot FROM laras.message WHERE id = $id");
	$stage->sql("UPDATE laras.message SET slot = 4000000000 WHERE id = $id");    # a key that the keyring does not have
	resume();
	ok(reaches($_, 'sent'), 'a message beside one that cannot be judged is sent') for @id;
	ok($stage->wait_bound("SELECT state = 'queued' AND reason = 'error' AND attempts = 0 AND not_before > laras.now() FROM laras.outbox WHERE message_id = $id"),
		'which stands back');
	is(requests($bad), 0, 'unsent');
	$stage->sql("UPDATE laras.message SET slot = $slot WHERE id = $id");
	$stage->sql("SELECT laras.advance_clock(interval '6 minutes')");
	ok(reaches($id, 'sent'), 'and leaves once it can be judged');
}

# ----------------------------------------------------- cannot be written down
{
	my @to = map { person() } 1 .. 5;
	ok(reaches(say($to[0], 'yang pertama'), 'sent'), 'a message is sent');
	pause();
	$stage->sandbox->fault(action => 'same_id', match => { route => 'messages', to => $to[1]{phone} });
	my $ids = join ', ', map { say($_, 'yang lain') } @to[1 .. 4];
	resume();
	ok(wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.outbox WHERE message_id IN ($ids) AND state IN ('queued', 'sending')", 60),
		'of four messages of which one gets the id of another, each ends');
	is($stage->sql("SELECT string_agg(state, ' ' ORDER BY state) FROM laras.outbox WHERE message_id IN ($ids)"), 'sent sent sent uncertain',
		'three are known to be sent, one is uncertain');
	is($stage->sandbox->totals->{messages}{repeated}, 0, 'nobody got anything twice');
}

{
	my @to = map { person() } 1 .. 9;
	pause();
	my @id = map { say($_, 'ditulis') } @to;
	my $ids = join ', ', @id;
	$stage->sql("CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE 'not this one'; END \$\$");
	$stage->sql('CREATE TRIGGER refuse BEFORE UPDATE ON laras.send_attempt FOR EACH ROW WHEN (NEW.outcome = \'sent\' AND NEW.outbox_id = '
		  . $stage->sql("SELECT id FROM laras.outbox WHERE message_id = $id[4]") . ') EXECUTE FUNCTION public.refuse()');
	resume();
	ok(wait_for_sql($stage->node, "SELECT count(*) = 0 FROM laras.outbox WHERE message_id IN ($ids) AND state IN ('queued', 'sending')", 60),
		'of nine messages of which one cannot be recorded, each ends');
	is($stage->sql("SELECT string_agg(state, ' ' ORDER BY state) FROM laras.outbox WHERE message_id IN ($ids)"), 'sent ' x 8 . 'uncertain',
		'eight are known to be sent, one is uncertain');
	is($stage->sandbox->totals->{messages}{repeated}, 0, 'nobody got anything twice');
	$stage->sql('DROP TRIGGER refuse ON laras.send_attempt; DROP FUNCTION public.refuse()');
}

# ------------------------------------------------------------ no memory for it
{
	my @to = map { person() } 1 .. 3;
	pause();
	$stage->sql("ALTER SYSTEM SET laras.fault = 'courier_flight:enospc'");
	$stage->node->reload;
	my @id = map { say($_, 'nanti') } @to;
	my $ids = join ', ', @id;
	resume();
	ok(wait_for_sql($stage->node, "SELECT count(*) = 3 FROM laras.outbox o JOIN laras.message m ON m.id = o.message_id WHERE m.id IN ($ids) AND o.not_before > m.created_at + interval '1 second'"),
		'messages for whose requests there is no memory are looked at again and again');
	is($stage->sql("SELECT string_agg(concat_ws(' ', state, reason, attempts), ',') FROM laras.outbox WHERE message_id IN ($ids)"), join(',', ('queued 0') x 3),
		'stay in the queue and are not called sending');
	is($stage->sql("SELECT count(*) FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id IN ($ids)"), 0, 'without an attempt');
	$stage->sql('ALTER SYSTEM RESET laras.fault');
	$stage->node->reload;
	ok(reaches($_, 'sent'), 'and leave when there is') for @id;
	is(requests($_), 1, 'once') for @to;
}

# ----------------------------------------------------- put off for a moment
{
	# nobody but the courier itself knows when: the next poll is far away
	$stage->sql("ALTER SYSTEM SET laras.poll_interval = '10min'");
	$stage->node->reload;
	# fewer refusals than rest the account
	my @to = map { person() } 1 .. 2;
	$stage->sandbox->fault(action => 'refuse', code => 135000, times => 2, match => { route => 'messages', to => $_->{phone} }) for @to;
	my @id = map { say($_, 'sebentar') } @to;
	ok(reaches($_, 'sent'), 'what the provider could not take just now leaves when it is due') for @id;
	is(requests($_), 3, 'at the third time') for @to;
	$stage->sql('ALTER SYSTEM RESET laras.poll_interval');
	$stage->node->reload;
}

# ------------------------------------------------------- a long queue for one
{
	my ($many, $one) = (person(), person());
	$stage->sandbox->fault(action => 'none', delay_ms => 3000, times => 0, match => { route => 'messages', to => $many->{phone} });
	pause();
	$stage->bound("SELECT count(laras.reply($many->{conversation}, 'pesan ' || g)) FROM generate_series(1, 1500) AS g");
	my $id = say($one, 'satu saja');
	resume();
	ok(reaches($id, 'sent'), 'a message behind fifteen hundred to another person is sent');
	cmp_ok($stage->sql("SELECT count(*) FROM laras.outbox WHERE state = 'queued'"), '>', 1000, 'while those still wait, one after the other');
}
$stage->stop;
done_testing();

sub pause { return $stage->sql("SELECT laras.pause_workers('courier')"); }
sub resume { return $stage->sql("SELECT laras.resume_workers('courier')"); }

sub person
{
	my $phone = sprintf('62812347%05d', ++$serial);
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
	my ($message, $state, $seconds) = @_;
	return wait_for_sql($stage->node, "SELECT state = '$state' FROM laras.outbox WHERE message_id = $message", $seconds // 30);
}

sub requests
{
	my ($to) = @_;
	return scalar grep { $_->{path} =~ m{/messages$} } $stage->sandbox->ledger(method => 'POST', to => $to->{phone});
}
