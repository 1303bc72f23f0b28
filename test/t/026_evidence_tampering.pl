# A superuser edits, deletes, exchanges, forges and rolls back evidence by hand:
# verify_evidence() names the position each time, and nothing when all is well.
# Every single bit of a short log is turned once.
# proves R212 R214
use strict;
use warnings;
use EvidenceTest;
use Laras;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = Laras->cluster('main');
evidence_functions($node);
my $entries = 13;

is(problems($node, 7), '', 'an empty log is sound');
within($node, 7, "SELECT test_append(7, 500 + i % 3, i, 0, '') FROM generate_series(1, $entries) i");
within($node, 8, "SELECT test_append(8, 500, i, 0, '') FROM generate_series(1, 5) i");
ok(wait_signed($node, 7, $entries), 'every entry gets a position and is signed');
ok(wait_signed($node, 8, 5), 'in each workspace');
is(problems($node, 7), '', 'the log as written is sound');
is(within($node, 7, 'SELECT string_agg(position::text, \',\' ORDER BY position) FROM laras.evidence_log'),
	join(',', 0 .. $entries - 1), 'positions have no gap');
is(within($node, 7, 'SELECT string_agg(subject_id::text, \',\' ORDER BY position) FROM laras.evidence_log'),
	join(',', 1 .. $entries), 'and are those of appending');

# What a superuser does by hand; each is undone by ROLLBACK.
sub after
{
	my ($sql) = @_;
	my $out = $node->safe_psql('postgres', "BEGIN; SELECT test_bind(7); $sql; SELECT * FROM laras.verify_evidence(); ROLLBACK");
	$out =~ s/\A\n//;
	return $out;
}
my $entry_at = '(SELECT entry_id FROM laras.evidence_leaf WHERE workspace_id = 7 AND leaf_index = %d)';
my $update = sub { my ($set, $at) = @_; return "UPDATE laras.evidence_entry SET $set WHERE workspace_id = 7 AND entry_id = " . sprintf($entry_at, $at) };
my $leaf = sub { my ($set, $at) = @_; return "UPDATE laras.evidence_leaf SET $set WHERE workspace_id = 7 AND leaf_index = $at" };

is(after($update->('action = 505', 4)), '4|the entry was edited', 'another act');
is(after($update->('actor_id = 99', 12)), '12|the entry was edited', 'another actor, in the last entry');
is(after($update->("at = at - interval '1 microsecond'", 0)), '0|the entry was edited', 'another time');
is(after($update->("subject_kind = subject_kind + 256", 3)), '3|the entry was edited', 'bits above those of the leaf');
is(after($update->("fields = fields || '\\x00'", 3)), '3|the entry was edited', 'a byte more');
is(after('DELETE FROM laras.evidence_entry WHERE workspace_id = 7 AND entry_id = ' . sprintf($entry_at, 6)),
	'6|the entry is missing', 'a deleted entry');
is(after('DELETE FROM laras.evidence_leaf WHERE workspace_id = 7 AND leaf_index = 6'),
	"6|the leaf is missing\n|entry " . within($node, 7, 'SELECT entry_id FROM laras.evidence_log WHERE position = 6') . ' was kept out of the tree',
	'a deleted leaf');
like(after('DELETE FROM laras.evidence_leaf WHERE workspace_id = 7 AND leaf_index BETWEEN 3 AND 9'),
	qr/^3\|the leaves at positions 3 to 9 are missing$/m, 'deleted leaves');
like(after('DELETE FROM laras.evidence_leaf WHERE workspace_id = 7 AND leaf_index >= 11'),
	qr/^11\|the leaves at positions 11 to 12 are missing$/m, 'an end cut off');
like(after('DELETE FROM laras.evidence_leaf WHERE workspace_id = 7 AND leaf_index >= 11;
		UPDATE laras.evidence_tree SET size = 11, signed_size = 11 WHERE workspace_id = 7;
		DELETE FROM laras.evidence_entry WHERE workspace_id = 7 AND subject_id > 11'),
	qr/^11\|a checkpoint was signed for 13 leaves, of which 11 are here$/m, 'and the tree made to match');
like(after('DELETE FROM laras.evidence_leaf WHERE workspace_id = 7 AND leaf_index >= 11;
		UPDATE laras.evidence_tree SET size = 11, signed_size = 0 WHERE workspace_id = 7;
		DELETE FROM laras.evidence_entry WHERE workspace_id = 7 AND subject_id > 11;
		DELETE FROM laras.evidence_checkpoint WHERE workspace_id = 7'),
	qr/^11\|the log was signed up to 13 leaves, of which 11 are here$/m, 'and the checkpoints removed');
like(after('DELETE FROM laras.evidence_leaf WHERE workspace_id = 7; DELETE FROM laras.evidence_tree WHERE workspace_id = 7;
		DELETE FROM laras.evidence_entry WHERE workspace_id = 7; DELETE FROM laras.evidence_checkpoint WHERE workspace_id = 7'),
	qr/^0\|the log was signed up to 13 leaves, of which 0 are here$/m, 'the whole log removed');
like(after("UPDATE laras.evidence_leaf SET leaf_index = 100 WHERE workspace_id = 7 AND leaf_index = 4;
		UPDATE laras.evidence_leaf SET leaf_index = 4 WHERE workspace_id = 7 AND leaf_index = 9;
		UPDATE laras.evidence_leaf SET leaf_index = 9 WHERE workspace_id = 7 AND leaf_index = 100"),
	qr/^4\|/, 'two leaves exchanged');
is(after("UPDATE laras.evidence_leaf l SET (entry_id, leaf_hash) = (SELECT o.entry_id, o.leaf_hash
			FROM laras.evidence_leaf o WHERE o.workspace_id = 7 AND o.leaf_index = CASE l.leaf_index WHEN 2 THEN 6 ELSE 2 END)
		WHERE l.workspace_id = 7 AND false"), '', 'no edit, no problem');
$node->safe_psql('postgres', 'ALTER TABLE laras.evidence_leaf DROP CONSTRAINT evidence_leaf_workspace_id_entry_id_key');
my $exchange = "UPDATE laras.evidence_leaf l SET (entry_id, leaf_hash) = (SELECT o.entry_id, o.leaf_hash
			FROM laras.evidence_leaf o WHERE o.workspace_id = 7 AND o.leaf_index = CASE l.leaf_index WHEN 2 THEN 6 ELSE 2 END)
		WHERE l.workspace_id = 7 AND l.leaf_index IN (2, 6)";
is(after($exchange), "2|positions 2 to 3 do not give the node kept for them\n6|positions 6 to 7 do not give the node kept for them",
	'entries exchanged between two positions');
like(after($leaf->("leaf_hash = '\\x00'", 5)), qr/^5\|the leaf hash is malformed$/m, 'a short leaf hash');
is(after($leaf->("nodes = ''", 5)), "5|the leaf's nodes are not those of its position", 'missing nodes');
like(after('UPDATE laras.evidence_tree SET size = 9 WHERE workspace_id = 7'),
	qr/^9\|there are leaves beyond the end of the log$/m, 'a tree said to be shorter');
like(after('UPDATE laras.evidence_tree SET size = 4611686018427387904 WHERE workspace_id = 7'),
	qr/^13\|the leaves at positions 13 to 4611686018427387903 are missing$/m, 'or immensely long');
like(after("UPDATE laras.evidence_tree SET origin = 'other' WHERE workspace_id = 7"),
	qr/^12\|the checkpoint of 13 leaves is of another log$/m, 'another name');
like(after('DELETE FROM laras.evidence_checkpoint WHERE workspace_id = 7'),
	qr/^12\|the checkpoint of 13 leaves is missing$/m, 'a checkpoint removed');
like(after("UPDATE laras.evidence_checkpoint SET tree_size = 12 WHERE workspace_id = 7"),
	qr/^11\|the checkpoint of 12 leaves is kept under another size or root than it was signed for$/m, 'a checkpoint under another size');
like(after('UPDATE laras.evidence_checkpoint c SET (note, tree_size, root) = (SELECT o.note, o.tree_size, o.root FROM laras.evidence_checkpoint o WHERE o.workspace_id = 8) WHERE c.workspace_id = 7'),
	qr/^4\|the checkpoint of 5 leaves is of another log$/m, "another log's checkpoint");

# Everything rewritten consistently, nodes too: the signature does not follow. The
# new tree is computed by an implementation of its own.
use Digest::SHA qw(sha256);
my @hash = map { pack 'H*', $_ } split /\n/, within($node, 7, "SELECT encode(leaf_hash, 'hex') FROM laras.evidence_leaf WHERE workspace_id = 7 ORDER BY leaf_index");
my ($changed) = split /\n/, $node->safe_psql('postgres', "SELECT encode(sha256('\\x00' ||
	int2send(256::int2) || int2send(999::int2) || int8send(7) || int8send(entry_id) ||
	int8send((extract(epoch FROM at) * 1000000)::bigint) ||
	set_byte('\\x00', 0, actor_kind) || set_byte('\\x00', 0, subject_kind) || int2send(2::int2) ||
	int8send(actor_id) || int8send(subject_id) || int4send(0) || fields), 'hex')
	FROM laras.evidence_entry WHERE workspace_id = 7 AND entry_id = " . sprintf($entry_at, 5));
$hash[5] = pack 'H*', $changed;
my %node_hash = map { ("0,$_" => $hash[$_]) } 0 .. $#hash;
for my $level (1 .. 3)
{
	for (my $j = 0; ($j + 1) << $level <= @hash; $j++)
	{
		$node_hash{"$level,$j"} = sha256("\x01" . $node_hash{ $level - 1 . ',' . 2 * $j } . $node_hash{ $level - 1 . ',' . (2 * $j + 1) });
	}
}
my $rewrite = sprintf "UPDATE laras.evidence_entry SET action = 999, leaf_hash = '\\x%s' WHERE workspace_id = 7 AND entry_id = $entry_at;\n", $changed, 5;
$rewrite .= "UPDATE laras.evidence_leaf SET leaf_hash = '\\x$changed' WHERE workspace_id = 7 AND leaf_index = 5;\n";
for my $at (5, 7)
{
	$rewrite .= sprintf "UPDATE laras.evidence_leaf SET nodes = '\\x%s' WHERE workspace_id = 7 AND leaf_index = $at;\n",
	  unpack 'H*', join '', map { $node_hash{"$_," . ($at >> $_)} } 1 .. ($at == 5 ? 1 : 3);
}
is(after($rewrite),
	"0|positions 0 to 12 are not what was signed at 13 leaves\n0|positions 0 to 12 are not what the high-water file says was signed",
	'a consistent rewrite meets the signature and the high-water file');
like(after("$rewrite; DELETE FROM laras.evidence_checkpoint WHERE workspace_id = 7; UPDATE laras.evidence_tree SET signed_size = 0 WHERE workspace_id = 7"),
	qr/^0\|positions 0 to 12 are not what the high-water file says was signed$/m, 'without checkpoints the file alone');

# A forged checkpoint: another key, listed in the table as it should be.
my $forged = do {
	require IPC::Run;
	my $ignored = '';
	my $dir = PostgreSQL::Test::Utils::tempdir();
	IPC::Run::run([ 'openssl', 'genpkey', '-algorithm', 'ed25519', '-out', "$dir/key" ], '2>', \$ignored) or die $ignored;
	IPC::Run::run([ 'openssl', 'pkey', '-in', "$dir/key", '-pubout', '-outform', 'DER', '-out', "$dir/pub" ], '2>', \$ignored) or die $ignored;
	my $public = substr PostgreSQL::Test::Utils::slurp_file("$dir/pub"), -32;
	my $note = within($node, 7, 'SELECT laras.evidence_checkpoint()');
	my ($text, $origin) = $note =~ /^((\S+)\n.*?\n)\n/s;
	PostgreSQL::Test::Utils::append_to_file("$dir/text", $text);
	IPC::Run::run([ 'openssl', 'pkeyutl', '-sign', '-inkey', "$dir/key", '-rawin', '-in', "$dir/text", '-out', "$dir/signature" ], '2>', \$ignored) or die $ignored;
	my $id = substr sha256("$origin\n\x01$public"), 0, 4;
	my $line = "\xe2\x80\x94 $origin " . encode_base64($id . PostgreSQL::Test::Utils::slurp_file("$dir/signature"), '');
	sprintf "INSERT INTO laras.evidence_key VALUES ('\\x%s', now()); UPDATE laras.evidence_checkpoint SET public_key = '\\x%s', note = convert_from('\\x%s', 'UTF8') WHERE workspace_id = 7",
	  (unpack 'H*', $public) x 2, unpack 'H*', "$text\n$line\n";
};
like(after($forged), qr/^12\|the checkpoint of 13 leaves is signed by another key than that of the key file$/m,
	'a checkpoint signed by another key');

# An entry kept out of the tree by hand.
like(after("INSERT INTO laras.evidence_entry SELECT workspace_id, 4711, at, action, actor_kind, actor_id, subject_kind, subject_id, workspace_slot, fields, leaf_hash, ordinal, '3'
		FROM laras.evidence_entry WHERE workspace_id = 7 AND entry_id = " . sprintf($entry_at, 1)),
	qr/^\|entry 4711 was kept out of the tree$/, 'an entry with an old transaction and no position');

# Every bit of every row, one at a time. Each must be found, and at its place.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION test_flip(bytea, int) RETURNS bytea LANGUAGE sql AS
	$$ SELECT set_byte($1, $2 / 8, get_byte($1, $2 / 8) # (1 << ($2 % 8))) $$;
CREATE TABLE test_missed (what text, place bigint, bit int, said text);
CREATE FUNCTION test_mutate(tab text, col text, width int, place bigint, key text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE bit int; bits int; expr text; said text; found boolean; done int := 0;
BEGIN
	IF width = 0 THEN
		EXECUTE format('SELECT 8 * octet_length(%I) FROM laras.%I WHERE %s', col, tab, key) INTO bits;
	ELSE
		bits := 8 * width;
	END IF;
	FOR bit IN 0 .. bits - 1 LOOP
		expr := CASE width WHEN 0 THEN format('public.test_flip(%I, %s)', col, bit)
			WHEN 8 THEN format('%I # (1::bigint << %s)', col, bit)
			WHEN 2 THEN format('((%I::int # (1 << %s))::bit(16)::bit(16) || B''0000000000000000'')::bit(32)::int >> 16', col, bit) END;
		BEGIN
			EXECUTE format('UPDATE laras.%I SET %I = %s WHERE %s', tab, col, expr, key);
			SELECT string_agg(format('%s|%s', v.position, v.problem), E'\n'), coalesce(bool_or(v.position = place
				OR v.problem ~ 'positions' AND place BETWEEN v.position AND substring(v.problem FROM 'to (\d+)')::bigint), false)
				INTO said, found FROM laras.verify_evidence() v;
			IF NOT found THEN
				said := coalesce(said, '(nothing)');
			ELSE
				said := NULL;
			END IF;
			done := done + 1;
			RAISE EXCEPTION 'undo' USING ERRCODE = 'LR999', DETAIL = coalesce(said, '');
		EXCEPTION WHEN unique_violation THEN
			done := done + 1; -- ids made at one instant differ in few bits: the key itself refuses the id of a neighbour
		WHEN SQLSTATE 'LR999' THEN
			IF said IS NOT NULL THEN INSERT INTO public.test_missed VALUES (tab || '.' || col, place, bit, said); END IF;
		WHEN check_violation THEN NULL;
		END;
	END LOOP;
	RETURN done;
END $$;
SQL
my $last = long_run(3, $entries - 1);
my $tried = $node->safe_psql('postgres', <<"SQL");
BEGIN;
SELECT test_bind(7);
SELECT sum(test_mutate(tab, col, width, l.leaf_index, CASE tab WHEN 'evidence_leaf' THEN format('workspace_id = 7 AND leaf_index = %s', l.leaf_index)
		ELSE format('workspace_id = 7 AND entry_id = %s', l.entry_id) END))
	FROM (VALUES ('evidence_entry', 'action', 2), ('evidence_entry', 'actor_kind', 2), ('evidence_entry', 'actor_id', 8),
		('evidence_entry', 'subject_kind', 2), ('evidence_entry', 'subject_id', 8), ('evidence_entry', 'workspace_slot', 8),
		('evidence_entry', 'entry_id', 8), ('evidence_entry', 'workspace_id', 8),
		('evidence_entry', 'fields', 0), ('evidence_entry', 'leaf_hash', 0),
		('evidence_leaf', 'entry_id', 8), ('evidence_leaf', 'leaf_hash', 0), ('evidence_leaf', 'nodes', 0)) AS c (tab, col, width),
	laras.evidence_leaf AS l WHERE l.workspace_id = 7 AND l.leaf_index <= $last;
SELECT sum(test_mutate('evidence_checkpoint', col, width, 12, 'workspace_id = 7'))
	FROM (VALUES ('root', 0), ('public_key', 0)) AS c (col, width);
COMMIT;
SQL
diag("bits turned: ", $tried =~ s/\A\n//r =~ s/\n/ + /r);
is($node->safe_psql('postgres', 'SELECT count(*) FROM test_missed'), 0, 'every turned bit is found at its place')
  or diag($node->safe_psql('postgres', 'SELECT * FROM test_missed ORDER BY 1, 2, 3 LIMIT 20'));
is(problems($node, 7), '', 'all undone, the log is sound again');
is(problems($node, 8), '', 'and so is the neighbour');
done_testing();
