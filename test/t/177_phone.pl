# A phone number is one number however it is written: by the habits of the
# workspace's region 0812-3456-7890 and +62 812 3456 7890 are one person, WhatsApp's
# id and a CRM's number find each other, a wish to be left alone and an erasure reach
# both. What is no number stays what it is. Nothing of a number is printed anywhere.
#
# proves R091 R092

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $stage = Stage->new('phone');
my $workspace = $stage->workspace;

# ---- reading: as written, region, E.164 (- for none), valid, the number's own region
for (
	[ '0812-3456-7890', 'ID', '+6281234567890 t ID' ], [ '+62 812 3456 7890', 'US', '+6281234567890 t ID' ],
	[ '(0812) 3456.7890', 'ID', '+6281234567890 t ID' ], [ '62 812-3456-7890', 'ID', '+6281234567890 t ID' ],
	[ '+62 (0) 812 3456 7890', 'ID', '+6281234567890 t ID' ], [ 'tel:+62-812-3456-7890;ext=5', 'ID', '+6281234567890 t ID' ],
	[ '٠٨١٢٣٤٥٦٧٨٩٠', 'ID', '+6281234567890 t ID' ], [ '0812-3456-7890', 'SG', '- f -' ],
	[ '(021) 555-1234', 'ID', '+62215551234 t ID' ], [ '650-253-0000', 'US', '+16502530000 t US' ],
	[ '020 7946 0958', 'GB', '+442079460958 t GB' ], [ '+1 684 622 1234', 'ID', '+16846221234 t AS' ],
	[ 'halo', 'ID', '- f -' ], [ '123', 'ID', '- f -' ], [ '', 'ID', '- f -' ], [ '+', 'ID', '- f -' ],
	[ '0' x 64, 'ID', '- f -' ], [ '08' x 40, 'ID', '- f -' ], [ "0812\t3456;DROP", 'ID', '- f -' ])
{
	my ($written, $region, $expected) = @$_;
	my $quoted = $written =~ s/'/''/gr;
	is($stage->sql("SELECT coalesce(e164, '-') || ' ' || CASE WHEN valid THEN 't' ELSE 'f' END || ' ' || coalesce(number_region, '-') FROM laras.read_phone('$quoted', '$region')"),
		$expected, length $written > 30 ? 'digits without end' : "\"$written\" in $region");
}
for my $bad ('id', 'XX', 'IDN', '', '1')
{
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT laras.read_phone('0812', '$bad')");
	like($error, qr/22023/, "\"$bad\" is no region");
}
is($stage->sql("SELECT e164 FROM laras.read_phone(NULL, 'ID')"), '', 'no number, no answer');

# ---- a CRM that writes numbers as people do; WhatsApp's customer beside it
my %secret = (900 => 'the secret of the crm of these tests', 901 => 'the secret of the desk of these tests');
my %mapping = (900 => { id => '/id', from => '/phone', identity => 'phone', text => '/text', time => '/at' },
	901 => { id => '/id', from => '/user', phone => '/phone', email => '/mail', text => '/text', time => '/at' });
for my $id (sort keys %secret)
{
	$stage->sql("SELECT laras.register_provider_app('{generic}', '$id', '$secret{$id}', 'not used here', '" . $json->encode({ mapping => $mapping{$id} }) . "')");
	$stage->bound("SELECT laras.pair_connection('generic', '{\"source_id\": \"$id\"}', 'none needed', false)");
}
my $serial = 0;

sub says
{
	my ($source, %event) = @_;
	my $bytes = $json->encode({ id => 'p' . ++$serial, at => time, text => 'halo', %event });
	my $response = Laras::http_call('POST', $stage->url . "/api/webhooks/generic/$source",
		headers => { 'X-Laras-Signature' => 'sha256=' . hmac_sha256_hex($bytes, $secret{$source}) }, content => $bytes);
	die "generic: $response->{status}\n" if $response->{status} != 200;
	return $stage->sql("SELECT laras.drain('30 s')");
}

says(900, phone => $_) for '0812-3456-7890', '+62 812 3456 7890', '(0812) 34567890', '62812-3456-7890';
is($stage->bound("SELECT string_agg(kind || ' ' || value, ',') FROM laras.contact_identities"), 'phone +6281234567890', 'four spellings are one person');
is($stage->bound('SELECT count(*) FROM laras.messages'), 4, 'who wrote four times');
my $crm = $stage->bound('SELECT id FROM laras.contacts');
says(900, phone => 'pesawat 12-345');
is($stage->bound("SELECT value FROM laras.contact_identities WHERE contact_id <> $crm"), 'pesawat12345', 'what is no number is somebody all the same');
says(900, phone => '(pesawat) 12.345');
is($stage->bound('SELECT count(*) FROM laras.contacts'), 2, 'and the same one when written alike');
says(901, user => 'u7', phone => '0812 3456 7891', mail => 'Sari@Shop.Example');
is($stage->bound("SELECT string_agg(kind || ' ' || value, ',' ORDER BY kind) FROM laras.contact_identities WHERE contact_id = (SELECT max(id) FROM laras.contacts)"),
	'email sari@shop.example,external 901:u7,phone +6281234567891', 'a contact holds number and address where they are given');
$stage->connect;
is($stage->webhook('6281234567890', 'dari WhatsApp')->{status}, 200, 'the same person writes by WhatsApp');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'dari WhatsApp'"), 'and is read');
my $wa = $stage->bound("SELECT contact_id FROM laras.messages WHERE body = 'dari WhatsApp'");
is($stage->bound("SELECT string_agg(contact_id || ' ' || channel || ' ' || kind, ',' ORDER BY channel) FROM laras.contacts_by_phone('$_')"), "$crm generic phone,$wa whatsapp wa_id",
	"\"$_\" finds both") for '0812 3456 7890', '+6281234567890', '6281234567890';
is($stage->bound("SELECT count(*) FROM laras.contacts_by_phone('0812 3456 7899')"), 0, 'another number nobody');
my $theirs = $stage->sql(q{SELECT laras.create_workspace('Toko Lain', 'other@shop.example', 'correct horse battery')});
is($stage->bound("SELECT count(*) FROM laras.contacts_by_phone('0812 3456 7890')", $theirs), 0, 'nor another workspace anybody');

# ---- numbers of which WhatsApp kept an older form
is($stage->webhook('5215512345678', 'desde México')->{status}, 200, 'a number of Mexico, with the 1 of old');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.contacts_by_phone('+52 55 1234 5678')"), 'is found without it');

# ---- a wish and an erasure reach both
$stage->bound("SELECT laras.set_opt_out($wa, true)");
says(900, phone => '0813 1111 2222');
my $new = $stage->bound("SELECT contact_id FROM laras.contacts_by_phone('0813-1111-2222')");
is($stage->bound("SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = $new"), 't', 'somebody new wants to be written to');
is($stage->webhook('6281311112222', 'STOP')->{status}, 200, 'until they say STOP by WhatsApp');
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.contacts WHERE opt_out_at IS NOT NULL AND id IN (SELECT contact_id FROM laras.contacts_by_phone('0813-1111-2222') WHERE channel = 'whatsapp')"), 'which is kept');
$stage->bound("SELECT laras.request_erasure('contact', '{\"contact_id\": \"$new\"}')");
says(900, phone => '+62 813-1111-2222');
is($stage->bound("SELECT count(*) FROM laras.contacts WHERE opt_out_at IS NOT NULL AND id IN (SELECT contact_id FROM laras.contacts_by_phone('081311112222') WHERE channel = 'generic')"), 1,
	'and holds for the number that the CRM writes with dashes');
is($stage->bound("SELECT count(*) FROM (SELECT laras.merge_contacts($wa, $crm, 'one number')) m"), 1, 'two who are one are merged');
is($stage->bound("SELECT count(DISTINCT contact_id) FROM laras.contacts_by_phone('0812 3456 7890')"), 1, 'and found as one');
{
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as(" . $stage->workspace . "); SELECT laras.request_erasure('contact', '{\"identity\": {\"channel\": \"whatsapp\", \"kind\": \"phone\", \"value\": \"abc\"}}')");
	like($error, qr/22023: that is no phone number/, 'what is no number is told from a number that nobody has');
}
is($stage->bound("SELECT sum(key_count) > 0 FROM laras.explain_erasure('contact', '{\"identity\": {\"channel\": \"whatsapp\", \"kind\": \"phone\", \"value\": \"0812-3456-7890\"}}')"), 't', 'an erasure by number is explained');
like($stage->bound("SELECT laras.request_erasure('contact', '{\"identity\": {\"channel\": \"whatsapp\", \"kind\": \"wa_id\", \"value\": \"+62 812-3456-7890\"}}')"), qr/^[0-9a-f]{32}$/, 'and done');
is($stage->bound("SELECT count(*) FROM laras.contacts_by_phone('+62 812 3456 7890')"), 0, 'nobody has the number any more');

# ---- another region
$stage->bound("SELECT laras.set_region('SG')");
is($stage->bound('SELECT region FROM laras.workspaces'), 'SG', 'the workspace moves to Singapore');
says(900, phone => '9123 4567');
is($stage->bound("SELECT value FROM laras.contact_identities WHERE contact_id = (SELECT contact_id FROM laras.contacts_by_phone('+65 9123 4567'))"), '+6591234567', 'where numbers are read by its habits');
is($stage->bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'workspace.setting_set'"), 1, 'which is in the evidence');
my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY sqlstate\nBEGIN; SELECT laras.act_as($workspace); SELECT laras.set_region('Jawa')");
like($error, qr/22023/, 'no other word is a region');

unlike(join("\n", grep { !/statement: / } split /\n/, slurp_file($stage->node->logfile)), qr/3456|7890|pesawat/, 'beside the statements themselves no number is in the log');
is($stage->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
$stage->stop;
done_testing();
