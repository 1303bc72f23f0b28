/*
 * rule.h
 *		The provider's limits as they are in force (laras.limit_rules), kept by
 *		channel in the memory of the courier.
 */
#ifndef LARAS_RULE_H
#define LARAS_RULE_H

#include <stdbool.h>

/* of what providers take less than of others, beside the limits for all messages */
typedef enum LarasLimitKind
{
	LARAS_LIMIT_NONE,
	LARAS_LIMIT_MEDIA,
	LARAS_LIMIT_PRIVATE_REPLY,
	LARAS_LIMIT_LIVE_PRIVATE_REPLY,
	LARAS_LIMIT_COMMENT
} LarasLimitKind;

#define LARAS_LIMIT_KINDS 5

/* 0: none */
typedef struct LarasKindLimits
{
	int per_second;
	int quota; /* within any period */
	int period_s;
} LarasKindLimits;

/* the limits in force for the messages of a connection; 0: none */
typedef struct LarasLaneLimits
{
	int per_second;
	int pair_burst;
	int pair_interval_ms;
} LarasLaneLimits;

typedef struct LarasRules
{
	char channel[32];
	LarasLaneLimits lane;
	int beside_app; /* a second, of a number that the provider's own app uses too */
	bool by_kind;   /* any of these is limited */
	LarasKindLimits kind[LARAS_LIMIT_KINDS];
} LarasRules;

/* Read them anew. In a transaction, SPI open; its last result is gone. */
extern void laras_rules_read(void);

/* Those of a channel; what is read later stands in the same place. */
extern const LarasRules *laras_rules_of(const char *channel);

/* What a row of the outbox counts as; live: it answers a comment on a broadcast. */
extern LarasLimitKind laras_limit_kind(const char *outbox_kind, bool live);

/* As laras.limit_rule and laras.send_attempt call it; NULL for none. */
extern const char *laras_limit_kind_name(LarasLimitKind kind);

/* Why such a message waits, as laras.outbox says it. */
extern const char *laras_limit_reason(LarasLimitKind kind);

/* The kind of a reason; LARAS_LIMIT_NONE for others. */
extern LarasLimitKind laras_limit_of_reason(const char *reason);

/*
 * Of rows of the outbox x: it waits for a limit of its kind. Written as the
 * predicate of the index outbox_limited.
 */
#define LARAS_WAITS_FOR_LIMIT(x)                                               \
	x ".state OPERATOR(pg_catalog.=) 'queued' AND " x                          \
	  ".reason OPERATOR(pg_catalog.=) ANY ('{limit_media,limit_private_reply," \
	  "limit_live_private_reply,limit_comment}'::pg_catalog.text[])"

#endif /* LARAS_RULE_H */
