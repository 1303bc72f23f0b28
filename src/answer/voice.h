/*
 * voice.h
 *		How a business speaks: laras.brand_voice, a row for each language.
 *
 *		Its greeting and sign-off are the business's own words: a text that begins
 *		or ends with them is judged without them, and cites the row, so that other
 *		words there make it stale.  How it addresses a customer is a word within
 *		the drafter's own phrases and states nothing.
 */
#ifndef LARAS_ANSWER_VOICE_H
#define LARAS_ANSWER_VOICE_H

#include "answer/drafter.h"

/* The greeting and sign-off of each language that has a row: Indonesian, English. */
typedef struct LarasVoice
{
	bool given;
	int64 id;
	int64 version;
	const char *address;  /* empty: by no name */
	const char *greeting; /* empty: none; without blanks at its ends, as sign_off */
	const char *sign_off;
	const char *manner; /* for a language model */
	bool emoji;
} LarasVoice;

typedef struct LarasVoices
{
	LarasVoice of[2]; /* [0] Indonesian, [1] English */
} LarasVoices;

/*
 * How this business speaks, in the caller's memory context; in a batch
 * (laras_judge_batch) it is read once. Runs SQL as whoever calls: a workspace is
 * bound, or in the worker's reach.
 */
extern const LarasVoices *laras_voices_of(int64 workspace_id);

/*
 * Does the text begin with the greeting or end with the sign-off of this voice?
 * Then the row is ground of it.
 */
extern bool
laras_voice_speaks(const char *greeting, const char *sign_off, const char *text, size_t n);

/* The text without what the business always says before and after it; *n follows. */
extern const char *laras_without_voice(const LarasVoices *voices, const char *text, size_t *n);

/* Does the text hold an emoji that the business does not use in its language? */
extern bool laras_emoji_unwanted(const LarasVoices *voices, const char *text, size_t n);

#endif /* LARAS_ANSWER_VOICE_H */
