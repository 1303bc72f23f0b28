/*
 * meta_send.h
 *		What the products of the Graph API share in sending: the error object, and
 *		the direct message of Instagram and Messenger.
 */
#ifndef LARAS_META_SEND_H
#define LARAS_META_SEND_H

#include "channel/send.h"

/* of the errors of all channels, the one that says the whole app asked too much */
#define LARAS_META_APP_LIMIT 4

/*
 * Read an answer: an error object by what meaning says of its code and subcode,
 * else an accepted message by the id that id_of finds. Anything else is
 * uncertain, and so is an error of a server that failed (5xx).
 */
extern void
laras_meta_read_answer(int http_status, const char *body, size_t n, const LarasAllocator *allocator,
					   LarasSendAnswer *answer, LarasAnswer (*meaning)(int code, int subcode),
					   LarasText (*id_of)(const json_t *document));

/* What codes mean that all products have. LARAS_ANSWER_REFUSED for any other. */
extern LarasAnswer laras_meta_meaning(int code, int subcode);

/*
 * A request to an edge of an object; body is released. False when memory is
 * short.
 */
extern bool
laras_meta_build_edge(const LarasSendText *send, LarasText object, const char *edge, json_t *body,
					  const LarasAllocator *allocator, LarasProviderRequest *request);

/*
 * A comment below another: the edge that the product calls it by. False when
 * memory is short.
 */
extern bool
laras_meta_build_comment(const LarasSendText *send, const char *edge,
						 const LarasAllocator *allocator, LarasProviderRequest *request);

/*
 * A direct message, or a private reply to a comment: body has what the channel adds to it, or is NULL, and is
 * released. False when memory is short.
 */
extern bool
laras_meta_build_message(const LarasSendText *send, json_t *body, const LarasAllocator *allocator,
						 LarasProviderRequest *request);

/* The answer to a direct message. */
extern void laras_meta_read_message(int http_status, const char *body, size_t n,
									const LarasAllocator *allocator, LarasSendAnswer *answer);

/* The same of any content of a message; content and body are released. */
extern bool
laras_meta_build_content(const LarasSendText *send, json_t *content, json_t *body,
						 const LarasAllocator *allocator, LarasProviderRequest *request);

/* What marks a person's words that leave after the window of replies; NULL: nothing does. */
extern json_t *laras_meta_human_agent(const LarasSendText *send);

/* What stands around a message of Messenger, its echo's mark in it; NULL when memory is short. */
extern json_t *laras_messenger_frame(const LarasSendText *send);

extern const struct LarasSendDriver laras_instagram_send;
extern const struct LarasSendDriver laras_messenger_send;

#endif /* LARAS_META_SEND_H */
