/*
 * generic.h
 *		What the files of the generic driver share.
 */
#ifndef LARAS_CHANNEL_GENERIC_H
#define LARAS_CHANNEL_GENERIC_H

#include "channel/record.h"

/* longer pointers are refused, and deeper ones find nothing */
#define LARAS_LONGEST_POINTER 512

/* kinds of parts that a mapping may name */
#define LARAS_GENERIC_PARTS 13
extern const char *const laras_generic_parts[LARAS_GENERIC_PARTS];

/* Why the options of an app cannot be followed, a sentence; NULL: they can. */
extern const char *laras_generic_check(const json_t *options);

#endif /* LARAS_CHANNEL_GENERIC_H */
