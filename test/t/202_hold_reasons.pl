# Why a draft waits is said to its owner in a sentence, English and Indonesian, in the
# queue, with the draft and over HTTP: every code that the drafter, the classifier or a
# rule can give has its words, and none has words that nothing gives.
#
# proves R063 R068

use strict;
use warnings;
use utf8;

use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

# ---------------------------------------------------------------- the list of codes
my $list = slurp_file('src/answer/holdreason.h');
my %code = $list =~ /^#define (LARAS_HOLD_\w+) "(\w+)"$/mg;
my @code = sort values %code;
cmp_ok(scalar @code, '>', 40, 'there is a list of codes');
is_deeply([ grep { $_ ne 'LARAS_HOLD_' . uc $code{$_} } sort keys %code ], [], 'each by its own name');

my (%given, @unlisted);
for my $path (glob 'src/answer/*.c')
{
	my $source = slurp_file($path);
	$given{$_}++ for $source =~ /\b(LARAS_HOLD_\w+)/g;
	# a code that is written out where reasons are given is in no list
	while ($source =~ /(?:\bgive_reason\(|\bfall_back\(|\bllm_reason = |\breasons\[\w+\] = |\breason = )[^;{]*?"([a-z_]+)"/g)
	{
		push @unlisted, "$path: $1" unless $1 =~ /^(?:table|version|id)$/;
	}
	while ($source =~ /"((?:llm|ungrounded)_[a-z_]+)"/g)
	{
		push @unlisted, "$path: $1";
	}
	# nor one in the statements that write them
	push @unlisted, map { "$path: $_" } grep { $source =~ /'\{?$_\}?'/ } @code;
	push @unlisted, "$path: $1" while $source =~ /array_append\(.{0,90}?, '(\w+)'\)/g;
}
is("@unlisted", '', 'no code is given that is not in it');
is_deeply([ grep { !$given{$_} } sort keys %code ], [], 'and each is given somewhere');

# ------------------------------------------------------------------------ its words
my $stage = Stage->new('hold_reasons');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
is($stage->sql(q{SELECT string_agg(reason, ' ' ORDER BY reason COLLATE "C") FROM laras.hold_reason}), join(' ', @code), 'each has its words, and nothing else has');
is($stage->sql(q{SELECT string_agg(reason, ' ') FROM laras.hold_reason WHERE words_en = words_id OR words_en !~ '^[A-Z].*[.]$' OR words_id !~ '^[A-Z].*[.]$'}), '', 'in both languages, as sentences');
is($stage->sql('SELECT count(*) FROM laras.hold_reason GROUP BY words_en, words_id HAVING count(*) > 1'), '', 'and no two the same');
is($stage->bound("SELECT words_id FROM laras.hold_reason WHERE reason = 'emoji'"), 'Ada emoji, padahal bisnis ini tidak memakainya.', 'an application reads the list');
is($stage->bound("SELECT count(*) > 0 FROM laras.send_reason"), 't', 'and that of messages that did not leave, to which laras.notices points');
my $page = slurp_file('docs/how-to/approve-replies.md') . slurp_file('docs/how-to/language-model.md');
is_deeply([ grep { $page !~ /`$_`/ } @code ], [], 'the manual has each, too');

# -------------------------------------------------------------------- where they show
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 8000, 9)");
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, act) VALUES ($workspace, 1, 'review')");
$stage->customer('6281270000001', 'harga kopi tubruk?', name => 'Rina');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.approval_queue WHERE body IS NOT NULL', 30), 'a draft waits');
my $draft = $stage->bound('SELECT id FROM laras.approval_queue');
my @why = ('auto_send_off', 'review_rule');
my %words = map { my $language = $_; $language => [ map { $stage->sql("SELECT words_$language FROM laras.hold_reason WHERE reason = '$_'") } @why ] } qw(en id);
for my $view (qw(approval_queue drafts))
{
	is($stage->bound("SELECT array_to_string(hold_reasons, ' ') FROM laras.$view WHERE id = $draft"), "@why", "$view has the codes");
	is($stage->bound("SELECT array_to_string(words_$_, ' ') FROM laras.$view WHERE id = $draft"), "@{ $words{$_} }", "and says them in their order ($_)") for qw(en id);
}
my (undef, $queue) = $stage->call(GET => '/api/drafts');
my (undef, $one) = $stage->call(GET => "/api/drafts/$draft");
for my $answer ($queue->{drafts}[0], $one)
{
	is_deeply([ @$answer{qw(hold_reasons words_en words_id)} ], [ \@why, $words{en}, $words{id} ], 'over HTTP as well');
}

# ------------------------------------------- a code of another version, and none at all
$stage->sql("UPDATE laras.draft SET hold_reasons = '{of_old_times,emoji}' WHERE id = $draft");
is($stage->bound('SELECT words_id[1] || words_id[2] FROM laras.approval_queue'), 'of_old_timesAda emoji, padahal bisnis ini tidak memakainya.', 'a code that has no words is shown as it is');
$stage->sql("UPDATE laras.draft SET hold_reasons = '{}' WHERE id = $draft");
is($stage->bound('SELECT words_en::text || words_id::text FROM laras.approval_queue'), '{}{}', 'and where there is none there are no words');
$stage->stop;
done_testing();
