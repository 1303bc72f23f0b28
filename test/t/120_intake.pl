# Webhooks: signatures over raw bytes, routing by number, splitting, repeats,
# quarantine, hostile bodies, and every body of the corpus.
#
# proves R036 R039 R040 R042 R043 R044 R045 R046 R047 R054 R236

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Encode qw(encode_utf8);
use JSON::PP ();
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = '0123456789abcdef0123456789abcdef';
my ($number, $waba) = ('106540352242922', '419561257915477');
my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my $node = Laras->cluster('intake', crash => 1);
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'the vault opens');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub bound
{
	my ($workspace, $query) = @_;
	my $all = sql("BEGIN; SELECT 'bound', laras.act_as($workspace); $query; COMMIT");
	$all =~ s/^bound\|\d+\n?//;
	return $all;
}

sql("SELECT laras.register_provider_app('{whatsapp}', '12345', '$secret', 'verify-me-please')");
my @workspace = map { sql("SELECT laras.create_workspace('W$_', 'w$_\@shop.example', 'correct horse battery')") } 1 .. 2;
pair($workspace[0], $number, $waba);
pair($workspace[1], '220000000000002', '330000000000003');

# ------------------------------------------------------------------ signatures
my $body = text_body('628111', 'halo');
is(receive($body), 200, 'a signed body is taken');
is(receive($body, signature => 'sha256=' . '0' x 64), 401, 'a wrong signature is not');
is(receive($body, signature => undef), 401, 'nor none');
is(receive($body, signature => 'sha256=' . uc hmac_sha256_hex($body, $secret)), 401, 'nor upper-case digits');
is(receive($body, signature => 'sha1=' . '0' x 40), 401, 'nor the legacy form');
is(receive($body, signature => signature($body, 'another secret')), 401, 'nor another secret');
is(receive("$body\n", signature => signature($body)), 401, 'one byte more is another body');
is(receive('{broken', signature => 'sha256=' . '1' x 64), 401, 'what is not signed is not parsed');
is(receive($body, channel => 'nowhere'), 404, 'an unknown path');
is(receive($body, channel => 'whatsapp'), 404, 'is one by its path, not its name');
is(receive('x' x (4 * 1024 * 1024 + 1)), 413, 'too large a body');
drain();
is(bound($workspace[0], 'SELECT count(*) FROM laras.messages'), 1, 'one message came of all this');
is(sql('SELECT count(*) FROM laras.webhook_event'), 1, 'and one event');
is(sql('SELECT count(*) FROM laras.quarantined_body'), 0, 'nothing unsigned was kept');

my $vectors = shared_file('payloads/signatures/vectors.tsv');
SKIP:
{
	skip 'the shared payload corpus is not here', 1 unless defined $vectors;
	my $dir = $vectors =~ s{[^/]+$}{}r;
	my $bad = 0;
	for my $line (grep { !/^file/ } split /\n/, slurp_file($vectors))
	{
		my ($file, $key, $given, $expect) = split /\t/, $line;
		next if $expect eq 'decide';
		my $bytes = slurp_file("$dir$file");
		my $holds = 'sha256=' . hmac_sha256_hex($bytes, $secret) eq $given;
		# the app's secret is the vectors' secret, so the answer tells
		my $status = receive($bytes, signature => $given);
		$bad++ if $key eq $secret && ($status == 401) == ($expect eq 'valid');
	}
	is($bad, 0, 'the signature vectors agree');
	ok(wait_for(sub { receive('{}', signature => 'sha256=' . '0' x 64); return sql("SELECT coalesce(max(count), 0) FROM laras.ignored_events WHERE reason = 'bad_signature' AND channel = 'whatsapp'") > 1 }, 10), 'and those that do not hold are counted, now and then');
}

# --------------------------------------------------------------------- routing
my $display = $json->decode(text_body('628222', 'to the second', number => '220000000000002', waba => '330000000000003'));
$display->{entry}[0]{changes}[0]{value}{metadata}{display_phone_number} = '15550783881';
is(receive($json->encode($display)), 200, "the first workspace's display number with the second's id");
drain();
is(bound($workspace[1], "SELECT count(*) FROM laras.messages WHERE body = 'to the second'"), 1, 'goes by the id');
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'to the second'"), 0, 'alone');

my $stored = sql('SELECT count(*) FROM laras.webhook_event');
my $batch = $json->encode({ object => 'whatsapp_business_account', entry => [
	map { $json->decode($_)->{entry}[0] }
	  text_body('628333', 'batch one'), text_body('628334', 'batch unknown', number => '999', waba => '998'),
	  text_body('628335', 'batch two', number => '220000000000002', waba => '330000000000003') ] });
is(receive($batch), 200, 'a body for three accounts');
drain();
is(bound($workspace[0], "SELECT string_agg(body, ',' ORDER BY body) FROM laras.messages WHERE body LIKE 'batch%'"), 'batch one', 'each workspace sees its own');
is(bound($workspace[1], "SELECT string_agg(body, ',' ORDER BY body) FROM laras.messages WHERE body LIKE 'batch%'"), 'batch two', 'and no other');
is(sql("SELECT count FROM laras.ignored_events WHERE reason = 'unknown_account'"), 1, 'the unknown one was counted');
is(sql('SELECT count(*) FROM laras.webhook_event') - $stored, 2, 'and not stored');

# a foreign number above a foreign business: the account above must be ours too
is(receive(text_body('628336', 'stolen', number => $number, waba => '330000000000003')), 200, "another workspace's business account");
drain();
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'stolen'"), 0, 'is not believed');

# --------------------------------------------------------------------- repeats
my $repeat = text_body('628444', 'once');
my @clients = map { $node->background_psql('postgres') } 1 .. 5;
$_->query_until(qr/started/, "\\echo started\n" . "SELECT status FROM laras.receive_webhooks('{wa}', ARRAY['" . signature($repeat) . "'], ARRAY[convert_from(decode('" . unpack('H*', $repeat) . "', 'hex'), 'utf8')::bytea]);\n") for @clients;
$_->quit for @clients;
is(receive($repeat), 200, 'the same again') for 1 .. 5;
is(receive($json->encode({ %{ $json->decode($repeat) }, extra => 'another wrapping' })), 200, 'the same message in another body');
drain();
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'once'"), 1, 'is one message');
is(bound($workspace[0], "SELECT count(*) FROM laras.evidence_log l WHERE l.action = 'message.received' AND l.subject_id = (SELECT id FROM laras.messages WHERE body = 'once')"),
	1, 'and one entry of evidence');

# Repeats among new ones, in one call and in the calls of one session after it.
my %new = map { ($_ => text_body('628446', "new $_")) } 'a' .. 'e';
my $call = sub {
	my @bodies = @_;
	return "SELECT string_agg(status::text, ' ' ORDER BY ordinal) FROM laras.receive_webhooks(array_fill('wa'::text, ARRAY[" . @bodies . ']), ARRAY[' . join(', ', map { "'" . signature($_) . "'" } @bodies) .
	  '], ARRAY[' . join(', ', map { "'\\x" . unpack('H*', $_) . "'::bytea" } @bodies) . ']);';
};
is(sql($call->(@new{qw(a)}, $repeat, @new{qw(b a)}) . $call->(@new{qw(c b c)}) . $call->(@new{qw(d)}) . $call->(@new{qw(d e)})), "200 200 200 200\n200 200 200\n200\n200 200", 'repeats among new ones');
drain();
is(bound($workspace[0], "SELECT string_agg(body, ',' ORDER BY body) FROM laras.messages WHERE body LIKE 'new _'"), 'new a,new b,new c,new d,new e', 'take none of them along');

# ------------------------------------------------------------------ durability
my $durable = text_body('628555', 'durable');
is(receive($durable), 200, 'answered');
$node->stop('immediate');
$node->start;
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'after a crash the vault opens');
drain();
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'durable'"), 1, 'what was answered is there');

# --------------------------------------------------------------------- hostile
my @hostile = (
	[ 'not JSON', '{broken' ], [ 'empty', '' ], [ 'a number', '42' ], [ 'an array', '[]' ],
	[ 'a NUL', '{"object":"whatsapp_business_account","entry":[{"id":"a\u0000b"}]}' ],
	[ 'a lone surrogate', '{"object":"whatsapp_business_account","x":"\ud800"}' ],
	[ 'bad UTF-8', "{\"object\":\"\xff\xfe\"}" ],
	[ '1,000,000 nested arrays', '[' x 1_000_000 ],
	[ '4 MB of digits', '{"object":' . '9' x (4 * 1024 * 1024 - 20) . '}' ],
	[ 'another object', '{"object":"page","entry":[]}' ],
	[ 'a huge exponent', '{"object":"whatsapp_business_account","entry":1e999999}' ]);
my $kept = sql('SELECT count(*) FROM laras.quarantined_body');
for my $case (@hostile)
{
	is(receive($case->[1]), 200, "$case->[0]: acknowledged");
}
cmp_ok(sql('SELECT count(*) FROM laras.quarantined_body') - $kept, '>=', 9, 'and set aside, sealed');
cmp_ok(sql('SET ROLE laras_dba; SELECT count(*) FROM laras.quarantined_body WHERE reason IS NOT NULL') - $kept, '>=', 9, 'where the operator sees when and why');
is(sql("SET ROLE laras_dba; SELECT has_table_privilege('laras.quarantined_body', 'DELETE, UPDATE, INSERT')"), 'f', 'and changes nothing');
is(sql("SELECT count(DISTINCT pg_postmaster_start_time()) FROM laras.worker_status"), 1, 'the server stands');

# one malformed element, at each place of a batch of five
for my $bad (0 .. 4)
{
	my $five = $json->decode(text_body('628600', 'sibling'));
	my $value = $five->{entry}[0]{changes}[0]{value};
	my ($one) = @{ $value->{messages} };
	$value->{messages} = [ map { { %$one, id => "wamid.five.$bad.$_", text => { body => "five $bad" } } } 0 .. 4 ];
	$value->{messages}[$bad] = ($bad % 2) ? 'not an object' : { from => '628600', type => 'text' };
	is(receive($json->encode($five)), 200, "a malformed element at $bad");
	drain();
	is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'five $bad'"), 4, 'loses no sibling');
}
my $aside = bound($workspace[0], "SELECT max(id) FROM laras.quarantine WHERE reason = 'message_without_id'");
ok($aside, 'the bad one is in quarantine');
ok(bound($workspace[0], "SELECT laras.replay_quarantined($aside)"), 'it can be replayed');
drain();
is(bound($workspace[0], "SELECT count(*) FROM laras.messages WHERE body = 'five 4'"), 4, 'which repeats nothing');

# -------------------------------------------------------- people without phone
is(receive($json->encode({ object => 'whatsapp_business_account', entry => [ { id => $waba, changes => [ { field => 'messages', value => {
	messaging_product => 'whatsapp', metadata => { phone_number_id => $number }, contacts => [ { profile => { name => 'Sari' }, user_id => 'ID.13491208655302741918' } ],
	messages => [ { from_user_id => 'ID.13491208655302741918', id => 'wamid.bsuid', timestamp => '' . time, type => 'text', text => { body => 'tanpa nomor' } } ] } } ] } ] })), 200, 'somebody without a phone number writes');
drain();
is(bound($workspace[0], "SELECT i.kind FROM laras.contact_identities i JOIN laras.messages m USING (contact_id) WHERE m.body = 'tanpa nomor'"), 'bsuid', 'and is a contact');

# ------------------------------------------------------------------ the corpus
corpus('our own bodies', 'test/payloads/whatsapp', 'test/payloads/whatsapp/expected.tsv');
my $directory = shared_file('payloads/whatsapp');
SKIP:
{
	skip 'the shared payload corpus is not here', 1 unless defined $directory;
	corpus('the shared corpus', $directory, 'test/payloads/whatsapp_corpus.tsv');
}

# --------------------------------------------------------------- what expires
my $unmatched = sql('SELECT count(*) FROM laras.unmatched_status');
cmp_ok(sql('SELECT (SELECT count(*) FROM laras.unmatched_status) * (SELECT count(*) FROM laras.quarantined_body) * (SELECT count(*) FROM laras.quarantined_event)'), '>', 0, 'much was set aside');
sql("SELECT laras.advance_clock('31 days')");
drain();
is(sql("SELECT count FROM laras.ignored_events WHERE channel = 'whatsapp' AND reason = 'unknown_message'"), $unmatched, 'statuses that no message claimed are counted');
is(sql('SELECT (SELECT count(*) FROM laras.unmatched_status) + (SELECT count(*) FROM laras.quarantined_body) + (SELECT count(*) FROM laras.quarantined_event)'), 0, 'and goes when its term is over');
is(sql('SELECT count(*) FROM laras.webhook_event'), 0, 'as do the raw events');

is(bound($workspace[0], 'SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$node->stop('fast');
done_testing();

# --------------------------------------------------------------------- helpers

sub signature { my ($bytes, $key) = @_; return 'sha256=' . hmac_sha256_hex($bytes, $key // $secret); }

sub receive
{
	my ($bytes, %option) = @_;
	my $given = exists $option{signature} ? $option{signature} : signature($bytes);
	my $channel = $option{channel} // 'wa';
	my $literal = defined $given ? "'$given'" : 'NULL';
	# large bodies do not fit a command line: through a file of the server
	my $file = $node->basedir . '/body.hex';
	open my $out, '>', $file or die $!;
	print $out unpack('H*', $bytes);
	close $out;
	chmod 0644, $file;
	return sql("SELECT status FROM laras.receive_webhooks(ARRAY['$channel'], ARRAY[$literal]::text[], ARRAY[decode(pg_read_file('$file'), 'hex')])");
}

sub text_body
{
	my ($from, $text, %option) = @_;
	our $serial //= 0;
	$serial++;
	return $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $option{waba} // $waba, changes => [ {
		field => 'messages', value => { messaging_product => 'whatsapp',
			metadata => { display_phone_number => '15550783881', phone_number_id => $option{number} // $number },
			contacts => [ { profile => { name => "Customer $from" }, wa_id => $from } ],
			messages => [ { from => $from, id => "wamid.T$serial", timestamp => '' . time, type => 'text', text => { body => $text } } ] } } ] } ] });
}

sub pair
{
	my ($workspace, $phone, $business) = @_;
	return bound($workspace, "SELECT laras.pair_connection('whatsapp', '{\"phone_number_id\": \"$phone\", \"waba_id\": \"$business\"}', 'EAAG-test-token', false)");
}

sub drain
{
	is(sql("SELECT laras.drain('30 s')"), 't', 'the workers have caught up') or diag sql('SELECT worker, state, last_error FROM laras.worker_status');
	return;
}

# How many messages and statuses the table says a body holds; the same one twice is one.
sub expected_counts
{
	my ($table) = @_;
	my %rows;
	for my $line (grep { !/^#/ } split /\n/, slurp_file($table))
	{
		my ($file, $record, $kind, $who, undef, $time, $id) = split /\t/, $line;
		$rows{$file} //= { message => {}, status => {} };
		$rows{$file}{message}{ $kind eq 'call' ? "$id $time" : $id } = 1 if $record eq 'message';
		$rows{$file}{status}{"$id $kind $who"} = 1 if $record eq 'status';
	}
	return map { ($_ => join ' ', map { scalar keys %$_ } @{ $rows{$_} }{qw(message status)}) } keys %rows;
}

# Ids that no other body of the corpus has.
sub make_fresh
{
	my ($value, $mark) = @_;
	my @elements = map { ref $value->{$_} eq 'ARRAY' ? @{ $value->{$_} } : () } qw(messages message_echoes statuses calls);
	for my $chunk (ref $value->{history} eq 'ARRAY' ? @{ $value->{history} } : ())
	{
		push @elements, map { ref $_ eq 'HASH' ? @{ $_->{messages} // [] } : () } @{ $chunk->{threads} // [] };
	}
	for my $element (grep { ref $_ eq 'HASH' && defined $_->{id} } @elements)
	{
		$element->{id} .= $mark;
		$element->{edit}{original_message_id} .= $mark if ref $element->{edit} eq 'HASH' && $element->{edit}{original_message_id};
		$element->{revoke}{original_message_id} .= $mark if ref $element->{revoke} eq 'HASH' && $element->{revoke}{original_message_id};
	}
	return;
}

# Every body of a directory: accepted, and yielding the messages and statuses that the table says.
sub corpus
{
	my ($name, $dir, $table) = @_;
	my %want = expected_counts($table);
	my ($wrong, $refused, $files) = (0, 0, 0);
	my (@cut, @withdrawn);
	for my $path (sort glob("$dir/*.json"))
	{
		my ($file) = $path =~ m{([^/]+)$};
		my $document = $json->decode(slurp_file($path));
		$files++;
		for my $entry (@{ $document->{entry} // [] })
		{
			$entry->{id} = $waba;
			for my $change (grep { ref $_ eq 'HASH' && ref $_->{value} eq 'HASH' } @{ $entry->{changes} // [] })
			{
				$change->{value}{metadata}{phone_number_id} = $number if ref $change->{value}{metadata} eq 'HASH';
				make_fresh($change->{value}, "#$name$files");
			}
		}
		my $before = counts();
		$refused++ if receive($json->encode($document)) != 200;
		sql("SELECT laras.drain('30 s')");
		my $got = counts();
		# what says that access was withdrawn cuts the account, whose messages go
		push @withdrawn, $file if $json->encode($document) =~ /"event":"(?:ACCOUNT_DELETED|ACCOUNT_OFFBOARDED|PARTNER_APP_UNINSTALLED|PARTNER_REMOVED)"/;
		if (sql("SELECT count(*) FROM laras.connection WHERE workspace_id = $workspace[0] AND state = 'connected'") == 0)
		{
			push @cut, $file;
			pair($workspace[0], $number, $waba);
			next;
		}
		my $came = join ' ', $got->[0] - $before->[0], $got->[1] - $before->[1];
		next if $came eq ($want{$file} // 'not in the table');
		diag "$file: wanted " . ($want{$file} // 'a line in the table') . ", got $came";
		$wrong++;
	}
	cmp_ok($files, '>', 0, "$name: $files bodies");
	is($files, scalar keys %want, "$name: as many as the table has");
	is($refused, 0, "$name: all accepted");
	is($wrong, 0, "$name: each yields what the table says");
	is(sql("SELECT count(*) FROM laras.worker_status WHERE failures > 0"), 0, "$name: no worker failed");
	is("@cut", "@withdrawn", "$name: withdrawn access cuts the account, and nothing else does");
	return;
}

sub counts
{
	my @n = split /\|/, sql('SELECT (SELECT count(*) FROM laras.message), (SELECT count(*) FROM laras.message_status) + (SELECT count(*) FROM laras.unmatched_status)');
	return \@n;
}
