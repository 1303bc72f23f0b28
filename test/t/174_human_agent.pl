# Messenger and Instagram let a person, not a program, answer for seven days: what a
# member wrote leaves with the tag HUMAN_AGENT, once the operator says that the app
# may, and nobody else's words do.
#
# proves R077

use strict;
use warnings;

use Channels;
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('humanagent');
for my $channel (qw(instagram messenger))
{
	my $shop = Channels->open($stage, $channel);
	my ($status) = $shop->connect;
	is($status, 200, "$channel: connected");
	$shop->says(Sari => 'halo');
	ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo'"), 'a customer writes');
	my $owner = $shop->bound("SELECT id FROM laras.members WHERE role = 'owner'");
	my $conversation = $shop->bound('SELECT id FROM laras.conversations');
	my $by_member = sub {
		my ($text) = @_;
		my $all = $stage->sql("BEGIN; SELECT laras.act_as(@{[ $shop->workspace ]}, $owner); SELECT laras.reply($conversation, '$text'); COMMIT");
		return (split /\n/, $all)[1];
	};
	my $came = sub {
		my ($id, $status, $what) = @_;
		ok($shop->wait_bound("SELECT status IN ($status) FROM laras.messages WHERE id = $id"), "$channel: $what");
		return;
	};
	my $late = q{'failed'};
	my $left = q{'sent', 'delivered', 'read'};

	$stage->sql("SELECT laras.advance_clock('25 hours')");
	$stage->sandbox->control(POST => 'clock', { advance_s => 25 * 3600 });
	$came->($by_member->('belum boleh'), $late, 'after a day nothing leaves, not even from a person');
	$stage->sql("SET ROLE laras_dba; INSERT INTO laras.window_rule (channel, purpose, opened_by, lasts, remark) VALUES ('$channel', 'human_agent', 'message', 604800, 'granted by App Review')");
	$came->($by_member->('dari orang'), $left, "a person's words leave where the operator enabled it");
	my ($sent) = grep { ($_->{body}{message}{text} // '') eq 'dari orang' } grep { ref $_->{body} } $stage->sandbox->ledger;
	is("$sent->{body}{messaging_type} $sent->{body}{tag}", 'MESSAGE_TAG HUMAN_AGENT', 'with the tag');
	$came->($shop->bound("SELECT laras.reply($conversation, 'dari program')"), $late, "a program's do not");
	$stage->sql("SELECT laras.advance_clock('6 days')");
	$stage->sandbox->control(POST => 'clock', { advance_s => 6 * 24 * 3600 });
	$came->($by_member->('terlambat'), $late, 'and after seven days nobody writes');
}
$stage->stop;
done_testing();
