# Any system that posts signed JSON: connected by configuration alone, read by its
# mapping, cut like every other channel.
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
$payloads->agree('generic', 'our own bodies', 'test/payloads/generic', 'test/payloads/generic/expected.tsv', '-o', 'test/payloads/generic/mapping.options');

my $node = Laras->cluster('generic');
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'the vault opens');
my %secret = (900 => 'the secret of the crm of these tests', 901 => 'the secret of the desk of these tests', 902 => 'the secret without a mapping');
my %options = (
	900 => slurp_file('test/payloads/generic/mapping.options'),
	901 => $json->encode({ mapping => { id => '/ticket/comment/id', from => '/ticket/requester/email', identity => 'email', text => '/ticket/comment/text', time => '/sent' } }),
	902 => '{"mapping": {"id": "/id", "from": "/x"}}');
sql("SELECT laras.register_provider_app('{generic}', '$_', '$secret{$_}', 'not used here', '$options{$_}')") for sort keys %secret;
# one of an installation that did not look at mappings
sql("UPDATE laras.provider_app SET options = '{}' WHERE app_id = '902'");
for my $bad ({}, { mapping => {} }, { mapping => { id => '/id' } }, map({ { mapping => { id => '/id', from => '/who', %$_ } } } { txet => '/said' }, { text => 'said' }, { text => 5 }, { messages => 'new' }, { messages => [5] }, { event => '/type' },
	{ identity => 'name' }, { outbound => '/role' }, { outbound => { at => '/role', is => [] } }, { parts => { picture => '/p' } }, { parts => [] }, { media => { list => '/files' } }))
{
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT laras.register_provider_app('{generic}', '903', 'the secret of a mistyped mapping', 'not used here', '" . $json->encode($bad) . "')");
	like($error, qr/ 22023/, 'refused: ' . $json->encode($bad));
}
like(($node->psql('postgres', "SELECT laras.register_provider_app('{generic}', 'crm', 'the secret of a mistyped id', 'not used here', '{\"mapping\": {\"id\": \"/id\", \"from\": \"/who\"}}')"))[2], qr/must be a string of digits/, 'and so is an id that no path can have');
my $workspace = sql("SELECT laras.create_workspace('Toko', 'owner\@shop.example', 'correct horse battery')");
my %connection = map { $_ => bound("SELECT laras.pair_connection('generic', '{\"source_id\": \"$_\"}', 'none needed', false)") } sort keys %secret;

my $event = { id => 'e1', type => 'new', author => { id => 'c-7', name => 'Sari', role => 'customer' }, at => '2025-11-20T01:00:00Z', body => 'halo' };
is(receive(900, { events => [$event] }), 200, 'a signed body is taken');
is(receive(900, { events => [$event] }, $secret{901}), 401, "another system's secret is refused");
is(receive(901, { events => [$event] }, $secret{900}), 401, 'and so the other way');
is(receive(900, { events => [$event], again => 1 }), 200, 'a repeat');
is(receive(901, { sent => 1763600500, ticket => { requester => { email => 'Sari@Shop.Example' }, comment => { id => 55, text => 'lewat tiket' } } }), 200, 'a system of another shape');
is(receive(902, { id => 1 }), 200, 'a system without a mapping');
drain();
is(bound("SELECT string_agg(body, ',' ORDER BY provider_timestamp) FROM laras.messages"), 'halo,lewat tiket', 'each is read by its own mapping');
is(bound("SELECT string_agg(kind || ' ' || value, ',' ORDER BY kind) FROM laras.contact_identities"), 'email sari@shop.example,external 900:c-7', 'people are known by what the mapping says they are');
is(bound("SELECT string_agg(reason, ',') FROM laras.quarantine"), 'no_mapping', 'what has no mapping is set aside');
receive(900, { events => [ { %$event, type => 'edit', body => 'halo kak' }, { %$event, id => 'e2', author => { id => 'c-7', role => 'agent' }, body => 'Ada kak' } ] });
drain();
is(bound("SELECT body FROM laras.messages WHERE provider_message_id = 'e1'"), 'halo kak', 'an edit');
is(bound("SELECT direction || ' ' || author_kind FROM laras.messages WHERE provider_message_id = 'e2'"), 'out app', 'what the business answered there');
receive(900, { events => [ { %$event, type => 'gone' } ] });
drain();
is(bound("SELECT body IS NULL FROM laras.messages WHERE provider_message_id = 'e1'"), 't', 'a removal');

# A mapping that came later reads what was set aside.
sql("SELECT laras.register_provider_app('{generic}', '902', '$secret{902}', 'not used here', '" . $json->encode({ mapping => { id => '/id', from => '/who', text => '/said' } }) . "')");
receive(902, { id => 2, who => 'x', said => 'sekarang terbaca' });
drain();
is(bound("SELECT count(*) FROM laras.messages WHERE body = 'sekarang terbaca'"), 1, 'a changed mapping holds from the next event');

is($json->decode(bound("SELECT laras.disconnect($connection{900})"))->{state} // 'disconnected', 'disconnected', 'it is cut like every other');
is(receive(900, { events => [ { %$event, id => 'e9', body => 'masih?' } ] }), 200, 'answered');
drain();
is(bound("SELECT count(*) FROM laras.messages WHERE body = 'masih?'"), 0, 'and not heard');
is(sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is(bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$node->stop('fast');
done_testing();

# --------------------------------------------------------------------- helpers

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub bound { return bound_to($node, $workspace, $_[0]); }

sub drain { sql("SELECT laras.drain('30 s')") eq 't' or diag sql('SELECT worker, state, last_error FROM laras.worker_status'); return; }

sub receive
{
	my ($source, $body, $key) = @_;
	my $bytes = $json->encode($body);
	return sql("SELECT status FROM laras.receive_webhooks('{generic/$source}', ARRAY['sha256=" . hmac_sha256_hex($bytes, $key // $secret{$source})
		  . "'], ARRAY[decode('" . unpack('H*', $bytes) . "', 'hex')])");
}
