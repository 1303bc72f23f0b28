
=pod

=head1 NAME

Payloads - the drivers' parsers without a server, held against tables

=head1 SYNOPSIS

  my $payloads = Payloads->build;
  $payloads->agree('whatsapp', 'our own bodies', 'test/payloads/whatsapp', 'test/payloads/whatsapp/expected.tsv');
  $payloads->agree_shared('whatsapp', 'whatsapp');

=head1 DESCRIPTION

A table says what each body of a directory holds, one line a record; it was
written by reading the bodies. test/c/webhook_parse.c says what the fields are.

=cut

package Payloads;

use strict;
use warnings;

use IPC::Run qw(run);
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

sub build
{
	my ($class) = @_;
	my $program = PostgreSQL::Test::Utils::tempdir() . '/webhook_parse';
	my $log = '';
	ok(run([ $ENV{CC} // 'cc', qw(-std=gnu99 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -Isrc),
			'test/c/webhook_parse.c', driver_sources(), '-o', $program ], '>', \$log, '2>&1'),
		'the drivers build without PostgreSQL') or BAIL_OUT($log);
	return bless { program => $program }, $class;
}

=head2 $payloads->agree($channel, $name, $directory, $table, @options)

What the driver finds in each body of the directory is what the table says, line
by line in the order of the bodies.

=cut

sub agree
{
	my ($self, $channel, $name, $dir, $table, @options) = @_;
	my @files = sort glob("$dir/*.{json,eml}");
	my @want = grep { !/^#/ } split /\n/, slurp_file($table);
	my ($printed, $error) = ('', '');
	ok(run([ $self->{program}, $channel, @options, @files ], '>', \$printed, '2>', \$error), "$channel, $name: read to the end") or diag $error;
	my @got = split /\n/, $printed;
	my %bodies = map { (split /\t/)[0] => 1 } @want;
	is(scalar keys %bodies, scalar @files, "$channel, $name: the table has each of the " . @files . ' bodies');
	my %wanted = map { $_ => 1 } @want;
	my %had = map { $_ => 1 } @got;
	is(join("\n", grep { !$wanted{$_} } @got), '', "$channel, $name: nothing is found that is not in the table");
	is(join("\n", grep { !$had{$_} } @want), '', "$channel, $name: nothing of the table is missing");
	is_deeply([ by_file(@got) ], [ by_file(@want) ], "$channel, $name: as often and in that order");
	return;
}

# Bodies in one order, whatever the locale sorted them by; their records as they stand.
sub by_file
{
	my %lines;
	push @{ $lines{ (split /\t/)[0] } }, $_ for @_;
	return map { @{ $lines{$_} } } sort keys %lines;
}

=head2 $payloads->agree_shared($channel, $directory)

The same for a directory of the shared corpus and its table under test/payloads;
skips where the corpus is not here.

=cut

sub agree_shared
{
	my ($self, $channel, $directory) = @_;
	my $dir = shared_file("payloads/$directory");
  SKIP:
	{
		skip "the shared payload corpus is not here: $directory", 1 unless defined $dir;
		$self->agree($channel, 'the shared corpus', $dir, "test/payloads/${directory}_corpus.tsv");
	}
	return;
}

1;
