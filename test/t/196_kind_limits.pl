# Providers take less of some kinds of messages than of others: private replies an
# hour, public replies a day, files a second. What is over such a limit waits, says
# why and until when, and keeps neither other kinds nor other conversations waiting;
# within a conversation what comes after it waits too. No limit is exceeded by the
# sandbox's own count, across a courier that is killed neither.
#
# proves R082

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

# limits are counted and not enforced, and nothing is granted on top of them
my $stage = Stage->new('kinds', settings => { restart_after_crash => 'on' }, sandbox => { enforce_limits => JSON::PP::false, tolerance_ms => 0 });
my $sandbox = $stage->sandbox;

# ------------------------------------------------------------ what is set
is($stage->sql("SELECT string_agg(concat_ws(' ', channel, kind, per_second, quota, quota_period), ', ' ORDER BY channel, kind) FROM laras.limit_rules WHERE kind <> 'message' AND kind <> 'message_beside_app'"),
	'instagram live_private_reply 100, instagram media 10, instagram private_reply 750 3600, messenger media 10, threads comment 1000 86400', 'the limits of kinds that came with laras');
for my $wrong ("('threads', 'message', NULL, 5, 60)", "('threads', 'comment', NULL, 5, NULL)", "('threads', 'letter', 5, NULL, NULL)", "('threads', 'comment', NULL, 5, 604801)")
{
	isnt($stage->node->psql('postgres', "SET ROLE laras_dba; INSERT INTO laras.limit_rule (channel, kind, per_second, quota, quota_period, remark) VALUES " . $wrong =~ s/\)$/, 'wrong')/r), 0, "no rule: $wrong");
}

# ------------------------------------------------------- private replies
my $quota = 6;
my $period = 9;
my $people = 15;
my $shop = Channels->open($stage, 'instagram');
is(($shop->connect)[0], 200, 'an account of Instagram is connected');
my $connection = $shop->connection;
rule('instagram', 'private_reply', 'NULL', $quota, $period);
limit($shop, private_replies => $quota, private_replies_s => $period);
my $post = $sandbox->control(POST => 'account/post', { account => $shop->{account}{number} })->{id};
# whose post it is, is asked with the first
comments($shop, $post, 'Orang1', 'halo 1');
ok($shop->wait_bound('SELECT count(*) = 1 FROM laras.comments', 30), 'somebody comments');
comments($shop, $post, "Orang$_", "halo $_") for 2 .. $people;
ok($shop->wait_bound("SELECT count(*) = $people FROM laras.comments", 60), "$people people comment");
is($shop->says(Sari => 'boleh tanya?'), 200, 'somebody else writes');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'boleh tanya?'", 30), 'a direct message');

pause();
$shop->bound("SELECT count(laras.private_reply(id, 'cek DM ' || id)) FROM laras.comments WHERE direction = 'in'");
my $begun = now();
resume();
ok($shop->wait_bound("SELECT count(*) = $quota FROM laras.outbox WHERE kind = 'private_reply' AND state = 'sent'", 30), "a storm of private replies: $quota leave");
ok($shop->wait_bound("SELECT count(*) = @{[$people - $quota]} FROM laras.send_troubles WHERE reason = 'limit_private_reply' AND state = 'queued' AND retried AND words_en ~ 'private replies an hour' AND words_id ~ 'balasan pribadi' AND next_try_at > laras.now()", 10), 'the others wait, and say why and until when');
is($shop->bound("SELECT count(DISTINCT next_try_at) = count(*) AND max(next_try_at) > laras.now() + '" . ($period - 2) . " s' FROM laras.send_troubles WHERE reason = 'limit_private_reply'"), 't', 'each for its own moment, beyond the period where the quota is used up before');
my $other = $shop->reply(Sari => 'boleh kak');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $other", 5), 'a direct message of the account leaves at once');
my $public = $shop->bound('SELECT laras.reply(' . thread('halo 3') . ", 'sudah kami DM')");
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $public", 5), 'and a public reply');
is($shop->bound("SELECT count(*) FROM laras.outbox WHERE kind = 'private_reply' AND state = 'sent'"), $quota, 'while they wait');

# the courier is killed: the shared memory of the server goes with it, what it sent does not
my $pid = worker_pid($stage->node, 'courier');
kill 'KILL', $pid;
ok(wait_for_sql($stage->node, "SELECT turns > 0 FROM laras.list_workers() WHERE worker = 'courier' AND pid <> $pid", 60), 'the courier is killed, and another begins');
$stage->sql("SELECT laras.drain('300 ms')");
ok($shop->wait_bound("SELECT count(*) = $people FROM laras.outbox WHERE kind = 'private_reply' AND state = 'sent'", 60), 'all leave in the end');
cmp_ok(now() - $begun, '>=', $period * 2, 'not before the provider takes them');
is(violations($shop, 'private_replies'), 0, 'never more within a period than it takes');
is($sandbox->totals->{messages}{repeated}, 0, 'and nobody got anything twice');
is($shop->bound("SELECT count(*) FROM laras.send_troubles"), 0, 'and nothing is left to say');

# ----------------------------------------------- its turn in the conversation
# the quota is used up; a person who wrote gets a private reply to a comment, and then a word
is($shop->says(Budi => 'ini saya'), 200, 'a person writes');
comments($shop, $post, 'Budi', 'komentar budi');
comments($shop, $post, "Penuh$_", "penuh $_") for 1 .. $quota;
ok($shop->wait_bound("SELECT count(*) = 1 + $quota FROM laras.comments WHERE body ~ '^(komentar budi|penuh)'", 30), 'and comments, as others do');
$shop->bound("SELECT count(laras.private_reply(id, 'cek DM ' || id)) FROM laras.comments WHERE body ~ '^penuh'");
ok($shop->wait_bound("SELECT count(*) = $people + $quota FROM laras.outbox WHERE kind = 'private_reply' AND state = 'sent'", 60), 'the quota is used up');
my $first = $shop->bound("SELECT laras.private_reply(id, 'untuk budi') FROM laras.comments WHERE body = 'komentar budi'");
ok($shop->wait_bound("SELECT reason = 'limit_private_reply' FROM laras.outbox WHERE message_id = $first", 10), 'one more private reply waits');
my $second = $shop->bound("SELECT laras.reply(conversation_id, 'sesudahnya') FROM laras.messages WHERE id = $first");
my $elsewhere = $shop->reply(Sari => 'yang lain lewat');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $elsewhere", 5), 'another conversation does not wait');
is($shop->bound("SELECT (SELECT state = 'queued' FROM laras.outbox WHERE message_id = $second) OR (SELECT state = 'sent' FROM laras.outbox WHERE message_id = $first)"), 't', 'what comes after it in its own does');
ok($shop->wait_bound("SELECT count(*) = 2 FROM laras.outbox WHERE message_id IN ($first, $second) AND state = 'sent'", 30), 'both leave');
is($shop->bound("SELECT (SELECT finished_at FROM laras.outbox WHERE message_id = $first) <= (SELECT min(a.started_at) FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $second)"), 't', 'in their order, one after the other');

# withdrawn, it keeps nobody
comments($shop, $post, "Lagi$_", "lagi $_") for 1 .. $quota + 2;
ok($shop->wait_bound("SELECT count(*) = $quota + 2 FROM laras.comments WHERE body ~ '^lagi'", 30), 'more comments');
$shop->bound("SELECT count(laras.private_reply(id, 'cek DM ' || id)) FROM laras.comments WHERE body ~ '^lagi'");
ok($shop->wait_bound("SELECT count(*) >= 2 FROM laras.outbox WHERE reason = 'limit_private_reply' AND state = 'queued'", 30), 'more private replies, some of which wait');
my $last = $shop->bound("SELECT message_id FROM laras.outbox WHERE reason = 'limit_private_reply' AND state = 'queued' ORDER BY not_before DESC LIMIT 1");
my $behind = $shop->bound("SELECT laras.reply(conversation_id, 'di belakang') FROM laras.messages WHERE id = $last");
is($shop->bound("SELECT laras.cancel_message($last)"), 't', 'one is withdrawn');
ok($shop->wait_bound("SELECT state <> 'queued' FROM laras.outbox WHERE message_id = $behind", 8), 'and keeps nothing back');

# an operator who is allowed more says so, and what waits leaves
comments($shop, $post, "Banyak$_", "banyak $_") for 1 .. 5 * $quota;
ok($shop->wait_bound("SELECT count(*) = 5 * $quota FROM laras.comments WHERE body ~ '^banyak'", 30), 'many more comments');
$shop->bound("SELECT count(laras.private_reply(id, 'cek DM ' || id)) FROM laras.comments WHERE body ~ '^banyak'");
ok($shop->wait_bound("SELECT count(*) > 3 * $quota FROM laras.outbox WHERE reason = 'limit_private_reply' AND state = 'queued'", 10), 'and private replies, many of which wait');
rule('instagram', 'private_reply', 'NULL', 500, 3600);
limit($shop, private_replies => 500, private_replies_s => 3600);
ok($shop->wait_bound("SELECT count(*) = 0 FROM laras.outbox WHERE state = 'queued'", 20), 'with a larger quota what waits leaves');
is(violations($shop, 'private_replies') . violations($shop, 'messages'), '00', 'never more than was allowed');

# a throttle of the kind rests the kind alone
comments($shop, $post, "Akhir$_", "akhir $_") for 1 .. 2;
ok($shop->wait_bound("SELECT count(*) = 2 FROM laras.comments WHERE body ~ '^akhir'", 30), 'two more comments');
$sandbox->fault(match => { route => 'messages', text => 'comment_id' }, action => 'refuse', code => 613, times => 1);
my $throttled = $shop->bound("SELECT laras.private_reply(id, 'cek DM ya') FROM laras.comments WHERE body = 'akhir 1'");
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $throttled AND a.error_code = 613", 20), 'the provider wants less of private replies');
is($stage->sql('SELECT count(*) FROM laras.send_pause'), 0, 'the account is not left alone');
$other = $shop->reply(Sari => 'tetap jalan');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $other", 5), 'a direct message leaves at once');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $throttled", 90), 'and the private reply later');

# ------------------------------------------------------------------ files
my $page = Channels->open($stage, 'messenger');
is(($page->connect)[0], 200, 'a Page is connected');
rule('messenger', 'media', 4, 'NULL', 'NULL');
limit($page, media_rate => 4);
my @writers = map { "Tamu$_" } 1 .. 6;
$page->says($_ => "halo dari $_") for @writers;
ok($page->wait_bound('SELECT count(*) = 6 FROM laras.conversations', 30), 'six people write to it');
pause();
my @files;
for my $round (1 .. 3)
{
	push @files, $page->bound("SELECT laras.reply(c.id, '', jsonb_build_object('media_id', laras.upload_media(c.id, '\\x89504e470d0a1a0a'::bytea || convert_to('png ' || c.id || ' $round', 'UTF8'), 'image/png'))) FROM laras.conversations c") =~ /(\d+)/g;
}
$page->bound("SELECT count(laras.reply(c.id, 'sesudah gambar')) FROM laras.conversations c");
$page->says(Cepat => 'saya buru-buru');
ok($page->wait_bound('SELECT count(*) = 7 FROM laras.conversations', 30), 'a seventh, who wants no picture');
my $quick = $page->reply(Cepat => 'silakan kak');
resume();
ok($page->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $quick", 5), 'is answered at once');
cmp_ok($page->bound("SELECT count(*) FROM laras.outbox WHERE " . of($page) . " AND kind = 'media' AND state = 'queued'"), '>', 0, 'while files wait');
ok($page->wait_bound('SELECT count(*) = 0 FROM laras.outbox WHERE ' . of($page) . " AND state <> 'sent'", 60), 'all leave') or diag outbox();
is(violations($page, 'media'), 0, 'no second had more files than the provider takes');
is($page->bound("SELECT count(*) FROM laras.outbox t JOIN laras.outbox m ON m.conversation_id = t.conversation_id AND m.kind = 'media' AND m.finished_at > t.finished_at WHERE t.kind = 'text' AND t.message_id <> $quick"), 0, 'and no text passed the picture before it');

# ---------------------------------------------------------------- Threads
my $profile = Channels->open($stage, 'threads');
is(($profile->connect)[0], 200, 'a profile of Threads is connected');
rule('threads', 'comment', 'NULL', 4, 8);
limit($profile, replies => 4, replies_s => 8);
$profile->says("Wati$_" => "tanya $_") for 1 .. 7;
ok($profile->wait_bound('SELECT count(*) = 7 FROM laras.comments', 30), 'seven people reply to its post');
pause();
$profile->bound("SELECT count(laras.reply(conversation_id, 'jawab ' || body)) FROM laras.comments");
resume();
ok($profile->wait_bound('SELECT count(*) = 4 FROM laras.outbox WHERE ' . of($profile) . " AND state = 'sent'", 30), 'four are answered') or diag outbox();
ok($profile->wait_bound("SELECT count(*) = 3 FROM laras.send_troubles WHERE reason = 'limit_comment' AND next_try_at > laras.now()", 10), 'the others wait');
is($stage->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'laras courier'"), 't', 'the courier is ended');
ok($profile->wait_bound('SELECT count(*) = 7 FROM laras.outbox WHERE ' . of($profile) . " AND state = 'sent'", 40), 'and the rest leaves by its successor');
is(violations($profile, 'replies'), 0, 'within the quota');

is($sandbox->totals->{violations}{account_limit}, 0, 'no limit was exceeded');
is($sandbox->totals->{messages}{repeated}, 0, 'each message once');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($_->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies') for $shop, $page, $profile;
$stage->stop;
done_testing();

# Of the table, which shows who asks here all workspaces.
sub of { my ($who) = @_; return 'connection_id = ' . $who->connection; }
sub outbox { return $stage->sql("SELECT kind, state, reason, not_before - laras.now(), attempts, count(*) FROM laras.outbox GROUP BY 1, 2, 3, 4, 5"); }
sub pause { return $stage->sql("SELECT laras.pause_workers('courier')"); }
sub resume { return $stage->sql("SELECT laras.resume_workers('courier')"); }
sub now { return $stage->sql('SELECT extract(epoch FROM laras.now())'); }

# What the operator says of a kind.
sub rule
{
	my ($channel, $kind, $second, $most, $seconds) = @_;
	return is($stage->sql("SET ROLE laras_dba; DELETE FROM laras.limit_rule WHERE origin = 'local' AND channel = '$channel' AND kind = '$kind'; INSERT INTO laras.limit_rule (channel, kind, per_second, quota, quota_period, remark) VALUES ('$channel', '$kind', $second, $most, $seconds, 'a test in a hurry')"), '', "an operator has other limits of $kind");
}

sub limit { my ($who, %what) = @_; return $sandbox->control(POST => 'account', { id => $who->{account}{number}, %what }); }
sub violations { my ($who, $kind) = @_; return limit($who)->{violations}{$kind}; }

sub comments
{
	my ($who, $below, $name, $text) = @_;
	return $sandbox->control(POST => 'account/comment', { post => $below, from => $who->person($name), name => $name, text => $text, wait => JSON::PP::true });
}

sub thread { my ($body) = @_; return $shop->bound("SELECT conversation_id FROM laras.comments WHERE body = '$body'"); }
