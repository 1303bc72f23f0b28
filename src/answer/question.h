/*
 * question.h
 *		What a customer wrote, as the drafter reads it: words, language, intent.
 *
 *		text --laras_read_question--> words, language
 *			 --laras_read_intent----> intent, and which words told it
 *
 *		Everything lives in the memory context that was current when the question
 *		was read.
 */
#ifndef LARAS_ANSWER_QUESTION_H
#define LARAS_ANSWER_QUESTION_H

/* A longer text is cut here, at a character. */
#define LARAS_QUESTION_BYTES 4096
#define LARAS_QUESTION_WORDS 1024

typedef enum LarasIntent
{
	LARAS_INTENT_UNCLEAR,
	/* answered from catalogue items first */
	LARAS_INTENT_PRICE,
	LARAS_INTENT_STOCK,
	LARAS_INTENT_PRODUCT,
	/* answered from policies and FAQs */
	LARAS_INTENT_HOURS,
	LARAS_INTENT_DELIVERY,
	LARAS_INTENT_PAYMENT,
	LARAS_INTENT_WARRANTY,
	LARAS_INTENT_RETURNS,
	LARAS_INTENT_LOCATION,
	/* answered by a person */
	LARAS_INTENT_COMPLAINT,
	LARAS_INTENT_ORDER_STATUS,
	LARAS_INTENT_HUMAN,
	LARAS_INTENT_OFF_SCOPE,
	/* answered by courtesy */
	LARAS_INTENT_THANKS,
	LARAS_INTENT_GREETING,
	LARAS_INTENTS
} LarasIntent;

#define LARAS_CUE(intent) (1u << (intent))

/* Cues of this weight together are a question of its own; of that, one beside an item's name. */
#define LARAS_WEIGHT_DECIDES 3
#define LARAS_WEIGHT_HINTS 2

typedef struct LarasWord
{
	const char *text;    /* lower case, the spelling of the lexicon */
	const char *bare;    /* without an enclitic ("harga" of "harganya"), or NULL */
	const char *written; /* as it was spelled, where that was undone, or NULL */
	const char *joined;  /* "500ml" of "500 ml", or NULL */
	const char *same;    /* words found for it (laras_lexicon_next reads them), or NULL */
	const char *root;    /* a word of the lexicon that it is made from, or NULL */
	const char *related; /* words that policies and FAQs have for it (likewise), or NULL */
	bool filler;         /* carries no matter */
	bool aside;          /* tells why somebody asks: takes nothing from a row that has it not */
	bool counted;        /* a number that tells a time, an age or an amount: names nothing */
	bool pieces;         /* a number that tells how many are wanted */
	bool nod;            /* agrees or addresses */
	int clause; /* of the text: sentences, messages, parts joined by "and"; never less than before */
	bool asked;         /* a question mark ends its clause */
	bool joined_clause; /* joins its clause to the one before */
	bool outside;       /* of another field than a shop's (outside.h) */
	uint32 cues;        /* LARAS_CUE of each intent that it helped to tell */
} LarasWord;

typedef struct LarasQuestion
{
	bool english;    /* else Indonesian */
	bool told;       /* by a word, which of them it is */
	int spoken;      /* letters or digits at all: number of words as written */
	LarasWord *word; /* n of them */
	int n;
	LarasIntent intent;
	int weight[LARAS_INTENTS]; /* of the cues of each intent */
} LarasQuestion;

/* question.c: n bytes in the server's encoding. */
extern LarasQuestion *laras_read_question(const char *text, size_t n);

/* Words from up to before to, as a question of their own. */
extern LarasQuestion *laras_part_of_question(const LarasQuestion *question, int from, int to);

/* The same reading of a text of the business, for counting the words of its name or heading. */
extern int laras_count_matter(const char *text, size_t n);

/* Is it asked what several pieces come to ("beli 3 jadi berapa"), and of how many kinds? */
extern bool laras_asks_sum(const LarasQuestion *question);
extern int laras_count_amounts(const LarasQuestion *question);

/* intent.c */
extern void laras_read_intent(LarasQuestion *question);
extern const char *laras_intent_name(LarasIntent intent);

/* Is the intent one that policies and FAQs answer, and which words are theirs? */
extern bool laras_intent_is_topic(LarasIntent intent);
extern const char *laras_intent_topic_words(LarasIntent intent);

#endif /* LARAS_ANSWER_QUESTION_H */
