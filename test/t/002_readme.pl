# The first lines that README gives a newcomer run as they stand there: a
# question is drafted for, approved, sent in these very words, and erased.
use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('readme');
my $shop = $stage->node->basedir . '/shop.sql';
is(system('test/demo/shop', $stage->sandbox->url, $stage->shop->{app}, $shop), 0, 'a shop that is not connected yet');
my ($lines) = slurp_file('README.md') =~ /```sql\n(\\i var\/up\/shop\.sql\n.*?)```/s;
ok($lines, 'README has them');
cmp_ok(scalar(split /\n/, $lines), '<=', 12, 'and they are few');
$lines =~ s{var/up/shop\.sql}{$shop};
my ($code, $out, $error) = $stage->node->psql('postgres', $lines, on_error_stop => 1);
is("$code $error", '0 ', 'they run');
my ($question, $draft) = $out =~ /^(Kopi tubruk[^|]*)\|([^|]+)\|\d+$/m;
is($question, 'Kopi tubruk berapa, kak?', 'the question is in the queue');
like($draft, qr/8\.000/, "with a draft that has the row's price");
my @sent = map { $_->{body}{text}{body} } grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} } $stage->sandbox->ledger;
is("@sent", $draft, 'which is what the provider was given, once');
my ($confirmation) = $out =~ /^([0-9a-f]{32})$/m;
ok($confirmation, 'the last gives a confirmation code') or diag $out;
ok(wait_for(sub { my (undef, $answer) = $stage->call(GET => "/data-deletion/status/$confirmation"); return $answer->{state} eq 'removed' }), 'which comes to say removed');

# The tutorial is played whole, in one session, by another shop.
is(system('test/demo/shop', $stage->sandbox->url, $stage->shop->{app}, $shop), 0, 'another shop');
my $tutorial = join '', slurp_file('docs/tutorial/first-conversation.md') =~ /```sql\n(.*?)```/gs;
$tutorial =~ s{var/up/shop\.sql}{$shop};
$tutorial =~ s/sari\@/lain\@/;
($code, $out, $error) = $stage->node->psql('postgres', $tutorial, on_error_stop => 1);
is("$code $error", '0 ', 'the tutorial runs');
like($out, qr/^Halo kak, kopi tubruk berapa\?\|[^|]*Rp 8\.000[^|]*\|\{auto_send_off\}$/m, 'a draft waits');
like($out, qr/^catalog_item\|1\|f$/m, 'and cites the row');
like($out, qr/^stale$/m, 'a changed price closes it');
like($out, qr/^out\|[^|]*Rp 9\.000[^|]*\|(?:sent|delivered|read)$/m, 'the next one is approved and sent');
like($out, qr/^(?:approved|sent)\|auto\|\{\}\|[^|]*7 am to 9 pm/m, 'an English one goes by itself');
like($out, qr/^held\|\|\{[^|]*hand_over[^|]*\}\|[^|0-9]*$/m, 'what no row says is held');
like($out, qr/^(?:unreadable|removed)$/m, 'the customer is forgotten') or diag $out;
$stage->stop;
done_testing();
