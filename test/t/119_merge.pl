# Two contacts turn out to be one person: ids, conversations, messages and wishes
# become the kept one's, over one connection one conversation, each word readable
# as before without being sealed again; never across workspaces; and an erasure of
# the one that was kept destroys the keys of both.
#
# proves R091 R092 R093

use strict;
use warnings;

use Channels;
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('merge');
my $shop = Channels->open($stage, 'whatsapp');
is(($shop->connect)[0], 200, 'a number is connected');
my $page = Channels->open($stage, 'messenger');
@{$page}{qw(workspace cookie email)} = @{$shop}{qw(workspace cookie email)};
is(($page->connect)[0], 200, 'and a Page of the same business');
my $stranger = Channels->open($stage, 'whatsapp');
$stranger->connect;

$shop->says(Sari => 'halo dari wa');
$shop->says(Sarah => 'ini nomor baru saya');
$page->says(Sari => 'halo dari fb');
$stranger->says(Sari => 'halo orang lain');
ok($shop->wait_bound('SELECT count(*) = 3 FROM laras.messages'), 'three contacts write');
ok($stranger->wait_bound('SELECT count(*) = 1 FROM laras.messages'), 'and one to somebody else');
my ($wa, $new, $fb) = map { who($shop, $_) } 'halo dari wa', 'ini nomor baru saya', 'halo dari fb';
my $other = who($stranger, 'halo orang lain');
ok($shop->wait_bound("SELECT count(*) = 3 FROM laras.drafts WHERE state IN ('held', 'withheld')"), 'each has a draft');
my $slots = $stage->sql("SELECT string_agg(slot::text, ',') FROM laras.contact WHERE id IN ($wa, $new, $fb)");
my $sealed = $stage->sql("SELECT string_agg(body::text, ' ' ORDER BY id) FROM laras.message WHERE direction = 'in' AND workspace_id = $shop->{workspace}");
$shop->bound("SELECT laras.set_opt_out($fb, true)");

# ----------------------------------------------------------------- what is refused
like(fails("SELECT laras.merge_contacts($wa, $other, 'sama')"), qr/no such contact/, "another workspace's contact is none");
like(fails("SELECT laras.merge_contacts($wa, $wa, 'sama')"), qr/not merged with itself/, 'nor is one merged with itself');
like(fails("SELECT laras.merge_contacts($wa, $new, '')"), qr/a reason/, 'nor without a reason');
is($shop->bound('SELECT count(*) FROM laras.contacts'), 3, 'nothing has changed');

# ------------------------------------------------------------------ one connection
$shop->bound("SELECT laras.set_consent_basis($new, 'contract')");
my $merge = $shop->bound("SELECT laras.merge_contacts($wa, $new, 'nomor baru')");
is($shop->bound("SELECT consent_basis FROM laras.contacts WHERE id = $wa"), 'contract', 'what the business stated of the other holds for both');
like($merge, qr/^\d+$/, 'two of one number are merged');
is($shop->bound("SELECT contact_id = $wa AND merged_id = $new AND reason = 'nomor baru' FROM laras.contact_merges"), 't', 'which is written down');
is($shop->bound("SELECT count(*) || ' ' || sum(unread) FROM laras.conversations WHERE contact_id = $wa"), '1 2', 'their conversations are one');
is($shop->bound("SELECT string_agg(body, ', ' ORDER BY body) FROM laras.messages WHERE contact_id = $wa AND direction = 'in'"), 'halo dari wa, ini nomor baru saya', 'in which both are read');
is($stage->sql("SELECT string_agg(body::text, ' ' ORDER BY id) FROM laras.message WHERE direction = 'in' AND workspace_id = $shop->{workspace}"), $sealed, 'as they were sealed');
is($shop->bound("SELECT count(*) FROM laras.drafts WHERE state IN ('held', 'withheld')"), 0, 'drafts that saw half of it have ended, as has that for whoever opted out');
$shop->says(Sarah => 'masih saya');
ok($shop->wait_bound("SELECT contact_id = $wa FROM laras.messages WHERE body = 'masih saya'"), 'who writes by the other number is the same person');
my $reply = $shop->bound("SELECT laras.reply((SELECT conversation_id FROM laras.messages WHERE body = 'masih saya'), 'halo lagi')");
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $reply", 30), 'and is answered');

# -------------------------------------------------------------------- two channels
$shop->bound("SELECT laras.merge_contacts($wa, $fb, 'orang yang sama')");
is($shop->bound('SELECT count(*) FROM laras.contacts'), 1, 'one person is left');
is($shop->bound("SELECT string_agg(DISTINCT channel, ' ' ORDER BY channel) FROM laras.conversations WHERE contact_id = $wa"), 'messenger whatsapp', 'with a conversation a channel');
is($shop->bound("SELECT count(*) > 3 AND bool_and(value IS NOT NULL) FROM laras.contact_identities WHERE contact_id = $wa") . $shop->bound("SELECT count(DISTINCT value) FROM laras.contact_identities WHERE value IN ('" . join("', '", $shop->person('Sari'), $shop->person('Sarah'), $page->person('Sari')) . "')"), 't3', 'and every id of theirs')
  or diag $shop->bound('SELECT channel, kind, value FROM laras.contact_identities');
is($shop->bound("SELECT opt_out_at IS NOT NULL FROM laras.contacts"), 't', 'what one of them wished holds for the person');
is($stage->sql("SELECT count(*) FROM laras.suppression WHERE workspace_id = $shop->{workspace}") >= 3 ? 1 : 0, 1, 'under every id');
is($shop->bound("SELECT string_agg(DISTINCT contact_id::text, ' ') FROM laras.contact_merges"), $wa, 'both merges lead to it');
is($shop->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'contact.merged' AND subject_id = $wa"), 2, 'and are evidence');
my @tables = split /\n/, $stage->sql(q{SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'laras' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'contact_id'});
cmp_ok(scalar(@tables), '>', 10, 'many tables name a contact');
is(join(' ', grep { $stage->sql("SELECT count(*) FROM laras.$_ WHERE contact_id IN ($new, $fb)") } @tables), '', 'and none those that are gone');
# what the story does not write to is in the list too
my $list = do { local (@ARGV, $/) = "$ENV{LARAS_ROOT}/src/inbox/merge.c"; <> };
like($list, qr/laras_names_join/, 'the words of names by their own statement');
is(join(' ', grep { !/^contact_(merge|name_word)$/ && $list !~ /GIVE\("$_"\)/ } @tables), '', 'every one is given over by name');
my @conversed = split /\n/, $stage->sql(q{SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'laras' AND c.relkind = 'r' AND NOT c.relispartition AND a.attname = 'conversation_id'});
is(join(' ', grep { $list !~ /MOVE\("$_"\)/ } @conversed), '', 'and what names a conversation');

# ---------------------------------------------------------------------- erasure
$shop->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$wa\"}')");
is($stage->sql("SELECT string_agg(DISTINCT laras.key_state(s), ' ') FROM unnest(ARRAY[$slots]::bigint[]) s"), 'destroyed', 'an erasure destroys the keys of all three');
ok($stage->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM laras.message WHERE workspace_id = $shop->{workspace}"), 'and every message goes');
is($shop->bound('SELECT count(*) FROM laras.contact_merges'), 0, 'with the account of the merges');

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($shop->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

sub who { my ($of, $body) = @_; return $of->bound("SELECT contact_id FROM laras.messages WHERE body = '$body'"); }
sub fails { my ($query) = @_; (undef, undef, my $why) = $stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($shop->{workspace}); $query"); return $why; }
