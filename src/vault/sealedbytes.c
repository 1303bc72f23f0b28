/*
 * sealedbytes.c
 *		The bytes of a sealed value and of a transport box.
 */
#include "vault/sealedbytes.h"

#include <string.h>

#include "vault/bytes.h"
#include "vault/derive.h"

#define NONCE_AT 16     /* suite 1 */
#define EPHEMERAL_AT 16 /* suite 2 */
#define BOX_NONCE_AT 48
#define TRANSPORT_NONCE_AT 33

static const char sealed_label[] = "laras/1/sealed";
static const char transport_label[] = "laras/1/transport";

static size_t
header_len(uint8_t suite)
{
	return suite == LARAS_SUITE_VALUE ? LARAS_SEALED_VALUE_HEADER
		   : suite == LARAS_SUITE_BOX ? LARAS_SEALED_BOX_HEADER
									  : 0;
}

bool
laras_sealed_parse(const uint8_t *v, size_t n, LarasSealedHeader *h)
{
	size_t head;
	size_t body;

	if (n < LARAS_SEALED_FIXED_LEN || v[0] != LARAS_SEALED_FORMAT ||
		(head = header_len(v[1])) == 0 || laras_get16(v + 2) == 0 || v[6] != 0 || v[7] != 0 ||
		n < head + 32 + LARAS_GCM_TAG_LEN)
		return false;
	body = n - head - LARAS_GCM_TAG_LEN;
	if (laras_padded_len(body - 1) != body || body > laras_padded_len(LARAS_SEALED_MAX_PLAIN))
		return false;
	h->suite = v[1];
	h->field = laras_get16(v + 2);
	h->keyring = laras_get16(v + 4);
	h->w = laras_get32(v + 8);
	h->s = laras_get32(v + 12);
	return true;
}

size_t
laras_sealed_size(uint8_t suite, size_t n)
{
	size_t head = header_len(suite);

	if (head == 0 || n > LARAS_SEALED_MAX_PLAIN)
		return 0;
	return head + laras_padded_len(n) + LARAS_GCM_TAG_LEN;
}

size_t
laras_sealed_plain_bound(const LarasSealedHeader *h, size_t n)
{
	size_t head = header_len(h->suite);

	return head == 0 || n < head + LARAS_GCM_TAG_LEN ? 0 : n - head - LARAS_GCM_TAG_LEN;
}

static void
put_header(const LarasSealedHeader *h, uint8_t suite, uint8_t *out)
{
	out[0] = LARAS_SEALED_FORMAT;
	out[1] = suite;
	laras_put16(out + 2, h->field);
	laras_put16(out + 4, h->keyring);
	laras_put16(out + 6, 0);
	laras_put32(out + 8, h->w);
	laras_put32(out + 12, h->s);
}

/* Pad, encrypt in place, tag: everything from the end of the header on. */
static bool
seal_body(const uint8_t *key, const uint8_t *nonce, size_t head, int64_t workspace_id,
		  int64_t row_id, const void *p, size_t n, uint8_t *out)
{
	uint8_t ids[16];
	size_t m;
	LarasPiece aad[3] = {{sealed_label, sizeof(sealed_label) - 1},
						 {out, LARAS_SEALED_FIXED_LEN},
						 {ids, 16}};

	laras_put64(ids, (uint64_t) workspace_id);
	laras_put64(ids + 8, (uint64_t) row_id);
	if (n > 0)
		memcpy(out + head, p, n);
	m = laras_pad(out + head, n);
	if (laras_gcm_seal(key, nonce, aad, 3, out + head, m, out + head, out + head + m))
		return true;
	laras_wipe(out + head, m);
	return false;
}

/* The same backwards.  The header was parsed; the field was compared. */
static bool
open_body(const uint8_t *key, const uint8_t *nonce, size_t head, const LarasSealedPlace *place,
		  const uint8_t *v, size_t n, uint8_t *out, size_t *outlen, LarasKeyError *err)
{
	uint8_t ids[16];
	size_t m = n - head - LARAS_GCM_TAG_LEN;
	LarasPiece aad[3] = {{sealed_label, sizeof(sealed_label) - 1},
						 {v, LARAS_SEALED_FIXED_LEN},
						 {ids, 16}};

	laras_put64(ids, (uint64_t) place->workspace_id);
	laras_put64(ids + 8, (uint64_t) place->row_id);
	if (!laras_crypto_init())
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	if (!laras_gcm_open(key, nonce, aad, 3, v + head, m, out, v + head + m))
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "sealed value tag");
	if (!laras_unpad(out, m, outlen) || laras_padded_len(*outlen) != m)
	{
		laras_wipe(out, m);
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "sealed value padding");
	}
	return true;
}

static bool
check_place(const uint8_t *v, size_t n, uint8_t suite, const LarasSealedPlace *place,
			LarasSealedHeader *h, LarasKeyError *err)
{
	if (!laras_sealed_parse(v, n, h) || h->suite != suite)
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "sealed value format");
	if (h->field != place->field)
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "sealed value field");
	return true;
}

bool
laras_sealed_seal(const uint8_t k_seal[LARAS_KEY_LEN], const LarasSealedHeader *h,
				  int64_t workspace_id, int64_t row_id, const void *p, size_t n,
				  const uint8_t *nonce, uint8_t *out)
{
	if (n > LARAS_SEALED_MAX_PLAIN || h->field == 0)
		return false;
	put_header(h, LARAS_SUITE_VALUE, out);
	if (nonce != NULL)
		memcpy(out + NONCE_AT, nonce, LARAS_GCM_NONCE_LEN);
	else if (!laras_random_bytes(out + NONCE_AT, LARAS_GCM_NONCE_LEN))
		return false;
	return seal_body(k_seal, out + NONCE_AT, LARAS_SEALED_VALUE_HEADER, workspace_id, row_id, p, n,
					 out);
}

bool
laras_sealed_open(const uint8_t k_seal[LARAS_KEY_LEN], const uint8_t *v, size_t n,
				  const LarasSealedPlace *place, uint8_t *out, size_t *outlen, LarasKeyError *err)
{
	LarasSealedHeader h;

	return check_place(v, n, LARAS_SUITE_VALUE, place, &h, err) &&
		   open_body(k_seal, v + NONCE_AT, LARAS_SEALED_VALUE_HEADER, place, v, n, out, outlen,
					 err);
}

/* Ephemeral key pair and shared secret of a seal. */
static bool
make_ephemeral(const uint8_t *given_seed, const uint8_t *courier_public,
			   uint8_t ephemeral[LARAS_KEY_LEN], uint8_t shared[LARAS_KEY_LEN])
{
	uint8_t seed[LARAS_KEY_LEN];
	bool ok = true;

	if (given_seed != NULL)
		memcpy(seed, given_seed, LARAS_KEY_LEN);
	else
		ok = laras_random_bytes(seed, LARAS_KEY_LEN);
	ok = ok && laras_x25519_public(seed, ephemeral) && laras_x25519(seed, courier_public, shared);
	laras_wipe(seed, sizeof(seed));
	return ok;
}

bool
laras_box_seal(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
			   const uint8_t courier_public[LARAS_KEY_LEN], const LarasSealedHeader *h,
			   int64_t workspace_id, int64_t row_id, const void *p, size_t n,
			   const uint8_t *ephemeral_seed, const uint8_t *nonce, uint8_t *out)
{
	uint8_t shared[LARAS_KEY_LEN];
	uint8_t key[LARAS_KEY_LEN];
	bool ok;

	if (n > LARAS_SEALED_MAX_PLAIN || h->field == 0)
		return false;
	put_header(h, LARAS_SUITE_BOX, out);
	if (nonce != NULL)
		memcpy(out + BOX_NONCE_AT, nonce, LARAS_GCM_NONCE_LEN);
	else if (!laras_random_bytes(out + BOX_NONCE_AT, LARAS_GCM_NONCE_LEN))
		return false;
	ok = make_ephemeral(ephemeral_seed, courier_public, out + EPHEMERAL_AT, shared) &&
		 laras_derive_box(prk, shared, out + EPHEMERAL_AT, courier_public, keyring, h->w, h->s,
						  key) &&
		 seal_body(key, out + BOX_NONCE_AT, LARAS_SEALED_BOX_HEADER, workspace_id, row_id, p, n,
				   out);
	laras_wipe(shared, sizeof(shared));
	laras_wipe(key, sizeof(key));
	return ok;
}

bool
laras_box_open(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
			   const uint8_t courier_seed[LARAS_KEY_LEN],
			   const uint8_t courier_public[LARAS_KEY_LEN], const uint8_t *v, size_t n,
			   const LarasSealedPlace *place, uint8_t *out, size_t *outlen, LarasKeyError *err)
{
	LarasSealedHeader h;
	uint8_t shared[LARAS_KEY_LEN];
	uint8_t key[LARAS_KEY_LEN];
	bool ok;

	if (!check_place(v, n, LARAS_SUITE_BOX, place, &h, err))
		return false;
	if (!laras_x25519(courier_seed, v + EPHEMERAL_AT, shared))
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "ephemeral key");
	if (!laras_derive_box(prk, shared, v + EPHEMERAL_AT, courier_public, keyring, h.w, h.s, key))
		ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	else
		ok = open_body(key, v + BOX_NONCE_AT, LARAS_SEALED_BOX_HEADER, place, v, n, out, outlen,
					   err);
	laras_wipe(shared, sizeof(shared));
	laras_wipe(key, sizeof(key));
	return ok;
}

size_t
laras_transport_size(size_t n)
{
	return n > LARAS_SEALED_MAX_PLAIN ? 0 : LARAS_TRANSPORT_HEADER + n + LARAS_GCM_TAG_LEN;
}

bool
laras_transport_seal(const uint8_t keyring[LARAS_UUID_LEN],
					 const uint8_t courier_public[LARAS_KEY_LEN], const void *p, size_t n,
					 const uint8_t *ephemeral_seed, const uint8_t *nonce, uint8_t *out)
{
	uint8_t shared[LARAS_KEY_LEN];
	uint8_t key[LARAS_KEY_LEN];
	LarasPiece aad = {transport_label, sizeof(transport_label) - 1};
	bool ok;

	if (n > LARAS_SEALED_MAX_PLAIN)
		return false;
	out[0] = 0x01;
	if (nonce != NULL)
		memcpy(out + TRANSPORT_NONCE_AT, nonce, LARAS_GCM_NONCE_LEN);
	else if (!laras_random_bytes(out + TRANSPORT_NONCE_AT, LARAS_GCM_NONCE_LEN))
		return false;
	ok = make_ephemeral(ephemeral_seed, courier_public, out + 1, shared) &&
		 laras_derive_transport(keyring, shared, out + 1, courier_public, key) &&
		 laras_gcm_seal(key, out + TRANSPORT_NONCE_AT, &aad, 1, p, n, out + LARAS_TRANSPORT_HEADER,
						out + LARAS_TRANSPORT_HEADER + n);
	laras_wipe(shared, sizeof(shared));
	laras_wipe(key, sizeof(key));
	return ok;
}

bool
laras_transport_open(const uint8_t keyring[LARAS_UUID_LEN],
					 const uint8_t courier_seed[LARAS_KEY_LEN],
					 const uint8_t courier_public[LARAS_KEY_LEN], const uint8_t *v, size_t n,
					 uint8_t *out, size_t *outlen, LarasKeyError *err)
{
	uint8_t shared[LARAS_KEY_LEN];
	uint8_t key[LARAS_KEY_LEN];
	LarasPiece aad = {transport_label, sizeof(transport_label) - 1};
	size_t m;
	bool ok;

	if (n < LARAS_TRANSPORT_HEADER + LARAS_GCM_TAG_LEN || v[0] != 0x01 ||
		n > LARAS_TRANSPORT_HEADER + LARAS_SEALED_MAX_PLAIN + LARAS_GCM_TAG_LEN)
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "transport box format");
	if (!laras_x25519(courier_seed, v + 1, shared))
		return laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "ephemeral key");
	m = n - LARAS_TRANSPORT_HEADER - LARAS_GCM_TAG_LEN;
	if (!laras_crypto_init() ||
		!laras_derive_transport(keyring, shared, v + 1, courier_public, key))
		ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	else if (!laras_gcm_open(key, v + TRANSPORT_NONCE_AT, &aad, 1, v + LARAS_TRANSPORT_HEADER, m,
							 out, v + LARAS_TRANSPORT_HEADER + m))
		ok = laras_keyerror(err, LARAS_KEYERR_FOREIGN_VALUE, 0, "transport box tag");
	else
	{
		*outlen = m;
		ok = true;
	}
	laras_wipe(shared, sizeof(shared));
	laras_wipe(key, sizeof(key));
	return ok;
}

bool
laras_is_transport_text(const char *text, size_t n)
{
	size_t prefix = sizeof(LARAS_TRANSPORT_PREFIX) - 1;

	return n >= prefix && memcmp(text, LARAS_TRANSPORT_PREFIX, prefix) == 0;
}

static int
base64_digit(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
laras_base64_decode(const char *text, size_t n, uint8_t *out, size_t *outlen)
{
	size_t at = 0;

	if (n == 0 || n % 4 != 0)
		return false;
	for (size_t i = 0; i < n; i += 4)
	{
		int pads = 0;
		uint32_t v = 0;

		if (i + 4 == n)
			pads = text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
		for (int j = 0; j < 4; j++)
		{
			int d = j >= 4 - pads ? 0 : base64_digit((unsigned char) text[i + j]);

			if (d < 0)
				return false;
			v = (v << 6) | (uint32_t) d;
		}
		if ((pads == 1 && (v & 0xff) != 0) || (pads == 2 && (v & 0xffff) != 0))
			return false;
		out[at++] = (uint8_t) (v >> 16);
		if (pads < 2)
			out[at++] = (uint8_t) (v >> 8);
		if (pads < 1)
			out[at++] = (uint8_t) v;
	}
	*outlen = at;
	return true;
}

bool
laras_transport_decode(const char *text, size_t n, uint8_t *out, size_t *outlen)
{
	size_t prefix = sizeof(LARAS_TRANSPORT_PREFIX) - 1;

	return laras_is_transport_text(text, n) &&
		   laras_base64_decode(text + prefix, n - prefix, out, outlen);
}
