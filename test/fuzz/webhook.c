/*
 * webhook.c
 *		Fuzz target for the drivers' parsers: any bytes are split and read without
 *		harm, also where memory runs short, and what comes out is whole. For
 *		libFuzzer; with -DSTANDALONE it replays the files named.
 *		LARAS_CHANNEL in the environment names the driver.
 *
 *		clang -fsanitize=fuzzer,address,undefined -Isrc $(pkg-config --cflags gmime-3.0) \
 *			test/fuzz/webhook.c src/channel/[a-z]*.c src/base/json.c -ljansson -lgmime-3.0 -lgobject-2.0 -lglib-2.0
 */
#include "channel/email.h"
#include "channel/media.h"

#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a mapping for the driver that has one */
#define OPTIONS                                                                                        \
	"{\"mapping\": {\"items\": \"/events\", \"id\": \"/id\", \"from\": \"/author/id\", "               \
	"\"name\": \"/author/name\", \"text\": \"/body\", \"time\": \"/at\", \"about\": \"/re\", "         \
	"\"event\": \"/type\", \"messages\": [\"new\"], \"edits\": [\"edit\"], \"removals\": [\"gone\"], " \
	"\"outbound\": {\"at\": \"/author/role\", \"is\": [\"agent\"]}, "                                  \
	"\"parts\": {\"image\": \"/files/0\"}}}"

extern int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* everything allocated in one run, freed together; budget: how much before it is short */
typedef struct Arena
{
	void **blocks;
	size_t count;
	size_t room;
	long budget;
} Arena;

static void *
allocate(void *context, size_t n)
{
	Arena *arena = context;
	void *block;

	if (arena->budget-- <= 0)
		return NULL;
	if (arena->count == arena->room)
	{
		arena->room = arena->room * 2 + 64;
		arena->blocks = realloc(arena->blocks, sizeof(void *) * arena->room);
	}
	block = calloc(1, n);
	arena->blocks[arena->count++] = block;
	return block;
}

static void
must(int condition, const char *what)
{
	if (!condition)
	{
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void
check_json(LarasText text)
{
	json_t *parsed = json_loadb(text.s, text.n, JSON_DECODE_ANY, NULL);

	must(parsed != NULL, "a part that is no JSON");
	json_decref(parsed);
}

static void
check_record(const LarasRecord *r)
{
	switch (r->kind)
	{
		case LARAS_RECORD_MESSAGE:
			must(r->message_kind != NULL, "a message without a kind");
			must(r->unnamed || (r->provider_id.s != NULL && r->provider_id.n > 0),
				 "a message without an id");
			must(r->identity_count > 0, "a message without a sender");
			must(r->element != NULL, "a message without its element");
			must(r->effect == LARAS_EFFECT_NONE || r->about.s != NULL, "an effect on nothing");
			/* fall through */
		case LARAS_RECORD_STATUS:
			must(r->kind != LARAS_RECORD_STATUS || r->status != NULL, "a status without a word");
			must(r->event_key.s != NULL, "an event without a key");
			break;
		case LARAS_RECORD_COMMENT:
			must(r->provider_id.s != NULL && r->provider_id.n > 0 && r->event_key.s != NULL,
				 "a comment without an id");
			must(r->message_kind != NULL, "a comment without a kind");
			break;
		case LARAS_RECORD_WATERMARK:
			must(r->status != NULL && r->provider_time > 0, "a watermark without a time");
			/* fall through */
		case LARAS_RECORD_PERSON:
			must(r->identity_count > 0, "a person without an id");
			break;
		case LARAS_RECORD_ACCOUNT:
			must(r->topic != NULL && r->event_key.s != NULL, "an account event without a topic");
			check_json(r->details);
			break;
		case LARAS_RECORD_OTHER:
		case LARAS_RECORD_FAULT:
			must(r->reason != NULL, "set aside without a reason");
			break;
	}
	must(r->provider_time >= 0 && r->provider_time <= INT64_C(4102444800), "an absurd time");
	for (int i = 0; i < r->identity_count; i++)
		must(r->identities[i].kind != 0 && r->identities[i].value.n > 0, "an empty identity");
	for (int i = 0; i < r->part_count; i++)
		check_json(r->parts[i].content);
}

/* Files that a body brings along are as many as its records say, and as long; enclosed: what those say. */
static void
read_files(const LarasChannelDriver *driver, const char *bytes, size_t size,
		   const LarasRecordPart *enclosed, int count)
{
	void *files = driver->enclosed->open(bytes, size);
	LarasEnclosedFile file;

	must(files != NULL, "files that are told of cannot be read");
	for (int i = 0; i < count; i++)
	{
		json_t *part;
		int64_t stated = -1;

		must(driver->enclosed->next(files, &file), "a file that is told of is missing");
		part = json_loadb(enclosed[i].content.s, enclosed[i].content.n, 0, NULL);
		stated = laras_media_read_size(laras_json_get(part, "size"));
		must(stated == (int64_t) file.bytes.n, "a file is not as long as it is told");
		json_decref(part);
	}
	driver->enclosed->close(files);
}

/* The files of one record. */
static void
check_files(const LarasChannelDriver *driver, const char *bytes, size_t size, const LarasRecord *r)
{
	LarasRecordPart list[256];
	int count = 0;

	for (int i = 0; i < r->part_count; i++)
		if (r->parts[i].enclosed)
		{
			must(driver->enclosed != NULL && count < 256, "files where there are none");
			list[count++] = r->parts[i];
		}
	if (count > 0)
		read_files(driver, bytes, size, list, count);
}

static void
read_all(const LarasChannelDriver *driver, const char *bytes, size_t size, long budget)
{
	Arena arena = {.budget = budget};
	LarasAllocator allocator = {allocate, &arena};
	const char *reason = NULL;
	json_t *options = json_loads(OPTIONS, 0, NULL);
	LarasPieceSource source = {{"900", 3}, options};
	json_t *body = laras_channel_read(driver, bytes, size, &reason);
	LarasBodyPart *parts = NULL;
	int nameless = 0;
	int count = -1;

	if (body != NULL)
		count = driver->split(body, &allocator, &parts, &nameless, &reason);
	must(count >= 0 || reason != NULL, "refused without a reason");
	for (int i = 0; i < count; i++)
	{
		LarasRecord *records = NULL;
		int found = driver->parse(parts[i].document, &source, &allocator, &records, &reason);

		must(found >= 0 || reason != NULL, "not parsed without a reason");
		for (int k = 0; k < found; k++)
		{
			check_record(&records[k]);
			if (arena.budget > 0)
				check_files(driver, bytes, size, &records[k]);
		}
		if (!parts[i].whole)
			json_decref(parts[i].document);
	}
	json_decref(body);
	json_decref(options);
	for (size_t i = 0; i < arena.count; i++)
		free(arena.blocks[i]);
	free(arena.blocks);
}

/* What GMime's list of types held of those that are replaced is lost, once a process. */
static void
begin(void)
{
	__lsan_disable();
	laras_email_begin();
	__lsan_enable();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *channel = getenv("LARAS_CHANNEL");
	const LarasChannelDriver *driver = laras_channel_driver(channel ? channel : "whatsapp");

	must(driver != NULL, "no such driver");
	begin();
	read_all(driver, (const char *) data, size, 1000 * 1000);
	read_all(driver, (const char *) data, size, (long) (size * 7 % 61));
	return 0;
}

#include "standalone.h"
