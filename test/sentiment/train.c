/*
 * train.c
 *		Makes the weights of the sentiment model: logistic regression over three
 *		classes, stochastic steps by AdaGrad, always the same from the same files.
 *
 *		train WEIGHTS FILE=WEIGHT ...
 *
 * Each line of a file is a text, a tab, and negative, neutral or positive; the
 * weight says how much a line of that file counts. See README.md beside this.
 */
#include "inbox/sentimentmodel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCHS 7
#define RATE 0.1f
#define DECAY 2e-3f
#define LONGEST_LINE 65536

typedef struct Text
{
	int count[LARAS_FEATURE_KINDS];
	int room[LARAS_FEATURE_KINDS];
	uint32_t *bucket[LARAS_FEATURE_KINDS];
	int label;
	float weight;
} Text;

static const char *const labels[] = {"negative", "neutral", "positive"};

static Text *texts;
static int text_count;
static float weights[LARAS_SENTIMENT_BUCKETS][LARAS_SENTIMENT_CLASSES];
static float squares[LARAS_SENTIMENT_BUCKETS][LARAS_SENTIMENT_CLASSES];
static float bias[LARAS_SENTIMENT_CLASSES];
static float bias_squares[LARAS_SENTIMENT_CLASSES];

static void *
grown(void *p, size_t n)
{
	p = realloc(p, n);
	if (p == NULL)
	{
		perror("train");
		exit(1);
	}
	return p;
}

static void
add_feature(void *context, LarasFeatureKind kind, uint32_t bucket)
{
	Text *text = context;

	if (text->count[kind] == text->room[kind])
	{
		text->room[kind] = text->room[kind] * 2 + 64;
		text->bucket[kind] =
			grown(text->bucket[kind], sizeof(uint32_t) * (size_t) text->room[kind]);
	}
	text->bucket[kind][text->count[kind]++] = bucket;
}

static void
read_file(const char *path, float weight)
{
	static char line[LONGEST_LINE];
	FILE *file = fopen(path, "r");
	int room = text_count;

	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof(line), file))
	{
		char *tab = strrchr(line, '\t');
		Text *text;

		line[strcspn(line, "\n")] = '\0';
		if (tab == NULL)
			continue;
		*tab++ = '\0';
		if (text_count == room)
			texts = grown(texts, sizeof(Text) * (size_t) (room = room * 2 + 1024));
		text = &texts[text_count++];
		memset(text, 0, sizeof(*text));
		text->weight = weight;
		while (text->label < LARAS_SENTIMENT_CLASSES && strcmp(tab, labels[text->label]) != 0)
			text->label++;
		if (text->label == LARAS_SENTIMENT_CLASSES)
		{
			fprintf(stderr, "%s: no such class: %s\n", path, tab);
			exit(1);
		}
		laras_sentiment_features(line, strlen(line), add_feature, text);
	}
	fclose(file);
}

static void
classify(const Text *text, float p[LARAS_SENTIMENT_CLASSES])
{
	float total = 0;

	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
	{
		p[c] = bias[c];
		for (int k = 0; k < LARAS_FEATURE_KINDS; k++)
		{
			float sum = 0;

			for (int i = 0; i < text->count[k]; i++)
				sum += weights[text->bucket[k][i]][c];
			if (text->count[k] > 0)
				p[c] += sum / sqrtf((float) text->count[k]);
		}
	}
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		total += p[c] = expf(p[c]);
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		p[c] /= total;
}

static void
step(float *weight, float *square, float gradient)
{
	*square += gradient * gradient;
	*weight -= RATE * gradient / sqrtf(*square + 1e-6f);
}

static void
learn(const Text *text, const float class_weight[])
{
	float p[LARAS_SENTIMENT_CLASSES];

	classify(text, p);
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
	{
		float gradient = (p[c] - (c == text->label)) * text->weight * class_weight[text->label];

		step(&bias[c], &bias_squares[c], gradient);
		for (int k = 0; k < LARAS_FEATURE_KINDS; k++)
		{
			float share = gradient / sqrtf((float) text->count[k] + 1e-9f);

			for (int i = 0; i < text->count[k]; i++)
			{
				float *w = &weights[text->bucket[k][i]][c];

				step(w, &squares[text->bucket[k][i]][c], share + DECAY * *w);
			}
		}
	}
}

static void
write_float(FILE *file, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 4; i++)
		fputc((int) (bits >> (8 * i) & 255), file);
}

static void
write_weights(const char *path)
{
	FILE *file = fopen(path, "wb");
	float largest = 0;

	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	for (int b = 0; b < LARAS_SENTIMENT_BUCKETS; b++)
		for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
			largest = fmaxf(largest, fabsf(weights[b][c]));
	fputs(LARAS_SENTIMENT_MAGIC, file);
	write_float(file, largest / 127);
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		write_float(file, bias[c]);
	for (int b = 0; b < LARAS_SENTIMENT_BUCKETS; b++)
		for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
			fputc((int) lrintf(weights[b][c] / largest * 127) & 255, file);
	if (fclose(file) != 0)
	{
		perror(path);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	int many[LARAS_SENTIMENT_CLASSES] = {0};
	float class_weight[LARAS_SENTIMENT_CLASSES];
	uint64_t random = 1;
	int *order;

	for (int i = 2; i < argc; i++)
	{
		char *weight = strchr(argv[i], '=');

		if (weight != NULL)
			*weight++ = '\0';
		read_file(argv[i], weight ? strtof(weight, NULL) : 1);
	}
	if (text_count == 0)
	{
		fputs("usage: train WEIGHTS FILE=WEIGHT ...\n", stderr);
		return 2;
	}
	/* rare classes count more, by half of what would make them even */
	for (int i = 0; i < text_count; i++)
		many[texts[i].label]++;
	for (int c = 0; c < LARAS_SENTIMENT_CLASSES; c++)
		class_weight[c] = sqrtf((float) text_count / LARAS_SENTIMENT_CLASSES / (float) many[c]);
	order = grown(NULL, sizeof(int) * (size_t) text_count);
	for (int i = 0; i < text_count; i++)
		order[i] = i;
	for (int epoch = 0; epoch < EPOCHS; epoch++)
	{
		for (int i = text_count - 1; i > 0; i--)
		{
			int k;
			int other;

			random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			k = (int) ((random >> 33) % (uint64_t) (i + 1));
			other = order[i];
			order[i] = order[k];
			order[k] = other;
		}
		for (int i = 0; i < text_count; i++)
			learn(&texts[order[i]], class_weight);
	}
	write_weights(argv[1]);
	return 0;
}
