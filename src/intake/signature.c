/*
 * signature.c
 *		Checks X-Hub-Signature-256. Plain C, never raises.
 */
#include "intake/signature.h"
#include "vault/crypto.h"

#include <string.h>

#define PREFIX "sha256="

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
laras_signature_read(const char *header, size_t n, uint8_t mac[32])
{
	const char *digits = header + strlen(PREFIX);

	if (n != strlen(PREFIX) + 64 || memcmp(header, PREFIX, strlen(PREFIX)) != 0)
		return false;
	for (int i = 0; i < 32; i++)
	{
		int high = hex_digit(digits[2 * i]);
		int low = hex_digit(digits[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		mac[i] = (uint8_t) (high << 4 | low);
	}
	return true;
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
