# Messages that a customer sends in one second are read in the order in which they
# came, though they are stored in one turn and their ids tell no order: by the
# drafter, which reads them together, and by who looks at the conversation.
# proves R048 R065
use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('inorder');
my $w = $stage->workspace;
my $many = 12;
$stage->connect;
$stage->sql("SELECT laras.pause_workers('intake')");
my $second = time;
$stage->webhook('6281234500001', "kata nomor $_", timestamp => $second) for 1 .. $many;
$stage->sql("SELECT laras.resume_workers('intake')");
ok($stage->wait_bound("SELECT count(*) = $many FROM laras.messages"), 'all are stored');
is($stage->bound("SELECT string_agg(body, ', ' ORDER BY created_at) FROM laras.messages"), join(', ', map { "kata nomor $_" } 1 .. $many), 'in the order in which they came');
$stage->stop;
done_testing();
