/*
 * meta_connect.h
 *		The log-in that Instagram and Threads share: a code, a token of an hour,
 *		one of sixty days, who it belongs to.
 */
#ifndef LARAS_META_CONNECT_H
#define LARAS_META_CONNECT_H

#include "channel/connect.h"

/* how one of the two differs from the other */
typedef struct LarasMetaLogin
{
	const struct LarasConnectDriver *driver;
	const char *base_url;        /* where its interface is, by itself */
	const char *exchange_url;    /* where codes are exchanged; a stand-in does all in one place */
	const char *grant;           /* "ig": of the kinds of grant */
	const char *fields;          /* of GET /me */
	const char *account;         /* of these, the id that webhooks carry */
	const char *const *eligible; /* kinds of account (account_type); ends with NULL; NULL: any */
	const char *const
		*needed; /* permissions without which there is nothing to do; ends with NULL */
} LarasMetaLogin;

extern LarasLoginNext laras_meta_login(const LarasMetaLogin *channel, LarasLogin *login);

/* Sixty days more for a token that is a day old and has not expired. */
extern LarasLoginNext laras_meta_refresh(const LarasMetaLogin *channel, LarasLogin *login);

/* Is the app among data[] of subscribed_apps, by the one or the other member? */
extern bool laras_meta_is_subscribed(const json_t *answer, LarasText app_id);

/* 190: the token is worth nothing; with 458 because the person removed the app. */
extern LarasTokenState laras_meta_read_token(int code, int subcode);

/* GET of a post with the member that names its owner, and what that says. */
extern bool
laras_meta_build_read_post(const char *member, const LarasAccountRequest *about, LarasText post,
						   const LarasAllocator *allocator, LarasProviderRequest *request);
extern LarasPostOwner
laras_meta_read_post(const char *member, const json_t *answer, LarasText account);

extern const struct LarasConnectDriver laras_instagram_connect;
extern const struct LarasConnectDriver laras_threads_connect;

#endif /* LARAS_META_CONNECT_H */
