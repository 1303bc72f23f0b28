# The provider tells in a header how much of its quota is used up. From 80 percent
# on an account is left alone for a while after each answer, the longer the fuller.
use strict;
use warnings;

use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('usage', sandbox => { usage_percent => 81 });
$stage->connect;
is($stage->customer("62812345000$_", "halo $_")->{status}, 200, 'a customer writes') for 1 .. 3;
ok($stage->wait_bound('SELECT count(*) = 3 FROM laras.conversations'), 'three conversations');
my @conversation = split /\n/, $stage->bound('SELECT id FROM laras.conversations ORDER BY id');

sub say_to
{
	my ($conversation, $text) = @_;
	my $id = $stage->bound("SELECT laras.reply($conversation, '$text')");
	ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $id", 30), "$text is sent");
	return;
}

# every send is answered before the next is queued
say_to($conversation[$_], "jawaban $_") for 0 .. 2;
my @at = map { $_->{time_ms} } grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} } $stage->sandbox->ledger;
is(scalar(@at), 3, 'three requests');
cmp_ok($at[1] - $at[0], '>=', 2000, 'at 81 percent there are two seconds between them');
cmp_ok($at[2] - $at[1], '>=', 2000, 'each time');
$stage->stop;
done_testing();
