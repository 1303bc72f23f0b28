/*
 * comment.h
 *		Comments on their way to rows: which thread each belongs to, and whose it
 *		is where the event does not say.
 *
 * A comment is a message of a conversation whose surface is `comment`: what one
 * person and the business say below one comment of a post. What changes or hides
 * a comment is a message too, about it.
 */
#ifndef LARAS_COMMENT_H
#define LARAS_COMMENT_H

#include "inbox/identity.h"
#include "vault/vault.h"

typedef struct LarasComment
{
	LarasInboxEvent *event;
	const LarasRecord *given;
	LarasRecord record; /* out: as the inbox keeps it */
	uint8 thread[LARAS_INDEX_BYTES];
	uint8 post[LARAS_INDEX_BYTES]; /* zero: unknown */
	LarasContactRef contact;       /* out: of the comment it changes or answers; 0: unknown yet */
	int base;    /* out: earlier in the list, the comment whose person it concerns; -1: none */
	bool nobody; /* out: said by somebody who is not named */
} LarasComment;

/*
 * Find the place of comments, of which event and given are set, with a look at
 * those that are rows and those before them in the list. The contact of a row
 * is locked FOR KEY SHARE. As laras_worker.
 */
extern void laras_comments_place(LarasComment *list, int n);

#endif /* LARAS_COMMENT_H */
