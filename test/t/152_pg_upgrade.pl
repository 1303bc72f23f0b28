# pg_upgrade: contents, policies and sealed values go over to a new cluster. It
# has another system identifier, so laras stays closed there until the keyring
# is adopted and resume() has run. Old and new here are of one version: what is
# shown is that the extension goes through pg_upgrade at all.
#
# proves R237

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('old');
my $old = $stage->node;
my $workspace = $stage->workspace;
my $bin = $old->config_data('--bindir');
plan(skip_all => 'there is no pg_upgrade') unless -x "$bin/pg_upgrade";
$stage->connect;
$stage->customer('6281270001111', 'halo dari Budi');
$stage->customer('6281270002222', 'halo dari Sari');
ok($stage->wait_bound('SELECT count(*) = 2 FROM laras.messages'), 'two people wrote');
my $budi = $stage->bound("SELECT contact_id FROM laras.messages WHERE body = 'halo dari Budi'");
my $code = $stage->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$budi\"}')");
ok(wait_for_sql($old, "SELECT laras.erasure_status('$code')->>'state' = 'removed'"), 'one is erased');
$stage->sql("SELECT laras.drain('30 s')");
$stage->sql('SELECT laras.pause_workers()');
my $policies = q{SELECT count(*) || ' ' || md5(string_agg(format('%s %s %s %s %s', polname, polrelid::regclass, polcmd,
	pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), E'\n' ORDER BY polrelid::regclass::text COLLATE "C", polname COLLATE "C")) FROM pg_policy};
my $tables = q{SELECT count(*) FROM pg_class WHERE relnamespace = 'laras'::regnamespace AND relrowsecurity AND relforcerowsecurity};
my %before = (policies => $stage->sql($policies), tables => $stage->sql($tables), rows => rows($old));
$stage->{relay}->stop;
$old->stop('fast');

# The new cluster looks at the very mirrors, master key and evidence key of the old one.
my $new = Laras->cluster('new', start => 0, settings => {
	'laras.keyring_directory' => join(', ', map { "$_=" . Laras->mirror($old, $_) } qw(a b)),
	'laras.master_key_file' => Laras->master_key_file($old), 'laras.evidence_key_file' => Laras->evidence_key_file($old) });
{
	# It writes its log where it stands.
	my $where = PostgreSQL::Test::Utils::tempdir();
	require Cwd;
	my $here = Cwd::getcwd();
	chdir $where or die "$where: $!";
	my $socket = PostgreSQL::Test::Utils::tempdir_short();
	command_ok([ "$bin/pg_upgrade", '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin,
		'-s', $socket, '-p', $old->port, '-P', $new->port ], 'pg_upgrade succeeds');
	chdir $here or die "$here: $!";
}
$new->start;
is($new->safe_psql('postgres', $policies), $before{policies}, 'every policy is there');
is($new->safe_psql('postgres', $tables), $before{tables}, 'row security is on and forced on the same number of tables');
is_deeply(rows($new), $before{rows}, 'every row is as it was');
ok(wait_for_sql($new, q{SELECT phase = 'closed' AND reason ~ 'another cluster' FROM laras.keyring_summary()}), 'the keyring is the old cluster\'s');
my $health = q{SELECT status FROM laras.http_request('GET', '/healthz', NULL, '{}', NULL)};
is($new->safe_psql('postgres', $health), 503, 'laras is closed');
is($new->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 't', 'the keyring is adopted');
ok(wait_for_sql($new, q{SELECT bool_and(phase = 'open') AND count(*) = 2 FROM laras.keyring_status}), 'the vault opens');
unlike($new->safe_psql('postgres', 'SELECT * FROM laras.resume()'), qr/\|fail\|/, 'resume() ends well');
is($new->safe_psql('postgres', $health), 200, 'laras is open');
is(bound('SELECT body FROM laras.messages'), 'halo dari Sari', 'what was sealed opens');
is($new->safe_psql('postgres', "SELECT laras.erasure_status('$code')->>'state'"), 'removed', 'the erased stay erased');
is(bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
my $body = $stage->body('6281270003333', 'sesudah');
my $signature = webhook_headers($stage->shop->{secret}, $body)->{'X-Hub-Signature-256'};
is($new->safe_psql('postgres', "SELECT status FROM laras.receive_webhooks('{wa}', '{$signature}', ARRAY[decode('" . unpack('H*', $body) . "', 'hex')])"), 200, 'a webhook is taken');
ok(wait_for(sub { bound("SELECT count(*) FROM laras.messages WHERE body = 'sesudah'") eq '1' }), 'and applied');
$stage->sandbox->program->stop;
$new->stop('fast');
done_testing();

sub bound
{
	my ($query) = @_;
	my $all = $new->safe_psql('postgres', "BEGIN; SELECT 'bound', laras.act_as($workspace); $query; COMMIT");
	return $all =~ s/^bound\|\d+\n?//r;
}

# The rows of every permanent table by name, as text.
sub rows
{
	my ($node) = @_;
	my $each = $node->safe_psql('postgres', q{SELECT string_agg(format(
		$$SELECT %L || ' ' || coalesce(md5(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C")), '') FROM laras.%I t$$,
		relname, relname), ' UNION ALL ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'laras'::regnamespace AND relkind = 'r' AND relpersistence = 'p'});
	return { map { my ($table, $sum) = split / /, $_, 2; ($table => $sum) } split /\n/, $node->safe_psql('postgres', $each) };
}
