
=pod

=head1 NAME

Sealed - what lies in the files and rows of a cluster, opened where it still opens

=head1 SYNOPSIS

  my $places = Sealed::places($node);
  my $found = Sealed::scan($node, $places, $node->data_dir);
  like($found->{lines}, qr/^opens 1 17 .*halo/m, 'a message opens');

=cut

package Sealed;

use strict;
use warnings;

use File::Find ();
use IPC::Run ();
use Laras;
use Test::More ();

my $count = 0;

=head2 Sealed::write_places($node, @lines)

A file for scan: under which workspace and row id sealed values may have been made,
one "workspace id" a line.

=cut

sub write_places
{
	my ($node, @lines) = @_;
	my $path = $node->basedir . '/places' . ++$count;
	open my $out, '>', $path or die "$path: $!";
	print $out "$_\n" for @lines;
	close $out;
	chmod 0644, $path;
	return $path;
}

=head2 Sealed::places($node)

Such lines for every row of every table that has a sealed column: any id in it may be
the one that its values are sealed for.

=cut

sub places
{
	my ($node) = @_;
	my @table = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT DISTINCT format('SELECT workspace_id || '' '' || %I FROM laras.%I WHERE %1$I IS NOT NULL', a.attname, c.relname)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND a.atttypid = 'int8'::regtype AND a.attname ~ '(^|_)id$'
AND EXISTS (SELECT 1 FROM laras.data_column d WHERE d.table_name = c.relname AND d.field IS NOT NULL)
AND EXISTS (SELECT 1 FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id')
SQL
	return split /\n/, $node->safe_psql('postgres', join ' UNION ', @table);
}

=head2 Sealed::scan($node, $places, @directories)

Everything that opens in files of these directories, with the keyring and master
key as they now are: text is all of it, lines have "opens FORMAT FIELD ... text" for
each value.

=cut

sub scan
{
	my ($node, $places, @directories) = @_;
	my @files;
	File::Find::find({ no_chdir => 1, wanted => sub { push @files, $_ if -f && !/\.pid$/ } }, @directories);
	$node->safe_psql('postgres', 'CHECKPOINT');
	my $mirror = Laras->mirror($node, 'a') . '/0';
	my ($out, $err) = ('', '');
	IPC::Run::run([ $node->config_data('--bindir') . '/laras-keytool', 'scan', '--keyring', $mirror,
		'--key', Laras->master_key_file($node), '--places', $places, @files ], '>', \$out, '2>', \$err);
	my $text = '';
	my $lines = '';
	for my $line (split /\n/, $out)
	{
		my @f = split / /, $line;
		my $plain = defined $f[-1] && $f[-1] =~ /^[0-9a-f]+$/ ? pack('H*', $f[-1]) : '';
		$text .= "$plain\n";
		$lines .= join(' ', @f[ 0 .. $#f - 1 ]) . " $plain\n" if $line =~ /^\w/;
	}
	return { text => $text, lines => $lines };
}

=head2 Sealed::rows($node)

Every row of every table of laras as text, "table: row" a line; bytes are
hexadecimal digits.

=cut

sub rows
{
	my ($node) = @_;
	my @table = split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relnamespace = 'laras'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1});
	return $node->safe_psql('postgres', join "\n", map { "SELECT '$_: ' || translate(x::text, E'\\n', ' ') FROM laras.$_ x;" } @table);
}

1;
