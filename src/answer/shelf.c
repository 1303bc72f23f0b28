/*
 * shelf.c
 *		Fills and keeps shelves, see shelf.h.
 *
 * Under row security the server evaluates a text search before the policy only
 * if it cannot leak, and it is not marked so: no index helps, and every row of
 * the workspace is compared (docs/decisions/words-kept-in-memory.md).  So the
 * words are read once, from the stored vectors, and compared here.
 *
 * Invariant: what is kept was read whole by a snapshot not older than its
 * stamp; what cannot be (an old snapshot, changes of this transaction) is used
 * once and not kept.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/xact.h"
#include "answer/freshness.h"
#include "answer/question.h"
#include "answer/shelf.h"
#include "answer/spelling.h"
#include "base/lower.h"
#include "base/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tsearch/ts_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define ROWS_AT_ONCE 1000
#define KEPT_SHELVES 256
/* whatever the stamps say, nothing is older than this */
#define KEPT_MS (10 * 60 * 1000)

LARAS_PLAN(read_items,
		   "SELECT i.id, w.name, w.terms FROM (SELECT c.* FROM laras.catalog_item c "
		   "WHERE c.workspace_id = $1 AND c.state = 'active' AND c.id > $2 "
		   "ORDER BY c.id LIMIT $3) i CROSS JOIN LATERAL (SELECT i.name, i.terms UNION ALL "
		   "SELECT t.value ->> 'name', laras.search_terms(t.value ->> 'name', '', "
		   "coalesce(t.value ->> 'description', '')) FROM jsonb_each(i.translations) t "
		   "WHERE t.key <> i.language AND t.value ->> 'name' <> '') w ORDER BY i.id",
		   INT8OID, INT8OID, INT4OID);
LARAS_PLAN(read_policies,
		   "SELECT p.id, p.topic, p.terms, p.language = 'en' FROM laras.policy_text p "
		   "WHERE p.workspace_id = $1 AND p.id > $2 ORDER BY p.id LIMIT $3",
		   INT8OID, INT8OID, INT4OID);
LARAS_PLAN(read_faqs,
		   "SELECT f.id, f.question, f.terms, f.language = 'en' FROM laras.faq f "
		   "WHERE f.workspace_id = $1 AND f.id > $2 ORDER BY f.id LIMIT $3",
		   INT8OID, INT8OID, INT4OID);

typedef struct Kept
{
	LarasShelf *shelf;
	MemoryContext context;
	Oid role;
	int64 workspace_id;
	LarasShelfKind kind;
	uint64 stamp;
	uint64 spelling;
	TimestampTz filled_at;
	uint64 used; /* the larger, the later */
	size_t bytes;
} Kept;

static int cache_kilobytes = 64 * 1024;
static Kept kept[KEPT_SHELVES];
static int kept_count = 0;
static uint64 uses = 0;

void
laras_shelf_init(void)
{
	DefineCustomIntVariable(
		"laras.knowledge_cache",
		"Memory in which a process keeps the words of workspaces' knowledge for search.",
		"The least recently searched give way. What does not fit is read for each search.",
		&cache_kilobytes, 64 * 1024, 0, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
}

static void
add_place(LarasShelfWord *word, uint32 place)
{
	if (word->n == word->room)
	{
		word->room = Max(2, word->room * 2);
		word->place = word->place == NULL ? palloc(sizeof(uint32) * word->room)
										  : repalloc(word->place, sizeof(uint32) * word->room);
	}
	word->place[word->n++] = place;
}

/* The part of a row in which a word stands: the best of its places. */
static LarasShelfPart
part_of(const TSVectorData *vector, const WordEntry *entry)
{
	LarasShelfPart part = LARAS_PART_TOLD;
	int n = POSDATALEN(vector, entry);
	const WordEntryPos *position = POSDATAPTR(vector, entry);

	for (int i = 0; i < n; i++)
	{
		int weight = WEP_GETWEIGHT(position[i]);

		if (weight == 3)
			return LARAS_PART_NAMED;
		if (weight == 2)
			part = LARAS_PART_LISTED;
	}
	return part;
}

/* Does the heading, in lower case, have the word as it stands? */
static bool
is_written(const char *heading, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = heading; (s = strstr(s, word)) != NULL; s++)
		if ((s == heading || !isalnum((unsigned char) s[-1])) && !isalnum((unsigned char) s[n]))
			return true;
	return false;
}

/* "60 x 160 cm": there it is no word of the name, unless it stands in it elsewhere, too ("X Banner"). */
static bool
is_by(const char *heading, const char *word)
{
	bool by = false;

	if (strcmp(word, "x") != 0)
		return false;
	for (const char *s = heading; (s = strchr(s, 'x')) != NULL; s++)
	{
		if ((s > heading && isalnum((unsigned char) s[-1])) || isalnum((unsigned char) s[1]))
			continue;
		if (s - heading < 2 || !isdigit((unsigned char) s[-2]) || s[1] != ' ' ||
			!isdigit((unsigned char) s[2]))
			return false;
		by = true;
	}
	return by;
}

static void
add_words(LarasShelf *shelf, const TSVectorData *vector, const char *heading, int row)
{
	const WordEntry *entry = ARRPTR(vector);

	for (int i = 0; i < vector->size; i++)
	{
		char text[LARAS_WORD_BYTES];
		LarasShelfWord *word;
		LarasShelfPart part;
		bool found;

		/* A question's words are shorter. */
		if (entry[i].len >= LARAS_WORD_BYTES)
			continue;
		memcpy(text, STRPTR(vector) + entry[i].pos, entry[i].len);
		text[entry[i].len] = '\0';
		if (is_by(heading, text))
			continue;
		word = hash_search(shelf->words, text, HASH_ENTER, &found);
		if (!found)
		{
			word->place = NULL;
			word->n = word->room = word->named = word->written = 0;
		}
		part = part_of(vector, &entry[i]);
		word->named += part == LARAS_PART_NAMED;
		if (part == LARAS_PART_NAMED && is_written(heading, text))
			word->written++;
		else if (part == LARAS_PART_NAMED)
			part = LARAS_PART_STEM;
		add_place(word, (uint32) row << 2 | part);
	}
}

/* Adds all rows of a table to the shelf, some at a time. */
static void
read_rows(LarasShelf *shelf, int *room, LarasPlan *plan, const char *table, int64 workspace_id,
		  bool has_language, MemoryContext context)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "laras shelf rows", ALLOCSET_DEFAULT_SIZES);
	int64 last = 0;
	uint64 n;

	do
	{
		MemoryContext outside = MemoryContextSwitchTo(scratch);

		laras_spi_open();
		n = laras_spi_run(plan,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(last),
									Int32GetDatum(ROWS_AT_ONCE)},
						  NULL);
		for (uint64 i = 0; i < n; i++)
		{
			char *heading = laras_spi_cstring(i, 2);
			char *low;
			LarasShelfRow row = {.id = laras_spi_int8(i, 1), .table = table};
			bool isnull;
			TSVector vector = DatumGetTSVector(laras_spi_value(i, 3, &isnull));

			CHECK_FOR_INTERRUPTS();
			low = laras_lower(heading, strlen(heading));
			row.size = pg_mbstrlen(heading);
			row.heading_words = laras_count_matter(heading, strlen(heading));
			row.numbered = strpbrk(heading, "0123456789") != NULL;
			row.english = has_language && laras_spi_bool(i, 4);
			last = row.id;
			MemoryContextSwitchTo(context);
			if (shelf->n == *room)
			{
				*room = Max(64, *room * 2);
				shelf->row = shelf->row == NULL
								 ? palloc(sizeof(LarasShelfRow) * *room)
								 : repalloc_huge(shelf->row, sizeof(LarasShelfRow) * (Size) *room);
			}
			add_words(shelf, vector, low, shelf->n);
			shelf->row[shelf->n++] = row;
			MemoryContextSwitchTo(scratch);
		}
		laras_spi_close();
		MemoryContextSwitchTo(outside);
		MemoryContextReset(scratch);
		/* an item with its translations is more than one row, and never parted */
	} while (n >= ROWS_AT_ONCE);
	MemoryContextDelete(scratch);
}

/* Words of headings, by their first byte: where slips are looked for. */
static void
list_names(LarasShelf *shelf)
{
	HASH_SEQ_STATUS scan;
	LarasShelfWord *word;
	int from[256] = {0};
	int n = 0;

	hash_seq_init(&scan, shelf->words);
	while ((word = hash_seq_search(&scan)) != NULL)
		if (word->named > 0)
			from[(unsigned char) word->word[0]]++;
	for (int i = 0; i < 256; i++)
	{
		shelf->names_from[i] = n;
		n += from[i];
		from[i] = shelf->names_from[i];
	}
	shelf->names_from[256] = n;
	shelf->names = palloc(sizeof(LarasShelfWord *) * Max(n, 1));
	hash_seq_init(&scan, shelf->words);
	while ((word = hash_seq_search(&scan)) != NULL)
		if (word->named > 0)
			shelf->names[from[(unsigned char) word->word[0]]++] = word;
}

/* Compares words from behind. */
static int
from_behind(const char *a, size_t n, const char *b, size_t m)
{
	while (n > 0 && m > 0)
	{
		int c = (unsigned char) a[--n] - (unsigned char) b[--m];

		if (c != 0)
			return c;
	}
	return (n > 0) - (m > 0);
}

static int
by_end(const void *a, const void *b)
{
	const LarasShelfWord *one = *(LarasShelfWord *const *) a;
	const LarasShelfWord *two = *(LarasShelfWord *const *) b;

	return from_behind(one->word, strlen(one->word), two->word, strlen(two->word));
}

static void
list_ends(LarasShelf *shelf)
{
	int n = shelf->names_from[256];

	shelf->ends = palloc(sizeof(LarasShelfWord *) * Max(n, 1));
	memcpy(shelf->ends, shelf->names, sizeof(LarasShelfWord *) * n);
	qsort(shelf->ends, n, sizeof(LarasShelfWord *), by_end);
}

int
laras_shelf_ends(const LarasShelf *shelf, const char *end, int *first)
{
	int n = shelf->names_from[256];
	size_t length = strlen(end);
	int low = 0;
	int high = n;

	while (low < high)
	{
		int middle = (low + high) / 2;
		const char *word = shelf->ends[middle]->word;

		if (from_behind(word, strlen(word), end, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	for (high = low; high < n; high++)
	{
		const char *word = shelf->ends[high]->word;
		size_t letters = strlen(word);

		if (letters < length || memcmp(word + letters - length, end, length) != 0)
			break;
	}
	return high - low;
}

static LarasShelf *
fill(int64 workspace_id, LarasShelfKind kind, MemoryContext context)
{
	MemoryContext outside = MemoryContextSwitchTo(context);
	LarasShelf *shelf = palloc0(sizeof(LarasShelf));
	HASHCTL control = {.keysize = LARAS_WORD_BYTES, .entrysize = sizeof(LarasShelfWord)};
	int room = 0;

	control.hcxt = context;
	shelf->words =
		hash_create("laras shelf words", 1024, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	if (kind == LARAS_SHELF_ITEMS)
		read_rows(shelf, &room, &read_items, "catalog_item", workspace_id, false, context);
	else
	{
		read_rows(shelf, &room, &read_policies, "policy_text", workspace_id, true, context);
		read_rows(shelf, &room, &read_faqs, "faq", workspace_id, true, context);
	}
	list_names(shelf);
	list_ends(shelf);
	MemoryContextSwitchTo(outside);
	return shelf;
}

static void
drop(int i)
{
	MemoryContext context = kept[i].context;

	kept[i] = kept[--kept_count];
	MemoryContextDelete(context);
}

/* Makes room for a shelf of so many bytes; false where it has none however many go. */
static bool
make_room(size_t bytes)
{
	size_t limit = (size_t) cache_kilobytes * 1024;

	if (bytes > limit)
		return false;
	for (;;)
	{
		size_t all = bytes;
		int oldest = 0;

		for (int i = 0; i < kept_count; i++)
		{
			all += kept[i].bytes;
			if (kept[i].used < kept[oldest].used)
				oldest = i;
		}
		if (all <= limit && kept_count < KEPT_SHELVES)
			return true;
		drop(oldest);
	}
}

LarasShelf *
laras_shelf(int64 workspace_id, LarasShelfKind kind)
{
	Oid role = GetUserId();
	uint64 spelling = laras_spelling_refresh();
	/* before the snapshot that reads */
	uint64 stamp = laras_knowledge_stamp(workspace_id);
	MemoryContext context;
	LarasShelf *shelf;
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < kept_count; i++)
	{
		Kept *k = &kept[i];

		if (k->role != role || k->workspace_id != workspace_id || k->kind != kind)
			continue;
		if (stamp != 0 && k->stamp == stamp && k->spelling == spelling &&
			!TimestampDifferenceExceeds(k->filled_at, now, KEPT_MS))
		{
			k->used = ++uses;
			return k->shelf;
		}
		drop(i);
		break;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "laras shelf", ALLOCSET_DEFAULT_SIZES);
	shelf = fill(workspace_id, kind, context);
	if (stamp == 0 || spelling == 0 || IsolationUsesXactSnapshot() ||
		!make_room(MemoryContextMemAllocated(context, true)))
		return shelf;
	MemoryContextSetParent(context, TopMemoryContext);
	kept[kept_count++] = (Kept){
		.shelf = shelf,
		.context = context,
		.role = role,
		.workspace_id = workspace_id,
		.kind = kind,
		.stamp = stamp,
		.spelling = spelling,
		.filled_at = now,
		.used = ++uses,
		.bytes = MemoryContextMemAllocated(context, true),
	};
	return shelf;
}

const LarasShelfWord *
laras_shelf_find(const LarasShelf *shelf, const char *word)
{
	return hash_search(shelf->words, word, HASH_FIND, NULL);
}
