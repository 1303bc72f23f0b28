=pod

=head1 NAME

Told - stories that tell their steps and check them, and how they speak to the parts

=head1 SYNOPSIS

  use Told;

  step 'Budi writes';
  my $said = sandbox(POST => 'customer/message', { ... });
  is($said->{status}, 200, 'answered 200, after the commit');
  soon('it stands in the inbox', sub { ... });

=head1 DESCRIPTION

The first check that fails ends the story. The environment says where all is:
LARAS_SOCKET (and PGPORT), RELAY_URL, SANDBOX_URL.

=cut

package Told;

use strict;
use warnings;

use Encode qw(decode encode);
use Exporter qw(import);
use HTTP::Tiny;
use JSON::PP ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(step say_so check is soon checks sql sandbox sends);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $http = HTTP::Tiny->new(timeout => 20, max_redirect => 0);
my $checks = 0;

sub step { print "\n-- @_\n"; return; }
sub say_so { print "   @_\n"; return; }
sub checks { return $checks; }

sub check
{
	my ($holds, $what, $instead) = @_;
	$checks++;
	print '   ', ($holds ? 'ok      ' : 'NOT SO  '), $what, "\n";
	return if $holds;
	print "           $instead\n" if defined $instead;
	exit 1;
}

sub is
{
	my ($got, $expected, $what) = @_;
	$got //= '(nothing)';
	return check($got eq $expected, $what, "found: " . $json->encode($got));
}

=head2 soon($what, sub { ... })

Polls until the condition holds; ten seconds are plenty for anything on a quiet
machine, thirty on a busy one.

=cut

sub soon
{
	my ($what, $condition) = @_;
	my $deadline = time + 30;
	my $result;
	until ($result = $condition->())
	{
		return check(0, $what) if time > $deadline;
		sleep 0.05;
	}
	check(1, $what);
	return $result;
}

=head2 sql($role, $text, %variable)

Runs statements as a role, each in its own transaction unless it opens one. C<:name>
and C<:'name'> are psql's variables. The rows come back as lines of fields parted by |.

=cut

sub sql
{
	my ($role, $text, %variable) = @_;
	my @command = ('psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1',
		(map { ('-v', encode('UTF-8', "$_=$variable{$_}")) } sort keys %variable),
		'-h', $ENV{LARAS_SOCKET}, '-U', $role, 'postgres');
	# a pipe each way: the text goes in before anything is read, and is short
	pipe my $in_read, my $in_write or die "pipe: $!";
	my $pid = open my $out, '-|' // die "fork: $!";
	if ($pid == 0)
	{
		close $in_write;
		open STDIN, '<&', $in_read or die "stdin: $!";
		exec @command or die "psql: $!";
	}
	close $in_read;
	print $in_write encode('UTF-8', $text);
	close $in_write;
	my $result = decode('UTF-8', join '', <$out>);
	close $out;
	check(0, 'a statement runs', $text) if $?;
	chomp $result;
	return $result;
}

=head2 sandbox($method, $path, $body), sends

A control call, and what it answers; the messages that the provider was asked to
send, oldest first.

=cut

sub sandbox
{
	my ($method, $path, $body) = @_;
	my $response = $http->request($method, "$ENV{SANDBOX_URL}/_sandbox/$path",
		{ headers => { 'Content-Type' => 'application/json' }, $body ? (content => $json->encode($body)) : () });
	check(0, "the sandbox does $path", decode('UTF-8', $response->{content})) unless $response->{success};
	return $json->decode($response->{content});
}

sub sends { return grep { $_->{method} eq 'POST' && $_->{path} =~ m{/messages$} } @{ sandbox(GET => 'ledger')->{entries} }; }

1;
