# A phrase that the business forbids binds what leaves from then on, a draft that was
# judged before among it: an approval as it stands asks for the phrases of now. What was
# approved and is withdrawn, or refused at hand-off, is approved no more.
# proves R061 R062 R066
use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('forbidden');
$stage->connect;
my $workspace = $stage->workspace;
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Tubruk', 8000, 3)");
my $serial = 0;
sub asks
{
	my $phone = sprintf '6281291%06d', ++$serial;
	$stage->customer($phone, 'kopi tubruk berapa kak?');
	my $of = "SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'";
	$stage->wait_bound("SELECT count(*) = 1 FROM ($of) x") or die "no draft\n";
	return $stage->bound($of);
}
sub attempt { my ($sql) = @_; my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); $sql; COMMIT"); return $error; }

my $id = asks();
$stage->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 1, 'tubruk')");
like(attempt("SELECT laras.approve_draft($id)"), qr/22023.*forbidden_phrase/s, 'a phrase that was forbidden since the draft was made stops its approval');
$stage->bound('DELETE FROM laras.forbidden_phrase');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $id"), 'held', 'and it waits on');
ok($stage->bound("SELECT laras.approve_draft($id, 'Rp 8.000, kak.')") > 0, 'in other words it leaves');
$id = asks();
$stage->bound("INSERT INTO laras.required_phrase (workspace_id, id, phrase, topic) VALUES ($workspace, 1, 'Belum termasuk ongkir', 'price')");
like(attempt("SELECT laras.approve_draft($id)"), qr/22023.*missing_phrase/s, 'so does one that was demanded since');
$stage->bound('UPDATE laras.required_phrase SET topic = $$hours$$');
ok($stage->bound("SELECT laras.approve_draft($id)") > 0, 'not where it is demanded for something else');
$stage->bound('DELETE FROM laras.required_phrase');

# ---- what was approved and will not leave says so
my $again = qr/LRA02.*will not be sent.*reason "(\w+)".*laras\.reply/s;
$id = asks();
$stage->sql("SELECT laras.pause_workers('courier')");
my $message = $stage->bound("SELECT laras.approve_draft($id)");
is($stage->bound("SELECT laras.approve_draft($id)"), $message, 'approving again gives the same message');
is($stage->bound("SELECT laras.cancel_message($message)"), 't', 'an approved one is withdrawn');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $id"), 'rejected', 'and its draft is not called approved, which means queued');
is((attempt("SELECT laras.approve_draft($id)") =~ $again)[0], 'withdrawn', 'nor is its message promised again');
is($stage->sql("SELECT string_agg(act, ' ' ORDER BY id) FROM laras.draft_decision WHERE draft_id = $id"), 'approved rejected', 'both decisions are kept');
$id = asks();
$message = $stage->bound("SELECT laras.approve_draft($id)");
my $other = asks();
$stage->sql("UPDATE laras.message SET body = (SELECT body FROM laras.draft WHERE id = $other) WHERE id = $message");
$stage->sql("SELECT laras.resume_workers('courier')");
ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $message", 60), 'a text that is not the judged one does not leave');
is($stage->bound("SELECT state FROM laras.drafts WHERE id = $id"), 'rejected', 'its draft says that nobody sends it');
like(attempt("SELECT laras.approve_draft($id)"), $again, 'and so does who approves it again');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();
