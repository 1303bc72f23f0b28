/*
 * rule.c
 *		The provider's limits in force; see rule.h.
 */
#include "postgres.h"

#include "base/spi.h"
#include "courier/rule.h"

/* more than there are channels */
#define CHANNELS 32

static const struct
{
	const char *name;
	const char *reason;
} kinds[LARAS_LIMIT_KINDS] = {
	[LARAS_LIMIT_MEDIA] = {"media", "limit_media"},
	[LARAS_LIMIT_PRIVATE_REPLY] = {"private_reply", "limit_private_reply"},
	[LARAS_LIMIT_LIVE_PRIVATE_REPLY] = {"live_private_reply", "limit_live_private_reply"},
	[LARAS_LIMIT_COMMENT] = {"comment", "limit_comment"},
};

static LarasRules channels[CHANNELS];
static int channel_count = 0;

LARAS_PLAN(read_rules,
		   "SELECT r.channel, r.kind, coalesce(r.per_second, 0), coalesce(r.pair_burst, 0), "
		   "coalesce(r.pair_interval, 0), coalesce(r.quota, 0), coalesce(r.quota_period, 0) "
		   "FROM laras.limit_rules r");

static LarasRules *
find(const char *channel)
{
	for (int i = 0; i < channel_count; i++)
		if (strcmp(channels[i].channel, channel) == 0)
			return &channels[i];
	if (channel_count == CHANNELS)
		elog(ERROR, "there are more channels than %d", CHANNELS);
	strlcpy(channels[channel_count].channel, channel, sizeof(channels[0].channel));
	return &channels[channel_count++];
}

void
laras_rules_read(void)
{
	uint64 found = laras_spi_read(&read_rules, NULL, NULL);

	for (int i = 0; i < channel_count; i++)
		memset((char *) &channels[i] + sizeof(channels[i].channel), 0,
			   sizeof(LarasRules) - sizeof(channels[i].channel));
	for (uint64 i = 0; i < found; i++)
	{
		LarasRules *rules = find(laras_spi_cstring(i, 1));
		char *kind = laras_spi_cstring(i, 2);

		if (strcmp(kind, "message") == 0)
			rules->lane =
				(LarasLaneLimits){laras_spi_int4(i, 3), laras_spi_int4(i, 4), laras_spi_int4(i, 5)};
		else if (strcmp(kind, "message_beside_app") == 0)
			rules->beside_app = laras_spi_int4(i, 3);
		for (int k = LARAS_LIMIT_NONE + 1; k < LARAS_LIMIT_KINDS; k++)
			if (strcmp(kind, kinds[k].name) == 0)
			{
				rules->kind[k] = (LarasKindLimits){laras_spi_int4(i, 3), laras_spi_int4(i, 6),
												   laras_spi_int4(i, 7)};
				rules->by_kind = true;
			}
	}
}

const LarasRules *
laras_rules_of(const char *channel)
{
	return find(channel);
}

LarasLimitKind
laras_limit_kind(const char *outbox_kind, bool live)
{
	if (strcmp(outbox_kind, "private_reply") == 0)
		return live ? LARAS_LIMIT_LIVE_PRIVATE_REPLY : LARAS_LIMIT_PRIVATE_REPLY;
	if (strcmp(outbox_kind, "media") == 0)
		return LARAS_LIMIT_MEDIA;
	return strcmp(outbox_kind, "comment") == 0 ? LARAS_LIMIT_COMMENT : LARAS_LIMIT_NONE;
}

const char *
laras_limit_kind_name(LarasLimitKind kind)
{
	return kinds[kind].name;
}

const char *
laras_limit_reason(LarasLimitKind kind)
{
	return kinds[kind].reason;
}

LarasLimitKind
laras_limit_of_reason(const char *reason)
{
	for (int k = LARAS_LIMIT_NONE + 1; k < LARAS_LIMIT_KINDS; k++)
		if (reason != NULL && strcmp(reason, kinds[k].reason) == 0)
			return (LarasLimitKind) k;
	return LARAS_LIMIT_NONE;
}
