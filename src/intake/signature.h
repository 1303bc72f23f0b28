/*
 * signature.h
 *		The signature of a webhook, over the bytes as received.
 */
#ifndef LARAS_SIGNATURE_H
#define LARAS_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Read "sha256=" and exactly 64 lower-case hex digits (Meta, "Getting
 * started" of Graph webhooks). Anything else is false: the legacy sha1 form,
 * upper-case digits, padding, a second value.
 */
extern bool laras_signature_read(const char *header, size_t n, uint8_t mac[32]);

/*
 * Is mac the HMAC-SHA-256 of the body under the secret? Constant time in the
 * bytes of the mac. False also where the crypto library fails.
 */
extern bool laras_signature_holds(const uint8_t mac[32], const void *secret, size_t secret_len,
								  const void *body, size_t n);

/* characters of a webhook token; a buffer for it needs one more */
#define LARAS_WEBHOOK_TOKEN 64

/*
 * What events of an account carry in a header where the provider sends back
 * what it was given: hex of HMAC-SHA-256 under the app's secret over channel,
 * a slash and the account. So each account has its own, and one secret of the
 * operator serves all. Ends with a zero. False where the crypto library fails.
 */
extern bool laras_webhook_token(const void *secret, size_t secret_len, const char *channel,
								const char *account, size_t n, char out[LARAS_WEBHOOK_TOKEN + 1]);

/*
 * Is the token the secret? For providers that send the secret itself (Telegram).
 * Constant time in the bytes of both, and in their lengths.
 */
extern bool laras_token_holds(const char *token, size_t n, const void *secret, size_t secret_len);

#endif /* LARAS_SIGNATURE_H */
