# The formats of evidence, against an implementation of their own in this file:
# RFC 6962 roots of 0 to 300 leaves, the leaf of the documented example, the
# commitment, checkpoints that openssl verifies and that no flipped bit survives,
# the key file, the high-water file.
# proves R212 R219
use strict;
use warnings;
use Digest::SHA qw(sha256 sha256_hex hmac_sha256);
use IPC::Run qw(run);
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $program = "$dir/evidence";
my @sources = ('test/c/evidence.c', map("src/evidence/$_.c", qw(merkle leaf note highwater keyfile)),
	map("src/vault/$_.c", qw(crypto derive numbers)));
my $log = '';
ok(run([ $ENV{CC} // 'cc', qw(-std=gnu99 -O1 -g -Wall -Wextra -Werror -Isrc), @sources, '-lcrypto', '-o', $program ],
	'>', \$log, '2>&1'), 'the parts build without PostgreSQL') or BAIL_OUT($log);

sub ask
{
	my ($input, @command) = @_;
	my ($out, $err) = ('', '');
	run([ $program, @command ], '<', \$input, '>', \$out, '2>', \$err);
	return $? == 0 ? $out : "exit $?: $out$err";
}

# RFC 6962 section 2.1, written down recursively, as the text has it.
sub tree_root
{
	my @leaf = @_;
	return sha256('') unless @leaf;
	return sha256("\x00$leaf[0]") if @leaf == 1;
	my $k = 1;
	$k *= 2 while $k * 2 < @leaf;
	return sha256("\x01" . tree_root(@leaf[ 0 .. $k - 1 ]) . tree_root(@leaf[ $k .. $#leaf ]));
}
my @expected = map { my $n = $_; unpack 'H*', tree_root(map("leaf $_", 0 .. $n - 1)) } 0 .. 300;
my @got = split /\n/, ask('', 'roots', 300);
is(scalar @got, 301, 'a root for every size from 0 to 300');
is_deeply(\@got, \@expected, 'and each as RFC 6962 says');
is($got[0], 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'the empty tree');

# The leaf: the document's example is what the code writes.
my ($commitment, $header, $fields, $hash) = split /\n/, ask('', 'example');
is($commitment, 'dbe6b35958c71c54494a7320aba7922c51ccc0e2eacd27b991aef9e604c56913',
	'the published vector of a commitment');
my $expected_header = unpack 'H*', pack('CCn Q> Q> q> CCn q> q> N',
	1, 0, 500, 7, 987654321, 1767225600000000, 6, 9, 3, 4711, 4242, 65536);
is($header, $expected_header, 'the header, packed here by the document');
my $expected_fields = unpack 'H*', pack('nCCN N H64', 3, 1, 0, 36, 70000, $commitment)
  . pack('nCCN A*', 101, 2, 0, 8, 'whatsapp') . pack('nCCN q>', 203, 3, 0, 8, 815);
is($fields, $expected_fields, 'the fields');
is($hash, sha256_hex("\x00" . pack('H*', $header . $fields)), 'the leaf hash');
my $document = PostgreSQL::Test::Utils::slurp_file('docs/reference/evidence-format.md');
for my $part ($header, $fields, $hash)
{
	(my $squeezed = $document) =~ s/\s+//g;
	like($squeezed, qr/\Q$part\E/, 'the document shows these bytes');
}

# A field list has one encoding: order, class, length and characters are checked.
my %malformed = (
	'a number twice' => pack('nCCN q>', 200, 3, 0, 8, 1) x 2,
	'descending' => pack('nCCN q>', 201, 3, 0, 8, 1) . pack('nCCN q>', 200, 3, 0, 8, 1),
	'number zero' => pack('nCCN q>', 0, 3, 0, 8, 1),
	'an unknown class' => pack('nCCN q>', 200, 6, 0, 8, 1),
	'the zero byte set' => pack('nCCN q>', 200, 3, 1, 8, 1),
	'a short number' => pack('nCCN N', 200, 3, 0, 4, 1),
	'a cut field' => pack('nCCN N', 200, 3, 0, 8, 1),
	'a cut header' => pack('nC', 200, 3),
	'an empty code' => pack('nCCN', 100, 2, 0, 0),
	'a code with a space' => pack('nCCN A*', 100, 2, 0, 3, 'a b'),
	'a phone number as a code' => pack('nCCN A*', 100, 2, 0, 12, '628123456789'),
	'an address as a code' => pack('nCCN A*', 100, 2, 0, 5, 'a@b.c'),
	'a long code' => pack('nCCN A*', 100, 2, 0, 65, 'a' x 65),
	'a digest of 20 bytes' => pack('nCCN A20', 400, 5, 0, 20, 'x' x 20),
	'a short commitment' => pack('nCCN A35', 3, 1, 0, 35, 'x' x 35),
	'a huge length' => pack('nCCN', 400, 5, 0, 0xffffffff));
is(ask('', 'fields', unpack 'H*', $malformed{$_}), "-1\n", "refused: $_") for sort keys %malformed;
is(ask('', 'fields', ''), "0\n", 'no field at all is fine');
is(ask('', 'fields', $fields), "3\n", 'so are three');
like(ask('', 'tables'), qr/^\d+\n$/, 'field numbers ascend and names are unique');

# Commitments: another value, name or salt gives another commitment.
my $salt = '11' x 32;
my $mine = sha256_hex('laras/1/commit' . pack('N', 4) . 'body' . pack('H*', $salt) . pack('N', 4) . 'halo');
is(ask('', 'commit', 'body', $salt, unpack 'H*', 'halo'), "$mine\n", 'a commitment, computed here');
isnt(ask('', 'commit', 'note', $salt, unpack 'H*', 'halo'), "$mine\n", 'another name');
isnt(ask('', 'commit', 'body', '12' x 32, unpack 'H*', 'halo'), "$mine\n", 'another salt');

# The key file: made with mode 0400, refused when others may read it, never replaced.
my $key = "$dir/key";
is(ask('', 'key', 'read', $key), "1\n", 'an absent key file is absent');
is(ask('', 'key', 'create', $key), "0\n", 'one is made');
is((stat $key)[2] & 07777, 0400, 'that only its owner may read');
is(ask('', 'key', 'create', $key), "4\n", 'and is not replaced');
my ($public) = ask('', 'key', 'publish', $key) =~ /^0 (\w{64})\n$/;
ok(defined $public, 'its public key lies beside it');
is(ask('', 'key', 'public', $key), "0 $public\n", 'and reads back');
is(ask('', 'key', 'publish', $key), "0 $public\n", 'publishing again changes nothing');
chmod 0440, $key;
is(ask('', 'key', 'read', $key), "2\n", 'a key that the group may read is refused');
chmod 0400, $key;
for my $content ('', 'zz' x 32, '00' x 31, '00' x 33)
{
	unlink "$dir/bad";
	append_to_file("$dir/bad", $content);
	chmod 0400, "$dir/bad";
	is(ask('', 'key', 'read', "$dir/bad"), "3\n", 'malformed: ' . length $content);
}
unlink "$dir/other", "$dir/other.pub";
ask('', 'key', 'create', "$dir/other");
append_to_file("$dir/other.pub", PostgreSQL::Test::Utils::slurp_file("$key.pub"));
is(ask('', 'key', 'publish', "$dir/other"), "3\n", 'a public key of another pair is not overwritten');

# The checkpoint: openssl agrees with the signature; what differs by one bit is refused.
my ($signed_by, $note) = ask('', 'sign', $key) =~ /^(\w{64})\n(.*)$/s;
is($signed_by, $public, 'signed with that key');
my ($text, $tail) = $note =~ /^(.*\n)\n([^\n]+\n)$/s;
my $origin = 'laras.example/laras/log-1';
my ($name, $encoded) = $tail =~ /^\xe2\x80\x94 (\S+) (\S+)\n$/;
is($text, "$origin\n3\n" . encode_base64("\x5a" x 32, '') . "\nlaras-journal 5 00112233445566778899aabbccddeeff\n",
	'the text of the note');
is($name, $origin, 'the key has the name of the log');
my $blob = decode_base64($encoded);
is(unpack('H*', substr $blob, 0, 4),
	substr(sha256_hex("$origin\n\x01" . pack('H*', $public)), 0, 8), 'the key id');
PostgreSQL::Test::Utils::append_to_file("$dir/text", $text);
PostgreSQL::Test::Utils::append_to_file("$dir/signature", substr $blob, 4);
my $said = '';
ok(run([ 'openssl', 'pkeyutl', '-verify', '-pubin', '-inkey', "$key.pub", '-rawin',
			'-in', "$dir/text", '-sigfile', "$dir/signature" ], '>', \$said, '2>&1'),
	'openssl verifies the signature') or diag $said;

my @notes = ($note);
for my $i (0 .. length($note) - 1)
{
	for my $bit (0 .. 7)
	{
		my $flipped = $note;
		substr($flipped, $i, 1) = chr(ord(substr $note, $i, 1) ^ 1 << $bit);
		push @notes, $flipped;
	}
}
push @notes, substr $note, 0, $_ for 0 .. length($note) - 1;
push @notes, "$text\n", $text, "$note\n", "$text\n$tail$tail", $text . "\n" . "\xe2\x80\x94 witness.example/w " . encode_base64('abcdxyz', '') . "\n$tail";
my @answer = split /\n/, ask(join('', map { unpack('H*', $_) . "\n#\n" } @notes), 'verify', $public);
is(scalar @answer, scalar @notes, 'an answer for every note');
is(shift @answer, 3, 'the note as signed is accepted');
is(pop @answer, 3, 'so is one that a witness has signed too');
is(pop @answer, 3, 'and one signed twice');
is_deeply([ grep { $_ ne 'refused' } @answer ], [], 'no flipped bit and no cut survives: ' . @answer . ' notes');
my $stranger = ask('', 'key', 'read', "$dir/other");
$stranger =~ s/^0 (\w+)\n/$1/;
is(ask(unpack('H*', $note) . "\n#\n", 'verify', $stranger), "refused\n", 'nor another key');

is(ask('', 'marks', "$dir/high-water"), "fine\n", 'the high-water file keeps, finds and checks its records');
done_testing();
