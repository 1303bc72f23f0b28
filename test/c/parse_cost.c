/*
 * parse_cost.c
 *		What reading a webhook costs: each file many times, once the JSON alone and
 *		once with a driver's split and parse. Without server.
 *
 *		parse_cost CHANNEL FILE...
 *
 * One line a file: its name, the kind of its first record, nanoseconds for the
 * JSON, nanoseconds for the driver, the least of several rounds.
 */
#include "channel/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 9
#define TIMES 400

/* memory as a worker gives it: carved from one piece, zeroed, gone at once */
static char arena[8 * 1024 * 1024];
static size_t used;

static void *
allocate(void *context, size_t n)
{
	void *p = arena + used;

	(void) context;
	if (n > sizeof(arena) - used - 16)
		return NULL;
	used += (n + 15) & ~(size_t) 15;
	memset(p, 0, n);
	return p;
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static const char *
kind_of(const LarasRecord *r)
{
	switch (r->kind)
	{
		case LARAS_RECORD_MESSAGE:
		case LARAS_RECORD_COMMENT:
			return r->message_kind;
		case LARAS_RECORD_STATUS:
		case LARAS_RECORD_WATERMARK:
			return "status";
		case LARAS_RECORD_PERSON:
			return "person";
		case LARAS_RECORD_ACCOUNT:
			return "account";
		case LARAS_RECORD_OTHER:
		case LARAS_RECORD_FAULT:
			return "set aside";
	}
	return "set aside";
}

/* Split and read once; the kind of the first record, NULL where there is none. */
static const char *
read_once(const LarasChannelDriver *driver, json_t *body)
{
	LarasAllocator allocator = {allocate, NULL};
	LarasPieceSource source = {{NULL, 0}, NULL};
	LarasBodyPart *parts = NULL;
	const char *reason = NULL;
	const char *kind = NULL;
	int nameless = 0;
	int count;

	used = 0;
	count = driver->split(body, &allocator, &parts, &nameless, &reason);
	for (int i = 0; i < count; i++)
	{
		LarasRecord *records = NULL;
		int found = driver->parse(parts[i].document, &source, &allocator, &records, &reason);

		if (found > 0 && kind == NULL)
			kind = kind_of(&records[0]);
		if (!parts[i].whole)
			json_decref(parts[i].document);
	}
	return kind;
}

static void
measure(const LarasChannelDriver *driver, const char *file, const char *bytes, size_t n)
{
	json_t *body = laras_json_parse(bytes, n, NULL);
	const char *kind = body != NULL ? read_once(driver, body) : NULL;
	double json = 1e18;
	double parse = 1e18;

	for (int round = 0; kind != NULL && round < ROUNDS; round++)
	{
		double start = now_ns();

		for (int i = 0; i < TIMES; i++)
			json_decref(laras_json_parse(bytes, n, NULL));
		if (now_ns() - start < json)
			json = now_ns() - start;
		start = now_ns();
		for (int i = 0; i < TIMES; i++)
			(void) read_once(driver, body);
		if (now_ns() - start < parse)
			parse = now_ns() - start;
	}
	if (kind != NULL)
		printf("%s\t%s\t%.0f\t%.0f\n", file, kind, json / TIMES, parse / TIMES);
	json_decref(body);
}

int
main(int argc, char **argv)
{
	const LarasChannelDriver *driver = argc > 1 ? laras_channel_driver(argv[1]) : NULL;
	static char bytes[1024 * 1024];

	if (driver == NULL)
	{
		fprintf(stderr, "usage: parse_cost CHANNEL FILE...\n");
		return 2;
	}
	for (int a = 2; a < argc; a++)
	{
		FILE *file = fopen(argv[a], "rb");
		size_t n = file != NULL ? fread(bytes, 1, sizeof(bytes), file) : 0;
		const char *base = strrchr(argv[a], '/') ? strrchr(argv[a], '/') + 1 : argv[a];

		if (file == NULL)
			return 2;
		fclose(file);
		measure(driver, base, bytes, n);
	}
	return 0;
}
