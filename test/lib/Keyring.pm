# Keyring: builds the vault's files without PostgreSQL, and runs the programs of
# test/c over them, whose "ok" and "not ok" lines become tests of the caller.
package Keyring;

use strict;
use warnings;
use IPC::Run qw(run);
use PostgreSQL::Test::Utils;
use Test::More;

# What the Makefile names KEYRING: the files that know nothing of the server.
sub sources
{
	my ($line) = PostgreSQL::Test::Utils::slurp_file('Makefile') =~ /^KEYRING = (.*)$/m;
	return map { "src/vault/$_.c" } split ' ', $line;
}

my @flags = qw(-std=gnu99 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter
  -Wno-missing-field-initializers -Wno-sign-compare -D_GNU_SOURCE -Isrc -Itest/c);

# Not before the test runs: until then there is no directory to make it in.
my $dir;

sub compile
{
	my ($name, @files) = @_;
	$dir //= PostgreSQL::Test::Utils::tempdir();
	my $log = '';
	ok( run([   $ENV{CC} // 'cc', @flags,
				@files, sources(), '-lcrypto', '-o', "$dir/$name" ],
			'>', \$log, '2>&1'),
		"$name builds without PostgreSQL") or BAIL_OUT($log);
	return "$dir/$name";
}

# laras-keytool, built from the sources under test.
sub build_tool { return compile('laras-keytool', map { "src/vault/$_.c" } qw(keytool keyscan vectors)) }

# test/c/vault_model.c over the server half of the vault, whose objects are those
# of the build with fault points; model_server.c takes the server's place.
sub build_model
{
	my @server_half = qw(journalring destroy slotlease settlejournal settleslab mirrorjoin vaultopen vaultduties vaultorders vaultsweep access vaultrotate vaultscrub
	  vaultworker vaultepochs vaultshared vaultposition vaultwitness);
	my @objects = map { s{^src/(.*)\.c$}{$ENV{LARAS_VAR}/build/faults/src/$1.o}r } sources(), "src/base/durable.c", map { "src/vault/$_.c" } @server_half;
	chomp(my ($include, $lib) = map { scalar qx{$ENV{LARAS_BINDIR}/pg_config $_} } '--includedir-server', '--pkglibdir');
	$dir //= PostgreSQL::Test::Utils::tempdir();
	my $log = '';
	ok( run([   $ENV{CC} // 'cc', @flags, '-DLARAS_FAULTS', "-I$include", (map { "test/c/$_.c" } qw(vault_model model_world model_files model_harm model_server model_tables model_disk)),
				@objects, "-L$lib", qw(-lpgcommon -lpgport -lcrypto -lm), '-o', "$dir/vault_model" ],
			'>', \$log, '2>&1'),
		'the model builds') or BAIL_OUT($log);
	return "$dir/vault_model";
}

# What a command prints; "exit N: ..." with its complaint where it fails.
sub output
{
	my @command = @_;
	my ($out, $err) = ('', '');
	run(\@command, '<', \'', '>', \$out, '2>', \$err);
	return $? == 0 ? $out : 'exit ' . ($? >> 8) . ": $out$err";
}

# Build test/c/<name>.c and take its lines over as tests. It has to reach its end.
sub run_checks
{
	my ($name, @arguments) = @_;
	my $program = compile($name, "test/c/$name.c");
	my $printed = output($program, @arguments);
	my $count = 0;
	for my $line (split /\n/, $printed)
	{
		next unless $line =~ /^(not )?ok - (.*)/;
		ok(!$1, $2);
		$count++;
	}
	like($printed, qr/^done $count\n\z/m, "$name came to its end");
	return;
}

1;
