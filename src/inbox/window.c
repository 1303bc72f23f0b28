/*
 * window.c
 *		May a message leave now? Decided at hand-off, by the time the provider
 *		gave what the person did, from the rules in table window_rule.
 *
 * Rules are few and read once for a batch; one function decides from a rule,
 * for the courier, the drafter and the view that the owner reads.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "inbox/inbox.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(laras_window_state);

#define MAX_RULES 128
#define NAME_SIZE 64

typedef struct Rule
{
	char channel[NAME_SIZE];
	char purpose[NAME_SIZE];
	int64 seconds; /* 0: it never closes */
	int uses;      /* 0: as often as one likes */
	bool enabled;
} Rule;

static Rule rules[MAX_RULES];
static int rule_count = 0;

LARAS_PLAN(read_rules,
		   "SELECT r.channel, r.purpose, coalesce(r.lasts, 0), coalesce(r.uses, 0), r.enabled "
		   "FROM laras.window_rules r WHERE pg_catalog.length(r.channel) OPERATOR(pg_catalog.<) 64 "
		   "LIMIT $1",
		   INT4OID);

void
laras_window_refresh(void)
{
	uint64 found;

	laras_spi_open();
	found = laras_spi_run(&read_rules, (Datum[]){Int32GetDatum(MAX_RULES)}, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		strlcpy(rules[i].channel, laras_spi_cstring(i, 1), NAME_SIZE);
		strlcpy(rules[i].purpose, laras_spi_cstring(i, 2), NAME_SIZE);
		rules[i].seconds = laras_spi_int4(i, 3);
		rules[i].uses = laras_spi_int4(i, 4);
		rules[i].enabled = laras_spi_bool(i, 5);
	}
	rule_count = (int) found;
	laras_spi_close();
}

/* What the rule says; used: how often it was made use of since. */
static LarasWindow
decide(const Rule *rule, TimestampTz since, int used, TimestampTz now)
{
	LarasWindow window = {LARAS_WINDOW_OPEN, 0};

	if (!rule->enabled)
		window.state = LARAS_WINDOW_NOT_ENABLED;
	else if (since == 0)
		window.state = LARAS_WINDOW_NEVER;
	else
	{
		if (rule->seconds > 0)
			window.closes_at = TimestampTzPlusMilliseconds(since, rule->seconds * 1000);
		if (rule->uses > 0 && used >= rule->uses)
			window.state = LARAS_WINDOW_USED;
		else if (rule->seconds > 0 && now >= window.closes_at)
			window.state = LARAS_WINDOW_CLOSED;
	}
	return window;
}

LarasWindow
laras_window(const char *channel, const char *purpose, TimestampTz since, int used, TimestampTz now)
{
	for (int i = 0; i < rule_count; i++)
		if (strcmp(rules[i].channel, channel) == 0 && strcmp(rules[i].purpose, purpose) == 0)
			return decide(&rules[i], since, used, now);
	/* what no rule allows is not allowed */
	return (LarasWindow){LARAS_WINDOW_NOT_ENABLED, 0};
}

const char *
laras_window_reason(LarasWindowState state)
{
	switch (state)
	{
		case LARAS_WINDOW_OPEN:
			return "open";
		case LARAS_WINDOW_CLOSED:
			return "window_closed";
		case LARAS_WINDOW_NEVER:
			return "never_wrote";
		case LARAS_WINDOW_USED:
			return "window_used";
		case LARAS_WINDOW_NOT_ENABLED:
			return "window_not_enabled";
	}
	return "window_closed";
}

/*
 * laras.window_state(lasts integer, uses integer, enabled boolean,
 *		since timestamptz, used integer, OUT reason text, OUT closes_at timestamptz)
 */
Datum
laras_window_state(PG_FUNCTION_ARGS)
{
	Rule rule = {
		.seconds = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0),
		.uses = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1),
		.enabled = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2),
	};
	LarasWindow window = decide(&rule, PG_ARGISNULL(3) ? 0 : PG_GETARG_TIMESTAMPTZ(3),
								PG_ARGISNULL(4) ? 0 : PG_GETARG_INT32(4), laras_now());
	TupleDesc description;
	Datum values[2];
	bool nulls[2] = {false, window.closes_at == 0};

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "laras.window_state must return a row");
	values[0] = CStringGetTextDatum(laras_window_reason(window.state));
	values[1] = TimestampTzGetDatum(window.closes_at);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), values, nulls)));
}
