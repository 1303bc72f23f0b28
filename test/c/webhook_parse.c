/*
 * webhook_parse.c
 *		Reads webhook bodies with a driver and prints what it found, one line a
 *		file: name, parts, messages, statuses, others, faults. Without server.
 *
 *		webhook_parse CHANNEL FILE...
 */
#include "channel/channel.h"
#include "channel/send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
allocate(void *context, size_t n)
{
	(void) context;
	return calloc(1, n);
}

static char *
read_file(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(8 * 1024 * 1024);

	if (file == NULL || bytes == NULL)
	{
		perror(path);
		exit(2);
	}
	*n = fread(bytes, 1, 8 * 1024 * 1024, file);
	fclose(file);
	return bytes;
}

int
main(int argc, char **argv)
{
	const LarasChannelDriver *driver = argc > 1 ? laras_channel_driver(argv[1]) : NULL;
	LarasAllocator allocator = {allocate, NULL};

	if (driver == NULL)
	{
		fprintf(stderr, "usage: webhook_parse CHANNEL FILE...\n");
		return 2;
	}
	for (int a = 2; a < argc; a++)
	{
		const char *reason = NULL;
		const char *base = strrchr(argv[a], '/') ? strrchr(argv[a], '/') + 1 : argv[a];
		size_t n;
		char *bytes = read_file(argv[a], &n);
		json_t *body = laras_json_parse(bytes, n, &reason);
		LarasBodyPart *parts;
		int nameless = 0;
		int count = body ? driver->split(body, &allocator, &parts, &nameless, &reason) : -1;
		int kinds[4] = {0};

		for (int i = 0; i < count; i++)
		{
			LarasRecord *records;
			int found = driver->parse(parts[i].document, &allocator, &records, &reason);

			for (int k = 0; k < found; k++)
			{
				kinds[records[k].kind]++;
				if (records[k].kind >= LARAS_RECORD_OTHER)
					reason = records[k].reason;
			}
		}
		printf("%s\t%d\t%d\t%d\t%d\t%d\t%s\n", base, count, kinds[LARAS_RECORD_MESSAGE],
			   kinds[LARAS_RECORD_STATUS], kinds[LARAS_RECORD_OTHER], kinds[LARAS_RECORD_FAULT],
			   reason ? reason : "-");
		free(bytes);
	}
	return 0;
}
