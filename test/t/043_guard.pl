# Nothing of laras is dropped or truncated while a workspace exists, by whichever
# path, with the library preloaded and without; the keeper's own purges, rewrites
# and temporary tables are not in the way, and laras.allow_drop opens it.
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;

my $node = Laras->cluster('guard');

# While there is no workspace, laras can be taken out and put in again.
$node->safe_psql('postgres', 'DROP EXTENSION laras; CREATE EXTENSION laras');
pass('without workspaces the extension is dropped and made again');
$node->safe_psql('postgres', 'TRUNCATE laras.session');
pass('without workspaces a table is truncated');

my $tenants = Tenants->new($node);
my $rows = "SELECT (SELECT count(*) FROM laras.workspace), (SELECT count(*) FROM laras.member)";
my $before = $node->safe_psql('postgres', $rows);

my %refused = (
	'DROP EXTENSION laras' => 'LRT05',
	'DROP EXTENSION laras CASCADE' => 'LRT05',
	'DROP EXTENSION pgcrypto CASCADE' => 'LRT05',
	'DROP SCHEMA laras CASCADE' => 'LRT05',
	'DROP SCHEMA laras' => '2BP01',
	'DROP TABLE laras.session' => '2BP01',
	'DROP TABLE laras.session CASCADE' => 'LRT05|2BP01',
	'DROP TYPE laras.sealed CASCADE' => 'LRT05|2BP01',
	'DROP FUNCTION laras.current_workspace() CASCADE' => 'LRT05|2BP01',
	'DROP OWNED BY laras_owner CASCADE' => 'LRT05|2BP01',
	'ALTER EXTENSION laras DROP TABLE laras.session; DROP TABLE laras.session' => 'LRT05',
	'ALTER TABLE laras.member DROP COLUMN email CASCADE' => 'LRT05|2BP01',
	'TRUNCATE laras.workspace CASCADE' => 'LRT05',
	'TRUNCATE laras.session' => 'LRT05',
	'TRUNCATE laras.member, laras.session' => 'LRT05',
	'TRUNCATE ONLY laras.api_key' => 'LRT05',
	'TRUNCATE laras.webhook_event' => 'LRT05',
	'TRUNCATE laras.webhook_event_0' => 'LRT05',
	'SET session_replication_role = replica; TRUNCATE laras.session' => 'LRT05',
	'SET session_replication_role = replica; TRUNCATE laras.workspace CASCADE' => 'LRT05',
	'SET session_replication_role = replica; DROP EXTENSION laras' => 'LRT05',
	'SET session_replication_role = replica; DROP SCHEMA laras CASCADE' => 'LRT05',
	'TRUNCATE laras.installation' => 'LRT05',
	"DO \$\$ BEGIN EXECUTE 'DROP EXTENSION laras'; END \$\$" => 'LRT05',
	'SET ROLE laras_owner; TRUNCATE laras.session' => 'LRT05',
);

sub refuse_all
{
	my ($how) = @_;
	for my $sql (sort keys %refused)
	{
		my ($code, $out, $err);
		# A worker may hold what is asked for, in the other order: that is no answer.
		for (1 .. 5)
		{
			($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; $sql; COMMIT;");
			last unless $err =~ /40P01/;
		}
		like($err, qr/ERROR:\s+(?:$refused{$sql})\b/, "$how: $sql");
	}
	is($node->safe_psql('postgres', $rows), $before, "$how: every row stands");
	return;
}
refuse_all('preloaded');

# Everyday maintenance is not in the way.
$node->safe_psql('postgres', q{
	VACUUM FULL laras.member; CLUSTER laras.member USING member_pkey; REINDEX TABLE laras.member; ANALYZE laras.member;
	CREATE TEMP TABLE t (id int); DROP TABLE t;
	CREATE TABLE public.t (id int); TRUNCATE public.t; ALTER TABLE public.t ALTER id TYPE bigint; DROP TABLE public.t;
	CREATE SCHEMA s; DROP SCHEMA s CASCADE;
	CREATE EXTENSION pg_trgm; DROP EXTENSION pg_trgm});
is($node->safe_psql('postgres', $rows), $before, 'rewriting tables, and dropping others, is allowed');

# Only a superuser opens it.
my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSET laras.allow_drop = on", extra_params => [ '-U', 'laras_service' ]);
like($err, qr/42501/, 'laras.allow_drop is for superusers');
is($node->safe_psql('postgres', "BEGIN; SET LOCAL laras.allow_drop = on; TRUNCATE laras.session; SELECT count(*) FROM laras.session; ROLLBACK"),
	'0', 'laras.allow_drop lets TRUNCATE pass');
is($node->safe_psql('postgres', "BEGIN; SET LOCAL laras.allow_drop = on; DROP EXTENSION laras; SELECT to_regclass('laras.session') IS NULL; ROLLBACK"),
	't', 'laras.allow_drop lets DROP EXTENSION pass');
is($node->safe_psql('postgres', $rows), $before, 'and a rollback brings all back');

# Without preload each command stands at the beginning of a session that has not loaded the library.
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
refuse_all('not preloaded');
is($node->safe_psql('postgres', "LOAD 'laras'; BEGIN; SET LOCAL laras.allow_drop = on; TRUNCATE laras.session; DROP SCHEMA laras CASCADE; SELECT to_regclass('laras.session') IS NULL; ROLLBACK"),
	't', 'not preloaded: laras.allow_drop lets a superuser pass');
is($node->safe_psql('postgres', $rows), $before, 'not preloaded: and a rollback brings all back');
done_testing();
