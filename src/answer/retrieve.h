/*
 * retrieve.h
 *		Rows of a workspace's knowledge that share words with a question.
 *
 *		The words are looked for as they are written and by their stems, with
 *		PostgreSQL's dictionaries; a word that no row has is taken for the one
 *		nearest in spelling among the headings.  A word weighs the more, the
 *		fewer rows have it.  A search tells which rows have which words; what
 *		they say is read of those that are chosen.
 */
#ifndef LARAS_ANSWER_RETRIEVE_H
#define LARAS_ANSWER_RETRIEVE_H

#include "answer/drafter.h"
#include "answer/question.h"

/* Different words of a question that are looked for, at most. */
#define LARAS_SEARCH_WORDS 32
/* Rows that a search returns, at most: the best. */
#define LARAS_SEARCH_ROWS 40

typedef struct LarasFound
{
	LarasSource source;
	/* of laras_read_items and laras_read_text */
	const char *heading;    /* name, topic or question */
	const char *body;       /* description, text or answer; cut where very long */
	const char *attributes; /* of an item, as "key: value; ..."; NULL: none */
	const char *price;      /* digits, a point, two digits; NULL: not for quoting */
	const char *currency;
	int stock; /* -1: not known */
	/* of the search */
	bool english;           /* language of a policy or FAQ */
	bool on_topic;          /* the heading of a policy or FAQ names the intent's topic */
	uint64 matched;         /* bit of each word that the row has */
	uint64 matter;          /* of them, those that tell what is asked about */
	uint64 named;           /* those that stand in its heading */
	uint64 listed;          /* those that stand in an item's attributes, if not in the name */
	float coverage;         /* 0 to 1: how much of the question's matter the row has */
	float heading_coverage; /* 0 to 1: how much of the row's heading the question has */
	int heading_words;      /* words with matter in the heading */
	bool numbered;          /* it has a digit: a size, a weight */
	bool beside;            /* a word that no item has stands beside one of its own */
	bool doubtful;          /* chosen, and another fits about as well */
} LarasFound;

typedef struct LarasFindings
{
	LarasFound *row; /* the best first */
	int n;
	int words;                  /* different words that were looked for */
	const LarasWord **word;     /* which, by their bits */
	uint64 corrected;           /* those taken for a word spelled alike */
	uint64 named;               /* those that stand in the heading of some row */
	uint64 numbers;             /* those that are numbers, and may be a size */
	uint64 absent;              /* those that no row has */
	uint64 asides;              /* those that tell why somebody asks */
	uint64 told[LARAS_INTENTS]; /* those that told an intent */
} LarasFindings;

/*
 * Active items that have words of the question, other than those that told an
 * intent. Runs SQL as whoever calls: the workspace is bound.
 */
extern LarasFindings *laras_find_items(int64 workspace_id, const LarasQuestion *question);

/* Policies and FAQs that have words of the question or are on the intent's topic. */
extern LarasFindings *
laras_find_texts(int64 workspace_id, const LarasQuestion *question, LarasIntent topic);

/*
 * Reads what items (in that language, where they have it), or a policy or FAQ, say
 * now, and their versions. False
 * where one of them went since it was put on the shelf.
 */
extern bool laras_read_items(int64 workspace_id, bool english, LarasFound *const *rows, int n);
extern bool laras_read_text(int64 workspace_id, LarasFound *row);

#endif /* LARAS_ANSWER_RETRIEVE_H */
