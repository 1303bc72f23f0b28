/*
 * digest.c
 *		Binds a verdict to one exact text of one message.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "vault/derive.h"
#include "vault/vault.h"

void
laras_text_digest(uint32 w, uint32 s, int64 message_id, const char *text, size_t n,
				  uint8 out[LARAS_TEXT_DIGEST])
{
	uint8 salt[LARAS_HASH_LEN];
	bool done;

	laras_evidence_salt(w, s, message_id, LARAS_FIELD_message_body, salt);
	done = laras_commitment("body", salt, text, n, out);
	laras_wipe(salt, sizeof(salt));
	if (!done)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a text")));
}
