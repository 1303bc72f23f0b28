# The voice of a business in a draft: what it ends with needs no row of its own, but
# is cited, so that other words there take the draft's ground away, and what only a
# model reads does not; a language model is told how to speak among its orders;
# people's words are let through with it, and held with an emoji where there are none.
# proves R057 R059 R061
use strict;
use warnings;
use utf8;

use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('voice');
my $connection = $stage->connect;
my $workspace = $stage->workspace;
my $node = $stage->node;
$stage->bound(qq{INSERT INTO laras.catalog_item (workspace_id, id, name, description, price, stock) VALUES ($workspace, 1, 'Kopi Toraja 250 gr', 'Biji sangrai gelap.', 105000, 9)});
$stage->bound(qq{INSERT INTO laras.brand_voice (workspace_id, id, language, address, greeting, sign_off, emoji, manner) VALUES
	($workspace, 7, 'id', 'Bapak/Ibu', 'Salam dari Toraja!', 'Toko kami sejak 1998, gratis ongkir tiap Jumat', false, 'Hangat, tanpa basa-basi.')});

my $serial = 0;
sub asks
{
	my ($text) = @_;
	my $phone = sprintf '6281291%06d', ++$serial;
	$stage->customer($phone, $text);
	my $id;
	wait_for(sub { $id = $stage->bound("SELECT d.id FROM laras.drafts d JOIN laras.contact_identities i ON i.contact_id = d.contact_id WHERE i.value = '$phone'"); return $id ne '' }, 30)
	  or diag($stage->sql('SELECT worker, state, last_error FROM laras.worker_status'));
	return $id;
}
sub attempt { my ($sql) = @_; my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; SELECT laras.act_as($workspace); $sql; COMMIT"); return ($err // '') =~ /ERROR: +(\S+):.*?(?:reasons? ("[^\n]*))?$/s ? $1 . ($2 // '') : 'done'; }
sub cites { my ($id) = @_; return $stage->bound("SELECT string_agg(source_table || source_id || CASE WHEN changed THEN ' changed' ELSE '' END, ',' ORDER BY ordinal) FROM laras.draft_sources WHERE draft_id = $id"); }

my $id = asks('Halo, kopi toraja 250 gr harganya berapa?');
is($stage->bound("SELECT body FROM laras.drafts WHERE id = $id"), "Salam dari Toraja! Harga Kopi Toraja 250 gr Rp 105.000.\nToko kami sejak 1998, gratis ongkir tiap Jumat", 'it greets back, and signs');
is($stage->bound("SELECT verdict || verdict_reasons::text FROM laras.drafts WHERE id = $id"), 'pass{}', 'a number, a promise and a day of the sign-off hold nothing');
is(cites($id), 'catalog_item1,brand_voice7', 'and it is cited behind the row that answers');
$stage->bound("UPDATE laras.brand_voice SET manner = 'Santai.', emoji = true, address = 'Kak'; UPDATE laras.brand_voice SET emoji = false");
is(cites($id), 'catalog_item1,brand_voice7', 'what a draft does not quote changes nothing');
$stage->bound("UPDATE laras.brand_voice SET sign_off = 'Toko kami sejak 1999'");
is(cites($id), 'catalog_item1,brand_voice7 changed', 'other words there do');
is(attempt("SELECT laras.approve_draft($id)"), 'LRA01', 'nobody approves the old ones');

# ---- people's own words
my $conversation = $stage->bound("SELECT conversation_id FROM laras.drafts WHERE id = $id");
$stage->bound("INSERT INTO laras.review_rule (workspace_id, id, texts) VALUES ($workspace, 1, 'people')");
is(attempt("SELECT laras.reply($conversation, E'Salam dari Toraja! Harga Kopi Toraja 250 gr Rp 105.000.\\nToko kami sejak 1999')"), 'done', 'a person may sign as the business does');
is(attempt("SELECT laras.reply($conversation, 'Harga Kopi Toraja 250 gr Rp 105.000, sejak 1999.')"), '22023', 'what it says elsewhere is held to the rows');
like(attempt("SELECT laras.reply($conversation, 'Harga Kopi Toraja 250 gr Rp 105.000 😊')"), qr/^22023/, 'and no emoji where there are none');
$stage->bound("UPDATE laras.brand_voice SET emoji = true");
is(attempt("SELECT laras.reply($conversation, 'Harga Kopi Toraja 250 gr Rp 105.000 😊')"), 'done', 'which a business that has some does not mind');

# ---- a model
$stage->bound("UPDATE laras.brand_voice SET sign_off = 'Kak.', emoji = false");
$stage->sql("SELECT laras.configure_llm($workspace, '" . $stage->sandbox->url . "/v1/chat/completions', 'good', 'sk-0123456789')");
$id = asks('kopi toraja 250 gr harganya berapa?');
my $prompt = JSON::PP->new->decode($stage->bound("SELECT c.prompt FROM laras.llm_calls c JOIN laras.drafts d ON d.inbound_message_id = c.inbound_message_id WHERE d.id = $id"));
like($prompt->{messages}[0]{content}, qr/"greeting": ?"Salam dari Toraja!"/, 'a model is told how the business speaks, among its orders');
like($prompt->{messages}[0]{content}, qr/"manner": ?"Santai\."/, 'and how it sounds');
like($stage->bound("SELECT drafter || ': ' || body FROM laras.drafts WHERE id = $id"), qr/^llm good: .*Kak\.$/, 'what it writes');
is(cites($id), 'catalog_item1,brand_voice7', 'cites the voice where it speaks by it');
$stage->bound("UPDATE laras.brand_voice SET sign_off = 'Salam.'");
is(cites($id), 'catalog_item1,brand_voice7 changed', 'and goes with it');
$stage->stop;
done_testing();
