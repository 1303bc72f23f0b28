# Every table, view and function of the schema against its line in the expectation
# file; then every table and view, with rows of two tenants in it, against every
# way to read and write, for the own, a foreign, a random workspace and none.
# proves R003 R107
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;

my $node = Laras->cluster('matrix');
my %expected;
my %set;
my $list = 'test/sql/tenancy_matrix.list';
open my $fh, '<', $list or die "$list: $!";
while (my $line = <$fh>)
{
	chomp $line;
	next if $line =~ /^\s*(#|$)/;
	if ($line =~ /^set (\w+) (\w+) = (.+)$/) { $set{$1}{$2} = $3; next; }
	my ($kind, $name, $rest) = $line =~ /^(table|view|function) (\S+\(.*?\)|\S+)\s*(.*)$/
	  or die "$list: not understood: $line\n";
	$expected{"$kind $name"} = $rest;
}
close $fh;

# ---------------------------------------------------------------- the catalogue
my @found = split /\n/, $node->safe_psql('postgres', q{
	WITH acl AS (
		SELECT c.oid, replace(a.grantee::regrole::text, 'laras_', '') AS role,
		string_agg(CASE a.privilege_type WHEN 'SELECT' THEN 'r' WHEN 'INSERT' THEN 'a' WHEN 'UPDATE' THEN 'w' WHEN 'DELETE' THEN 'd'
			WHEN 'TRUNCATE' THEN 'D' WHEN 'REFERENCES' THEN 'x' WHEN 'TRIGGER' THEN 't' END, '' ORDER BY a.privilege_type) AS rights
		FROM (SELECT c.oid, c.relowner, c.relacl AS acl FROM pg_class c
			UNION ALL SELECT a.attrelid, c.relowner, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attacl IS NOT NULL) c,
		aclexplode(c.acl) a WHERE a.grantee <> c.relowner AND a.grantee <> 0
		AND NOT (a.grantee = 'laras_backup'::regrole AND a.privilege_type = 'SELECT')
		GROUP BY 1, 2)
	SELECT CASE WHEN c.relkind = 'v' THEN format('view %s %s', c.relname, (SELECT string_agg(role, ' ' ORDER BY role) FROM acl WHERE acl.oid = c.oid AND rights = 'r'))
	  ELSE format('table %s %s %s', c.relname,
		CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped) THEN 'tenant' ELSE 'platform' END,
		(SELECT string_agg(role || '=' || rights, ' ' ORDER BY role) FROM acl WHERE acl.oid = c.oid)) END
	FROM pg_class c WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
	UNION ALL
	SELECT format('function %s(%s) %s %s', p.proname, pg_catalog.oidvectortypes(p.proargtypes),
		CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
		(SELECT string_agg(replace(a.grantee::regrole::text, 'laras_', ''), ' ' ORDER BY replace(a.grantee::regrole::text, 'laras_', ''))
		 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee NOT IN (0, p.proowner)))
	FROM pg_proc p WHERE p.pronamespace = 'laras'::regnamespace
	ORDER BY 1});
s/\s+$// for @found;

my (%met, %shared, %platform_view, @strangers);
for my $line (@found)
{
	my ($key, $is) = $line =~ /^((?:table|view) \S+|function \S+?\(.*?\))\s*(.*)$/ or die "not understood: $line";
	my ($wanted) = exists $expected{$key} ? $key
	  : grep { my $prefix = $_; $prefix =~ s/\*$// && index($key, $prefix) == 0 } keys %expected;
	if (!defined $wanted)
	{
		push @strangers, $line;
		next;
	}
	$met{$wanted} = 1;
	# The catalogue cannot tell; whoever reads rows of all must not be a client.
	if ($expected{$wanted} =~ /^shared\b/)
	{
		unlike($is, qr/\b(app|service|relay|drafter|auditor|dba)=/, "$key gives no client a right");
		$is =~ s/^tenant\b/shared/;
		$shared{ ($key =~ /(\w+)$/)[0] } = 1;
	}
	my ($view) = $key =~ /^view (\w+)/;
	$platform_view{$view} = 1 if defined $view && $expected{$wanted} =~ s/^platform //;
	is($is, $expected{$wanted}, $key);
}
is(join("\n", @strangers), '', 'every object has an expectation') or diag("lines to add to $list:\n" . join("\n", @strangers));
is(join("\n", grep { !$met{$_} } sort keys %expected), '', 'every expectation has its object');

# ----------------------------------------------------------- rows of two tenants
my $tenants = Tenants->new($node);
my ($own, $other) = ($tenants->own, $tenants->other);

# What the views show of the own tenant before the other one has anything but its owner.
my $failed = $tenants->fill(\%set);
is(join("\n", map { "$_: $failed->{$_}" } sort keys %$failed), '', 'a row of both tenants stands in every tenant table')
  or diag("help with a line `set <table> <column> = <SQL>` in $list");

my %id = (own => $own, foreign => $other, random => $Tenants::RANDOM);

# The probes of one table, each as [name, SQL, what must be said]. Run as $role,
# bound to the own workspace or to none.
sub probes
{
	my ($table, $role, $bound) = @_;
	my $columns = $node->safe_psql('postgres', qq{SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'laras.$table'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''});
	my $n = $bound ? '[1-9]\d*' : '0';
	my @probe = (
		[ 'select all', "SELECT 'n=' || count(*) FROM laras.$table", qr/n=$n$/ ],
		[ 'select other than own', "SELECT 'n=' || count(*) FROM laras.$table WHERE workspace_id NOT IN ($own, 0)", qr/n=0$/ ],
		[ 'every row is the own one\'s', "SELECT 'n=' || count(*) FILTER (WHERE workspace_id <> $own) FROM laras.$table", qr/n=0$/ ],
		[ 'cursor', "DECLARE c CURSOR FOR SELECT 'w=' || workspace_id FROM laras.$table ORDER BY workspace_id DESC; FETCH 100 FROM c", qr/^(w=$own\n?)*$/ ],
		[ 'CTE', "WITH t AS MATERIALIZED (SELECT * FROM laras.$table) SELECT 'n=' || count(*) FROM t WHERE workspace_id <> $own", qr/n=0$/ ],
		[ 'join with itself', "SELECT 'n=' || count(*) FROM laras.$table a, laras.$table b WHERE a.workspace_id <> b.workspace_id OR b.workspace_id <> $own", qr/n=0$/ ],
		[ 'generic plan', "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE p AS SELECT 'n=' || count(*) FROM laras.$table WHERE workspace_id = \$1; EXECUTE p ($other); DEALLOCATE p", qr/n=0$/ ],
		[ 'parallel', "SET LOCAL @{[ parallel_setting($node) ]} = on; SET LOCAL parallel_setup_cost = 0; SELECT 'n=' || count(*) FROM laras.$table WHERE workspace_id <> $own", qr/n=0$/ ],
		[ 'leaking function', "SELECT 'n=' || count(*) FROM laras.$table t WHERE probe.leak(t.workspace_id)", qr/^(?!.*leak: $other)/s ],
		[ 'row lock', "SELECT 'w=' || workspace_id FROM laras.$table WHERE workspace_id = $other FOR UPDATE", qr/^$/ ],
		[ 'COPY out', "COPY (SELECT * FROM laras.$table WHERE workspace_id <> $own) TO STDOUT", qr/^$/ ],
		[ 'COPY in', "COPY laras.$table FROM '/dev/null'", qr/0A000|42501/ ],
		[ 'TRUNCATE', "TRUNCATE laras.$table CASCADE", qr/LRT05|42501/ ],
	);
	for my $whose (qw(foreign random))
	{
		my $w = $id{$whose};
		push @probe,
		  [ "update $whose", "WITH u AS (UPDATE laras.$table SET workspace_id = workspace_id WHERE workspace_id = $w RETURNING 1) SELECT 'n=' || count(*) FROM u", qr/n=0$/ ],
		  [ "delete $whose", "WITH d AS (DELETE FROM laras.$table WHERE workspace_id = $w RETURNING 1) SELECT 'n=' || count(*) FROM d", qr/n=0$/ ],
		  [ "merge $whose", "MERGE INTO laras.$table t USING (VALUES ($w)) AS s (w) ON t.workspace_id = s.w WHEN MATCHED THEN DELETE", qr/^$/ ],
		  [ "merge all but own, $whose", "MERGE INTO laras.$table t USING (VALUES ($w)) AS s (w) ON t.workspace_id <> $own WHEN MATCHED THEN UPDATE SET workspace_id = $own", qr/^$/ ],
		  [ "insert as $whose", "INSERT INTO laras.$table ($columns) SELECT $columns FROM (SELECT (jsonb_populate_record(r, jsonb_build_object('workspace_id', $w))).* FROM (SELECT t FROM probe.row_of_$table t LIMIT 1) AS q (r)) AS filled", qr/42501/ ],
		  [ "insert as $whose, on conflict", "INSERT INTO laras.$table ($columns) SELECT $columns FROM (SELECT (jsonb_populate_record(r, jsonb_build_object('workspace_id', $w))).* FROM (SELECT t FROM probe.row_of_$table t LIMIT 1) AS q (r)) AS filled ON CONFLICT DO NOTHING", qr/42501/ ];
		push @probe, [ "move own to $whose", "WITH u AS (UPDATE laras.$table SET workspace_id = $w RETURNING 1) SELECT 'n=' || count(*) FROM u", qr/42501|n=0$/ ] if $bound;
	}
	push @probe, [ 'insert as own', "INSERT INTO laras.$table ($columns) SELECT $columns FROM (SELECT (r).* FROM (SELECT t FROM probe.row_of_$table t LIMIT 1) AS q (r)) AS filled", qr/42501/ ] unless $bound;
	return @probe;
}

# What the tables hold, for the inserts: copies that row security does not reach.
$node->safe_psql('postgres', qq{
	CREATE SCHEMA probe; GRANT USAGE ON SCHEMA probe TO PUBLIC;
	CREATE FUNCTION probe.leak(bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
	  AS 'BEGIN RAISE NOTICE ''leak: %'', \$1; RETURN true; END'});

my $tried = 0;
sub examine
{
	my ($table, $role, $bound) = @_;
	my @probe = probes($table, $role, $bound);
	my $sql = "BEGIN;\n";
	$sql .= "SELECT laras.act_as($own) > 0;\n" if $bound;
	$sql .= "SET LOCAL ROLE $role;\n";
	for my $i (0 .. $#probe)
	{
		$sql .= "SAVEPOINT s;\n\\echo >>$i\n$probe[$i][1];\nROLLBACK TO s;\n";
	}
	my $said = $tenants->talk(superuser(), $sql . "\\echo >>end\nROLLBACK;\n");
	my %said = $said =~ /^>>(\d+)\n(.*?)(?=^>>)/gms;
	my @bad;
	for my $i (0 .. $#probe)
	{
		$tried++;
		my $answer = $said{$i} // 'nothing at all';
		$answer =~ s/\n+$//;
		# A right that the role does not hold at all is as good; which it holds stands in the list.
		next if $answer =~ /42501: +permission denied for table/ && $probe[$i][0] ne 'select all';
		push @bad, "$probe[$i][0]: $answer" unless $answer =~ $probe[$i][2];
	}
	is(join("\n", @bad), '', "laras.$table as $role, " . ($bound ? 'bound' : 'unbound'));
	return;
}

my @plain = split /\n/, $node->safe_psql('postgres', q{
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p')
	AND has_table_privilege('laras_app', c.oid, 'INSERT')});
my @all = split /\n/, $node->safe_psql('postgres', q{
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p')
	AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped)
	ORDER BY 1});
for my $table (grep { !$shared{$_} } @all)
{
	$node->safe_psql('postgres', "CREATE TABLE probe.row_of_$table AS SELECT * FROM laras.$table WHERE workspace_id = $own LIMIT 1; GRANT SELECT ON probe.row_of_$table TO PUBLIC");
	# A partition without a row of its own has nothing to be asked about writing.
	next if 0 == $node->safe_psql('postgres', "SELECT count(*) FROM probe.row_of_$table");
	examine($table, 'laras_owner', $_) for 0, 1;
	# The worker sees what is in its set, and here there is none.
	examine($table, 'laras_worker', 0)
	  if 't' eq $node->safe_psql('postgres', "SELECT has_table_privilege('laras_worker', 'laras.$table', 'SELECT')");
}
for my $table (@plain)
{
	examine($table, $_->[0], $_->[1]) for [ 'laras_app', 0 ], [ 'laras_app', 1 ], [ 'laras_service', 0 ], [ 'laras_service', 1 ];
}
cmp_ok($tried, '>=', 100, "probes made ($tried)");

# Views: unbound nothing; bound as many rows as when the other tenant's are gone.
my @views = split /\n/, $node->safe_psql('postgres', q{
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind = 'v' AND has_table_privilege('laras_app', c.oid, 'SELECT') ORDER BY 1});
cmp_ok(scalar @views, '>', 0, 'there are views to look at');
my $delete_other = join "\n", "SET LOCAL session_replication_role = replica;", map { "DELETE FROM laras.$_ WHERE workspace_id = $other;" } $tenants->tables;
for my $view (grep { !$platform_view{$_} } @views)
{
	my $count = "SELECT 'n=' || count(*) FROM laras.$view;";
	like($tenants->talk('laras_app', "$count"), qr/^n=0$/m, "view $view is empty for whoever entered nothing");
	my $with = $tenants->talk(superuser(), "BEGIN; SELECT laras.act_as($own) > 0; SET LOCAL ROLE laras_app; $count ROLLBACK;");
	my $without = $tenants->talk(superuser(), "BEGIN; $delete_other SELECT laras.act_as($own) > 0; SET LOCAL ROLE laras_app; $count ROLLBACK;");
	like($with, qr/^n=\d+$/m, "view $view answers");
	is($with, $without, "view $view shows what it would if the other tenant did not exist");
	my $all = $tenants->talk(superuser(), "BEGIN; SELECT laras.act_as($own) > 0; SET LOCAL ROLE laras_app; SELECT v::text FROM laras.$view v; ROLLBACK;");
	unlike($all, qr/$Tenants::FOREIGN|\Q$Tenants::CANARY\E|$other/, "view $view shows nothing of the other tenant");
}

done_testing();

sub superuser { return $node->safe_psql('postgres', 'SELECT current_user'); }
