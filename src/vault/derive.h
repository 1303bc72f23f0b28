/*
 * derive.h
 *		The derivation tree: from master key and slots to working keys.
 *
 * Byte for byte as design section 3 has it.  Every function is pure, returns
 * false only when the crypto library failed, and leaves wiping of what it was
 * given and what it gave to the caller.
 */
#ifndef LARAS_VAULT_DERIVE_H
#define LARAS_VAULT_DERIVE_H

#include "vault/crypto.h"

/* Domain of a wrapping key; also byte 1 of a live slot. */
#define LARAS_DOMAIN_CONTENT 1
#define LARAS_DOMAIN_COURIER 2

#define LARAS_CHECK_LEN 8
#define LARAS_SEARCH_LEN 8

/* K_wrap(domain, epoch) from the master key of that epoch. */
extern bool laras_derive_wrap(const uint8_t master[LARAS_KEY_LEN], int domain,
							  const uint8_t keyring[LARAS_UUID_LEN], uint16_t epoch,
							  uint8_t out[LARAS_KEY_LEN]);

/* The check bytes of the keyring file: a wrong master key has others. */
extern bool
laras_derive_check(const uint8_t master[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				   uint16_t epoch, uint8_t out[LARAS_CHECK_LEN]);

/* PRK(W,S) = extract(W, S); PRK(P,W) and PRK(P,S) are the same call with P first. */
extern bool laras_derive_prk(const uint8_t first[LARAS_KEY_LEN],
							 const uint8_t second[LARAS_KEY_LEN], uint8_t prk[LARAS_KEY_LEN]);

/* PRK(P) = extract(keyring uuid, P) */
extern bool
laras_derive_platform_prk(const uint8_t keyring[LARAS_UUID_LEN],
						  const uint8_t platform[LARAS_KEY_LEN], uint8_t prk[LARAS_KEY_LEN]);

/* From PRK(W,S), for values sealed under slots (w, s). */
extern bool
laras_derive_seal(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				  uint32_t w, uint32_t s, uint8_t out[LARAS_KEY_LEN]);
extern bool
laras_derive_salt(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				  uint32_t w, uint32_t s, uint8_t out[LARAS_KEY_LEN]);
extern bool
laras_derive_box(const uint8_t prk[LARAS_KEY_LEN], const uint8_t shared[LARAS_KEY_LEN],
				 const uint8_t ephemeral[LARAS_KEY_LEN], const uint8_t courier[LARAS_KEY_LEN],
				 const uint8_t keyring[LARAS_UUID_LEN], uint32_t w, uint32_t s,
				 uint8_t out[LARAS_KEY_LEN]);

/* Key of a transport box (design section 5); needs no slot. */
extern bool
laras_derive_transport(const uint8_t keyring[LARAS_UUID_LEN], const uint8_t shared[LARAS_KEY_LEN],
					   const uint8_t ephemeral[LARAS_KEY_LEN], const uint8_t courier[LARAS_KEY_LEN],
					   uint8_t out[LARAS_KEY_LEN]);

/* From PRK(P,W); n is the epoch of the index key, 1 in this version. */
extern bool
laras_derive_index(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				   uint32_t w, uint8_t n, uint8_t out[LARAS_KEY_LEN]);
extern bool
laras_derive_search(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
					uint32_t w, uint8_t n, uint8_t out[LARAS_KEY_LEN]);
extern bool
laras_derive_callback(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
					  uint32_t w, uint8_t out[LARAS_KEY_LEN]);
extern bool
laras_derive_optout(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
					uint32_t w, uint8_t out[LARAS_KEY_LEN]);

/* From PRK(P). */
extern bool laras_derive_route(const uint8_t prk[LARAS_KEY_LEN], uint8_t out[LARAS_KEY_LEN]);
extern bool laras_derive_login(const uint8_t prk[LARAS_KEY_LEN], uint8_t out[LARAS_KEY_LEN]);
extern bool laras_derive_authorizer(const uint8_t prk[LARAS_KEY_LEN], uint8_t out[LARAS_KEY_LEN]);

/*
 * HMAC(key, u16 kind || [lp(channel)] || lp(value))[0..15]: the form of every
 * blind index, route, log-in, authorizer and suppression hash.  channel is
 * NULL for kinds that do not hash it; the caller must agree with
 * laras_index_kind_has_channel() (numbers.h), else false.
 */
extern bool laras_blind_hash(const uint8_t key[LARAS_KEY_LEN], uint16_t kind, const char *channel,
							 const void *value, size_t n, uint8_t out[LARAS_INDEX_LEN]);

/* HMAC(K_search, stem)[0..7] */
extern bool laras_search_token(const uint8_t key[LARAS_KEY_LEN], const void *stem, size_t n,
							   uint8_t out[LARAS_SEARCH_LEN]);

/* Evidence (design section 11): salt of a field, and the commitment. */
extern bool laras_commitment_salt(const uint8_t key_salt[LARAS_KEY_LEN], uint64_t entry_id,
								  uint16_t field_no, uint8_t out[LARAS_HASH_LEN]);
extern bool laras_commitment(const char *field_name, const uint8_t salt[LARAS_HASH_LEN],
							 const void *value, size_t n, uint8_t out[LARAS_HASH_LEN]);

#endif /* LARAS_VAULT_DERIVE_H */
