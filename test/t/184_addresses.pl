# Which addresses a request for somebody else's file may go to: the first and last
# of every range that is not public, and those beside it, in IPv4 and within IPv6.

use strict;
use warnings;

use IPC::Run ();
use Laras;
use PostgreSQL::Test::Utils;
use Test::More;

my $program = "$PostgreSQL::Test::Utils::tmp_check/address";
my $log = '';
ok(IPC::Run::run([ 'cc', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Isrc', 'test/c/address.c', 'src/courier/address.c', '-o', $program ], '>', \$log, '2>&1'), 'the addresses build without the server') or BAIL_OUT($log);

my %inside = (
	'0.0.0.0' => '0.255.255.255', '10.0.0.0' => '10.255.255.255', '100.64.0.0' => '100.127.255.255', '127.0.0.0' => '127.255.255.255',
	'169.254.0.0' => '169.254.255.255', '172.16.0.0' => '172.31.255.255', '192.0.0.0' => '192.0.0.255', '192.0.2.0' => '192.0.2.255',
	'192.88.99.0' => '192.88.99.255', '192.168.0.0' => '192.168.255.255', '198.18.0.0' => '198.19.255.255', '198.51.100.0' => '198.51.100.255',
	'203.0.113.0' => '203.0.113.255', '224.0.0.0' => '255.255.255.255',
);
my %is = map { $_ => 'inside' } %inside;
$is{$_} = 'public' for qw(1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
  172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0
  198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 8.8.8.8);
# the same, wrapped: mapped addresses are of no host's; translated and 6to4 ones are what they hold
for my $address (keys %is)
{
	my @byte = split /[.]/, $address;
	$is{"::ffff:$address"} = 'inside';
	$is{"64:ff9b::$address"} = $is{$address};
	$is{ sprintf '2002:%x:%x::1', $byte[0] * 256 + $byte[1], $byte[2] * 256 + $byte[3] } = $is{$address};
}
$is{$_} = 'inside' for qw(:: ::1 ::7f00:1 64:ff9b:1::808:808 100::1 2001::1 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 fc00::1 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 4000::1 1fff::1);
$is{$_} = 'public' for qw(2001:200::1 2001:db7:ffff::1 2001:db9::1 2606:4700::1111 3fff:ffff::1 2a00::1);
$is{unix} = 'inside';

my ($out) = run_command([ $program, grep { $_ ne 'unix' } sort keys %is ]);
my %said = map { split ' ', $_, 2 } split /\n/, $out;
is_deeply(\%said, \%is, scalar(keys %is) . ' addresses are told apart');
done_testing();
