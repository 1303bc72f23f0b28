# Templates: written by their owner, approved by the provider, and then the one
# thing that may open a conversation outside the window. What is not approved, or
# nobody of the business wrote, or does not fit its places, does not leave.
#
# proves R076 R080 R081

use strict;
use warnings;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('templates');
my $sandbox = $stage->sandbox;
my $workspace = $stage->workspace;
my $connection = $stage->connect;
my $waba = $stage->shop->{waba};
my $json = JSON::PP->new->canonical;

sub refused
{
	my ($query, $state, $what) = @_;
	my (undef, undef, $error) = $stage->node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); $query; COMMIT");
	like($error, qr/ERROR:  $state: (?!duplicate)/, $what);
	return;
}

sub create
{
	my ($name, $category, @component) = @_;
	return $stage->bound("SELECT laras.create_template($connection, '$name', 'id', '$category', '" . $json->encode(\@component) =~ s/'/''/gr . "')");
}

sub why { my ($query) = @_; return ($stage->node->psql('postgres', "BEGIN; SELECT laras.act_as($workspace); $query; COMMIT"))[2]; }
sub column { my ($id, $column) = @_; return $stage->bound("SELECT $column FROM laras.message_templates WHERE id = $id"); }
sub judge { my ($name, %how) = @_; return $sandbox->control(POST => 'template', { waba_id => $waba, name => $name, language => 'id', %how }); }
sub soon { my ($id, $column, $value, $what) = @_; ok($stage->wait_bound("SELECT $column = '$value' FROM laras.message_templates WHERE id = $id"), $what); return; }

sub came_to
{
	my ($message, $status, $reason, $what) = @_;
	ok($stage->wait_bound("SELECT status = '$status' FROM laras.messages WHERE id = $message"), $what) or return;
	is($stage->bound("SELECT reason FROM laras.send_troubles WHERE message_id = $message"), $reason, "for the reason " . ($reason || 'none'));
	return;
}

# --------------------------------------------------------------------- writing
my %bad = (
	'a name in capitals' => [ 'Promo', 'utility', { type => 'BODY', text => 'Halo' } ],
	'another category' => [ 'promo', 'spam', { type => 'BODY', text => 'Halo' } ],
	'a body of a place alone' => [ 'promo', 'utility', { type => 'BODY', text => '{{1}}' } ],
	'a body of places' => [ 'promo', 'utility', { type => 'BODY', text => '{{1}} {{2}}' } ],
	'a body that begins with a place' => [ 'promo', 'utility', { type => 'BODY', text => "\n{{1}}, halo" } ],
	'a body that ends with a place' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo {{nama}} ' } ],
	'a body that shows nothing' => [ 'promo', 'utility', { type => 'BODY', text => " \x{200b}" } ],
	'no body' => [ 'promo', 'utility', { type => 'FOOTER', text => 'Toko' } ],
	'two bodies' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo' }, { type => 'body', text => 'Hai' } ],
	'no type' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo' }, { text => 'Hai' } ],
	'a body that is too long' => [ 'promo', 'utility', { type => 'BODY', text => 'x' x 1025 } ],
	'places out of order' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo {{2}} dan {{1}}' } ],
	'places by name and number' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo {{1}} dan {{nama}} ya' } ],
	'a header with two places' => [ 'promo', 'utility', { type => 'HEADER', format => 'TEXT', text => '{{1}} {{2}}' }, { type => 'BODY', text => 'Halo' } ],
	'a long footer' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo' }, { type => 'FOOTER', text => 'x' x 61 } ],
	'a kind of component that there is not' => [ 'promo', 'utility', { type => 'VIDEO', text => 'x' }, { type => 'BODY', text => 'Halo' } ],
	'a header of a kind that there is not' => [ 'promo', 'utility', { type => 'HEADER', format => 'MOVIE' }, { type => 'BODY', text => 'Halo' } ],
	'a header that is a place' => [ 'promo', 'utility', { type => 'HEADER', format => 'LOCATION' }, { type => 'BODY', text => 'Halo' } ],
	'eleven buttons' => [ 'promo', 'utility', { type => 'BODY', text => 'Halo' }, { type => 'BUTTONS', buttons => [ map { { type => 'QUICK_REPLY', text => "b$_" } } 1 .. 11 ] } ],
);
for my $what (sort keys %bad)
{
	my ($name, $category, @component) = @{ $bad{$what} };
	refused("SELECT laras.create_template($connection, '$name', 'id', '$category', '" . $json->encode(\@component) . "')", '22023', "$what is not taken");
}
for my $kind ([ 'VIDEO', '{"type": "HEADER", "format": "VIDEO"}' ], [ 'CAROUSEL', 'HEADER, BODY, FOOTER or BUTTONS' ])
{
	like(why("SELECT laras.create_template($connection, 'promo', 'id', 'utility', '[{\"type\": \"BODY\", \"text\": \"Halo\"}, {\"type\": \"$kind->[0]\"}]')"), qr/\Q$kind->[1]\E/, "$kind->[0] is no kind of component, and what is meant is said");
}
refused("SELECT laras.create_template($connection, 'promo', '$_', 'utility', '[{\"type\":\"BODY\",\"text\":\"Halo\"}]')", '22023', "no language: $_") for 'xx-yy-zz', 'indonesia', 'ID', 'en-US', 'en_us', 'en_USA', 'e', '';
my $order = create('pesanan_siap', 'utility', { type => 'HEADER', format => 'TEXT', text => 'Pesanan {{1}}' },
	{ type => 'BODY', text => 'Halo {{1}}, pesanan {{2}} siap diambil. Salam, {{1}}!' }, { type => 'FOOTER', text => 'Toko Kopi' },
	{ type => 'BUTTONS', buttons => [ { type => 'URL', text => 'Lihat', url => 'https://toko.example/{{1}}' } ] });
is(column($order, "status || ' ' || split_part(author, ':', 1) || ' ' || sendable"), 'draft service false', 'a draft has its author and is not sent');
refused("SELECT laras.create_template($connection, 'pesanan_siap', 'id', 'utility', '[{\"type\":\"BODY\",\"text\":\"Halo\"}]')", '23505', 'a name stands once in a language');

# ------------------------------------------------------------------- approving
$stage->bound("SELECT laras.submit_template($order)");
soon($order, 'status', 'pending', 'submitted, the provider looks at it');
refused("SELECT laras.submit_template($order)", '55000', 'and has it already');
my ($sent) = grep { $_->{method} eq 'POST' && $_->{path} =~ m{/message_templates$} } $sandbox->ledger;
is("$sent->{body}{category} $sent->{body}{parameter_format}", 'UTILITY POSITIONAL', 'as the provider writes it');
is($stage->customer('628123450001', 'halo')->{status}, 200, 'a customer writes');
ok($stage->wait_bound('SELECT count(*) = 1 FROM laras.conversations'), 'and is known');
my $conversation = $stage->bound('SELECT id FROM laras.conversations');
my $values = q('{"header": ["A-17"], "body": ["Sari", "kopi"], "buttons": ["a17"]}');
my $early = $stage->bound("SELECT laras.send_template($conversation, $order, $values)");
came_to($early, 'failed', 'template_not_approved', 'what is not approved does not leave');
is(judge('pesanan_siap', status => 'APPROVED')->{status}, 'APPROVED', 'the provider approves');
soon($order, 'status', 'approved', 'and tells by a webhook');
is(column($order, 'sendable'), 't', 'now it may be sent');
judge('pesanan_siap', quality => 'YELLOW');
soon($order, 'quality', 'yellow', 'its quality is told');
is($stage->bound(q{SELECT count(*) FROM laras.evidence_log WHERE action IN ('template.created', 'template.submitted', 'template.judged')}), 4, 'all of it is in the evidence');

# ---------------------------------------------------------- values in their places
my %misfit = (
	'too few' => q('{"header": ["A"], "body": ["Sari"], "buttons": ["a"]}'),
	'too many' => q('{"header": ["A"], "body": ["Sari", "kopi", "x"], "buttons": ["a"]}'),
	'none' => q('{}'),
	'by name' => q('{"header": ["A"], "body": {"a": "Sari", "b": "kopi"}, "buttons": ["a"]}'),
	'a line break' => q('{"header": ["A"], "body": ["Sari\nkopi", "x"], "buttons": ["a"]}'),
	'a tab' => q('{"header": ["A"], "body": ["Sari\tkopi", "x"], "buttons": ["a"]}'),
	'five spaces' => q('{"header": ["A"], "body": ["Sari     kopi", "x"], "buttons": ["a"]}'),
	'an empty one' => q('{"header": ["A"], "body": ["", "x"], "buttons": ["a"]}'),
	'one that shows nothing' => q('{"header": ["A"], "body": [" \u200b", "x"], "buttons": ["a"]}'),
	'a number' => q('{"header": ["A"], "body": [17, "x"], "buttons": ["a"]}'),
	'no button' => q('{"header": ["A"], "body": ["Sari", "kopi"]}'),
	'too long' => qq('{"header": ["A"], "body": ["Sari", "${\ ('x' x 1100)}"], "buttons": ["a"]}'),
);
refused("SELECT laras.send_template($conversation, $order, $misfit{$_})", '22023', "values: $_") for sort keys %misfit;
like(why(qq(SELECT laras.send_template($conversation, $order, '{"bodi": ["Sari", "kopi"], "header": ["A"], "buttons": ["a"]}'))), qr/there is no "bodi"; values are for "header", "body" and "buttons"/, 'a member that there is not is named');
like(why(qq(SELECT laras.send_template($conversation, $order, '["Sari", "kopi"]'))), qr/values are an object with "header", "body" and "buttons"/, 'as what values are');
unlike(why(qq(SELECT laras.send_template($conversation, $order, '{"Sari Dewi 17": 1}'))), qr/Sari/, 'what is no word is not repeated');
refused("SELECT laras.send_template($conversation, 1, $values)", 'P0002', 'no such template');
$stage->bound("INSERT INTO laras.forbidden_phrase (workspace_id, id, phrase) VALUES ($workspace, 1, 'gratis')");
refused("SELECT laras.send_template($conversation, $order, '{\"header\": [\"A\"], \"body\": [\"Sari\", \"gratis\"], \"buttons\": [\"a\"]}')", '22023', 'what no text may say, no template says either');

# ------------------------------------------------------------- outside the window
$stage->sql("SELECT laras.advance_clock('25 hours')");
my $late = $stage->bound("SELECT laras.reply($conversation, 'Masih berminat?')");
came_to($late, 'failed', 'window_closed', 'after a day a text does not leave');
my $message = $stage->bound("SELECT laras.send_template($conversation, $order, $values)");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $message"), 'an approved template does');
is($stage->bound("SELECT body FROM laras.messages WHERE id = $message"), "Pesanan A-17\n\nHalo Sari, pesanan kopi siap diambil. Salam, Sari!\n\nToko Kopi", 'the inbox shows what was read');
my ($request) = grep { ref $_->{body} && ($_->{body}{type} // '') eq 'template' } $sandbox->ledger;
is($json->encode($request->{body}{template}), $json->encode({ name => 'pesanan_siap', language => { code => 'id' }, components => [
	{ type => 'header', parameters => [ { type => 'text', text => 'A-17' } ] },
	{ type => 'body', parameters => [ { type => 'text', text => 'Sari' }, { type => 'text', text => 'kopi' } ] },
	{ type => 'button', sub_type => 'url', index => '0', parameters => [ { type => 'text', text => 'a17' } ] } ] }), 'the provider was given name, language and values');
is($stage->bound("SELECT count(*) > 0 FROM laras.evidence_log WHERE subject_id = $message AND action = 'message.sent'"), 't', 'in the evidence like any message');

# a text that is not what template and values give does not leave, whoever wrote it
$stage->sql("SELECT laras.pause_workers('courier')");
my $other = $stage->bound("SELECT laras.send_template($conversation, $order, $values)");
$stage->bound("SELECT laras.create_template($connection, 'lain', 'id', 'utility', '[{\"type\":\"BODY\",\"text\":\"Lain\"}]')");
$stage->sql(q{UPDATE laras.message_template SET components = jsonb_set(components, '{1,text}', '"Halo {{1}}, {{2}} gratis! {{1}}"') WHERE name = 'pesanan_siap'});
$stage->sql("SELECT laras.resume_workers('courier')");
came_to($other, 'failed', 'text_differs', 'a template that was altered since does not leave');

# ---------------------------------------------------------- whose template it is
$sandbox->control(POST => 'template', { waba_id => $waba, name => 'dari_luar', language => 'id', category => 'MARKETING', body => 'Promo untuk {{nama}} hari ini' });
$stage->bound("SELECT laras.sync_templates($connection)");
ok($stage->wait_bound("SELECT count(*) = 1 FROM laras.message_templates WHERE name = 'dari_luar'"), 'what stands at the provider comes in');
my $foreign = $stage->bound("SELECT id FROM laras.message_templates WHERE name = 'dari_luar'");
is(column($foreign, "status || ' ' || (author IS NULL) || ' ' || sendable"), 'approved true false', 'approved, but nobody here wrote it');
ok($stage->wait_bound("SELECT author IS NULL AND components::text !~ 'gratis' FROM laras.message_templates WHERE id = $order"), 'words that were not ours any more are the provider\'s, without an author');
my $not_ours = $stage->bound("SELECT laras.send_template($conversation, $foreign, '{\"body\": {\"nama\": \"Sari\"}}')");
came_to($not_ours, 'failed', 'template_not_owned', 'and does not leave');
$stage->bound("SELECT laras.adopt_template($_)") for $foreign, $order;
$stage->bound("SELECT laras.set_uncertain_policy($connection, 'resend_once')");
my $ours = $stage->bound("SELECT laras.send_template($conversation, $foreign, '{\"body\": {\"nama\": \"Sari\"}}')");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $ours"), 'until the owner takes it on');
($request) = grep { ref $_->{body} && ($_->{body}{template}{name} // '') eq 'dari_luar' } $sandbox->ledger;
is($request->{body}{template}{components}[0]{parameters}[0]{parameter_name}, 'nama', 'places with names are given by name');
is($stage->sql("SELECT purpose || ' ' || uncertain_policy FROM laras.outbox WHERE message_id = $ours"), 'sales hold', 'marketing is for the purpose sales, and never sent a second time');
is($stage->sql("SELECT string_agg(message_id::text || purpose, ' ' ORDER BY purpose) FROM laras.verdict WHERE message_id IN ($ours, $message)"), "${ours}sales ${message}service", 'and was judged for it, as a notice of an order was for service');
$stage->bound(q{SELECT laras.configure_channel('whatsapp', '{service}')});
refused("SELECT laras.send_template($conversation, $foreign, '{\"body\": {\"nama\": \"Sari\"}}')", '55000', 'which the owner must have configured');
$stage->bound(q{SELECT laras.configure_channel('whatsapp', '{service,sales}')});

# ------------------------------------------------------------------- stopped again
$sandbox->fault(action => 'refuse', code => 132015, match => { route => 'messages' });
my $paused = $stage->bound("SELECT laras.send_template($conversation, $foreign, '{\"body\": {\"nama\": \"Sari\"}}')");
ok($stage->wait_bound("SELECT status = 'failed' FROM laras.messages WHERE id = $paused"), 'the provider refuses: the template is paused');
is(column($foreign, 'status'), 'paused', 'which its row says at once');
my $calls = scalar(grep { $_->{path} =~ m{/messages$} } $sandbox->ledger);
my $next = $stage->bound("SELECT laras.send_template($conversation, $foreign, '{\"body\": {\"nama\": \"Sari\"}}')");
came_to($next, 'failed', 'template_not_approved', 'so that the next one is not even tried');
is(scalar(grep { $_->{path} =~ m{/messages$} } $sandbox->ledger), $calls, 'at the provider');
judge('pesanan_siap', category => 'MARKETING');
soon($order, 'category', 'marketing', 'the provider may change the category');
judge('pesanan_siap', status => 'REJECTED', reason => 'ABUSIVE_CONTENT');
soon($order, 'status', 'rejected', 'or its mind');
is(column($order, 'reason'), 'ABUSIVE_CONTENT', 'and says why');
judge('pesanan_siap', status => 'REINSTATED');
soon($order, 'status', 'approved', 'and back');

# ------------------------------------------------------ nobody is written to unasked
$stage->sql('UPDATE laras.conversation SET last_inbound_at = NULL');
my $cold = $stage->bound("SELECT laras.send_template($conversation, $order, $values)");
came_to($cold, 'failed', 'never_wrote', 'who neither wrote nor asked gets no template');
$stage->sql('UPDATE laras.contact SET opt_in_at = laras.now()');
my $warm = $stage->bound("SELECT laras.send_template($conversation, $order, $values)");
ok($stage->wait_bound("SELECT status IN ('sent', 'delivered', 'read') FROM laras.messages WHERE id = $warm"), 'who asked to be written to does');
my $contact = $stage->bound('SELECT id FROM laras.contacts');
$stage->bound("SELECT laras.set_opt_out($contact, true)");
my $stop = $stage->bound("SELECT laras.send_template($conversation, $order, $values)");
came_to($stop, 'cancelled', 'opted_out', 'until they opt out');

# --------------------------------------------------------------- other channels
$stage->sql("UPDATE laras.connection SET channel = 'messenger' WHERE id = $connection");
refused("SELECT laras.sync_templates($connection)", '0A000', 'a channel without templates says so');
$stage->stop;
done_testing();
