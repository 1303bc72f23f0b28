# A deletion callback carries the id that Meta gave a person in an app. Thirty days
# later nothing that is tied to that id is left: neither the id, nor the accounts
# that the person connected, in whatever workspace, with their names, numbers and
# tokens. Looked for are the values themselves and every keyed hash of them, in each
# row of each table, in a dump, and in the bytes of the data directory and its WAL,
# with all that still opens opened; before the callback all of them are found so.
# What customers had said to the shops stays theirs: that they are other persons'
# is shown by it.
#
# proves R147

use strict;
use warnings;

use Channels;
use File::Find ();
use Laras;
use PostgreSQL::Test::Utils;
use Sealed;
use Stage;
use Test::More;

my $stage = Stage->new('thirty_days');
my $node = $stage->node;
$stage->sql('CREATE EXTENSION laras_test');
my @shops;

# Whoever connects has an id that is found nowhere else; on WhatsApp two workspaces are one person's.
for my $channel (qw(whatsapp whatsapp instagram messenger threads))
{
	my $shop = Channels->open($stage, $channel);
	my $account = $shop->{account};
	my $name = "Kanari$shop->{n} Sejahtera";
	my $user = "kanari_$shop->{n}.toko";
	$account->{user} = @shops && $channel eq 'whatsapp' ? $shops[0]{account}{user} : "740258136900$shop->{n}" if $channel ne 'threads';
	if ($channel eq 'whatsapp')
	{
		$stage->sandbox->control(POST => 'waba', { id => $account->{above}, name => $name });
		$stage->sandbox->control(POST => 'number', { id => $account->{number}, verified_name => $name });
	}
	else
	{
		$stage->sandbox->control(POST => 'account', { id => $account->{number}, username => $user, name => $name });
	}
	is(($shop->connect)[0], 200, "$channel: connected");
	push @shops, $shop;
	$shop->{secret} = [ grep { defined } @$account{qw(user number above)}, $name, $channel eq 'whatsapp' ? substr($account->{display}, 1) : $channel eq 'messenger' ? () : $user ];
}

# ------------------------------------------------------------- a life of the account
$_->says(Budi => "halo dari $_->{n}") for @shops;
ok($_->wait_bound("SELECT count(*) = 1 FROM laras.messages WHERE direction = 'in'", 30), $_->channel . ': Budi is heard') for @shops;
$_->reply(Budi => 'Halo Budi') for @shops;
ok($_->wait_bound("SELECT count(*) = 1 FROM laras.outbox WHERE state = 'sent' AND workspace_id = $_->{workspace}", 30), $_->channel . ': and answered') for @shops;
my $post = $stage->sandbox->control(POST => 'account/post', { account => $shops[2]{account}{number} })->{id};
$stage->sandbox->control(POST => 'account/comment', { post => $post, from => $shops[2]->person('Sari'), name => 'Sari', text => 'berapa kak?', wait => JSON::PP::true });
ok($shops[2]->wait_bound("SELECT count(*) = 1 FROM laras.comments", 30), 'a post of its own is known');
# an event about the account itself, and one that cannot be read
Laras::post_webhook($stage->url, 'wa', $shops[0]{account}{secret}, JSON::PP->new->encode({ object => 'whatsapp_business_account', entry => [ { id => $shops[0]{account}{above}, time => time, changes => [
		{ field => 'phone_number_quality_update', value => { display_phone_number => substr($shops[0]{account}{display}, 1), event => 'FLAGGED', current_limit => 'TIER_1K' } },
		{ field => 'messages', value => { messaging_product => 'whatsapp', metadata => { display_phone_number => substr($shops[0]{account}{display}, 1), phone_number_id => $shops[0]{account}{number} }, messages => [ { type => 'text' } ] } } ] } ] }));
ok($shops[0]->wait_bound('SELECT (SELECT count(*) FROM laras.notices) > 0 AND (SELECT count(*) FROM laras.quarantine) > 0', 30), 'a notice tells of the account, and an event of it is set aside');
is($stage->sql("SELECT laras.drain('30 s')"), 't', 'drained');

my @places = Sealed::places($node);

# the tokens, which nobody but the courier opens
my $found = Sealed::scan($node, Sealed::write_places($node, @places), $node->data_dir);
my %token = map { $_ => 1 } $found->{lines} =~ /^opens 2 4 .* (\S+)$/mg;
is(scalar keys %token, scalar @shops, 'each account has a token');
my @values = do { my %seen; grep { !$seen{$_}++ } (map { @{ $_->{secret} } } @shops), keys %token };
my %hash = hashes();

# ----------------------------------------------------------- found before the callback
my $rows = Sealed::rows($node);
my %named = map { $_ => 1 } named($rows);
for my $shop (@shops)
{
	my @here = grep { index($found->{text}, $_) >= 0 } @{ $shop->{secret} };
	# of who authorised there is a hash alone
	is(scalar @here, @{ $shop->{secret} } - ($shop->channel eq 'threads' ? 0 : 1), $shop->channel . ': all that names the account is found while it is connected') or diag "found @here of @{ $shop->{secret} }";
	ok($named{"authorizer $shop->{account}{user}"}, $shop->channel . ': and a hash of who connected it');
	ok($named{"route $shop->{account}{number}"}, $shop->channel . ': as of what was connected');
}

# ------------------------------------------------------------------- the callbacks
my %code;
for my $shop (@shops[ 0, 2 .. 4 ])
{
	my ($path, $form) = $shop->callback('deletion');
	my ($status, $answer) = $shop->call(POST => $path, $form, 'Content-Type' => 'application/x-www-form-urlencoded');
	is($status, 200, $shop->channel . ': the callback is answered');
	$code{ $shop->{n} } = $answer->{confirmation_code};
}
is($stage->sql("SELECT count(*) FROM laras.connection WHERE state <> 'disconnected' AND id IN (" . join(',', map { $_->{connection} } @shops) . ')'), 0, 'every connection of the person is cut, in both workspaces');
push @places, Sealed::places($node);
my $until = $stage->sql("SELECT extract(epoch FROM laras.now())::bigint / 3600");
for my $fortnight (1, 2)
{
	$stage->sql("SELECT laras.advance_clock('15 days')");
	$stage->sandbox->advance(15 * 86400);
	is($stage->sql("SELECT laras.drain('60 s')"), 't', 'a fortnight passes');
}

ok(wait_for_sql($node, "SELECT count(*) = 0 FROM laras.key_owner WHERE kind IN ('hour', 'week') AND owner_id <= CASE kind WHEN 'hour' THEN $until ELSE $until / 168 END"), 'the keys of those hours and of that week are ordered destroyed');
ok(wait_for_sql($node, 'SELECT bool_and(applied = journal) FROM laras.keyring_status'), 'and destroyed');

# ------------------------------------------------------------------- nothing is left
$rows = Sealed::rows($node);
my %left;
for my $line (split /\n/, $rows)
{
	my ($table) = $line =~ /^(\w+): /;
	$left{"$table: $_"} = 1 for named($line);
}
is(join("\n", sort keys %left), '', 'no row of any table has a value of it, or a hash of one');
my ($dump, $error);
IPC::Run::run([ 'pg_dump', '-d', $node->connstr('postgres') ], '>', \$dump, '2>', \$error);
cmp_ok(length $dump, '>', 100_000, 'a dump is made') or diag $error;
is(join("\n", named($dump)), '', 'nor has a dump');
my %sought = map { $_ => 1 } @places, Sealed::places($node);
$found = Sealed::scan($node, Sealed::write_places($node, keys %sought), $node->data_dir);
is(join("\n", grep { my $line = $_; grep { index($line, $_) >= 0 } @values } split /\n/, $found->{lines}), '', 'nothing that opens in any file names it');
my @clear;
File::Find::find({ no_chdir => 1, wanted => sub {
	return unless -f;
	my $bytes = slurp_file($_);
	push @clear, map { "$File::Find::name $_" } grep { index($bytes, $_) >= 0 } @values;
} }, map { $node->data_dir . "/$_" } qw(base global pg_wal));
is("@clear", '', 'and none ever had it in clear');
is($stage->sql('SELECT count(*) FROM laras.webhook_event'), 0, 'what had come raw is gone');

# ------------------------------------------------------------ what is another person's
is($_->bound("SELECT string_agg(body, ',' ORDER BY id) FROM laras.messages WHERE direction = 'in' AND body LIKE 'halo%'"), "halo dari $_->{n}", $_->channel . ': what customers said is theirs, and stays') for @shops;
for my $n (sort keys %code)
{
	my (undef, $answer) = $stage->call(GET => "/data-deletion/status/$code{$n}");
	is($answer->{state}, 'removed', 'the code says removed');
}
is($stage->sql('SELECT count(*) FROM laras.worker_status WHERE failures > 0'), 0, 'no worker failed');
is($_->bound('SELECT count(*) FROM laras.verify_evidence()'), 0, 'the evidence verifies') for @shops;
$stage->stop;
done_testing();

# Which values stand in a text as rows or a dump have it, or what the hashes there are of.
sub named
{
	my ($text) = @_;
	my %there = map { $_ => 1 } grep { index($text, $_) >= 0 } @values;
	while ($text =~ /\\x([0-9a-f]{32})(?![0-9a-f])/g)
	{
		$there{ $hash{$1} } = 1 if exists $hash{$1};
	}
	return sort keys %there;
}

# Every keyed hash of every value, of each kind that there is and for each channel and workspace, as hexadecimal digits; what it is of.
sub hashes
{
	my $numbers = slurp_file('src/vault/numbers.def');
	my $named = join ',', $numbers =~ /^LARAS_INDEX_KIND_CHANNEL\((\d+)/mg;
	my $plain = join ',', $numbers =~ /^LARAS_INDEX_KIND\((\d+)/mg;
	my $list = join ', ', map { "'$_'" } @values;
	my %of;
	for my $line (split /\n/, $stage->sql(<<"SQL"))
WITH v AS (SELECT v FROM unnest(ARRAY[$list]) AS v), c AS (SELECT c FROM unnest('{whatsapp,instagram,messenger,threads,meta}'::text[]) AS c), w AS (SELECT slot AS w FROM laras.workspace)
SELECT encode(laras_test.blind_index(w, k, NULL, lower(v)), 'hex') || ' index ' || k || ' ' || v FROM w, unnest('{$plain}'::int[]) AS k, v
UNION SELECT encode(laras_test.blind_index(w, k, c, v), 'hex') || ' index ' || k || ' ' || v FROM w, unnest('{$named}'::int[]) AS k, v, c
UNION SELECT encode(laras_test.hash('route', 0, 32, c, v), 'hex') || ' route ' || v FROM v, c
UNION SELECT encode(laras_test.hash('authorizer', 0, 34, c, v), 'hex') || ' authorizer ' || v FROM v, c
UNION SELECT encode(laras_test.hash('optout', w, k, NULL, v), 'hex') || ' optout ' || v FROM w, unnest('{$plain}'::int[]) AS k, v
SQL
	{
		my ($hex, $what) = split / /, $line, 2;
		$of{$hex} = $what;
	}
	return %of;
}
