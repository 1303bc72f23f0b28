/*
 * crypto.h
 *		The primitives of the vault: HMAC-SHA-256, extract and expand,
 *		AES-256-GCM, X25519, SHA-256, random bytes, padding, wiping.
 *
 * Two EVP_CIPHER contexts live per process and are reused; they are made at
 * first use, and made anew in a child after fork(), where the buffer of random
 * bytes is discarded too, so that no nonce is handed out twice.  Hashing keeps
 * no state and allocates nothing.  Not for threads: laras has none.
 *
 * Nothing here raises, pallocs or logs.  A false result means that the crypto
 * library failed (in practice: out of memory, or no algorithm), except where
 * stated.  Lengths are in bytes.  Outputs may not overlap inputs unless said.
 */
#ifndef LARAS_VAULT_CRYPTO_H
#define LARAS_VAULT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LARAS_KEY_LEN 32
#define LARAS_HASH_LEN 32
#define LARAS_UUID_LEN 16
#define LARAS_GCM_NONCE_LEN 12
#define LARAS_GCM_TAG_LEN 16
#define LARAS_ORDER_LEN 16
#define LARAS_INDEX_LEN 16

/* A piece of a message: hashing takes lists of them, so nothing is joined. */
typedef struct LarasPiece
{
	const void *p;
	size_t n;
} LarasPiece;

/*
 * Make the contexts now instead of at first use.  A server calls it in the
 * postmaster for early failure and in places that may not allocate later
 * (PRE_COMMIT).  Idempotent.
 */
extern bool laras_crypto_init(void);

/* Random bytes from a 4 kB buffer of RAND_bytes filled in this process. */
extern bool laras_random_bytes(void *p, size_t n);

/* SHA-256 over the pieces in order.  Cannot fail; safe in a commit callback. */
extern bool laras_sha256(const LarasPiece *pieces, int npieces, uint8_t out[LARAS_HASH_LEN]);

/*
 * The same of what comes bit by bit. The state holds no pointer: it may be
 * copied, and forgotten at any moment.
 */
typedef struct LarasSha256
{
	uint64_t state[16];
} LarasSha256;

extern void laras_sha256_begin(LarasSha256 *sha);
extern void laras_sha256_add(LarasSha256 *sha, const void *p, size_t n);
extern void laras_sha256_end(LarasSha256 *sha, uint8_t out[LARAS_HASH_LEN]);

/* HMAC-SHA-256 over the pieces in order; out may overlap key. */
extern bool laras_hmac(const void *key, size_t keylen, const LarasPiece *pieces, int npieces,
					   uint8_t out[LARAS_HASH_LEN]);

/* extract(salt, ikm) = HMAC(salt, ikm) */
extern bool laras_extract(const void *salt, size_t saltlen, const void *ikm, size_t ikmlen,
						  uint8_t prk[LARAS_KEY_LEN]);

/* expand(prk, info) = HMAC(prk, info || 0x01); info given in pieces (at most 8) */
extern bool laras_expand(const uint8_t prk[LARAS_KEY_LEN], const LarasPiece *info, int npieces,
						 uint8_t out[LARAS_KEY_LEN]);

/*
 * AES-256-GCM.  seal writes n bytes to out and 16 to tag; open returns false
 * when the tag does not hold (out is then wiped) or the library failed.
 * in == out is allowed.  The caller owns nonce uniqueness: take it from
 * laras_random_bytes.
 */
extern bool
laras_gcm_seal(const uint8_t key[LARAS_KEY_LEN], const uint8_t nonce[LARAS_GCM_NONCE_LEN],
			   const LarasPiece *aad, int naad, const void *in, size_t n, void *out,
			   uint8_t tag[LARAS_GCM_TAG_LEN]);
extern bool
laras_gcm_open(const uint8_t key[LARAS_KEY_LEN], const uint8_t nonce[LARAS_GCM_NONCE_LEN],
			   const LarasPiece *aad, int naad, const void *in, size_t n, void *out,
			   const uint8_t tag[LARAS_GCM_TAG_LEN]);

/* X25519.  The shared secret is refused (false) where it is all zeros. */
extern bool
laras_x25519_public(const uint8_t seed[LARAS_KEY_LEN], uint8_t public_key[LARAS_KEY_LEN]);
extern bool laras_x25519(const uint8_t seed[LARAS_KEY_LEN], const uint8_t peer[LARAS_KEY_LEN],
						 uint8_t shared[LARAS_KEY_LEN]);

/*
 * Padding: value || 0x80 || zeros, to a multiple of 32 up to 512 bytes and
 * above that to Padmé of (length + 1).  laras_padded_len(n) is the length
 * after padding; laras_pad fills buf[n .. m) and returns m; laras_unpad finds
 * the length before padding, false where there is no marker.
 */
extern size_t laras_padded_len(size_t n);
extern size_t laras_pad(uint8_t *buf, size_t n);
extern bool laras_unpad(const uint8_t *buf, size_t m, size_t *n);

/* Constant-time comparison of two strings of the same length. */
extern bool laras_same_bytes(const void *a, const void *b, size_t n);

/* Overwrite with zeros, not to be optimised away. */
extern void laras_wipe(void *p, size_t n);

#endif /* LARAS_VAULT_CRYPTO_H */
