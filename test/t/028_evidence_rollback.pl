# What the keeper refuses to sign: a database restored to an older state, a log
# that is not the one it signed, a lost or foreign key, a lost or damaged
# high-water file. What the signed note says is checked with openssl alone.
# proves R212
use strict;
use warnings;
use EvidenceTest;
use File::Copy qw(copy);
use IPC::Run qw(run);
use Laras;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('main', crash => 1,
	settings => { 'laras.evidence_key_file' => PostgreSQL::Test::Utils::tempdir() . '/key' });
evidence_functions($node);
my $key = $node->safe_psql('postgres', 'SHOW laras.evidence_key_file');
my $marks = "$key.high-water";
my $data = $node->data_dir;
my $dir = PostgreSQL::Test::Utils::tempdir();

within($node, 7, "SELECT test_append(7, 500, i, 0, '') FROM generate_series(1, 10) i");
within($node, 8, "SELECT test_append(8, 500, i, 0, '') FROM generate_series(1, 3) i");
ok(wait_signed($node, 7, 10) && wait_signed($node, 8, 3), 'an absent key is made and signs');
is((stat $key)[2] & 07777, 0400, 'the key is for the server alone');
is((stat "$key.pub")[2] & 07777, 0444, 'the public key for everybody');
is(-s $marks, 128 * 3, 'the high-water file has a record for each log');

# The documented check, with nothing but openssl and a shell.
my $note = within($node, 7, 'SELECT laras.evidence_checkpoint()');
append_to_file("$dir/note", $note =~ s/\n*\z/\n/r);
my $said = '';
ok(run([ 'sh', '-c', q{cd "$1" && sed '/^$/,$d' note > text && sed '1,/^$/d' note | cut -d' ' -f3 | base64 -d | tail -c 64 > signature &&
	openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in text -sigfile signature}, 'sh', $dir, "$key.pub" ], '>', \$said, '2>&1'),
	'openssl verifies the checkpoint as documented') or diag $said;
like($note, qr{^laras\.invalid/laras/[0-9a-f-]{36}\n10\n[A-Za-z0-9+/]{43}=\nlaras-journal \d+ [0-9a-f]{32}\n\n\xe2\x80\x94 laras\.invalid/laras/\S+ \S+$},
	'a note of origin, size, root, the journal\'s position and signature');
is(within($node, 7, "SELECT encode(sha256('\\x01' || (SELECT substr(nodes, 65, 32) FROM laras.evidence_leaf WHERE leaf_index = 7 AND workspace_id = 7)
		|| (SELECT nodes FROM laras.evidence_leaf WHERE leaf_index = 9 AND workspace_id = 7)), 'base64')"), (split /\n/, $note)[2],
	'whose root is that of the kept nodes');

# The data directory as it was is put back after the log went on.
sub put_away { my ($to) = @_; $node->stop; PostgreSQL::Test::RecursiveCopy::copypath($data, $to); $node->start; }
sub put_back
{
	my ($from) = @_;
	$node->stop;
	PostgreSQL::Test::Utils::system_or_bail('rm', '-rf', $data);
	PostgreSQL::Test::RecursiveCopy::copypath($from, $data);
	chmod 0700, $data;
	$node->start;
	return;
}
sub refusal { my ($workspace) = @_; return within($node, $workspace, 'SELECT refused FROM laras.evidence_status'); }
sub refused
{
	my ($workspace, $pattern, $name) = @_;
	my $text = '';
	ok(wait_for(sub { $text = refusal($workspace); $text =~ $pattern }), $name) or diag "refused: $text";
	return;
}

put_away("$dir/old");
within($node, 7, "SELECT test_append(7, 500, i, 0, '') FROM generate_series(11, 14) i");
ok(wait_signed($node, 7, 14), 'the log goes on');
put_back("$dir/old");
is(problems($node, 7), '10|the log was signed up to 14 leaves, of which 10 are here', 'after a restore verify_evidence() says what is gone');
within($node, 7, "SELECT test_append(7, 500, 99, 0, '')");
refused(7, qr/^it is shorter than what was signed$/, 'a log shorter than what was signed is not signed');
within($node, 7, "SELECT test_append(7, 500, i, 0, '') FROM generate_series(100, 110) i");
refused(7, qr/^its first leaves are not those that were signed$/, 'nor one that has grown on another way');
like(problems($node, 7), qr/^10\|positions 10 to 13 are not what the high-water file says was signed$/m, 'which verify_evidence() finds too');
within($node, 8, "SELECT test_append(8, 500, 4, 0, '')");
ok(wait_signed($node, 8, 4), 'a log that lost nothing is signed all the same');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /workspace 7 is not signed: its first leaves/g), 1, 'the server log says it once');

# The leaves that were signed are edited, nodes and all that an edge needs.
put_away("$dir/edited");
$node->safe_psql('postgres', "UPDATE laras.evidence_leaf SET nodes = set_byte(nodes, 40, get_byte(nodes, 40) # 1) WHERE workspace_id = 8 AND leaf_index = 3");
within($node, 8, "SELECT test_append(8, 500, 5, 0, '')");
refused(8, qr/^its first leaves are not those that were signed$/, 'nor is one whose nodes were edited');
$node->safe_psql('postgres', "UPDATE laras.evidence_leaf SET nodes = set_byte(nodes, 40, get_byte(nodes, 40) # 1) WHERE workspace_id = 8 AND leaf_index = 3");
ok(wait_signed($node, 8, 5), 'until they are as they were');
$node->safe_psql('postgres', "UPDATE laras.evidence_tree SET log_id = '11111111-1111-4111-8111-111111111111', mark = 77 WHERE workspace_id = 8");
within($node, 8, "SELECT test_append(8, 500, 6, 0, '')");
refused(8, qr/^it has another name than the log that was signed$/, 'nor one under another name');
like(problems($node, 8), qr/^\|the log has another name than the one that was signed$/m, 'which is found');

# The outside: file gone, damaged, readable by others; key gone or exchanged.
put_back("$dir/edited");
ok(wait_signed($node, 8, 4), 'as it was');
sub logged { my ($pattern, $from) = @_; return wait_for(sub { substr(slurp_file($node->logfile), $from) =~ $pattern }); }
sub restart_with
{
	my ($change) = @_;
	$node->stop;
	my $from = -s $node->logfile;
	$change->();
	$node->start;
	within($node, 9, "SELECT test_append(9, 500, 1, 0, '')");
	return $from;
}
my $from = restart_with(sub { rename $marks, "$marks.away" or die });
ok(logged(qr/evidence is not signed: the high-water file is gone/, $from), 'without its high-water file nothing is signed');
like(problems($node, 7), qr/high-water file is missing/, 'and verify_evidence() says so');
$from = restart_with(sub {
	copy("$marks.away", $marks) or die;
	chmod 0600, $marks;
	open my $fh, '+<', $marks or die;
	seek $fh, 128 + 70, 0;
	print $fh "\x00\x01\x02";
	close $fh;
});
refused(9, qr/^the high-water file has damaged records/, 'a damaged record may be anybody\'s: no new log is begun');
like(problems($node, 7), qr/no sound record of this log/, 'the log it belonged to lacks it') ;
$from = restart_with(sub { unlink $marks; rename "$marks.away", $marks or die; rename $key, "$key.away" or die });
ok(logged(qr/evidence is not signed: the key file is gone, though this database has signed before/, $from), 'a lost key is not replaced');
ok(!-e $key, 'and none is made');
$from = restart_with(sub { append_to_file($key, 'ab' x 32 . "\n"); chmod 0400, $key });
ok(logged(qr/public key beside the key file is not readable or not of this key/, $from), 'a foreign key does not sign');
$from = restart_with(sub { unlink $key; rename "$key.away", $key or die; chmod 0440, $key });
ok(logged(qr/others than the server's account may read the key file/, $from), 'nor one that others may read');
$from = restart_with(sub { chmod 0400, $key; $node->append_conf('postgresql.conf', "laras.evidence_key_file = '$data/key'") });
ok(logged(qr/laras.evidence_key_file lies in the data directory/, $from), 'nor one within the data directory');
$from = restart_with(sub { $node->append_conf('postgresql.conf', "laras.evidence_key_file = '$key'") });
ok(wait_signed($node, 9, within($node, 9, 'SELECT count(*) FROM laras.evidence_log')), 'all in order again: what waited is signed');
is(problems($node, 9), '', 'and sound');
done_testing();
