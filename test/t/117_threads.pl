# Threads: replies below the profile's posts are inbox items, and are answered by
# two requests, of which only the second is seen. Whatever is lost on the way, a
# reply is published once: what comes back settles it, and where nothing does the
# container is asked.
#
# proves R045 R049 R050 R087

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('threads');
my $shop = Channels->open($stage, 'threads');
my $sandbox = $stage->sandbox;
my $message;
is(($shop->connect)[0], 200, 'a profile is connected');
my $connection = $shop->connection;

is($shop->says(Sari => 'masih ada stok?'), 200, 'somebody replies to a post');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'masih ada stok?' AND provider_post_id = '$shop->{post}'"), 'which is in the inbox');
is($stage->sql("SELECT count(*) FROM laras.outbound_call WHERE purpose = 'read_post'"), 0, 'its event says whose post it is');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.drafts WHERE state IN ('held', 'withheld')"), 'it gets a draft');

$message = $shop->reply(Sari => 'masih, kak');
is(ends($message), 'sent', 'it is answered');
is(steps($message), 'staged sent', 'by two requests');
$stage->sql("SELECT laras.drain('30 s')");
is($shop->bound("SELECT count(*) || ' ' || count(provider_comment_id) FROM laras.comments WHERE direction = 'out'"), '1 1', 'what comes back makes no second comment');

# the first request may be lost, and is repeated
$sandbox->fault(match => { path => "$shop->{account}{number}/threads" }, action => 'close_unanswered');
$message = $shop->reply(Sari => 'warna merah');
is(ends($message), 'sent', 'a lost container is made again');
like(steps($message), qr/^(?:retry|not_sent) staged sent$/, 'before anything is published');
# the second, taken, with what comes back
$sandbox->fault(match => $shop->matches_send, action => 'close_unanswered', accept => JSON::PP::true);
$message = $shop->reply(Sari => 'warna biru');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message", 30), 'what comes back settles a lost answer');
is($stage->sql("SELECT string_agg(resolved_by, ' ' ORDER BY a.id) FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $message"), 'answer echo', 'as is written down');
# not taken: nothing comes back, the container says that it was not published
$sandbox->fault(match => $shop->matches_send, action => 'close_unanswered', accept => JSON::PP::false);
$message = $shop->reply(Sari => 'warna hijau');
ok($shop->wait_bound("SELECT state = 'uncertain' FROM laras.outbox WHERE message_id = $message", 30), 'one that was not taken is uncertain');
$stage->sql("SELECT laras.advance_clock('11 s')");
$stage->sql("SELECT laras.pause_workers('courier')");
$stage->sql("SELECT laras.resume_workers('courier')");
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $message", 30), 'until the container was asked: it is published');
is(steps($message), 'staged uncertain sent', 'then');
is(scalar(grep { $_->{path} =~ m{threads_publish$} && $_->{accepted} } $sandbox->ledger), 4, 'each was published once');
$stage->sql("SELECT laras.drain('30 s')");
is($shop->bound("SELECT count(*) || ' ' || count(DISTINCT body) FROM laras.comments WHERE direction = 'out'"), '4 4', 'and is one comment');

# what Threads cannot
(undef, undef, my $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($shop->{workspace}); SELECT laras.private_reply(id, 'halo') FROM laras.comments WHERE body = 'masih ada stok?'");
like($error, qr/0A000: comments of this channel are not answered in private/, 'there are no direct messages: a private answer is refused at once');
is($shop->bound('SELECT count(*) FROM laras.private_replies'), 0, 'and not written down');
my ($status, $answer) = $shop->call(POST => '/api/comments/' . $shop->bound("SELECT id FROM laras.comments WHERE body = 'masih ada stok?'") . '/private-reply', { body => 'halo' });
is("$status $answer->{error}{code} $answer->{error}{hint}", '422 0A000 Answer in public, by laras.reply.', 'over HTTP too');

# others' posts, mentions, deletions
is($shop->late(Tono => 'terlambat'), 200, 'a reply to a post of its own');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE body = 'terlambat'"), 'is kept');
is(Laras::post_webhook($stage->url, 'threads', $shop->{account}{secret}, JSON::PP->new->encode({ app_id => $shop->{account}{app}, topic => 'interaction', target_id => $shop->{account}{number}, time => time,
			values => { field => 'mentions', value => { id => '777', username => 'wati', text => 'beli di @toko aja', media_type => 'TEXT_POST', timestamp => '2026-01-01T10:00:00+0000' } } }))->{status}, 200, 'somebody mentions the profile');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE kind = 'mention' AND body = 'beli di \@toko aja'"), 'which is in the inbox');
is($stage->sql("SELECT count(*) FROM laras.draft_wanted w JOIN laras.message m ON m.id = w.message_id WHERE m.kind = 'mention'"), 0, 'and wants no answer by itself');
my $said = $shop->bound("SELECT provider_comment_id FROM laras.comments WHERE body = 'masih ada stok?'");
$sandbox->control(POST => 'account/comment', { id => $said, verb => 'remove', wait => JSON::PP::true });
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.comments WHERE provider_comment_id = '$said' AND body IS NULL AND unsent_at IS NOT NULL"), 'what its writer deletes is emptied');

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($shop->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

sub ends
{
	my ($id) = @_;
	$shop->wait_bound("SELECT state IN ('sent', 'refused', 'cancelled', 'parked') FROM laras.outbox WHERE message_id = $id", 30);
	return $shop->bound("SELECT state FROM laras.outbox WHERE message_id = $id");
}

# What became of each request of a message.
sub steps { my ($id) = @_; return $stage->sql("SELECT string_agg(outcome, ' ' ORDER BY a.id) FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $id"); }
