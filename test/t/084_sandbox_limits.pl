# The sandbox keeps the provider's limits and counts who exceeds them, its ledger finds
# repeated messages, its memory is bounded, and its control calls are for this machine alone.
use strict;
use warnings;
use Laras;
use Sandbox;
use Test::More;

my $s = Sandbox->start(sent_after_ms => -1, delivered_after_ms => -1, read_after_ms => -1);
my $shop = $s->shop(number => { rate => 5 });
my $budi = '628123456789';
$s->customer_says($shop, $_, 'halo') for $budi, '628123456700';

sub send_some
{
	my ($count, $to) = @_;
	my %seen;
	$seen{ ($s->send_text($shop, $to, "pesan $_"))[1]{error}{code} // 'taken' }++ for 1 .. $count;
	return \%seen;
}

# ---- messages a second
my $seen = send_some(8, $budi);
is_deeply($seen, { taken => 5, 130429 => 3 }, 'five a second, no more');
$s->advance(1);
is_deeply(send_some(2, $budi), { taken => 2 }, 'a second later again');
is($s->totals->{violations}{number_limit}, 3, 'each one too many is counted');
my ($number) = grep { $_->{id} eq $shop->{number} } @{ $s->status->{numbers} };
is($number->{violations}{number_limit}, 3, "and stands with its number");
$s->control(POST => 'settings', { enforce_limits => \0 });
$s->advance(1);
is_deeply(send_some(8, $budi), { taken => 8 }, 'when limits are only counted, all are taken');
is($s->totals->{violations}{number_limit}, 6, 'and counted');
$s->control(POST => 'settings', { enforce_limits => \1 });

# ---- messages to one customer
$s->control(POST => 'number', { id => $shop->{number}, rate => 1000, pair_burst => 45, pair_interval_ms => 6000 });
is_deeply(send_some(50, '628123456700'), { taken => 45, 131056 => 5 }, 'a burst of 45 to one customer');
$s->advance(6);
is_deeply(send_some(2, '628123456700'), { taken => 1, 131056 => 1 }, 'then one each six seconds');
$s->advance(60);
is_deeply(send_some(12, '628123456700'), { taken => 10, 131056 => 2 }, 'saved up while none is sent');
is($s->totals->{violations}{pair_limit}, 8, 'and counted');
$s->customer_says($shop, '628123456701', 'halo');
is(($s->send_text($shop, '628123456701', 'x'))[0], 200, 'another customer is not concerned');

# ---- a number that is used in the business app too
is(numbers_field('is_on_biz_app'), 0, 'a number is used here alone');
$s->control(POST => 'number', { id => $shop->{number}, coexistence => \1 });
is(numbers_field('is_on_biz_app'), 1, 'or in the business app too');
$s->control(POST => 'number', { id => $shop->{number}, pair_interval_ms => 0 });
$s->advance(1);
is_deeply(send_some(25, '628123456701'), { taken => 20, 130429 => 5 }, 'then it may send twenty a second');
$s->control(POST => 'number', { id => $shop->{number}, coexistence => \0, rate => 1000 });

# ---- accounts: all messages and those with media a second, private replies an hour, replies a day
my $app = $s->control(POST => 'app', {})->{id};
my $insta = $s->control(POST => 'account', { app_id => $app, rate => 3, private_replies => 2 })->{id};
my $token = $s->control(POST => 'account/token', { account => $insta, user_id => '77' })->{token};
$s->control(POST => 'account/message', { account => $insta, from => '9001', text => 'halo' });
sub to_person { return join ' ', map { my ($status, $answer) = $s->graph(POST => "$insta/messages", token => $token, body => $_[0]); $answer->{error}{code} // 'taken' } 1 .. $_[1]; }
is(to_person({ recipient => { id => '9001' }, message => { text => 'x' } }, 4), 'taken taken taken 613', 'an account sends so many a second');
$s->advance(1);
my $below = $s->control(POST => 'account/post', { account => $insta })->{id};
my @comment = map { $s->control(POST => 'account/comment', { post => $below, from => "900$_", text => 'berapa' })->{id} } 1 .. 5;
sub in_private { my ($id) = @_; return to_person({ recipient => { comment_id => $id }, message => { text => 'cek DM' } }, 1); }
is(join(' ', map { in_private($_) } @comment[ 0 .. 2 ]), 'taken taken 613', 'so many private replies an hour');
$s->advance(3590);
is(in_private($comment[2]), '613', 'within any hour');
$s->advance(10);
is(in_private($comment[2]), 'taken', 'and then again');
is_deeply($s->control(POST => 'account', { id => $insta })->{violations}, { messages => 1, media => 0, private_replies => 2, replies => 0 }, 'each one too many is counted');
is($s->totals->{violations}{account_limit}, 3, 'in all as well');
my $live = $s->control(POST => 'account/post', { account => $insta, live => \1 })->{id};
is(in_private($s->control(POST => 'account/comment', { post => $live, from => '9009', text => 'berapa' })->{id}), 'taken', 'a broadcast has its own');
is(($s->control_status(POST => 'account', { id => $insta, private_replies => -1 }))[0], 400, 'a limit is no less than none');

# ---- repeated messages
$s->control(DELETE => 'ledger');
$s->customer_says($shop, '628555000222', 'halo');
$s->send_text($shop, '628555000222', 'sama', biz_opaque_callback_data => 'one');
$s->send_text($shop, '628555000222', 'sama', biz_opaque_callback_data => 'two');
$s->send_text($shop, '628555000222', 'lain', biz_opaque_callback_data => 'two');
$s->send_text($shop, '628123456701', 'sama', biz_opaque_callback_data => 'three');
my $totals = $s->totals;
is_deeply([ @{ $totals->{messages} }{qw(total distinct repeated)} ], [ 4, 3, 1 ], 'the same content to the same customer is a repetition');
is_deeply([ @{ $totals->{callback_data} }{qw(total distinct repeated)} ], [ 4, 3, 1 ], 'and so is the same callback data');

# ---- the ledger's filters and bounds
is_deeply([ map { $_->{callback_data} } $s->ledger(to => '628555000222', accepted => 'true') ], [qw(one two two)], 'filtered by recipient');
my ($one) = $s->ledger(callback_data => 'one');
is_deeply([ @$one{qw(method path type number to outcome status)} ],
	[ 'POST', "/v23.0/$shop->{number}/messages", 'text', $shop->{number}, '628555000222', 'accepted', 200 ], 'an entry');
is($one->{body}{text}{body}, 'sama', 'with its body');
like($one->{body_sha256}, qr/^[0-9a-f]{64}$/, 'and digest');
unlike(join('', map { $_->{token} // '' } $s->ledger), qr/EAAG/, 'tokens are named, not kept');
is(scalar($s->ledger(after => $one->{seq}, limit => 2)), 2, 'read on from a place, so many');
$s->control(POST => 'settings', { ledger_entries => 10 });
$s->graph(GET => "nowhere/$_", token => $shop->{token}) for 1 .. 25;
is(scalar($s->ledger), 10, 'the last ten are kept');
is($s->totals->{requests}, 29, 'all are counted');

sub numbers_field
{
	my ($field) = @_;
	my (undef, $answer) = $s->graph(GET => "$shop->{number}?fields=$field,platform_type", token => $shop->{token});
	return "$answer->{platform_type}" eq 'CLOUD_API' && $answer->{$field} ? 1 : 0;
}

# ---- memory stays where it is
sub rss { open my $fh, '<', '/proc/' . $s->program->pid . '/statm' or die $!; return (split ' ', <$fh>)[1] * 4096 }
$s->control(POST => 'settings', { ledger_entries => 1000, enforce_limits => \0 });
my $rounds = long_run(3000, 100000);
# one connection, head and body in one write: HTTP::Tiny makes two, and waits for each acknowledgement
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->port) or die $!;
my $post = sub {
	my ($i) = @_;
	my $body = JSON::PP->new->utf8->encode(Sandbox::text_message('628555000222', "banyak $i"));
	my $answer = '';
	syswrite $socket, "POST /v23.0/$shop->{number}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $shop->{token}\r\n"
	  . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	while ($answer !~ /\}\z/) { sysread $socket, $answer, 4096, length $answer or die "connection lost"; }
	return $answer =~ m{^HTTP/1\.1 200};
};
my $before = $s->totals->{accepted};
$post->($_) for 1 .. $rounds;
my $half = rss();
$post->($_ + $rounds) for 1 .. $rounds;
cmp_ok(rss() - $half, '<', 4 << 20, "the second $rounds messages take no further memory");
is($s->totals->{accepted} - $before, 2 * $rounds, 'and all were taken');

# ---- control calls
my $alien = http_call(GET => $s->url . '/_sandbox/status', headers => { Origin => 'https://evil.example' });
is($alien->{status}, 403, "a browser's page may not drive the sandbox");
is(($s->control_status(POST => 'number', { colour => 1 }))[0], 400, 'an unknown key is told');
is(($s->control_status(POST => 'nothing'))[0], 404, 'so is an unknown call');
is(($s->control_status(POST => 'waba', { subscribe => ['0'] }))[0], 404, 'and an unknown object');
$s->reset;
is_deeply([ @{ $s->status }{qw(apps customers)}, $s->totals->{requests} ], [ 0, 0, 0 ], 'a reset leaves nothing');
$s->program->stop;
is($s->program->{status}, 0, 'it ends in order');
done_testing();
