# A customer is played, the ledger read and any control call made from the shell.
use strict;
use warnings;
use IPC::Run qw(run);
use JSON::PP ();
use Laras;
use Sandbox;
use Test::More;

my $s = Sandbox->start;
my $hook = Sandbox::Callback->start;
my $shop = $s->shop(callback_url => $hook->url);

sub sandbox
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');
	local $ENV{LARAS_SANDBOX_URL} = $s->url;
	run([ 'laras-sandbox', @arguments ], '<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

my ($status, $out) = sandbox('customer', '--number', $shop->{phone}, '--from', '+62 812 3456 789', '--name', 'Budi', 'halo, ada kopi?');
is($status, 0, 'a customer writes');
is(JSON::PP->new->decode($out)->{status}, 200, 'and is heard');
my ($update) = $hook->updates;
is_deeply([ $update->{messages}[0]{text}{body}, $update->{contacts}[0]{profile}{name} ], [ 'halo, ada kopi?', 'Budi' ], 'word for word');
$s->send_text($shop, '628123456789', 'ada, silakan');
($status, $out) = sandbox('ledger', 'accepted=true');
is($status, 0, 'the ledger is read');
like($out, qr/POST\s+\S+messages\s+200 accepted to 628123456789\s+"ada, silakan"/, 'a line a request');
($status, $out) = sandbox('ledger', '--totals');
is(JSON::PP->new->decode($out)->{accepted}, 1, 'or the totals');
($status, $out) = sandbox('call', 'POST', '/_sandbox/clock', '{"advance_s":10}');
is(JSON::PP->new->decode($out)->{shift_ms}, 10000, 'any control call');
is((sandbox('call', 'POST', '/_sandbox/nothing'))[0], 1, 'a refused one is status 1');
is((sandbox('customer', '--at', 'http://127.0.0.1:1', '--number', '1', '--from', '1', 'x'))[0], 2, 'no sandbox is status 2');
is((sandbox('customer', '--from', '1'))[0], 64, 'wrong usage is status 64');
like((sandbox('--version'))[1], qr/^laras-sandbox \d/, 'it knows its version');
done_testing();
