/*
 * written.h
 *		Arguments and columns that people write; 22023 with what would be right.
 */
#ifndef LARAS_ANSWER_WRITTEN_H
#define LARAS_ANSWER_WRITTEN_H

#include "channel/channel.h"

/*
 * Raises unless the text shows something: every text that is to leave goes
 * through here, or through laras_text_shows where it is plain C. what: "a reply".
 */
extern void laras_require_shown(LarasText t, const char *what);

/* Raises where the text of that column has more bytes; an absent one has none. */
extern void
laras_require_short(const char *relation, const char *column, LarasText t, size_t limit);

/* Raises unless it is a channel that laras speaks. */
extern void laras_require_channel_named(LarasText channel);

#endif /* LARAS_ANSWER_WRITTEN_H */
