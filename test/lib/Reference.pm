
=pod

=head1 NAME

Reference - the pages of docs/reference that are made, not written

=head1 DESCRIPTION

C<pages($node)> returns the text of each page by file name, made from the
catalogue of a cluster where laras is installed and from the error table in
src/base/errors.h. test/bin/reference writes them; a test compares.

=cut

package Reference;

use strict;
use warnings;

use JSON::PP ();

sub pages
{
	my ($node) = @_;
	return {
		'functions.md' => functions($node),
		'tables.md' => tables($node),
		'settings.md' => settings($node),
		'errors.md' => errors(),
		'data-categories.md' => categories($node),
	};
}

# The rows of a query, each a hash.
sub rows
{
	my ($node, $query) = @_;
	my $json = $node->safe_psql('postgres',
		"SELECT coalesce(json_agg(to_json(r)), '[]') FROM ($query) r");
	return @{ JSON::PP->new->utf8->decode($json) };
}

# Text as it may stand in a table's cell.
sub cell
{
	my ($text) = @_;
	$text //= '';
	$text =~ s/\s*\n\s*/ /g;
	$text =~ s/\|/\\|/g;
	return $text;
}

sub code { my ($text) = @_; return defined $text && length $text ? '`' . cell($text) . '`' : ''; }

sub table
{
	my ($head, @line) = @_;
	my $text = '| ' . join(' | ', @$head) . " |\n|" . ' --- |' x @$head . "\n";
	$text .= '| ' . join(' | ', @$_) . " |\n" for @line;
	return $text =~ s/ +\n/\n/gr =~ s/\| +(?=\|)/| /gr;
}

sub made
{
	my ($from) = @_;
	return "<!-- Made by `make reference` from $from; edit that, not this. -->\n\n";
}

my $member = q{
	SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
	JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::regclass
	WHERE d.deptype = 'e' AND e.extname = 'laras'};

sub functions
{
	my ($node) = @_;
	my @function = rows($node, qq{
		SELECT p.proname AS name, pg_catalog.pg_get_function_arguments(p.oid) AS arguments,
			pg_catalog.pg_get_function_result(p.oid) AS result, p.prosecdef AS definer, p.prokind AS kind,
			p.provolatile AS volatility,
			pg_catalog.obj_description(p.oid, 'pg_proc') AS comment,
			EXISTS (SELECT FROM pg_catalog.pg_type y WHERE p.oid IN (y.typinput, y.typoutput, y.typreceive, y.typsend, y.typmodin, y.typmodout)) AS io,
			p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AS trigger,
			(SELECT array_agg(a.grantee::regrole::text ORDER BY 1) FROM pg_catalog.aclexplode(p.proacl) a
			 WHERE a.privilege_type = 'EXECUTE' AND a.grantee NOT IN (0, p.proowner, 10)) AS roles
		FROM pg_catalog.pg_proc p JOIN ($member) m ON m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid
		ORDER BY p.proname COLLATE "C", pg_catalog.pg_get_function_arguments(p.oid) COLLATE "C"});
	my @public = grep { $_->{roles} && !$_->{io} && !$_->{trigger} } @function;
	my @internal = grep { !($_->{roles} && !$_->{io} && !$_->{trigger}) } @function;
	my $text = "# Functions\n\n" . made('the catalogue');
	$text .= "Every function lies in schema `laras`. What is not granted to a role is not callable by it; a\n"
	  . "superuser may call all. Error codes are those of [errors](errors.md) and PostgreSQL's own.\n\n";
	$text .= table([ 'function', 'result', 'roles', 'what it does' ],
		map { [ code("$_->{name}($_->{arguments})"), code($_->{result}),
				join(', ', map { s/^laras_//r } @{ $_->{roles} }), cell($_->{comment}) ] } @public);
	$text .= "\nRoles are written without their prefix `laras_`.\n";
	$text .= "\n## Not for callers\n\nType input and output, triggers, and what only laras itself calls.\n\n"
	  . table([ 'function', 'result', 'what it does' ],
		map { [ code("$_->{name}($_->{arguments})"), code($_->{result}), cell($_->{comment}) ] } @internal)
	  if @internal;
	return $text;
}

sub tables
{
	my ($node) = @_;
	my @relation = rows($node, qq{
		SELECT c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
			pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
			EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id') AS tenant,
			(SELECT string_agg(g.grantee || ': ' || g.rights, '; ' ORDER BY g.grantee COLLATE "C") FROM (
				SELECT pg_catalog.substr(a.grantee::regrole::text, 7) AS grantee,
					string_agg(lower(a.privilege_type), ', ' ORDER BY pg_catalog.array_position(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'], a.privilege_type), a.privilege_type COLLATE "C") AS rights
				FROM pg_catalog.aclexplode(c.relacl) a WHERE a.grantee NOT IN (0, c.relowner, 10) GROUP BY 1) g) AS rights,
			(SELECT json_agg(json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
				'not_null', a.attnotnull, 'comment', pg_catalog.col_description(c.oid, a.attnum),
				'default', pg_catalog.pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum)
			 FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
		FROM pg_catalog.pg_class c JOIN ($member) m ON m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid
		WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
		ORDER BY c.relkind = 'v' DESC, c.relname COLLATE "C"});
	my $text = "# Tables and views\n\n" . made('the catalogue');
	$text .= "Everything lies in schema `laras`. Views, named in the plural, show content to a transaction that\n"
	  . "is bound to a workspace; tables hold it sealed. Row security is forced on every table.\n";
	my $kind = '';
	for my $relation (@relation)
	{
		my $now = $relation->{kind} eq 'v' ? 'Views' : 'Tables';
		$text .= "\n## $now\n" if $now ne $kind;
		$kind = $now;
		$text .= "\n### $relation->{name}\n\n$relation->{comment}\n";
		my @note;
		push @note, 'Belongs to the platform, not to a workspace.' if $now eq 'Tables' && !$relation->{tenant};
		push @note, 'Derived and unlogged: emptied by a crash, filled again.' if $relation->{persistence} eq 'u';
		push @note, "Rights: $relation->{rights}." if $relation->{rights};
		$text .= "@note\n" if @note;
		$text .= "\n" . table([ 'column', 'type', $now eq 'Views' ? () : 'default', 'what it is' ],
			map { [ code($_->{name}), cell($_->{type}) . ($_->{not_null} || $now eq 'Views' ? '' : ', may be null'),
					$now eq 'Views' ? () : code($_->{default}), cell($_->{comment}) ] } @{ $relation->{columns} });
	}
	return $text;
}

sub settings
{
	my ($node) = @_;
	my %when = (
		postmaster => 'server start',
		sighup => 'reload',
		superuser => 'at once, superuser',
		user => 'at once',
		'superuser-backend' => 'connection start, superuser',
		backend => 'connection start',
		internal => 'never');
	my @setting = rows($node, q{
		SELECT name, vartype, unit, boot_val, min_val, max_val, enumvals, context, short_desc, extra_desc
		FROM pg_catalog.pg_settings WHERE name LIKE 'laras.%' AND short_desc IS NOT NULL ORDER BY name COLLATE "C"});
	my $text = "# Settings\n\n" . made('`pg_settings`');
	return $text . table([ 'setting', 'default', 'range', 'takes effect', 'what it does' ],
		map {
			my $range = $_->{enumvals} ? join(', ', @{ $_->{enumvals} })
			  : $_->{vartype} =~ /^(?:integer|real)$/ ? "$_->{min_val} to $_->{max_val}" . ($_->{unit} ? " $_->{unit}" : '')
			  : $_->{vartype};
			[ code($_->{name}), code($_->{boot_val}) || 'empty', $range, $when{ $_->{context} },
				join(' ', grep { length } map { my $s = cell($_); $s =~ s/([^.!?])$/$1./; $s } $_->{short_desc}, $_->{extra_desc}) ]
		} @setting);
}

sub errors
{
	open my $fh, '<', 'src/base/errors.h' or die "src/base/errors.h: $!";
	my ($text, $room, @line) = ("# Errors\n\n" . made('`src/base/errors.h`'));
	$text .= "laras raises PostgreSQL's standard codes where one fits (22023 for a wrong argument, 42501 for a missing\n"
	  . "right, 28P01 for a failed log-in). Its own class is `LR`; a published code never changes its meaning. No\n"
	  . "message quotes a secret, a personal value or input.\n\n";
	# A code that is long goes on in the next line.
	my $source = do { local $/; <$fh> };
	while ($source =~ m{^\s*/\* [A-Z]: ([a-z]+)|^\s*X\((\w+),\s*'(.)',\s*'(.)',\s*'(.)',[\s\\]*"((?:[^"\\]|\\.)*)"\)}mg)
	{
		if (defined $1) { $room = $1; next; }
		push @line, [ "`LR$3$4$5`", lc $2, $room, cell($6) ];
	}
	die 'no errors found in src/base/errors.h' unless @line;
	return $text . table([ 'code', 'name', 'room', 'meaning' ], @line);
}

sub categories
{
	my ($node) = @_;
	my $text = "# Data categories\n\n" . made('`laras.data_column`');
	$text .= "Every column of every table of laras, what it holds and what an erasure does with it.\n\n";
	return $text . "The registry is not installed.\n"
	  unless $node->safe_psql('postgres', q{SELECT to_regclass('laras.data_column') IS NOT NULL}) eq 't';
	my @column = rows($node, q{
		SELECT json_agg(json_build_object('name', a.attname, 'comment', pg_catalog.col_description(a.attrelid, a.attnum)) ORDER BY a.attnum) AS columns
		FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'laras.data_column'::regclass AND a.attnum > 0 AND NOT a.attisdropped});
	my @name = map { $_->{name} } @{ $column[0]{columns} };
	$text .= join '', map { '- `' . $_->{name} . '`: ' . ($_->{comment} // '') . "\n" } @{ $column[0]{columns} };
	my @row = rows($node, 'SELECT * FROM laras.data_column c ORDER BY c::text COLLATE "C"');
	return $text . "\n" . table(\@name, map { my $r = $_; [ map { my $v = $r->{$_};
				cell(ref $v eq 'ARRAY' ? join(', ', @$v) : ref $v eq 'HASH' ? JSON::PP->new->canonical->encode($v)
				: JSON::PP::is_bool($v) ? ($v ? 'yes' : 'no') : $v) } @name ] } @row);
}

1;
