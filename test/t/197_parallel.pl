# A large workspace is read by parallel workers, whatever the planner thinks of it: each
# view says the same as one process says, to the application and to an operator. The
# functions within the views look up who reads and which keys there are, which must
# neither write nor see what is not committed yet while others read along.
#
# proves R003
use strict;
use warnings;

use IPC::Run ();
use JSON::PP ();
use Laras;
use Stage;
use Test::More;

my $stage = Stage->new('parallel', settings => { max_parallel_workers => 8, max_worker_processes => 24 });
my $node = $stage->node;
my $connection = $stage->connect;
my $workspace = $stage->workspace;

# ------------------------------------------------------- something to be read
$stage->bound("INSERT INTO laras.catalog_item (workspace_id, id, name, price, stock) VALUES ($workspace, 1, 'Kopi Toraja 250 gr', 105000, 9)");
my $people = 12;
$stage->customer("62812555000$_", $_ % 2 ? 'berapa harga kopi toraja?' : 'kirim ke bulan bisa?', wait => JSON::PP::false) for map { sprintf '%02d', $_ } 1 .. $people;
ok($stage->wait_bound("SELECT count(*) = $people FROM laras.drafts", 60), 'people write, and drafts are made');
$stage->bound("SELECT laras.approve_draft(id) FROM laras.drafts WHERE state = 'held' AND intent = 'price'");
$stage->bound('SELECT count(laras.reply(id, $$terima kasih$$)) FROM laras.conversations');
ok(wait_for_sql($node, "SELECT count(*) = 0 FROM laras.outbox WHERE state IN ('queued', 'sending')", 60), 'which are answered');
$stage->sql("SELECT laras.pause_workers()");
$stage->sql('VACUUM ANALYZE');

# --------------------------------------------------------------------- read it
my $serial = 'SET LOCAL max_parallel_workers_per_gather = 0;';
my $costs = 'SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; '
  . 'SET LOCAL min_parallel_index_scan_size = 0; SET LOCAL max_parallel_workers_per_gather = 4;';
my %way = (
	'with all who help' => $costs,
	'by helpers alone' => "$costs SET LOCAL parallel_leader_participation = off;",
	'as a whole by one of them' => 'SET LOCAL ' . parallel_setting($node) . ' = on;',
);

my %gathered;
for my $role (qw(laras_app laras_dba))
{
	my @views = split /\n/, $stage->sql("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind = 'v'
		AND has_table_privilege('$role', c.oid, 'SELECT') ORDER BY 1");
	cmp_ok(scalar @views, '>', 10, scalar @views . " views for $role");
	for my $view (@views)
	{
		my $query = "SELECT count(*) || ' ' || coalesce(md5(string_agg(v::text, '/' ORDER BY v::text)), '') FROM laras.$view v";
		my @how = sort keys %way;
		my ($before, $after, @got) = said($role, [ $serial, $query ], [ $serial, $query ], map { ([ $way{$_}, $query ], [ $way{$_}, "EXPLAIN $query" ]) } @how);
		my %differs;
		for my $how (@how)
		{
			my ($got, $plan) = splice @got, 0, 2;
			# what changes by itself may differ, but not fail
			$differs{$how} = $got if $got ne $before && ($got =~ /ERROR/ || $after eq $before);
			$gathered{$view}++ if $plan =~ /Gather/;
		}
		unlike($before, qr/ERROR/, "$role reads $view");
		is_deeply(\%differs, {}, 'and in parallel');
	}
}
# which plan is taken is the planner's word; some that open sealed values are among them
my @sealed = grep { /^(?:contact_identities|contacts|conversations|drafts|inbox|messages)$/ } keys %gathered;
cmp_ok(scalar @sealed, '>=', 2, "@sealed were read in parallel indeed");
cmp_ok(scalar keys %gathered, '>=', 10, 'among others');
note join ' ', sort keys %gathered;
is((said('laras_app', [ $costs, 'SELECT count(body) FROM laras.messages' ]))[0], $stage->sql('SELECT count(body) FROM laras.message'), 'every text is there');

$stage->stop;
done_testing();

# What each of these queries says to the role, each after its settings and in a transaction of its own.
sub said
{
	my ($role, @query) = @_;
	my $script = join '', map { "\\echo >>\nBEGIN; SELECT laras.act_as($workspace) \\gset\nSET LOCAL ROLE $role; $_->[0]\n$_->[1];\nROLLBACK;\n" } @query;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>', \$out, '2>&1');
	my (undef, @said) = split /^>>\n/m, $out;
	chomp @said;
	return @said;
}
