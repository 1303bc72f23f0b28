# A message goes to the provider over HTTP once, its statuses come back, and
# what the provider refuses, breaks or leaves unanswered ends as it should: sent,
# refused, parked or visibly uncertain, never sent again by itself. The
# sandbox's ledger and totals are the truth.
#
# proves R076 R085 R086

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('courier_answers');
$stage->connect;
my $serial = 0;

# ------------------------------------------------------------------- once
my $person = person();
my $message = say($person, 'Kopi masih ada, kak.');
ok(reaches($message, 'sent'), 'the outbox row ends sent');
ok($stage->wait_bound("SELECT status = 'delivered' FROM laras.message WHERE id = $message"), 'its message is delivered');
my @calls = sends($person);
is(scalar(@calls), 1, 'one request was made');
ok(length($calls[0]{callback_data} // ''), 'it carried callback data');
is($stage->bound("SELECT provider_message_id IS NOT NULL FROM laras.message WHERE id = $message"), 't',
	'the message has the id the provider gave it');

# ---------------------------------------------------- no answer that tells
for my $action (qw(reset_after_body close_unanswered malformed no_id http_error))
{
	my $to = person();
	# a reset before the body comes before anybody knows whom it was for
	$stage->sandbox->fault(match => { route => 'messages', method => 'POST' }, action => $action, statuses => 'never');
	my $before = requests();
	my $id = say($to, "after $action");
	ok(reaches($id, 'uncertain'), "$action: uncertain");
	is(requests() - $before, 1, "$action: one request");
}

# ------------------------------------------- a status settles what was uncertain
{
	my $to = person();
	$stage->sandbox->fault(match => { route => 'messages', to => $to->{phone} }, action => 'reset_after_body');
	my $id = say($to, 'the status tells');
	ok(reaches($id, 'sent'), 'a status webhook proves the send');
	is(scalar(sends($to)), 1, 'without a second request');
}

# ------------------------------------------------------------------ refused
{
	my $to = person();
	$stage->sandbox->fault(match => { route => 'messages', to => $to->{phone} }, action => 'refuse', code => 131047);
	ok(reaches(say($to, 'too late'), 'refused'), '131047: refused');
	is(scalar(sends($to)), 1, '131047: not tried again');
}
{
	my $to = person();
	$stage->sandbox->fault(match => { route => 'messages', to => $to->{phone} }, action => 'refuse', code => 130429);
	ok(reaches(say($to, 'not so fast'), 'sent'), '130429: sent in the end');
	is(scalar(sends($to)), 2, '130429: by a second request');
}

is($stage->sandbox->totals->{messages}{repeated}, 0, 'nobody got a message twice');

# ------------------------------------------------------------- a dead token
{
	my $to = person();
	$stage->sandbox->fault(match => { route => 'messages', to => $to->{phone} }, action => 'refuse', code => 190);
	ok(reaches(say($to, 'dead token'), 'parked'), '190: parked');
	is($stage->bound('SELECT state FROM laras.connections'), 'needs_reauth', '190: the connection needs its owner');
}

$stage->stop;
done_testing();

# a customer who has written, with the conversation that came of it
sub person
{
	my $phone = sprintf('62812345%05d', ++$serial);
	my $before = $stage->bound('SELECT count(*) FROM laras.conversation');
	$stage->customer($phone, 'halo');
	$stage->wait_bound("SELECT count(*) > $before FROM laras.conversation") or die "no conversation\n";
	return { phone => $phone,
		conversation => $stage->bound('SELECT id FROM laras.conversation ORDER BY id DESC LIMIT 1') };
}

sub say
{
	my ($to, $text) = @_;
	return $stage->bound("SELECT laras.reply($to->{conversation}, '$text')");
}

sub reaches
{
	my ($id, $state) = @_;
	return $stage->wait_bound("SELECT state = '$state' FROM laras.outbox WHERE message_id = $id");
}

sub sends
{
	my ($to) = @_;
	return grep { $_->{path} =~ m{/messages$} } $stage->sandbox->ledger(to => $to->{phone});
}

# all requests to send, also those nobody read to their end
sub requests
{
	return scalar grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} } $stage->sandbox->ledger;
}
