# Many appenders and one integrator: nothing is lost, no position is left out or
# given twice, however late a transaction commits; an entry lives and dies with its
# transaction and its savepoint; nobody but C code writes evidence.
# proves R220 R219
use strict;
use warnings;
use EvidenceTest;
use Laras;
use Test::More;

my $node = Laras->cluster('main', crash => 1);
evidence_functions($node);

# With its transaction, with its savepoint.
within($node, 7, "SELECT test_append(7, 500, 1, 0, '')");
$node->safe_psql('postgres', "BEGIN; SELECT test_bind(7); SELECT test_append(7, 500, 2, 0, ''); ROLLBACK");
within($node, 7, "SAVEPOINT a; SELECT test_append(7, 500, 3, 0, ''); ROLLBACK TO a; SELECT test_append(7, 500, 4, 0, '')");
my ($code) = $node->psql('postgres', "BEGIN; SELECT test_bind(7); SELECT test_append(7, 500, 5, 0, ''); SELECT 1 / 0; COMMIT");
isnt($code, 0, 'a transaction that fails');
is(within($node, 7, 'SELECT string_agg(subject_id::text, \',\' ORDER BY subject_id) FROM laras.evidence_log'), '1,4',
	'leaves no entry, nor does one rolled back, nor a savepoint');
ok(wait_signed($node, 7, 2), 'the others are signed');

# A transaction that began before many others and commits after them.
my $late = $node->background_psql('postgres', on_error_stop => 1);
$late->query_safe("BEGIN; SELECT test_bind(7); SELECT test_append(7, 501, 100, 0, '')");
my $later = $node->background_psql('postgres', on_error_stop => 1);
$later->query_safe("BEGIN; SELECT test_bind(7); SAVEPOINT s; SELECT test_append(7, 501, 101, 0, '')");
within($node, 7, "SELECT test_append(7, 500, i, 0, '') FROM generate_series(10, 19) i");
ok(wait_signed($node, 7, 12), 'positions are given past transactions still open');
within($node, 7, "SELECT test_append(7, 500, i, 0, '') FROM generate_series(20, 24) i");
ok(wait_signed($node, 7, 17), 'and again');
$late->query_safe('COMMIT');
ok(wait_signed($node, 7, 18), 'the late one gets its position when it commits');
$later->query_safe("RELEASE s; SELECT test_append(7, 501, 102, 0, ''); COMMIT");
ok(wait_signed($node, 7, 20), 'so does the later one, savepoint and all');
is(within($node, 7, 'SELECT string_agg(subject_id::text, \',\' ORDER BY position) FROM laras.evidence_log WHERE position > 16'),
	'100,101,102', 'at the end, in order');
is(problems($node, 7), '', 'the log is sound');
$late->quit;
$later->quit;

# Many at once, a third of the savepoints rolled back, some transactions too.
my ($clients, $rounds) = (6, long_run(60, 2000));
my $script = PostgreSQL::Test::Utils::tempdir() . '/append.sql';
PostgreSQL::Test::Utils::append_to_file($script, <<'SQL');
\set w random(100, 103)
\set n random(1, 20)
\set keep random(1, 3)
BEGIN;
SELECT test_append_many(:w, 1, :n, 0);
SAVEPOINT a;
SELECT test_append_many(:w, 1, 3, 0);
\if :keep = 1
ROLLBACK TO a;
\endif
SELECT pg_sleep(random() / 200);
\if :n = 20
ROLLBACK;
\else
COMMIT;
\endif
SQL
chmod 0644, $script;
$node->command_ok([ 'pgbench', '-n', '-f', $script, '-c', $clients, '-t', $rounds, '-j', 2, 'postgres' ], 'appenders run');
my $total = 0;
for my $workspace (100 .. 103)
{
	my $count = within($node, $workspace, 'SELECT count(*) FROM laras.evidence_log');
	$total += $count;
	ok(wait_signed($node, $workspace, $count), "all $count of workspace $workspace have a position");
	is(within($node, $workspace, 'SELECT count(DISTINCT position) || \' \' || min(position) || \' \' || max(position) FROM laras.evidence_log'),
		"$count 0 " . ($count - 1), 'each its own, without a gap');
	is(problems($node, $workspace), '', 'and the log is sound');
}
cmp_ok($total, '>', $clients * $rounds, 'enough of them');
my $order = $node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT e.txid, e.ordinal < lag(e.ordinal) OVER w AND e.txid = lag(e.txid) OVER w AS wrong
	FROM laras.evidence_leaf l JOIN laras.evidence_entry e USING (workspace_id, entry_id) WINDOW w AS (PARTITION BY l.workspace_id ORDER BY l.leaf_index)) x WHERE wrong});
is($order, 0, 'within a transaction positions follow the order of appending');

# A restored database names transactions of another cluster: everything is swept.
$node->safe_psql('postgres', 'SELECT laras.pause_workers()');
within($node, 7, "SELECT test_append(7, 502, i, 0, '') FROM generate_series(1, 30) i");
$node->safe_psql('postgres', "UPDATE laras.evidence_cursor SET system_identifier = 1, base = '5:5:'");
$node->safe_psql('postgres', 'UPDATE laras.evidence_entry SET txid = (txid::text::bigint + 1000000)::text::xid8 WHERE workspace_id = 7');
$node->safe_psql('postgres', 'SELECT laras.resume_workers()');
ok(wait_for_sql($node, q{SELECT count(*) = 50 FROM laras.evidence_leaf WHERE workspace_id = 7}), 'a cursor from elsewhere starts a sweep');
ok(wait_for_sql($node, q{SELECT mode = 'tail' AND system_identifier = (SELECT system_identifier FROM pg_control_system()) FROM laras.evidence_cursor}), 'after which it goes on as before');
within($node, 7, "SELECT test_append(7, 502, 31, 0, '')");
ok(wait_for_sql($node, q{SELECT count(*) = 51 FROM laras.evidence_leaf WHERE workspace_id = 7}), 'with what is appended then');

# Values: nothing but what the class of the field admits, and nobody but C code writes.
my %refused = (100 => [ '', '628123456789', 'Budi Santoso', 'a@b.example', 'x' x 65, "a\nb" ], 400 => [ 'a' x 20, '' ]);
for my $field (sort keys %refused)
{
	for my $value (@{ $refused{$field} })
	{
		my (undef, undef, $error) = $node->psql('postgres', "BEGIN; SELECT test_bind(7); SELECT test_append_code(7, $field, \$v\$$value\$v\$)");
		like($error, qr/evidence field "\w+" does not admit this value/, "refused in field $field");
		unlike($error, qr/\Q$value\E.*\n.*DETAIL/s, 'without quoting it') if length $value > 3;
	}
}
is(within($node, 7, "SELECT test_append_code(7, 100, 'approved') > 0"), 't', 'a code is admitted');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION test_bind(bigint) TO laras_app');
for my $statement ('INSERT INTO laras.evidence_entry DEFAULT VALUES', 'UPDATE laras.evidence_entry SET action = 1',
	'DELETE FROM laras.evidence_entry', 'SELECT * FROM laras.evidence_entry', 'DELETE FROM laras.evidence_leaf',
	'UPDATE laras.evidence_tree SET size = 0', 'SELECT * FROM laras.evidence_cursor', 'DELETE FROM laras.evidence_log')
{
	my (undef, undef, $error) = $node->psql('postgres', "SET ROLE laras_app; BEGIN; SELECT test_bind(7); $statement");
	like($error, qr/permission denied|cannot delete from view/, "laras_app: $statement");
	next unless $statement =~ /^(?:UPDATE|DELETE) .*evidence_(?:entry|leaf)/;
	(undef, undef, $error) = $node->psql('postgres', "SET ROLE laras_owner; BEGIN; SELECT test_bind(7); $statement");
	like($error, qr/permission denied/, "nor the tables' owner");
}
is($node->safe_psql('postgres', "SET ROLE laras_app; BEGIN; SELECT test_bind(8); SELECT count(*) FROM laras.evidence_log"), "\n0",
	'another workspace sees nothing');
is($node->safe_psql('postgres', 'SET ROLE laras_app; SELECT count(*) FROM laras.evidence_log'), 0, 'nor does nobody');
my (undef, undef, $unbound) = $node->psql('postgres', 'SELECT * FROM laras.verify_evidence()');
like($unbound, qr/no workspace is bound/, 'verifying needs a workspace');

# The platform's own log: of no workspace, seen from none.
$node->safe_psql('postgres', "SELECT test_append(0, 311, 9, 0, '')");
ok(wait_for_sql($node, 'SELECT count(*) = 1 FROM laras.evidence_leaf WHERE workspace_id = 0'), 'the platform has a log of its own');
is($node->safe_psql('postgres', 'SELECT * FROM laras.verify_platform_evidence()'), '', 'sound');
is(within($node, 7, 'SELECT count(*) FROM laras.evidence_log WHERE action = \'provider_app.registered\''), 0, 'and seen by no workspace');
$node->safe_psql('postgres', 'UPDATE laras.evidence_entry SET subject_id = 10 WHERE workspace_id = 0');
is($node->safe_psql('postgres', 'SELECT * FROM laras.verify_platform_evidence()'), '0|the entry was edited', 'nor is it safe to edit');

# Leaves hold no value that was committed; the server is killed and nothing is lost.
my $before = within($node, 7, 'SELECT count(*) FROM laras.evidence_log');
$node->stop('immediate');
$node->start;
is(within($node, 7, 'SELECT count(*) FROM laras.evidence_log'), $before, 'after a crash all committed entries are there');
ok(wait_signed($node, 7, $before), 'and signed');
done_testing();
