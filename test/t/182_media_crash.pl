# kill -9 of the courier at each stop point of fetching media: what was under way is
# fetched by the next run, whole, and no piece of an earlier try is left. The short
# form kills it between two pieces.

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $stage = Stage->new('mediacrash', faults => 1, crash => 1, settings => { fsync => 'off' });
my $node = $stage->node;
my $sandbox = $stage->sandbox;
my $shop = Channels->open($stage, 'whatsapp');
is(($shop->connect)[0], 200, 'a shop connects');

my $count = 0;
for my $point (long_run('media_part', 'all') eq 'all' ? qw(media_locate media_answered media_part media_stored) : 'media_part')
{
	my $hit = $point eq 'media_part' ? 2 : 1;
	put_fault($node, "$point:kill9:$hit");
	$node->reload;
	my $media = $sandbox->control(POST => 'media', { number => $shop->{account}{number}, mime_type => 'video/mp4', size => 4 * 256 * 1024 + 7, seed => ++$count });
	my $sent = $sandbox->control(POST => 'customer/message', { number => $shop->{account}{number}, from => $shop->person('Sari'), name => 'Sari',
		message => { type => 'video', video => { id => $media->{id}, mime_type => 'video/mp4', sha256 => $media->{sha256} } } });
	ok(wait_for(sub { slurp_file($node->logfile) =~ /(?:was terminated by signal 9.*){$count}/s }, 60), "$point: the courier is killed");
	put_fault($node, '');
	ok(wait_for(sub { return eval { $node->reload; $node->psql('postgres', 'SELECT 1') == 0 } }, 60), "$point: the server comes back");
	ok(wait_for(sub {
		my ($rc, $out) = $node->psql('postgres', "BEGIN; SELECT laras.advance_clock('1 minute'); SELECT laras.act_as($shop->{workspace}); SELECT 'state ' || a.state FROM laras.attachments a JOIN laras.messages m ON m.id = a.message_id WHERE m.provider_message_id = '$sent->{id}'; COMMIT");
		return $rc == 0 && $out =~ /state stored/;
	}, 90), "$point: the film is fetched") or diag $shop->bound('SELECT state, reason, attempts FROM laras.attachments');
	is($shop->bound("SELECT encode(sha256(laras.read_media(a.id, 0, 8388608)), 'hex') FROM laras.attachments a JOIN laras.messages m ON m.id = a.message_id WHERE m.provider_message_id = '$sent->{id}'"), $media->{sha256}, "$point: whole");
}
is($stage->sql('SELECT count(*) FROM laras.media_chunk'), 5 * $count, 'and no piece of an earlier try is left');

$stage->stop;
done_testing();
