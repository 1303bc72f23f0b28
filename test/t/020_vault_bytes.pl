# The byte formats of the vault. The published vectors, printed by the program
# and by an implementation written from the specification alone; every flipped
# bit and every move of a value or slot refused; slots blanked, torn and swapped;
# every pair of slot states merged; a million nonces, none twice.
# proves R019
use strict;
use warnings;
use IPC::Run qw(run);
use PostgreSQL::Test::Utils;
use Test::More;
use lib 'test/lib';
use Keyring;

my $tool = Keyring::build_tool();
my $printed = Keyring::output($tool, 'vectors');
my $independent = Keyring::output($^X, 'test/vectors/vault.pl');
is($printed, $independent, 'two implementations print the same vectors');
my %vector = map { split ' ', $_, 2 } split /\n/, $printed;

# The bytes that were published with the specification, and nothing of ours.
my $nonce = '11' x 12;
my %published = (
	'wrap.content' => '9db28e02e1f3ff8dd0a1e60c7d649d8ebc2e0ddab407625d8954a47e32280296',
	'seal' => '4c243460d87847bc7aaca69737a25ae859839a02e4119dc0a1ddd2fc02d8326f',
	'salt' => '65906b61b6a5d354f74a0861eafb68c2fdfd92e56acad6b65e2bd930c4f521e7',
	'slot.live' => "a1010001${nonce}acd4d90f4a4d72f05efe3bf90c24bf9d89c2ab5ad49eaaac9cb76a7528f9ec6c"
	  . '4ce42203b76f5bed31bb775aff870750',
	'slot.destroyed' => 'dd010000000111700006474846204000' . 'c0' x 16 . '00' x 16 . '81f95bb4cc64faa50fe6eae02daad1b4',
	'sealed.halo' => "01010011000000000001000000011170${nonce}"
	  . '1da566d0a8ec1d9650dd4432be9d0bada66d0825772686e3edd81568b836ba06ba12e9f843329dba082b4fc48915b95f',
	'blind.phone' => 'a5fe25ae3a634d290fb857e747d0b399',
	'commitment' => 'dbe6b35958c71c54494a7320aba7922c51ccc0e2eacd27b991aef9e604c56913',
	'padding.0' => 32, 'padding.28' => 32, 'padding.91' => 96, 'padding.280' => 288,
	'padding.847' => 864, 'padding.7651' => 7680, 'padding.68887' => 69632);
is($vector{$_}, $published{$_}, "published vector $_") for sort keys %published;

Keyring::run_checks('vault_bytes');
done_testing();
