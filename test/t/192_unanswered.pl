# What a person has to answer stays with a person: a complaint, a question that no
# row answers, a picture. When the customer writes on, whatever comes is drafted
# together with it and waits beside it, until somebody has answered, approved or
# rejected; where nothing is open, all goes by itself as before. And a question
# that leaves out what was said before is read behind the one before.
#
# proves R058 R065 R067 R069 R070

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('unanswered');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES
	($workspace, 1, 'Nastar Klasik 250 gr', 'Kue kering isi nanas.', 55000, 12), ($workspace, 2, 'Nastar Klasik 500 gr', 'Kue kering isi nanas.', 105000, 8),
	($workspace, 3, 'Lapis Legit', 'Satu loyang, tahan satu minggu.', 250000, 5), ($workspace, 4, 'Kastengel 250 gr', 'Kue kering keju.', 65000, 0),
	($workspace, 5, 'Kastengel 500 gr', 'Kue kering keju.', 125000, 3), ($workspace, 6, 'Coffee', 'Fresh.', 30000, 9), ($workspace, 7, 'Tea', 'Fresh.', 10000, 9)});
$stage->bound(qq{INSERT INTO laras.policy_text (workspace_id, id, topic, language, body) VALUES
	($workspace, 10, 'pengiriman', 'id', 'Ongkir Jakarta Rp 10.000. Ongkir Surabaya Rp 25.000. Ongkir Makassar Rp 45.000.'),
	($workspace, 11, 'jam buka', 'id', 'Kami buka setiap hari jam 08.00 sampai 20.00.')});
$stage->bound("SELECT laras.set_auto_send($connection, true)");

my $serial = 0;
sub somebody { return sprintf '6281990%06d', ++$serial; }

# What became of all that this customer was drafted, the oldest first.
sub drafts
{
	my ($phone) = @_;
	my $rows = $stage->bound(qq{SELECT coalesce(json_agg(r ORDER BY r.created_at, r.id), '[]') FROM (SELECT d.id::text, d.created_at, CASE WHEN d.state = 'approved' THEN 'sent' ELSE d.state END AS state,
		d.intent, array_to_string(d.hold_reasons, ' ') AS reasons, coalesce(d.body, '') AS body, d.confidence, d.conversation_id::text AS conversation, d.sources FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone' AND d.purpose = 'service') r});
	return @{ JSON::PP->new->decode($rows) };
}
# They write; the draft that answers it, when it is there.
sub writes
{
	my ($phone, $text) = @_;
	my $before = drafts($phone);
	my @drafts;
	is($stage->customer($phone, $text)->{status}, 200, $text);
	wait_for(sub { @drafts = drafts($phone); return @drafts > $before }, 30)
	  or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'));
	return $drafts[-1];
}
sub queue { my ($phone) = @_; return $stage->bound("SELECT coalesce(string_agg(array_to_string(hold_reasons, ' '), '; '), '') FROM laras.approval_queue q JOIN laras.contact_identities i ON i.contact_id = q.contact_id WHERE i.value = '$phone'"); }
# All of it is one text for the provider: what did this phone get?
sub got { my ($phone) = @_; return scalar(() = grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} && ($_->{body}{to} // '') eq $phone } $stage->sandbox->ledger); }

# ---- a complaint, somebody wanted, what no row has: what comes next waits
for my $first ([ 'kak kuenya basi, saya kecewa, minta refund!', 'complaint' ], [ 'saya mau bicara dengan orang', 'human' ], [ 'ada tumpeng?', undef ])
{
	for my $then ('nastar klasik 250 gr brp?', 'makasih ya')
	{
		my $phone = somebody();
		is(writes($phone, $first->[0])->{state}, 'held', 'is left to a person');
		my $next = writes($phone, $then);
		is($next->{state}, 'held', 'is held behind it');
		like($next->{reasons}, qr/\bearlier_unanswered\b/, 'and says why');
		is($next->{intent}, $first->[1], 'as what both say together') if defined $first->[1];
		like(queue($phone), qr/^[a-z_ ]*\bearlier_unanswered\b[a-z_ ]*$/, 'one draft is in the queue, with the reason');
		is(got($phone), 0, 'nothing went out');
	}
}

# ---- it stays so, however often they write, and whatever is written
my $phone = somebody();
writes($phone, 'kak kuenya basi, saya kecewa, minta refund!');
writes($phone, $_) for 'lapis legit brp?', 'halo?';
my $last = writes($phone, 'ok');
is($last->{state}, 'held', 'an "ok" behind it closes nothing');
is($last->{intent}, 'complaint', 'it is still the complaint');
is(scalar(() = grep { $_->{state} eq 'superseded' } drafts($phone)), 3, 'each took the place of the one before');
is(got($phone), 0, 'and nothing went out');

# ---- more than is read together: that somebody waits is known all the same
$phone = somebody();
writes($phone, 'kak kuenya basi, saya kecewa, minta refund!');
$stage->sql("SELECT laras.pause_workers('keeper')");
$stage->customer($phone, "lapis legit brp? $_") for 1 .. 20;
ok(wait_for_sql($stage->node, 'SELECT count(*) = 20 FROM laras.draft_wanted'), 'twenty come at once');
$stage->sql("SELECT laras.resume_workers('keeper')");
ok($stage->wait_bound("SELECT count(*) = 2 FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'", 30), 'and are one draft');
like(queue($phone), qr/\bearlier_unanswered\b/, 'which waits behind the complaint');

# ---- a person ends it: a reply, an approval, a rejection
for my $end (
	[ 'a reply', sub { $stage->bound("SELECT laras.reply($_[0]{conversation}, 'Maaf kak, kami ganti ya.')") } ],
	[ 'an approval', sub { $stage->bound("SELECT laras.approve_draft($_[0]{id})") } ],
	[ 'an approval in other words', sub { $stage->bound("SELECT laras.approve_draft($_[0]{id}, 'Maaf kak, kami ganti ya.')") } ],
	[ 'a rejection', sub { $stage->bound("SELECT laras.reject_draft($_[0]{id}, 'sudah ditelepon')") } ])
{
	$phone = somebody();
	writes($phone, 'kak kuenya basi, saya kecewa, minta refund!');
	my $held = writes($phone, 'lapis legit brp?');
	is($held->{state}, 'held', "before $end->[0] it waits");
	$end->[1]->($held);
	my $next = writes($phone, 'lapis legit brp?');
	is($next->{state}, 'sent', "after $end->[0] what comes goes by itself") or diag $next->{reasons};
	is($next->{intent}, 'price', 'and the complaint is no part of it');
}

# ---- where nothing is open all goes on as before
$phone = somebody();
is(writes($phone, 'lapis legit brp?')->{state}, 'sent', 'a question is answered');
is(writes($phone, 'makasih ya')->{state}, 'sent', 'thanks after it too');
is(writes($phone, 'ok')->{state}, 'withheld', 'an "ok" needs no answer');
$last = writes($phone, 'kastengel 250 gr brp?');
is($last->{state}, 'sent', 'nor does it hold up what comes');
unlike($last->{body}, qr/250\.000/, 'and what was answered is not answered again');

# ---- a wish was understood: nobody has to answer it
$phone = somebody();
is(writes($phone, 'lapis legit brp?')->{state}, 'sent', 'a question is answered');
$stage->customer($phone, 'STOP');
$stage->customer($phone, 'MULAI');
ok($stage->wait_bound("SELECT count(*) = 3 FROM laras.messages m JOIN laras.contact_identities i ON i.contact_id = m.contact_id WHERE i.value = '$phone' AND m.direction = 'in'"), 'they leave, and come back');
$stage->sql('SELECT laras.drain()');
is(writes($phone, 'lapis legit brp?')->{state}, 'sent', 'and are answered by itself');

# ---- taken back by its writer
$phone = somebody();
$stage->webhook($phone, 'saya kecewa, kuenya basi, minta refund!', id => 'wamid.BACK');
ok(wait_for(sub { return queue($phone) ne '' }, 30), 'a complaint waits');
is($stage->sandbox->control(POST => 'customer/message', { number => $stage->shop->{number}, from => $phone, wait => JSON::PP::true,
	message => { type => 'revoke', revoke => { original_message_id => 'wamid.BACK' } } }) ? 1 : 0, 1, 'and is taken back');
ok(wait_for(sub { return queue($phone) eq '' }, 30), 'nobody need answer it');
is(writes($phone, 'lapis legit brp?')->{state}, 'sent', 'nor does what comes wait for that');

# ---- what a question leaves out, where the one before was answered by itself
# the first, the next, what the answer to that has, and what not
for my $talk (
	[ 'nastar brp kak', 'yang 250', qr/Nastar Klasik 250 gr.*55\.000/, qr/500|Kastengel/ ],
	[ 'nastar brp kak', 'yg 500 gr ya kak', qr/Nastar Klasik 500 gr.*105\.000/, qr/250|Kastengel/ ],
	[ 'nastar klasik 500 gr brp', 'kalau yang 250?', qr/Nastar Klasik 250 gr.*55\.000/, qr/Kastengel|105\.000/ ],
	[ 'nastar brp kak', 'yang pertama', qr/Nastar Klasik 250 gr.*55\.000/, qr/500|Kastengel/ ],
	[ 'nastar brp kak', 'yg kedua aja kak', qr/Nastar Klasik 500 gr.*105\.000/, qr/250|Kastengel/ ],
	[ 'kastengel brp kak', 'nomor 2 masih ada?', qr/Kastengel 500 gr/, qr/250|Nastar/ ],
	[ 'lapis legit ready?', 'brp harganya?', qr/Lapis Legit.*250\.000/, qr/Nastar|Kastengel/ ],
	[ 'lapis legit brp kak?', 'masih ready?', qr/Lapis Legit/, qr/Nastar|Kastengel/ ],
	[ 'ongkir makassar brp', 'kalau surabaya?', qr/Surabaya Rp 25\.000/, qr/Nastar/ ],
	[ 'how much is the tea?', 'and the coffee?', qr/Coffee.*IDR 30,000/, qr/Tea/ ])
{
	$phone = somebody();
	is(writes($phone, $talk->[0])->{state}, 'sent', 'is answered');
	my $next = writes($phone, $talk->[1]);
	is($next->{state}, 'sent', 'and so is what it means then') or diag "$next->{intent} $next->{reasons} $next->{confidence}";
	like($next->{body}, $talk->[2], 'from that row');
	unlike($next->{body}, $talk->[3], 'and from no other');
	ok(@{ JSON::PP->new->decode(ref $next->{sources} ? JSON::PP->new->encode($next->{sources}) : $next->{sources}) } > 0, 'which it cites');
}
# on and on: each stands on the one before it
$phone = somebody();
writes($phone, 'lapis legit ready?');
writes($phone, 'brp harganya?');
like(writes($phone, 'masih ada?')->{body}, qr/Lapis Legit.*5/, 'of what was spoken of last');

# no more than that
for my $talk (
	[ 'nastar klasik 250 gr brp?', 'kalau tumpeng?', 'what nobody sells' ],
	[ 'ongkir makassar brp', 'kalau merauke?', 'a place that no row has' ],
	[ 'lapis legit brp kak?', 'kuenya basi, saya kecewa', 'a complaint' ],
	[ 'lapis legit brp kak?', 'mahal ya kak', 'what was just answered' ],
	[ 'lapis legit brp kak?', 'buat ulang tahun mama', 'what is no question' ])
{
	$phone = somebody();
	is(writes($phone, $talk->[0])->{state}, 'sent', 'is answered');
	is(writes($phone, $talk->[1])->{state}, 'held', "$talk->[2] is left to a person");
	is(got($phone), 1, 'one text went out');
}
$phone = somebody();
writes($phone, 'nastar klasik 250 gr brp?');
$last = writes($phone, 'lapis legit?');
like($last->{body}, qr/Lapis Legit/, 'another thing that is sold is that thing');
unlike($last->{body}, qr/Nastar/, 'and not the one before');

# a person wrote in between, or it was long ago
$phone = somebody();
$last = writes($phone, 'lapis legit ready?');
$stage->bound("SELECT laras.reply($last->{conversation}, 'Kastengel juga ada, kak.')");
is(writes($phone, 'brp harganya?')->{state}, 'held', 'what a person spoke of is not known');
$phone = somebody();
writes($phone, 'lapis legit ready?');
$stage->sql("UPDATE laras.draft SET decided_at = decided_at - interval '31 minutes' WHERE id = (SELECT max(id) FROM laras.draft)");
is(writes($phone, 'brp harganya?')->{state}, 'held', 'nor what was meant half an hour ago');

# ---- nothing goes by itself anyway: states are as before, and what is open is read together
$stage->bound("SELECT laras.set_auto_send($connection, false)");
$phone = somebody();
is(writes($phone, 'lapis legit ready?')->{reasons}, 'auto_send_off', 'held, since nothing goes by itself');
$last = writes($phone, 'makasih ya');
is("$last->{state} $last->{reasons}", 'held auto_send_off', 'and so is the next');
like($last->{body}, qr/Lapis Legit/, 'which has the answer to both');

$stage->stop;
done_testing;
