=pod

=head1 NAME

Quality - shops, what their customers ask, and how well the built-in drafter answers it

=head1 SYNOPSIS

  my $quality = Quality->new($node, 'test/quality');
  my $shop = $quality->open_shop('kopi');
  my $answers = $quality->ask($shop, 'harga gayo?', 'msh ada?');

=head1 DESCRIPTION

A shop is a directory with its knowledge in three tables. Their rows become rows of a workspace of its own, with ids that are
given here, so that what an answer cites can be told by the key of the row.

=cut

package Quality;

use strict;
use warnings;
use utf8;

use JSON::PP;

my %file = (
	catalog_item => [ catalogue => qw(name price currency stock state attributes description) ],
	policy_text => [ policies => qw(topic language body) ],
	faq => [ faqs => qw(question language answer) ],
	opening_hours => [ hours => qw(weekday on_date hours note) ],
);

sub new
{
	my ($class, $node, $directory) = @_;
	return bless { node => $node, directory => $directory, id => 1000 }, $class;
}

=head2 rows($path)

Rows of a file with a heading line, as hashes.

=cut

sub rows
{
	my ($self, $path) = @_;
	my $name = "$self->{directory}/$path.tsv";
	return if !-e $name;
	open my $fh, '<:encoding(UTF-8)', $name or die "$name: $!";
	my @line = <$fh>;
	chomp @line;
	my @column = split /\t/, shift @line;
	return map { my %row; @row{@column} = split /\t/, $_, -1; \%row } @line;
}

sub literal
{
	my ($value) = @_;
	return 'NULL' if !defined $value || $value eq '';
	$value =~ s/'/''/g;
	return "'$value'";
}

=head2 open_shop($name, $zone)

A workspace with all that the shop has, in the order of the files, and in a time zone where one is given.

=cut

sub open_shop
{
	my ($self, $name, $zone) = @_;
	my $workspace = $self->{node}->safe_psql('postgres',
		"SET ROLE laras_service; SELECT laras.create_workspace('$name', 'owner\@$name.example', 'rahasia-toko')");
	my $shop = { name => $name, workspace => $workspace, key_of => {}, row_of => {} };
	my $sql = "BEGIN;\nSELECT laras.act_as($workspace) > 0;\nSET LOCAL ROLE laras_app;\n";
	$sql .= "SELECT laras.set_time_zone('$zone');\n" if $zone;
	for my $table (sort keys %file)
	{
		my ($list, @column) = @{ $file{$table} };
		next if !-e "$self->{directory}/$name/$list.tsv";
		for my $row ($self->rows("$name/$list"))
		{
			my $id = ++$self->{id};
			$shop->{key_of}{"$table $id"} = $row->{key};
			$shop->{row_of}{ $row->{key} } = $row;
			$sql .= "INSERT INTO laras.$table (workspace_id, id, " . join(', ', @column) . ") VALUES ($workspace, $id, "
			  . join(', ', map { $_ eq 'description' || $_ eq 'note' ? literal($row->{$_}) =~ s/^NULL$/''/r : literal($row->{$_}) } @column) . ");\n";
		}
	}
	$self->{node}->safe_psql('postgres', "$sql COMMIT;");
	return $shop;
}

=head2 at($time, $zone)

Moves the server's clock on to that time of the zone.

=cut

sub at
{
	my ($self, $time, $zone) = @_;
	$self->{node}->safe_psql('postgres', "SELECT laras.advance_clock(('$time'::timestamp AT TIME ZONE '$zone') - laras.now())");
	return;
}

=head2 ask($shop, @texts)

What the drafter answers, one hash for each text. A text with " // " in it is that many messages on end. Beside the fields of
C<laras.preview_draft>: cites (keys of the rows, sorted and joined by |, or hand-over), numbers (those in the text that no cited
row holds), goes (would be sent by itself, where the workspace has no rules).

=cut

sub ask
{
	my ($self, $shop, @text) = @_;
	my $script = "BEGIN;\nSELECT laras.act_as($shop->{workspace}) > 0;\nSET LOCAL ROLE laras_app;\n"
	  . join('', map { 'SELECT laras.preview_draft(' . literal(s{ // }{\n}gr) . ");\n" } @text) . "COMMIT;\n";
	my @answer = map { JSON::PP->new->utf8->decode($_) } grep { /^\{/ } split /\n/, $self->{node}->safe_psql('postgres', $script);
	die 'not every question has an answer' if @answer != @text;
	for my $said (@answer)
	{
		my @cited = map { $shop->{key_of}{"$_->{table} $_->{id}"} // 'unknown row' } @{ $said->{sources} };
		$said->{cites} = $said->{hand_over} ? 'hand-over' : @cited ? join '|', sort @cited : $said->{intent};
		my %allowed = map { %{ numbers_of($shop->{row_of}{$_} // {}) } } @cited;
		$said->{numbers} = [ grep { !$allowed{$_} } ($said->{body} // '') =~ /\d+(?:[.,]\d+)*/g ];
		$said->{goes} = !$said->{hand_over} && defined $said->{body} && $said->{verdict} eq 'pass' && $said->{confidence} >= 0.7;
	}
	return \@answer;
}

=head2 fits($said, $question)

Does the answer cite what it must (alternatives are parted by /) and say what it must?

=cut

sub fits
{
	my ($self, $said, $question) = @_;
	for my $wanted (split m{/}, $question->{cites})
	{
		next if $said->{cites} ne join '|', sort split /\|/, $wanted;
		return 1 if $wanted eq 'hand-over' || ($question->{says} // '') eq '' || ($said->{body} // '') =~ /$question->{says}/;
	}
	return 0;
}

=head2 wrong_numbers($shop, $said, $question)

The numbers that the answer states and that stand in no row it should have stood on: true of another row, they are wrong of what was
asked. Where several answers are right, against the one that leaves the fewest. A question for a person is answered with no number
at all.

=cut

sub wrong_numbers
{
	my ($self, $shop, $said, $question) = @_;
	my @stated = ($said->{body} // '') =~ /\d+(?:[.,]\d+)*/g;
	my $fewest;
	for my $wanted (split m{/}, $question->{cites})
	{
		my %allowed = map { %{ numbers_of($shop->{row_of}{$_} // {}) } } split /\|/, $wanted;
		my @wrong = grep { !$allowed{$_} } @stated;
		$fewest = \@wrong if !$fewest || @wrong < @$fewest;
	}
	return @{ $fewest // [] };
}

# Every number as it may be written, that a row holds.
sub numbers_of
{
	my ($row) = @_;
	my %number;
	while (my ($column, $value) = each %$row)
	{
		next if $column eq 'key' || !defined $value;
		$number{$_} = 1 for $value =~ /\d+(?:[.,]\d+)*/g;
		if ($column eq 'hours')
		{
			# as Indonesian and English write a time; and all day long
			$number{"$1.$2"} = $number{ ($1 % 12 || 12) . ($2 eq '00' ? '' : ".$2") } = 1 while $value =~ /(\d\d):(\d\d)/g;
			delete $number{$_} for grep { /^0\d$/ } keys %number;
		}
		next unless $column eq 'price' && $value ne '';
		my ($whole, $part) = split /\./, sprintf('%.2f', $value);
		for ([ '.', ',' ], [ ',', '.' ])
		{
			my ($group, $point) = @$_;
			my $grouped = reverse(join($group, unpack('(A3)*', reverse $whole)));
			$number{$grouped} = $number{"$grouped$point$part"} = 1;
		}
	}
	return \%number;
}

1;
