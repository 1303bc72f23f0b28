/*
 * lower.h
 *		Lower case by the rules of the default collation, quick where the text is
 *		ASCII.
 */
#ifndef LARAS_BASE_LOWER_H
#define LARAS_BASE_LOWER_H

#include "postgres.h"

/* A palloc'd copy of n bytes in the server's encoding, in lower case. */
extern char *laras_lower(const char *text, size_t n);

#endif /* LARAS_BASE_LOWER_H */
