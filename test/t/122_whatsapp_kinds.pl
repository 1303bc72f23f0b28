# Every kind of WhatsApp event: the parser against tables written by reading the
# bodies, and what the inbox makes of it: parts, edits, unsends, reactions, new
# numbers, wishes, the past, the business's own app, the account; and messages
# that an older version could not read.
#
# proves R042 R046 R053 R054 R092

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Laras;
use Payloads;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref->utf8;

# ------------------------------------------------------------ the parser alone
my $payloads = Payloads->build;
$payloads->agree('whatsapp', 'our own bodies', 'test/payloads/whatsapp', 'test/payloads/whatsapp/expected.tsv');
$payloads->agree_shared('whatsapp', 'whatsapp');

# ------------------------------------------------------------------- the inbox
my $secret = '0123456789abcdef0123456789abcdef';
my ($number, $waba, $own) = ('106540352242922', '419561257915477', '15550783881');
my $node = Laras->cluster('kinds');
ok(wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'"), 'the vault opens');
sql("SELECT laras.register_provider_app('{whatsapp}', '12345', '$secret', 'verify-me-please')");
my $workspace = sql("SELECT laras.create_workspace('Toko', 'owner\@shop.example', 'correct horse battery')");
Laras->go_live($node, $workspace);
my $connection = bound("SELECT laras.pair_connection('whatsapp', '{\"phone_number_id\": \"$number\", \"waba_id\": \"$waba\"}', 'EAAG-test-token', false)");
my ($budi, $sari) = ('6281200000001', '6281200000002');
my $start = time - 3600;

# Pictures, places, cards, choices.
says($budi, 'p1', 'image', { id => '777', mime_type => 'image/jpeg', sha256 => 'c2hh', caption => 'ini fotonya' });
says($budi, 'p2', 'audio', { id => '778', mime_type => 'audio/ogg; codecs=opus', voice => JSON::PP::true });
says($budi, 'p3', 'location', { latitude => -6.2, longitude => 106.8, name => 'Kota' });
says($budi, 'p4', 'contacts', [ { name => { formatted_name => 'Rina' } }, { name => { formatted_name => 'Tono' } } ]);
says($budi, 'p5', 'interactive', { type => 'list_reply', list_reply => { id => 'a', title => 'Ambil sendiri' } });
says($budi, 'p6', 'hologram', { depth => 3 });
drain();
is(kind('p1') . '|' . body('p1'), 'image|ini fotonya', 'a picture is a picture, its caption the text');
is(kind('p2'), 'voice', 'a voice note is one');
is(bound("SELECT content::jsonb ->> 'id' FROM laras.message_parts WHERE kind = 'image'"), '777', 'what it consists of is a part');
is(bound("SELECT content::jsonb ->> 'name' FROM laras.message_parts WHERE kind = 'location'"), 'Kota', 'so is a place');
is(bound("SELECT string_agg(content::jsonb #>> '{name,formatted_name}', ',' ORDER BY position) FROM laras.message_parts WHERE kind = 'contact'"), 'Rina,Tono', 'and each card');
is(kind('p5') . '|' . body('p5'), 'list|Ambil sendiri', 'a choice says its title');
is(kind('p6'), 'unsupported', 'what is not known is unsupported');
is(bound("SELECT element::jsonb #>> '{hologram,depth}' FROM laras.messages WHERE provider_message_id = 'wamid.p6'"), '3', 'and its element is kept');
says('6281200000003', 'p7', 'image', { id => '779', caption => 'kopi ini berapa?' });
drain();
is(bound("SELECT state || ' ' || (hold_reasons @> '{not_text}') FROM laras.drafts WHERE inbound_message_id = " . row('p7')), 'held true', 'no picture is answered by its caption alone');
is(sql("SELECT count(*) FROM laras.message_part WHERE content::text ~ '(777|Kota|Rina)'"), 0, 'parts are sealed');

# Edits.
says($budi, 'e1', 'text', { body => 'harga kopi gayo' });
drain();
says($budi, 'e2', 'edit', { original_message_id => 'wamid.e1', message => { type => 'text', text => { body => 'harga kopi toraja' } } });
drain();
is(body('e1'), 'harga kopi toraja', 'an edited message reads as it was edited');
is(bound("SELECT edited_at IS NOT NULL FROM laras.messages WHERE provider_message_id = 'wamid.e1'"), 't', 'and says so');
is(bound("SELECT about_message_id = (SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.e1') FROM laras.messages WHERE provider_message_id = 'wamid.e2'"), 't', 'the edit names it');
is(bound("SELECT count(DISTINCT sentiment) FROM laras.messages WHERE provider_message_id IN ('wamid.e1', 'wamid.e2')"), 1, 'it sounds as its edit does');
is(evidence('message.edited', 'e1'), 1, 'with evidence');
says($sari, 'e3', 'edit', { original_message_id => 'wamid.e1', message => { type => 'text', text => { body => 'gratis' } } });
says($budi, 'e4', 'edit', { original_message_id => 'wamid.e1', message => { type => 'text', text => { body => 'yang lama' } } }, timestamp => $start - 100);
drain();
is(body('e1'), 'harga kopi toraja', 'nobody else edits it, and no older edit');
says($budi, 'e6', 'edit', { original_message_id => 'wamid.e5', message => { type => 'image', image => { id => '9002', caption => 'baru' } } });
drain();
says($budi, 'e5', 'image', { id => '9001', caption => 'lama' }, context => { forwarded => JSON::PP::true });
drain();
is(body('e5'), 'baru', 'an edit that came before its message is applied when that comes');
is(bound("SELECT string_agg(kind || coalesce(content::jsonb ->> 'id', ''), ',' ORDER BY kind) FROM laras.message_parts WHERE message_id = (SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.e5')"),
	'context,image9002', 'with its picture, and the rest stays');

# Unsends.
says($budi, 'u1', 'image', { id => '9003', caption => 'rahasia' });
says($budi, 'u2', 'edit', { original_message_id => 'wamid.u1', message => { type => 'image', image => { id => '9004', caption => 'lebih rahasia' } } });
drain();
says($sari, 'u3', 'revoke', { original_message_id => 'wamid.u1' });
drain();
is(body('u1'), 'lebih rahasia', 'nobody else unsends it');
says($budi, 'u4', 'revoke', { original_message_id => 'wamid.u1' });
drain();
is(bound("SELECT (body IS NULL) || ' ' || (unsent_at IS NOT NULL) || ' ' || kind FROM laras.messages WHERE provider_message_id = 'wamid.u1'"), 'true true image', 'an unsent message keeps its row alone');
is(bound("SELECT count(*) FROM laras.message_parts WHERE content LIKE '%900_%' AND message_id <> (SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.e5')"), 0, 'its picture goes');
is(bound("SELECT count(*) FROM laras.messages WHERE body LIKE '%rahasia%'"), 0, 'and what its edits said');
is(bound("SELECT count(sentiment) FROM laras.messages WHERE provider_message_id IN ('wamid.u1', 'wamid.u2')"), 0, 'and how they sounded');
is(evidence('message.deleted', 'u1'), 1, 'with evidence');
is(bound("SELECT count(*) FROM laras.draft_wanted w JOIN laras.messages m ON m.id = w.message_id WHERE m.provider_message_id = 'wamid.u1'"), 0, 'no answer is wanted');
says($budi, 'u6', 'revoke', { original_message_id => 'wamid.u5' });
drain();
says($budi, 'u5', 'text', { body => 'jangan dibaca' });
drain();
is(bound("SELECT body IS NULL FROM laras.messages WHERE provider_message_id = 'wamid.u5'"), 't', 'an unsend may come first');

# Reactions are about something and open nothing.
my $before = bound("SELECT unread || ' ' || last_inbound_at FROM laras.conversations c WHERE contact_id = (SELECT contact_id FROM laras.messages WHERE provider_message_id = 'wamid.p1')");
says($budi, 'r1', 'reaction', { message_id => 'wamid.p1', emoji => "\x{1F44D}" }, timestamp => $start + 900);
says($budi, 'r2', 'reaction', { message_id => 'wamid.p1' }, timestamp => $start + 901);
drain();
is(bound("SELECT string_agg(coalesce(body, '-'), ',' ORDER BY provider_timestamp) FROM laras.messages WHERE kind = 'reaction' AND about_message_id = (SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.p1')"),
	"\xF0\x9F\x91\x8D,-", 'a reaction, and that it was taken back');
is(bound("SELECT unread || ' ' || last_inbound_at FROM laras.conversations c WHERE contact_id = (SELECT contact_id FROM laras.messages WHERE provider_message_id = 'wamid.p1')"), $before, 'opens no window and is not unread');

# What is said in a group.
says($sari, 'g1', 'text', { body => 'halo semua' }, group_id => 'GROUP-1');
drain();
is(bound("SELECT (v.last_inbound_at IS NULL) || ' ' || v.unread FROM laras.conversations v JOIN laras.messages m ON m.conversation_id = v.id WHERE m.provider_message_id = 'wamid.g1'"), 'true 1',
	'counts as unread and opens no window');

# A new number: the same person, and nobody else who gets the old one.
says('6281300000001', 'n1', 'text', { body => 'nomor lama' });
drain();
receive(value(messages => [ message('6281300000001', 'n2', 'system', { type => 'user_changed_number', body => 'x', wa_id => '6281300000002' }),
			message('6281300000002', 'n3', 'text', { body => 'nomor baru' }) ]));
drain();
says('6281300000001', 'n4', 'text', { body => 'orang lain' });
drain();
is(contact('n3'), contact('n1'), 'who changed the number is the same person');
isnt(contact('n4'), contact('n1'), 'who gets the old number is another');
is(bound('SELECT string_agg(value, \',\') FROM laras.contact_identities WHERE contact_id = ' . contact('n1')), '6281300000002', 'only the new number is theirs');
is(bound("SELECT count(*) FROM laras.evidence_log WHERE action = 'contact.changed' AND subject_id = " . contact('n1')), 1, 'with evidence');
receive(value(messages => [ { from_user_id => 'ID.100', id => 'wamid.n5', timestamp => "$start", type => 'text', text => { body => 'tanpa nomor' } } ]));
drain();
receive(changes({ field => 'user_id_update', value => { metadata => { phone_number_id => $number }, user_id_update => [ { user_id => { previous => 'ID.100', current => 'ID.200' }, timestamp => "$start" } ] } }));
drain();
receive(value(messages => [ { from_user_id => 'ID.200', id => 'wamid.n6', timestamp => "$start", type => 'text', text => { body => 'id baru' } } ]));
drain();
is(contact('n6'), contact('n5'), 'so is who has a new id');

# Wishes.
preference($budi, 'stop', $start + 1000);
is(bound('SELECT opt_out_at = to_timestamp(' . ($start + 1000) . ') FROM laras.contacts WHERE id = ' . contact('p1')), 't', 'who wants no marketing is marked');
preference($budi, 'resume', $start + 500);
is(bound('SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = ' . contact('p1')), 'f', 'an older wish changes nothing');
preference($budi, 'resume', $start + 1500);
is(bound('SELECT opt_out_at IS NULL FROM laras.contacts WHERE id = ' . contact('p1')), 't', 'a newer one does');
preference('6281400000009', 'stop', $start);
is(bound("SELECT count(*) FROM laras.contacts c JOIN laras.contact_identities i ON i.contact_id = c.id WHERE i.value = '6281400000009' AND c.opt_out_at IS NOT NULL"), 1, 'the wish of somebody unknown is kept too');
is(bound("SELECT string_agg(action, ',' ORDER BY position) FROM laras.evidence_log WHERE action LIKE 'contact.opted%' AND subject_id = " . contact('p1')), 'contact.opted_out,contact.opted_in', 'with evidence');

# The past is no news.
my $past = { metadata => { phone_number_id => $number, display_phone_number => $own }, history => [ { threads => [ { id => '6281500000001', messages => [
	{ from => '6281500000001', id => 'wamid.h1', timestamp => '1700000000', type => 'text', text => { body => 'dulu' } },
	{ from => $own, to => '6281500000001', id => 'wamid.h2', timestamp => '1700000060', type => 'text', text => { body => 'dulu juga' }, history_context => { status => 'READ' } } ] } ] } ] };
receive(changes({ field => 'history', value => $past }));
receive(changes({ field => 'history', value => { %$past, again => 1 } }));
drain();
is(bound("SELECT string_agg(direction || ' ' || status || ' ' || author_kind || ' ' || historical, ',' ORDER BY provider_timestamp) FROM laras.messages WHERE provider_message_id IN ('wamid.h1', 'wamid.h2')"),
	'in received contact true,out read app true', 'the past is imported, once');
is(bound("SELECT (v.last_inbound_at IS NULL) || ' ' || v.unread || ' ' || (v.last_message_at = to_timestamp(1700000060)) FROM laras.conversations v WHERE contact_id = " . contact('h1')), 'true 0 true', 'it opens no window and is not unread');
is(bound('SELECT count(*) FROM laras.drafts WHERE contact_id = ' . contact('h1')) + sql('SELECT count(*) FROM laras.draft_wanted WHERE contact_id = ' . contact('h1')), 0, 'and nobody drafts an answer');
is(evidence('message.imported', 'h1') . evidence('message.received', 'h1'), '10', 'the log calls it an import');

# What the business writes in its own app.
is(bound('SELECT unread > 0 FROM laras.conversations WHERE contact_id = ' . contact('p1')), 't', 'something waits to be read');
receive(changes({ field => 'smb_message_echoes', value => { metadata => { phone_number_id => $number, display_phone_number => $own },
	message_echoes => [ { from => $own, to => $budi, id => 'wamid.o1', timestamp => '' . ($start + 2000), type => 'text', text => { body => 'Masih ada kak' } } ] } }));
drain();
is(bound("SELECT direction || ' ' || author_kind || ' ' || status || ' ' || body FROM laras.messages WHERE provider_message_id = 'wamid.o1'"), 'out app sent Masih ada kak', 'is in the conversation');
is(bound('SELECT unread FROM laras.conversations WHERE contact_id = ' . contact('p1')), 0, 'which has been read then');
is(bound("SELECT count(*) FROM laras.drafts WHERE state IN ('pending', 'held') AND contact_id = " . contact('p1')), 0, 'and needs no draft');
receive(value(statuses => [ { id => 'wamid.o1', status => 'delivered', timestamp => '' . ($start + 2001), recipient_id => $budi, pricing => { billable => JSON::PP::false, pricing_model => 'PMP', type => 'free_customer_service', category => 'service' } } ]));
drain();
is(bound("SELECT m.status || ' ' || s.billable || ' ' || s.pricing_category || ' ' || s.pricing_type FROM laras.messages m JOIN laras.message_statuses s ON s.message_id = m.id WHERE m.provider_message_id = 'wamid.o1'"),
	'delivered false service free_customer_service', 'its statuses climb, with their price');
receive(changes({ field => 'smb_message_echoes', value => { metadata => { phone_number_id => $number, display_phone_number => $own },
	message_echoes => [ { from => $own, to => $budi, id => 'wamid.o2', timestamp => '' . ($start + 2100), type => 'revoke', revoke => { original_message_id => 'wamid.o1' } } ] } }));
drain();
is(bound("SELECT body IS NULL FROM laras.messages WHERE provider_message_id = 'wamid.o1'"), 't', 'and it can be unsent there');

# The account.
my $template = { field => 'message_template_status_update', value => { event => 'REJECTED', message_template_name => 'promo', reason => 'SCAM' } };
receive($json->encode({ object => 'whatsapp_business_account', entry => [ { id => $waba, time => $start, changes => [ $template ] } ], once => $_ })) for 1 .. 2;
receive(value(errors => [ { code => 130429, title => 'Rate limit hit' } ]));
drain();
is(bound("SELECT string_agg(kind || ' ' || coalesce(code::text, '') || ' ' || (details::jsonb ->> 'event'), ',' ORDER BY kind) FROM laras.notices WHERE kind LIKE '%\\_e%'"),
	'account_error 130429 error,template_event  REJECTED', 'is told once, with details');

# ----------------------------------------------------- what was not read before
$node->safe_psql('postgres', 'CREATE EXTENSION laras_test');
my %old = (
	'a1' => [ 'image', { id => '5001', caption => 'dulu tak terbaca' } ], 'a2' => [ 'system', { type => 'user_changed_number', body => 'x', wa_id => '6281600000009' } ],
	'a3' => [ 'hologram', { depth => 4 } ], 'a4' => [ 'revoke', { original_message_id => 'wamid.a5' } ]);
says('6281600000001', 'a5', 'text', { body => 'akan ditarik' });
says('6281600000001', $_, 'text', { body => 'x' }) for sort keys %old;
drain();
for my $id (sort keys %old)
{
	my $element = unpack 'H*', $json->encode(message('6281600000001', $id, @{ $old{$id} }));
	# as a version that knew only text would have left it
	bound("UPDATE laras.message m SET kind = 'unsupported', body = NULL, parsed_by = " . ($id eq 'a1' ? 'NULL' : '1') . ', element = laras_test.seal('
		  . "(SELECT w.slot FROM laras.workspace w WHERE w.workspace_id = m.workspace_id), m.slot, 10, m.workspace_id, m.id, decode('$element', 'hex')) WHERE m.id = (SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.$id')");
}
drain();
is(kind('a1') . '|' . body('a1'), 'image|dulu tak terbaca', 'what can be read now is');
is(bound("SELECT content::jsonb ->> 'id' FROM laras.message_parts WHERE message_id = (SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.a1')"), '5001', 'with its parts');
is(bound("SELECT element IS NULL FROM laras.messages WHERE provider_message_id = 'wamid.a1'"), 't', 'the element goes');
is(evidence('message.read_again', 'a1'), 1, 'with evidence');
is(bound("SELECT string_agg(value, ',') FROM laras.contact_identities WHERE contact_id = " . contact('a1')), '6281600000009', 'a new number is followed, late as it is');
is(bound("SELECT body IS NULL FROM laras.messages WHERE provider_message_id = 'wamid.a5'"), 't', 'and an unsend');
is(kind('a3') . ' ' . sql("SELECT parsed_by FROM laras.message WHERE workspace_id = $workspace AND kind = 'unsupported' ORDER BY id DESC LIMIT 1"), 'unsupported 2', 'what cannot is left for the next version');

# -------------------------------------------------------------------- the end
is(sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is(bound('SELECT count(*) FROM laras.quarantine'), 0, 'nothing was set aside');
my $person = contact('p1');
bound("SELECT laras.request_erasure('contact', jsonb_build_object('contact_id', '$person'))");
is(bound("SELECT count(content) FROM laras.message_parts p JOIN laras.messages m ON m.id = p.message_id WHERE m.contact_id = $person"), 0, 'who is erased leaves no readable part');
drain();
is(sql("SELECT count(*) FROM laras.message_part WHERE contact_id = $person"), 0, 'nor any row of one');
is(bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$node->stop('fast');
done_testing();

# --------------------------------------------------------------------- helpers

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub bound { return bound_to($node, $workspace, $_[0]); }

sub row { return "(SELECT id FROM laras.messages WHERE provider_message_id = 'wamid.$_[0]')"; }
sub kind { return bound("SELECT kind FROM laras.messages WHERE provider_message_id = 'wamid.$_[0]'"); }
sub body { return bound("SELECT body FROM laras.messages WHERE provider_message_id = 'wamid.$_[0]'"); }
sub contact { return bound("SELECT contact_id FROM laras.messages WHERE provider_message_id = 'wamid.$_[0]'"); }
sub evidence { return bound("SELECT count(*) FROM laras.evidence_log WHERE action = '$_[0]' AND subject_id = " . row($_[1])); }

sub drain { sql("SELECT laras.drain('30 s')") eq 't' or diag sql('SELECT worker, state, last_error FROM laras.worker_status'); return; }

my $tick = 0;

sub message
{
	my ($from, $id, $type, $content, %more) = @_;
	my $time = delete $more{timestamp} // $start + ++$tick;
	return { from => $from, id => "wamid.$id", timestamp => "$time", type => $type, $type => $content, %more };
}

sub changes { return $json->encode({ object => 'whatsapp_business_account', entry => [ { id => $waba, changes => [@_] } ] }); }

sub value
{
	my (%value) = @_;
	return changes({ field => 'messages', value => { messaging_product => 'whatsapp', metadata => { display_phone_number => $own, phone_number_id => $number }, %value } });
}

sub says { return receive(value(messages => [ message(@_) ])); }

sub preference
{
	my ($who, $wish, $time) = @_;
	receive(changes({ field => 'user_preferences', value => { metadata => { phone_number_id => $number },
		user_preferences => [ { wa_id => $who, category => 'marketing_messages', value => $wish, timestamp => $time } ] } }));
	drain();
	return;
}

sub receive
{
	my ($bytes) = @_;
	my $status = sql("SELECT status FROM laras.receive_webhooks('{wa}', ARRAY['sha256=" . hmac_sha256_hex($bytes, $secret)
		  . "'], ARRAY[decode('" . unpack('H*', $bytes) . "', 'hex')])");
	is($status, 200, 'taken') if $status ne '200';
	return;
}
