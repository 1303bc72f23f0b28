# What a person reads comes in the order in which it was written: of one
# transaction, with media that take two requests, and where one has to be tried again,
# which the others wait for, but not where it was withdrawn meanwhile. Ids are ahead of
# the clock after crashes: neither that order nor what a courier remembers of an earlier
# run's sends goes by them, and an upload is no message to anybody.
#
# proves R082

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('order', sandbox => { delivered_after_ms => -1, enforce_limits => JSON::PP::false });
my ($node, $sandbox) = ($stage->node, $stage->sandbox);
$stage->connect;
$stage->sql("SELECT laras.pause_workers('keeper')");
my $burst = 12;
is($stage->sql("SET ROLE laras_dba; INSERT INTO laras.limit_rule (channel, per_second, pair_burst, pair_interval, remark) VALUES ('whatsapp', 80, $burst, 3600000, 'one an hour')"), '', 'one message an hour to one person, and a few at once');
my $first = 628_123_481_000;
my @who = qw(many media again withdrawn limited);
$stage->customer($first + $_ . q(), 'halo', wait => JSON::PP::false) for 0 .. $#who;
ok($stage->wait_bound('SELECT count(*) = ' . @who . ' FROM laras.conversation', 60), 'people write');
my %conversation = map { $who[$_] => $stage->bound("SELECT id FROM laras.conversation WHERE contact_id IN (SELECT contact_id FROM laras.contacts_by_phone('+" . ($first + $_) . "'))") } 0 .. $#who;

# --------------------------------------------- as after a great many crashes
my $mark = (time + 3600) * 1000;
my $directories = $stage->sql('SHOW laras.keyring_directory');
$node->stop;
for my $dir ($directories =~ /\w+=([^,]+)/g)
{
	open my $fh, '>', "$dir/ids" or die "$dir: $!";
	binmode $fh;
	print $fh 'LARASIDS', pack 'Q> Q> Q>', $mark, ~$mark, 0;
	close $fh;
}
$node->start;
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'", 60), 'the server starts with ids that run an hour ahead');
cmp_ok($stage->sql('SELECT laras.id_time(laras.new_id()) > clock_timestamp()'), 'eq', 't', 'as they do');
$stage->bound(replies('limited', 1 .. 4));
ok(gone('limited'), 'four messages are sent');
is($stage->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras courier'"), 't', 'and the courier is ended');
$stage->bound(replies('limited', 5 .. $burst + 2));
ok($stage->wait_bound("SELECT count(*) = $burst FROM laras.outbox WHERE state = 'sent' AND conversation_id = $conversation{limited}", 60), 'what a person may still get, they get at once');
$stage->sql("SELECT laras.drain('500 ms')");
is($stage->bound("SELECT count(*) FROM laras.outbox WHERE state = 'queued' AND conversation_id = $conversation{limited}"), 2, 'and no more');
is(join(' ', sent_to('limited')), join(' ', 1 .. $burst), 'in their order');

# ---------------------------------------------------------- one transaction
$stage->bound(replies('many', 1 .. $burst));
ok(gone('many'), 'many are written at once');
is(join(' ', sent_to('many')), join(' ', 1 .. $burst), 'and come in their order');
is($stage->bound("SELECT array_agg(body ORDER BY created_at) = array_agg(body ORDER BY split_part(body, ' ', 2)::numeric) FROM laras.messages WHERE direction = 'out' AND conversation_id = $conversation{many}"), 't', 'which the inbox shows');

# ------------------------------------------------------------- two requests
$stage->bound(join '; ', map { $_ % 2 ? picture('media', $_) : replies('media', $_) } 1 .. $burst);
ok(gone('media'), 'pictures and words, as many as may be at once');
is(join(' ', sent_to('media')), join(' ', 1 .. $burst), 'come in their order');

# -------------------------------------------------------------- tried again
$sandbox->fault(action => 'refuse', code => 130429, times => 2, match => { route => 'messages', text => 'again 1.' });
$stage->bound(replies('again', 1 .. 4));
ok(gone('again'), 'the first is put off twice');
is($stage->bound("SELECT max(attempts) FROM laras.outbox WHERE conversation_id = $conversation{again}"), 3, 'and tried again');
is(join(' ', sent_to('again')), '1 2 3 4', 'before the others');
$sandbox->fault(action => 'refuse', code => 130429, times => 0, match => { route => 'messages', text => 'withdrawn 1.' });
my ($withdrawn) = split /\n/, $stage->bound(replies('withdrawn', 1 .. 3));
ok($stage->wait_bound("SELECT attempts > 0 FROM laras.outbox WHERE message_id = $withdrawn", 30), 'one is put off again and again');
ok($stage->wait_bound("SELECT laras.cancel_message($withdrawn)", 60), 'until it is withdrawn');
ok(gone('withdrawn'), 'then the others leave');
is(join(' ', sent_to('withdrawn')), '2 3', 'in their order');
$stage->stop;
done_testing();

sub replies
{
	my ($name, @n) = @_;
	return join '; ', map { "SELECT laras.reply($conversation{$name}, '$name $_.')" } @n;
}

sub picture
{
	my ($name, $n) = @_;
	return "SELECT laras.reply($conversation{$name}, '$name $n.', jsonb_build_object('media_id', laras.upload_media($conversation{$name}, '\\x89504e470d0a1a0a'::bytea || convert_to('gambar $n', 'UTF8'), 'image/png')))";
}

sub gone
{
	my ($name) = @_;
	return $stage->wait_bound("SELECT count(*) FILTER (WHERE state = 'sent') > 0 AND count(*) = count(*) FILTER (WHERE state IN ('sent', 'cancelled')) FROM laras.outbox WHERE conversation_id = $conversation{$name}", 60);
}

# the numbers of what the provider took for this person, as it took them
sub sent_to
{
	my ($name) = @_;
	my @taken = sort { $a->{seq} <=> $b->{seq} } $sandbox->ledger(accepted => 'true', path => '/messages', limit => 5000);
	return map { ((($_->{body}{text} // {})->{body} // $_->{body}{image}{caption} // '') =~ /^$name (\d+)\./) ? $1 : () } @taken;
}
