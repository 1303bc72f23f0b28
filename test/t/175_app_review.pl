# What a platform's reviewer is given: a workspace, credentials, and eleven steps
# that a script walks over HTTP, from the log-in to the disconnect. Then what the
# script cannot see: that no token lay open, and that nothing of the connections is left.
#
# proves R004 R008 R029

use strict;
use warnings;

use IPC::Run ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('app_review', sandbox => { ledger_entries => 1000 });
local %ENV = (%ENV, LARAS_SOCKET => $stage->node->host, PGPORT => $stage->node->port, LARAS_SUPERUSER => $stage->sql('SELECT current_user'),
	RELAY_URL => $stage->url, SANDBOX_URL => $stage->sandbox->url);
my $file = $stage->node->basedir . '/review.json';
my $out = '';

# The script tells each check in a line of its own.
for my $part (qw(prepare walk))
{
	IPC::Run::run([ 'test/demo/app-review', $part, $file ], '>', \my $told, '2>&1');
	is($?, 0, "$part passes") or diag $told;
	$out .= $told;
}
is((stat $file)[2] & 077, 0, 'the credentials are for nobody else to read');
is(join(' ', $out =~ /^-- (\d\d) /mg), join(' ', map { sprintf '%02d', $_ } 1 .. 11), 'all eleven steps were walked');
cmp_ok(scalar(() = $out =~ /^   ok      /mg), '>=', 55, 'with checks in each');
unlike($out, qr/NOT SO/, 'which hold');

my ($workspace) = slurp_file($file) =~ /"workspace" : "(\d+)"/;
is($stage->sql("SELECT count(*) FROM laras.$_ WHERE workspace_id = $workspace"), 0, "nothing is left in $_") for qw(channel_token route authorizer);
is($stage->sql("SELECT count(*) FROM laras.connection WHERE workspace_id = $workspace AND (state <> 'disconnected' OR display_name IS NOT NULL OR laras.key_state(slot) <> 'destroyed')"),
	0, 'of two connections tombstones remain');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()', $workspace), 0, 'the evidence verifies');
is($stage->bound('SELECT count(*) FROM laras.conversations'), 0, 'another workspace saw nothing of it');
unlike(slurp_file($stage->node->logfile), qr/EAA|IGAA/, 'no token in the log');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();
