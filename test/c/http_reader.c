/*
 * http_reader.c
 *		Replays the corpus of raw requests (test/payloads/http) against the
 *		reader, for test/t/040_http_reader.pl: each request whole, at every split
 *		in two, one byte at a time and in random pieces. All feedings of one
 *		request must tell the same story. Prints TAP.
 *
 *		http_reader DIRECTORY	the corpus
 *		http_reader random N	N requests made by mutation: the feedings agree with
 *								each other and with the reference
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_story.h"

#define MAX_REQUEST 65536

static size_t
read_file(const char *directory, const char *name, char *bytes)
{
	char path[1024];
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "%s/%s.http", directory, name);
	file = fopen(path, "rb");
	if (file == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(2);
	}
	length = fread(bytes, 1, MAX_REQUEST, file);
	fclose(file);
	return length;
}

static int
replay(const char *directory)
{
	char line[512];
	char bytes[MAX_REQUEST];
	char path[1024];
	int tests = 0;
	int bad = 0;
	FILE *table;

	snprintf(path, sizeof(path), "%s/expected.tsv", directory);
	table = fopen(path, "r");
	if (table == NULL)
		return 2;
	while (fgets(line, sizeof(line), table))
	{
		char name[128];
		char closed;
		unsigned requests;
		unsigned status;
		size_t length;
		LarasStory whole;
		long split;
		bool good;

		if (line[0] == '#' ||
			sscanf(line, "%127s\t%u\t%u\t%c", name, &requests, &status, &closed) != 4)
			continue;
		length = read_file(directory, name, bytes);
		whole = laras_story_feed(bytes, length, length, length);
		split = laras_story_differs(bytes, length, &whole, true);
		if (requests == 1)
			good = whole.last == LARAS_HTTP_COMPLETE &&
				   (closed == 'y') == (!whole.keep_alive || whole.end_at < length);
		else
			good = whole.last == LARAS_HTTP_REFUSED && whole.status == status &&
				   !whole.keep_alive && closed == 'y';
		tests++;
		good = good && laras_story_agrees(bytes, length, &whole);
		if (!good || split >= 0)
			bad++;
		printf("%s %d - %s%s%s\n", good && split < 0 ? "ok" : "not ok", tests, name,
			   whole.last == LARAS_HTTP_REFUSED ? ": " : "", whole.reason);
		if (!good)
			printf("# got event %d status %u, %zu of %zu bytes\n", (int) whole.last, whole.status,
				   whole.end_at, length);
		if (split >= 0)
			printf("# another story when split at %ld\n", split);
	}
	fclose(table);
	printf("1..%d\n", tests);
	return bad ? 1 : 0;
}

/* Requests that are nearly right, from pieces that matter to framing. */
static size_t
make_request(char *bytes)
{
	static const char *const pieces[] = {
		"GET ",
		"POST ",
		"/a?b=%41",
		" HTTP/1.1\r\n",
		" HTTP/1.0\r\n",
		"Host: a\r\n",
		"Content-Length: 3\r\n",
		"Transfer-Encoding: chunked\r\n",
		"Connection: close\r\n",
		"Expect: 100-continue\r\n",
		"\r\n",
		"abc",
		"3\r\nabc\r\n",
		"0\r\n\r\n",
		"X: y\r\n",
	};
	static const unsigned char usual[] = {1, 2, 3, 5, 7, 10, 12, 13};
	size_t length = 0;
	unsigned n = sizeof(usual);

	for (unsigned i = 0; i < n; i++)
	{
		unsigned pick = usual[i];
		const char *piece;

		if (laras_story_random() % 6 == 0)
			pick = laras_story_random() % (sizeof(pieces) / sizeof(pieces[0]));
		if (laras_story_random() % 20 == 0)
			continue;
		piece = pieces[pick];
		memcpy(bytes + length, piece, strlen(piece));
		length += strlen(piece);
	}
	for (unsigned i = laras_story_random() % 3; i > 0 && length > 0; i--)
		bytes[laras_story_random() % length] = (char) laras_story_random();
	return length;
}

static int
run_random(long n)
{
	char bytes[1024];
	long complete = 0;
	long refused = 0;

	for (long i = 0; i < n; i++)
	{
		size_t length = make_request(bytes);
		LarasStory whole =
			laras_story_feed(bytes, length, length ? length : 1, length ? length : 1);

		if (!laras_story_agrees(bytes, length, &whole))
		{
			printf("not ok 1 - reader and reference frame request %ld differently\n1..1\n", i);
			fwrite(bytes, 1, length, stderr);
			return 1;
		}
		complete += whole.last == LARAS_HTTP_COMPLETE;
		refused += whole.last == LARAS_HTTP_REFUSED;
		if (laras_story_differs(bytes, length, &whole, i % 10 == 0) >= 0)
		{
			printf("not ok 1 - request %ld tells different stories\n1..1\n", i);
			return 1;
		}
	}
	printf("ok 1 - %ld made requests tell one story each\n", n);
	printf("%s 2 - some were taken and some refused\n",
		   complete > n / 50 && refused > n / 50 ? "ok" : "not ok");
	printf("# %ld complete, %ld refused\n1..2\n", complete, refused);
	return 0;
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && strcmp(argv[1], "random") == 0)
		return run_random(strtol(argv[2], NULL, 10));
	return argc == 2 ? replay(argv[1]) : 2;
}
