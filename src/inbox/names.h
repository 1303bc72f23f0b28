/*
 * names.h
 *		Words of people's names, by which a text that names somebody is known.
 *
 *		A contact's name is kept sealed; beside it stand blind indexes of its
 *		words and of each two words of it: "Budi Santoso" gives "budi",
 *		"santoso" and "budi santoso". Nobody reads a name from them, and a text is
 *		compared with the names of a whole workspace by a few look-ups.
 */
#ifndef LARAS_NAMES_H
#define LARAS_NAMES_H

#include "base/json.h"
#include "lib/stringinfo.h"

/* A word as it is compared: lower case, without accents, signs or ornament. */
typedef struct LarasNameWord
{
	const char *text;
	bool capital; /* it was written with one, or has none in its script */
	bool digits;  /* it has a digit */
} LarasNameWord;

/* The words of n bytes in the server's encoding, in their order; a number is a word too. */
extern int laras_name_words(const char *text, size_t n, LarasNameWord **words);

/* Two words of a name as one value, in whichever order they stand. */
extern void laras_name_pair(StringInfo pair, const char *one, const char *other);

/* A title before a name is none of its words. */
extern bool laras_name_is_title(const char *word);

/* of whom what name is kept from now on */
typedef struct LarasNamed
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 contact_id;
	LarasText name; /* s NULL: none */
} LarasNamed;

/* Keep the words of these names, in one statement. Inside SPI, as whoever may write contacts. */
extern void laras_names_keep(const LarasNamed *named, int n);

/* Who is one person since now has the words of both. Inside SPI. */
extern void laras_names_join(int64 workspace_id, int64 keep_id, int64 other_id);

#endif /* LARAS_NAMES_H */
