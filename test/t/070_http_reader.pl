# The request reader alone: every raw request of test/payloads/http is taken or
# refused as its table says, whole, cut at every byte and one byte at a time, and
# always with the same story; a reference written without the reader's code
# agrees on where each request ends, for made and for fuzzed requests too.
# proves R235
use strict;
use warnings;
use IPC::Run qw(run);
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my @common = (qw(-std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Isrc -Itest/c),
	qw(test/c/http_story.c src/relay/http_request.c));
my @sanitize = ('-fsanitize=address,undefined', '-fno-sanitize-recover');

sub build
{
	my ($program, @arguments) = @_;
	my $log = '';
	my $built = run([ @arguments, @common, '-o', "$dir/$program" ], '>', \$log, '2>&1');
	return ($built, $log);
}

# A compiler without the sanitizers' libraries still builds the test.
my $cc = $ENV{CC} // 'cc';
my ($built, $log) = build('reader', $cc, @sanitize, 'test/c/http_reader.c');
diag('built without sanitizers') unless $built;
($built, $log) = build('reader', $cc, 'test/c/http_reader.c') unless $built;
ok($built, 'the reader builds without PostgreSQL') or BAIL_OUT($log);

for my $mode ([ 'test/payloads/http' ], [ 'random', long_run(20_000, 10_000_000) ])
{
	my ($out, $err) = ('', '');
	my $clean = run([ "$dir/reader", @$mode ], '>', \$out, '2>', \$err);
	my @point = $out =~ /^((?:not )?ok \d+ - .*)$/mg;
	for (@point)
	{
		my ($not, $what) = /^(not )?ok \d+ - (.*)$/;
		ok(!$not, $what);
	}
	ok($clean && @point, "@$mode: ran to its end") or diag("$out$err");
	cmp_ok(scalar @point, '>=', 60, 'at least 60 raw requests') if @$mode == 1;
}

SKIP:
{
	my ($fuzzer) = has_command('clang') && build('fuzz', 'clang', '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover', 'test/fuzz/http_request.c');
	skip 'no clang with libFuzzer', 1 unless $fuzzer;
	mkdir "$dir/corpus" or die "$dir/corpus: $!";
	my $output = '';
	my $clean = run([ "$dir/fuzz", '-seed=1', '-max_len=4096', '-dict=test/fuzz/http_request.dict',
			'-artifact_prefix=' . "$dir/", '-max_total_time=' . long_run(5, 3600), "$dir/corpus",
			'test/payloads/http' ], '>', \$output, '2>&1');
	ok($clean, 'fuzzing finds no request that tells two stories') or diag($output);
	note($1) if $output =~ /(Done \d+ runs in \d+ second)/;
}
done_testing();
