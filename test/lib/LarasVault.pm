
=pod

=head1 NAME

LarasVault - what tests of the vault share: subjects with sealed values, mirrors compared

=head1 SYNOPSIS

  my $vault = LarasVault->new($node);    # extension laras_test, a workspace
  my $n = $vault->subject('halo');       # a contact with a slot and a value
  is($vault->reveal($n), 'halo');
  $vault->destroy($n);
  is($vault->reveal($n), 'NULL');

=cut

package LarasVault;

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;

sub new
{
	my ($class, $node) = @_;
	my $self = bless { node => $node, last => 0 }, $class;
	$self->wait_open or die "the vault did not open";
	$node->safe_psql('postgres', q{
		CREATE EXTENSION laras_test;
		CREATE TABLE subject (id bigint PRIMARY KEY, slot bigint, body laras.sealed)});
	$self->{workspace} = $node->safe_psql('postgres',
		q{SELECT laras.create_workspace('Toko', 'ani@example.com', 'correct horse battery staple')});
	$self->{w} = $node->safe_psql('postgres',
		"SELECT slot FROM laras.workspace WHERE workspace_id = $self->{workspace}");
	return $self;
}

sub workspace { return $_[0]{workspace}; }
sub w { return $_[0]{w}; }

sub wait_open
{
	my ($self, $seconds) = @_;
	return wait_for_sql($self->{node}, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}, $seconds // 60);
}

# Every order read back from every mirror.
sub wait_verified
{
	my ($self, $seconds) = @_;
	return wait_for_sql($self->{node},
		q{SELECT NOT EXISTS (SELECT FROM laras.key_destruction WHERE verified_at IS NULL)
		  AND (SELECT bool_and(applied = journal) FROM laras.keyring_status)}, $seconds // 30);
}

# Statements of one transaction bound to the workspace.
sub bound
{
	my ($self, $sql) = @_;
	return "BEGIN; SELECT laras_test.bind($self->{workspace}); $sql; COMMIT;";
}

# A new contact with its own slot and a value under (W, contact); its number.
sub subject
{
	my ($self, $text) = @_;
	my $n = ++$self->{last};
	$text =~ s/'/''/g;
	$self->{node}->safe_psql('postgres', $self->bound(qq{
		INSERT INTO subject (id, slot) VALUES ($n, laras_test.lease());
		SELECT laras_test.key_owner_add($self->{workspace}, slot, 'contact', $n) FROM subject WHERE id = $n;
		UPDATE subject SET body = laras_test.seal($self->{w}, slot, 17, $self->{workspace}, $n, convert_to('$text', 'UTF8'))
		WHERE id = $n}));
	return $n;
}

sub slot { my ($self, $n) = @_; return $self->{node}->safe_psql('postgres', "SELECT slot FROM subject WHERE id = $n"); }
sub state { my ($self, $n) = @_; return $self->{node}->safe_psql('postgres', "SELECT laras.key_state(slot) FROM subject WHERE id = $n"); }

# The text, 'NULL', or the SQLSTATE of the error.
sub reveal
{
	my ($self, $n) = @_;
	my ($code, $out, $err) = $self->{node}->psql('postgres',
		$self->bound("SELECT coalesce(laras.reveal(body, id, 17::smallint), 'NULL') FROM subject WHERE id = $n"),
		extra_params => ['-v', 'VERBOSITY=verbose']);
	return $1 if $err =~ /ERROR:\s+([0-9A-Z]{5}):/;
	$out =~ s/^\s+|\s+$//g;
	return $out;
}

sub destroy_sql
{
	my ($self, $n) = @_;
	return $self->bound("SELECT laras_test.destroy($self->{workspace}, slot) FROM subject WHERE id = $n");
}

sub destroy { my ($self, $n) = @_; $self->{node}->safe_psql('postgres', $self->destroy_sql($n)); return; }

# Names of files that differ between the mirrors of keyring 0.
sub mirrors_differ
{
	my ($self) = @_;
	my ($a, $b) = map { Laras->mirror($self->{node}, $_) . '/0' } qw(a b);
	my %name;
	for my $dir ($a, $b)
	{
		opendir my $fh, $dir or die "$dir: $!";
		$name{$_} = 1 for grep { !/^\./ } readdir $fh;
	}
	return join ' ', grep { !-e "$a/$_" || !-e "$b/$_" || slurp_file("$a/$_") ne slurp_file("$b/$_") } sort keys %name;
}

# Where a slot lies: slab file name and offset.
sub place
{
	my ($self, $slot) = @_;
	return (sprintf('slab-%08x', $slot / 4096), 4096 + 64 * ($slot % 4096));
}

# Overwrite bytes of a file of a mirror, in place.
sub scribble
{
	my ($self, $mirror, $file, $offset, $bytes) = @_;
	open my $fh, '+<:raw', Laras->mirror($self->{node}, $mirror) . "/0/$file" or die "$file: $!";
	seek $fh, $offset, 0 or die "$file: $!";
	print $fh $bytes or die "$file: $!";
	close $fh or die "$file: $!";
	return;
}

1;
