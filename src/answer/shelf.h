/*
 * shelf.h
 *		The words of a workspace's knowledge, kept in the memory of the process
 *		that searches them: which rows have a word, and in which part.
 *
 *		A shelf holds words and ids, no content: what an answer states is read
 *		from the table when it is written.  It is filled through row security, as
 *		whoever searches, is kept for that role alone, and is filled again when
 *		the knowledge changed.
 */
#ifndef LARAS_ANSWER_SHELF_H
#define LARAS_ANSWER_SHELF_H

#include "answer/lexicon.h"

typedef enum LarasShelfKind
{
	LARAS_SHELF_ITEMS, /* active catalogue items */
	LARAS_SHELF_TEXTS  /* policies and FAQs */
} LarasShelfKind;

typedef enum LarasShelfPart
{
	LARAS_PART_TOLD,
	LARAS_PART_LISTED,
	LARAS_PART_NAMED,
	LARAS_PART_STEM /* of a word of the heading: itself it stands nowhere in it ("polo" of "polos") */
} LarasShelfPart;

#define LARAS_PLACE_PART(place) ((LarasShelfPart) ((place) &3))
#define LARAS_PLACE_NAMES(place) (LARAS_PLACE_PART(place) >= LARAS_PART_NAMED)

typedef struct LarasShelfRow
{
	int64 id;
	const char *table;
	int size;          /* length of the heading */
	int heading_words; /* words with matter in it */
	bool numbered;     /* it has a digit */
	bool english;      /* a policy or FAQ in English */
	/* of a search, see retrieve.c */
	bool touched;
	uint64 matched;
	uint64 named;
	uint64 listed;
	bool on_topic;
} LarasShelfRow;

/* A word and the rows that have it: number of the row << 2 | its part. */
typedef struct LarasShelfWord
{
	char word[LARAS_WORD_BYTES];
	uint32 *place;
	int n;
	int room;
	int named;   /* rows whose heading has it */
	int written; /* of them, those that have it as it stands */
} LarasShelfWord;

typedef struct LarasShelf
{
	LarasShelfRow *row;
	int n;
	bool searching; /* a search that did not end left its marks */
	struct HTAB *words;
	LarasShelfWord **names; /* words of headings, by their first byte */
	int names_from[257];
	LarasShelfWord **ends; /* the same, ordered as they read from behind */
} LarasShelf;

/*
 * The shelf of a bound workspace, as it now stands.  Lives at least until the
 * next call.  Runs SQL as whoever calls.
 */
extern LarasShelf *laras_shelf(int64 workspace_id, LarasShelfKind kind);

extern const LarasShelfWord *laras_shelf_find(const LarasShelf *shelf, const char *word);

/* Names that end in these letters: how many, and the first of them among shelf->ends. */
extern int laras_shelf_ends(const LarasShelf *shelf, const char *end, int *first);

/* the setting, in _PG_init */
extern void laras_shelf_init(void);

#endif /* LARAS_ANSWER_SHELF_H */
