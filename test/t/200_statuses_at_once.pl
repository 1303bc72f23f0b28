# A provider that was away tells of many messages in one body: those whose answers
# were lost are settled by it together, with as few statements as one would need, and
# each as if it had been alone: what two say of one, what somebody had decided before,
# what was handed over twice, and an id that stands there for two.
#
# proves R079 R087

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical;
my $stage = Stage->new('at_once', settings => { 'laras.test_mode' => 'on', restart_after_crash => 'on', shared_preload_libraries => 'laras, pg_stat_statements', 'pg_stat_statements.track' => 'all' },
	sandbox => { enforce_limits => JSON::PP::false });
$stage->connect;
$stage->sql('CREATE EXTENSION pg_stat_statements');
my ($sandbox, $shop) = ($stage->sandbox, $stage->shop);
my $people = 80;
my @phone = map { 628_123_570_000 + $_ } 1 .. $people;
$stage->customer("$_", 'halo', wait => JSON::PP::false) for @phone;
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.conversation", 60), 'people write');

# ------------------------------------------------------------ answers that are lost
$sandbox->fault(match => { route => 'messages' }, action => 'hang', delay_ms => 600_000, statuses => 'never', times => 0);
$stage->bound("SELECT count(laras.reply(id, 'kabar')) FROM laras.conversation");
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.outbox WHERE state = 'sending'", 60), 'to all something is under way');
ok(wait_for(sub { return $people == grep { $_->{path} =~ m{/messages$} } $sandbox->ledger }, 30), 'which the provider has');
kill 'KILL', worker_pid($stage->node, 'courier');
ok(wait_for_sql($stage->node, "SELECT count(*) = $people FROM laras.outbox WHERE state = 'uncertain'", 60), 'the courier is killed, and nobody knows of any');
my %call;
$call{$_->{callback_data}} //= $_ for grep { $_->{path} =~ m{/messages$} && defined $_->{callback_data} } $sandbox->ledger;
my @mark = sort keys %call;

# ------------------------------------------------------------- some are special
my @message = map { message_of($_) } @mark[0 .. 4];
is($stage->bound("SELECT laras.settle_message($message[0], 'not_sent')"), 't', 'of one somebody says that it was not sent');
is($stage->bound("SELECT laras.settle_message($message[1], 'sent')"), 't', 'of another that it was');
$sandbox->control(DELETE => 'fault');
$sandbox->fault(match => { route => 'messages' }, action => 'reset_after_body', statuses => 'never', times => 1);
is($stage->bound("SELECT laras.settle_message($message[2], 'resend')"), 't', 'a third is handed over once more');
ok($stage->wait_bound("SELECT state = 'uncertain' AND attempts = 2 FROM laras.outbox WHERE message_id = $message[2]", 90), 'and lost again');
my %second = map { $_->{callback_data} => 1 } grep { $_->{path} =~ m{/messages$} && defined $_->{callback_data} && !$call{ $_->{callback_data} } } $sandbox->ledger;
is(scalar keys %second, 1, 'by a mark of its own');
my ($second) = keys %second;

# ------------------------------------------------------------------ all in one body
my @status = map { [ $mark[$_], "wamid.n$_", 'delivered' ] } 0 .. $#mark;
push @status, [ $second, 'wamid.second', 'sent' ];
push @status, map { [ $mark[$_], "wamid.n$_", 'read' ] } 10 .. 19;
$status[4][1] = $status[3][1];    # an id that stands for two
@status = @status[ reverse 0 .. $#status ];
$stage->sql("SELECT pg_stat_statements_reset()");
is(report(@status), 200, 'the provider tells of all at once');
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.outbox WHERE state = 'sent'", 60), 'all are known to be sent');
my $statements = $stage->sql(q{SELECT sum(calls) FROM pg_stat_statements WHERE query ~ 'UPDATE laras\.(send_attempt|outbox|message|draft)\M'});
cmp_ok($statements, '<', 30, "by $statements statements that change a row of theirs");

is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND status NOT IN ('delivered', 'read')"), 1, 'their statuses count for all but one');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'out' AND status = 'read'"), 10, 'read ones are read');
is($stage->bound("SELECT count(provider_message_id) || ' ' || count(DISTINCT provider_message_id) FROM laras.messages WHERE direction = 'out'"), ($people - 1) . ' ' . ($people - 1), 'each has its id, but for one of the two that shared one');
is($stage->bound("SELECT count(provider_message_id) FROM laras.messages WHERE id IN ($message[3], $message[4])"), 1, 'which one of them has');
is($stage->sql("SELECT count FROM laras.ignored_event WHERE reason = 'id_twice'"), 1, 'as is counted');
is($stage->bound("SELECT string_agg(DISTINCT outcome || ' ' || resolved_by, ', ') FROM laras.send_attempt"), 'sent status', 'every attempt is resolved by the status');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'message.sent' AND subject_id IN (SELECT id FROM laras.message WHERE direction = 'out')"), $people + 1,
	'each with evidence, and the second attempt of one');
is($stage->bound("SELECT string_agg(reason, ' ') FROM laras.outbox WHERE message_id = $message[2]"), 'sent_twice', 'what was handed over twice is known to be');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE kind = 'sent_twice'"), 1, 'the owner is told once');
is($stage->bound("SELECT string_agg(message_id::text, ' ') FROM laras.notices WHERE kind = 'settled_otherwise'"), $message[0], 'and that who said not was wrong');
is($stage->bound("SELECT count(*) FROM laras.outbox WHERE reason IS NOT NULL AND reason <> 'sent_twice'"), 0, 'no row has a reason any more');

# -------------------------------------------------------------- and once more, for nothing
my $entries = $stage->bound('SELECT count(*) FROM laras.evidence_log');
is(report(@status), 200, 'the provider tells it again');
$stage->sql("SELECT laras.drain('30 s')");
is($stage->bound('SELECT count(*) FROM laras.evidence_log'), $entries, 'and changes nothing');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();

# The message whose attempt has this mark.
sub message_of { return $stage->bound("SELECT m.id FROM laras.message m JOIN laras.conversation c ON c.id = m.conversation_id WHERE m.direction = 'out' AND c.contact_id IN (SELECT contact_id FROM laras.contacts_by_phone('+$call{$_[0]}{to}'))"); }

sub report
{
	my (@told) = @_;
	return post_webhook($stage->url, 'wa', $shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $shop->{waba}, changes => [ { field => 'messages',
		value => { messaging_product => 'whatsapp', metadata => { display_phone_number => $shop->{phone}, phone_number_id => $shop->{number} },
			statuses => [ map { { id => $_->[1], status => $_->[2], timestamp => time . '', recipient_id => '628123570001', biz_opaque_callback_data => $_->[0] } } @told ] } } ] } ] }))->{status};
}
