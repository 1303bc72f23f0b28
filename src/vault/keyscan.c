/*
 * keyscan.c
 *		Looking for sealed values in raw bytes.
 *
 * What decides is whether both secrets of a value's pair can still be had: who
 * has them derives the key and reads the text, whatever the place and the tag
 * say.  So a value is "readable" already where both slots are live, also where
 * only a piece of it is there (the first chunk of a toasted value, a record
 * cut by a page), and "opens" where, beyond that, its tag holds at a place that
 * was named.
 */
#include "vault/keyscan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "vault/bytes.h"
#include "vault/numbers.h"

#define WAL_PAGE 8192
#define WAL_SHORT 24 /* page header of PostgreSQL 15 to 18 */
#define WAL_LONG 40
#define WAL_LONG_FLAG 0x0002 /* in xlp_info */
#define LONGEST_TRIED (1024 * 1024)
#define SHOWN 32
#define CACHED 4096

/* Secrets already looked up: scanning meets the same few slots again and again. */
typedef struct CachedSlot
{
	bool used;
	uint32_t slot;
	LarasSlotState state;
	uint8_t secret[LARAS_KEY_LEN];
} CachedSlot;

static CachedSlot cache[CACHED];

static LarasSlotState
get_secret(LarasKeyholder *holder, uint32_t slot, uint8_t secret[LARAS_KEY_LEN])
{
	CachedSlot *c = &cache[slot % CACHED];
	LarasMirrorMask repair;

	if (!c->used || c->slot != slot)
	{
		c->slot = slot;
		c->state = laras_mirrors_read(&holder->mirrors, 1, slot, &holder->wraps,
									  LARAS_DOMAIN_CONTENT, c->secret, &repair, NULL);
		c->used = true;
	}
	if (c->state == LARAS_SLOT_LIVE)
		memcpy(secret, c->secret, LARAS_KEY_LEN);
	return c->state;
}

static bool
get_prk(LarasKeyholder *holder, const LarasSealedHeader *h, uint8_t prk[LARAS_KEY_LEN],
		LarasSlotState *w_state, LarasSlotState *s_state)
{
	uint8_t w[LARAS_KEY_LEN];
	uint8_t s[LARAS_KEY_LEN];
	bool ok;

	*w_state = get_secret(holder, h->w, w);
	*s_state = get_secret(holder, h->s, s);
	ok = *w_state == LARAS_SLOT_LIVE && *s_state == LARAS_SLOT_LIVE && laras_derive_prk(w, s, prk);
	laras_wipe(w, sizeof(w));
	laras_wipe(s, sizeof(s));
	return ok;
}

/* The AES key of a value of either suite; false where the courier's is wanting. */
static bool
get_key(LarasKeyholder *holder, const uint8_t *prk, const LarasSealedHeader *h, const uint8_t *v,
		uint8_t key[LARAS_KEY_LEN])
{
	uint8_t shared[LARAS_KEY_LEN];
	bool ok;

	if (h->suite == LARAS_SUITE_VALUE)
		return laras_derive_seal(prk, holder->keyring.uuid, h->w, h->s, key);
	if (!holder->has_courier)
		return false;
	ok = laras_x25519(holder->courier_seed, v + 16, shared) &&
		 laras_derive_box(prk, shared, v + 16, holder->keyring.courier_public, holder->keyring.uuid,
						  h->w, h->s, key);
	laras_wipe(shared, sizeof(shared));
	return ok;
}

/* Decrypt without asking for the tag, as anybody who has the key may. */
static bool
peek(const uint8_t *key, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;
	bool ok;

	ok = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
		 EVP_DecryptUpdate(ctx, out, &len, in, (int) n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* Does the value open at one of the places?  key is that of its suite. */
static bool
try_places(const LarasKeyholder *holder, const uint8_t *prk, const uint8_t *key,
		   const LarasSealedHeader *h, const uint8_t *v, size_t n, const LarasPlaces *places,
		   LarasSealedPlace *which, uint8_t *out, size_t *outlen)
{
	for (size_t i = 0; i < places->n; i++)
	{
		LarasSealedPlace place = places->place[i];

		if (place.field == 0)
			place.field = h->field;
		if (h->suite == LARAS_SUITE_VALUE
				? laras_sealed_open(key, v, n, &place, out, outlen, NULL)
				: laras_box_open(prk, holder->keyring.uuid, holder->courier_seed,
								 holder->keyring.courier_public, v, n, &place, out, outlen, NULL))
		{
			*which = place;
			return true;
		}
	}
	return false;
}

LarasVerdict
laras_keyscan_open(LarasKeyholder *holder, const uint8_t *v, size_t n, const LarasPlaces *places,
				   LarasSlotState *w_state, LarasSlotState *s_state, LarasSealedPlace *which,
				   uint8_t *out, size_t *outlen)
{
	LarasSealedHeader h;
	uint8_t prk[LARAS_KEY_LEN];
	uint8_t key[LARAS_KEY_LEN];
	LarasVerdict verdict = LARAS_VERDICT_CLOSED;

	*w_state = *s_state = LARAS_SLOT_ABSENT;
	if (!laras_sealed_parse(v, n, &h) || h.keyring != holder->keyring.number)
		return LARAS_VERDICT_CLOSED;
	if (get_prk(holder, &h, prk, w_state, s_state) && get_key(holder, prk, &h, v, key))
		verdict = try_places(holder, prk, key, &h, v, n, places, which, out, outlen)
					  ? LARAS_VERDICT_OPENS
					  : LARAS_VERDICT_READABLE;
	laras_wipe(prk, sizeof(prk));
	laras_wipe(key, sizeof(key));
	return verdict;
}

static bool
is_known_field(uint16_t field)
{
	for (const LarasNumber *f = laras_field_numbers; f->number != 0; f++)
		if (f->number == field)
			return true;
	return false;
}

/* Could a sealed value of this keyring begin here? */
static bool
looks_sealed(const LarasKeyholder *holder, const uint8_t *v, size_t left, LarasSealedHeader *h)
{
	if (left < LARAS_SEALED_VALUE_HEADER + 1 || v[0] != LARAS_SEALED_FORMAT ||
		(v[1] != LARAS_SUITE_VALUE && v[1] != LARAS_SUITE_BOX) ||
		(v[1] == LARAS_SUITE_BOX && left < LARAS_SEALED_BOX_HEADER + 1) ||
		laras_get16(v + 4) != holder->keyring.number || v[6] != 0 || v[7] != 0)
		return false;
	h->suite = v[1];
	h->field = laras_get16(v + 2);
	h->keyring = laras_get16(v + 4);
	h->w = laras_get32(v + 8);
	h->s = laras_get32(v + 12);
	return (h->w == LARAS_SLOT_PLATFORM || h->w >= LARAS_SLOT_FIRST_LEASED) &&
		   ((h->s >= LARAS_SLOT_FIRST_APP && h->s < LARAS_SLOTS_PER_SLAB) ||
			h->s >= LARAS_SLOT_FIRST_LEASED) &&
		   is_known_field(h->field);
}

static const char *
state_text(LarasSlotState state)
{
	switch (state)
	{
		case LARAS_SLOT_LIVE:
			return "live";
		case LARAS_SLOT_DESTROYED:
			return "destroyed";
		case LARAS_SLOT_DAMAGED:
			return "damaged";
		case LARAS_SLOT_WRAPPED:
			return "wrapped";
		case LARAS_SLOT_ABSENT:
			break;
	}
	return "absent";
}

static void
print_hex(const uint8_t *p, size_t n)
{
	if (n == 0)
		putchar('-');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('\n');
}

/*
 * One candidate.  Its length is not known: every length that padding produces
 * is tried whose decrypted end looks padded, which costs one decryption for all.
 */
static void
try_candidate(LarasKeyholder *holder, const LarasSealedHeader *h, const uint8_t *v, size_t left,
			  const LarasPlaces *places, const char *stream, size_t offset)
{
	size_t head =
		h->suite == LARAS_SUITE_VALUE ? LARAS_SEALED_VALUE_HEADER : LARAS_SEALED_BOX_HEADER;
	size_t body = left - head;
	uint8_t prk[LARAS_KEY_LEN];
	uint8_t key[LARAS_KEY_LEN];
	LarasSlotState w_state;
	LarasSlotState s_state;
	LarasSealedPlace which = {0, 0, 0};
	uint8_t *plain = NULL;
	uint8_t *out = NULL;
	size_t outlen = 0;
	LarasVerdict verdict = LARAS_VERDICT_CLOSED;

	if (body > LONGEST_TRIED)
		body = LONGEST_TRIED;
	if (get_prk(holder, h, prk, &w_state, &s_state) && get_key(holder, prk, h, v, key) &&
		(plain = malloc(body)) != NULL && (out = malloc(body)) != NULL &&
		peek(key, v + head - LARAS_GCM_NONCE_LEN, v + head, body, plain))
	{
		verdict = LARAS_VERDICT_READABLE;
		for (size_t m = laras_padded_len(0);
			 verdict != LARAS_VERDICT_OPENS && m + LARAS_GCM_TAG_LEN <= body;
			 m = laras_padded_len(m))
		{
			size_t n;

			if (laras_unpad(plain, m, &n) && laras_padded_len(n) == m &&
				try_places(holder, prk, key, h, v, head + m + LARAS_GCM_TAG_LEN, places, &which,
						   out, &outlen))
				verdict = LARAS_VERDICT_OPENS;
		}
	}
	printf("%s %d %u %u %u %s %s %s%zu ",
		   verdict == LARAS_VERDICT_OPENS      ? "opens"
		   : verdict == LARAS_VERDICT_READABLE ? "readable"
											   : "closed",
		   h->suite, h->field, (unsigned int) h->w, (unsigned int) h->s, state_text(w_state),
		   state_text(s_state), stream, offset);
	if (verdict == LARAS_VERDICT_OPENS)
		printf("%lld %lld ", (long long) which.workspace_id, (long long) which.row_id);
	else
		printf("- - ");
	if (verdict == LARAS_VERDICT_OPENS)
		print_hex(out, outlen);
	else
		print_hex(plain, verdict == LARAS_VERDICT_CLOSED ? 0 : body < SHOWN ? body : SHOWN);
	laras_wipe(prk, sizeof(prk));
	laras_wipe(key, sizeof(key));
	if (plain != NULL)
		laras_wipe(plain, body);
	if (out != NULL)
		laras_wipe(out, body);
	free(plain);
	free(out);
}

static void
scan_bytes(LarasKeyholder *holder, const uint8_t *p, size_t n, const LarasPlaces *places,
		   const char *stream)
{
	size_t at = 0;

	while (at < n)
	{
		const uint8_t *hit = memchr(p + at, LARAS_SEALED_FORMAT, n - at);
		LarasSealedHeader h;

		if (hit == NULL)
			break;
		at = (size_t) (hit - p);
		if (looks_sealed(holder, hit, n - at, &h))
			try_candidate(holder, &h, hit, n - at, places, stream, at);
		at++;
	}
}

/* xlp_magic is 0xD1xx in every release, in the byte order of the machine. */
static bool
is_wal(const uint8_t *p, size_t n)
{
	uint16_t magic;

	if (n < WAL_PAGE || n % WAL_PAGE != 0)
		return false;
	memcpy(&magic, p, 2);
	return (magic & 0xFF00) == 0xD100;
}

/* The records of WAL pages without the page headers; malloc'd. */
static uint8_t *
strip_wal(const uint8_t *p, size_t n, size_t *stripped)
{
	uint8_t *out = malloc(n);
	size_t at = 0;

	if (out == NULL)
		return NULL;
	for (size_t page = 0; page < n; page += WAL_PAGE)
	{
		uint16_t info;
		size_t skip = 0;

		if (is_wal(p + page, WAL_PAGE))
		{
			memcpy(&info, p + page + 2, 2);
			skip = (info & WAL_LONG_FLAG) ? WAL_LONG : WAL_SHORT;
		}
		memcpy(out + at, p + page + skip, WAL_PAGE - skip);
		at += WAL_PAGE - skip;
	}
	*stripped = at;
	return out;
}

bool
laras_keyscan_file(LarasKeyholder *holder, const char *path, const LarasPlaces *places)
{
	struct stat st;
	uint8_t *p;
	size_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
	{
		if (fd >= 0)
			close(fd);
		return false;
	}
	n = (size_t) st.st_size;
	if (!S_ISREG(st.st_mode) || n == 0)
	{
		close(fd);
		return S_ISREG(st.st_mode);
	}
	p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return false;
	scan_bytes(holder, p, n, places, "");
	if (is_wal(p, n))
	{
		size_t stripped;
		uint8_t *records = strip_wal(p, n, &stripped);

		if (records == NULL)
		{
			munmap(p, n);
			return false;
		}
		scan_bytes(holder, records, stripped, places, "w");
		free(records);
	}
	munmap(p, n);
	return true;
}
