/*
 * classify.c
 *		What the shipped weights say of texts, one a line of standard input: the
 *		class and the score, a line each.
 *
 *		classify WEIGHTS
 */
#include "inbox/sentimentmodel.h"

#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	static const char *const labels[] = {"negative", "neutral", "positive"};
	static uint8_t bytes[LARAS_SENTIMENT_BYTES + 1];
	static char line[65536];
	LarasSentimentModel model;
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;

	if (file == NULL || !laras_sentiment_read(bytes, fread(bytes, 1, sizeof(bytes), file), &model))
	{
		fputs("classify: no weights\n", stderr);
		return 1;
	}
	fclose(file);
	while (fgets(line, sizeof(line), stdin))
	{
		float p[LARAS_SENTIMENT_CLASSES] = {0, 1, 0};
		int best = 0;

		(void) laras_sentiment_classify(&model, line, strcspn(line, "\n"), p);
		for (int c = 1; c < LARAS_SENTIMENT_CLASSES; c++)
			if (p[c] > p[best])
				best = c;
		printf("%s\t%.3f\n", labels[best], (double) (p[LARAS_POSITIVE] - p[LARAS_NEGATIVE]));
	}
	return 0;
}
