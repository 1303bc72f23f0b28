/*
 * rule.c
 *		The owner's review rules: by channel, topic, confidence, value and time of
 *		day.
 *
 * The value of a draft is the highest price among the items that it cites, as
 * they are now; of one that cites none it is zero.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/holdreason.h"
#include "base/compat.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "inbox/rows.h"
#include "storage/proc.h"
#include "utils/builtins.h"

/* without a rule of its own a workspace sends by itself from here on */
#define USUAL_CONFIDENCE 0.7f

/* at this moment, by the rule's own zone; a time that ends earlier than it begins goes over midnight */
#define AT_THIS_TIME                                                                                  \
	"(r.from_time IS NULL OR CASE WHEN r.from_time OPERATOR(pg_catalog.<=) r.to_time "                \
	"THEN (laras.now() AT TIME ZONE r.time_zone)::pg_catalog.time OPERATOR(pg_catalog.>=) "           \
	"r.from_time AND (laras.now() AT TIME ZONE r.time_zone)::pg_catalog.time "                        \
	"OPERATOR(pg_catalog.<) r.to_time ELSE (laras.now() AT TIME ZONE r.time_zone)::pg_catalog.time "  \
	"OPERATOR(pg_catalog.>=) r.from_time OR (laras.now() AT TIME ZONE r.time_zone)::pg_catalog.time " \
	"OPERATOR(pg_catalog.<) r.to_time END)"

LARAS_PLAN(
	find_rule,
	"SELECT r.act FROM laras.review_rule r WHERE r.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND r.texts OPERATOR(pg_catalog.=) 'drafts' "
	"AND (r.channel IS NULL OR r.channel OPERATOR(pg_catalog.=) $2) "
	"AND (r.topic IS NULL OR r.topic OPERATOR(pg_catalog.=) $3) "
	"AND (r.minimum_confidence IS NULL OR (r.act OPERATOR(pg_catalog.=) 'review') "
	"OPERATOR(pg_catalog.=) ($4 OPERATOR(pg_catalog.<) r.minimum_confidence)) "
	"AND ((r.minimum_value IS NULL AND r.maximum_value IS NULL) OR coalesce((SELECT pg_catalog.max(c.price) "
	"FROM laras.catalog_item c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) ANY ($5)), 0) "
	"BETWEEN coalesce(r.minimum_value, 0) AND coalesce(r.maximum_value, 'Infinity')) "
	"AND " AT_THIS_TIME " ORDER BY r.priority DESC, r.act DESC, r.id LIMIT 1",
	INT8OID, TEXTOID, TEXTOID, FLOAT4OID, INT8ARRAYOID);

LARAS_PLAN(find_people_rule,
		   "SELECT 1 FROM laras.review_rule r WHERE r.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND r.texts OPERATOR(pg_catalog.=) 'people' "
		   "AND (r.channel IS NULL OR r.channel OPERATOR(pg_catalog.=) $2) AND " AT_THIS_TIME
		   " LIMIT 1",
		   INT8OID, TEXTOID);

LARAS_PLAN(find_any_rule,
		   "SELECT 1 FROM laras.review_rule r WHERE r.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND r.texts OPERATOR(pg_catalog.=) 'drafts' LIMIT 1",
		   INT8OID);

/* of the batch's transaction, the workspace that was asked about last */
static LocalTransactionId asked_in = InvalidLocalTransactionId;
static int64 asked_about = 0;
static bool has_rules = false;

/* Most workspaces have no rule: in a batch that is asked once a workspace. */
static bool
may_have_rules(int64 workspace_id)
{
	if (!laras_judging_batch())
		return true;
	if (asked_in == LARAS_MY_LXID && asked_about == workspace_id)
		return has_rules;
	laras_spi_open();
	has_rules = laras_spi_read(&find_any_rule, (Datum[]){Int64GetDatum(workspace_id)}, NULL) > 0;
	laras_spi_close();
	asked_in = LARAS_MY_LXID;
	asked_about = workspace_id;
	return has_rules;
}

const char *
laras_review_rule(int64 workspace_id, const char *channel, const char *topic, float confidence,
				  const LarasSource *sources, int n_sources)
{
	const char *act = NULL;
	LarasColumn items;
	int n = 0;

	if (!may_have_rules(workspace_id))
		return NULL;
	laras_columns_init(&items, 1, Max(n_sources, 1));
	for (int i = 0; i < n_sources; i++)
		if (strcmp(sources[i].table, "catalog_item") == 0)
			items.values[n++] = Int64GetDatum(sources[i].id);
	laras_spi_open();
	if (laras_spi_read(&find_rule,
					   (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(channel),
								 CStringGetTextDatum(topic), Float4GetDatum(confidence),
								 laras_column_array(&items, n, INT8OID)},
					   NULL) > 0)
		act = laras_spi_cstring(0, 1);
	laras_spi_close();
	return act;
}

const char *
laras_review_reason(int64 workspace_id, const char *channel, const LarasComposed *composed)
{
	const char *rule =
		laras_review_rule(workspace_id, channel, composed->intent, composed->confidence,
						  composed->sources, composed->n_sources);

	if (rule != NULL)
		return strcmp(rule, "review") == 0 ? LARAS_HOLD_REVIEW_RULE : NULL;
	return composed->confidence < USUAL_CONFIDENCE ? LARAS_HOLD_LOW_CONFIDENCE : NULL;
}

bool
laras_people_rule(int64 workspace_id, const char *channel)
{
	bool asks;

	laras_spi_open();
	asks = laras_spi_read(&find_people_rule,
						  (Datum[]){Int64GetDatum(workspace_id), CStringGetTextDatum(channel)},
						  NULL) > 0;
	laras_spi_close();
	return asks;
}
