# How customers sound: the shipped weights on sentences they were not made from,
# beside a count of words; what a plain question, a complaint and praise score; that
# the same files make the same weights; then the score of messages as they come, are edited,
# unsent and erased, the same in every workspace and seen in its own alone.
# proves R074
use strict;
use warnings;

use lib 'test/lib';
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

# ----------------------------------------------------------------- the weights
my $program = PostgreSQL::Test::Utils::tempdir() . '/classify';
my ($out, $err) = ('', '');
IPC::Run::run([ $ENV{CC} // 'cc', qw(-std=gnu99 -O2 -Wall -Werror -Isrc test/sentiment/classify.c src/inbox/sentimentmodel.c -lm -o), $program ], '>', \$out, '2>&1') or die $out;

sub read_labelled { my ($path) = @_; return map { [ split /\t/ ] } split /\n/, slurp_file($path); }

# The class and the score of each text.
sub weigh
{
	my @texts = @_;
	my ($said, $complaint) = ('', '');
	IPC::Run::run([ $program, 'src/inbox/sentiment.weights' ], '<', \join('', map { "$_\n" } @texts), '>', \$said, '2>', \$complaint) or die $complaint;
	return map { [ split /\t/ ] } split /\n/, $said;
}

sub classify { return map { $_->[0] } weigh(@_); }
sub score { return map { $_->[1] } weigh(@_); }

# How many of a hundred pass.
sub share { my ($passes, @scores) = @_; return 100 * (grep { $passes->($_) } @scores) / @scores; }

sub mean
{
	my @scores = @_;
	my $sum = 0;
	$sum += $_ for @scores;
	return $sum / @scores;
}

# The mean over the classes of their F1.
sub macro_f1
{
	my ($labelled, @said) = @_;
	my (%right, %said, %is);
	for my $i (0 .. $#$labelled)
	{
		my $class = $labelled->[$i][1];
		$right{$class}++ if $said[$i] eq $class;
		$said{ $said[$i] }++;
		$is{$class}++;
	}
	my $sum = 0;
	$sum += 2 * ($right{$_} // 0) / (($said{$_} // 0) + ($is{$_} // 0) || 1) for qw(negative neutral positive);
	return $sum / 3;
}

# A text without what spelling adds, to tell whether two are one.
sub plain
{
	my ($text) = @_;
	return join ' ', lc($text) =~ /[a-z0-9]+/g;
}

sub count_words
{
	my ($words, @texts) = @_;
	my %leaning = map { $_->[0] => $_->[1] eq 'positive' ? 1 : -1 } read_labelled($words);
	return map {
		my $sum = 0;
		$sum += $leaning{$_} // 0 for lc =~ /[a-z']+/g;
		$sum > 0 ? 'positive' : $sum < 0 ? 'negative' : 'neutral'
	} @texts;
}

# Sentences of our own: every third is held out.
my (%learned, @unseen);
for my $language (['english', 'English', 800, 0.85], ['indonesian', 'Indonesian chat', 800, 0.82])
{
	my ($file, $name, $at_least, $bound) = @$language;
	my @sentences = read_labelled("test/sentiment/$file.tsv");
	my @held_out = @sentences[ grep { $_ % 3 == 2 } 0 .. $#sentences ];
	$learned{ plain($_->[0]) } = 1 for @sentences[ grep { $_ % 3 != 2 } 0 .. $#sentences ], read_labelled("test/sentiment/$file-leanings.tsv"),
		$file eq 'english' ? read_labelled('test/sentiment/english-words.tsv') : ();
	push @unseen, map { $_->[0] } @held_out;
	cmp_ok(scalar @sentences, '>=', $at_least, "$name: sentences of our own");
	cmp_ok(scalar @held_out, '>=', int(@sentences / 3), 'of which a third is held out');
	my $model = macro_f1(\@held_out, classify(map { $_->[0] } @held_out));
	my $words = macro_f1(\@held_out, count_words("test/sentiment/$file-words.tsv", map { $_->[0] } @held_out));
	diag(sprintf '%s, held out: macro-F1 %.3f; counting words %.3f', $name, $model, $words);
	cmp_ok($model, '>=', $bound, $name);
	cmp_ok($model, '>', $words, 'better than counting words');
}

# What customers of shops write most is a question, and a question is neither glad nor angry.
my @asked;
for my $file (glob 'test/quality/*/questions.tsv')
{
	for my $line (map { [ split /\t/ ] } split /\n/, slurp_file($file))
	{
		push @asked, $line->[2] if $line->[0] =~ /^\d+$/ && $line->[1] =~ /^(?:price|stock|hours|delivery|payment)$/;
	}
}
push @unseen, @asked;
cmp_ok(scalar @asked, '>', 300, 'plain questions of the shops of test/quality');
my @score_of_asked = score(@asked);
my $low = share(sub { $_[0] <= -0.3 }, @score_of_asked);
diag(sprintf 'plain questions: mean %.3f, %.1f of a hundred at -0.3 or below', mean(@score_of_asked), $low);
cmp_ok(abs mean(@score_of_asked), '<=', 0.1, 'in the mean they are near 0');
cmp_ok($low, '<=', 5, 'few sound angry');

# Complaints and praise, of which none was learned from, stand clearly apart.
my @opinions = read_labelled('test/sentiment/complaints-and-praise.tsv');
push @unseen, map { $_->[0] } @opinions;
for my $opinion (['negative', 'complaints', -1], ['positive', 'praise', 1])
{
	my ($class, $name, $sign) = @$opinion;
	my @scores = map { $sign * $_ } score(map { $_->[0] } grep { $_->[1] eq $class } @opinions);
	my $clear = share(sub { $_[0] >= 0.3 }, @scores);
	diag(sprintf '%s: mean %.3f, %.1f of a hundred beyond 0.3', $name, $sign * mean(@scores), $clear);
	cmp_ok(scalar @scores, '>=', 40, $name);
	cmp_ok(mean(@scores), '>=', 0.6, 'in the mean they are far from 0');
	cmp_ok($clear, '>=', 85, 'most are clear');
	cmp_ok(share(sub { $_[0] < 0 }, @scores), '<=', 5, 'few are taken for the contrary');
}
is(join(', ', grep { $learned{ plain($_) } } @unseen), '', 'what is held out was not learned from');

my $valid = shared_file('data/smsa/valid.tsv');
SKIP:
{
	skip 'the Indonesian sentences (shared/data/smsa) are not here', 3 unless defined $valid;
	my @indonesian = read_labelled($valid);
	my $model = macro_f1(\@indonesian, classify(map { $_->[0] } @indonesian));
	my $words = macro_f1(\@indonesian, count_words('test/sentiment/indonesian-words.tsv', map { $_->[0] } @indonesian));
	diag(sprintf 'Indonesian, validation split: macro-F1 %.3f; counting words %.3f', $model, $words);
	cmp_ok($model, '>=', 0.84, 'Indonesian');
	cmp_ok($model, '>', $words, 'better than counting words');
	my $made = PostgreSQL::Test::Utils::tempdir() . '/weights';
	IPC::Run::run([ 'test/sentiment/train', $valid =~ s{/valid\.tsv$}{}r, $made ], '>', \$out, '2>&1') or die $out;
	ok(slurp_file($made) eq slurp_file('src/inbox/sentiment.weights'), 'the same files make the same weights');
}

# ----------------------------------------------------------------- messages
my $stage = Stage->new('sentiment');
$stage->connect;
my @text = ('Terima kasih kak, kopinya enak sekali!', 'Alamat tokonya di mana?', 'Kecewa banget, barangnya rusak dan tidak ada yang jawab');

# The messages of a customer, arrived one after another.
sub say
{
	my ($who, @says) = @_;
	for my $text (@says)
	{
		my $before = $stage->bound("SELECT count(*) FROM laras.messages WHERE direction = 'in'");
		$stage->customer($who, $text);
		$stage->wait_bound("SELECT count(*) > $before FROM laras.messages WHERE direction = 'in'") or die "no message arrived\n";
	}
	return;
}

say('6281240000001', @text);
my %score = map { split /\|/ } split /\n/, $stage->bound("SELECT body, sentiment FROM laras.messages WHERE direction = 'in'");
is(scalar keys %score, 3, 'each message has a score');
cmp_ok($score{ $text[0] }, '>', 0.3, 'a happy one');
cmp_ok($score{ $text[2] }, '<', -0.3, 'an angry one');
cmp_ok(abs($_), '<=', 1, 'between -1 and 1') for values %score;
my $mean = $stage->bound('SELECT laras.conversation_sentiment(id) FROM laras.conversation');
cmp_ok($mean, '<', ($score{ $text[0] } + $score{ $text[1] } + $score{ $text[2] }) / 3, 'the conversation sounds as its newest texts do');
cmp_ok($mean, '>', $score{ $text[2] }, 'but not as the last alone');
is($stage->bound('SELECT laras.conversation_sentiment(42)'), '', 'of no conversation there is none');
say('6281240000002', '...');
is($stage->bound("SELECT sentiment IS NULL FROM laras.messages WHERE body = '...'"), 't', 'a text without a word says nothing');
is($stage->sql("SELECT count(*) FROM laras.messages WHERE sentiment IS NOT NULL"), 0, 'without a workspace no score is seen');
is($stage->sql("SELECT count(*) FROM laras.message WHERE sentiment::text LIKE '%0.%'"), 0, 'and none lies open');

# what somebody else's customers write changes nothing
say('6281240000003', $text[0]);
is($stage->bound("SELECT count(DISTINCT sentiment) FROM laras.messages WHERE body = '$text[0]'"), 1, 'the same text has the same score');

# ----------------------------------------------------------------- erased
my $contact = $stage->bound("SELECT contact_id FROM laras.messages WHERE body = '$text[2]'");
$stage->sql("SELECT laras.pause_workers('keeper')");
$stage->bound(qq{SELECT laras.request_erasure('contact', '{"contact_id": "$contact"}')});
is($stage->bound("SELECT count(*) FROM laras.messages WHERE contact_id = $contact AND sentiment IS NOT NULL"), 0, 'erased with the contact');
is($stage->bound("SELECT laras.conversation_sentiment(id) IS NULL FROM laras.conversation WHERE contact_id = $contact"), 't', 'also as a mean');
$stage->sql('SELECT laras.resume_workers()');
$stage->stop;
done_testing();
