# Each scripted fault does to the connection and the answer what it says, and the ledger
# tells whether the message was taken all the same.
use strict;
use warnings;
use JSON::PP ();
use Laras;
use Sandbox;
use Test::More;
use Time::HiRes qw(time);

my $s = Sandbox->start(sent_after_ms => 0, delivered_after_ms => 20, read_after_ms => -1);
my $hook = Sandbox::Callback->start;
my $shop = $s->shop(callback_url => $hook->url);
my $budi = '628123456789';
$s->customer_says($shop, $budi, 'halo', wait => \1);

my $n = 0;

sub request
{
	my (%more) = @_;
	my $body = JSON::PP->new->canonical->utf8->encode(Sandbox::text_message($budi, 'pesan ' . ++$n, biz_opaque_callback_data => "a$n", %more));
	return "POST /v23.0/$shop->{number}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $shop->{token}\r\n"
	  . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}
sub taken { return scalar grep { $_->{accepted} } $s->ledger(callback_data => "a$n") }
sub entry { return ($s->ledger(callback_data => "a$n"))[-1] }
sub statuses { my ($data) = @_; return [ map { $_->[1] } grep { ($_->[2] // '') eq $data } $hook->statuses ] }

# fault, what the answer looks like, whether the connection ends, whether the message was taken
for my $case (
	[ reset_after_body => qr/^$/, 1, 1 ],
	[ close_unanswered => qr/^$/, 1, 1 ],
	[ reset_mid_answer => qr/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n\{"mess[^}]*$/s, 1, 1 ],
	[ close_after_answer => qr/^HTTP\/1\.1 200 OK\r\n(?!.*Connection: close).*"id":"wamid\..*\}$/s, 1, 1 ],
	[ http_error => qr/^HTTP\/1\.1 502 .*<html>/s, 0, 0 ],
	[ refuse => qr/^HTTP\/1\.1 500 .*"code":131000/s, 0, 0 ],
	[ malformed => qr/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n\{"mess[^}]*$/s, 0, 1 ],
	[ no_id => qr/"messages":\[\]\}$/, 0, 1 ])
{
	my ($action, $pattern, $ends, $accepted) = @$case;
	$s->fault(action => $action);
	my ($answer, $closed) = raw_exchange($s->port, request(), seconds => 1);
	like($answer, $pattern, "$action: what comes back");
	is($closed, $ends, "$action: " . ($ends ? 'the connection ends' : 'the connection stays'));
	is(taken(), $accepted, "$action: the message was " . ($accepted ? 'taken' : 'not taken'));
	is(entry()->{fault}, $action, "$action: the ledger names it");
	my ($next) = raw_exchange($s->port, request(), seconds => 0.5);
	like($next, qr/^HTTP\/1\.1 200 OK/, "$action: the next request is well");
}
for my $action (qw(reset_after_body close_unanswered reset_mid_answer malformed no_id))
{
	$s->fault(action => $action, accept => \0);
	raw_exchange($s->port, request(), seconds => 0.5);
	is(taken(), 0, "$action: not taken when it is scripted so");
}
$s->fault(action => 'http_error', accept => \1, http_status => 503);
my ($answer) = raw_exchange($s->port, request(), seconds => 0.5);
is_deeply([ $answer =~ /^HTTP\/1\.1 (\d+)/, taken() ], [ 503, 1 ], 'a 503 for a message that was taken');

# ---- reset before the body: the head is enough
$s->fault(action => 'reset_before_body');
my ($head) = split /(?<=\r\n\r\n)/, request();
my ($nothing, $closed) = raw_exchange($s->port, $head, seconds => 2);
is_deeply([ $nothing, $closed, taken() ], [ '', 1, 0 ], 'reset before the body');
is(($s->ledger(outcome => 'fault'))[-1]{fault}, 'reset_before_body', 'is in the ledger');

# ---- slow, and silent
$s->fault(delay_ms => 400);
my $start = time;
($answer) = raw_exchange($s->port, request(), seconds => 0.3);
is($answer, '', 'slow: nothing yet');
is(taken(), 1, 'slow: but taken');
$s->fault(delay_ms => 300);
$start = time;
my ($status) = $s->send_text($shop, $budi, 'pelan');
ok($status == 200 && time - $start >= 0.3, 'slow: answered after its time');
$s->fault(action => 'hang', delay_ms => 300);
($answer, $closed) = raw_exchange($s->port, request(), seconds => 2);
is_deeply([ $answer, $closed, taken() ], [ '', 1, 1 ], 'never answered');

# ---- the same id twice
my (undef, $first) = $s->send_text($shop, $budi, 'satu');
$s->fault(action => 'same_id');
my (undef, $second) = $s->send_text($shop, $budi, 'dua');
is($second->{messages}[0]{id}, $first->{messages}[0]{id}, 'the same id for two messages');
my (undef, $third) = $s->send_text($shop, $budi, 'tiga');
isnt($third->{messages}[0]{id}, $first->{messages}[0]{id}, 'and then no more');

# ---- statuses
for my $case (
	[ normal => [qw(sent delivered)] ],
	[ never => [] ],
	[ twice => [qw(sent sent delivered delivered)] ],
	[ failed => [qw(sent failed)] ],
	[ reversed => [qw(delivered sent)] ])
{
	my ($how, $expected) = @$case;
	$s->fault(statuses => $how);
	$s->send_text($shop, $budi, "status $how", biz_opaque_callback_data => "s-$how");
	# a later message's statuses show that nothing more can come
	$s->send_text($shop, $budi, "sesudah $how", biz_opaque_callback_data => "after-$how");
	ok(wait_for(sub { @{ statuses("after-$how") } == 2 && @{ statuses("s-$how") } == @$expected }), "statuses $how: all came");
	is_deeply(statuses("s-$how"), $expected, "statuses $how");
}
$s->fault(statuses => 'first');
($status, $answer) = $s->send_text($shop, $budi, 'dahulu', biz_opaque_callback_data => 's-first');
is($status, 200, 'status first: answered');
is(statuses('s-first')->[0], 'sent', 'status first: the status was there before');
is((grep { ($_->[2] // '') eq 's-first' } $hook->statuses)[0][0], $answer->{messages}[0]{id}, 'status first: of this message');
$s->fault(callback_data => 'not-yours');
(undef, $answer) = $s->send_text($shop, $budi, 'salah', biz_opaque_callback_data => 's-wrong');
ok(wait_for(sub { grep { $_->[0] eq $answer->{messages}[0]{id} && ($_->[2] // '') eq 'not-yours' } $hook->statuses }), 'wrong callback data');
$s->fault(callback_data => undef);
(undef, $answer) = $s->send_text($shop, $budi, 'tanpa', biz_opaque_callback_data => 's-none');
ok(wait_for(sub { grep { $_->[0] eq $answer->{messages}[0]{id} && !defined $_->[2] } $hook->statuses }), 'no callback data');

# ---- matching, skipping, repeating, and a connection that is used again
$s->fault(action => 'refuse', code => 131000, match => { to => '628111' });
is(($s->send_text($shop, $budi, 'bukan'))[0], 200, 'another recipient does not match');
$s->control(DELETE => 'fault');
is_deeply($s->control(GET => 'fault')->{faults}, [], 'faults can be taken back');
$s->fault(action => 'refuse', match => { text => 'kedua', number => $shop->{number}, route => 'messages' }, skip => 1, times => 2);
is_deeply([ map { ($s->send_text($shop, $budi, "kedua $_"))[0] } 1 .. 4 ], [ 200, 500, 500, 200 ], 'skip one, then two times');
my $keep = HTTP::Tiny->new(keep_alive => 1, timeout => 5);
$s->fault(action => 'close_unanswered', match => { reused => \1 });
my @got = map {
	$keep->request(POST => $s->url . "/v23.0/$shop->{number}/messages", {
		headers => { Authorization => "Bearer $shop->{token}", 'Content-Type' => 'application/json' },
		content => JSON::PP->new->utf8->encode(Sandbox::text_message($budi, "bekas $_", biz_opaque_callback_data => "used-$_")) })->{status}
} 1 .. 2;
is($got[0], 200, 'the first request of a connection is answered');
my ($used) = $s->ledger(callback_data => 'used-2');
is_deeply([ @$used{qw(nth accepted status fault)} ], [ 2, JSON::PP::true, undef, 'close_unanswered' ], 'the second was read, taken and not answered');
is(scalar(grep { $_->{accepted} } $s->ledger(callback_data => 'used-2')), $got[1] == 200 ? 2 : 1, 'a client that repeats it is seen');

# ---- scripts that are none
for my $bad ({ action => 'explode' }, { statuses => 'sideways' }, { acton => 'hang' }, { match => { colour => 'red' } }, { action => 'http_error', http_status => 9 })
{
	is(($s->control_status(POST => 'fault', $bad))[0], 400, 'no fault: ' . JSON::PP->new->canonical->encode($bad));
}
done_testing();
