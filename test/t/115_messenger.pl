# A Facebook Page by its owner's log-in: one Page of those granted, with a token
# of its own; what was sent is known again by the mark that comes back with it;
# and one app for WhatsApp and Messenger, whose callback cuts what the person
# connected on either.
#
# proves R039 R045 R076 R124 R130

use strict;
use warnings;

use Channels;
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('messenger');
my $shop = Channels->open($stage, 'messenger');
my $sandbox = $stage->sandbox;
my $page = $shop->{account}{number};
my ($status, $answer);

# ------------------------------------------------------------------ one Page
my $second = $sandbox->control(POST => 'account', { app_id => $shop->{account}{app}, kind => 'page', name => 'Another' })->{id};
($status, $answer) = $shop->connect(pages => "$page,$second");
is("$status $answer->{error}{code}", '422 several_accounts', 'of several Pages none is connected');
$sandbox->control(POST => 'account', { id => $page, account_type => 'ANALYST' });
($status, $answer) = $shop->connect;
is("$status $answer->{error}{code}", '422 account_not_eligible', 'nor one that the person may not answer for');
($status, $answer) = $shop->connect(pages => '4711');
is("$status $answer->{error}{code}", '422 account_not_eligible', 'nor none');
is($shop->bound('SELECT count(*) FROM laras.connections'), 0, 'and there is no row');
($status, $answer) = $shop->connect(pages => "$page,$second");
is("$status " . ($answer->{state} // ''), '200 connected', 'where one alone will do, it is connected');
is($shop->tile->{connections}[0]{display_name}, 'Another', 'that one');
$shop->call(POST => "/app/settings/integrations/$shop->{connection}/disconnect", {});
ok(!grep({ $_->{method} eq 'DELETE' && $_->{path} =~ /permissions/ } $sandbox->ledger), "what the person granted for other Pages is not taken back");

$sandbox->control(POST => 'account', { id => $page, account_type => 'BUSINESS' });
my (undef, $launch) = $shop->call(POST => '/api/messenger/connect', {});
like($launch->{authorize_url}, qr{/dialog/oauth\?client_id=$shop->{account}{app}&redirect_uri=.*messenger%2Fcallback&response_type=code&scope=pages_show_list%2Cpages_messaging}, 'the page of consent');
my $response = http_call('GET', $launch->{authorize_url}, max_redirect => 0);
my ($back) = ($response->{headers}{location} // '') =~ m{^\Q@{[ $stage->url ]}\E(/api/messenger/callback\?[^#]+)};
($status, $answer) = $shop->call(GET => $back);
is("$status " . ($answer->{state} // ''), '200 connected', 'leads back, and the Page is connected') or diag explain $answer;
my $connection = $shop->bound("SELECT id FROM laras.connections WHERE state = 'connected'");
is($shop->bound("SELECT token_expires_at IS NULL AND authorizer_known FROM laras.connections WHERE id = $connection"), 't', 'with a token that does not expire, and who granted it');

# ---------------------------------------------------------- marks that come back
$shop->says(Sari => 'halo');
ok($shop->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE body = 'halo'"), 'a message comes');
$shop->fault(action => 'none', delay_ms => 1500);
my $slow = $shop->reply(Sari => 'sama');
ok(reaches($slow, 'sent'), 'an echo settles a send before its answer');
is($stage->sql("SELECT resolved_by FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $slow"), 'echo', 'which is written down');
$shop->fault(action => 'close_unanswered', accept => JSON::PP::true);
my $unanswered = $shop->reply(Sari => 'jawabannya hilang');
ok($shop->wait_bound("SELECT state = 'sent' FROM laras.outbox WHERE message_id = $unanswered", 30), 'and one whose answer was lost');
is($stage->sql("SELECT string_agg(resolved_by, ' ') FROM laras.send_attempt a JOIN laras.outbox o ON o.id = a.outbox_id WHERE o.message_id = $unanswered"), 'echo', 'by its echo');
is(scalar(grep { ref $_->{body} && ($_->{body}{message}{text} // '') eq 'jawabannya hilang' } $shop->sends('Sari')), 1, 'which was sent once');
is($shop->bound("SELECT count(*) || ' ' || count(provider_message_id) FROM laras.messages WHERE body = 'jawabannya hilang'"), '1 1', 'and is one message, with its id');
my ($sent) = grep { $_->{path} =~ m{/messages$} } $shop->sends('Sari');
is($sent->{body}{messaging_type}, 'RESPONSE', 'as an answer');
# the same words twice: the mark tells which it was
$shop->fault(action => 'close_unanswered', statuses => 'never', accept => JSON::PP::true);
my $lost = $shop->reply(Sari => 'sama');
ok(reaches($lost, 'uncertain'), 'one without answer and echo is uncertain');
ok(reaches($shop->reply(Sari => 'sama'), 'sent'), 'the same words again are sent');
$stage->sql("SELECT laras.drain('30 s')");
is($stage->sql("SELECT state FROM laras.outbox WHERE message_id = $lost"), 'uncertain', 'and leave the other as it is');
is($shop->bound("SELECT count(*), count(provider_message_id) FROM laras.messages WHERE direction = 'out'"), '4|3', 'none is there twice');

# ---------------------------------------------------- one app, two channels
my $both = Channels->open($stage, 'whatsapp');
my $url = $sandbox->url;
my ($app, $secret) = @{ $both->{account} }{qw(app secret)};
$stage->sql("SELECT laras.register_provider_app('{whatsapp,messenger}', '$app', '$secret', 'verify-me-please', '{\"graph_url\": \"$url\", \"config_id\": \"77\"}')");
$sandbox->control(POST => 'app', { id => $app });
my $same = Channels->open($stage, 'messenger');
my $theirs = $sandbox->control(POST => 'account', { app_id => $app, kind => 'page', name => 'Same app' })->{id};
is(($both->connect)[0], 200, 'a number is connected');
# the app registered last serves a channel: the other no longer does
$stage->sql("UPDATE laras.provider_app SET channels = '{}' WHERE app_id = '$shop->{account}{app}'");
$same->{account} = { %{ $both->{account} }, number => $theirs };
($status, $answer) = $same->connect;
is("$status " . ($answer->{state} // ''), '200 connected', 'and a Page by the same person through the same app') or diag explain $answer;
my ($path, $form) = $both->callback('deauthorize');
($status) = $both->call(POST => $path, $form, 'Content-Type' => 'application/x-www-form-urlencoded');
is($status, 200, 'the person removes the app');
is($both->bound("SELECT state FROM laras.connections"), 'disconnected', 'the number is cut');
is($same->bound("SELECT state FROM laras.connections"), 'disconnected', 'and the Page');

is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($shop->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies');
$stage->stop;
done_testing();

sub reaches
{
	my ($message, $state) = @_;
	$shop->wait_bound("SELECT state IN ('$state', 'sent', 'refused', 'uncertain') FROM laras.outbox WHERE message_id = $message", 30);
	return $shop->bound("SELECT state FROM laras.outbox WHERE message_id = $message") eq $state;
}
