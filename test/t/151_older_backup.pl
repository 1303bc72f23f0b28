# A backup that is older than an erasure: what the keyring destroyed since stays
# unreadable, and resume() erases its rows once more under the code the erasure
# had: a contact, a connection, a whole workspace; from a dump and from a base
# backup, which closes by itself. A keyring that is not the contents' own, that
# is missing, or that a running cluster holds is refused.
#
# proves R204

use strict;
use warnings;

use IPC::Run ();
use Laras;
use PostgreSQL::Test::RecursiveCopy ();
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('source', init => { allows_streaming => 1 });
my $source = $stage->node;
my $workspace = $stage->workspace;
my $connection = $stage->connect;
my %person = (budi => '6281260001111', sari => '6281260002222');
$stage->customer($person{$_}, "halo dari $_") for sort keys %person;
ok($stage->wait_bound('SELECT count(*) = 2 FROM laras.messages'), 'two people wrote');
my %contact = map { $_ => $stage->bound("SELECT contact_id FROM laras.messages WHERE body = 'halo dari $_'") } keys %person;
my $other = $stage->sql("SELECT laras.create_workspace('Other', 'other\@shop.example', 'correct horse battery')");
my $owner = $stage->bound("SELECT id FROM laras.members WHERE role = 'owner'", $other);
$stage->bound("INSERT INTO laras.policy_text (workspace_id, id, topic, body) VALUES ($other, laras.new_id(), 'kirim', 'tiap hari')", $other);

# ------------------------------------------------------------------ the backups
$stage->sql("SELECT laras.drain('30 s')");
my $dump = $source->basedir . '/old.dump';
command_ok([ 'pg_dump', '--role=laras_backup', '-Fc', '-f', $dump, '-d', $source->connstr('postgres') ], 'a dump is made');
$source->backup('old');

# ------------------------------------------------------- and then the erasures
my $code = $stage->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$contact{budi}\"}')");
my $cut = $stage->bound("SELECT laras.request_erasure('connection', '{\"connection_id\": \"$connection\"}')");
my $whole = bound($source, "SELECT laras.request_erasure('workspace', '{}')", $other, $owner);
for ($code, $cut, $whole)
{
	my $one = $_;
	ok(wait_for(sub { status($source, $one) eq 'removed' }), 'erased and removed');
}
my $unreadable = $stage->sql("SELECT laras.erasure_status('$code')->>'unreadable_at'");
ok(wait_for_sql($source, 'SELECT count(*) = 0 FROM laras.key_destruction WHERE verified_at IS NULL'), 'every destruction is verified');

ok($stage->wait_bound('SELECT pending = 0 AND signed_size = size FROM laras.evidence_status', 30), 'the log is signed up to its end');

# ------------------------- the master key of the backups' time is destroyed too
my $key_file = Laras->master_key_file($source);
my %line = (1 => slurp_file($key_file), 2 => '2 ' . 'ab' x 32 . "\n");
give(1, 2);
is($stage->sql('SELECT laras.rotate_master_key()'), 2, 'the master key is rotated');
ok(wait_for_sql($source, 'SELECT NOT running AND oldest_epoch = 2 FROM laras.progress_rotation', 60), 'to its end');
give(2);
is($stage->sql(q{SELECT laras.confirm_master_key_destroyed(1, 'HSM record 1')}), 't', 'and the old one destroyed');
ok(wait_for_sql($source, 'SELECT journalled_at IS NOT NULL FROM laras.master_key_epoch WHERE epoch = 1'), 'which the keyring keeps');

# ----------------------------------------------- a copy of the cluster beside it
# Same system identifier and database: only the lock can tell.
my $clone = PostgreSQL::Test::Cluster->new('clone');
$clone->init_from_backup($source, 'old');
$clone->start;
is(reason($clone, 'another'), 1, 'a clone is refused the keyring that its source holds');
my (undef, undef, $error) = $clone->psql('postgres', 'SELECT laras.adopt_keyring()', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($error, qr/LRK06/, 'adopting it is refused too');
is(answer($clone), 503, 'the clone is closed to requests');
$clone->stop('fast');
$stage->{relay}->stop;
$source->stop('fast');

# ----------------------------------------------------------- the base backup
# The newest keyring, and contents from before the erasures.
$clone->start;
ok(wait_for_sql($clone, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}), 'with the source gone the vault opens');
ended($clone);
like(slurp_file($clone->logfile), qr/this database is older than its keyring/, 'what was set back is noticed');
is(answer($clone), 503, 'and laras is closed');
is($clone->safe_psql('postgres', q{SELECT state FROM laras.doctor() WHERE "check" = 'contents'}), 'fail', 'doctor() says so');
again($clone, 'base backup');
$clone->restart;
ok(wait_for_sql($clone, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}), 'after a restart the vault opens');
is(answer($clone), 200, 'and laras is open, since nothing is unknown');
$clone->stop('fast');

# ------------------------------------------------------------------- the dump
my $target = fresh('target', 'keyring', 'key');
restore($target);
is($target->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 't', 'the keyring is adopted');
is($target->safe_psql('postgres', 'SELECT laras.adopt_keyring()'), 'f', 'once: a second call changes nothing');
ok(wait_for_sql($target, q{SELECT bool_and(phase = 'open' AND adoptions = 1) FROM laras.keyring_status}), 'the vault opens');
ended($target);
again($target, 'dump');
$target->stop('fast');

# -------------------------------------------------------------- wrong keyrings
# A good keyring, with a master key that opens it, of other contents.
my $third = Laras->cluster('third');
ok(wait_for_sql($third, q{SELECT bool_and(phase = 'open') FROM laras.keyring_status}), 'another keyring');
$third->stop('fast');
my $wrong = fresh('wrong', 'keyring', 'key');
restore($wrong);
is(reason($wrong, 'another cluster'), 1, 'before it is adopted it is another cluster\'s');
$wrong->stop('fast');
for my $mirror (qw(a b))
{
	system_or_bail('rm', '-rf', Laras->mirror($wrong, $mirror) . '/0');
	system_or_bail('cp', '-a', Laras->mirror($third, $mirror) . '/0', Laras->mirror($wrong, $mirror));
}
unlink Laras->master_key_file($wrong);
system_or_bail('cp', '-p', Laras->master_key_file($third), Laras->master_key_file($wrong));
$wrong->start;
is(reason($wrong, 'sealed under another keyring'), 1, 'a keyring under which the contents were not sealed is refused');
(undef, undef, $error) = $wrong->psql('postgres', 'SELECT laras.adopt_keyring()', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($error, qr/LRK06.*HINT: +To read them, put the mirrors of that keyring into/s, 'adopt_keyring() does not help');
unlike($error, qr/adopt_keyring/, 'and is not what the hint speaks of');
like(checks($wrong), qr/^keyring\|fail$/m, 'resume() fails');
like($wrong->safe_psql('postgres', q{SELECT detail FROM laras.resume() WHERE "check" = 'keyring'}), qr/belong to another keyring: put its mirrors/, 'and does not send one back to adopt_keyring()');
is(answer($wrong), 503, 'laras stays closed');
$wrong->stop('fast');

# No keyring at all: the mirrors are there and empty.
my $missing = fresh('missing', 'keyring', 'key');
restore($missing);
$missing->stop('fast');
system_or_bail('rm', '-rf', Laras->mirror($missing, $_) . '/0') for qw(a b);
$missing->start;
is(reason($missing, 'no mirror holds'), 1, 'a missing keyring is not replaced by a new one');
(undef, undef, $error) = $missing->psql('postgres', 'SELECT laras.adopt_keyring()', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($error, qr/LRK04.*HINT/s, 'nor adopted');
like(checks($missing), qr/^keyring\|fail$/m, 'resume() fails');
my @there = map { glob Laras->mirror($missing, $_) . "/[0-9]*" } qw(a b);
is("@there", "", "nothing was written where it should be");
$missing->stop('fast');

$stage->sandbox->program->stop;
done_testing();

# ------------------------------------------------------------------- helpers

sub bound
{
	my ($node, $query, @as) = @_;
	my $as = join ', ', @as ? @as : ($workspace);
	my $all = $node->safe_psql('postgres', "BEGIN; SELECT 'bound', laras.act_as($as); $query; COMMIT");
	return $all =~ s/^bound\|\d+\n?//r;
}

# The source's key file with these epochs.
sub give
{
	my (@epochs) = @_;
	unlink $key_file;
	append_to_file($key_file, join '', map { $line{$_} } @epochs);
	chmod 0400, $key_file or die "$key_file: $!";
	return;
}

# Contents from before take it from the keyring's journal.
sub ended
{
	my ($node) = @_;
	ok(wait_for_sql($node, q{SELECT string_agg(epoch || ' ' || (destroyed_at IS NOT NULL), ', ' ORDER BY epoch) = '1 true, 2 false' FROM laras.master_key_epoch}),
		'that the old master key is destroyed is known again') or diag $node->safe_psql('postgres', 'TABLE laras.master_key_epoch');
	is($node->safe_psql('postgres', q{SELECT state FROM laras.doctor() WHERE "check" = 'master key'}), 'ok', 'and nobody is asked for it');
	return;
}

sub status { my ($node, $code) = @_; return $node->safe_psql('postgres', "SELECT coalesce(laras.erasure_status('$code')->>'state', 'unknown')"); }
sub answer { my ($node) = @_; return $node->safe_psql('postgres', q{SELECT status FROM laras.http_request('GET', '/healthz', NULL, '{}', NULL)}); }
sub checks { my ($node) = @_; return $node->safe_psql('postgres', q{SELECT "check" || '|' || state FROM laras.resume()}); }

# What every restore of the older contents must come to.
sub again
{
	my ($node, $how) = @_;
	is($node->safe_psql('postgres', "SELECT count(*) FROM laras.message WHERE contact_id = $contact{budi}"), 1, "$how: the row is back");
	is(bound($node, "SELECT count(*) || ' ' || count(body) FROM laras.messages WHERE contact_id = $contact{budi}"), '1 0', "$how: and unreadable");
	is(bound($node, 'SELECT body FROM laras.messages WHERE body IS NOT NULL'), 'halo dari sari', "$how: the neighbour's opens");
	is(status($node, $_), 'unknown', "$how: the code is not known yet") for $code, $cut, $whole;
	my $said = $node->safe_psql('postgres', 'SELECT * FROM laras.resume()');
	unlike($said, qr/\|fail\|/, "$how: resume() ends well") or diag $said;
	like($said, qr/^destroyed keys\|ok\|.* erased again: 1 contacts, 1 connections, 1 workspaces;/m, "$how: and says what it erased again") or diag $said;
	is(bound($node, "SELECT state || ' ' || disconnect_trigger FROM laras.connections WHERE id = $connection"), 'disconnected restore', "$how: the connection is cut");
	is($node->safe_psql('postgres', "SELECT count(*) FROM laras.channel_token"), 0, "$how: its token's row is gone");
	is($node->safe_psql('postgres', "SELECT state FROM laras.workspace WHERE workspace_id = $other"), 'erased', "$how: the workspace is closed");
	for my $one ($code, $cut, $whole)
	{
		ok(wait_for(sub { status($node, $one) eq 'removed' }), "$how: the keeper removes the rows, and the code says so")
		  or diag $node->safe_psql('postgres', 'SELECT worker, last_error_code, last_error FROM laras.worker_status; SELECT scope, state, path FROM laras.erasure_request');
	}
	is($node->safe_psql('postgres', "SELECT laras.erasure_status('$code')->>'unreadable_at' ~ 'T'
		OR abs(extract(epoch FROM (laras.erasure_status('$code')->>'unreadable_at')::timestamptz - '$unreadable'::timestamptz)) < 10"), 't', "$how: unreadable since the day it was");
	is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM laras.contact WHERE id = $contact{budi}) + (SELECT count(*) FROM laras.message WHERE contact_id = $contact{budi})
		+ (SELECT count(*) FROM laras.contact_identity WHERE contact_id = $contact{budi}) + (SELECT count(*) FROM laras.policy_text WHERE workspace_id = $other)
		+ (SELECT count(*) FROM laras.key_owner WHERE owner_id = $contact{budi})"), 0, "$how: no row of theirs is left");
	is(bound($node, 'SELECT body FROM laras.messages'), 'halo dari sari', "$how: the neighbour stays");
	like(bound($node, 'SELECT * FROM laras.verify_evidence()'), qr/^\d+\|the log was signed up to \d+ leaves, of which \d+ are here\z/, "$how: the evidence tells that acts after the backup are lost, and nothing else is wrong");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM laras.evidence_entry WHERE action = 706}), 3, "$how: and tells of it");
	ok(wait_for_sql($node, 'SELECT count(*) = 0 FROM laras.key_destruction WHERE verified_at IS NULL'), "$how: every destruction is on record and verified");
	my $once_more = $node->safe_psql('postgres', 'SELECT * FROM laras.resume()');
	like($once_more, qr/^destroyed keys\|ok\|the database knows every order/m, "$how: there is nothing to do again");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM laras.erasure_request}), 3, "$how: each erasure is on record once");
	is(answer($node), 200, "$how: laras is open");
	return;
}

# A cluster that takes over, as asked, the source's keyring and its keys.
sub fresh
{
	my ($name, @what) = @_;
	my %with = map { $_ => 1 } @what;
	my $node = Laras->cluster($name, start => 0, settings => { 'laras.public_url' => $stage->url });
	if ($with{keyring})
	{
		for my $mirror (qw(a b))
		{
			rmdir Laras->mirror($node, $mirror) or die "rmdir: $!";
			PostgreSQL::Test::RecursiveCopy::copypath(Laras->mirror($source, $mirror), Laras->mirror($node, $mirror));
		}
	}
	if ($with{key})
	{
		my %file = (Laras->master_key_file($source) => Laras->master_key_file($node),
			Laras->evidence_key_file($source) => Laras->evidence_key_file($node),
			Laras->evidence_key_file($source) . '.high-water' => Laras->evidence_key_file($node) . '.high-water');
		for my $from (keys %file)
		{
			unlink $file{$from};
			system_or_bail('cp', '-p', $from, $file{$from});
		}
	}
	system_or_bail('chmod', '-R', 'go=', Laras->outside($node));
	$node->start;
	return $node;
}

sub restore
{
	my ($node) = @_;
	my ($out, $err) = ('', '');
	ok(IPC::Run::run([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('postgres'), $dump ], '>', \$out, '2>', \$err), 'pg_restore succeeds') or diag $err;
	return;
}

sub reason
{
	my ($node, $text) = @_;
	return wait_for_sql($node, "SELECT phase = 'closed' AND reason ~ '$text' FROM laras.keyring_summary()") ? 1 : 0;
}
