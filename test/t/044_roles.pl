# The role set: made with exactly its attributes, never taken over from somebody
# who prepared a role, closed to clients where it should be, quiet in the log; and
# doctor() sees what is changed afterwards.
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;

my $node = Laras->cluster('roles', extension => 0, databases => 'postgres');
my %made = (
	laras_owner => 'f|f|-1', laras_worker => 't|f|0', laras_intake => 'f|f|-1', laras_service => 't|f|-1', laras_app => 't|f|-1',
	laras_drafter => 'f|f|-1', laras_relay => 't|f|-1', laras_standby => 't|f|-1', laras_dba => 'f|f|-1', laras_auditor => 'f|f|-1', laras_backup => 'f|t|-1');

sub install
{
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nCREATE EXTENSION laras CASCADE");
	return $err;
}

# Each prepared role or schema, and how to take it away again.
my @prepared = (
	[ 'a superuser', 'CREATE ROLE laras_owner SUPERUSER', 'DROP ROLE laras_owner' ],
	[ 'a role that passes row security', 'CREATE ROLE laras_app LOGIN BYPASSRLS', 'DROP ROLE laras_app' ],
	[ 'a worker that clients may use', 'CREATE ROLE laras_worker LOGIN', 'DROP ROLE laras_worker' ],
	[ 'an owner who logs in', 'CREATE ROLE laras_owner LOGIN', 'DROP ROLE laras_owner' ],
	[ 'a role that makes roles', 'CREATE ROLE laras_dba CREATEROLE', 'DROP ROLE laras_dba' ],
	[ 'a role that inherits nothing', 'CREATE ROLE laras_dba NOINHERIT', 'DROP ROLE laras_dba' ],
	[ 'a replicating backup role', 'CREATE ROLE laras_backup BYPASSRLS REPLICATION', 'DROP ROLE laras_backup' ],
	[ 'a password somebody knows', q{CREATE ROLE laras_service LOGIN PASSWORD 'known'}, 'DROP ROLE laras_service' ],
	[ 'a member of the owner', 'CREATE ROLE mallory LOGIN; CREATE ROLE laras_owner; GRANT laras_owner TO mallory', 'DROP ROLE laras_owner, mallory' ],
	[ 'a member of the operators', 'CREATE ROLE mallory LOGIN; CREATE ROLE laras_dba; GRANT laras_dba TO mallory', 'DROP ROLE laras_dba, mallory' ],
	[ 'an owner who is a member elsewhere', 'CREATE ROLE laras_owner; GRANT pg_read_all_data TO laras_owner', 'DROP ROLE laras_owner' ],
	[ 'a client that is the superuser', 'CREATE ROLE boss SUPERUSER; CREATE ROLE laras_app LOGIN; GRANT boss TO laras_app', 'DROP ROLE laras_app, boss' ],
	[ 'a setting that comes along', q{CREATE ROLE laras_owner; ALTER ROLE laras_owner SET search_path = evil}, 'DROP ROLE laras_owner' ],
	[ 'a setting in this database only', q{CREATE ROLE laras_app LOGIN; ALTER ROLE laras_app IN DATABASE postgres SET role = 'postgres'}, 'DROP ROLE laras_app' ],
	[ 'a role that expires', q{CREATE ROLE laras_app LOGIN VALID UNTIL '2030-01-01'}, 'DROP ROLE laras_app' ],
);
for my $case (@prepared)
{
	my ($name, $make, $undo) = @$case;
	$node->safe_psql('postgres', $make);
	like(install(), qr/LRT06: +role "laras_\w+" exists, but not as laras makes it/, "refused: $name");
	$node->safe_psql('postgres', $undo);
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname LIKE 'laras\_%'}), '0', 'a refusal leaves no role behind');

$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN; CREATE SCHEMA laras AUTHORIZATION mallory');
like(install(), qr/42P06/, 'refused: a schema of somebody else');
$node->safe_psql('postgres', 'DROP SCHEMA laras; CREATE SCHEMA laras; CREATE FUNCTION laras.now(int) RETURNS int LANGUAGE sql RETURN 1');
like(install(), qr/42P06/, 'refused: a schema with something in it');
$node->safe_psql('postgres', 'DROP SCHEMA laras CASCADE; CREATE SCHEMA laras');

# A role that is exactly right is taken, whoever made it; an empty schema of one's own too.
$node->safe_psql('postgres', 'CREATE ROLE laras_drafter; CREATE ROLE laras_worker LOGIN CONNECTION LIMIT 0');
unlike(install(), qr/ERROR/, 'installed over roles that are right') or BAIL_OUT('not installed');
for my $role (sort keys %made)
{
	is($node->safe_psql('postgres', qq{SELECT concat_ws('|', rolcanlogin, rolbypassrls, rolconnlimit) FROM pg_authid WHERE rolname = '$role'
		AND rolinherit AND rolpassword IS NULL AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication)}),
		$made{$role}, "$role has its attributes");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_auth_members m WHERE 'laras_owner'::regrole IN (m.roleid, m.member)}), '0', 'laras_owner has no member');

# Who may log in as what.
for my $role (sort keys %made)
{
	my ($code, $out, $err) = $node->psql('postgres', 'SELECT current_user', extra_params => [ '-U', $role ]);
	my $may = $role =~ /^laras_(service|app|relay|standby)$/;
	is($code == 0 ? 1 : 0, $may ? 1 : 0, "a client " . ($may ? 'logs in' : 'does not log in') . " as $role") or diag($err);
}

# A second database of the cluster, with a password set since: refused with a hint, then accepted.
$node->safe_psql('postgres', q{CREATE DATABASE second; ALTER ROLE laras_app PASSWORD 'set by the operator'; GRANT laras_dba TO mallory});
my ($code, $out, $err) = $node->psql('second', 'CREATE EXTENSION laras CASCADE');
like($err, qr/exists, but not as laras makes it.*HINT:.*given again/s, 'a password set since is named, with what to do');
$node->safe_psql('postgres', 'ALTER ROLE laras_app PASSWORD NULL; REVOKE laras_dba FROM mallory');
$node->safe_psql('second', 'CREATE EXTENSION laras CASCADE');
pass('laras is installed in a second database with the same roles');

# What arrives as a parameter reaches no log, however much the server logs.
$node->append_conf('postgresql.conf', join "\n", "log_statement = 'all'", 'log_min_duration_statement = 0', 'log_parameter_max_length = -1',
	'log_parameter_max_length_on_error = -1', 'log_min_error_statement = error', 'debug_print_parse = on', 'debug_print_plan = on',
	"session_preload_libraries = 'auto_explain'", 'auto_explain.log_min_duration = 0', 'auto_explain.log_verbose = on', "log_min_messages = debug1", '');
$node->restart;
Tenants::vault_is_open($node);
for my $role (qw(laras_relay laras_service laras_app))
{
	my $canary = "canary-$role-" . int(rand(1e9));
	# The fault comes before any right is asked for, and would quote the parameter.
	$node->psql('postgres', "PREPARE p (text) AS SELECT \$1; EXECUTE p ('$canary'); SELECT laras.enter('$canary'); SELECT '$canary'::int; SELECT laras.no_such('$canary');",
		on_error_stop => 0, extra_params => [ '-U', $role ]);
	# The message of a failed cast quotes its value by itself: that is the client's own text of a statement.
	my $log = join "\n", grep { !/invalid input syntax for type integer: / } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile);
	unlike($log, qr/\Q$canary\E/, "statements and parameters of $role reach no log");
}
# The same server logs everybody else, so the setting is what keeps it out.
$node->safe_psql('postgres', "SELECT 'canary-of-another'");
like(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/canary-of-another/, 'the server does log others');

# doctor() on what was made, and on what is then spoilt.
sub doctor
{
	my ($check) = @_;
	return $node->safe_psql('postgres', "SELECT state || coalesce(': ' || detail, '') FROM laras.doctor() WHERE \"check\" = '$check'",
		extra_params => [ '-U', 'laras_service' ]);
}
my %spoilt = (
	'role laras_owner' => [ 'ALTER ROLE laras_owner LOGIN', 'ALTER ROLE laras_owner NOLOGIN', qr/^fail: its attributes differ/ ],
	'role laras_worker' => [ 'ALTER ROLE laras_worker CONNECTION LIMIT 5', 'ALTER ROLE laras_worker CONNECTION LIMIT 0', qr/^fail: its attributes differ/ ],
	'role laras_intake' => [ 'GRANT laras_intake TO mallory', 'REVOKE laras_intake FROM mallory', qr/^fail: it shares a membership with role "mallory"/ ],
	'members of laras_owner' => [ 'GRANT laras_owner TO mallory', 'REVOKE laras_owner FROM mallory', qr/^fail: mallory/ ],
	'log settings' => [ 'ALTER ROLE laras_relay RESET log_statement', q{ALTER ROLE laras_relay SET log_statement = 'none'}, qr/^fail: laras_relay: log_statement=none/ ],
	'row security' => [ 'ALTER TABLE laras.member NO FORCE ROW LEVEL SECURITY', 'ALTER TABLE laras.member FORCE ROW LEVEL SECURITY', qr/^fail: member/ ],
	'definer functions' => [ 'ALTER FUNCTION laras.log_out() OWNER TO CURRENT_USER', 'ALTER FUNCTION laras.log_out() OWNER TO laras_owner', qr/^fail: log_out/ ],
	'rights of PUBLIC' => [ 'GRANT EXECUTE ON FUNCTION laras.act_as(bigint, bigint) TO PUBLIC', 'REVOKE EXECUTE ON FUNCTION laras.act_as(bigint, bigint) FROM PUBLIC', qr/^fail: act_as/ ],
	'guard' => [ 'ALTER TABLE laras.member DISABLE TRIGGER refuse_truncate', 'ALTER TABLE laras.member ENABLE ALWAYS TRIGGER refuse_truncate', qr/^fail: member/ ],
	'making objects' => [ 'CREATE SCHEMA open; GRANT CREATE ON SCHEMA open TO laras_app', 'DROP SCHEMA open', qr/^fail: laras_app in open/ ],
);
for my $check (sort keys %spoilt)
{
	is(doctor($check), 'ok', "doctor: $check is well");
	$node->safe_psql('postgres', $spoilt{$check}[0]);
	like(doctor($check), $spoilt{$check}[2], "doctor: $check is seen when spoilt");
	$node->safe_psql('postgres', $spoilt{$check}[1]);
	is(doctor($check), 'ok', "doctor: $check is well again");
}
like(doctor('temporary tables'), qr/^warn: laras_app, laras_relay, laras_service/, 'doctor: TEMP is still with PUBLIC');
$node->safe_psql('postgres', 'REVOKE TEMP ON DATABASE postgres FROM PUBLIC');
is(doctor('temporary tables'), 'ok', 'doctor: TEMP was taken away');
like(doctor('functions open to everybody'), qr/^warn: .*pg_terminate_backend/, 'doctor: functions open to everybody');
$node->safe_psql('postgres', join ';', map { "REVOKE EXECUTE ON FUNCTION $_ FROM PUBLIC" } split /\n/, $node->safe_psql('postgres', q{
	SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
	AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'pg_terminate_backend', 'pg_cancel_backend')}));
is(doctor('functions open to everybody'), 'ok', 'doctor: and closed');
like(doctor('clock'), qr/^warn: laras.test_mode is on/, 'doctor: test mode is told');
is(doctor('ids'), 'ok', 'doctor: ids have a high-water mark');
is(doctor('preload'), 'ok', 'doctor: preloaded');
($code, $out, $err) = $node->psql('postgres', 'SELECT * FROM laras.doctor()', extra_params => [ '-U', 'laras_app' ]);
like($err, qr/permission denied for function doctor/, 'doctor() is not for applications');
done_testing();
