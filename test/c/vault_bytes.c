/*
 * vault_bytes.c
 *		Attacks on the byte formats of the vault: every bit flipped, every value
 *		moved, slots torn, blanked and swapped, all pairs of states merged.
 *		Run by test/t/020_vault_bytes.pl.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "tap.h"
#include "vault/bytes.h"
#include "vault/derive.h"
#include "vault/journal.h"
#include "vault/numbers.h"
#include "vault/sealedbytes.h"
#include "vault/slab.h"
#include "vault/slot.h"

#define SLOT 70000

static uint8_t keyring[16];
static uint8_t slab[16];
static long allocations = 0;

static void *
counting_malloc(size_t n, const char *file, int line)
{
	allocations++;
	return malloc(n);
}

static void *
counting_realloc(void *p, size_t n, const char *file, int line)
{
	allocations++;
	return realloc(p, n);
}

static void
counting_free(void *p, const char *file, int line)
{
	free(p);
}

static void
flip(uint8_t *p, size_t bit)
{
	p[bit / 8] ^= (uint8_t) (1 << bit % 8);
}

/* Numbers of a fixed sequence, so that a failure comes back. */
static uint32_t
next_number(void)
{
	static uint64_t state = 20260101;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (state >> 33);
}

/* ---- random bytes and nonces */

static int
compare_nonces(const void *a, const void *b)
{
	return memcmp(a, b, 12);
}

static void
test_random(void)
{
	enum
	{
		COUNT = 1000000
	};
	uint8_t *nonces = malloc((size_t) COUNT * 12);
	uint8_t key[32] = {9};
	uint8_t sealed[76];
	uint8_t mine[64];
	uint8_t childs[64];
	LarasSealedHeader h = {.field = LARAS_FIELD_channel_token_token, .w = 65536, .s = SLOT};
	int repeated = 0;
	int fds[2];
	bool good = true;
	pid_t pid;

	for (int i = 0; i < COUNT; i++)
	{
		good = good && laras_sealed_seal(key, &h, 7, i, "token", 5, NULL, sealed);
		memcpy(nonces + (size_t) i * 12, sealed + 16, 12);
	}
	qsort(nonces, COUNT, 12, compare_nonces);
	for (int i = 1; i < COUNT; i++)
		if (memcmp(nonces + (size_t) i * 12, nonces + (size_t) (i - 1) * 12, 12) == 0)
			repeated++;
	ok(good && repeated == 0, "a million seals take a million nonces");
	free(nonces);

	/* The buffer is half used now: a child must not go on with the same half. */
	if (pipe(fds) != 0 || !laras_random_bytes(mine, 8) || (pid = fork()) < 0)
	{
		ok(false, "fork");
		return;
	}
	if (pid == 0)
	{
		if (!laras_random_bytes(childs, sizeof(childs)) ||
			write(fds[1], childs, sizeof(childs)) != sizeof(childs))
			_exit(1);
		/* and its contexts must work */
		_exit(laras_sealed_seal(key, &h, 7, 1, "token", 5, NULL, sealed) ? 0 : 1);
	}
	good = laras_random_bytes(mine, sizeof(mine)) &&
		   read(fds[0], childs, sizeof(childs)) == sizeof(childs);
	waitpid(pid, &fds[0], 0);
	ok(good && fds[0] == 0 && memcmp(mine, childs, sizeof(mine)) != 0,
	   "a child process draws other random bytes than its parent");
}

/* ---- values */

static const char text[] = "+62 812-3456-789 halo";

typedef struct Sealed
{
	uint8_t w[32];
	uint8_t s[32];
	uint8_t prk[32];
	uint8_t key[32];
	uint8_t seed[32];
	uint8_t public_key[32];
	uint8_t value[256];
	size_t n;
	uint8_t box[256];
	size_t box_n;
	uint8_t transport[256];
	size_t transport_n;
} Sealed;

static const LarasSealedPlace home = {7, 4242, LARAS_FIELD_message_body};

static bool
seal_all(Sealed *x)
{
	LarasSealedHeader h = {.field = home.field, .keyring = 3, .w = 65536, .s = SLOT};

	memset(x->w, 0x22, 32);
	memset(x->s, 0x33, 32);
	memset(x->seed, 0x55, 32);
	x->n = laras_sealed_size(LARAS_SUITE_VALUE, strlen(text));
	x->box_n = laras_sealed_size(LARAS_SUITE_BOX, strlen(text));
	x->transport_n = laras_transport_size(strlen(text));
	return laras_derive_prk(x->w, x->s, x->prk) &&
		   laras_derive_seal(x->prk, keyring, h.w, h.s, x->key) &&
		   laras_x25519_public(x->seed, x->public_key) &&
		   laras_sealed_seal(x->key, &h, home.workspace_id, home.row_id, text, strlen(text), NULL,
							 x->value) &&
		   laras_box_seal(x->prk, keyring, x->public_key, &h, home.workspace_id, home.row_id, text,
						  strlen(text), NULL, NULL, x->box) &&
		   laras_transport_seal(keyring, x->public_key, text, strlen(text), NULL, NULL,
								x->transport);
}

/* Open a value the way the server does: keys from the slots that it names. */
static bool
opens(const Sealed *x, const uint8_t *uuid, const uint8_t *v, size_t n, LarasSealedPlace place)
{
	LarasSealedHeader h;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint8_t prk[32];
	uint8_t key[32];
	uint8_t out[512];
	size_t len = 0;
	bool good;

	if (!laras_sealed_parse(v, n, &h))
		return false;
	if (!laras_derive_prk(x->w, x->s, prk) || !laras_derive_seal(prk, uuid, h.w, h.s, key))
		abort();
	memset(out, 0xEE, sizeof(out));
	if (h.suite == LARAS_SUITE_VALUE)
		good = laras_sealed_open(key, v, n, &place, out, &len, &err);
	else
		good = laras_box_open(prk, uuid, x->seed, x->public_key, v, n, &place, out, &len, &err);
	if (good)
		return len == strlen(text) && memcmp(out, text, len) == 0;
	if (err.code != LARAS_KEYERR_FOREIGN_VALUE)
		abort();
	/* Whatever was refused must not have left its text behind. */
	if (memmem(out, sizeof(out), text, strlen(text)) != NULL)
		abort();
	return false;
}

static bool
transport_opens(const Sealed *x, const uint8_t *uuid, const uint8_t *v, size_t n)
{
	uint8_t out[512];
	size_t len;

	return laras_transport_open(uuid, x->seed, x->public_key, v, n, out, &len, NULL) &&
		   len == strlen(text) && memcmp(out, text, len) == 0;
}

static int
flips_that_open(const Sealed *x, uint8_t *v, size_t n)
{
	int opened = 0;

	for (size_t bit = 0; bit < n * 8; bit++)
	{
		flip(v, bit);
		opened += opens(x, keyring, v, n, home);
		flip(v, bit);
	}
	return opened;
}

static int
lengths_that_open(const Sealed *x, const uint8_t *v, size_t n)
{
	uint8_t copy[512] = {0};
	int opened = 0;

	memcpy(copy, v, n);
	for (size_t len = 0; len < sizeof(copy); len++)
		if (len != n)
			opened += opens(x, keyring, copy, len, home);
	return opened;
}

/* Moved: to another place, other slots, another keyring. */
static void
test_moves(const Sealed *x, const uint8_t *value, size_t n, const char *suite)
{
	static const uint8_t other_keyring[16] = {0xA1};
	LarasSealedPlace place;
	uint8_t v[256];
	int opened = 0;
	Sealed other = *x;

	ok(opens(x, keyring, value, n, home), "%s: opens where it belongs", suite);
	for (int64_t d = -64; d <= 64; d++)
	{
		if (d == 0)
			continue;
		place = home;
		place.row_id += d;
		opened += opens(x, keyring, value, n, place);
		place = home;
		place.workspace_id += d;
		opened += opens(x, keyring, value, n, place);
		place = home;
		place.field = (uint16_t) (place.field + d);
		opened += opens(x, keyring, value, n, place);
	}
	place = (LarasSealedPlace){home.row_id, home.workspace_id, home.field};
	opened += opens(x, keyring, value, n, place);
	ok(opened == 0, "%s: does not open in another row, workspace or field", suite);

	/* The field is stated and also written into the value to match. */
	opened = 0;
	for (uint16_t field = 1; field < 64; field++)
	{
		if (field == home.field)
			continue;
		memcpy(v, value, n);
		laras_put16(v + 2, field);
		place = home;
		place.field = field;
		opened += opens(x, keyring, v, n, place);
	}
	for (uint32_t slot = 0; slot < 64; slot++)
	{
		memcpy(v, value, n);
		laras_put32(v + 8, 65537 + slot);
		opened += opens(x, keyring, v, n, home);
		memcpy(v, value, n);
		laras_put32(v + 12, SLOT + 1 + slot);
		opened += opens(x, keyring, v, n, home);
		memcpy(v, value, n);
		laras_put16(v + 4, (uint16_t) (4 + slot));
		opened += opens(x, keyring, v, n, home);
	}
	memcpy(v, value, n);
	laras_put32(v + 8, SLOT);
	laras_put32(v + 12, 65536);
	opened += opens(x, keyring, v, n, home);
	ok(opened == 0, "%s: does not open with its header rewritten", suite);

	ok(!opens(x, other_keyring, value, n, home), "%s: does not open under another keyring", suite);
	other.w[0] ^= 1;
	ok(!opens(&other, keyring, value, n, home),
	   "%s: does not open under another workspace's secret", suite);
	other = *x;
	other.s[31] ^= 1;
	ok(!opens(&other, keyring, value, n, home), "%s: does not open under another subject's secret",
	   suite);
	memcpy(other.s, x->w, 32);
	memcpy(other.w, x->s, 32);
	ok(!opens(&other, keyring, value, n, home), "%s: does not open with the two secrets exchanged",
	   suite);
}

static void
test_values(void)
{
	Sealed x;
	Sealed y;
	uint8_t v[256];
	uint8_t out[512];
	uint8_t zeros[32] = {0};
	size_t len;
	int opened = 0;
	LarasSealedHeader h = {.field = home.field, .keyring = 3, .w = 65536, .s = SLOT};
	LarasKeyError err = LARAS_KEYERROR_INIT;

	if (!ok(seal_all(&x) && seal_all(&y), "values are sealed"))
		return;
	ok(memmem(x.value, x.n, text, 4) == NULL && memmem(x.box, x.box_n, text, 4) == NULL,
	   "nothing of the text shows");
	ok(memcmp(x.value + 28, y.value + 28, x.n - 28) != 0, "the same text sealed twice differs");
	ok(flips_that_open(&x, x.value, x.n) == 0, "suite 1: none of %zu flipped bits opens", x.n * 8);
	ok(flips_that_open(&x, x.box, x.box_n) == 0, "suite 2: none of %zu flipped bits opens",
	   x.box_n * 8);
	ok(lengths_that_open(&x, x.value, x.n) == 0, "suite 1: cut or continued it does not open");
	ok(lengths_that_open(&x, x.box, x.box_n) == 0, "suite 2: cut or continued it does not open");
	test_moves(&x, x.value, x.n, "suite 1");
	test_moves(&x, x.box, x.box_n, "suite 2");

	/* Two rows' ciphertexts exchanged, with and without their nonces. */
	if (!laras_sealed_seal(x.key, &h, 7, 4243, text, strlen(text), NULL, y.value))
		abort();
	ok(!opens(&x, keyring, y.value, x.n, home), "two values exchanged between rows do not open");
	memcpy(v, x.value, 28);
	memcpy(v + 28, y.value + 28, x.n - 28);
	ok(!opens(&x, keyring, v, x.n, home), "nor a foreign ciphertext under its own header");

	/* A box for somebody else's courier, a box with no secret at all. */
	memcpy(y.seed, x.seed, 32);
	y.seed[5] ^= 4;
	ok(laras_x25519_public(y.seed, y.public_key) &&
		   !laras_box_open(x.prk, keyring, y.seed, y.public_key, x.box, x.box_n, &home, out, &len,
						   &err) &&
		   err.code == LARAS_KEYERR_FOREIGN_VALUE,
	   "another courier does not open a box");
	memcpy(v, x.box, x.box_n);
	memcpy(v + 16, zeros, 32);
	ok(!opens(&x, keyring, v, x.box_n, home), "an ephemeral key of zeros is refused");
	ok(!laras_box_seal(x.prk, keyring, zeros, &h, 7, 1, text, 3, NULL, NULL, v),
	   "and so is a courier key of zeros");

	ok(transport_opens(&x, keyring, x.transport, x.transport_n), "a transport box opens");
	for (size_t bit = 0; bit < x.transport_n * 8; bit++)
	{
		flip(x.transport, bit);
		opened += transport_opens(&x, keyring, x.transport, x.transport_n);
		flip(x.transport, bit);
	}
	for (len = 0; len < x.transport_n; len++)
		opened += transport_opens(&x, keyring, x.transport, len);
	opened += transport_opens(&x, slab, x.transport, x.transport_n);
	ok(opened == 0, "altered, cut, or for another keyring it does not");

	/* 10,000 random attacks: bits flipped anywhere, places moved at random. */
	opened = 0;
	for (int i = 0; i < 10000; i++)
	{
		LarasSealedPlace place = home;
		bool box = next_number() % 2;
		size_t n = box ? x.box_n : x.n;

		memcpy(v, box ? x.box : x.value, n);
		for (uint32_t k = 0; k < 1 + next_number() % 4; k++)
			v[next_number() % n] ^= (uint8_t) (1 + next_number() % 255);
		if (memcmp(v, box ? x.box : x.value, n) == 0)
			place.row_id++;
		if (next_number() % 2)
			place.row_id = next_number();
		opened += opens(&x, keyring, v, n, place);
	}
	ok(opened == 0, "none of 10,000 random alterations and moves opens");
}

static void
test_padding(void)
{
	uint8_t buf[4096];
	uint8_t value[4096];
	uint8_t sealed[8192];
	uint8_t key[32] = {1};
	LarasSealedHeader h = {.field = 17, .w = 65536, .s = SLOT};
	LarasSealedPlace place = {1, 2, 17};
	size_t n;
	bool good = true;
	int wrong = 0;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t) (i % 3 == 0 ? 0x80 : 0);
	for (size_t len = 0; len <= 3000; len++)
	{
		size_t m;
		LarasSealedHeader parsed;

		memcpy(buf, value, len);
		m = laras_pad(buf, len);
		good = good && m == laras_padded_len(len) && m > len && laras_padded_len(m - 1) == m &&
			   laras_unpad(buf, m, &n) && n == len;
		good = good && laras_sealed_seal(key, &h, 1, 2, value, len, NULL, sealed) &&
			   laras_sealed_parse(sealed, laras_sealed_size(1, len), &parsed) &&
			   laras_sealed_open(key, sealed, laras_sealed_size(1, len), &place, buf, &n, NULL) &&
			   n == len && memcmp(buf, value, n) == 0;
	}
	ok(good, "values of 0 to 3,000 bytes come back, their own 0x80 and zeros included");
	memset(buf, 0, 64);
	ok(!laras_unpad(buf, 64, &n) && !laras_unpad(buf, 0, &n),
	   "a padding without its mark is refused");
	for (size_t len = 0; len < 20000; len++)
	{
		LarasSealedHeader parsed;

		/* Which lengths parse? Exactly those that padding makes. */
		bool valid = len >= 28 + 32 + 16 && laras_padded_len(len - 44 - 1) == len - 44;
		uint8_t head[20000] = {1, 1, 0, 17};

		wrong += laras_sealed_parse(head, len, &parsed) != valid;
	}
	ok(wrong == 0, "a length that padding does not make is no sealed value");
	ok(laras_sealed_size(1, LARAS_SEALED_MAX_PLAIN) > 0 &&
		   laras_sealed_size(1, LARAS_SEALED_MAX_PLAIN + 1) == 0 && laras_sealed_size(3, 1) == 0,
	   "the largest value, and one byte more");
}

static void
test_base64(void)
{
	static const char *const bad[] = {"laras-box:",
									  "laras-box:AAA",
									  "laras-box:AAA=AAAA",
									  "laras-box:AAAA=",
									  "laras-box:AA==AAAA",
									  "laras-box:A===",
									  "laras-box:====",
									  "laras-box:AAB=",
									  "laras-box:AB==",
									  "laras-box:AA A",
									  "laras-box:AA-_",
									  "laras-bix:AAAA",
									  "AAAA"};
	uint8_t out[64];
	size_t n;
	int accepted = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		accepted += laras_transport_decode(bad[i], strlen(bad[i]), out, &n);
	ok(accepted == 0, "base64 that is not strict is refused");
	ok(laras_transport_decode("laras-box:aGFsbw==", 18, out, &n) && n == 4 &&
		   memcmp(out, "halo", 4) == 0,
	   "and what is strict is read");
}

/* ---- slots */

static LarasWrapSet keys;
static LarasWrapSet no_keys;

static void
make_slot(uint8_t *raw, uint16_t epoch, const uint8_t *secret)
{
	LarasSlotPlace place = {keyring, slab, SLOT};
	const uint8_t *wrap = laras_wrap_find(&keys, LARAS_DOMAIN_CONTENT, epoch);
	static const uint8_t unknown[32] = {0x77};

	if (!laras_slot_seal(&place, LARAS_DOMAIN_CONTENT, epoch, wrap != NULL ? wrap : unknown, NULL,
						 secret, raw))
		abort();
}

static void
make_tomb(uint8_t *raw, int64_t time)
{
	LarasSlotPlace place = {keyring, slab, SLOT};
	LarasTomb tomb = {.reason = LARAS_REASON_ERASURE, .time = time};

	memset(tomb.order, 0xC0, 16);
	if (!laras_slot_bury(&place, &tomb, raw))
		abort();
}

static LarasSlotState
state_of(const uint8_t *raw)
{
	LarasSlotPlace place = {keyring, slab, SLOT};
	uint8_t secret[32];

	return laras_slot_open(&place, raw, &keys, LARAS_DOMAIN_CONTENT, secret);
}

static void
test_slots(void)
{
	static const uint8_t other[16] = {0xB1};
	uint8_t secret[32];
	uint8_t opened[32];
	uint8_t live[64];
	uint8_t tomb[64];
	uint8_t raw[64];
	LarasTomb said;
	LarasSlotPlace place = {keyring, slab, SLOT};
	int wrong;
	int alive = 0;
	int buried = 0;

	memset(secret, 0x44, 32);
	make_slot(live, 1, secret);
	make_tomb(tomb, 1000);
	ok(laras_slot_open(&place, live, &keys, 0, opened) == LARAS_SLOT_LIVE &&
		   memcmp(opened, secret, 32) == 0,
	   "a live slot opens to its secret");
	ok(laras_slot_look(&place, tomb, &said) == LARAS_SLOT_DESTROYED && said.time == 1000 &&
		   said.reason == LARAS_REASON_ERASURE && said.order[15] == 0xC0,
	   "a tomb is known without any key");
	ok(laras_slot_open(&place, live, &no_keys, 0, opened) == LARAS_SLOT_WRAPPED &&
		   laras_slot_look(&place, live, NULL) == LARAS_SLOT_WRAPPED,
	   "without a key a live slot is only wrapped");

	wrong = 0;
	for (size_t bit = 0; bit < 512; bit++)
	{
		memcpy(raw, live, 64);
		flip(raw, bit);
		alive += state_of(raw) == LARAS_SLOT_LIVE;
		buried += state_of(raw) == LARAS_SLOT_DESTROYED;
		memcpy(raw, tomb, 64);
		flip(raw, bit);
		wrong += state_of(raw) != LARAS_SLOT_DAMAGED;
	}
	ok(alive == 0 && buried == 0,
	   "no flipped bit of a live slot leaves it live, nor makes it destroyed");
	ok(wrong == 0, "every flipped bit of a tomb makes it damaged");

	memset(raw, 0, 64);
	ok(state_of(raw) == LARAS_SLOT_DAMAGED &&
		   laras_slot_look(&place, raw, NULL) == LARAS_SLOT_DAMAGED,
	   "zeros are damage, not an erasure");
	memset(raw, 0xFF, 64);
	ok(state_of(raw) == LARAS_SLOT_DAMAGED, "and so are ones");
	memset(raw, 0xDD, 64);
	ok(state_of(raw) == LARAS_SLOT_DAMAGED, "and a block of marks");

	wrong = 0;
	for (size_t cut = 1; cut < 64; cut++)
	{
		memcpy(raw, tomb, cut);
		memcpy(raw + cut, live + cut, 64 - cut);
		wrong += state_of(raw) == LARAS_SLOT_LIVE || state_of(raw) == LARAS_SLOT_DESTROYED;
		memcpy(raw, live, cut);
		memcpy(raw + cut, tomb + cut, 64 - cut);
		wrong += state_of(raw) == LARAS_SLOT_LIVE || state_of(raw) == LARAS_SLOT_DESTROYED;
		memset(raw, 0, 64);
		memcpy(raw, tomb, cut);
		wrong += state_of(raw) == LARAS_SLOT_DESTROYED;
		memset(raw, 0, 64);
		memcpy(raw + cut, tomb + cut, 64 - cut);
		wrong += state_of(raw) == LARAS_SLOT_DESTROYED;
	}
	ok(wrong == 0, "a slot torn at any byte is damaged");

	wrong = 0;
	for (uint32_t id = SLOT - 200; id < SLOT + 200; id++)
	{
		place.id = id;
		if (id == SLOT)
			continue;
		wrong += laras_slot_open(&place, live, &keys, 0, NULL) != LARAS_SLOT_DAMAGED;
		wrong += laras_slot_look(&place, tomb, NULL) != LARAS_SLOT_DAMAGED;
		memcpy(raw, tomb, 64);
		laras_put32(raw + 4, id);
		wrong += laras_slot_look(&place, raw, NULL) != LARAS_SLOT_DAMAGED;
	}
	ok(wrong == 0, "a slot copied to another index is damaged there, a tomb too");
	place = (LarasSlotPlace){keyring, other, SLOT};
	ok(laras_slot_open(&place, live, &keys, 0, NULL) == LARAS_SLOT_DAMAGED &&
		   laras_slot_look(&place, tomb, NULL) == LARAS_SLOT_DAMAGED,
	   "and in another slab");
	place = (LarasSlotPlace){other, slab, SLOT};
	ok(laras_slot_open(&place, live, &keys, 0, NULL) == LARAS_SLOT_DAMAGED &&
		   laras_slot_look(&place, tomb, NULL) == LARAS_SLOT_DAMAGED,
	   "and in another keyring");
	place = (LarasSlotPlace){keyring, slab, SLOT};
	ok(laras_slot_open(&place, live, &keys, LARAS_DOMAIN_COURIER, NULL) == LARAS_SLOT_DAMAGED,
	   "a content secret does not stand in for the courier's");
	memcpy(raw, live, 64);
	raw[3] = 2;
	ok(state_of(raw) == LARAS_SLOT_DAMAGED, "the epoch is covered by the tag");
	raw[3] = 9;
	ok(state_of(raw) == LARAS_SLOT_WRAPPED, "an epoch whose key is gone is not called damaged");
	raw[2] = raw[3] = 0;
	ok(state_of(raw) == LARAS_SLOT_DAMAGED, "there is no epoch 0");
}

/* ---- merging */

enum
{
	LIVE_A,
	LIVE_B,
	LIVE_NEXT,
	LIVE_OTHER,
	TOMB_EARLY,
	TOMB_LATE,
	ZEROS,
	JUNK,
	UNKNOWN_EPOCH,
	ABSENT,
	SHAPES
};
static const char *const shape_names[SHAPES] = {"live",
												"live sealed anew",
												"live of the next epoch",
												"live with another secret",
												"destroyed",
												"destroyed later",
												"zeros",
												"junk",
												"live of an unknown epoch",
												"absent"};

static bool
is_live(int shape)
{
	return shape <= LIVE_OTHER;
}

/* The rule of the specification, written down as who wins: -1 undecided, -2 conflict. */
static int
winner(int a, int b)
{
	if (a == b)
		return a == ZEROS || a == JUNK || a == UNKNOWN_EPOCH || a == ABSENT ? -1 : a;
	if (a == TOMB_EARLY || b == TOMB_EARLY)
		return TOMB_EARLY;
	if (a == TOMB_LATE || b == TOMB_LATE)
		return TOMB_LATE;
	if (is_live(a) && is_live(b))
	{
		if (a == LIVE_OTHER || b == LIVE_OTHER)
			return -2;
		if (a == LIVE_NEXT || b == LIVE_NEXT)
			return LIVE_NEXT;
		return LIVE_A; /* made to have the smaller bytes */
	}
	if (is_live(a))
		return a;
	if (is_live(b))
		return b;
	return -1;
}

static void
test_merges(void)
{
	uint8_t bytes[SHAPES][64];
	uint8_t secret[32];
	uint8_t other[32];
	LarasSlotPlace place = {keyring, slab, SLOT};
	int wrong_order = 0;

	memset(secret, 0x44, 32);
	memset(other, 0x45, 32);
	make_slot(bytes[LIVE_A], 1, secret);
	do
		make_slot(bytes[LIVE_B], 1, secret);
	while (memcmp(bytes[LIVE_B], bytes[LIVE_A], 64) <= 0);
	make_slot(bytes[LIVE_NEXT], 2, secret);
	make_slot(bytes[LIVE_OTHER], 1, other);
	make_tomb(bytes[TOMB_EARLY], 1000);
	make_tomb(bytes[TOMB_LATE], 2000);
	memset(bytes[ZEROS], 0, 64);
	memset(bytes[JUNK], 0x5A, 64);
	make_slot(bytes[UNKNOWN_EPOCH], 9, secret);

	for (int a = 0; a < SHAPES; a++)
		for (int b = 0; b < SHAPES; b++)
		{
			LarasSlotState state;
			LarasMerge m = laras_slot_merge(&place, a == ABSENT ? NULL : bytes[a],
											b == ABSENT ? NULL : bytes[b], &keys, &state);
			LarasMerge turned = laras_slot_merge(&place, b == ABSENT ? NULL : bytes[b],
												 a == ABSENT ? NULL : bytes[a], &keys, NULL);
			int w = winner(a, b);
			LarasMerge expected = w == -2                 ? LARAS_MERGE_CONFLICT
								  : a == b && a != ABSENT ? LARAS_MERGE_SAME
								  : w == -1               ? LARAS_MERGE_NEITHER
								  : w == a                ? LARAS_MERGE_TAKE_A
														  : LARAS_MERGE_TAKE_B;
			LarasSlotState expected_state = w >= 0 && is_live(w) ? LARAS_SLOT_LIVE
											: w == TOMB_EARLY || w == TOMB_LATE
												? LARAS_SLOT_DESTROYED
											: w == -2                    ? LARAS_SLOT_LIVE
											: a == ABSENT && b == ABSENT ? LARAS_SLOT_ABSENT
																		 : LARAS_SLOT_DAMAGED;

			ok(m == expected && state == expected_state, "%s meets %s", shape_names[a],
			   shape_names[b]);
			if (m == LARAS_MERGE_TAKE_A   ? turned != LARAS_MERGE_TAKE_B
				: m == LARAS_MERGE_TAKE_B ? turned != LARAS_MERGE_TAKE_A
										  : turned != m)
				wrong_order++;
		}
	ok(wrong_order == 0, "it does not matter which mirror is asked first");
	ok(laras_slot_merge(&place, bytes[LIVE_A], bytes[UNKNOWN_EPOCH], &(LarasWrapSet){0}, NULL) ==
			   LARAS_MERGE_NEEDS_KEY &&
		   laras_slot_merge(&place, bytes[LIVE_A], bytes[ZEROS], &(LarasWrapSet){0}, NULL) ==
			   LARAS_MERGE_NEEDS_KEY,
	   "before the master key is there nothing live is told apart");
}

/* ---- numbers, scatter, commit path */

static void
test_numbers(void)
{
	static const uint8_t key[32] = {1};
	static bool seen[65536];
	int repeated = 0;
	const LarasNumber *const lists[] = {laras_field_numbers, laras_index_kinds,
										laras_destroy_reasons, laras_data_classes};

	for (int i = 0; i < 4; i++)
	{
		memset(seen, 0, sizeof(seen));
		for (const LarasNumber *n = lists[i]; n->number != 0; n++)
		{
			repeated += seen[n->number];
			seen[n->number] = true;
			for (const LarasNumber *m = lists[i]; m != n; m++)
				repeated += strcmp(m->name, n->name) == 0 && strcmp(m->text, n->text) == 0;
		}
	}
	ok(repeated == 0, "no number and no name stands twice in numbers.def");
	ok(LARAS_FIELD_message_body == 17 && LARAS_INDEX_PHONE == 1 && LARAS_REASON_ROLLED_BACK == 7,
	   "the numbers of the published vectors");
	for (uint16_t k = 1; k <= 64; k++)
		if (laras_index_kind_has_channel(k) !=
			((k >= 10 && k <= 12) || k == 14 || k == 15 || k == 32 || k == 34))
			repeated++;
	ok(repeated == 0, "kinds 10 to 12, 14, 15, 32 and 34 hash the channel, no others");
	ok(!laras_blind_hash(key, LARAS_INDEX_PHONE, "whatsapp", "x", 1, (uint8_t[16]){0}) &&
		   !laras_blind_hash(key, LARAS_INDEX_ACCOUNT, NULL, "x", 1, (uint8_t[16]){0}),
	   "a hash with a channel too many or too few is refused");
}

static void
test_scatter(void)
{
	static const uint64_t windows[] = {0, 1, 77, 65534};
	static bool seen[65536];
	int wrong = 0;
	int neighbours = 0;
	uint32_t slot = 0;
	uint32_t before = 0;

	for (int w = 0; w < 4; w++)
	{
		memset(seen, 0, sizeof(seen));
		for (uint64_t i = 0; i < 65536; i++)
		{
			uint64_t back = 0;

			if (!laras_position_slot(keyring, windows[w] * 65536 + i, &slot) ||
				slot / 65536 != windows[w] + 1 || seen[slot % 65536] ||
				!laras_slot_position(keyring, slot, &back) || back != windows[w] * 65536 + i)
				wrong++;
			seen[slot % 65536] = true;
			neighbours += slot == before + 1;
			before = slot;
		}
	}
	ok(wrong == 0, "positions and slots are a bijection inside every window");
	ok(neighbours < 40, "and neighbours are scattered");
	ok(!laras_position_slot(keyring, UINT64_C(65535) * 65536, &slot) &&
		   !laras_slot_position(keyring, 65535, &(uint64_t){0}),
	   "no slot beyond the last, none below the first");
}

/* What a commit callback does must not allocate. */
static void
test_allocations(void)
{
	LarasSlotPlace place = {keyring, slab, SLOT};
	LarasTomb tomb = {.reason = 1, .time = 1};
	LarasJournalTail tail;
	LarasJournalRecord rec = {.kind = LARAS_JOURNAL_DESTROY, .first = SLOT, .count = 1};
	uint8_t raw[64];
	long before;

	laras_journal_start(keyring, &tail);
	before = allocations;
	for (int i = 0; i < 1000; i++)
		if (!laras_slot_bury(&place, &tomb, raw) || !laras_journal_encode(&tail, &rec, raw))
			abort();
	ok(before > 0 && allocations == before,
	   "burying a slot and writing its record allocate nothing");
}

int
main(void)
{
	/* Before anything of the library is used, or it refuses. */
	if (CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free) != 1)
		return 1;
	memset(keyring, 0xA0, sizeof(keyring));
	memset(slab, 0xB0, sizeof(slab));
	for (uint16_t e = 1; e <= 2; e++)
	{
		keys.wrap[keys.n].domain = LARAS_DOMAIN_CONTENT;
		keys.wrap[keys.n].epoch = e;
		memset(keys.wrap[keys.n++].key, e, 32);
	}
	keys.wrap[keys.n] = keys.wrap[0];
	keys.wrap[keys.n++].domain = LARAS_DOMAIN_COURIER;
	test_random();
	test_allocations();
	test_values();
	test_padding();
	test_base64();
	test_slots();
	test_merges();
	test_numbers();
	test_scatter();
	return tap_done();
}
