/*
 * http_request.c
 *		Fuzz target for the request reader: any bytes, fed whole, byte by byte and
 *		in random pieces, tell one story, and the reference agrees on where the
 *		request ends. For libFuzzer; with -DSTANDALONE it replays the files named.
 *
 *		clang -fsanitize=fuzzer,address,undefined -Isrc -Itest/c -D_GNU_SOURCE \
 *			test/fuzz/http_request.c test/c/http_story.c src/relay/http_request.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "http_story.h"

extern int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *bytes = (const char *) data;
	LarasStory whole = laras_story_feed(bytes, size, size ? size : 1, size ? size : 1);

	if (laras_story_differs(bytes, size, &whole, false) >= 0)
	{
		fputs("another story when fed in pieces\n", stderr);
		abort();
	}
	if (!laras_story_agrees(bytes, size, &whole))
	{
		fputs("reader and reference differ\n", stderr);
		abort();
	}
	return 0;
}

#include "standalone.h"
