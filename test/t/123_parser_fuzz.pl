# Every driver's parser under hostile bytes: the seeds through the address and
# undefined-behaviour sanitizers, truncated and damaged at many places; and a
# short run of libFuzzer where clang is here.
#
# proves R236

use strict;
use warnings;

use File::Copy qw(copy);
use IPC::Run qw(run);
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

my @channels = qw(whatsapp instagram messenger threads telegram email generic);
my $dir = PostgreSQL::Test::Utils::tempdir();
my @sources = ('test/fuzz/webhook.c', driver_sources());

sub build
{
	my ($name, @command) = @_;
	my $log = '';
	return "$dir/$name" if run([ @command, qw(-std=gnu99 -g -O1 -Isrc), @sources, '-o', "$dir/$name" ], '>', \$log, '2>&1');
	diag $log;
	return;
}

my $replay = build('replay', $ENV{CC} // 'cc', '-fsanitize=address,undefined', '-fno-sanitize-recover', '-DSTANDALONE');
ok($replay, 'the target builds') or BAIL_OUT('no target');
my $fuzzer = has_command('clang') && build('fuzz', 'clang', '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover');

for my $channel (@channels)
{
	# The shared bodies of a channel lie under the name of the object that sends them.
	my @seeds = map { glob("$_/*.{json,eml}") } "test/payloads/$channel", grep { defined } map { shared_file("payloads/$_") } $channel, $channel eq 'messenger' ? 'page' : ();
	cmp_ok(scalar @seeds, '>=', 5, "$channel: there are seeds");
	local $ENV{LARAS_CHANNEL} = $channel;
	my $output = '';
	ok(run([ $replay, @seeds, damaged($channel, @seeds) ], '>', \$output, '2>&1'), "$channel: whole and damaged bodies are read without harm") or diag $output;
  SKIP:
	{
		skip 'no clang with libFuzzer', 1 unless $fuzzer;
		my ($corpus, $found) = ("$dir/corpus_$channel", "$dir/found_$channel");
		mkdir $_ for $corpus, $found;
		copy($seeds[$_], "$corpus/$_") for 0 .. $#seeds;
		my $clean = run([ $fuzzer, '-seed=1', '-max_len=8192', '-max_total_time=' . long_run(3, 60), "-artifact_prefix=$dir/$channel-", $found, $corpus ], '>', \$output, '2>&1');
		ok($clean, "$channel: fuzzing finds nothing") or diag(join "\n", (split /\n/, $output)[-30 .. -1]);
	}
}
done_testing();

# Each body cut off, with a value of another type in place of one, and with one element doubled.
sub damaged
{
	my ($channel, @seeds) = @_;
	my @files;
	my @values = ('null', '7', '"x"', '[]', '{}', '[[1]]', '-1e99', 'true');
	for my $i (0 .. $#seeds)
	{
		my $body = slurp_file($seeds[$i]);
		my @starts;
		push @starts, $+[0] while $body =~ /:\s*/g;
		for my $k (0 .. 7)
		{
			my $changed = $body;
			my $at = $starts[ ($i * 5 + $k * 3) % (@starts || 1) ] // 0;
			my $value = $values[ ($i + $k) % @values ];
			# the value that stands there: a scalar, or all of an array or object
			substr($changed, $at) =~ s/^(?:"(?:\\.|[^"\\])*"|[-\w.+]+|(\{(?:[^{}"]|"(?:\\.|[^"\\])*"|(?1))*\})|(\[(?:[^\[\]"]|"(?:\\.|[^"\\])*"|(?2))*\]))/$value/;
			$changed = substr($body, 0, length($body) * $k / 8) if $k % 4 == 3;
			push @files, write_file("$dir/damaged_${channel}_${i}_$k", $changed);
		}
	}
	return @files;
}

sub write_file
{
	my ($path, $content) = @_;
	open my $out, '>', $path or die "$path: $!";
	print $out $content;
	close $out or die "$path: $!";
	return $path;
}
