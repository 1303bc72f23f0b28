/*
 * template.h
 *		Message templates of a channel: texts with places for values that the
 *		provider approves beforehand, and that may open a conversation.
 *
 * Plain C like channel.h: nothing here raises, memory is the caller's. A
 * channel without templates has no such driver.
 *
 * Components are the provider's own form. Values are
 *		{"header": ["..."], "body": ["...", ...] or {"name": "..."},
 *		 "buttons": ["...", ...]}
 * in the order of the places; of a header that is a file, {"header": {"link": "https://..."}}.
 */
#ifndef LARAS_TEMPLATE_H
#define LARAS_TEMPLATE_H

#include "channel/connect.h"
#include "channel/send.h"

typedef struct LarasTemplate
{
	LarasText name;
	LarasText language;
	LarasText category; /* marketing, utility or authentication */
	const json_t *components;
} LarasTemplate;

/* what a provider says of one; a member that it does not name is absent or NULL */
typedef struct LarasTemplateNews
{
	LarasText id;
	LarasText name;
	LarasText language;
	const char *status;   /* pending, approved, rejected, paused, disabled or deleted */
	const char *category; /* as above */
	const char *quality;  /* green, yellow, red or unknown */
	LarasText reason;     /* a word */
	const json_t *components;
	char number[24]; /* an id that came as a number, which `id` points to */
} LarasTemplateNews;

/* a template is a few hundred bytes at a provider; pages hold this many at most */
#define LARAS_TEMPLATE_PAGE 100

typedef struct LarasTemplateDriver
{
	/* Why the provider would not take it, in words without anything of it; NULL: it may. */
	const char *(*check)(const LarasTemplate *t);

	/* What the person reads with these values, allocated; absent with *why where they do not fit. */
	LarasText (*fill)(const json_t *components, const json_t *values,
					  const LarasAllocator *allocator, const char **why);

	/* send->text is what fill gave; false when memory is short or it cannot be addressed */
	bool (*build_send)(const LarasSendText *send, const LarasTemplate *t, const json_t *values,
					   const LarasAllocator *allocator, LarasProviderRequest *request);

	bool (*build_submit)(const LarasAccountRequest *about, const LarasTemplate *t,
						 const LarasAllocator *allocator, LarasProviderRequest *request);
	bool (*read_submit)(const json_t *answer, LarasTemplateNews *news);

	/* A page of all there are; after is what the page before gave, or absent. Returns how many, or -1. */
	bool (*build_list)(const LarasAccountRequest *about, LarasText after,
					   const LarasAllocator *allocator, LarasProviderRequest *request);
	int (*read_list)(const json_t *answer, LarasTemplateNews news[LARAS_TEMPLATE_PAGE],
					 LarasText *after);

	/* Details of an ACCOUNT record of the topic template_event; false: nothing that changes one. */
	bool (*read_event)(const json_t *details, LarasTemplateNews *news);

	/* What a refused send says of its template; NULL: nothing. */
	const char *(*status_of_error)(int code);
} LarasTemplateDriver;

extern const LarasTemplateDriver laras_whatsapp_templates;

#endif /* LARAS_TEMPLATE_H */
