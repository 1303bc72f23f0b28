# A provider's error is told to the owner in words; where its code says one thing and
# its subcode another (10 with 2534022 or 2018278: outside the window), by the subcode.
# proves R086
use strict;
use warnings;

use Channels;
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('subcodes');
my %subcode = (instagram => 2534022, messenger => 2018278);
for my $channel (sort keys %subcode)
{
	my $shop = Channels->open($stage, $channel);
	my ($status) = $shop->connect;
	is($status, 200, "$channel: connected");
	$shop->says(Sari => 'halo');
	ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo'"), 'a customer writes');
	$stage->sandbox->fault(action => 'refuse', code => 10, subcode => $subcode{$channel}, match => { route => 'messages' });
	my $id = $shop->bound('SELECT laras.reply((SELECT id FROM laras.conversations), \'halo kak\')');
	ok($shop->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $id"), 'the provider says that it is too late');
	is($shop->bound("SELECT reason FROM laras.send_troubles WHERE message_id = $id"), 'window_closed', 'which laras understands');
	unlike($shop->bound("SELECT words_en FROM laras.send_troubles WHERE message_id = $id"), qr/permission|Connect the account/, 'and says in words that tell it');
	# the person is not there, which is no fault of the message's form
	my %gone = (instagram => 2534014, messenger => 2018001);
	$stage->sandbox->fault(action => 'refuse', code => 100, subcode => $gone{$channel}, match => { route => 'messages' });
	$id = $shop->bound('SELECT laras.reply((SELECT id FROM laras.conversations), \'halo kak\')');
	ok($shop->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $id"), 'the provider does not find them');
	like($shop->bound("SELECT concerns || ' ' || words_en FROM laras.send_troubles WHERE message_id = $id"), qr/^message The person was not found/, 'and the owner reads that');
	# what a subcode does not change is said by the code
	$stage->sandbox->fault(action => 'refuse', code => 100, subcode => 77, match => { route => 'messages' });
	$id = $shop->bound('SELECT laras.reply((SELECT id FROM laras.conversations), \'halo kak\')');
	ok($shop->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $id"), 'another subcode');
	like($shop->bound("SELECT words_en FROM laras.send_troubles WHERE message_id = $id"), qr/malformed/, 'says what the code says');
	next if $channel ne 'messenger';
	$stage->sandbox->fault(action => 'refuse', code => 10, subcode => 1893063, match => { route => 'messages' });
	$id = $shop->bound('SELECT laras.reply((SELECT id FROM laras.conversations), \'halo kak\')');
	ok($shop->wait_bound("SELECT state = 'parked' FROM laras.send_troubles WHERE message_id = $id"), 'a Page that is barred for a time waits');
	like($shop->bound("SELECT words_en || words_id FROM laras.send_troubles WHERE message_id = $id"), qr/bars the Page.*melarang Halaman/, 'and says why, and until when');
}
$stage->stop;
done_testing();
