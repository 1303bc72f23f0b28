
=pod

=head1 NAME

Tenants - two workspaces with a row in every table, for tests that no row of one is seen by the other

=head1 SYNOPSIS

  my $tenants = Tenants->new($node);     # workspaces, members, tokens
  $tenants->fill;                        # a row of each in every tenant table
  my ($own, $other) = ($tenants->own, $tenants->other);

=head1 DESCRIPTION

Rows are made from the catalogue, below row security and foreign keys: for each
column its default, NULL, a word that its CHECK allows, or a number. Numbers of
the other tenant's rows all lie in a range of their own, so that any of them in
an answer gives a leak away. Where no row can be made so, the expectation file
says with C<set column = value>.

=cut

package Tenants;

use strict;
use warnings;

use Laras ();
use PostgreSQL::Test::Utils;

# Every id of the other tenant's generated rows begins with this.
our $FOREIGN = '88800000000000';
our $OWN = '77700000000000';
our $RANDOM = '66600000000000001';
# Stands in every text of the other tenant that can hold it.
our $CANARY = 'canaryoftheother';

sub new
{
	my ($class, $node) = @_;
	my $self = bless { node => $node }, $class;
	vault_is_open($node);
	for my $who (qw(own other))
	{
		my $name = $who eq 'own' ? 'own' : $CANARY;
		$self->{$who} = $self->as('laras_service',
			"SELECT laras.create_workspace('$name', '$who\@example.com', 'password of $who')");
		$self->{"${who}_token"} = $self->as('laras_app',
			"SELECT laras.log_in('$who\@example.com', 'password of $who')");
	}
	return $self;
}

sub own { return shift->{own}; }
sub other { return shift->{other}; }
sub own_token { return shift->{own_token}; }
sub other_token { return shift->{other_token}; }

# Waits until the vault is open, without which nobody logs in; dies when it does not come.
sub vault_is_open
{
	my ($node) = @_;
	Laras::wait_for_sql($node, q{SELECT phase = 'open' FROM laras.keyring_summary()}) or die 'the vault did not open';
	return;
}

# SQL that must succeed, as that role; its last line.
sub as
{
	my ($self, $role, $sql) = @_;
	my $out = $self->{node}->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]);
	$out =~ s/.*\n//s;
	return $out;
}

# A session that goes on after errors; standard output and error together, in order.
sub talk
{
	my ($self, $role, $sql) = @_;
	my $node = $self->{node};
	my $out = '';
	my $file = "$PostgreSQL::Test::Utils::tmp_check/talk_" . $self->{node}->name . ".sql";
	open my $fh, '>', $file or die "$file: $!";
	print $fh "\\set VERBOSITY verbose\n$sql\n";
	close $fh or die "$file: $!";
	IPC::Run::run([ 'psql', '-XAtq', '-U', $role, '-f', $file, $node->connstr('postgres') ],
		'>', \$out, '2>&1');
	# A backend that dies takes psql along: that is a finding, never an empty answer.
	die "the server closed the connection:\n$out" if $out =~ /server closed the connection|connection to server was lost/;
	return $out;
}

# The tenant tables that hold rows, parents of partitions once.
sub tables
{
	my ($self) = @_;
	return split /\n/, $self->{node}->safe_psql('postgres', q{
		SELECT c.relname FROM pg_class c
		WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped)
		ORDER BY 1});
}

# One value for a column, as SQL. $n tells rows apart.
sub value_for
{
	my ($self, $table, $column, $who, $n, $set) = @_;
	my ($name, $type, $notnull, $default, $checks) = @$column;
	my $base = $who eq 'own' ? $OWN : $FOREIGN;
	my $word = $who eq 'own' ? 'own' : $CANARY;
	return $set->{$name} if exists $set->{$name};
	return $self->{$who} if $name eq 'workspace_id';
	# A word out of the list that the column's check allows.
	return "'$1'" if $type eq 'text' && $checks =~ /\(*$name\)* = ANY \(+ARRAY\['([^']+)'/;
	return "'$1'" if $type eq 'text' && $checks =~ /\(*$name = '([^']+)'/;
	return 'NULL' unless $notnull;
	return "decode(lpad(md5('$table$name$who$n'), " . 2 * $1 . ", 'a'), 'hex')"
	  if $type eq 'bytea' && $checks =~ /octet_length\($name\) = (\d+)/;
	return 'DEFAULT' if $default;
	return sprintf '%s%03d', $base, $n if $type eq 'bigint';
	return $n if $type =~ /^(integer|smallint|numeric|real|double precision)/;
	return "(SELECT email FROM laras.member WHERE workspace_id = $self->{$who} AND email IS NOT NULL LIMIT 1)" if $type eq 'laras.sealed';
	return "'\\x0$n'::bytea" if $type eq 'bytea';
	return 'laras.now()' if $type =~ /^timestamp/;
	return 'current_date' if $type eq 'date';
	return 'false' if $type eq 'boolean';
	return "'{}'" if $type =~ /\[\]$/ || $type =~ /^jsonb?$/;
	return "'$word$n'" if $type eq 'text';
	return 'DEFAULT';
}

# A row of both tenants in every tenant table that has none yet. $set: table =>
# { column => SQL }. Returns what could not be made: table => the server's words.
sub fill
{
	my ($self, $set) = @_;
	my %failed;
	for my $table ($self->tables)
	{
		my @column = map { [ split /\|/, $_, 5 ] } split /\n/, $self->{node}->safe_psql('postgres', qq{
			SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull::int, a.atthasdef::int,
			coalesce((SELECT string_agg(replace(pg_get_constraintdef(k.oid), chr(10), ' '), ' ') FROM pg_constraint k
			  WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)), '')
			FROM pg_attribute a WHERE a.attrelid = 'laras.$table'::regclass AND a.attnum > 0 AND NOT a.attisdropped
			AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum});
		for my $who (qw(own other))
		{
			for my $n (1, 2)
			{
				next if $n <= $self->{node}->safe_psql('postgres', "SELECT count(*) FROM laras.$table WHERE workspace_id = $self->{$who}");
				my $sql = "SET session_replication_role = replica; INSERT INTO laras.$table ("
				  . join(', ', map { $_->[0] } @column) . ') VALUES ('
				  . join(', ', map { $self->value_for($table, $_, $who, $n, $set->{$table} // {}) } @column) . ')';
				my ($code, $out, $err) = $self->{node}->psql('postgres', $sql);
				# One row is enough where a key has no room for a second.
				$failed{$table} = "$err\n$sql" if $code != 0 && $n == 1;
			}
		}
	}
	return \%failed;
}

1;
