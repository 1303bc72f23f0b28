=pod

=head1 NAME

Ends - what is left of a workspace after its connection has ended, row by row

=head1 SYNOPSIS

  my $owner = Ends->of($stage, $cut_by_owner->workspace);
  my $lost = Ends->of($stage, $cut_elsewhere->workspace);
  is_same_end($owner, $lost, 'lost access ends as the owner\'s disconnect');

=head1 DESCRIPTION

Two workspaces with the same story are compared by every table that has rows of a
workspace, by the states of their keys, and by the kinds of their evidence. What is random
(ids, hashes, key slots) or a moment counts as there or not there; everything
else is compared as it stands. Left out is what names how the end came about, and
nothing else: C<@columns_left_out> and C<@rows_left_out> say each with its reason.

=cut

package Ends;

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

our @EXPORT = qw(is_same_end);

# Tables of which no row is of a connection: the log has its own comparison
# below, and log-ins and requests for erasure belong to persons.
my @tables_left_out = (
	[ 'evidence_', 'compared by kind below: entries are hashes, and their trees are built by the hour' ],
	[ 'session', 'who is logged in, which is the test itself' ],
	[ 'erasure_', 'the request that a deletion callback is, with its code: that it was the callback' ],
);

my @columns_left_out = (
	[ 'connection', 'disconnect_trigger', 'names who ended it' ],
	[ 'connection', 'remote_revoke', 'was the provider to be told: one that told us knows' ],
	[ 'send_attempt', 'resolved_by', 'an answer, a status or an echo: whichever came first' ],
	[ 'send_attempt', 'http_status', 'the same' ],
	[ 'send_attempt', 'curl_code', 'the same' ],
	[ 'send_attempt', 'error_code', 'the same' ],
	[ 'send_attempt', 'error_subcode', 'the same' ],
	[ 'outbox', 'attempts', 'counts the request that found it out' ],
	[ 'outbox', 'attempt_id', 'the request that found it out' ],
	[ 'outbox', 'incarnation', 'the courier whose request that was' ],
	[ 'outbox', 'error_code', 'what it was told' ],
);

# Rows kept: those of which the condition holds.
my @rows_left_out = (
	[ 'notice', "kind NOT IN ('access_lost', 'needs_reauth', 'account_event')", 'the owner who did it himself is not told of it' ],
	[ 'send_attempt', "outbox_id IN (SELECT o.id FROM laras.outbox o WHERE o.state <> 'cancelled')", 'the request that found it out' ],
	[ 'outbound_call', "purpose NOT IN ('unsubscribe', 'read_subscription', 'subscribe', 'refresh', 'revoke')", 'what told the provider, and what asked or was told by it' ],
	[ 'courier_task', "state IN ('queued', 'claimed')", 'what has ended is removed by the hour' ],
);

# Evidence of how the end came about, beside that of the end.
my @evidence_left_out = (
	[ 'connection.lost', 'that the provider, or nobody for too long, was heard of it' ],
	[ 'connection.needs_reauth', 'the same' ],
	[ 'erasure.%', 'the request that a deletion callback is' ],
	[ 'message.parked', 'what became of the message whose request found it out, before the end' ],
	[ 'message.cancelled', 'the same, where it was the end already' ],
	[ 'provider.%', 'was the provider to be told' ],
);

=head2 Ends->of($stage, $workspace, $events)

A hash from what is compared to its rows as text. C<$events> says how many events
told of the end, which are not counted among those that came.

=cut

sub of
{
	my ($class, $stage, $workspace, $events) = @_;
	my $parts = $stage->{ends_columns} //= _columns($stage);
	my @query = map { "SELECT '$_', string_agg(r, ' // ' ORDER BY r) FROM (SELECT translate(regexp_replace(concat_ws(' ', $parts->{$_}{columns}), '[0-9]{15,}', 'N', 'g'), E'\\n', ' ') AS r FROM laras.$_ WHERE workspace_id = $workspace AND $parts->{$_}{kept}" . ($_ eq 'webhook_event' ? ' OFFSET ' . ($events // 0) : '') . ') AS s' } sort keys %$parts;
	push @query, "SELECT 'keys', string_agg(kind || ' ' || laras.key_state(slot), ' // ' ORDER BY kind, laras.key_state(slot)) FROM laras.key_owner WHERE workspace_id = $workspace",
	  "SELECT 'evidence', string_agg(action || ' of ' || subject, ' // ' ORDER BY action, subject) FROM laras.evidence_log WHERE " . join ' AND ', map { "action NOT LIKE '$_->[0]'" } @evidence_left_out;
	return { map { /^(\S+?)\|(.*)$/ ? ($1 => $2) : () } split /\n/, $stage->bound(join("\nUNION ALL ", @query), $workspace) };
}

# Of each table with rows of a workspace: what is compared of a row, and of which.
sub _columns
{
	my ($stage) = @_;
	my $tables = join '|', map { $_->[0] } @tables_left_out;
	my $columns = join ' OR ', map { "(c.relname = '$_->[0]' AND a.attname = '$_->[1]')" } @columns_left_out;
	my %kept = map { $_->[0] => $_->[1] } @rows_left_out;
	my %parts;
	for my $line (split /\n/, $stage->sql(<<"SQL"))
SELECT c.relname, string_agg(CASE
  WHEN t.typname IN ('sealed', 'bytea') THEN format('(%I IS NOT NULL)::text', a.attname)
  WHEN t.typname = 'jsonb' THEN format('jsonb_typeof(%I)', a.attname)
  WHEN t.typname IN ('timestamptz', 'xid8', 'pg_snapshot', 'tsvector') OR a.attname ~ '(^id|_id|slot|_index|version|_hour|duration_ms|position|digest|hash|bucket|incarnation|ring_day)\$' THEN format('(%I IS NOT NULL)::text', a.attname)
  ELSE format('%I::text', a.attname) END, ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'laras'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id' AND NOT w.attisdropped)
  AND c.relname !~ '^($tables)' AND NOT ($columns)
GROUP BY c.relname
SQL
	{
		my ($table, $of_row) = split /\|/, $line, 2;
		$parts{$table} = { columns => $of_row, kept => $kept{$table} // 'true' };
	}
	for my $named (@rows_left_out)
	{
		die "Ends: there is no table $named->[0]\n" unless $parts{ $named->[0] };
	}
	return \%parts;
}

=head2 Ends->size($end)

How many tables have rows in it.

=cut

sub size { my (undef, $end) = @_; return scalar grep { length } values %$end; }

=head2 is_same_end($one, $other, $name)

A test: nothing differs. Where it fails, what does is shown.

=cut

sub is_same_end
{
	my ($one, $other, $name) = @_;
	my @differ = grep { ($one->{$_} // '') ne ($other->{$_} // '') } sort keys %{ { %$one, %$other } };
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More::is("@differ", '', $name)
	  || Test::More::diag(join "\n", map { "$_\n one\n" . join("\n", split m{ // }, $one->{$_} // '') . "\n other\n" . join("\n", split m{ // }, $other->{$_} // '') } @differ);
}

1;
