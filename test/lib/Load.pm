
=pod

=head1 NAME

Load - what the benchmarks of intake share: a cluster, a shop, a relay, load

=head1 SYNOPSIS

  my $bench = Load->new('intake');
  my $run = $bench->load($bench->relay_port, seconds => 5);   # a hash: rate, p99, ...

=cut

package Load;

use strict;
use warnings;

use Laras;
use PostgreSQL::Test::Cluster;

my $secret = '0123456789abcdef0123456789abcdef';
my @numbers = map { "10654035224290$_" } 1 .. 4;
my @accounts = map { "41956125791547$_" } 1 .. 4;

# The same for laras and for its peer: nothing of durability is given up.
our %setting = (
	fsync => 'on', synchronous_commit => 'on', full_page_writes => 'on', wal_level => 'replica', shared_buffers => '1GB', max_wal_size => '8GB',
	checkpoint_timeout => '15min', log_statement => 'none', max_connections => 60);

=head2 Load->new($name)

A cluster with laras, four connected shops in workspaces of their own, the load
program, and a relay before it.

=cut

sub new
{
	my ($class, $name) = @_;
	my $node = Laras->cluster($name, crash => 1, settings => {%setting});
	my $self = bless { node => $node, next => 0 }, $class;
	wait_for_sql($node, "SELECT count(*) > 0 FROM laras.keyring_status WHERE phase = 'open'") or die "the vault did not open\n";
	$node->safe_psql('postgres', "SELECT laras.register_provider_app('{whatsapp}', '12345', '$secret', 'verify-me-please')");
	for my $i (0 .. $#numbers)
	{
		my $workspace = $node->safe_psql('postgres', "SELECT laras.create_workspace('W$i', 'w$i\@shop.example', 'correct horse battery')");
		Laras->go_live($node, $workspace);
		$node->safe_psql('postgres', "BEGIN; SELECT laras.act_as($workspace); SELECT laras.pair_connection('whatsapp', "
			  . "'{\"phone_number_id\": \"$numbers[$i]\", \"waba_id\": \"$accounts[$i]\"}', 'EAAG-bench-token', false); COMMIT");
		push @{ $self->{workspaces} }, $workspace;
	}
	return $self->build;
}

=head2 Load->beside($stage)

The load program alone, for the shop of a Stage.

=cut

sub beside
{
	my ($class, $stage) = @_;
	my $shop = $stage->shop;
	my $self = bless { node => $stage->node, next => 0, option => { secret => $shop->{secret}, numbers => $shop->{number}, accounts => $shop->{waba} } }, $class;
	return $self->build;
}

sub build
{
	my ($self) = @_;
	$self->{program} = $self->{node}->basedir . '/load';
	my $log = '';
	IPC::Run::run([ $ENV{CC} // 'cc', qw(-std=gnu99 -O2 -Wall test/bench/load.c -lcrypto -o), $self->{program} ], '2>', \$log)
	  or die "load.c: $log\n";
	return $self;
}

sub node { return $_[0]{node}; }
sub secret { return $secret; }
sub numbers { return @numbers; }
sub workspaces { return @{ $_[0]{workspaces} }; }

=head2 $bench->start_relay(%options)

Starts laras-relay; returns its port. C<$bench-E<gt>relay> is the program.

=cut

sub start_relay
{
	my ($self, %option) = @_;
	my $port = free_port();
	$self->{relay} = start_program('relay',
		[ $self->{node}->config_data('--bindir') . '/laras-relay', '--listen', "127.0.0.1:$port", '--max-per-address', 1000,
			(map { ("--$_", $option{$_}) } sort keys %option),
			'--conninfo', Laras->conninfo($self->{node}, user => 'laras_relay', dbname => 'postgres') ],
		port => $port);
	return $port;
}

sub relay { return $_[0]{relay}; }

=head2 $bench->load($port, rate => 0, seconds => 5, connections => 128, ...)

Runs the load program; what it measured, as a hash. Messages never repeat.

=cut

sub load
{
	my ($self, $port, %option) = @_;
	$option{connections} //= 256;
	my %all = (port => $port, secret => $secret, numbers => join(',', @numbers), accounts => join(',', @accounts), first => $self->{next}, %{ $self->{option} // {} }, %option);
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ $self->{program}, map { "--$_=$all{$_}" } sort keys %all ], '>', \$out, '2>', \$err);
	my %run = $out =~ /(\w+)=([\d.]+)/g;
	die "load failed: $out$err\n" unless $ok && defined $run{rate};
	print STDERR "# $out";
	$self->{next} += $run{sent};
	return %run;
}

1;
