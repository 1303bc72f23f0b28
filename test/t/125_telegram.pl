# Telegram: the parser against a table, the secret token of each bot (derived from
# the one that the operator registered), the account in the path, and what the inbox makes of messages, edits, taps, reactions and
# people who stop a bot.
#
# proves R045 R092

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Laras;
use Payloads;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my $payloads = Payloads->build;
$payloads->agree('telegram', 'our own bodies', 'test/payloads/telegram', 'test/payloads/telegram/expected.tsv');

my $node = Laras->cluster('telegram');
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'the vault opens');
my ($old, $new) = ('the secret of all bots here', 'the secret after a change');
my %secret = map { $_ => hmac_sha256_hex("telegram/$_", $old) } 5100001, 5100002, 77;
my ($ret, undef, $error) = $node->psql('postgres', "SELECT laras.create_workspace('W0', 'w0\@shop.example', 'correct horse battery') AS w \\gset\nBEGIN; SELECT laras.act_as(:w); SELECT laras.pair_connection('telegram', '{\"bot_id\": \"77\"}', 'x', false)");
like($error, qr/no provider app serves this channel/, 'before the operator has registered a secret no bot is paired');
sql("SELECT laras.register_provider_app('{telegram}', 'bots', '$old', 'not used by Telegram')");
my @workspace = map { sql("SELECT laras.create_workspace('W$_', 'w$_\@shop.example', 'correct horse battery')") } 1, 2;
my $first = pair($workspace[0], 5100001);
my $second = pair($workspace[1], 5100002);

# ------------------------------------------------- secrets and the path
my $hello = update(message => message(1, text => 'halo'));
is(receive(5100001, $hello, $secret{5100002}), 401, "another bot's secret is refused");
is(receive(5100001, $hello, "$secret{5100001} "), 401, 'so is one character more');
is(receive(5100001, $hello, ''), 401, 'and none');
is(receive(5100001, $hello, undef), 401, 'none at all');
is(receive(5100001, $hello, $old), 401, "and the operator's own, which never leaves the house");
is(receive(77, $hello), 200, 'a bot that nobody has connected is answered');
is(sql("SELECT count FROM laras.ignored_events WHERE channel = 'telegram' AND reason = 'unknown_account'"), 1, 'and counted');
is(post('telegram', $hello, $secret{5100001}), 404, 'a path without a bot');
is(post('telegram/5100001/x', $hello, $secret{5100001}), 404, 'a path with more');
is(receive(5100001, $hello), 200, 'its own secret is taken');
is(receive(5100002, update(message => message(1, text => 'ke bot kedua'))), 200, 'and the other its own');
drain();
is(bound($workspace[0], 'SELECT string_agg(body, \',\') FROM laras.messages'), 'halo', 'each bot speaks to its own workspace');
is(bound($workspace[1], 'SELECT string_agg(body, \',\') FROM laras.messages'), 'ke bot kedua', 'alone');

# ------------------------------------------------------------------ the inbox
is(receive(5100001, $hello), 200, 'a repeat');
receive(5100001, update(message => message(2, photo => [ { file_id => 'AgAC' } ], caption => 'fotonya')));
receive(5100001, update(edited_message => message(1, text => 'halo kak', edit_date => 1763600060)));
receive(5100001, update(callback_query => { id => 'cb1', from => from(), data => 'ambil', message => message(9, text => 'Pilih:') }));
receive(5100001, update(message_reaction => { chat => chat(), message_id => 1, user => from(), date => 1763600070, new_reaction => [ { type => 'emoji', emoji => 'x' } ] }));
drain();
is(bound($workspace[0], "SELECT string_agg(kind || ' ' || coalesce(body, '-'), ', ' ORDER BY id) FROM laras.messages"), 'text halo kak, image fotonya, edit halo kak, postback -, reaction x', 'messages, an edit, a tap and a reaction');
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE about_message_id = (SELECT id FROM laras.messages WHERE provider_message_id = '700000001:1')"), 2, 'edit and reaction name what they are about');
is(bound($workspace[0], "SELECT string_agg(kind || ' ' || value, ',') FROM laras.contact_identities"), 'telegram_id 700000001', 'one person');
is(bound($workspace[0], 'SELECT name FROM laras.contacts'), 'Sari Dewi', 'with a name');
receive(5100001, update(my_chat_member => { chat => chat(), from => from(), date => time, new_chat_member => { status => 'kicked' } }));
drain();
is(bound($workspace[0], 'SELECT opt_out_at IS NOT NULL FROM laras.contacts'), 't', 'who stops the bot wants nothing more');
receive(5100001, update(inline_query => { id => '1', from => from(), query => 'x', offset => '' }));
drain();
is(bound($workspace[0], 'SELECT string_agg(reason, \',\') FROM laras.quarantine'), 'unsupported_update', 'what is not known is set aside');
bound($workspace[0], "SELECT laras.disconnect($first)");
is(receive(5100001, update(message => message(3, text => 'masih di sana?'))), 200, 'a bot that is disconnected is answered');
drain();
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE provider_message_id = '700000001:3'"), 0, 'and not heard');
is(sql("SELECT count FROM laras.ignored_events WHERE channel = 'telegram' AND reason = 'unknown_account'"), 2, 'but counted');
sql("SELECT laras.register_provider_app('{telegram}', 'bots', '$new', 'not used by Telegram')");
is(receive(5100002, update(message => message(2, text => 'sesudah')), hmac_sha256_hex('telegram/5100002', $new)), 200, 'after the secret changed its token is taken');
is(receive(5100002, update(message => message(3, text => 'sebelum'))), 200, 'and the one before, which Telegram still has');

is(sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is(bound($_, 'SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies') for @workspace;
$node->stop('fast');
done_testing();

# --------------------------------------------------------------------- helpers

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub bound { return bound_to($node, @_); }

sub pair { my ($workspace, $bot) = @_; return bound($workspace, "SELECT laras.pair_connection('telegram', '{\"bot_id\": \"$bot\"}', '$bot:AAtesttesttest', false)"); }
sub drain { sql("SELECT laras.drain('30 s')") eq 't' or diag sql('SELECT worker, state, last_error FROM laras.worker_status'); return; }
sub from { return { id => 700000001, is_bot => JSON::PP::false, first_name => 'Sari', last_name => 'Dewi' }; }
sub chat { return { id => 700000001, type => 'private' }; }
sub message { my ($id, %content) = @_; return { message_id => $id, from => from(), chat => chat(), date => 1763600000, %content }; }

my $update_id = 1000;
sub update { my (%what) = @_; return $json->encode({ update_id => ++$update_id, %what }); }

sub receive
{
	my ($bot, $bytes, @token) = @_;
	return post("telegram/$bot", $bytes, @token ? $token[0] : $secret{$bot});
}

sub post
{
	my ($path, $bytes, $token) = @_;
	my $literal = defined $token ? "'$token'" : 'NULL';
	return sql("SELECT status FROM laras.receive_webhooks('{$path}', ARRAY[$literal]::text[], ARRAY[decode('" . unpack('H*', $bytes) . "', 'hex')])");
}
