/*
 * knowledgetext.c
 *		Reads files of knowledge. CSV is read by the server's own COPY.
 */
#include "postgres.h"

#include "access/table.h"
#include "answer/knowledgetext.h"
#include "base/json_owner.h"
#include "catalog/namespace.h"
#include "commands/copy.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* more columns than any sheet of a shop has */
#define MOST_COLUMNS 200

static void
refuse_length(int limit)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many records at once"),
					errdetail("At most %d are taken by one call.", limit),
					errhint("Import the file in parts: what stands already is not added twice.")));
}

static void
refuse_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

/* --------------------------------------------------------------------- CSV */

/* what COPY reads next; it hands no context to whom it asks */
static const char *source_at;
static const char *source_end;

static int
give_bytes(void *out, int least, int most)
{
	int n = (int) Min((ptrdiff_t) most, source_end - source_at);

	memcpy(out, source_at, n);
	source_at += n;
	return n;
}

/* The separator that the header uses. */
static char *
separator(const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);
	size_t header = end == NULL ? n : (size_t) (end - text);

	if (memchr(text, ',', header) == NULL)
	{
		if (memchr(text, ';', header) != NULL)
			return pstrdup(";");
		if (memchr(text, '\t', header) != NULL)
			return pstrdup("\t");
	}
	return pstrdup(",");
}

static int
lines_in(char **fields, int n)
{
	int lines = 1;

	for (int i = 0; i < n; i++)
		for (const char *p = fields[i]; p != NULL && (p = strchr(p, '\n')) != NULL; p++)
			lines++;
	return lines;
}

/* The names of the header, in lower case, without what a byte order mark or spreadsheet adds. */
static char **
read_header(char **fields, int n, const char *needed, bool *named)
{
	char **names = palloc(sizeof(char *) * n);
	bool any = false;

	if (n > MOST_COLUMNS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many columns"),
						errdetail("At most %d are read.", MOST_COLUMNS)));
	for (int i = 0; i < n; i++)
	{
		char *name = fields[i] == NULL ? pstrdup("") : pstrdup(fields[i]);
		size_t length;

		name += strspn(name, " ");
		length = strlen(name);
		while (length > 0 && name[length - 1] == ' ')
			name[--length] = '\0';
		for (char *p = name; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p += 'a' - 'A';
		names[i] = name;
		any |= length > 0;
		if (needed != NULL)
			*named |= strcmp(name, needed) == 0;
		for (int k = 0; k < i; k++)
			if (length > 0 && strcmp(names[k], name) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("the header names a column twice"),
								errdetail("It is column %d and column %d.", k + 1, i + 1)));
	}
	if (!any)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the file has no header"),
						errhint("The first line names the columns, as name,price,stock.")));
	return names;
}

static void
read_fields(LarasKnowledgeRecord *record, char **names, int columns, bool whole, char **fields,
			int n)
{
	if (n > columns || (n < columns && whole))
	{
		record->problem =
			n > columns ? "has more fields than the header" : "has fewer fields than the header";
		return;
	}
	record->values = laras_json_own(laras_json_object());
	for (int i = 0; i < n; i++)
		if (names[i][0] != '\0' &&
			json_object_set_new(record->values, names[i], laras_json_word(fields[i])) != 0)
			refuse_memory();
}

/* The fields of the next record; where COPY cannot read it, its error says in which line it begins. */
static bool
next_record(CopyFromState copy, int line, char ***fields, int *n)
{
	MemoryContext here = CurrentMemoryContext;
	volatile bool any = false;

	PG_TRY();
	{
		any = NextCopyFromRawFields(copy, fields, n);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(here);
		error = CopyErrorData();
		FlushErrorState();
		if (error->sqlerrcode == ERRCODE_BAD_COPY_FILE_FORMAT)
			error->detail = psprintf("It stands in the record that begins in line %d.", line);
		ReThrowError(error);
	}
	PG_END_TRY();
	return any;
}

LarasKnowledgeRecord *
laras_knowledge_csv(const char *text, size_t n, int limit, const char *needed, bool *named,
					int *count)
{
	/* COPY wants a table; nothing of this one is read or written */
	Relation table =
		table_open(get_relname_relid("catalog_item", get_namespace_oid("laras", false)),
				   AccessShareLock);
	LarasKnowledgeRecord *records = palloc(sizeof(LarasKnowledgeRecord) * 64);
	int room = 64;
	char **names = NULL;
	int columns = 0;
	int line = 1;
	CopyFromState copy;
	char **fields;
	int got;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
	{
		text += 3;
		n -= 3;
	}
	if (needed != NULL)
		*named = false;
	source_at = text;
	source_end = text + n;
	copy = BeginCopyFrom(
		make_parsestate(NULL), table, NULL, NULL, false, give_bytes, NIL,
		list_make3(makeDefElem("format", (Node *) makeString(pstrdup("csv")), -1),
				   makeDefElem("delimiter", (Node *) makeString(separator(text, n)), -1),
				   makeDefElem("encoding", (Node *) makeString(pstrdup(GetDatabaseEncodingName())),
							   -1)));
	*count = 0;
	while (next_record(copy, line, &fields, &got))
	{
		int at = line;

		CHECK_FOR_INTERRUPTS();
		line += lines_in(fields, got);
		/* an empty line is one empty field */
		if (got == 1 && fields[0] == NULL)
			continue;
		if (names == NULL)
		{
			names = read_header(fields, got, needed, named);
			columns = got;
			continue;
		}
		if (*count == limit)
			refuse_length(limit);
		if (*count == room)
			records = repalloc(records, sizeof(LarasKnowledgeRecord) * (room *= 2));
		records[*count] = (LarasKnowledgeRecord){.line = at};
		read_fields(&records[(*count)++], names, columns, needed != NULL, fields, got);
	}
	EndCopyFrom(copy);
	table_close(table, AccessShareLock);
	if (names == NULL)
		(void) read_header(NULL, 0, needed, named);
	return records;
}

/* -------------------------------------------------------------------- JSON */

/* The elements of an array that parses, which hold a key twice: which of two values is meant? */
static void
refuse_repeated_keys(const char *text, size_t n, LarasKnowledgeRecord *records, int count)
{
	const char *at = memchr(text, '[', n);
	const char *end = text + n;

	for (int i = 0; i < count && at != NULL && ++at < end; i++)
	{
		size_t length = laras_json_length(at, (size_t) (end - at));
		const char *reason = NULL;
		json_t *strict;

		CHECK_FOR_INTERRUPTS();
		if (length == 0)
			return;
		strict = laras_json_parse_once(at, length, &reason);
		if (strict != NULL)
			json_decref(strict);
		else if (json_is_object(records[i].values) && strcmp(reason, "repeated_key") == 0)
		{
			records[i].values = NULL;
			records[i].problem = "has a member twice";
		}
		at = memchr(at + length, ',', (size_t) (end - at) - length);
	}
}

LarasKnowledgeRecord *
laras_knowledge_json(const char *text, size_t n, int limit, int *count)
{
	const char *reason = NULL;
	int line = 0;
	json_t *document = laras_json_own(laras_json_parse_file(text, n, &reason, &line));
	LarasKnowledgeRecord *records;
	json_t *element;
	size_t i;

	if (document == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("the file is not JSON"),
				 errdetail("The reason is %s, in line %d.", reason, line)));
	if (!json_is_array(document))
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("the file is not an array of objects"),
						errhint("Write [{\"name\": ..., \"price\": ...}, ...].")));
	if (json_array_size(document) > (size_t) limit)
		refuse_length(limit);
	records = palloc(sizeof(LarasKnowledgeRecord) * (json_array_size(document) + 1));
	json_array_foreach(document, i, element)
	{
		records[i] = (LarasKnowledgeRecord){.line = (int) i + 1, .values = element};
		if (!json_is_object(element))
		{
			records[i].values = NULL;
			records[i].problem = "is not an object";
		}
	}
	*count = (int) json_array_size(document);
	if (laras_json_own(laras_json_parse_once(text, n, &reason)) == NULL)
		refuse_repeated_keys(text, n, records, *count);
	return records;
}
