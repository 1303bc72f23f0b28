/*
 * meta.h
 *		What Instagram and Messenger have in common: the envelope by account, the
 *		messaging events, comments.
 */
#ifndef LARAS_META_H
#define LARAS_META_H

#include "channel/record.h"

/* how one of the two differs from the other */
typedef struct LarasMetaChannel
{
	const char *object; /* of the envelope */
	uint8_t person;     /* index kind of a sender's id */

	/*
	 * One change (or flat entry) of a field that is none of the messaging
	 * events: false where the field is not known.
	 */
	bool (*read_change)(LarasReader *r, const json_t *entry, LarasText field, const json_t *value);
} LarasMetaChannel;

extern int
laras_meta_split(const LarasMetaChannel *channel, json_t *body, const LarasAllocator *allocator,
				 LarasBodyPart **pieces, int *nameless, const char **reason);
extern int
laras_meta_parse(const LarasMetaChannel *channel, const json_t *piece,
				 const LarasAllocator *allocator, LarasRecord **records, const char **reason);
extern int laras_meta_parse_element(const LarasMetaChannel *channel, const json_t *element,
									const LarasAllocator *allocator, LarasRecord **records,
									const char **reason);

/* a comment as one of the two says it; texts may be absent but for the id */
typedef struct LarasMetaComment
{
	const char *kind;     /* "comment", "live_comment", "mention" */
	const json_t *thread; /* what an answer is to name; NULL: nothing */
	LarasText id;
	LarasText parent;
	LarasText post;
	LarasText text;
	LarasText person; /* their id */
	LarasText name;
	bool own; /* ours, coming back */
	LarasPostOwner owner;
	LarasText verb; /* add, edited, remove, hide, unhide; absent: add */
	int64_t time;
	const json_t *media; /* a part; NULL: none */
} LarasMetaComment;

extern void laras_meta_comment(LarasReader *r, const LarasMetaChannel *channel,
							   const json_t *element, const LarasMetaComment *comment);

/* An event of the account itself, told whole: no customer may be in it. */
extern void laras_meta_account(LarasReader *r, const char *topic, const json_t *entry,
							   LarasText field, LarasText event, const json_t *value);

#endif /* LARAS_META_H */
