# Attempts to act in a workspace without the right to: by settings, roles, stale
# and broken tokens, savepoints, cursors, plans and search paths. Each attempt is
# one test; it fails when a row of the other tenant is seen, or the transaction
# is bound to that tenant, or the server does not answer as expected.
# proves R107
use strict;
use warnings;
use Laras;
use Tenants;
use Test::More;

my $node = Laras->cluster('forgery', settings => { max_parallel_workers => 8 });
my $attempts = 0;

# Two tenants. The other one's rows carry a word that must never be seen.
my $canary = 'canary-of-the-other-tenant';
$node->safe_psql('postgres', qq{
	REVOKE TEMP ON DATABASE postgres FROM PUBLIC;
	CREATE ROLE mallory LOGIN CREATEROLE;
	GRANT laras_app TO mallory;
	GRANT SET ON PARAMETER laras.workspace, laras.principal TO mallory;
	GRANT CREATE ON DATABASE postgres TO mallory;
	CREATE DATABASE mallorys OWNER mallory;
	CREATE SCHEMA probe;
	GRANT USAGE ON SCHEMA probe TO PUBLIC;
	CREATE FUNCTION probe.seen() RETURNS bigint LANGUAGE sql STABLE
	  BEGIN ATOMIC SELECT count(*) FROM laras.members WHERE name LIKE '$canary%'; END;
	CREATE FUNCTION probe.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
	  AS 'BEGIN RAISE NOTICE ''leak: %'', \$1; RETURN true; END';
	CREATE TABLE probe.note (id int);
	GRANT INSERT ON probe.note TO PUBLIC;
});
Tenants::vault_is_open($node);
my $own = as_service("SELECT laras.create_workspace('own', 'own\@example.com', 'the right password')");
my $other = as_service("SELECT laras.create_workspace('$canary', 'other\@example.com', 'the other password')");
my $own_token = log_in('own@example.com', 'the right password');
my $other_token = log_in('other@example.com', 'the other password');
my $own_hash = $node->safe_psql('postgres', "SELECT encode(token_hash, 'hex') FROM laras.session WHERE workspace_id = $other");

sub as_service { return $node->safe_psql('postgres', shift, extra_params => [ '-U', 'laras_service' ]); }

sub log_in
{
	my ($email, $password) = @_;
	return $node->safe_psql('postgres', "SELECT laras.log_in('$email', '$password')",
		extra_params => [ '-U', 'laras_app' ]);
}

# Rows of both tenants in tables large enough for parallel plans. The second has a
# policy that every worker asks for every row.
$node->safe_psql('postgres', qq{
	CREATE TABLE probe.big (workspace_id bigint, id int, words text);
	INSERT INTO probe.big SELECT w, i, CASE WHEN w = $other THEN '$canary' ELSE 'own' END
	  FROM (VALUES ($own), ($other)) AS t (w), generate_series(1, 20000) i;
	CREATE TABLE probe.each_row AS SELECT * FROM probe.big;
	ALTER TABLE probe.big ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	ALTER TABLE probe.each_row ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY workspace ON probe.big USING (workspace_id = (SELECT laras.current_workspace()));
	CREATE POLICY workspace ON probe.each_row USING (workspace_id = laras.current_workspace());
	GRANT SELECT ON probe.big, probe.each_row TO laras_app;
	CREATE FUNCTION probe.safe_enter(text) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT laras.enter(\$1)';
	ANALYZE probe.big, probe.each_row});

# One attempt: SQL as that user, in a session that goes on after errors. What it
# could see at its end is asked in the same session. $expect must be found in
# what the server said.
sub attempt
{
	my ($name, $expect, $sql, %option) = @_;
	$attempts++;
	my $user = $option{user} // 'laras_app';
	my $look = join "\n", "SELECT 'bound=' || coalesce(laras.current_workspace()::text, 'none');",
	  'SELECT \'rows=\' || count(*) FROM laras.members;',
	  "SELECT 'names=' || coalesce(string_agg(name, ','), '') FROM laras.members;";
	local $ENV{PGOPTIONS} = $option{options} if $option{options};
	my $offset = -s $node->logfile;
	my ($code, $out, $err) = $node->psql($option{database} // 'postgres',
		"\\set VERBOSITY verbose\n$sql\n" . ($option{look} // $look),
		on_error_stop => 0, extra_params => [ '-U', $user ]);
	my $said = ($out // '') . "\n" . ($err // '');
	# who is not let in may be gone before it has taken its input: then the log says why
	$said .= join '', grep { /FATAL:/ } split /^/, substr(slurp_file($node->logfile), $offset) if ($err // '') =~ /connection lost/;
	my $good = $said =~ $expect && $said !~ /\Q$canary\E/ && $said !~ /bound=$other\b/;
	ok($good, $name) or diag("wanted $expect; the server said:\n$said");
	return;
}

my $none = qr/bound=none\n+rows=0\n/;
my $denied = qr/42501/;

# --- the settings themselves
attempt('SET laras.workspace', $denied, "SET laras.workspace = '$other';");
attempt('SET LOCAL laras.workspace', $denied, "BEGIN; SET LOCAL laras.workspace = '$other'; ROLLBACK;");
attempt('set_config for the session', $denied, "SELECT set_config('laras.workspace', '$other', false);");
attempt('set_config for the transaction', $denied, "SELECT set_config('laras.workspace', '$other', true);");
attempt('SET laras.principal', $denied, "SET laras.principal = 'service';");
attempt('SHOW tells nothing to others', $denied, "SELECT laras.enter('$own_token') > 0; SHOW laras.workspace;");
attempt('UPDATE pg_settings', $none, "UPDATE pg_settings SET setting = '$other' WHERE name = 'laras.workspace';");
attempt('a granted SET privilege', qr/LRT03/, "SET laras.workspace = '$other';", user => 'mallory');
attempt('a granted SET privilege, by set_config', qr/LRT03/, "SELECT set_config('laras.workspace', '$other', false);", user => 'mallory');
attempt('a granted SET privilege, on the principal while bound', qr/bound=none.*LRT03/s,
	"BEGIN; SELECT laras.enter('$own_token') > 0; SET laras.principal = 'service'; ROLLBACK;", user => 'mallory');
attempt('even a superuser does not bind by SET', qr/LRT03/, "SET laras.workspace = '$other'; SET ROLE laras_app;", user => superuser());
attempt('SET from the current value', qr/LRT03|42501/, "CREATE SCHEMA mine; CREATE FUNCTION mine.f() RETURNS bigint LANGUAGE sql SET laras.workspace = '$other' AS 'SELECT laras.current_workspace()'; SELECT mine.f();", user => 'mallory');
attempt('RESET only unbinds', qr/bound=none/, "BEGIN; SELECT laras.enter('$own_token') > 0; RESET laras.workspace; COMMIT;", user => 'mallory');
attempt('RESET ALL leaves the binding as it is', qr/bound=$own\b/, "BEGIN; SELECT laras.enter('$own_token') > 0; RESET ALL;");
attempt('DISCARD ALL binds nothing', $none, "BEGIN; SELECT laras.enter('$own_token') > 0; COMMIT; DISCARD ALL;");
attempt('PGOPTIONS', qr/42501|permission denied/, '', options => "-c laras.workspace=$other");
attempt('PGOPTIONS with a granted SET privilege', qr/LRT03|a workspace is bound by laras itself only/, '', options => "-c laras.workspace=$other", user => 'mallory');
attempt('PGOPTIONS for the principal', qr/42501|permission denied/, '', options => '-c laras.principal=service');
attempt('ALTER ROLE of its own', qr/LRT06/, "ALTER ROLE laras_app SET laras.workspace = '$other';");
attempt('ALTER ROLE with a granted SET privilege', qr/LRT03/, "ALTER ROLE mallory SET laras.workspace = '$other';", user => 'mallory');
attempt('ALTER DATABASE by its owner with a granted SET privilege', qr/LRT03/, "ALTER DATABASE mallorys SET laras.workspace = '$other';", user => 'mallory');
attempt('ALTER ROLE by a superuser', qr/LRT03/, "ALTER ROLE laras_app SET laras.workspace = '$other'; SET ROLE laras_app;", user => superuser());
attempt('ALTER SYSTEM by a superuser', qr/55P02|LRT03/, "ALTER SYSTEM SET laras.workspace = '$other'; SET ROLE laras_app;", user => superuser());

$node->append_conf('postgresql.conf', "laras.workspace = '$other'");
$node->reload;
attempt('a line in the configuration file, after a reload', $none, '');
$node->restart;
Tenants::vault_is_open($node);
attempt('a line in the configuration file, after a restart', $none, '');
$node->adjust_conf('postgresql.conf', 'laras.workspace', undef);
$node->restart;
Tenants::vault_is_open($node);

# A setting stored by a session that had not loaded the library is looked at when it is loaded.
$node->safe_psql('postgres', qq{
	SET allow_system_table_mods = on;
	INSERT INTO pg_db_role_setting VALUES (0, 'laras_app'::regrole, ARRAY['laras.workspace=$other', 'laras.principal=service']);
}) if 0 == $node->safe_psql('postgres', "SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'laras_app'::regrole");
$node->safe_psql('postgres', qq{
	SET allow_system_table_mods = on;
	UPDATE pg_db_role_setting SET setconfig = setconfig || ARRAY['laras.workspace=$other', 'laras.principal=service'] WHERE setrole = 'laras_app'::regrole});
attempt('a value written into the catalogue of role settings', $none, '');
$node->safe_psql('postgres', qq{
	SET allow_system_table_mods = on;
	UPDATE pg_db_role_setting SET setconfig = array_remove(array_remove(setconfig, 'laras.workspace=$other'), 'laras.principal=service') WHERE setrole = 'laras_app'::regrole});

# --- roles
for my $role (qw(laras_owner laras_worker laras_service laras_intake laras_drafter laras_backup laras_dba))
{
	attempt("SET ROLE $role", $denied, "SET ROLE $role;");
}
attempt('SET SESSION AUTHORIZATION', $denied, 'SET SESSION AUTHORIZATION laras_service;');
attempt('CREATEROLE grants itself the owner', qr/LRT06|42501/, 'GRANT laras_owner TO mallory; SET ROLE laras_owner;', user => 'mallory');
attempt('CREATEROLE grants itself the worker', qr/LRT06|42501/, 'GRANT laras_worker TO mallory; SET ROLE laras_worker;', user => 'mallory');
attempt('CREATEROLE makes a member of the service', qr/LRT06|42501/, 'CREATE ROLE minion LOGIN IN ROLE laras_service;', user => 'mallory');
attempt('CREATEROLE makes a member by ADMIN', qr/LRT06|42501/, 'CREATE ROLE minion LOGIN ADMIN laras_service;', user => 'mallory');
attempt('ALTER GROUP adds a member', qr/LRT06|42501/, 'ALTER GROUP laras_service ADD USER mallory;', user => 'mallory');
attempt('CREATEROLE sets a password', qr/LRT06|42501/, "ALTER ROLE laras_service PASSWORD 'mine';", user => 'mallory');
attempt('CREATEROLE lets clients in as worker', qr/LRT06|42501/, 'ALTER ROLE laras_worker CONNECTION LIMIT -1;', user => 'mallory');
attempt('CREATEROLE renames a role away', qr/LRT06|42501/, 'ALTER ROLE laras_service RENAME TO yours;', user => 'mallory');
attempt('CREATEROLE drops a role', qr/LRT06|42501/, 'DROP ROLE laras_drafter;', user => 'mallory');
attempt('CREATEROLE lends laras_app a role', qr/LRT06|42501/, 'CREATE ROLE helper; GRANT helper TO laras_app;', user => 'mallory');
attempt('a role that a client may not be: worker', qr/too many connections/, '', user => 'laras_worker');
attempt('a role that a client may not be: owner', qr/not permitted to log in/, '', user => 'laras_owner');
attempt('act_as is not for applications', $denied, "SELECT laras.act_as($other);");
attempt('create_workspace is not for applications', $denied, "SELECT laras.create_workspace('x', 'x\@example.com', 'password');");
attempt('a client is in no worker set', qr/worker=false/, "SELECT 'worker=' || laras.in_worker_set($other);");
attempt('the relay enters nothing', $denied, "SELECT laras.enter('$other_token');", user => 'laras_relay', look => "SELECT * FROM laras.members;");
attempt('row_security = off shows an error, not rows', qr/42501|bound=none/, 'SET row_security = off;');

# --- tokens
my $removed = as_service("BEGIN; SELECT laras.act_as($other); SELECT laras.add_member('gone\@example.com', 'gone', 'agent', 'a good password'); COMMIT");
$removed =~ s/.*\n//s;
my $removed_token = log_in('gone@example.com', 'a good password');
as_service("BEGIN; SELECT laras.act_as($other); SELECT laras.remove_member($removed); COMMIT");
my $ended_token = log_in('other@example.com', 'the other password');
app("BEGIN; SELECT laras.enter('$ended_token'); SELECT laras.log_out(); COMMIT;");
my $key = app("BEGIN; SELECT laras.enter('$other_token'); SELECT laras.create_api_key('k', '{inbox}'); COMMIT;");
$key =~ s/.*\n//s;
my ($prefix) = $key =~ /^lk_([a-z2-7]{10})_/;
app("BEGIN; SELECT laras.enter('$other_token'); SELECT laras.revoke_api_key('$prefix'); COMMIT;");
my $flipped = $other_token;
substr($flipped, 20, 1) = substr($flipped, 20, 1) eq 'A' ? 'B' : 'A';

sub app { return $node->safe_psql('postgres', shift, extra_params => [ '-U', 'laras_app' ]); }

my %broken = (
	'the token of a removed member' => "'$removed_token'",
	'the token of a session that was ended, on another connection' => "'$ended_token'",
	'a revoked API key' => "'$key'",
	'a token with one letter changed' => "'$flipped'",
	'a token cut short' => "'" . substr($other_token, 0, 45) . "'",
	'a token with a letter more' => "'${other_token}A'",
	'a token in capitals' => "upper('$other_token')",
	'a token with a blank behind it' => "'$other_token '",
	'the random part alone' => "'" . substr($other_token, 3) . "'",
	'a session token dressed as an API key' => "'lk_" . substr($other_token, 3) . "'",
	'the stored hash instead of the token' => "'$own_hash'",
	'the stored hash with the mark of a session' => "'ls_$own_hash'",
	'an empty token' => "''",
	'a token of four megabytes' => "repeat('$other_token', 90000)",
	'a token that is SQL' => "'ls_'' OR true --'",
	'the id of the workspace' => "'$other'",
	'the prefix of a key' => "'lk_$prefix'",
);
for my $name (sort keys %broken)
{
	attempt($name, qr/bound=none.*28000: +the token is not valid\n/s,
		"SELECT laras.enter($broken{$name});");
}
attempt('no token at all', $none, 'SELECT laras.enter(NULL);');
attempt('a wrong password', qr/28P01/, "SELECT laras.log_in('other\@example.com', 'not the password');");
attempt('a password cut at 72 bytes', qr/28P01/, "SELECT laras.log_in('other\@example.com', 'the other password' || repeat('x', 100));");
attempt('the other one\'s password', qr/28P01/, "SELECT laras.log_in('other\@example.com', 'the right password');");

# --- transactions
attempt('the binding ends with the transaction', $none, "BEGIN; SELECT laras.enter('$own_token') > 0; COMMIT;");
attempt('the binding is rolled back with its savepoint', $none,
	"BEGIN; SAVEPOINT s; SELECT laras.enter('$own_token') > 0; ROLLBACK TO s;");
attempt('a second workspace in one transaction', qr/LRT02/,
	"BEGIN; SELECT laras.enter('$other_token') > 0; SELECT laras.enter('$own_token'); ROLLBACK;");
attempt('a second workspace after a rolled-back savepoint', qr/bound=none.*LRT02/s,
	"BEGIN; SAVEPOINT s; SELECT laras.enter('$other_token') > 0; ROLLBACK TO s; SELECT laras.enter('$own_token'); ROLLBACK;");
attempt('another principal in the same workspace', qr/LRT02/,
	"BEGIN; SELECT laras.act_as($own) > 0; SELECT laras.enter('$own_token'); ROLLBACK;", user => 'laras_service');
attempt('an exception block does not keep the binding', $none, <<"SQL");
BEGIN;
DO \$\$ BEGIN PERFORM laras.enter('$own_token'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$;
SQL
attempt('a DO block binds for its transaction only', $none, "DO \$\$ BEGIN PERFORM laras.enter('$own_token'); END \$\$;");
$node->safe_psql('postgres', qq{
	CREATE FUNCTION probe.enter() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM laras.enter(''$own_token''); RETURN NEW; END';
	CREATE TRIGGER enter BEFORE INSERT ON probe.note FOR EACH ROW EXECUTE FUNCTION probe.enter()});
attempt('a trigger binds for its transaction only', $none, 'INSERT INTO probe.note VALUES (1);');
attempt('a prepared transaction takes no binding along', $none,
	"BEGIN; SELECT laras.enter('$own_token') > 0; PREPARE TRANSACTION 'bound'; COMMIT PREPARED 'bound';");
attempt('a cursor WITH HOLD while bound', qr/LRT04/,
	"BEGIN; SELECT laras.enter('$other_token') > 0; DECLARE c CURSOR WITH HOLD FOR SELECT name FROM laras.members; COMMIT; FETCH ALL FROM c;");
attempt('a cursor WITH HOLD declared before', qr/LRT04/,
	"BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT name FROM laras.members; SELECT laras.enter('$other_token'); COMMIT; FETCH ALL FROM c;");
attempt('a cursor WITH HOLD by EXECUTE', qr/LRT04/,
	"BEGIN; SELECT laras.enter('$other_token') > 0; DO \$\$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT name FROM laras.members'; END \$\$; COMMIT; FETCH ALL FROM c;");
attempt('a temporary table that would outlive the transaction', $denied,
	"BEGIN; SELECT laras.enter('$other_token') > 0; CREATE TEMP TABLE t AS SELECT * FROM laras.members; COMMIT; SELECT * FROM t;");

# --- expiry: the session runs out while a transaction that knows its token is open
my $brief = app("BEGIN; SELECT laras.enter('$other_token'); SELECT laras.create_api_key('brief', '{inbox}', laras.now() + '1 s'); COMMIT;");
$brief =~ s/.*\n//s;
attempt('a key whose last second passes while the transaction is open is not entered again', qr/entered=true.*bound=none.*28000/s,
	"BEGIN; SAVEPOINT s; SELECT 'entered=' || (laras.enter('$brief') > 0); ROLLBACK TO s; SELECT pg_sleep(1.1); SELECT laras.enter('$brief'); ROLLBACK;");
my $short = log_in('other@example.com', 'the other password');
attempt('a session that runs out during the transaction is not entered again', qr/bound=none.*28000/s,
	"BEGIN; SAVEPOINT s; SELECT laras.enter('$short') > 0; ROLLBACK TO s; RESET ROLE; SELECT laras.advance_clock('13 hours') > '-infinity'; SET ROLE laras_app; SELECT laras.enter('$short'); ROLLBACK;",
	user => superuser());
attempt('an expired session', qr/28000/, "SELECT laras.enter('$short');");
$node->safe_psql('postgres', q{SELECT laras.advance_clock('-13 hours')});

# --- plans
attempt('a generic plan is not kept for the next tenant', qr/n=1\nn=0\nt\nn=3 $own\nn=0 none\n/, <<"SQL");
SET plan_cache_mode = force_generic_plan;
PREPARE mine AS SELECT 'n=' || count(*) FROM laras.members;
PREPARE rows AS SELECT 'n=' || count(*) || ' ' || coalesce(laras.current_workspace()::text, 'none') FROM probe.big WHERE id <= 3;
BEGIN; SELECT laras.enter('$own_token') > 0; EXECUTE mine; COMMIT;
EXECUTE mine;
BEGIN; SELECT laras.enter('$own_token') > 0; EXECUTE rows; COMMIT;
EXECUTE rows;
SQL
attempt('an inlined function sees the binding of now', qr/bound=$own\b/,
	"SELECT probe.seen(); BEGIN; SELECT laras.enter('$own_token') > 0; SELECT probe.seen();");
attempt('a cheap leaky function sees its own rows only', qr/leak: own/, <<"SQL");
BEGIN; SELECT laras.enter('$own_token') > 0;
SELECT count(*) FROM laras.members WHERE probe.leak(name);
SELECT count(*) FROM laras.workspaces WHERE probe.leak(name);
SQL
attempt('a cheap leaky function sees nothing unbound', qr/^(?!.*leak:)/s,
	'SELECT count(*) FROM laras.members WHERE probe.leak(name);');
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
for my $table (qw(big each_row))
{
	attempt("parallel workers are bound as their leader is: $table", qr/Workers Launched: [1-9].*n=20000\n/s, <<"SQL");
$parallel BEGIN; SELECT laras.enter('$own_token') > 0;
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT count(*) FROM probe.$table;
SELECT 'n=' || count(*) FROM probe.$table;
SQL
	attempt("parallel workers of an unbound leader see nothing: $table", qr/n=0\n/,
		"$parallel SELECT 'n=' || count(*) FROM probe.$table;");
}
attempt('a function called safe does not bind in a parallel worker', qr/25000|bound=none/,
	"$parallel SET @{[ parallel_setting($node) ]} = on; SELECT count(*) FROM probe.big WHERE probe.safe_enter('$other_token') > 0;");

# --- tables and search paths
attempt('SELECT from a sealed table', $denied, 'SELECT * FROM laras.member;');
attempt('COPY of a sealed table', $denied, 'COPY laras.member TO STDOUT;');
attempt('COPY into a table', $denied, "COPY laras.session FROM PROGRAM 'true';");
attempt('TRUNCATE', $denied, 'TRUNCATE laras.session;');
attempt('a foreign key that asks whether a row exists', $denied, 'CREATE SCHEMA theirs; CREATE TABLE theirs.ask (w bigint REFERENCES laras.workspace);', user => 'mallory');
attempt('a session inserted by hand', $denied, "INSERT INTO laras.session VALUES ($other, 1, 1, sha256('x'), now(), now() + '1 day');");
attempt('a view of its own over the tables', $denied, 'CREATE SCHEMA views; CREATE VIEW views.v AS SELECT * FROM laras.member; SELECT * FROM views.v;', user => 'mallory');
attempt('a search path full of false functions and operators', qr/28P01/, <<"SQL", user => 'mallory');
CREATE SCHEMA evil;
CREATE FUNCTION evil.crypt(text, text) RETURNS text LANGUAGE sql AS 'SELECT \$2';
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE FUNCTION evil.eq8(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.eq8);
SET search_path = evil, laras, pg_catalog;
SELECT laras.log_in('other\@example.com', 'not the password');
RESET search_path;
SQL

cmp_ok($attempts, '>=', 40, "at least 40 attempts were made ($attempts)");
done_testing();

sub superuser { return $node->safe_psql('postgres', 'SELECT current_user'); }
