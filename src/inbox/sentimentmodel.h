/*
 * sentimentmodel.h
 *		A linear model of sentiment over words and letters: how a text becomes
 *		features, and what the weights make of them. Plain C, keeps no memory.
 *
 * Features are hashed into a fixed number of buckets: words, pairs of
 * neighbours, and runs of three to five letters within a word, which meet chat
 * spelling ("bgt", "bangettt") half-way. A number is a number, whichever it is.
 * Those of a kind count by the root of how many a text has, so that long texts
 * are not louder than short ones.
 */
#ifndef LARAS_SENTIMENTMODEL_H
#define LARAS_SENTIMENTMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LARAS_SENTIMENT_BUCKETS 262144
#define LARAS_SENTIMENT_TEXT 4096 /* bytes of a text that count */

/* in the order of the weights */
typedef enum LarasSentimentClass
{
	LARAS_NEGATIVE,
	LARAS_NEUTRAL,
	LARAS_POSITIVE,
	LARAS_SENTIMENT_CLASSES
} LarasSentimentClass;

typedef enum LarasFeatureKind
{
	LARAS_FEATURE_WORDS,
	LARAS_FEATURE_PAIRS,
	LARAS_FEATURE_LETTERS,
	LARAS_FEATURE_KINDS
} LarasFeatureKind;

typedef void (*LarasFeatureSink)(void *context, LarasFeatureKind kind, uint32_t bucket);

/* Hands every feature of a text to the sink, as often as it occurs. */
extern void
laras_sentiment_features(const char *text, size_t n, LarasFeatureSink sink, void *context);

typedef struct LarasSentimentModel
{
	float step; /* what a weight of 1 stands for */
	float bias[LARAS_SENTIMENT_CLASSES];
	const int8_t *weights; /* [bucket][class] */
} LarasSentimentModel;

/*
 * A weights file: this line, then float32 step, float32 bias of each class (both
 * little-endian), then a byte for each weight.
 */
#define LARAS_SENTIMENT_MAGIC "laras sentiment 2\n"
#define LARAS_SENTIMENT_HEADER \
	(sizeof(LARAS_SENTIMENT_MAGIC) - 1 + 4 * (1 + LARAS_SENTIMENT_CLASSES))
#define LARAS_SENTIMENT_BYTES \
	(LARAS_SENTIMENT_HEADER + LARAS_SENTIMENT_BUCKETS * LARAS_SENTIMENT_CLASSES)

/* False where these bytes, which stay in use, are no weights file. */
extern bool laras_sentiment_read(const uint8_t *bytes, size_t n, LarasSentimentModel *model);

/* The probability of each class; false where a text has no word. */
extern bool laras_sentiment_classify(const LarasSentimentModel *model, const char *text, size_t n,
									 float probability[LARAS_SENTIMENT_CLASSES]);

#endif /* LARAS_SENTIMENTMODEL_H */
