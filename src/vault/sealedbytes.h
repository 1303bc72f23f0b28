/*
 * sealedbytes.h
 *		The bytes of a sealed value, suite 1 and suite 2, and of a transport box.
 *
 * What is sealed and under which slots is for the caller; this file fixes the
 * layout (design sections 4 and 5), the associated data and the padding.  The
 * workspace, the row and the field are always stated by the caller and never
 * taken from the value, so a moved value does not open.
 *
 * Outputs are caller's buffers of the size that the size functions give.
 */
#ifndef LARAS_VAULT_SEALEDBYTES_H
#define LARAS_VAULT_SEALEDBYTES_H

#include "vault/crypto.h"
#include "vault/keyerror.h"

#define LARAS_SEALED_FORMAT 1
#define LARAS_SUITE_VALUE 1 /* AES-256-GCM under K_seal */
#define LARAS_SUITE_BOX 2   /* courier box */

#define LARAS_SEALED_FIXED_LEN 16    /* bytes 0-15, part of the AAD */
#define LARAS_SEALED_VALUE_HEADER 28 /* + nonce */
#define LARAS_SEALED_BOX_HEADER 60   /* + ephemeral public key + nonce */
#define LARAS_SEALED_MAX_PLAIN (16 * 1024 * 1024)
#define LARAS_TRANSPORT_PREFIX "laras-box:"

typedef struct LarasSealedHeader
{
	uint8_t suite;
	uint16_t field;
	uint16_t keyring;
	uint32_t w; /* slot of W, 0 = platform */
	uint32_t s; /* slot of S */
} LarasSealedHeader;

/* Where a value stands: what the caller states to open it. */
typedef struct LarasSealedPlace
{
	int64_t workspace_id;
	int64_t row_id;
	uint16_t field;
} LarasSealedPlace;

/*
 * Read the header and check everything that needs no key: format, suite, zero
 * bytes, and that the length is one the padding can produce.  This is also the
 * test of type input.
 */
extern bool laras_sealed_parse(const uint8_t *v, size_t n, LarasSealedHeader *h);

/* Length of the sealed form of n bytes; 0 for an unknown suite or n too long. */
extern size_t laras_sealed_size(uint8_t suite, size_t n);

/* Upper bound of the plain length within n sealed bytes (size of out in open). */
extern size_t laras_sealed_plain_bound(const LarasSealedHeader *h, size_t n);

/*
 * Seal n bytes of p under k_seal, header fields from h (suite is set to 1,
 * h->field rules and place.field is ignored), into out of
 * laras_sealed_size(1, n) bytes.  nonce NULL: random.
 */
extern bool laras_sealed_seal(const uint8_t k_seal[LARAS_KEY_LEN], const LarasSealedHeader *h,
							  int64_t workspace_id, int64_t row_id, const void *p, size_t n,
							  const uint8_t *nonce, uint8_t *out);

/*
 * Open a suite 1 value.  out has laras_sealed_plain_bound() bytes; *outlen is
 * the length without padding.  False with LARAS_KEYERR_FOREIGN_VALUE where the
 * field differs, the format is wrong or the tag does not hold; out is wiped.
 */
extern bool
laras_sealed_open(const uint8_t k_seal[LARAS_KEY_LEN], const uint8_t *v, size_t n,
				  const LarasSealedPlace *place, uint8_t *out, size_t *outlen, LarasKeyError *err);

/*
 * Suite 2.  prk is PRK(W,S); keyring the keyring uuid.  seal needs the
 * courier's public key only; ephemeral_seed and nonce NULL: random.
 */
extern bool laras_box_seal(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
						   const uint8_t courier_public[LARAS_KEY_LEN], const LarasSealedHeader *h,
						   int64_t workspace_id, int64_t row_id, const void *p, size_t n,
						   const uint8_t *ephemeral_seed, const uint8_t *nonce, uint8_t *out);
extern bool
laras_box_open(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
			   const uint8_t courier_seed[LARAS_KEY_LEN],
			   const uint8_t courier_public[LARAS_KEY_LEN], const uint8_t *v, size_t n,
			   const LarasSealedPlace *place, uint8_t *out, size_t *outlen, LarasKeyError *err);

/*
 * Transport box: 0x01 || ephemeral public[32] || nonce[12] || ciphertext || tag.
 * What a client forms from public_key() alone, so it is not padded: the value
 * is sealed once more, padded, before it is stored.
 * laras_transport_size(n) is the length of the bytes.
 */
#define LARAS_TRANSPORT_HEADER 45
extern size_t laras_transport_size(size_t n);
extern bool
laras_transport_seal(const uint8_t keyring[LARAS_UUID_LEN],
					 const uint8_t courier_public[LARAS_KEY_LEN], const void *p, size_t n,
					 const uint8_t *ephemeral_seed, const uint8_t *nonce, uint8_t *out);
extern bool laras_transport_open(const uint8_t keyring[LARAS_UUID_LEN],
								 const uint8_t courier_seed[LARAS_KEY_LEN],
								 const uint8_t courier_public[LARAS_KEY_LEN], const uint8_t *v,
								 size_t n, uint8_t *out, size_t *outlen, LarasKeyError *err);

/*
 * Is this text a transport box in its text form ("laras-box:" + base64)?  Only
 * the prefix is looked at.  laras_transport_decode turns the text into bytes
 * (out has at least n bytes), false where the base64 is not strict.
 */
extern bool laras_is_transport_text(const char *text, size_t n);
extern bool laras_transport_decode(const char *text, size_t n, uint8_t *out, size_t *outlen);

/* Strict base64: padded, no white space, unused bits zero; out has n bytes. */
extern bool laras_base64_decode(const char *text, size_t n, uint8_t *out, size_t *outlen);

#endif /* LARAS_VAULT_SEALEDBYTES_H */
