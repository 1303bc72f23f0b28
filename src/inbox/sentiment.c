/*
 * sentiment.c
 *		The sentiment of messages: the shipped weights, the same for all
 *		workspaces and changed by none, say how a text sounds.
 *
 * What a message says of its writer is as much theirs as its text: the score is
 * sealed under the same slot and dies with it.
 */
#include "postgres.h"

#include "inbox/sentiment.h"
#include "inbox/sentimentmodel.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* sentimentweights.S */
extern const uint8_t laras_sentiment_weights[LARAS_SENTIMENT_BYTES];

static const LarasSentimentModel *
shipped_model(void)
{
	static LarasSentimentModel model;

	if (model.weights == NULL &&
		!laras_sentiment_read(laras_sentiment_weights, LARAS_SENTIMENT_BYTES, &model))
		elog(ERROR, "the weights of the sentiment model are of another version");
	return &model;
}

bytea *
laras_sentiment_seal(uint32 w, uint32 s, int64 workspace_id, int64 message_id, const char *text,
					 size_t n)
{
	float probability[LARAS_SENTIMENT_CLASSES];
	char score[16];

	if (!laras_sentiment_classify(shipped_model(), text, n, probability))
		return NULL;
	snprintf(score, sizeof(score), "%.3f",
			 (double) (probability[LARAS_POSITIVE] - probability[LARAS_NEGATIVE]));
	return laras_seal_cstring(w, s, LARAS_FIELD_message_sentiment, workspace_id, message_id, score);
}
