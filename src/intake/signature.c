/*
 * signature.c
 *		Checks X-Hub-Signature-256. Plain C, never raises.
 */
#include "intake/signature.h"
#include "base/hex.h"
#include "vault/crypto.h"

#include <string.h>

#define PREFIX "sha256="

bool
laras_signature_read(const char *header, size_t n, uint8_t mac[32])
{
	const char *digits = header + strlen(PREFIX);

	if (n != strlen(PREFIX) + 64 || memcmp(header, PREFIX, strlen(PREFIX)) != 0)
		return false;
	return laras_hex_read_lower(digits, mac, 32);
}

bool
laras_signature_holds(const uint8_t mac[32], const void *secret, size_t secret_len,
					  const void *body, size_t n)
{
	uint8_t computed[32];
	const LarasPiece pieces[] = {{body, n}};
	bool same;

	if (secret_len == 0 || !laras_hmac(secret, secret_len, pieces, 1, computed))
		return false;
	same = laras_same_bytes(mac, computed, sizeof(computed));
	laras_wipe(computed, sizeof(computed));
	return same;
}

bool
laras_token_holds(const char *token, size_t n, const void *secret, size_t secret_len)
{
	uint8_t given[32];
	uint8_t wanted[32];
	const LarasPiece pieces[2] = {{token, n}, {secret, secret_len}};
	bool same;

	/* the digests have one length and tell nothing of the two */
	if (secret_len == 0 || !laras_sha256(&pieces[0], 1, given) ||
		!laras_sha256(&pieces[1], 1, wanted))
		return false;
	same = laras_same_bytes(given, wanted, sizeof(given));
	laras_wipe(wanted, sizeof(wanted));
	return same;
}

bool
laras_webhook_token(const void *secret, size_t secret_len, const char *channel, const char *account,
					size_t n, char out[LARAS_WEBHOOK_TOKEN + 1])
{
	uint8_t mac[LARAS_HASH_LEN];
	const LarasPiece pieces[] = {{channel, strlen(channel)}, {"/", 1}, {account, n}};

	out[0] = '\0';
	if (secret_len == 0 || !laras_hmac(secret, secret_len, pieces, 3, mac))
		return false;
	laras_hex_write(mac, sizeof(mac), out);
	laras_wipe(mac, sizeof(mac));
	return true;
}
