/*
 * sentimentmodel.c
 *		Features of a text and the weights of them, see sentimentmodel.h.
 *
 * Invariant: what a feature's bucket is never changes while the weights stand:
 * they were trained by this code (test/sentiment/train.c).
 */
#include "inbox/sentimentmodel.h"

#include <math.h>
#include <string.h>

#define LONGEST_WORD 40
#define SHORTEST_RUN 3
#define LONGEST_RUN 5
#define HASH_START 2166136261u
#define HASH_PRIME 16777619u

/* FNV-1a, which spreads short strings well enough and costs a multiplication a byte */
static uint32_t
hash_bytes(uint32_t hash, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uint8_t) p[i]) * HASH_PRIME;
	return hash;
}

static uint32_t
bucket_of(uint32_t hash)
{
	hash ^= hash >> 15;
	hash *= 0x85ebca6bu;
	hash ^= hash >> 13;
	return hash % LARAS_SENTIMENT_BUCKETS;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

/* A letter, a digit, or a byte of a character beyond ASCII (emoji are words). */
static bool
in_word(char c)
{
	return (unsigned char) c >= 0x80 || (c >= '0' && c <= '9') ||
		   (lower(c) >= 'a' && lower(c) <= 'z');
}

/*
 * The next word at or behind *at, in lower case, cut where it is very long; its
 * length, 0 at the end. A letter held longer than twice says no more than twice;
 * digits in a row are one 0: how many, how much and which house says nothing of
 * how somebody feels; ! and ? are words.
 */
static size_t
next_word(const char *text, size_t n, size_t *at, char word[LONGEST_WORD])
{
	size_t i = *at;
	size_t length = 0;

	while (i < n && !in_word(text[i]) && text[i] != '!' && text[i] != '?')
		i++;
	if (i < n && !in_word(text[i]))
		word[length++] = text[i++];
	else
		for (; i < n && in_word(text[i]); i++)
		{
			char c = lower(text[i]);

			if (c >= '0' && c <= '9')
				c = '0';
			if (c == '0' && length >= 1 && word[length - 1] == '0')
				continue;
			if (length >= 2 && word[length - 1] == c && word[length - 2] == c)
				continue;
			if (length < LONGEST_WORD)
				word[length++] = c;
		}
	*at = i;
	return length;
}

void
laras_sentiment_features(const char *text, size_t n, LarasFeatureSink sink, void *context)
{
	char padded[LONGEST_WORD + 2];
	char *word = padded + 1;
	uint32_t last = 0;
	size_t at = 0;
	size_t length;

	if (n > LARAS_SENTIMENT_TEXT)
		n = LARAS_SENTIMENT_TEXT;
	padded[0] = ' ';
	while ((length = next_word(text, n, &at, word)) > 0)
	{
		uint32_t hash = hash_bytes(HASH_START, word, length);

		sink(context, LARAS_FEATURE_WORDS, bucket_of(hash));
		if (last != 0)
			sink(context, LARAS_FEATURE_PAIRS, bucket_of(hash_bytes(last * 31, word, length)));
		last = hash;
		word[length] = ' ';
		for (size_t i = 0; i + SHORTEST_RUN <= length + 2; i++)
		{
			/* a run of letters is not the word of these letters */
			uint32_t run = hash_bytes(HASH_START + 1, padded + i, SHORTEST_RUN - 1);

			for (size_t size = SHORTEST_RUN; size <= LONGEST_RUN && i + size <= length + 2; size++)
			{
				run = hash_bytes(run, padded + i + size - 1, 1);
				sink(context, LARAS_FEATURE_LETTERS, bucket_of(run));
			}
		}
	}
}

static float
read_float(const uint8_t *p)
{
	uint32_t bits =
		(uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

bool
laras_sentiment_read(const uint8_t *bytes, size_t n, LarasSentimentModel *model)
{
	const uint8_t *numbers = bytes + sizeof(LARAS_SENTIMENT_MAGIC) - 1;

	if (n != LARAS_SENTIMENT_BYTES ||
		memcmp(bytes, LARAS_SENTIMENT_MAGIC, sizeof(LARAS_SENTIMENT_MAGIC) - 1) != 0)
		return false;
	model->step = read_float(numbers);
	if (!isfinite(model->step))
		return false;
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
	{
		model->bias[c] = read_float(numbers + 4 * (1 + c));
		if (!isfinite(model->bias[c]))
			return false;
	}
	model->weights = (const int8_t *) bytes + LARAS_SENTIMENT_HEADER;
	return true;
}

typedef struct Sums
{
	const int8_t *weights;
	int count[LARAS_FEATURE_KINDS];
	int32_t sum[LARAS_FEATURE_KINDS][LARAS_SENTIMENT_CLASSES];
} Sums;

static void
add_feature(void *context, LarasFeatureKind kind, uint32_t bucket)
{
	Sums *sums = context;
	const int8_t *w = &sums->weights[(size_t) bucket * LARAS_SENTIMENT_CLASSES];

	sums->count[kind]++;
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		sums->sum[kind][c] += w[c];
}

bool
laras_sentiment_classify(const LarasSentimentModel *model, const char *text, size_t n,
						 float probability[LARAS_SENTIMENT_CLASSES])
{
	Sums sums = {.weights = model->weights};
	float total = 0;
	float highest = -INFINITY;

	laras_sentiment_features(text, n, add_feature, &sums);
	if (sums.count[LARAS_FEATURE_WORDS] == 0)
		return false;
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
	{
		probability[c] = model->bias[c];
		for (int k = 0; k < LARAS_FEATURE_KINDS; k++)
			if (sums.count[k] > 0)
				probability[c] +=
					model->step * (float) sums.sum[k][c] / sqrtf((float) sums.count[k]);
		highest = fmaxf(highest, probability[c]);
	}
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		total += probability[c] = expf(probability[c] - highest);
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		probability[c] /= total;
	return true;
}
