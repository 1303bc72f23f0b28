# A function that was asked to act says so when it does not: null where a value
# is needed is an error that names the argument, never silence. Every function
# of the catalogue that is not STABLE or IMMUTABLE is asked, with nulls alone.
use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Cluster;
use Test::More;

my $node = Laras->cluster('arguments');
ok(wait_for_sql($node, q{SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'}), 'the vault is open');
my $workspace = $node->safe_psql('postgres', q{SELECT laras.create_workspace('W', 'owner@shop.example', 'correct horse battery')});

# Where null has a meaning of its own, and what it means.
my %means = (
	'laras.pause_workers' => 'all but the vault',
	'laras.resume_workers' => 'all but the vault',
	'laras.key_state' => 'no slot, so no state',
	'laras.log_out' => 'nobody is signed in: nothing ends');

my @functions = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT p.pronamespace::regnamespace || '.' || p.proname,
  (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY o) FROM unnest(p.proargtypes) WITH ORDINALITY u (t, o)), p.proisstrict
FROM pg_proc p WHERE p.pronamespace = 'laras'::regnamespace AND p.provolatile = 'v' AND p.prokind = 'f' AND p.pronargs > 0
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND 'internal'::regtype <> ALL (p.proargtypes)
ORDER BY p.proname, p.proargtypes::text
SQL
my $seen = 0;
for my $line (@functions)
{
	my ($name, $nulls, $strict) = split /\|/, $line;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); SELECT * FROM $name($nulls); ROLLBACK", on_error_stop => 1);
	if (exists $means{$name})
	{
		is($rc, 0, "$name: null means $means{$name}") or diag $err;
		next;
	}
	$seen++;
	is($strict, 'f', "$name is called with nulls");
	like($err, qr/ERROR:  22004: /, "$name refuses nulls") or diag "$out$err";
}
cmp_ok($seen, '>', 20, 'many functions were asked');
like(($node->psql('postgres', 'SELECT laras.log_in(NULL, $$x$$)'))[2], qr/argument "email" must not be null/, 'the argument is named');
$node->safe_psql('postgres', 'SELECT laras.resume_workers()');
$node->stop;
done_testing();
