# The reference pages say what the catalogue says: none was edited by hand, none
# was forgotten (`make reference` writes them). The page of HTTP, which is written
# by hand, has every route of the gateway and no other, and every code of errors.h
# stands in the page of errors.
use strict;
use warnings;
use Laras;
use List::Util qw(pairs);
use PostgreSQL::Test::Utils;
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

my @served = map { "$_->[0] $_->[1]" } ([ POST => '/api/webhooks/{}' ],
	pairs(slurp_file('src/gateway/routes.c') =~ /^\t\{"([A-Z]+)", "([^"]+)",/mg));
my @told = map { "$_->[0] $_->[1]" } pairs(slurp_file('docs/reference/http.md') =~ /^\| ([A-Z]+) \| `([^`]+)` \|/mg);
cmp_ok(scalar @served, '>', 10, 'the gateway has routes');
is(join("\n", sort @told), join("\n", sort @served), 'docs/reference/http.md has each of them and no other');

my ($errors, @codes) = slurp_file('src/base/errors.h');
push @codes, "LR$1$2$3" while $errors =~ /X\([A-Z_]+,\s*'(.)',\s*'(.)',\s*'(.)'/g;
my @listed = $pages->{'errors.md'} =~ /^\| `(LR...)` \|/mg;
is("@listed", "@codes", 'docs/reference/errors.md has every code of errors.h');
done_testing();
