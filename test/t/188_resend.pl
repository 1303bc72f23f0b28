# What becomes of a message of which nobody knows whether it was sent: it is
# held, or, where that was chosen for it or for its connection, sent a second time
# once the provider had laras.uncertain_wait to tell, and never a third time. What was
# handed over twice is sent or uncertain, whatever becomes of its second hand-over; and
# where both turn out to have been taken, the owner is told so.
#
# proves R086 R087

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical;
my $stage = Stage->new('resend', settings => { 'laras.test_mode' => 'on' });
my $connection = $stage->connect;
my ($sandbox, $shop) = ($stage->sandbox, $stage->shop);
my $first = 628_123_480_000;
my @who = qw(held once late queued refused silent withdrawn default told cut);
$stage->customer($first + $_ . q(), 'halo', wait => JSON::PP::false) for 0 .. $#who;
ok($stage->wait_bound('SELECT count(*) = ' . @who . ' FROM laras.conversation', 60), 'people write');
my %phone = map { $who[$_] => $first + $_ } 0 .. $#who;
my %conversation = map { $_ => $stage->bound("SELECT id FROM laras.conversation WHERE contact_id IN (SELECT contact_id FROM laras.contacts_by_phone('+$phone{$_}'))") } @who;

# --------------------------------------------------------------- who may say what
refused("SELECT laras.set_uncertain_policy($connection, 'again')", '22023', 'another word is no policy');
refused("SELECT laras.set_uncertain_policy(1, 'hold')", 'P0002', 'of no connection');
refused("SELECT laras.reply($conversation{once}, 'halo', '{\"uncertain_policy\": \"twice\"}')", '22023', 'nor is it of a reply');
refused("SELECT laras.reply($conversation{once}, 'halo', '{\"uncertain_policy\": null}')", '22023', 'nor is nothing');
like(($stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($stage->{workspace}); SELECT laras.reply($conversation{once}, 'halo', '{\"uncertain_polcy\": \"hold\"}')"))[2], qr/there is no option "uncertain_polcy"\nHINT:  The options are comment_id, media_id and uncertain_policy/, 'a reply says which option there is not');
refused("SELECT laras.reply($conversation{once}, 'halo', '{\"uncertain_polcy\": \"hold\"}')", '22023', 'nor is what is mistyped passed over');

# ------------------------------------------------- ten answers that are lost
my %again = map { $_ => q(, '{"uncertain_policy": "resend_once"}') } @who;
$again{$_} = '' for qw(held default);
my %message;
for my $name (@who)
{
	$stage->bound("SELECT laras.set_uncertain_policy($connection, 'resend_once')") if $name eq 'default';
	$sandbox->fault(match => { route => 'messages', to => "$phone{$name}" }, action => 'close_unanswered', statuses => 'never');
	$message{$name} = $stage->bound("SELECT laras.reply($conversation{$name}, 'untuk $name'$again{$name})");
	$stage->bound("SELECT laras.set_uncertain_policy($connection, 'hold')") if $name eq 'default';
}
is($stage->bound('SELECT uncertain_policy FROM laras.connections'), 'hold', 'the owner sees what was chosen');
ok(soon('uncertain', @who), 'nobody knows of any');
is($stage->bound(q(SELECT string_agg(uncertain_policy, ' ' ORDER BY message_id) FROM laras.outbox)), 'hold' . ' resend_once' x 9, 'the message says what becomes of it, or else its connection');

# -------------------------------------- of two, their provider tells before the time
report('told');
ok(soon('sent', 'told'), 'its status settles what was to be sent again');
$stage->sql("SELECT laras.advance_clock('14 minutes')");
$stage->sql("SELECT laras.pause_workers('courier')");
is(attempts('uncertain'), 9, 'before the time nothing is sent again');
$stage->sql("SELECT laras.advance_clock('2 minutes')");
ok(soon('queued', qw(once late queued refused silent withdrawn default cut)), 'after it all but the held one wait to be sent again');
is($stage->bound("SELECT state FROM laras.outbox WHERE message_id = $message{held}"), 'uncertain', 'which stays as it is');
is($stage->bound("SELECT count(*) FROM laras.messages WHERE status = 'uncertain'"), 9, 'in the inbox they are uncertain all the while');
is($stage->bound("SELECT reason || ' ' || retried FROM laras.send_troubles WHERE message_id = $message{once}"), 'resend true', 'and the owner reads why they wait');
is($stage->bound("SELECT laras.cancel_message($message{withdrawn})"), 't', 'one is withdrawn');
is(trouble('withdrawn'), 'uncertain not_resent', 'which does not call back what may have been sent');
report('queued');
ok(soon('sent', 'queued'), 'a late status settles one that waits');

# ------------------------------------------------------------ the second hand-over
$sandbox->fault(match => { route => 'messages', to => "$phone{refused}" }, action => 'refuse', code => 131047);
$sandbox->fault(match => { route => 'messages', to => "$phone{silent}" }, action => 'close_unanswered', statuses => 'never');
my $seq = (sort { $a <=> $b } map { $_->{seq} } $sandbox->ledger(path => '/messages'))[-1];
my $fresh = $stage->bound("SELECT laras.reply($conversation{held}, 'untuk siapa yang baru bertanya')");
$stage->sql("SELECT laras.resume_workers('courier')");
ok(soon('sent', qw(once late default cut)), 'they are sent a second time');
is(($sandbox->ledger(method => 'POST', path => '/messages', after => $seq))[0]{body}{text}{body}, 'untuk siapa yang baru bertanya', 'behind what nobody sent yet');
ok($stage->wait_bound("SELECT count(*) = 4 FROM laras.outbox WHERE state = 'uncertain'"), 'the others are uncertain again');
is(trouble('refused'), 'uncertain not_resent', 'that the second was refused says nothing of the first');
is(trouble('silent'), 'uncertain outcome_unknown', 'the answer to the second was lost as well');
is($stage->bound("SELECT status FROM laras.messages WHERE id = $message{refused}"), 'uncertain', 'nor does the inbox say more');
is(join(' ', map { scalar sends($_) } @who), '2 2 2 1 2 2 1 2 1 2', 'each was handed over once or twice, and somebody written to anew') or diag "@who";
is($stage->bound("SELECT count(*) FROM laras.outbox WHERE reason = 'sent_twice'"), 0, 'of none it is known that it was taken twice');

# ---------------------------------------------- the provider tells of the first after all
report('late');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.notices WHERE kind = 'sent_twice' AND message_id = $message{late}"), 'both were taken: the owner is told');
is(trouble('late'), 'sent sent_twice', 'and reads it');
report('late');
report('once', 1);
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'message.sent_twice'"), 1, 'the evidence has it once');

# --------------------------------------------------------------- never a third time
$stage->sql("SELECT laras.advance_clock('3 hours')");
ok($stage->wait_bound("SELECT laras.reply($conversation{told}, 'sesudahnya') > 0"), 'others go on');
ok($stage->wait_bound("SELECT count(*) = 0 FROM laras.outbox WHERE state IN ('queued', 'sending')"), 'until nothing waits');
is(join(' ', map { scalar sends($_) } grep { $_ ne 'told' } @who), '2 2 2 1 2 2 1 2 2', 'nothing is sent a third time');

# ---------------------------------------- what is no longer allowed is not sent again
$sandbox->fault(match => { route => 'messages', to => "$phone{told}" }, action => 'close_unanswered', statuses => 'never');
$message{window} = $stage->bound(qq(SELECT laras.reply($conversation{told}, 'untuk window', '{"uncertain_policy": "resend_once"}')));
ok(soon('uncertain', 'window'), 'another answer is lost');
$stage->sql("UPDATE laras.conversation SET last_inbound_at = laras.now() - interval '25 hours' WHERE id = $conversation{told}");
$stage->sql("SELECT laras.advance_clock('16 minutes')");
ok($stage->wait_bound("SELECT reason = 'not_resent' AND state = 'uncertain' FROM laras.outbox WHERE message_id = $message{window}"), 'the window has closed: it is not sent again, and may have been sent');

# --------------------------------------------------------------- what never is
is(err("UPDATE laras.outbox SET purpose = 'sales' WHERE message_id = $message{once}"), '23514', 'what sells is never sent again');
is(err("UPDATE laras.outbox SET kind = 'private_reply' WHERE message_id = $message{once}"), '23514', 'nor is a private reply');

# ------------------------------------------------------- a connection that is cut
$sandbox->fault(match => { route => 'messages', to => "$phone{held}" }, action => 'close_unanswered', statuses => 'never');
$message{last} = $stage->bound(qq(SELECT laras.reply($conversation{held}, 'untuk last', '{"uncertain_policy": "resend_once"}')));
ok(soon('uncertain', 'last'), 'one more is lost');
$stage->sql("SELECT laras.pause_workers('courier')");
$stage->sql("SELECT laras.advance_clock('16 minutes')");
ok(soon('queued', 'last'), 'and waits to be sent again');
$stage->bound("SELECT laras.disconnect($connection)");
is($stage->bound("SELECT state || ' ' || reason FROM laras.outbox WHERE message_id = $message{last}"), 'uncertain not_resent', 'the disconnect leaves it uncertain');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');

$stage->stop;
done_testing();

sub refused
{
	my ($query, $code, $what) = @_;
	my ($rc, $out, $err) = $stage->node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; SELECT laras.act_as($stage->{workspace}); $query");
	like($err, qr/\b$code\b/, $what);
	return;
}

sub err
{
	my ($query) = @_;
	my ($rc, $out, $err) = $stage->node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; SELECT laras.act_as($stage->{workspace}); $query; ROLLBACK");
	return $err =~ /ERROR:\s+(\w+)/ ? $1 : "none: $out";
}

# Are these messages in that state?
sub soon
{
	my ($state, @names) = @_;
	my $ids = join ',', map { $message{$_} } @names;
	return $stage->wait_bound("SELECT count(*) = " . @names . " FROM laras.outbox WHERE message_id IN ($ids) AND state = '$state'", 60);
}

sub attempts { return $stage->sql("SELECT count(*) FROM laras.send_attempt WHERE outcome = '$_[0]'"); }

sub trouble { return $stage->bound("SELECT state || ' ' || reason FROM laras.send_troubles WHERE message_id = $message{$_[0]}"); }

# What the provider took of somebody's message.
sub sends
{
	my ($name) = @_;
	return grep { $_->{path} =~ m{/messages$} } $sandbox->ledger(to => "$phone{$name}");
}

# The provider tells of a hand-over, the first unless said.
sub report
{
	my ($name, $which) = @_;
	my $call = (sends($name))[ $which // 0 ];
	my $status = post_webhook($stage->url, 'wa', $shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $shop->{waba}, changes => [ { field => 'messages',
		value => { messaging_product => 'whatsapp', metadata => { display_phone_number => $shop->{phone}, phone_number_id => $shop->{number} },
			statuses => [ { id => $call->{wamid} // $call->{message_id} // "wamid.$name", status => 'delivered', timestamp => time . '', recipient_id => "$phone{$name}",
				biz_opaque_callback_data => $call->{callback_data} } ] } } ] } ] }))->{status};
	is($status, 200, "the provider reports on $name");
	return;
}
