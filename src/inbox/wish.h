/*
 * wish.h
 *		Does a message say, as a whole, that its writer wants no more of what
 *		nobody asked for, or wants it again?
 */
#ifndef LARAS_WISH_H
#define LARAS_WISH_H

#include "channel/channel.h"

/*
 * What a person who says this wants; LARAS_PREFERENCE_NONE for all that is
 * more, less or other than one of the words of wish.def. A text or the tap on
 * a button, said by the person now: not by the business, not in the past.
 */
extern LarasPreference laras_wish_in(const LarasRecord *record);

#endif /* LARAS_WISH_H */
