/*
 * classify.c
 *		The safety classifier for texts that people write.
 *
 * A verdict is a row that is bound to its text by a digest: the outbox demands
 * one that passed, by a foreign key, for exactly the text that is sent.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "channel/send.h"
#include "mb/pg_wchar.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#define CLASSIFIER "laras-1 people"

LARAS_PLAN(
	read_phrases,
	"SELECT f.phrase FROM laras.forbidden_phrase f WHERE f.workspace_id OPERATOR(pg_catalog.=) $1",
	INT8OID);

LARAS_PLAN(
	add_verdict,
	"INSERT INTO laras.verdict (workspace_id, id, message_id, contact_id, text_digest, outcome, "
	"reasons, classifier) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID, TEXTOID, TEXTARRAYOID, TEXTOID);

/* Lower case by the rules of the default collation, for a comparison without case. */
static char *
folded(const char *text, size_t n)
{
	return str_tolower(text, n, DEFAULT_COLLATION_OID);
}

/* Does the text hold a phrase that the business forbids? Inside SPI. */
static bool
holds_forbidden(int64 workspace_id, const char *text, size_t n)
{
	char *low = folded(text, n);
	uint64 phrases = laras_spi_read(&read_phrases, (Datum[]){Int64GetDatum(workspace_id)}, NULL);

	for (uint64 i = 0; i < phrases; i++)
	{
		char *phrase = laras_spi_cstring(i, 1);

		if (strstr(low, folded(phrase, strlen(phrase))) != NULL)
			return true;
	}
	return false;
}

void
laras_judge_text(int64 workspace_id, const char *channel, uint32 contact_slot, int64 message_id,
				 int64 contact_id, const char *text, size_t n, LarasTextVerdict *verdict)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);
	Datum reason;
	bytea *digest = palloc(VARHDRSZ + LARAS_TEXT_DIGEST);

	verdict->id = laras_new_id();
	verdict->outcome = LARAS_VERDICT_PASS;
	verdict->reason = NULL;
	laras_text_digest(laras_workspace_slot(workspace_id), contact_slot, message_id, text, n,
					  verdict->digest);
	laras_spi_open();
	if (driver == NULL || driver->send == NULL)
		verdict->reason = "no_driver";
	else if (driver->send->text_limit > 0 &&
			 pg_mbstrlen_with_len(text, (int) n) > driver->send->text_limit)
		verdict->reason = "too_long";
	else if (holds_forbidden(workspace_id, text, n))
		verdict->reason = "forbidden_phrase";
	if (verdict->reason != NULL)
		verdict->outcome = LARAS_VERDICT_BLOCK;

	SET_VARSIZE(digest, VARHDRSZ + LARAS_TEXT_DIGEST);
	memcpy(VARDATA(digest), verdict->digest, LARAS_TEXT_DIGEST);
	reason = verdict->reason != NULL ? CStringGetTextDatum(verdict->reason) : (Datum) 0;
	laras_spi_run_one(
		&add_verdict,
		(Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(verdict->id),
				  Int64GetDatum(message_id), Int64GetDatum(contact_id), PointerGetDatum(digest),
				  CStringGetTextDatum(verdict->reason != NULL ? "block" : "pass"),
				  PointerGetDatum(construct_array(&reason, verdict->reason != NULL ? 1 : 0, TEXTOID,
												  -1, false, TYPALIGN_INT)),
				  CStringGetTextDatum(CLASSIFIER)},
		NULL);
	laras_spi_close();
}
