# A foreign id, a foreign address or prefix and a random one get the same answer:
# SQLSTATE, text, detail, hint and number of rows, from every function that a
# client role may call, and in about the same time.
# proves R107
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;

my $node = Laras->cluster('oracles');
my $tenants = Tenants->new($node);
my ($own, $other) = ($tenants->own, $tenants->other);
my %set;
open my $fh, '<', 'test/sql/tenancy_matrix.list' or die "tenancy_matrix.list: $!";
while (<$fh>) { $set{$1}{$2} = $3 if /^set (\w+) (\w+) = (.+)$/; }
close $fh;
$tenants->fill(\%set);

# The ids that stand in each of the other tenant's rows, one of each column that holds ids.
my @foreign = ($other);
for my $table ($tenants->tables)
{
	push @foreign, split /\n/, $node->safe_psql('postgres', qq{
		SELECT DISTINCT e.v FROM (SELECT t.* FROM laras.$table t WHERE workspace_id = $other LIMIT 2) AS r,
		jsonb_each_text(to_jsonb(r)) AS e (k, v) WHERE e.v ~ '^[0-9]{17,19}\$' AND e.k <> 'slot'});
}
@foreign = do { my %seen; grep { !$seen{$_}++ } @foreign };
cmp_ok(scalar @foreign, '>=', 3, 'ids of the other tenant to ask about');

my %dummy = (
	text => "'x'", 'text[]' => "'{}'::text[]", jsonb => "'{}'::jsonb", json => "'{}'::json", bytea => "'\\x00'::bytea",
	'bytea[]' => "'{}'::bytea[]", boolean => 'true', integer => '1::integer', smallint => '1::smallint', interval => "'1 s'::interval",
	'timestamp with time zone' => 'laras.now()', date => 'current_date', numeric => '1', inet => 'NULL::inet', name => "'x'::name",
	'laras.sealed' => 'NULL::laras.sealed', uuid => "'00000000-0000-0000-0000-000000000000'::uuid", 'bigint[]' => "'{}'::bigint[]");

# What a call says, without what differs by its nature.
sub answers
{
	my ($role, $call) = @_;
	my $bind = $role eq 'laras_service' ? "laras.act_as($own)" : "laras.enter('" . $tenants->own_token . "')";
	my $said = $tenants->talk($role, "BEGIN;\nSELECT $bind > 0;\n\\echo >>\n\\o /dev/stdout\nSELECT * FROM $call;\n\\echo rows :ROW_COUNT\nROLLBACK;");
	$said =~ s/.*?^>>\n//ms;
	return $said;
}

my $asked = 0;
for my $role (qw(laras_app laras_service))
{
	my @function = split /\n/, $node->safe_psql('postgres', qq{
		SELECT format('%s|%s', p.proname, (SELECT string_agg(format_type(t, NULL), ';' ORDER BY n) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (t, n)))
		FROM pg_proc p WHERE p.pronamespace = 'laras'::regnamespace AND has_function_privilege('$role', p.oid, 'EXECUTE')
		AND 'bigint'::regtype = ANY (p.proargtypes::oid[]) AND p.proname NOT IN ('id_time', 'act_as') ORDER BY 1});
	for my $function (@function)
	{
		my ($name, $types) = split /\|/, $function;
		my @type = split /;/, $types;
		my @bad;
		for my $position (grep { $type[$_] eq 'bigint' } 0 .. $#type)
		{
			my %heard;
			for my $id ($Tenants::RANDOM, @foreign)
			{
				my @argument = map { $type[$_] eq 'bigint' ? ($_ == $position ? $id : $Tenants::RANDOM) : $dummy{ $type[$_] } // "NULL::$type[$_]" } 0 .. $#type;
				my $answer = answers($role, "laras.$name(" . join(', ', map { /^\d+$/ ? "$_\::bigint" : $_ } @argument) . ')');
				# An answer may not even repeat the id that was asked for: then it would have to differ.
				push @{ $heard{$answer} }, $id;
				$asked++;
			}
			push @bad, map { "argument $position: " . join(',', @{ $heard{$_} }) . " heard\n$_" } sort keys %heard if keys %heard > 1;
		}
		is(join("\n", @bad), '', "$name($types) tells $role nothing about the other tenant's ids");
	}
}
cmp_ok($asked, '>=', 20, "questions asked ($asked)");

# Names instead of ids: an API key's prefix, an e-mail address.
my $key = $tenants->as('laras_app', "BEGIN; SELECT laras.enter('" . $tenants->other_token . "'); SELECT laras.create_api_key('k', '{inbox}'); COMMIT");
my ($prefix) = $key =~ /^lk_(\w{10})_/;
is(answers('laras_app', "laras.revoke_api_key('$prefix')"), answers('laras_app', "laras.revoke_api_key('aaaaaaaaaa')"),
	'a foreign prefix is as unknown as a random one');
my $taken = answers('laras_app', q{laras.add_member('other@example.com', 'x', 'agent', 'password')});
like($taken, qr/^\d{10,}\nrows 1$/m, 'an address that another tenant has can be added') or diag($taken);
like(answers('laras_app', q{laras.add_member('new@example.com', 'x', 'agent', 'password')}), qr/^\d{10,}\nrows 1$/m, 'as one that nobody has');
my %login = map { $_ => $tenants->talk('laras_app', "SELECT laras.log_in('$_', 'wrong password');") } qw(other@example.com nobody@example.com);
is($login{'other@example.com'}, $login{'nobody@example.com'}, 'a log-in says the same about a known and an unknown address');

# Time: medians of interleaved tries, on the server's own clock. Many tries tell
# a difference of a twentieth, the goal; the few of a short run, beside whatever
# else the machine does, tell a look-up or a hash that one of the two went without.
my $tries = long_run(100, 2000);
my $tolerance = long_run(0.15, 0.05);
my $member = $node->safe_psql('postgres', "SELECT id FROM laras.member WHERE workspace_id = $other AND role = 'owner' LIMIT 1");
$node->safe_psql('postgres', q{
	CREATE SCHEMA probe; GRANT USAGE ON SCHEMA probe TO PUBLIC;
	CREATE FUNCTION probe.time_of(call text, times int) RETURNS double precision LANGUAGE plpgsql AS $$
	DECLARE started timestamptz := clock_timestamp();
	BEGIN
		-- The clock counts microseconds: a call of a few is made many times.
		FOR i IN 1 .. times LOOP
			BEGIN EXECUTE call; EXCEPTION WHEN OTHERS THEN NULL; END;
		END LOOP;
		RETURN extract(epoch FROM clock_timestamp() - started) * 1e6;
	END $$;
	CREATE FUNCTION probe.ratio(one text, two text, tries int, times int) RETURNS double precision LANGUAGE plpgsql AS $$
	DECLARE a double precision[]; b double precision[];
	BEGIN
		FOR i IN 1 .. tries LOOP
			-- Whoever comes second may find warmer caches: they take turns.
			IF i % 2 = 0 THEN a := a || probe.time_of(one, times); b := b || probe.time_of(two, times);
			ELSE b := b || probe.time_of(two, times); a := a || probe.time_of(one, times); END IF;
		END LOOP;
		RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM unnest(a) x)
			/ (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM unnest(b) x);
	END $$});
sub same_time
{
	my ($name, $one, $two, $n, $times, $bind) = @_;
	my $ratio;
	# A busy machine may spoil one measurement; a real difference shows in all of them.
	for (1 .. 4)
	{
		$ratio = $node->safe_psql('postgres', "BEGIN; $bind SELECT probe.ratio(\$a\$$one\$a\$, \$b\$$two\$b\$, $n, $times); COMMIT",
			extra_params => [ '-U', 'laras_app' ]);
		$ratio =~ s/.*\n//s;
		last if abs($ratio - 1) < $tolerance;
	}
	ok(abs($ratio - 1) < $tolerance, "$name takes the same time") or diag("ratio of medians over $n tries: $ratio");
	note("$name: ratio of medians over $n tries $ratio");
	return;
}
my $bind = "SELECT laras.enter('" . $tenants->own_token . "');";
same_time('a foreign and a random member', "SELECT laras.remove_member($member)", "SELECT laras.remove_member($Tenants::RANDOM)", $tries, 20, $bind);
same_time('a foreign and a random prefix', "SELECT laras.revoke_api_key('$prefix')", "SELECT laras.revoke_api_key('aaaaaaaaaa')", $tries, 20, $bind);
same_time('a known and an unknown address', q{SELECT laras.log_in('other@example.com', 'wrong password')}, q{SELECT laras.log_in('nobody@example.com', 'wrong password')},
	long_run(12, 300), 1, '');
done_testing();
