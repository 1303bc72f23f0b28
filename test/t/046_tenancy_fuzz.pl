# Generated statements over every table and view, by two tenants and by whoever
# entered nothing, as the owner of the tables and as an application: in plain,
# prepared, generic and parallel plans no row of anybody else appears. Goal: none
# in a million statements; `make test` runs a short form with a seed of its own.
# proves R107
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;

my $node = Laras->cluster('fuzz');
my $tenants = Tenants->new($node);
my ($own, $other) = ($tenants->own, $tenants->other);
my %set;
open my $fh, '<', 'test/sql/tenancy_matrix.list' or die "tenancy_matrix.list: $!";
while (<$fh>) { $set{$1}{$2} = $3 if /^set (\w+) (\w+) = (.+)$/; }
close $fh;
$tenants->fill(\%set);
$node->safe_psql('postgres', 'ANALYZE');

my $seed = $ENV{LARAS_SEED} // int(rand(2**31));
srand $seed;
note("seed $seed; LARAS_SEED=$seed repeats this run");

# What each role may read: relation => [[column, type], ...].
my %shared = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', q{
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p') AND EXISTS (
	  SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND pg_get_expr(p.polqual, p.polrelid) = 'true')});
my %readable;
for my $role (qw(laras_owner laras_app))
{
	for my $line (split /\n/, $node->safe_psql('postgres', qq{
		SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
		AND has_table_privilege('$role', c.oid, 'SELECT') AND ('$role' <> 'laras_owner' OR c.relkind <> 'v') ORDER BY 1, a.attnum}))
	{
		my ($relation, $column, $type) = split /\|/, $line;
		next if $shared{$relation};
		push @{ $readable{$role}{$relation} }, [ $column, $type ];
	}
}
cmp_ok(scalar keys %{ $readable{laras_owner} }, '>=', 20, 'tables to ask');
cmp_ok(scalar keys %{ $readable{laras_app} }, '>=', 10, 'views and tables to ask');

sub pick { return $_[ rand @_ ]; }

# A value that somebody who wants to see others' rows would try.
sub guess
{
	my ($type) = @_;
	return pick($own, $other, $Tenants::RANDOM, "${Tenants::FOREIGN}001", "${Tenants::OWN}001", '0', '-1') if $type eq 'bigint';
	return pick("''", "'$Tenants::CANARY'", "'active'", "'x'", "'%'", 'NULL') if $type eq 'text';
	return pick('now()', "'-infinity'", "'infinity'") if $type =~ /^timestamp/;
	return pick('true', 'false') if $type eq 'boolean';
	return pick('0', '1', '-1') if $type =~ /int|numeric|double/;
	return 'NULL';
}

sub predicate
{
	my ($alias, $columns, $depth) = @_;
	my ($column, $type) = @{ pick(@$columns) };
	my $c = "$alias.$column";
	my @form = ("$c IS NULL", "$c IS NOT NULL");
	if ($type !~ /sealed|json|\[\]|xid8|pg_snapshot/)
	{
		my $v = guess($type);
		push @form, map { "$c $_ $v" } qw(= <> < > <= >=) if $type !~ /boolean|inet/;
		push @form, "$c IS DISTINCT FROM $v", "$c IN ($v, " . guess($type) . ')', "NOT ($c = $v)", "coalesce($c = $v, true)";
	}
	push @form, "$c LIKE " . guess('text'), "length($c) >= 0" if $type eq 'text';
	push @form, "$c % 2 = 0", "$c BETWEEN " . guess($type) . ' AND ' . guess($type) if $type eq 'bigint';
	my $one = pick(@form);
	return $one if $depth <= 0 || rand() < 0.5;
	return pick("($one OR " . predicate($alias, $columns, $depth - 1) . ')', "($one AND " . predicate($alias, $columns, $depth - 1) . ')', "NOT ($one)");
}

sub statement
{
	my ($role) = @_;
	my $relations = $readable{$role};
	my ($r, $s) = (pick(sort keys %$relations), pick(sort keys %$relations));
	my ($rc, $sc) = @$relations{ $r, $s };
	my $where = predicate('t', $rc, 2);
	my ($k) = @{ pick(@$rc) };
	my $query = pick(
		"SELECT t::text FROM laras.$r t WHERE $where",
		"SELECT t::text FROM laras.$r t WHERE $where ORDER BY t.$k DESC LIMIT " . int(rand 5),
		"SELECT t.$k::text, count(*) FROM laras.$r t WHERE $where GROUP BY 1",
		"SELECT max(t.$k::text), min(t.$k::text) FROM laras.$r t WHERE $where",
		"SELECT t.$k::text, row_number() OVER (ORDER BY t.$k::text) FROM laras.$r t WHERE $where",
		"WITH c AS MATERIALIZED (SELECT * FROM laras.$r) SELECT t::text FROM c t WHERE $where",
		"SELECT t::text FROM laras.$r t WHERE EXISTS (SELECT FROM laras.$s u WHERE " . predicate('u', $sc, 1) . ") AND $where",
		"SELECT t::text FROM laras.$r t WHERE NOT EXISTS (SELECT FROM laras.$s u WHERE " . predicate('u', $sc, 1) . ')',
		"SELECT t.$k::text FROM laras.$r t UNION ALL SELECT u." . pick(@$sc)->[0] . "::text FROM laras.$s u",
		"SELECT t.$k::text, x.j FROM laras.$r t LEFT JOIN LATERAL (SELECT u::text AS j FROM laras.$s u WHERE " . predicate('u', $sc, 1) . ' LIMIT 2) x ON true',
		"SELECT string_agg(t::text, ',') FROM laras.$r t WHERE $where HAVING count(*) > 0",
		"SELECT jsonb_agg(to_jsonb(t)) FROM laras.$r t WHERE $where",
		"SELECT (t).* FROM (SELECT t FROM laras.$r t WHERE $where) q",
		"TABLE laras.$r",
		"SELECT t::text FROM laras.$r t TABLESAMPLE BERNOULLI (90)",
		"SELECT t.tableoid::regclass::text FROM laras.$r t WHERE $where",
		"COPY (SELECT * FROM laras.$r t WHERE $where) TO STDOUT");
	return pick(
		$query, $query, $query,
		$query =~ /^COPY/ ? $query : "PREPARE p AS $query; EXECUTE p; EXECUTE p; DEALLOCATE p",
		$query =~ /^COPY/ ? $query : "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE p AS $query; EXECUTE p; DEALLOCATE p",
		$query =~ /^(?:SELECT|TABLE|WITH)/ ? "DECLARE c CURSOR FOR $query; FETCH 3 FROM c; MOVE 1 IN c; FETCH ALL FROM c" : $query,
		"SET LOCAL @{[ parallel_setting($node) ]} = on; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; $query",
		"SET LOCAL enable_seqscan = off; $query",
		"SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; $query",
		"UPDATE laras.$r t SET $k = $k WHERE $where RETURNING t::text",
		"DELETE FROM laras.$r t WHERE $where RETURNING t::text",
		"DELETE FROM laras.$r t USING laras.$s u WHERE " . predicate('u', $sc, 1) . ' RETURNING u::text, t::text',
		"SELECT t::text FROM laras.$r t WHERE $where FOR UPDATE",
		"EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) $query");
}

my @who = (
	[ 'own', $own, qr/\Q$other\E|$Tenants::FOREIGN|$Tenants::CANARY/ ],
	[ 'other', $other, qr/\Q$own\E|$Tenants::OWN/ ],
	[ 'nobody', undef, qr/\Q$own\E|\Q$other\E|$Tenants::OWN|$Tenants::FOREIGN|$Tenants::CANARY/ ]);
my $wanted = long_run(3000, 1_000_000);
my ($run, $answers, $errors, %seen) = (0, 0, 0);
my @leak;
while ($run < $wanted && @leak < 5)
{
	my $role = pick(qw(laras_owner laras_app));
	my ($name, $workspace, $forbidden) = @{ pick(@who) };
	my @batch = map { statement($role) } 1 .. 100;
	my $sql = "\\set VERBOSITY sqlstate\nSET client_min_messages = error;\nBEGIN;\n";
	$sql .= "SELECT laras.act_as($workspace) IS NULL;\n" if defined $workspace;
	$sql .= "SET LOCAL ROLE $role;\n";
	# What binds also answers: its line is not looked at.
	$sql .= "SAVEPOINT s;\n\\echo >>$_\n$batch[$_];\nROLLBACK TO s;\n" for 0 .. $#batch;
	my $said = $tenants->talk(superuser(), "$sql\\echo >>end\nROLLBACK;\n");
	my %said = $said =~ /^>>(\d+)\n(.*?)(?=^>>)/gms;
	for my $i (0 .. $#batch)
	{
		$run++;
		my $answer = $said{$i};
		if (!defined $answer) { push @leak, "no answer at all: $batch[$i]"; next; }
		# A plan quotes the constants that the statement named.
		my $looked = $batch[$i] =~ /^EXPLAIN/ ? join("\n", grep { !/Filter|Cond|Key|Output/ } split /\n/, $answer) : $answer;
		push @leak, "as $role of $name: $batch[$i]\n$answer" if $looked =~ $forbidden;
		$errors++ if $answer =~ /ERROR: /;
		$answers++ if $answer =~ /\S/ && $answer !~ /ERROR: /;
		$seen{$name}++ if defined $workspace && $answer =~ /$workspace/;
	}
}
is(join("\n\n", @leak), '', "no row of anybody else in $run statements (seed $seed)");
note("$run statements, $answers with an answer, $errors with an error, own rows seen " . join(', ', map { "$_: $seen{$_}" } sort keys %seen));
cmp_ok($answers, '>', $run / 10, 'many statements were answered');
cmp_ok($errors, '<', $run / 2, 'most were understood');
# few statements return whole rows; that there are some shows that the search would have seen a foreign one
cmp_ok($seen{$_} // 0, '>', 0, "the tenant \"$_\" saw its own rows") for qw(own other);
done_testing();

sub superuser { return $node->safe_psql('postgres', 'SELECT current_user'); }
