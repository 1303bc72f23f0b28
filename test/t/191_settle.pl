# Somebody decides of messages of which nobody knows whether they were sent: that
# they were, that they were not, or that they are sent a second time, once and never
# what sells nor a private reply. Of two who decide at once one is too late, as is who
# decides after the provider. And a status that comes later still counts, and says so
# where it contradicts. Over HTTP all this is the same, and what waits is withdrawn there.
#
# proves R086 R087

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical;
my $stage = Stage->new('settle', settings => { 'laras.test_mode' => 'on' });
my $connection = $stage->connect;
my ($sandbox, $shop) = ($stage->sandbox, $stage->shop);
my $first = 628_123_490_000;
my @who = qw(sent wrongly_sent not_sent wrongly_not again both sells private known raced cut);
my %phone = map { $who[$_] => $first + $_ } 0 .. $#who;
$stage->customer("$phone{$_}", 'halo', wait => JSON::PP::false) for @who;
ok($stage->wait_bound('SELECT count(*) = ' . @who . ' FROM laras.conversation', 60), 'people write');
my %conversation = map { $_ => $stage->bound("SELECT id FROM laras.conversation WHERE contact_id IN (SELECT contact_id FROM laras.contacts_by_phone('+$phone{$_}'))") } @who;
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, act) VALUES ($stage->{workspace}, 1, 'review')");
$stage->customer("$phone{sent}", 'buka jam berapa?');
ok($stage->wait_bound("SELECT count(*) > 0 FROM laras.drafts WHERE state = 'held' AND conversation_id = $conversation{sent}", 30), 'one question has a draft');

# ------------------------------------------------------------ answers that are lost
my %message;
for my $name (@who)
{
	$sandbox->fault(match => { route => 'messages', to => "$phone{$name}" }, action => 'close_unanswered', statuses => 'never');
	$message{$name} = $name eq 'sent'
	  ? $stage->bound("SELECT laras.approve_draft(id, 'Kami buka setiap hari, kak') FROM laras.drafts WHERE state = 'held' AND conversation_id = $conversation{sent} ORDER BY id DESC LIMIT 1")
	  : $stage->bound("SELECT laras.reply($conversation{$name}, 'untuk $name')");
}
ok($stage->wait_bound('SELECT count(*) = ' . @who . q( FROM laras.outbox WHERE state = 'uncertain'), 60), 'nobody knows of any');
is(notices('uncertain', @who), scalar @who, 'the owner is told of each');

# ------------------------------------------------------------------ who may say what
is(error("SELECT laras.settle_message(4711, 'sent')"), 'P0002', 'of no message nothing is decided');
is(error("SELECT laras.settle_message($message{sent}, 'lost')"), '22023', 'nor by another word');
is(error("SELECT laras.settle_message($message{sent}, NULL)"), '22004', 'nor by none');
my $other = $stage->sql("SELECT laras.create_workspace('Toko Lain', 'lain\@shop.example', 'correct horse battery')");
is(error("SELECT laras.settle_message($message{sent}, 'sent')", $other), 'P0002', 'nor by another workspace');

# ------------------------------------------------------------------------- decided
is(settle('sent', 'sent'), 't', 'one has arrived, somebody says');
is(story('sent'), 'sent sent sent member seen', 'the inbox says so, and who said it');
is($stage->bound("SELECT d.state FROM laras.draft d JOIN laras.outbox o ON o.draft_id = d.id WHERE o.message_id = $message{sent}"), 'sent', 'the draft too');
is($stage->bound("SELECT count(*) FROM laras.send_troubles WHERE message_id = $message{sent}"), 0, 'it is no trouble any more');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'message.settled' AND subject_id = $message{sent}"), 1, 'with evidence');
is(settle('sent', 'not_sent'), 'f', 'what is decided is decided');
is(settle('not_sent', 'not_sent'), 't', 'another has not');
is(story('not_sent'), 'refused failed not_sent member seen', 'it failed');
like($stage->bound("SELECT reason || ' ' || words_en || words_id FROM laras.send_troubles WHERE message_id = $message{not_sent}"), qr/^settled_not_sent .*somebody decided that it was not\..*seseorang/, 'and the owner reads why');
is(settle($_, $_ eq 'wrongly_sent' ? 'sent' : 'not_sent'), 't', "so it is of $_") for qw(wrongly_sent wrongly_not);

# --------------------------------------------- once more, once, and not everything
$stage->sql("SELECT laras.pause_workers('courier')");
$sandbox->fault(match => { route => 'messages', to => "$phone{both}" }, action => 'close_unanswered', statuses => 'never');
is(settle($_, 'resend'), 't', "$_: once more") for qw(again both);
is($stage->bound("SELECT string_agg(o.state || ' ' || o.resent || ' ' || m.status, ', ') FROM laras.outbox o JOIN laras.message m ON m.id = o.message_id WHERE o.message_id IN ($message{again}, $message{both})"), 'queued true uncertain, queued true uncertain', 'they wait, uncertain all the while');
is(settle('again', 'sent'), 'f', 'what waits is withdrawn before it is decided anew');
$stage->sql("SET session_replication_role = replica; UPDATE laras.outbox SET purpose = 'sales' WHERE message_id = $message{sells}");
$stage->sql("UPDATE laras.outbox SET kind = 'private_reply' WHERE message_id = $message{private}");
is(error("SELECT laras.settle_message($message{$_}, 'resend')"), '55000', "but not what is $_") for qw(sells private);
is($stage->bound("SELECT count(*) FROM laras.outbox WHERE state = 'uncertain' AND NOT resent AND message_id IN ($message{sells}, $message{private})"), 2, 'which stays as it is');
is(settle('private', 'not_sent'), 't', 'though it may be given up');
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message{again}", 60), 'one leaves a second time');
ok($stage->wait_bound("SELECT state = 'uncertain' AND attempts = 2 FROM laras.outbox WHERE message_id = $message{both}", 60), 'the other is lost again');
is(scalar(sends('again')) . scalar(sends('both')), '22', 'each was handed over twice');
is(error("SELECT laras.settle_message($message{both}, 'resend')"), '55000', 'and never is a third time');
is(settle('both', 'sent'), 't', 'it has arrived, somebody says');
is($stage->bound("SELECT count(*) FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $message{both} AND a.outcome = 'sent'"), 1, 'once');

# ------------------------------------------------------------------ two at a time
report('known', 'delivered');
ok($stage->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message{known}"), 'the provider tells of one');
is(settle('known', 'not_sent'), 'f', 'after which nobody decides of it');
my @session = map { $stage->node->background_psql('postgres') } 1 .. 2;
$_->query_safe("BEGIN; SELECT laras.act_as($stage->{workspace})") for @session;
is($session[0]->query_safe("SELECT laras.settle_message($message{raced}, 'sent')"), 't', 'two decide at once');
$session[1]->query_until(qr/begun/, "\\echo begun\nSELECT laras.settle_message($message{raced}, 'not_sent');\n\\echo ended\n");
ok(wait_for_sql($stage->node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%settle_message%'}), 'one waits');
$session[0]->query_safe('COMMIT');
like($session[1]->query_until(qr/ended/, ''), qr/^f$/m, 'and is too late');
$session[1]->query_safe('COMMIT');
$_->quit for @session;
like(story('raced'), qr/^sent sent sent member/, 'the first holds');

# ------------------------------------------------------------------- and over HTTP
my %said = (lost => 422, '' => 422, resend => 409);
is((settle_by_http('sells', $_))[0], $said{$_}, "\"$_\" is refused there too") for sort keys %said;
is(($stage->call(POST => "/api/messages/$message{sells}/settle"))[0], 422, 'and no word at all');
is((settle_by_http('sells', 'not_sent'))[1]{settled}, JSON::PP::true, 'somebody decides in a browser');
is(story('sells'), 'refused failed not_sent member seen', 'which is the same act');
is((settle_by_http('sells', 'sent'))[1]{settled}, JSON::PP::false, 'and done once');
is_deeply([ ($stage->call(POST => "/api/messages/$message{cut}/cancel"))[0, 1] ], [ 200, { cancelled => JSON::PP::false } ], 'what may have left is not withdrawn any more');
is(($stage->call(POST => "/api/messages/4711/$_", $_ eq 'settle' ? { outcome => 'sent' } : undef))[0], 404, "of no message there is nothing to $_") for qw(settle cancel);
$stage->sql('SELECT laras.pause_workers($$courier$$)');
my $waiting = $stage->bound("SELECT laras.reply($conversation{sells}, 'menunggu')");
is(($stage->call(POST => "/api/messages/$waiting/cancel"))[1]{cancelled}, JSON::PP::true, 'what waits is');
is(($stage->call(GET => "/api/messages/$waiting"))[1]{status}, 'cancelled', 'and says so');
$stage->sql('SELECT laras.resume_workers($$courier$$)');

# ---------------------------------------------------------- the provider's last word
report('sent', 'delivered');
ok($stage->wait_bound("SELECT status = 'delivered' AND provider_message_id IS NOT NULL FROM laras.messages WHERE id = $message{sent}"), 'a late status bears out who said sent');
is(resolved('sent'), 'status', 'and is the better proof');
report('wrongly_sent', 'failed');
ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $message{wrongly_sent}"), 'another says that it failed');
report('wrongly_not', 'delivered');
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $message{wrongly_not}"), 'a third that it arrived after all');
is($stage->bound("SELECT state || coalesce(reason, '') FROM laras.outbox WHERE message_id = $message{wrongly_not}"), 'sent', 'so it was sent');
report('not_sent', 'failed');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.notices WHERE kind = 'send_failed' AND message_id = $message{not_sent}"), 'a fourth that it failed indeed');
report('both', 'delivered');
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.messages WHERE id = $message{both}"), 'of the two hand-overs the first is proven');
is($stage->bound("SELECT string_agg(message_id::text, ' ' ORDER BY message_id) FROM laras.notices WHERE kind = 'settled_otherwise'"), join(' ', sort { $a <=> $b } @message{qw(wrongly_sent wrongly_not)}), 'the owner is told of those who erred, and of them alone');
is($stage->bound("SELECT count(*) FROM laras.notices WHERE kind = 'sent_twice'"), 0, "and a person's word is no proof that one was sent twice");

# ------------------------------------------------------------ an account that was cut
$stage->bound("SELECT laras.disconnect($connection)");
is(error("SELECT laras.settle_message($message{cut}, 'resend')"), '55000', 'through an account that was cut nothing is sent again');
is(settle('cut', 'not_sent'), 't', 'but it may be given up');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();

sub settle_by_http { my ($name, $outcome) = @_; return $stage->call(POST => "/api/messages/$message{$name}/settle", { outcome => $outcome }); }
sub settle { my ($name, $outcome) = @_; return $stage->bound("SELECT laras.settle_message($message{$name}, '$outcome')"); }

sub error
{
	my ($query, $workspace) = @_;
	my (undef, $out, $error) = $stage->node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; SELECT laras.act_as(" . ($workspace // $stage->workspace) . "); $query; ROLLBACK");
	return $error =~ /ERROR:\s+(\w+)/ ? $1 : "none: $out";
}

sub notices
{
	my ($kind, @names) = @_;
	return $stage->bound("SELECT count(*) FROM laras.notices WHERE kind = '$kind' AND seen_at IS NULL AND message_id IN (" . join(',', @message{@names}) . ')');
}

sub resolved { return $stage->sql("SELECT string_agg(a.resolved_by, ' ') FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $message{$_[0]}"); }

sub story
{
	my ($name) = @_;
	return $stage->bound("SELECT o.state || ' ' || m.status || ' ' || a.outcome FROM laras.outbox o JOIN laras.message m ON m.id = o.message_id JOIN laras.send_attempt a ON a.outbox_id = o.id WHERE o.message_id = $message{$name}")
	  . ' ' . resolved($name) . (notices('uncertain', $name) == 0 ? ' seen' : '');
}

# What the provider took of somebody's message.
sub sends
{
	my ($name) = @_;
	return grep { $_->{path} =~ m{/messages$} } $sandbox->ledger(to => "$phone{$name}");
}

# The provider tells of the first hand-over.
sub report
{
	my ($name, $status) = @_;
	my ($call) = sends($name);
	my %failed = $status eq 'failed' ? (errors => [ { code => 131026, title => 'Undeliverable' } ]) : ();
	is(post_webhook($stage->url, 'wa', $shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $shop->{waba}, changes => [ { field => 'messages',
		value => { messaging_product => 'whatsapp', metadata => { display_phone_number => $shop->{phone}, phone_number_id => $shop->{number} },
			statuses => [ { id => "wamid.$name", status => $status, timestamp => time . '', recipient_id => "$phone{$name}", %failed,
				biz_opaque_callback_data => $call->{callback_data} } ] } } ] } ] }))->{status}, 200, "the provider reports on $name");
	return;
}
