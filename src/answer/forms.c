/*
 * forms.c
 *		Ways in which a word may be written, see forms.h.
 */
#include "postgres.h"

#include "answer/forms.h"
#include "answer/lexicon.h"
#include "catalog/namespace.h"
#include "nodes/makefuncs.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_public.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

void
laras_forms_add(LarasForms *forms, const char *form)
{
	if (form == NULL || form[0] == '\0' || forms->n == LARAS_FORMS)
		return;
	for (int i = 0; i < forms->n; i++)
		if (strcmp(forms->form[i], form) == 0)
			return;
	forms->form[forms->n++] = form;
}

/* What a dictionary of the server makes of a word. */
static void
add_stem(LarasForms *forms, const char *dictionary, const char *word)
{
	Oid oid = get_ts_dict_oid(list_make2(makeString(pstrdup("pg_catalog")),
										 makeString(pstrdup(dictionary))),
							  false);
	TSDictionaryCacheEntry *cache = lookup_ts_dictionary_cache(oid);
	DictSubState state = {false};
	TSLexeme *stems;

	stems = (TSLexeme *) DatumGetPointer(
		FunctionCall4(&cache->lexize, PointerGetDatum(cache->dictData), PointerGetDatum(word),
					  Int32GetDatum(strlen(word)), PointerGetDatum(&state)));
	for (TSLexeme *stem = stems; stem != NULL && stem->lexeme != NULL; stem++)
		laras_forms_add(forms, stem->lexeme);
}

/* The word itself and its stems in Indonesian and, where wanted, in English. */
void
laras_forms_add_stems(LarasForms *forms, const char *word, bool in_english)
{
	laras_forms_add(forms, word);
	add_stem(forms, "indonesian_stem", word);
	if (in_english)
		add_stem(forms, "english_stem", word);
}

/* The same in both languages. */
void
laras_forms_add_word(LarasForms *forms, const char *word)
{
	if (word != NULL)
		laras_forms_add_stems(forms, word, true);
}

/* Forms of a list of the lexicon, which stands still as long as the process: made once. */
typedef struct ListForms
{
	const char *list; /* the key: where it stands */
	const char **form;
	int n;
} ListForms;

static HTAB *lists = NULL;

static const ListForms *
make_list(const char *list)
{
	const char *rest = list;
	char word[LARAS_WORD_BYTES];
	LarasForms forms = {.n = 0};
	const char **kept;
	ListForms *entry;

	while (laras_lexicon_next(&rest, word))
		laras_forms_add_word(&forms, pstrdup(word));
	kept = MemoryContextAlloc(TopMemoryContext, sizeof(char *) * (forms.n + 1));
	for (int i = 0; i < forms.n; i++)
		kept[i] = MemoryContextStrdup(TopMemoryContext, forms.form[i]);
	entry = hash_search(lists, &list, HASH_ENTER, NULL);
	entry->form = kept;
	entry->n = forms.n;
	return entry;
}

void
laras_forms_add_list(LarasForms *forms, const char *list)
{
	const ListForms *known;

	if (list == NULL)
		return;
	if (lists == NULL)
		lists = hash_create("laras forms of lists", 256,
							&(HASHCTL){.keysize = sizeof(char *),
									   .entrysize = sizeof(ListForms),
									   .hcxt = TopMemoryContext},
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	known = hash_search(lists, &list, HASH_FIND, NULL);
	if (known == NULL)
		known = make_list(list);
	for (int i = 0; i < known->n; i++)
		laras_forms_add(forms, known->form[i]);
}

bool
laras_forms_meet(const LarasForms *a, const LarasForms *b)
{
	for (int i = 0; i < a->n; i++)
		for (int k = 0; k < b->n; k++)
			if (strcmp(a->form[i], b->form[k]) == 0)
				return true;
	return false;
}
