/*
 * webhook_parse.c
 *		Reads webhook bodies with a driver and prints what it found, one line a
 *		record, fields separated by tabs. Without server.
 *
 *		webhook_parse CHANNEL [-o OPTIONS] [-a ACCOUNT] FILE...
 *
 * -o names a file with the options of the provider app, -a the account.
 *
 * file, record, kind, who, name, time, id, about, text, parts, notes; a body
 * that yields no record has one line with the record `nothing`, one that cannot
 * be split `refused`.
 */
#include "channel/channel.h"
#include "channel/send.h"
#include "vault/numbers.h"

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

/* Text on one line: what would break the table is escaped. */
static void
put(LarasText t)
{
	for (size_t i = 0; t.s != NULL && i < t.n; i++)
		switch (t.s[i])
		{
			case '\n':
				fputs("\\n", stdout);
				break;
			case '\t':
				fputs("\\t", stdout);
				break;
			case '\\':
				fputs("\\\\", stdout);
				break;
			default:
				putchar(t.s[i]);
		}
}

static const char *
identity_name(uint8_t kind)
{
	switch (kind)
	{
		case LARAS_INDEX_PHONE:
			return "phone";
		case LARAS_INDEX_WA_ID:
			return "wa_id";
		case LARAS_INDEX_BSUID:
			return "bsuid";
		case LARAS_INDEX_IGSID:
			return "igsid";
		case LARAS_INDEX_PSID:
			return "psid";
		case LARAS_INDEX_USERNAME:
			return "username";
		case LARAS_INDEX_THREADS_ID:
			return "threads_id";
		case LARAS_INDEX_TELEGRAM_ID:
			return "telegram_id";
		case LARAS_INDEX_EMAIL:
			return "email";
		case LARAS_INDEX_EXTERNAL:
			return "external";
	}
	return "?";
}

static const char *space = "";

static void
note(const char *word)
{
	printf("%s%s", space, word);
	space = " ";
}

static void
put_notes(const LarasRecord *r)
{
	static const char *const words[] = {"window", "unread", "answer", "out", "past"};

	space = "";
	for (int i = 0; i < 5; i++)
		if (r->flags & (1u << i))
			note(words[i]);
	if (r->effect == LARAS_EFFECT_EDIT)
		note("edit");
	if (r->effect == LARAS_EFFECT_UNSEND)
		note("unsend");
	if (r->unnamed)
		note("unnamed");
	if (r->effect == LARAS_EFFECT_HIDE)
		note("hidden");
	if (r->effect == LARAS_EFFECT_SHOW)
		note("shown");
	if (r->kind == LARAS_RECORD_MESSAGE && r->status != NULL)
		note(r->status);
	if (r->post.s != NULL)
	{
		note("post=");
		put(r->post);
	}
	if (r->preference != LARAS_PREFERENCE_NONE)
		note(r->preference == LARAS_PREFERENCE_STOP ? "stop" : "resume");
	if (r->error_code != 0)
	{
		note("error=");
		printf("%d", r->error_code);
	}
	for (int i = 0; i < r->identity_count; i++)
		if (r->identities[i].spelled.s != NULL &&
			(r->identities[i].spelled.n != r->identities[i].value.n ||
			 memcmp(r->identities[i].spelled.s, r->identities[i].value.s,
					r->identities[i].value.n) != 0))
		{
			note("as=");
			put(r->identities[i].spelled);
		}
	if (r->billable >= 0)
		note(r->billable ? "billable" : "free");
	if (r->pricing_category.s != NULL)
	{
		note("");
		put(r->pricing_category);
	}
	if (r->pricing_type.s != NULL)
	{
		note("");
		put(r->pricing_type);
	}
	if (r->callback_data.s != NULL)
	{
		note("callback=");
		put(r->callback_data);
	}
	if (r->kind == LARAS_RECORD_ACCOUNT)
	{
		json_t *details = laras_json_parse(r->details.s, r->details.n, NULL);

		note("");
		put(laras_json_text_at(details, "field"));
		putchar(':');
		put(laras_json_text_at(details, "event"));
		json_decref(details);
	}
}

static void
put_record(const char *file, const LarasRecord *r)
{
	static const char *const kinds[] = {"message", "status",    "person", "account",
										"comment", "watermark", "other",  "fault"};
	const char *kind = r->reason;

	if (r->kind == LARAS_RECORD_MESSAGE || r->kind == LARAS_RECORD_COMMENT)
		kind = r->message_kind;
	if (r->kind == LARAS_RECORD_STATUS || r->kind == LARAS_RECORD_WATERMARK)
		kind = r->status;
	if (r->kind == LARAS_RECORD_ACCOUNT)
		kind = r->topic;
	printf("%s\t%s\t%s\t", file, kinds[r->kind], kind ? kind : "");
	if (r->kind == LARAS_RECORD_OTHER || r->kind == LARAS_RECORD_FAULT)
	{
		printf("\t\t\t\t\t\t\t\n");
		return;
	}
	for (int i = 0; i < r->identity_count; i++)
	{
		printf("%s%s%s:", i ? " " : "", r->identities[i].retired ? "-" : "",
			   identity_name(r->identities[i].kind));
		put(r->identities[i].value);
	}
	putchar('\t');
	put(r->name);
	printf("\t%lld\t", (long long) r->provider_time);
	put(r->provider_id);
	putchar('\t');
	put(r->about);
	putchar('\t');
	if (r->kind == LARAS_RECORD_STATUS)
		put(r->error_details);
	else
		put(r->text);
	putchar('\t');
	for (int i = 0; i < r->part_count; i++)
		printf("%s%s", i ? " " : "", r->parts[i].kind);
	putchar('\t');
	put_notes(r);
	putchar('\n');
}

static void
read_body(const LarasChannelDriver *driver, const LarasPieceSource *source, const char *file,
		  const char *bytes, size_t n)
{
	LarasAllocator allocator = {allocate, NULL};
	const char *reason = NULL;
	json_t *body = laras_channel_read(driver, bytes, n, &reason);
	LarasBodyPart *parts = NULL;
	int nameless = 0;
	int count = body ? driver->split(body, &allocator, &parts, &nameless, &reason) : -1;
	int printed = 0;

	for (int i = 0; i < count; i++)
	{
		LarasRecord *records = NULL;
		int found = driver->parse(parts[i].document, source, &allocator, &records, &reason);

		if (found < 0)
			printf("%s\tunread\t%s\t\t\t\t\t\t\t\t\n", file, reason);
		for (int k = 0; k < found; k++)
			put_record(file, &records[k]);
		printed += found;
	}
	if (count < 0 || printed == 0)
		printf("%s\t%s\t%s\t\t\t\t\t\t\t\t\n", file, count < 0 ? "refused" : "nothing",
			   count < 0 ? reason : "");
}

int
main(int argc, char **argv)
{
	const LarasChannelDriver *driver = argc > 1 ? laras_channel_driver(argv[1]) : NULL;

	LarasPieceSource source = {{"900", 3}, NULL};
	int first = 2;

	for (; argc > first + 1 && argv[first][0] == '-'; first += 2)
	{
		if (strcmp(argv[first], "-o") == 0)
		{
			size_t n;
			char *options = read_file(argv[first + 1], &n);

			source.options = laras_json_parse(options, n, NULL);
			free(options);
		}
		else if (strcmp(argv[first], "-a") == 0)
			source.account = (LarasText){argv[first + 1], strlen(argv[first + 1])};
	}
	if (driver == NULL)
	{
		fprintf(stderr, "usage: webhook_parse CHANNEL [-o OPTIONS] [-a ACCOUNT] FILE...\n");
		return 2;
	}
	for (int a = first; a < argc; a++)
	{
		const char *base = strrchr(argv[a], '/') ? strrchr(argv[a], '/') + 1 : argv[a];
		size_t n;
		char *bytes = read_file(argv[a], &n);

		read_body(driver, &source, base, bytes, n);
	}
	return 0;
}
