# The first lines that README gives a newcomer run as they stand there.
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
my ($confirmation) = $out =~ /^([0-9a-f]{32})$/m;
ok($confirmation, 'the last gives a confirmation code') or diag $out;
ok(wait_for(sub { my (undef, $answer) = $stage->call(GET => "/data-deletion/status/$confirmation"); return $answer->{state} eq 'removed' }), 'which comes to say removed');
$stage->stop;
done_testing();
