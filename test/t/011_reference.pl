# The reference pages say what the catalogue says: none was edited by hand, none
# was forgotten (`make reference` writes them).
use strict;
use warnings;
use Laras;
use Reference;
use Test::More;

my $node = Laras->cluster('reference');
my $pages = Reference::pages($node);
$node->stop;
for my $name (sort keys %$pages)
{
	open my $fh, '<:utf8', "docs/reference/$name" or do { fail("docs/reference/$name: $!"); next; };
	my @written = do { local $/; split /\n/, scalar <$fh> };
	my @made = split /\n/, $pages->{$name};
	my ($line) = grep { ($written[$_] // "\0") ne ($made[$_] // "\0") } 0 .. (@written > @made ? $#written : $#made);
	ok(!defined $line, "docs/reference/$name is what the catalogue says")
	  or diag sprintf "line %d\n  written: %s\n  made:    %s", $line + 1, $written[$line] // '(none)', $made[$line] // '(none)';
}
done_testing();
