# The JSON helpers, built without PostgreSQL: hostile bodies end as a reason that
# quotes nothing, integers of any length keep their digits, getters never fail.

use strict;
use warnings;

use IPC::Run qw(run);
use PostgreSQL::Test::Utils;
use Test::More;

my $program = PostgreSQL::Test::Utils::tempdir() . '/json';
my $log = '';
ok( run([   $ENV{CC} // 'cc', qw(-std=gnu99 -O1 -g -Wall -Wextra -Werror -Isrc -Itest/c),
			qw(test/c/json.c src/base/json.c -ljansson -o), $program ],
		'>', \$log, '2>&1'),
	'the helpers build without PostgreSQL') or BAIL_OUT($log);
my $printed = '';
ok(run([$program], '>', \$printed), 'the checks run to their end');
my @lines = split /\n/, $printed;
is(pop @lines, 'done ' . @lines, 'all of them');
ok(/^ok - /, s/^(not )?ok - //r) for @lines;
done_testing();
