/*
 * spelling.h
 *		Words that are not spelled as they stand in the knowledge: chat spellings
 *		by the table laras.chat_spelling, slips by their likeness to a word that
 *		stands there.
 */
#ifndef LARAS_ANSWER_SPELLING_H
#define LARAS_ANSWER_SPELLING_H

/*
 * What a chat spelling of a language stands for: one or more words in lower
 * case, or NULL.  Reads the table anew where it changed; the result lives until
 * the next call of laras_spelling_refresh.
 */
extern const char *laras_spelling_find(const char *word, bool english);

/* Before a text is read: the table as it now stands. Returns its stamp, 0 as laras_knowledge_stamp. */
extern uint64 laras_spelling_refresh(void);

/*
 * How alike two words are, 0 (nothing) to 1 (the same letters): a slip of the
 * finger, vowels left out, or most of their trigrams.  Below
 * LARAS_SPELLED_ALIKE one is not the other.
 */
#define LARAS_SPELLED_ALIKE 0.4f
extern float laras_spelling_likeness(const char *word, const char *name);

#endif /* LARAS_ANSWER_SPELLING_H */
