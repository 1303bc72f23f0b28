/*
 * http_story.h
 *		What can be seen of feeding bytes to the request reader, and a second
 *		opinion on where a request ends. For test/c/http_reader.c and
 *		test/fuzz/http_request.c.
 */
#ifndef LARAS_TEST_HTTP_STORY_H
#define LARAS_TEST_HTTP_STORY_H

#include "relay/http_request.h"

#define STORY_BODY_LIMIT 1024

typedef struct LarasStory
{
	LarasHttpEvent last;
	size_t head_at;
	size_t end_at;
	unsigned status;
	const char *reason;
	unsigned long long contents; /* hash of everything the accessors return */
	bool keep_alive;
	size_t body_length;
} LarasStory;

/* A sequence that is the same in every run. */
extern unsigned laras_story_random(void);

/*
 * Feeds a first piece of that length and then pieces of length rest (0: random
 * ones), until the reader stops or the bytes end. Each piece is a heap block of
 * its own, so that a sanitizer sees any reading beyond it.
 */
extern LarasStory laras_story_feed(const char *bytes, size_t length, size_t first, size_t rest);

/*
 * Feeds in other ways and compares with the story of the whole: byte by byte,
 * five times in random pieces and, if asked, at every split in two. The split
 * that differs (0 where it was no split), or -1.
 */
extern long
laras_story_differs(const char *bytes, size_t length, const LarasStory *whole, bool every_split);

/*
 * The reference: looks at all the bytes at once, written without the reader's
 * code or form. True when they begin with a request; then *end is where it ends
 * and *body_length the length of its decoded body.
 */
extern bool
laras_story_reference(const char *bytes, size_t length, size_t *end, size_t *body_length);

/* Do reader and reference agree on these bytes? */
extern bool laras_story_agrees(const char *bytes, size_t length, const LarasStory *whole);

#endif /* LARAS_TEST_HTTP_STORY_H */
