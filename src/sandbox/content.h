/*
 * content.h
 *		Reading the content of a message, and the refusals for what is wrong
 *		with it. Functions that return false have filled in the answer.
 */
#ifndef LARAS_SANDBOX_CONTENT_H
#define LARAS_SANDBOX_CONTENT_H

#include "sandbox/sandbox.h"

typedef struct SbContent
{
	const char *type;
	json_t *part; /* the member of that name */
	json_t *root;
} SbContent;

/* Everything but sender and recipient. Notes type and callback data. */
extern bool sb_read_content(SbCall *call, json_t *root, SbContent *c);

/* 100: "The parameter ... is required." */
extern bool sb_missing(SbCall *call, const char *path);

/* 131009 with these details */
extern bool sb_invalid(SbCall *call, const char *details);

/* 100 for a member of object that is not among names. */
extern bool
sb_known_keys(SbCall *call, const json_t *object, const char *path, const char *const *names);

/* Characters of a JSON string. */
extern size_t sb_characters(const json_t *s);

#endif
