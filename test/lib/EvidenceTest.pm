
=pod

=head1 NAME

EvidenceTest - appending evidence from SQL, and asking about it

=head1 DESCRIPTION

The rooms append evidence in C. C<test/c/append_evidence.c> gives SQL the same
calls; it is built by the tests alone, into a directory of their own.

=cut

package EvidenceTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run qw(run);
use Laras;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(evidence_functions within wait_signed problems);

=head2 evidence_functions($node)

Makes test_bind, test_append, test_append_many and test_append_code there.

=cut

sub evidence_functions
{
	my ($node, $database) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $library = "$dir/append_evidence.so";
	my $config = $node->config_data('--includedir-server');
	my $log = '';
	run([ $ENV{CC} // 'cc', qw(-std=gnu99 -shared -fPIC -O1 -Wall -Werror -Isrc), "-I$config",
			'test/c/append_evidence.c', '-o', $library ], '>', \$log, '2>&1')
	  or die "append_evidence.c: $log";
	chmod 0755, $library;
	$node->safe_psql($database // 'postgres', <<"SQL");
CREATE FUNCTION public.test_bind(bigint) RETURNS void LANGUAGE c AS '$library';
CREATE FUNCTION public.test_append(bigint, int, bigint, bigint, text) RETURNS bigint LANGUAGE c AS '$library';
CREATE FUNCTION public.test_append_many(bigint, int, int, bigint) RETURNS void LANGUAGE c AS '$library';
CREATE FUNCTION public.test_append_code(bigint, int, text) RETURNS bigint LANGUAGE c AS '$library';
SQL
	return;
}

=head2 within($node, $workspace, $sql)

Runs the statements in one transaction bound to the workspace and returns what
they answer.

=cut

sub within
{
	my ($node, $workspace, $sql) = @_;
	my $out = $node->safe_psql('postgres', "BEGIN; SELECT test_bind($workspace); $sql; COMMIT");
	$out =~ s/\A\n?//;
	return $out;
}

=head2 wait_signed($node, $workspace, $size)

Waits until that many entries of the workspace have a position and are signed.

=cut

sub wait_signed
{
	my ($node, $workspace, $size) = @_;
	my $status = '';
	my $done = wait_for(
		sub {
			$status = within($node, $workspace, 'SELECT size, signed_size, pending FROM laras.evidence_status');
			return $status eq "$size|$size|0";
		},
		30);
	Test::More::diag("workspace $workspace: $status instead of $size|$size|0") unless $done;
	return $done;
}

=head2 problems($node, $workspace)

What verify_evidence() says, one line each.

=cut

sub problems
{
	my ($node, $workspace) = @_;
	return within($node, $workspace, 'SELECT * FROM laras.verify_evidence()');
}

1;
