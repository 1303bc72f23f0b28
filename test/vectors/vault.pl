#!/usr/bin/perl
# vault.pl: prints the test vectors of the vault, by an implementation of its own.
#
# Written from the specification of keys and sealed values alone, in Perl with
# nothing but SHA-256 from outside: AES, GCM and X25519 are below. It shares no
# line with src/vault, so that both being wrong in the same way is unlikely.
# The output has to be what `laras-keytool vectors` prints.
use strict;
use warnings;
use Digest::SHA qw(sha256 hmac_sha256);
use Math::BigInt;

# ---- AES-256 (FIPS 197), encryption only

my @sbox;
{
	# The S-box from its definition: inverse in GF(2^8), then the affine map.
	my ($p, $q) = (1, 1);
	do
	{
		$p = $p ^ (($p << 1) & 0xff) ^ ($p & 0x80 ? 0x1b : 0);    # times 3
		$q ^= $q << 1;
		$q ^= $q << 2;
		$q ^= $q << 4;
		$q &= 0xff;
		$q ^= 0x09 if $q & 0x80;                                   # divided by 3
		my $x = $q;
		$x ^= (($q << $_) | ($q >> (8 - $_))) & 0xff for 1 .. 4;
		$sbox[$p] = $x ^ 0x63;
	} while ($p != 1);
	$sbox[0] = 0x63;
}

sub xtime { my $b = shift; return (($b << 1) & 0xff) ^ ($b & 0x80 ? 0x1b : 0) }

sub expand_key
{
	my @w = map { [ unpack 'C4', $_ ] } unpack '(a4)*', shift;
	my $rcon = 1;
	for my $i (8 .. 59)
	{
		my @t = @{ $w[ $i - 1 ] };
		if ($i % 8 == 0)
		{
			@t = map { $sbox[$_] } @t[ 1, 2, 3, 0 ];
			$t[0] ^= $rcon;
			$rcon = xtime($rcon);
		}
		elsif ($i % 8 == 4)
		{
			@t = map { $sbox[$_] } @t;
		}
		$w[$i] = [ map { $w[ $i - 8 ][$_] ^ $t[$_] } 0 .. 3 ];
	}
	return [ map { @$_ } @w ];
}

sub aes
{
	my ($schedule, $block) = @_;
	my @s = unpack 'C16', $block;
	$s[$_] ^= $schedule->[$_] for 0 .. 15;
	for my $round (1 .. 14)
	{
		# SubBytes and ShiftRows: byte (row, column) stands at row + 4 * column
		@s = map { $sbox[ $s[ ($_ + 4 * ($_ % 4)) % 16 ] ] } 0 .. 15;
		if ($round < 14)
		{
			for my $c (0, 4, 8, 12)
			{
				my @a = @s[ $c .. $c + 3 ];
				for my $r (0 .. 3)
				{
					my ($x, $y) = ($a[$r], $a[ ($r + 1) % 4 ]);
					$s[ $c + $r ] = xtime($x) ^ xtime($y) ^ $y ^ $a[ ($r + 2) % 4 ] ^ $a[ ($r + 3) % 4 ];
				}
			}
		}
		$s[$_] ^= $schedule->[ 16 * $round + $_ ] for 0 .. 15;
	}
	return pack 'C16', @s;
}

# ---- GCM (SP 800-38D)

sub gf_multiply
{
	my @x = unpack 'Q>2', shift;
	my ($v1, $v0) = unpack 'Q>2', shift;
	my ($z1, $z0) = (0, 0);
	for my $bit (0 .. 127)
	{
		if (($x[ $bit >> 6 ] >> (63 - ($bit & 63))) & 1)
		{
			$z1 ^= $v1;
			$z0 ^= $v0;
		}
		my $low = $v0 & 1;
		$v0 = ($v0 >> 1) | (($v1 & 1) << 63);
		$v1 >>= 1;
		$v1 ^= 0xe1 << 56 if $low;
	}
	return pack 'Q>2', $z1, $z0;
}

sub pad16 { my $s = shift; return $s . "\0" x (-length($s) % 16) }

sub gcm_seal
{
	my ($key, $nonce, $aad, $text) = @_;
	my $schedule = expand_key($key);
	my $h = aes($schedule, "\0" x 16);
	my $out = '';
	my $counter = 1;
	for my $block (unpack '(a16)*', $text)
	{
		$out .= $block ^ substr(aes($schedule, $nonce . pack('N', ++$counter)), 0, length $block);
	}
	my $y = "\0" x 16;
	$y = gf_multiply($y ^ $_, $h)
	  for unpack '(a16)*', pad16($aad) . pad16($out) . pack('Q>2', 8 * length $aad, 8 * length $out);
	return ($out, $y ^ aes($schedule, $nonce . pack('N', 1)));
}

# ---- X25519 (RFC 7748)

my $prime = Math::BigInt->new(2)->bpow(255)->bsub(19);
my $a24 = Math::BigInt->new(121665);

sub from_little { return Math::BigInt->from_hex('0x' . unpack 'H*', scalar reverse shift) }

sub to_little
{
	my $hex = substr shift->as_hex, 2;
	return scalar reverse pack 'H64', ('0' x (64 - length $hex)) . $hex;
}
sub mul { return $_[0]->copy->bmul($_[1])->bmod($prime) }
sub add { return $_[0]->copy->badd($_[1])->bmod($prime) }
sub take { return $_[0]->copy->bsub($_[1])->bmod($prime) }

sub x25519
{
	my ($scalar, $point) = @_;
	my @k = unpack 'C32', $scalar;
	$k[0] &= 248;
	$k[31] = ($k[31] & 127) | 64;
	my @u = unpack 'C32', $point;
	$u[31] &= 127;
	my $x1 = from_little(pack 'C32', @u)->bmod($prime);
	my ($x2, $z2, $x3, $z3) = (Math::BigInt->bone, Math::BigInt->bzero, $x1->copy, Math::BigInt->bone);
	my $swap = 0;
	for my $t (reverse 0 .. 254)
	{
		my $bit = ($k[ $t >> 3 ] >> ($t & 7)) & 1;
		($x2, $x3, $z2, $z3) = ($x3, $x2, $z3, $z2) if $swap ^ $bit;
		$swap = $bit;
		my ($sum, $diff) = (add($x2, $z2), take($x2, $z2));
		my ($aa, $bb) = (mul($sum, $sum), mul($diff, $diff));
		my $e = take($aa, $bb);
		my $da = mul(take($x3, $z3), $sum);
		my $cb = mul(add($x3, $z3), $diff);
		my ($plus, $minus) = (add($da, $cb), take($da, $cb));
		$x3 = mul($plus, $plus);
		$z3 = mul($x1, mul($minus, $minus));
		$x2 = mul($aa, $bb);
		$z2 = mul($e, add($aa, mul($a24, $e)));
	}
	($x2, $z2) = ($x3, $z3) if $swap;
	return to_little(mul($x2, $z2->copy->bmodpow($prime->copy->bsub(2), $prime)));
}

# ---- the specification

sub extract { my ($salt, $ikm) = @_; return hmac_sha256($ikm, $salt) }
sub expand { my ($prk, $info) = @_; return hmac_sha256($info . "\x01", $prk) }
sub lp { return pack('N', length $_[0]) . $_[0] }

sub padded
{
	my $length = 1 + shift;
	return int(($length + 31) / 32) * 32 if $length <= 512;
	my $e = 0;
	$e++ while 2 << $e <= $length;
	my $s = 0;
	$s++ while 2 << $s <= $e;
	my $unit = 1 << ($e - ($s + 1));
	return int(($length + $unit - 1) / $unit) * $unit;
}

sub pad_value
{
	my $value = shift;
	my $padded = $value . "\x80";
	return $padded . "\0" x (padded(length $value) - length $padded);
}


sub say_hex { my ($name, $bytes) = @_; say_text($name, unpack 'H*', $bytes) }
sub say_text { my ($name, $text) = @_; print "$name $text\n"; return }

my ($M, $W, $S, $P) = map { chr($_) x 32 } 1 .. 4;
my ($courier_seed, $ephemeral_seed) = ("\x05" x 32, "\x06" x 32);
my ($keyring, $slab) = ("\xA0" x 16, "\xB0" x 16);
my ($nonce, $order) = ("\x11" x 12, "\xC0" x 16);
my ($w, $s) = (65536, 70000);
my $new_year = 1767225600 * 1_000_000;

my %wrap = map { $_ => expand($M, "laras/1/wrap/$_" . $keyring . pack('n', 1)) } qw(content courier);
my $context = $keyring . pack('N2', $w, $s);
my $prk_ws = extract($W, $S);
my $prk_pw = extract($P, $W);
my $prk_p = extract($keyring, $P);
my %key = (
	seal => expand($prk_ws, 'laras/1/seal' . $context),
	salt => expand($prk_ws, 'laras/1/salt' . $context),
	index => expand($prk_pw, 'laras/1/index' . $keyring . pack('NC', $w, 1)),
	search => expand($prk_pw, 'laras/1/search' . $keyring . pack('NC', $w, 1)),
	callback => expand($prk_pw, 'laras/1/callback' . $keyring . pack('N', $w)),
	optout => expand($prk_pw, 'laras/1/optout' . $keyring . pack('N', $w)),
	map { $_ => expand($prk_p, "laras/1/$_") } qw(route login authorizer));

sub check { my $epoch = shift; return substr expand($M, 'laras/1/check' . $keyring . pack('n', $epoch)), 0, 8 }

say_hex('wrap.content', $wrap{content});
say_hex('wrap.courier', $wrap{courier});
say_hex('check', check(1));
say_hex('prk.ws', $prk_ws);
say_hex($_, $key{$_}) for qw(seal salt);
say_hex('prk.pw', $prk_pw);
say_hex($_, $key{$_}) for qw(index search callback optout);
say_hex('prk.p', $prk_p);
say_hex($_, $key{$_}) for qw(route login authorizer);

# Slots
sub live
{
	my ($domain, $epoch, $wrap, $slot, $secret) = @_;
	my $head = pack 'CCn', 0xA1, $domain, $epoch;
	my ($text, $tag) = gcm_seal($wrap, $nonce, 'laras/1/slot' . $keyring . $slab . pack('N', $slot) . $head, $secret);
	return $head . $nonce . $text . $tag;
}
say_hex('slot.live', live(1, 1, $wrap{content}, $s, $S));
say_hex('slot.courier', live(2, 1, $wrap{courier}, 1, $courier_seed));
my $tomb = pack('CCnNq>', 0xDD, 1, 0, $s, $new_year) . $order . "\0" x 16;
say_hex('slot.destroyed', $tomb . substr(sha256('laras/1/tomb' . $keyring . $slab . $tomb), 0, 16));
my $next_M = "\x07" x 32;
my $next_wrap = expand($next_M, 'laras/1/wrap/content' . $keyring . pack('n', 2));
say_hex('next.wrap.content', $next_wrap);
say_hex('next.check', substr expand($next_M, 'laras/1/check' . $keyring . pack('n', 2)), 0, 8);
say_hex('next.slot.live', live(1, 2, $next_wrap, $s, $S));

# A mark for each reason, and what 64 bytes are taken for
sub mark
{
	my ($reason) = @_;
	my $body = pack('CCnNq>', 0xDD, $reason, 0, $s, $new_year) . $order . "\0" x 16;
	return $body . substr sha256('laras/1/tomb' . $keyring . $slab . $body), 0, 16;
}

sub state_of
{
	my ($raw, $slot) = @_;
	my ($kind, $domain, $epoch) = unpack 'CCn', $raw;
	if ($kind == 0xA1 && ($domain == 1 || $domain == 2) && $epoch > 0)
	{
		return 'damaged' if $domain != 1;
		return 'wrapped' if $epoch != 1;
		my @seal = ($wrap{content}, substr($raw, 4, 12), 'laras/1/slot' . $keyring . $slab . pack('N', $slot) . substr($raw, 0, 4));
		my ($clear) = gcm_seal(@seal, substr $raw, 16, 32);
		my (undef, $tag) = gcm_seal(@seal, $clear);
		return $tag eq substr($raw, 48) ? 'live' : 'damaged';
	}
	my $sum = substr sha256('laras/1/tomb' . $keyring . $slab . substr $raw, 0, 48), 0, 16;
	return $kind == 0xDD && unpack('x4N', $raw) == $slot && $sum eq substr($raw, 48) ? 'destroyed' : 'damaged';
}
say_hex("mark.$_", mark($_)) for 1 .. 7;
{
	my ($live, $mark) = (live(1, 1, $wrap{content}, $s, $S), mark(1));
	my @case = (
		[ 'live', $live ], [ 'mark', $mark ], [ 'zeros', "\0" x 64 ], [ 'ones', "\xff" x 64 ],
		[ 'live.elsewhere', $live, $s + 1 ], [ 'mark.elsewhere', $mark, $s + 1 ],
		[ 'torn.live.mark', substr($live, 0, 32) . substr $mark, 32 ], [ 'torn.mark.live', substr($mark, 0, 32) . substr $live, 32 ],
		[ 'live.flipped', $live ^ "\0" x 63 . "\1" ], [ 'mark.flipped', $mark ^ "\0" x 63 . "\1" ],
		[ 'epoch.other', substr($live, 0, 2) . "\0\2" . substr $live, 4 ], [ 'epoch.none', substr($live, 0, 2) . "\0\0" . substr $live, 4 ],
		[ 'domain.other', substr($live, 0, 1) . "\2" . substr $live, 2 ], [ 'domain.none', substr($live, 0, 1) . "\3" . substr $live, 2 ]);
	say_text("state.$_->[0]", state_of($_->[1], $_->[2] // $s)) for @case;
}

# Values: field 17 is a message's body, field 4 a channel's token
sub fixed { my ($suite, $field) = @_; return pack 'CCnnnNN', 1, $suite, $field, 0, 0, $w, $s }
my $place = pack 'q>2', 7, 4242;

sub sealed
{
	my $value = shift;
	my $head = fixed(1, 17);
	my ($text, $tag) = gcm_seal($key{seal}, $nonce, 'laras/1/sealed' . $head . $place, pad_value($value));
	return $head . $nonce . $text . $tag;
}
say_hex('sealed.halo', sealed('halo'));
say_hex('sealed.empty', sealed(''));
say_hex('sealed.32', sealed('0123456789abcdef0123456789abcdef'));

my $base = "\x09" . "\0" x 31;
my $courier = x25519($courier_seed, $base);
my $ephemeral = x25519($ephemeral_seed, $base);
my $shared = x25519($ephemeral_seed, $courier);
$shared eq x25519($courier_seed, $ephemeral) or die "X25519 does not commute\n";
say_hex('courier.public', $courier);
say_hex('box.shared', $shared);
{
	my $box = expand(extract($prk_ws, $shared), 'laras/1/box' . $ephemeral . $courier . $context);
	my $head = fixed(2, 4);
	my ($text, $tag) = gcm_seal($box, $nonce, 'laras/1/sealed' . $head . $place, pad_value('token'));
	say_hex('box.token', $head . $ephemeral . $nonce . $text . $tag);
	my $transport = expand(extract($keyring, $shared), 'laras/1/transport' . $ephemeral . $courier);
	($text, $tag) = gcm_seal($transport, $nonce, 'laras/1/transport', 'token');
	say_hex('transport.token', "\x01" . $ephemeral . $nonce . $text . $tag);
}

# Hashes
my $phone = '+628123456789';
sub blind { my ($k, $message) = @_; return substr hmac_sha256($message, $k), 0, 16 }
say_hex('blind.phone', blind($key{index}, pack('n', 1) . lp($phone)));
say_hex('blind.message', blind($key{index}, pack('n', 10) . lp('whatsapp') . lp('wamid.1')));
say_hex('blind.optout', blind($key{optout}, pack('n', 1) . lp($phone)));
say_hex('blind.route', blind($key{route}, pack('n', 32) . lp('whatsapp') . lp('1234567890')));
say_hex('blind.login', blind($key{login}, pack('n', 33) . lp('ani@example.com')));
say_hex('blind.authorizer', blind($key{authorizer}, pack('n', 34) . lp('whatsapp') . lp('10203040')));
say_hex('search.token', substr(hmac_sha256('harga', $key{search}), 0, 8));
my $salt = hmac_sha256('laras/1/f' . pack('Q>n', 987654321, 3), $key{salt});
say_hex('commitment.salt', $salt);
say_hex('commitment', sha256('laras/1/commit' . lp('body') . $salt . lp('halo')));

# Files
my $lease = 'LEAS' . pack('NQ>3', 0, 5, 1024, 78187493530);
say_hex('lease', $lease . sha256($lease));
my $chain = $keyring;
my $seq = 0;

sub record
{
	my ($kind, $reason, $first, $count, $order_bytes) = @_;
	my $head = 'LJRN' . pack('CCnQ>NNq>', $kind, $reason, 0, ++$seq, $first, $count, $new_year) . $order_bytes;
	$chain = substr sha256($chain . $head), 0, 16;
	return $head . $chain;
}
say_hex('journal.1', record(1, 1, $s, 1, $order));
say_hex('journal.2', record(7, 2, $w, 6, pack('Q>2', 7, 815)));
say_hex('journal.3', record(2, 5, $s, 16, $order));
say_hex('journal.' . ($_ + 1), record($_, 0, 0, 0, $order)) for 3 .. 6;

my $header = 'LARASLAB' . pack('nnN', 1, 0, 17) . $keyring . $slab . pack('q>nnN', $new_year, 1, 0, 4096);
$header .= "\0" x (4064 - length $header);
$header .= sha256($header);
say_hex('slab.header', substr $header, 0, 64);
say_hex('slab.header.sha256', sha256($header));

my $file = 'LARASKEY' . pack('nnN', 1, 0, 0) . $keyring . pack('Q>2', 7300000000000000001, 2)
  . $courier . pack('nnN', 2, 1, 0) . check(2) . check(1) . pack('N', 16384);
$file .= "\0" x (4064 - length $file);
$file .= sha256($file);
say_hex('keyring.file', substr $file, 0, 108);
say_hex('keyring.file.sha256', sha256($file));

# Numbers
sub scatter
{
	my $position = shift;
	my $window = $position >> 16;
	my $k = sha256('laras/1/scatter' . $keyring . pack('N', $window));
	my ($left, $right) = unpack 'C2', pack 'n', $position & 0xffff;
	for my $round (0 .. 3)
	{
		($left, $right) = ($right, $left ^ ord sha256($k . pack('CC', $round, $right)));
	}
	return 65536 * (1 + $window) + unpack 'n', pack 'C2', $left, $right;
}
say_text("scatter.$_", scatter($_)) for 0, 1, 2, 255, 256, 65535, 65536, 1000000, 4294901759;
say_text("padding.$_", padded($_)) for 0, 28, 31, 32, 91, 280, 511, 512, 847, 7651, 68887, 16777216;
