# Customers delete what they wrote. What they delete is not answered, and what they
# asked beside it is not forgotten: the draft for a question that was overtaken by a
# message which is gone waits again, what was read together with it waits for a person,
# and what never had a draft gets one. What was answered stays answered.
#
# proves R058 R065 R067 R069

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical;
my $stage = Stage->new('unsent');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $shop = $stage->shop;
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
	($workspace, 1, 'Nastar Klasik', 'Kue kering isi nanas.', 55000, 12), ($workspace, 2, 'Lapis Legit', 'Satu loyang.', 250000, 5)});
my $serial = 0;

# ------------------------------------------------ the question before it is open again
{
	my $who = writes(person(), 'kak kuenya basi, saya kecewa, minta refund!');
	my ($first) = drafts($who, 1);
	is($first->{state}, 'held', 'a complaint waits for a person');
	writes($who, 'eh salah kirim');
	is(join(' ', map { $_->{state} } drafts($who, 2)), 'superseded held', 'what comes next is read with it');
	unsend($who, 2);
	is(join(' ', map { $_->{state} } drafts($who, 2, qr/^held/)), 'held superseded', 'and when that is deleted the complaint waits again');
	is(queue($who), "$first->{id} auto_send_off hand_over message_unsent", 'in the queue, with the reason') or diag queue($who);
	is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'draft.held' AND subject_id = $first->{id}"), 1, 'and in the evidence');
	ok($stage->bound("SELECT laras.approve_draft($first->{id}, 'Maaf ya kak, kami ganti.')") > 0, 'it is decided as any other');
	unsend($who, 1);
	is((drafts($who, 2))[0]{state} =~ /^(approved|sent)$/, 1, 'and what was decided stays so when its message is deleted');
}

# ---------------------------------------------------- before the second was looked at
{
	my $who = writes(person(), 'lapis legit brp?');
	my ($first) = drafts($who, 1);
	$stage->sql("SELECT laras.pause_workers('keeper')");
	writes($who, 'nastar brp?');
	unsend($who, 2);
	$stage->sql("SELECT laras.resume_workers('keeper')");
	is(queue($who), "$first->{id} auto_send_off", 'a draft that knew nothing of what was deleted stays as it is');
	is(scalar(drafts($who, 1)), 1, 'alone');
}

# --------------------------------------------- a slip is deleted and written once more
{
	$stage->sql("SELECT laras.pause_workers('keeper')");
	my $who = writes(person(), 'nastar brp?');
	writes($who, 'lapis legit brp?');
	$stage->sql("SELECT laras.resume_workers('keeper')");
	my ($joint) = drafts($who, 1);
	unsend($who, 1);
	is(queue($who), "$joint->{id} auto_send_off message_unsent", 'the draft for both waits for a person, who reads why');
	unsend($who, 2);
	is(queue($who), '', 'nothing waits when both are gone');
	is((drafts($who, 1))[0]{state}, 'superseded', 'its draft is closed');
}

# ------------------------------------------------- the first had no draft of its own
{
	$stage->sql("SELECT laras.pause_workers('keeper')");
	my $who = writes(person(), 'lapis legit brp?');
	writes($who, 'nastar brp?');
	$stage->sql("SELECT laras.resume_workers('keeper')");
	drafts($who, 1);
	unsend($who, 2);
	my @both = drafts($who, 2);
	is(join(' ', map { $_->{state} } @both), 'held superseded', 'a question that was read with a deleted one is drafted');
	like($both[0]{body}, qr/250\.000/, 'with its answer');
	unlike($both[0]{body}, qr/Nastar/, 'alone');
}

# ------------------------------------------------------------ answered is answered
{
	my $who = writes(person(), 'lapis legit brp?');
	my ($first) = drafts($who, 1);
	$stage->bound("SELECT laras.reply((SELECT conversation_id FROM laras.drafts WHERE id = $first->{id}), 'Rp 250.000, kak.')");
	writes($who, 'nastar brp?');
	drafts($who, 2);
	unsend($who, 2);
	is(queue($who), '', 'what a person answered before is not opened again');
	$stage->bound("SELECT laras.set_auto_send($connection, true)");
	$who = writes(person(), 'lapis legit brp?');
	ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$who->{phone}' AND d.state IN ('approved', 'sent')", 30), 'what goes by itself goes');
	unsend($who, 1);
	is(scalar(drafts($who, 1)), 1, 'once');
}
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();

sub person { return { phone => sprintf('6281991%06d', ++$serial), said => [] }; }

# They write: into the inbox.
sub writes
{
	my ($who, $text) = @_;
	my $mine = "direction = 'in' AND contact_id IN (SELECT contact_id FROM laras.contact_identities WHERE value = '$who->{phone}')";
	my $known = @{ $who->{said} };
	is($stage->customer($who->{phone}, $text)->{status}, 200, $text);
	ok($stage->wait_bound("SELECT count(*) > $known FROM laras.messages WHERE $mine", 30), 'is there');
	push @{ $who->{said} }, $stage->bound("SELECT provider_message_id FROM laras.messages WHERE $mine AND kind = 'text' ORDER BY created_at DESC LIMIT 1");
	return $who;
}

# They delete their nth message.
sub unsend
{
	my ($who, $n) = @_;
	my $id = $who->{said}[ $n - 1 ];
	is(post_webhook($stage->url, 'wa', $shop->{secret}, $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $shop->{waba}, changes => [ { field => 'messages',
		value => { messaging_product => 'whatsapp', metadata => { display_phone_number => $shop->{phone}, phone_number_id => $shop->{number} },
			contacts => [ { profile => { name => 'Sari' }, wa_id => $who->{phone} } ],
			messages => [ { from => $who->{phone}, id => "$id.gone", timestamp => '' . time, type => 'revoke', revoke => { original_message_id => $id } } ] } } ] } ] }))->{status}, 200, 'a message is deleted');
	ok($stage->wait_bound("SELECT unsent_at IS NOT NULL FROM laras.messages WHERE provider_message_id = '$id'", 30), 'and its words are gone');
	return;
}

# Their drafts in the order of the messages that they are for, when there are so many (and their states match).
sub drafts
{
	my ($who, $many, $states) = @_;
	my @drafts;
	wait_for(sub {
		@drafts = @{ $json->decode($stage->bound("SELECT coalesce(json_agg(json_build_object('id', d.id::text, 'state', d.state, 'body', d.body) ORDER BY m.created_at), '[]') FROM laras.drafts d JOIN laras.draft r ON r.id = d.id JOIN laras.messages m ON m.id = r.inbound_message_id WHERE m.contact_id IN (SELECT contact_id FROM laras.contact_identities WHERE value = '$who->{phone}')")) };
		return @drafts >= $many && (!$states || join(' ', map { $_->{state} } @drafts) =~ $states);
	}, 30);
	return @drafts;
}

# What waits: id and reasons.
sub queue
{
	my ($who) = @_;
	return $stage->bound("SELECT coalesce(string_agg(concat_ws(' ', q.id, array_to_string(ARRAY(SELECT unnest(q.hold_reasons) ORDER BY 1), ' ')), '; '), '') FROM laras.approval_queue q JOIN laras.contact_identities i ON i.contact_id = q.contact_id WHERE i.value = '$who->{phone}'");
}
