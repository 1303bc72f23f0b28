/*
 * spelling.c
 *		Chat spellings and slips of the finger, see spelling.h.
 *
 * The table is read whole into a hash of this process, and again when its stamp
 * moved.  Trigrams are those of pg_trgm: of the word with two blanks before it
 * and one behind; likeness is what two sets share of what they hold together.
 */
#include "postgres.h"

#include "answer/freshness.h"
#include "answer/lexicon.h"
#include "answer/spelling.h"
#include "base/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

LARAS_PLAN(read_spellings, "SELECT s.word, s.language, s.meaning FROM laras.chat_spellings s");

typedef struct Spelling
{
	char key[LARAS_WORD_BYTES]; /* language, a blank, the word */
	const char *meaning;
} Spelling;

static HTAB *table = NULL;
static MemoryContext table_context = NULL;
static uint64 table_stamp = 0;

static void
make_key(char key[LARAS_WORD_BYTES], const char *word, bool english)
{
	snprintf(key, LARAS_WORD_BYTES, "%s%s", english ? "e " : "i ", word);
}

/* The table into a hash of its own context: what an error leaves half filled is found by nobody. */
static void
read_table(void)
{
	HASHCTL control = {.keysize = LARAS_WORD_BYTES, .entrysize = sizeof(Spelling)};
	HTAB *fresh;
	uint64 n;

	control.hcxt =
		AllocSetContextCreate(CurrentMemoryContext, "laras spelling", ALLOCSET_DEFAULT_SIZES);
	fresh = hash_create("laras spelling", 512, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	laras_spi_open();
	n = laras_spi_run(&read_spellings, NULL, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		char key[LARAS_WORD_BYTES];
		char *meaning = laras_spi_cstring(i, 3);
		Spelling *entry;

		make_key(key, laras_spi_cstring(i, 1), strcmp(laras_spi_cstring(i, 2), "en") == 0);
		entry = hash_search(fresh, key, HASH_ENTER, NULL);
		entry->meaning = MemoryContextStrdup(control.hcxt, meaning);
	}
	laras_spi_close();
	if (table_context != NULL)
		MemoryContextDelete(table_context);
	MemoryContextSetParent(control.hcxt, TopMemoryContext);
	table_context = control.hcxt;
	table = fresh;
}

uint64
laras_spelling_refresh(void)
{
	uint64 stamp = laras_knowledge_stamp(LARAS_PLATFORM_KNOWLEDGE);

	if (table == NULL || stamp == 0 || stamp != table_stamp)
	{
		table_stamp = 0;
		read_table();
		table_stamp = stamp;
	}
	return stamp;
}

const char *
laras_spelling_find(const char *word, bool english)
{
	char key[LARAS_WORD_BYTES];
	Spelling *entry;

	if (table == NULL)
		return NULL;
	make_key(key, word, english);
	entry = hash_search(table, key, HASH_FIND, NULL);
	return entry != NULL ? entry->meaning : NULL;
}

/* A word without its vowels, of which chat leaves out some or all: "jkt" or "jket" of "jaket". */
static int
consonants(const char *word, char *out)
{
	int n = 0;

	for (; *word != '\0'; word++)
		if (strchr("aiueo", *word) == NULL)
			out[n++] = *word;
	out[n] = '\0';
	return n;
}

/* The different trigrams of a word; returns how many. */
static int
trigrams(const char *word, size_t n, uint32 out[LARAS_WORD_BYTES + 2])
{
	uint32 window = ' ' << 8 | ' ';
	int count = 0;

	for (size_t i = 0; i <= n; i++)
	{
		bool again = false;

		window = (window << 8 | (i < n ? (unsigned char) word[i] : ' ')) & 0xFFFFFF;
		for (int k = 0; k < count && !again; k++)
			again = out[k] == window;
		if (!again)
			out[count++] = window;
	}
	return count;
}

static float
shared_trigrams(const char *word, size_t n, const char *name, size_t m)
{
	uint32 one[LARAS_WORD_BYTES + 2];
	uint32 two[LARAS_WORD_BYTES + 2];
	int a = trigrams(word, n, one);
	int b = trigrams(name, m, two);
	int both = 0;

	for (int i = 0; i < a; i++)
		for (int k = 0; k < b; k++)
			both += one[i] == two[k];
	return (float) both / (float) (a + b - both);
}

/*
 * Never of a very short word, nor with another first letter: what is left are
 * slips, and names with letters left out.
 */
float
laras_spelling_likeness(const char *word, const char *name)
{
	size_t n = strlen(word);
	size_t m = strlen(name);
	char bare_word[LARAS_WORD_BYTES];
	char bare_name[LARAS_WORD_BYTES];
	int slips = n >= 8 ? 2 : 1;
	float shared;

	if (n >= LARAS_WORD_BYTES || m >= LARAS_WORD_BYTES || m < 4 || n < 3 || word[0] != name[0])
		return 0;
	if (n < m && consonants(word, bare_word) >= 3 && consonants(name, bare_name) >= 3 &&
		strcmp(bare_word, bare_name) == 0)
		return 0.95f;
	/* of a short word one letter was left out, and no more */
	if (n == 4 && m == 5 &&
		varstr_levenshtein_less_equal(word, (int) n, name, (int) m, 1, 1, 1, 1, true) <= 1)
		return 0.8f;
	if (n < 5)
		return 0;
	shared = shared_trigrams(word, n, name, m);
	if (m <= n + slips && n <= m + slips &&
		varstr_levenshtein_less_equal(word, (int) n, name, (int) m, 1, 1, 1, slips, true) <= slips)
		return Max(0.8f, shared);
	/* Farther apart letters must be shared in order and number, and the word must be long. */
	return n >= 6 && m + 3 >= n && n + 3 >= m && shared >= 0.5f ? shared : 0;
}
