/*
 * derive.c
 *		The derivation tree.  Labels are ASCII without a terminator.
 */
#include "vault/derive.h"

#include <string.h>

#include "vault/bytes.h"
#include "vault/numbers.h"

#define LABEL(text)            \
	{                          \
		text, sizeof(text) - 1 \
	}

bool
laras_derive_wrap(const uint8_t master[LARAS_KEY_LEN], int domain,
				  const uint8_t keyring[LARAS_UUID_LEN], uint16_t epoch, uint8_t out[LARAS_KEY_LEN])
{
	static const LarasPiece content = LABEL("laras/1/wrap/content");
	static const LarasPiece courier = LABEL("laras/1/wrap/courier");
	uint8_t e[2];
	LarasPiece info[3] = {{NULL, 0}, {keyring, LARAS_UUID_LEN}, {e, 2}};

	if (domain != LARAS_DOMAIN_CONTENT && domain != LARAS_DOMAIN_COURIER)
		return false;
	info[0] = domain == LARAS_DOMAIN_COURIER ? courier : content;
	laras_put16(e, epoch);
	return laras_expand(master, info, 3, out);
}

bool
laras_derive_check(const uint8_t master[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				   uint16_t epoch, uint8_t out[LARAS_CHECK_LEN])
{
	uint8_t e[2];
	uint8_t full[LARAS_KEY_LEN];
	LarasPiece info[3] = {LABEL("laras/1/check"), {keyring, LARAS_UUID_LEN}, {e, 2}};

	laras_put16(e, epoch);
	if (!laras_expand(master, info, 3, full))
		return false;
	memcpy(out, full, LARAS_CHECK_LEN);
	laras_wipe(full, sizeof(full));
	return true;
}

bool
laras_derive_prk(const uint8_t first[LARAS_KEY_LEN], const uint8_t second[LARAS_KEY_LEN],
				 uint8_t prk[LARAS_KEY_LEN])
{
	return laras_extract(first, LARAS_KEY_LEN, second, LARAS_KEY_LEN, prk);
}

bool
laras_derive_platform_prk(const uint8_t keyring[LARAS_UUID_LEN],
						  const uint8_t platform[LARAS_KEY_LEN], uint8_t prk[LARAS_KEY_LEN])
{
	return laras_extract(keyring, LARAS_UUID_LEN, platform, LARAS_KEY_LEN, prk);
}

/* expand(prk, label || keyring uuid || u32 w || u32 s) */
static bool
expand_pair(const uint8_t *prk, LarasPiece label, const uint8_t *keyring, uint32_t w, uint32_t s,
			uint8_t *out)
{
	uint8_t slots[8];
	LarasPiece info[3] = {label, {keyring, LARAS_UUID_LEN}, {slots, 8}};

	laras_put32(slots, w);
	laras_put32(slots + 4, s);
	return laras_expand(prk, info, 3, out);
}

/* expand(prk, label || keyring uuid || u32 w [|| u8 n]) */
static bool
expand_workspace(const uint8_t *prk, LarasPiece label, const uint8_t *keyring, uint32_t w, int n,
				 uint8_t *out)
{
	uint8_t tail[5];
	LarasPiece info[3] = {label, {keyring, LARAS_UUID_LEN}, {tail, n >= 0 ? 5 : 4}};

	laras_put32(tail, w);
	tail[4] = (uint8_t) n;
	return laras_expand(prk, info, 3, out);
}

bool
laras_derive_seal(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				  uint32_t w, uint32_t s, uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/seal");

	return expand_pair(prk, label, keyring, w, s, out);
}

bool
laras_derive_salt(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				  uint32_t w, uint32_t s, uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/salt");

	return expand_pair(prk, label, keyring, w, s, out);
}

bool
laras_derive_box(const uint8_t prk[LARAS_KEY_LEN], const uint8_t shared[LARAS_KEY_LEN],
				 const uint8_t ephemeral[LARAS_KEY_LEN], const uint8_t courier[LARAS_KEY_LEN],
				 const uint8_t keyring[LARAS_UUID_LEN], uint32_t w, uint32_t s,
				 uint8_t out[LARAS_KEY_LEN])
{
	uint8_t slots[8];
	uint8_t mixed[LARAS_KEY_LEN];
	LarasPiece info[5] = {LABEL("laras/1/box"),
						  {ephemeral, LARAS_KEY_LEN},
						  {courier, LARAS_KEY_LEN},
						  {keyring, LARAS_UUID_LEN},
						  {slots, 8}};
	bool ok;

	laras_put32(slots, w);
	laras_put32(slots + 4, s);
	ok = laras_extract(prk, LARAS_KEY_LEN, shared, LARAS_KEY_LEN, mixed) &&
		 laras_expand(mixed, info, 5, out);
	laras_wipe(mixed, sizeof(mixed));
	return ok;
}

bool
laras_derive_transport(const uint8_t keyring[LARAS_UUID_LEN], const uint8_t shared[LARAS_KEY_LEN],
					   const uint8_t ephemeral[LARAS_KEY_LEN], const uint8_t courier[LARAS_KEY_LEN],
					   uint8_t out[LARAS_KEY_LEN])
{
	uint8_t mixed[LARAS_KEY_LEN];
	LarasPiece info[3] = {LABEL("laras/1/transport"),
						  {ephemeral, LARAS_KEY_LEN},
						  {courier, LARAS_KEY_LEN}};
	bool ok;

	ok = laras_extract(keyring, LARAS_UUID_LEN, shared, LARAS_KEY_LEN, mixed) &&
		 laras_expand(mixed, info, 3, out);
	laras_wipe(mixed, sizeof(mixed));
	return ok;
}

bool
laras_derive_index(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
				   uint32_t w, uint8_t n, uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/index");

	return expand_workspace(prk, label, keyring, w, n, out);
}

bool
laras_derive_search(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
					uint32_t w, uint8_t n, uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/search");

	return expand_workspace(prk, label, keyring, w, n, out);
}

bool
laras_derive_callback(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
					  uint32_t w, uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/callback");

	return expand_workspace(prk, label, keyring, w, -1, out);
}

bool
laras_derive_optout(const uint8_t prk[LARAS_KEY_LEN], const uint8_t keyring[LARAS_UUID_LEN],
					uint32_t w, uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/optout");

	return expand_workspace(prk, label, keyring, w, -1, out);
}

bool
laras_derive_route(const uint8_t prk[LARAS_KEY_LEN], uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/route");

	return laras_expand(prk, &label, 1, out);
}

bool
laras_derive_login(const uint8_t prk[LARAS_KEY_LEN], uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/login");

	return laras_expand(prk, &label, 1, out);
}

bool
laras_derive_authorizer(const uint8_t prk[LARAS_KEY_LEN], uint8_t out[LARAS_KEY_LEN])
{
	LarasPiece label = LABEL("laras/1/authorizer");

	return laras_expand(prk, &label, 1, out);
}

bool
laras_blind_hash(const uint8_t key[LARAS_KEY_LEN], uint16_t kind, const char *channel,
				 const void *value, size_t n, uint8_t out[LARAS_INDEX_LEN])
{
	uint8_t head[2];
	uint8_t channel_len[4];
	uint8_t value_len[4];
	uint8_t full[LARAS_HASH_LEN];
	LarasPiece pieces[5];
	int np = 0;

	if (n > UINT32_MAX || (channel != NULL) != laras_index_kind_has_channel(kind))
		return false;
	laras_put16(head, kind);
	pieces[np++] = (LarasPiece){head, 2};
	if (channel != NULL)
	{
		size_t len = strlen(channel);

		laras_put32(channel_len, (uint32_t) len);
		pieces[np++] = (LarasPiece){channel_len, 4};
		pieces[np++] = (LarasPiece){channel, len};
	}
	laras_put32(value_len, (uint32_t) n);
	pieces[np++] = (LarasPiece){value_len, 4};
	pieces[np++] = (LarasPiece){value, n};
	if (!laras_hmac(key, LARAS_KEY_LEN, pieces, np, full))
		return false;
	memcpy(out, full, LARAS_INDEX_LEN);
	return true;
}

bool
laras_search_token(const uint8_t key[LARAS_KEY_LEN], const void *stem, size_t n,
				   uint8_t out[LARAS_SEARCH_LEN])
{
	LarasPiece piece = {stem, n};
	uint8_t full[LARAS_HASH_LEN];

	if (!laras_hmac(key, LARAS_KEY_LEN, &piece, 1, full))
		return false;
	memcpy(out, full, LARAS_SEARCH_LEN);
	return true;
}

bool
laras_commitment_salt(const uint8_t key_salt[LARAS_KEY_LEN], uint64_t entry_id, uint16_t field_no,
					  uint8_t out[LARAS_HASH_LEN])
{
	uint8_t tail[10];
	LarasPiece pieces[2] = {LABEL("laras/1/f"), {tail, 10}};

	laras_put64(tail, entry_id);
	laras_put16(tail + 8, field_no);
	return laras_hmac(key_salt, LARAS_KEY_LEN, pieces, 2, out);
}

bool
laras_commitment(const char *field_name, const uint8_t salt[LARAS_HASH_LEN], const void *value,
				 size_t n, uint8_t out[LARAS_HASH_LEN])
{
	size_t name_len = strlen(field_name);
	uint8_t name_head[4];
	uint8_t value_head[4];
	LarasPiece pieces[6] = {LABEL("laras/1/commit"), {name_head, 4},  {field_name, name_len},
							{salt, LARAS_HASH_LEN},  {value_head, 4}, {value, n}};

	if (n > UINT32_MAX)
		return false;
	laras_put32(name_head, (uint32_t) name_len);
	laras_put32(value_head, (uint32_t) n);
	return laras_sha256(pieces, 6, out);
}
