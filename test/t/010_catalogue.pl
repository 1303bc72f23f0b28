# The rules of the house, read from the live catalogue: row security enabled and
# forced with policies of the one form, owners that are no superusers, keys that
# begin with the workspace, everything dumped, everything described, nothing for
# PUBLIC; every column declared in the register that erasing follows. Each rule is
# first shown to catch an object made to break it.
#
# proves R195
use strict;
use warnings;
use Laras;
use Test::More;

# What each rule finds is a list of offenders; the names below are those of the
# temporary views made from the catalogue.
my @rule = (
	'row security is enabled and forced on every table' => q{
		SELECT name FROM house_table WHERE relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)},
	'every table has a policy' => q{
		SELECT name FROM house_table t WHERE relkind IN ('r', 'p') AND relispartition IS FALSE
		AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid)},
	'policies of tenant tables have the one form' => q{
		SELECT format('%s.%s: %s / %s', t.name, p.polname, q.using, q.checking)
		FROM pg_policy p JOIN house_table t ON t.oid = p.polrelid,
		LATERAL (SELECT pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS checking) q
		WHERE t.tenant AND (NOT p.polpermissive IS FALSE)
		-- intake takes in for many workspaces at once, and reads nothing back
		AND NOT (p.polcmd = 'a' AND p.polroles = ARRAY[to_regrole('laras_intake')::oid])
		AND (coalesce(q.using, '') || coalesce(q.checking, '') = ''
		  OR EXISTS (SELECT FROM (VALUES (q.using), (q.checking)) AS e (expression)
			WHERE expression IS NOT NULL
			AND expression !~ '^\(+workspace_id = \( SELECT laras\.current_workspace\(\) AS current_workspace\)\)'
			AND expression !~ '^\(?laras\.in_worker_set\(workspace_id\)'))
		-- An alternative beside the binding would be a way around it.
		UNION ALL
		SELECT format('%s.%s: an alternative beside the binding', t.name, p.polname)
		FROM pg_policy p JOIN house_table t ON t.oid = p.polrelid
		WHERE t.tenant AND p.polpermissive
		AND concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) ~ '\mOR\M'},
	'policies name their roles, and PUBLIC is none of them but for reading a platform table' => q{
		SELECT format('%s.%s', t.name, p.polname) FROM pg_policy p JOIN house_table t ON t.oid = p.polrelid
		WHERE 0 = ANY (p.polroles) AND (t.tenant OR p.polcmd <> 'r')},
	'policies that write check what is written' => q{
		SELECT format('%s.%s', t.name, p.polname) FROM pg_policy p JOIN house_table t ON t.oid = p.polrelid
		WHERE p.polcmd IN ('*', 'a', 'w') AND p.polwithcheck IS NULL},
	'a table without workspace_id stands on the list of platform tables' => q{
		SELECT name FROM house_table WHERE relkind IN ('r', 'p') AND NOT has_workspace AND NOT listed},
	'the list of platform tables names tables only, each with its reason' => q{
		SELECT l.name FROM platform_list l WHERE l.reason = '' OR NOT EXISTS (SELECT FROM house_table t WHERE t.name = l.name)},
	'workspace_id is bigint and never null' => q{
		SELECT t.name FROM house_table t JOIN pg_attribute a ON a.attrelid = t.oid
		WHERE t.tenant AND a.attname = 'workspace_id' AND (a.atttypid <> 'bigint'::regtype OR NOT a.attnotnull)},
	'unique keys of tenant tables begin with workspace_id, after the partition key where there is one' => q{
		SELECT format('%s: %s', t.name, i.indexrelid::regclass)
		FROM pg_index i JOIN house_table t ON t.oid = i.indrelid
		WHERE t.tenant AND (i.indisunique OR i.indisexclusion)
		AND (SELECT array_agg(a.attname ORDER BY k.n)
			FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
			WHERE NOT k.attnum = ANY (coalesce((SELECT p.partattrs::int2[] FROM pg_partitioned_table p
			  WHERE p.partrelid = coalesce((SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = t.oid), t.oid)), '{}')))
			[1] IS DISTINCT FROM 'workspace_id'},
	'every tenant table has a primary key' => q{
		SELECT t.name FROM house_table t WHERE t.relkind IN ('r', 'p')
		AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)},
	'foreign keys between tenant tables begin with workspace_id on both sides' => q{
		SELECT format('%s: %s', t.name, c.conname) FROM pg_constraint c
		JOIN house_table t ON t.oid = c.conrelid JOIN house_table f ON f.oid = c.confrelid
		WHERE c.contype = 'f' AND t.tenant AND f.tenant
		AND NOT ((SELECT attname FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = c.conkey[1]) = 'workspace_id'
			AND (SELECT attname FROM pg_attribute WHERE attrelid = c.confrelid AND attnum = c.confkey[1]) = 'workspace_id')},
	'foreign keys make no cycle, so that a dump can be restored in order' => q{
		WITH RECURSIVE edge AS (
			SELECT DISTINCT conrelid AS child, confrelid AS parent FROM pg_constraint c JOIN house_table t ON t.oid = c.conrelid
			WHERE c.contype = 'f' AND c.conparentid = 0),
		reach (child, parent) AS (
			SELECT child, parent FROM edge UNION SELECT r.child, e.parent FROM reach r JOIN edge e ON e.child = r.parent)
		SELECT child::regclass::text FROM reach WHERE child = parent},
	'every table that holds rows, and every sequence, is registered for dump' => q{
		SELECT name FROM house_table t WHERE relkind IN ('r', 'S') AND relpersistence = 'p'
		AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'laras' AND t.oid = ANY (e.extconfig))
		AND NOT EXISTS (SELECT FROM platform_list l WHERE l.name = t.name AND l.reason ~ '^script: ')},
	'unlogged tables are derived and not dumped' => q{
		SELECT name FROM house_table t WHERE relkind IN ('r', 'p') AND relpersistence = 'u'
		AND EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'laras' AND t.oid = ANY (e.extconfig))},
	'tables, views and sequences belong to laras_owner' => q{
		SELECT format('%s: %s', name, relowner::regrole) FROM house_table WHERE relowner::regrole::text <> 'laras_owner'},
	'views are not security_invoker' => q{
		SELECT name FROM house_table WHERE relkind = 'v' AND array_to_string(reloptions, ',') ~ 'security_invoker=(true|on|1|yes)'},
	'there is no materialized view and no foreign table' => q{
		SELECT name FROM house_table WHERE relkind IN ('m', 'f')},
	'there is no enum type and no rule' => q{
		SELECT y.typname::text FROM pg_type y JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = y.oid WHERE y.typtype = 'e'
		UNION ALL
		SELECT format('rule %s on %s', r.rulename, t.name) FROM pg_rewrite r JOIN house_table t ON t.oid = r.ev_class WHERE r.rulename <> '_RETURN'},
	'there is no row trigger of ours' => q{
		SELECT format('%s.%s', t.name, g.tgname) FROM pg_trigger g JOIN house_table t ON t.oid = g.tgrelid
		WHERE NOT g.tgisinternal AND g.tgtype & 1 = 1},
	'every tenant table refuses TRUNCATE while workspaces exist' => q{
		SELECT t.name FROM house_table t WHERE t.tenant AND t.relkind IN ('r', 'p') AND t.relpersistence = 'p'
		AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgtype & 32 = 32
			AND g.tgtype & 2 = 2 AND g.tgfoid::regproc::text = 'laras.refuse_truncate')},
	'every table, view and column is described' => q{
		SELECT t.name FROM house_table t WHERE t.relkind IN ('r', 'p', 'v') AND NOT t.relispartition
		AND coalesce(obj_description(t.oid, 'pg_class'), '') = ''
		UNION ALL
		SELECT format('%s.%s', t.name, a.attname) FROM house_table t JOIN pg_attribute a ON a.attrelid = t.oid
		WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND a.attnum > 0 AND NOT a.attisdropped
		AND coalesce(col_description(t.oid, a.attnum), '') = ''},
	'every column says in the register what it can hold and what becomes of it' => q{
		SELECT format('%s.%s', t.name, a.attname) FROM house_table t JOIN pg_attribute a ON a.attrelid = t.oid
		WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT EXISTS (SELECT FROM laras.data_column d WHERE d.table_name = t.name AND d.column_name = a.attname)},
	'a column is sealed if and only if the register names its field' => q{
		SELECT format('%s.%s', t.name, a.attname) FROM house_table t JOIN pg_attribute a ON a.attrelid = t.oid
		JOIN pg_type y ON y.oid = a.atttypid JOIN laras.data_column d ON d.table_name = t.name AND d.column_name = a.attname
		WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND a.attnum > 0 AND (y.typname IN ('sealed', '_sealed')) <> (d.field IS NOT NULL)},
	'the register names columns that exist' => q{
		SELECT format('%s.%s', d.table_name, d.column_name) FROM laras.data_column d
		WHERE NOT EXISTS (SELECT FROM house_table t JOIN pg_attribute a ON a.attrelid = t.oid
			WHERE t.name = d.table_name AND a.attname = d.column_name AND a.attnum > 0 AND NOT a.attisdropped)},
	'every function, type and event trigger is described' => q{
		SELECT f.name FROM house_function f WHERE coalesce(obj_description(f.oid, 'pg_proc'), '') = ''
		UNION ALL
		SELECT y.typname::text FROM pg_type y JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = y.oid
		WHERE y.typelem = 0 AND y.typtype IN ('b', 'd') AND coalesce(obj_description(y.oid, 'pg_type'), '') = ''
		UNION ALL
		SELECT e.evtname::text FROM pg_event_trigger e JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = e.oid
		WHERE coalesce(obj_description(e.oid, 'pg_event_trigger'), '') = ''},
	'functions are C or one SQL body parsed at creation' => q{
		SELECT format('%s: %s', name, lanname) FROM house_function
		WHERE lanname NOT IN ('c', 'sql') OR lanname = 'sql' AND prosqlbody IS NULL},
	'a function that runs as its owner pins the search path' => q{
		SELECT name FROM house_function
		WHERE prosecdef AND lanname = 'c' AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{}'))},
	'a search path is pinned to pg_catalog, pg_temp and to nothing else' => q{
		SELECT format('%s: %s', name, s) FROM house_function, unnest(proconfig) s WHERE s LIKE 'search\_path=%' AND s <> 'search_path=pg_catalog, pg_temp'},
	'a function that runs as its owner is not owned by a superuser, nor by one whom row security lets pass' => q{
		SELECT format('%s: %s', f.name, r.rolname) FROM house_function f JOIN pg_roles r ON r.oid = f.proowner
		WHERE f.prosecdef AND (r.rolsuper OR r.rolbypassrls OR r.rolname NOT LIKE 'laras\_%')},
	'a view is owned by nobody whom row security lets pass' => q{
		SELECT t.name FROM house_table t JOIN pg_roles r ON r.oid = t.relowner WHERE t.relkind = 'v' AND (r.rolsuper OR r.rolbypassrls)},
	'PUBLIC may run no function' => q{
		SELECT name FROM house_function f WHERE EXISTS (
			SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee = 0)},
	'PUBLIC holds nothing on tables, columns, sequences and the schema' => q{
		SELECT name FROM house_table t WHERE EXISTS (SELECT FROM aclexplode(t.relacl) a WHERE a.grantee = 0)
		UNION ALL
		SELECT format('%s.%s', t.name, c.attname) FROM house_table t JOIN pg_attribute c ON c.attrelid = t.oid
		WHERE EXISTS (SELECT FROM aclexplode(c.attacl) a WHERE a.grantee = 0)
		UNION ALL
		SELECT 'schema laras' FROM pg_namespace n WHERE n.nspname = 'laras' AND EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0)},
	'rights are given to roles of laras alone' => q{
		SELECT format('%s: %s', t.name, a.grantee::regrole) FROM house_table t, aclexplode(t.relacl) a
		WHERE a.grantee <> 0 AND a.grantee::regrole::text NOT LIKE 'laras\_%' AND a.grantee <> t.relowner
		UNION ALL
		SELECT format('%s: %s', f.name, a.grantee::regrole) FROM house_function f, aclexplode(f.proacl) a
		WHERE a.grantee <> 0 AND a.grantee::regrole::text NOT LIKE 'laras\_%' AND a.grantee <> f.proowner},
	'applications, drafter and relay read no table that holds sealed content' => q{
		SELECT DISTINCT format('%s: %s', t.name, a.grantee::regrole) FROM house_table t, aclexplode(t.relacl) a
		WHERE t.relkind IN ('r', 'p') AND a.grantee <> 0 AND a.grantee::regrole::text IN ('laras_app', 'laras_service', 'laras_drafter', 'laras_relay', 'laras_auditor')
		AND EXISTS (SELECT FROM pg_attribute c JOIN pg_type y ON y.oid = c.atttypid
			WHERE c.attrelid = t.oid AND c.attnum > 0 AND y.typname IN ('sealed', '_sealed'))},
	'the relay reads no relation at all' => q{
		SELECT t.name FROM house_table t, aclexplode(t.relacl) a WHERE a.grantee = to_regrole('laras_relay')},
	'who asks the binding is not told by a constant' => q{
		SELECT name FROM house_function WHERE proname IN ('current_workspace', 'in_worker_set', 'now') AND provolatile = 'i'},
	'no function of ours is leakproof' => q{
		SELECT name FROM house_function WHERE proleakproof},
	'no role that can log in is a member of laras_owner, and that role can do nothing by itself' => q{
		SELECT r.rolname::text FROM pg_roles r WHERE to_regrole('laras_owner') IS NOT NULL
		AND r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, to_regrole('laras_owner'), 'MEMBER')
		UNION ALL
		SELECT r.rolname::text FROM pg_roles r WHERE r.rolname LIKE 'laras\_%' AND r.rolname NOT LIKE 'laras\_bad\_%'
		AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AND r.rolname <> 'laras_backup')},
	'nothing of ours is made outside the schema' => q{
		SELECT t.name FROM house_table t WHERE t.relnamespace::regnamespace::text <> 'laras'
		UNION ALL
		SELECT f.name FROM house_function f WHERE f.pronamespace::regnamespace::text <> 'laras'},
	'the schema holds nothing but what the script made' => q{
		SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = to_regnamespace('laras') AND c.relkind IN ('r', 'p', 'v', 'S', 'm', 'f')
		AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
		UNION ALL
		SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = to_regnamespace('laras')
		AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)},
);

# Objects that break the rules, each under a name with bad in it.
my $broken = <<'SQL';
CREATE ROLE laras_bad_login LOGIN;
DO $$ BEGIN IF to_regrole('laras_owner') IS NOT NULL THEN GRANT laras_owner TO laras_bad_login; ELSE CREATE ROLE laras_owner; GRANT laras_owner TO laras_bad_login; END IF;
	IF to_regrole('laras_app') IS NULL THEN CREATE ROLE laras_app; END IF;
	IF to_regrole('laras_relay') IS NULL THEN CREATE ROLE laras_relay; END IF; END $$;
CREATE TABLE laras.bad_plain (name text UNIQUE);
CREATE TABLE laras.bad_tenant (workspace_id int, id bigint UNIQUE, name text);
CREATE TABLE laras.bad_child (workspace_id bigint NOT NULL, id bigint, parent bigint REFERENCES laras.bad_tenant (id), PRIMARY KEY (workspace_id, id));
ALTER TABLE laras.bad_tenant ADD cousin bigint, ADD UNIQUE (workspace_id, id);
ALTER TABLE laras.bad_child ADD UNIQUE (id);
ALTER TABLE laras.bad_tenant ADD FOREIGN KEY (cousin) REFERENCES laras.bad_child (id);
CREATE POLICY bad_open ON laras.bad_tenant USING (true);
CREATE POLICY bad_alternative ON laras.bad_tenant FOR SELECT TO laras_owner USING (workspace_id = 1 OR name = 'x');
CREATE UNLOGGED TABLE laras.bad_unlogged (id bigint);
CREATE VIEW laras.bad_view WITH (security_invoker = true) AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW laras.bad_copy AS SELECT 1 AS one;
CREATE TYPE laras.bad_enum AS ENUM ('x');
CREATE RULE bad_rule AS ON DELETE TO laras.bad_plain DO INSTEAD NOTHING;
CREATE FUNCTION laras.bad_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER bad_row AFTER INSERT ON laras.bad_plain FOR EACH ROW EXECUTE FUNCTION laras.bad_trigger();
CREATE FUNCTION laras.bad_definer() RETURNS int LANGUAGE c SECURITY DEFINER LEAKPROOF SET search_path = public AS '$libdir/pgcrypto', 'pg_random_uuid';
CREATE FUNCTION public.bad_elsewhere() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
CREATE TABLE laras.bad_stray (id int);
CREATE ROLE bad_role;
GRANT SELECT ON laras.bad_plain TO PUBLIC, bad_role;
CREATE DOMAIN laras.bad_sealed_stand_in AS text;
DO $$ BEGIN IF to_regtype('laras.sealed') IS NULL THEN CREATE DOMAIN laras.sealed AS text; END IF; END $$;
CREATE TABLE laras.bad_sealed (body laras.sealed);
GRANT SELECT ON laras.bad_sealed TO laras_app, laras_relay;
ALTER ROLE laras_app CREATEDB;
CREATE FUNCTION laras.now(bad text) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT 1; END;
INSERT INTO platform_list VALUES ('bad_absent', '');
ALTER TABLE laras.contact ADD COLUMN bad_nickname text;
INSERT INTO laras.data_column (table_name, column_name, category, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace)
	VALUES ('bad_sealed', 'body', 'system', 'said to be none', 'none', 'none', 'none', 'none', 'none'),
	('contact', 'bad_gone', 'contact', 'there is no such column', 'none', 'none', 'none', 'none', 'none');
SELECT pg_temp.as_member(o) FROM unnest(ARRAY['TABLE laras.bad_plain', 'TABLE laras.bad_tenant', 'TABLE laras.bad_child',
	'TABLE laras.bad_unlogged', 'VIEW laras.bad_view', 'MATERIALIZED VIEW laras.bad_copy', 'TYPE laras.bad_enum',
	'FUNCTION laras.bad_trigger()', 'FUNCTION laras.bad_definer()', 'FUNCTION public.bad_elsewhere()',
	'TABLE laras.bad_sealed', 'FUNCTION laras.now(text)']) o;
UPDATE pg_extension SET extconfig = coalesce(extconfig, '{}') || 'laras.bad_unlogged'::regclass::oid,
	extcondition = coalesce(extcondition, '{}') || ''::text WHERE extname = 'laras';
SQL

my $prelude = <<'SQL';
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;
CREATE TEMP TABLE platform_list (name text, reason text);
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE d.deptype = 'e' AND e.extname = 'laras';
CREATE TEMP VIEW house_table AS
	SELECT c.*, c.relname::text AS name, w.found AS has_workspace, l.found AS listed, w.found AND NOT l.found AS tenant
	FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
	LATERAL (SELECT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id') AS found) w,
	LATERAL (SELECT EXISTS (SELECT FROM platform_list p WHERE p.name = c.relname::text) AS found) l
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f');
CREATE TEMP VIEW house_function AS
	SELECT p.*, p.oid::regprocedure::text AS name, g.lanname
	FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid JOIN pg_language g ON g.oid = p.prolang;
CREATE FUNCTION pg_temp.as_member(object text) RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN EXECUTE 'ALTER EXTENSION laras ADD ' || object; END $$;
SQL

my $list = '';
open my $fh, '<', 'test/sql/platform_tables.list' or die "platform_tables.list: $!";
while (<$fh>)
{
	next unless /^([a-z_]+)\s*(.*?)\s*$/;
	$list .= sprintf "INSERT INTO platform_list VALUES ('%s', '%s');\n", $1, $2 =~ s/'/''/gr;
}

my $node = Laras->cluster('catalogue', settings => { 'laras.allow_drop' => 'on' });

# Every rule in one query; the offenders by rule.
sub offenders
{
	my ($before) = @_;
	my ($query, $n) = ('', 0);
	for (my $i = 0; $i < @rule; $i += 2)
	{
		$query .= "SELECT $i AS rule, offender::text FROM ($rule[$i + 1]\n) AS r (offender) UNION ALL\n";
	}
	$query =~ s/UNION ALL\n\z//;
	my $out = $node->safe_psql('postgres', <<"SQL");
$prelude
$list
BEGIN;
SET LOCAL allow_system_table_mods = on;
$before
COPY (SELECT * FROM ($query) AS every ORDER BY 1, 2) TO STDOUT;
ROLLBACK;
SQL
	my %found;
	push @{ $found{ (split /\t/)[0] } }, (split /\t/)[1] for grep { /^\d+\t/ } split /\n/, $out;
	return \%found;
}

my $caught = offenders($broken);
my $found = offenders('');
for (my $i = 0; $i < @rule; $i += 2)
{
	my @caught = grep { /bad_|laras_app|\(text\)/ } @{ $caught->{$i} // [] };
	ok(@caught, "caught: $rule[$i]");
	ok(!$found->{$i}, $rule[$i]) or diag join "\n", @{ $found->{$i} };
	ok((grep { $_ eq 'contact.bad_nickname' } @caught), 'a column added to a table of ours is caught until it is declared')
	  if $rule[$i] =~ /^every column says in the register/;
}
$node->stop;
done_testing();
