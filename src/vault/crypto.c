/*
 * crypto.c
 *		The primitives of the vault over OpenSSL 3, with reused contexts.
 *
 * Invariant: no state that could repeat a nonce survives a fork.  All state
 * lies in one mapping that the kernel empties in a child (MADV_WIPEONFORK);
 * where the kernel cannot, a fork handler empties it.  An empty state is made
 * anew at first use; the contexts it pointed to are left to the child's copy
 * of the heap, once per process.
 *
 * Hashing uses SHA256_Init and its kin on the stack: EVP_Digest* allocates
 * once a hash and EVP_MAC five times (3.0), which commit callbacks may not, and
 * takes twice as long.  See docs/decisions/hashing-without-evp.md.
 */
#include "vault/crypto.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

/* For SHA256_CTX, which OpenSSL 3 keeps but calls old: see above. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define RANDOM_BUFFER 4096

typedef struct CryptoState
{
	bool ready;
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
	size_t random_left;
	uint8_t random[RANDOM_BUFFER];
} CryptoState;

static CryptoState *state = NULL;

static void
forget_state(void)
{
	if (state != NULL)
		OPENSSL_cleanse(state, sizeof(*state));
}

/* Map the state once per process family. */
static bool
map_state(void)
{
	void *p =
		mmap(NULL, sizeof(CryptoState), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool wiped = false;

	if (p == MAP_FAILED)
		return false;
#ifdef MADV_WIPEONFORK
	wiped = madvise(p, sizeof(CryptoState), MADV_WIPEONFORK) == 0;
#endif
#ifdef MADV_DONTDUMP
	(void) madvise(p, sizeof(CryptoState), MADV_DONTDUMP);
#endif
	if (!wiped && pthread_atfork(NULL, NULL, forget_state) != 0)
	{
		munmap(p, sizeof(CryptoState));
		return false;
	}
	state = p;
	return true;
}

/* Make the contexts of this process and set what stays the same for good. */
static bool
make_contexts(void)
{
	EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	bool ok = false;

	if (gcm != NULL)
	{
		state->seal = EVP_CIPHER_CTX_new();
		state->open = EVP_CIPHER_CTX_new();
		ok = state->seal != NULL && state->open != NULL &&
			 EVP_EncryptInit_ex(state->seal, gcm, NULL, NULL, NULL) == 1 &&
			 EVP_DecryptInit_ex(state->open, gcm, NULL, NULL, NULL) == 1;
	}
	EVP_CIPHER_free(gcm); /* the contexts hold their own references */
	if (!ok)
	{
		EVP_CIPHER_CTX_free(state->seal);
		EVP_CIPHER_CTX_free(state->open);
		state->seal = NULL;
		state->open = NULL;
		return false;
	}
	state->random_left = 0;
	state->ready = true;
	return true;
}

static inline bool
ready(void)
{
	if (state != NULL && state->ready)
		return true;
	return laras_crypto_init();
}

bool
laras_crypto_init(void)
{
	if (state == NULL && !map_state())
		return false;
	return state->ready || make_contexts();
}

bool
laras_random_bytes(void *p, size_t n)
{
	uint8_t *out = p;

	if (!ready())
		return false;
	if (n >= RANDOM_BUFFER)
	{
		/* In pieces: RAND_bytes takes an int. */
		while (n > 0)
		{
			size_t part = n > (1 << 20) ? (1 << 20) : n;

			if (RAND_bytes(out, (int) part) != 1)
				return false;
			out += part;
			n -= part;
		}
		return true;
	}
	while (n > 0)
	{
		size_t part;
		uint8_t *from;

		if (state->random_left == 0)
		{
			if (RAND_bytes(state->random, RANDOM_BUFFER) != 1)
				return false;
			state->random_left = RANDOM_BUFFER;
		}
		part = n < state->random_left ? n : state->random_left;
		from = state->random + (RANDOM_BUFFER - state->random_left);
		memcpy(out, from, part);
		/* What was handed out may have become a key: keep no second copy. */
		OPENSSL_cleanse(from, part);
		state->random_left -= part;
		out += part;
		n -= part;
	}
	return true;
}

static inline void
add_pieces(SHA256_CTX *sha, const LarasPiece *pieces, int npieces)
{
	for (int i = 0; i < npieces; i++)
		if (pieces[i].n > 0)
			SHA256_Update(sha, pieces[i].p, pieces[i].n);
}

bool
laras_sha256(const LarasPiece *pieces, int npieces, uint8_t out[LARAS_HASH_LEN])
{
	SHA256_CTX sha;

	SHA256_Init(&sha);
	add_pieces(&sha, pieces, npieces);
	SHA256_Final(out, &sha);
	return true;
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(LarasSha256), "the state of a hash fits");

void
laras_sha256_begin(LarasSha256 *sha)
{
	SHA256_Init((SHA256_CTX *) sha->state);
}

void
laras_sha256_add(LarasSha256 *sha, const void *p, size_t n)
{
	SHA256_Update((SHA256_CTX *) sha->state, p, n);
}

void
laras_sha256_end(LarasSha256 *sha, uint8_t out[LARAS_HASH_LEN])
{
	SHA256_Final(out, (SHA256_CTX *) sha->state);
}

/* RFC 2104. */
bool
laras_hmac(const void *key, size_t keylen, const LarasPiece *pieces, int npieces,
		   uint8_t out[LARAS_HASH_LEN])
{
	SHA256_CTX sha;
	uint8_t block[SHA256_CBLOCK] = {0};
	uint8_t inner[LARAS_HASH_LEN];

	if (keylen > sizeof(block))
	{
		SHA256_Init(&sha);
		SHA256_Update(&sha, key, keylen);
		SHA256_Final(block, &sha);
	}
	else if (keylen > 0)
		memcpy(block, key, keylen);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	SHA256_Init(&sha);
	SHA256_Update(&sha, block, sizeof(block));
	add_pieces(&sha, pieces, npieces);
	SHA256_Final(inner, &sha);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&sha);
	SHA256_Update(&sha, block, sizeof(block));
	SHA256_Update(&sha, inner, sizeof(inner));
	SHA256_Final(out, &sha);
	OPENSSL_cleanse(&sha, sizeof(sha));
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(inner, sizeof(inner));
	return true;
}

bool
laras_extract(const void *salt, size_t saltlen, const void *ikm, size_t ikmlen,
			  uint8_t prk[LARAS_KEY_LEN])
{
	LarasPiece piece = {ikm, ikmlen};

	return laras_hmac(salt, saltlen, &piece, 1, prk);
}

bool
laras_expand(const uint8_t prk[LARAS_KEY_LEN], const LarasPiece *info, int npieces,
			 uint8_t out[LARAS_KEY_LEN])
{
	static const uint8_t one = 0x01;
	LarasPiece pieces[9];

	if (npieces > 8)
		return false;
	for (int i = 0; i < npieces; i++)
		pieces[i] = info[i];
	pieces[npieces].p = &one;
	pieces[npieces].n = 1;
	return laras_hmac(prk, LARAS_KEY_LEN, pieces, npieces + 1, out);
}

bool
laras_gcm_seal(const uint8_t key[LARAS_KEY_LEN], const uint8_t nonce[LARAS_GCM_NONCE_LEN],
			   const LarasPiece *aad, int naad, const void *in, size_t n, void *out,
			   uint8_t tag[LARAS_GCM_TAG_LEN])
{
	EVP_CIPHER_CTX *ctx;
	int len;
	uint8_t nothing[1];

	if (!ready() || n > INT32_MAX)
		return false;
	ctx = state->seal;
	if (EVP_EncryptInit_ex(ctx, NULL, NULL, key, nonce) != 1)
		return false;
	for (int i = 0; i < naad; i++)
		if (EVP_EncryptUpdate(ctx, NULL, &len, aad[i].p, (int) aad[i].n) != 1)
			return false;
	if (n > 0 && EVP_EncryptUpdate(ctx, out, &len, in, (int) n) != 1)
		return false;
	return EVP_EncryptFinal_ex(ctx, nothing, &len) == 1 &&
		   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, LARAS_GCM_TAG_LEN, tag) == 1;
}

bool
laras_gcm_open(const uint8_t key[LARAS_KEY_LEN], const uint8_t nonce[LARAS_GCM_NONCE_LEN],
			   const LarasPiece *aad, int naad, const void *in, size_t n, void *out,
			   const uint8_t tag[LARAS_GCM_TAG_LEN])
{
	EVP_CIPHER_CTX *ctx;
	int len;
	uint8_t nothing[1];
	uint8_t expected[LARAS_GCM_TAG_LEN];

	if (!ready() || n > INT32_MAX)
		return false;
	ctx = state->open;
	if (EVP_DecryptInit_ex(ctx, NULL, NULL, key, nonce) != 1)
		return false;
	for (int i = 0; i < naad; i++)
		if (EVP_DecryptUpdate(ctx, NULL, &len, aad[i].p, (int) aad[i].n) != 1)
			return false;
	/* in may be out and the tag may lie behind it: take the tag first */
	memcpy(expected, tag, LARAS_GCM_TAG_LEN);
	if (n > 0 && EVP_DecryptUpdate(ctx, out, &len, in, (int) n) != 1)
	{
		OPENSSL_cleanse(out, n);
		return false;
	}
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, LARAS_GCM_TAG_LEN, expected) != 1 ||
		EVP_DecryptFinal_ex(ctx, nothing, &len) != 1)
	{
		if (n > 0)
			OPENSSL_cleanse(out, n);
		return false;
	}
	return true;
}

bool
laras_x25519_public(const uint8_t seed[LARAS_KEY_LEN], uint8_t public_key[LARAS_KEY_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, seed, LARAS_KEY_LEN);
	size_t len = LARAS_KEY_LEN;
	bool ok;

	ok = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1 &&
		 len == LARAS_KEY_LEN;
	EVP_PKEY_free(key);
	return ok;
}

bool
laras_x25519(const uint8_t seed[LARAS_KEY_LEN], const uint8_t peer[LARAS_KEY_LEN],
			 uint8_t shared[LARAS_KEY_LEN])
{
	static const uint8_t zeros[LARAS_KEY_LEN] = {0};
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, seed, LARAS_KEY_LEN);
	EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, LARAS_KEY_LEN);
	EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	size_t len = LARAS_KEY_LEN;
	bool ok;

	ok = ctx != NULL && other != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
		 EVP_PKEY_derive_set_peer(ctx, other) == 1 && EVP_PKEY_derive(ctx, shared, &len) == 1 &&
		 len == LARAS_KEY_LEN && !laras_same_bytes(shared, zeros, LARAS_KEY_LEN);
	if (!ok)
		OPENSSL_cleanse(shared, LARAS_KEY_LEN);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
	return ok;
}

static inline int
floor_log2(size_t v)
{
	int e = 0;

	while (v >>= 1)
		e++;
	return e;
}

size_t
laras_padded_len(size_t n)
{
	size_t len = n + 1;
	size_t mask;
	int e;

	if (len <= 512)
		return (len + 31) & ~(size_t) 31;
	e = floor_log2(len);
	mask = ((size_t) 1 << (e - (floor_log2((size_t) e) + 1))) - 1;
	return (len + mask) & ~mask;
}

size_t
laras_pad(uint8_t *buf, size_t n)
{
	size_t m = laras_padded_len(n);

	buf[n] = 0x80;
	memset(buf + n + 1, 0, m - n - 1);
	return m;
}

bool
laras_unpad(const uint8_t *buf, size_t m, size_t *n)
{
	while (m > 0 && buf[m - 1] == 0)
		m--;
	if (m == 0 || buf[m - 1] != 0x80)
		return false;
	*n = m - 1;
	return true;
}

bool
laras_same_bytes(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void
laras_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}
