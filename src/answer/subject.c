/*
 * subject.c
 *		Of which goods a policy or FAQ speaks, see subject.h.
 */
#include "postgres.h"

#include "answer/forms.h"
#include "answer/shelf.h"
#include "answer/subject.h"

/* A name that more than one in so many items has, and more than a few, tells none apart. */
#define SHARED_BY 5
#define SHARED_LEAST 3

/* All that a word of a text of the business, or of a question, may be written as. */
static void
read_forms(const LarasWord *word, LarasForms *forms)
{
	forms->n = 0;
	laras_forms_add_word(forms, word->text);
	laras_forms_add_word(forms, word->bare);
	laras_forms_add_word(forms, word->root);
	laras_forms_add(forms, word->written);
	laras_forms_add_list(forms, word->same);
}

static bool
is_number(const LarasWord *word)
{
	return strspn(word->text, "0123456789") == strlen(word->text);
}

static bool
may_name(const LarasWord *word)
{
	return !word->filler && !word->aside && !word->counted && !word->pieces;
}

/* Is it a word by which items are called, and how many of them? */
static int
count_named(const LarasShelf *items, const LarasWord *word)
{
	const LarasShelfWord *found = laras_shelf_find(items, word->text);

	if (found == NULL && word->bare != NULL)
		found = laras_shelf_find(items, word->bare);
	return found != NULL && found->written > 0 ? found->named : 0;
}

/* Is the word one of the question's, or of the name of an item that it means? */
static bool
is_asked(const LarasQuestion *question, const LarasChoice *choice, const LarasWord *word)
{
	LarasForms forms;
	LarasForms other;

	read_forms(word, &forms);
	for (int i = 0; i < question->n; i++)
	{
		if (question->word[i].filler)
			continue;
		read_forms(&question->word[i], &other);
		if (laras_forms_meet(&forms, &other))
			return true;
	}
	for (int k = 0; k < choice->n; k++)
	{
		const LarasQuestion *name =
			laras_read_question(choice->row[k]->heading, strlen(choice->row[k]->heading));

		for (int i = 0; i < name->n; i++)
		{
			read_forms(&name->word[i], &other);
			if (laras_forms_meet(&forms, &other))
				return true;
		}
	}
	return false;
}

/* What a text of the business names. */
typedef struct Names
{
	bool any;     /* items, by a word that few of them share */
	bool asked;   /* so, and the question has the word */
	bool foreign; /* by a word that the question has not, be it of many */
	bool number;  /* a number that the question has not */
} Names;

static Names
find_names(int64 workspace_id, const char *text, const LarasQuestion *question,
		   const LarasChoice *choice)
{
	const LarasShelf *items = laras_shelf(workspace_id, LARAS_SHELF_ITEMS);
	LarasQuestion *read = laras_read_question(text, strlen(text));
	Names names = {0};

	/* "jam buka" names no clock */
	laras_read_intent(read);

	for (int i = 0; i < read->n; i++)
	{
		const LarasWord *word = &read->word[i];
		int many;
		bool asked;

		if (is_number(word))
		{
			names.number |= !word->counted && !is_asked(question, &(LarasChoice){0}, word);
			continue;
		}
		many = word->cues == 0 && may_name(word) ? count_named(items, word) : 0;
		if (many == 0)
			continue;
		asked = is_asked(question, choice, word);
		names.foreign |= !asked;
		if (many > Max(SHARED_LEAST, items->n / SHARED_BY))
			continue;
		names.any = true;
		names.asked |= asked;
	}
	return names;
}

/*
 * Does the question call goods by a word that the text has not: by a name of
 * items, or by what no row has?
 */
static bool
names_others(const LarasFindings *items, uint64 unknown, const LarasFound *text)
{
	uint64 named = (items->named | unknown) & ~items->asides & ~text->matched;

	for (int i = 0; i < items->words; i++)
		if ((named & (UINT64CONST(1) << i)) && items->word[i]->cues == 0 &&
			may_name(items->word[i]) && !is_number(items->word[i]))
			return true;
	return false;
}

LarasSubject
laras_subject_of(int64 workspace_id, const LarasQuestion *question, const LarasFindings *items,
				 const LarasChoice *choice, uint64 unknown, const LarasFound *text)
{
	Names names = find_names(workspace_id, text->heading, question, choice);
	bool others = names_others(items, 0, text);

	/* a number tells sizes apart ("ban 90/90") */
	if ((names.foreign && others) ||
		(names.number && (names.any || names.foreign) && (items->named & items->numbers) != 0))
		return LARAS_SUBJECT_OTHER;
	if ((names.any && !names.asked) ||
		(names.foreign && names_others(items, unknown & ~items->numbers, text)))
		return LARAS_SUBJECT_UNTOLD;
	return names.any && others && laras_lists_others(workspace_id, question, items, choice, text)
			   ? LARAS_SUBJECT_UNTOLD
			   : LARAS_SUBJECT_ALL;
}

bool
laras_lists_others(int64 workspace_id, const LarasQuestion *question, const LarasFindings *items,
				   const LarasChoice *choice, const LarasFound *text)
{
	if (text->body == NULL || !names_others(items, 0, text))
		return false;
	return find_names(workspace_id, text->body, question, choice).foreign;
}
