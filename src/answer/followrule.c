/*
 * followrule.c
 *		Rules for following up are looked at when they are written, and again while
 *		they are in use.
 *
 * A rule whose template is not there, or does not take its values, would never
 * propose anything, and nobody would learn why. A restore binds no workspace and
 * is let through: the templates may come after the rules. What becomes of a
 * template afterwards, at the provider or with its account, shows in the rule's
 * state, and its owner is told once, until it is mended.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/followrule.h"
#include "answer/followvalues.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/template.h"
#include "commands/trigger.h"
#include "connect/template.h"
#include "fmgr.h"
#include "inbox/inbox.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(laras_check_follow_up_rule);
PG_FUNCTION_INFO_V1(laras_check_follow_up_rules);

#define BODY_BYTES 4096
#define LONGEST_IDLE 720 /* hours */

LARAS_PLAN(
	read_written,
	"SELECT c.channel, n.channel IS NULL OR n.channel OPERATOR(pg_catalog.=) c.channel, "
	"t.components::pg_catalog.text, n.template_values::pg_catalog.text FROM written n "
	"LEFT JOIN laras.message_template t ON t.workspace_id OPERATOR(pg_catalog.=) n.workspace_id "
	"AND t.id OPERATOR(pg_catalog.=) n.template_id "
	"LEFT JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) t.workspace_id "
	"AND c.id OPERATOR(pg_catalog.=) t.connection_id "
	"WHERE n.workspace_id OPERATOR(pg_catalog.=) $1 AND n.template_id IS NOT NULL",
	INT8OID);

/* rules that were given another template: nobody is told of one that waits for its first approval */
LARAS_PLAN(
	find_changed,
	"SELECT n.id FROM written n JOIN replaced o "
	"ON o.workspace_id OPERATOR(pg_catalog.=) n.workspace_id AND o.id OPERATOR(pg_catalog.=) n.id "
	"WHERE n.workspace_id OPERATOR(pg_catalog.=) $1 AND o.template_id IS DISTINCT FROM n.template_id",
	INT8OID);

LARAS_PLAN(
	renew,
	"UPDATE laras.follow_up_rule SET state = 'new' WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/* rules of one look */
#define BATCH 500

/* the rules in use behind ($1, $2), with what their template is now */
LARAS_PLAN(
	read_used,
	"SELECT r.workspace_id, r.id, r.state, r.template_id IS NULL, coalesce(t.connection_id, 0), t.status, "
	"t.author IS NOT NULL, t.components::pg_catalog.text, r.template_values::pg_catalog.text, c.channel, "
	"c.state OPERATOR(pg_catalog.=) 'disconnected', coalesce(c.slot, 0) FROM laras.follow_up_rule r "
	"LEFT JOIN laras.message_template t ON t.workspace_id OPERATOR(pg_catalog.=) r.workspace_id "
	"AND t.id OPERATOR(pg_catalog.=) r.template_id "
	"LEFT JOIN laras.connection c ON c.workspace_id OPERATOR(pg_catalog.=) t.workspace_id "
	"AND c.id OPERATOR(pg_catalog.=) t.connection_id "
	"WHERE r.enabled AND ROW(r.workspace_id, r.id) OPERATOR(pg_catalog.>) ROW($1, $2) "
	"ORDER BY r.workspace_id, r.id LIMIT $3",
	INT8OID, INT8OID, INT4OID);

LARAS_PLAN(
	set_state,
	"UPDATE laras.follow_up_rule SET state = $4 WHERE workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND id OPERATOR(pg_catalog.=) $2 AND state OPERATOR(pg_catalog.=) $3 AND enabled",
	INT8OID, INT8OID, TEXTOID, TEXTOID);

/* Why the values do not fit the template, whatever the person is called; NULL: they do. */
static const char *
misfit(const LarasTemplateDriver *driver, const char *components, const char *values)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	const LarasFollowNames anybody = {laras_text("Sari"), laras_text("Laras")};
	const char *why = "they cannot be read";
	LarasText text =
		driver->fill(laras_json_own(laras_json_parse(components, strlen(components), NULL)),
					 laras_follow_values(
						 laras_json_own(laras_json_parse(values, strlen(values), NULL)), &anybody),
					 &allocator, &why);

	return text.s == NULL ? why : NULL;
}

/* Inside SPI, the rows read. */
static void
check(uint64 row)
{
	const char *why;

	if (laras_spi_isnull(row, 1))
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("no such template"),
						errdetail("The rule's template_id is none of laras.message_templates.")));
	if (!laras_spi_bool(row, 2))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the template is of an account of another channel than the rule")));
	why = misfit(laras_templates_of(laras_spi_cstring(row, 1)), laras_spi_cstring(row, 3),
				 laras_spi_cstring(row, 4));
	if (why != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the values do not fit the template: %s", why),
						errhint("Give as template_values what laras.send_template would take.")));
}

/* Inside SPI. Each update is a statement of its own, which comes back here and finds nothing. */
static void
renew_changed(Datum workspace_id)
{
	uint64 found = laras_spi_run(&find_changed, &workspace_id, NULL);
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < found; i++)
	{
		SPI_tuptable = rows;
		laras_spi_run(&renew, (Datum[]){workspace_id, Int64GetDatum(laras_spi_int8(i, 1))}, NULL);
	}
}

/*
 * laras.check_follow_up_rules(): statement trigger with the rows written as
 * "written", of an update what they were as "replaced".
 */
Datum
laras_check_follow_up_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Datum bound;
	uint64 found;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		trigger->tg_newtable == NULL)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("laras.check_follow_up_rules is a statement trigger")));
	if (laras_bound_workspace() == 0)
		PG_RETURN_POINTER(NULL);
	bound = Int64GetDatum(laras_bound_workspace());
	laras_spi_open();
	if (SPI_register_trigger_data(trigger) != SPI_OK_TD_REGISTER)
		elog(ERROR, "the rows of a trigger could not be registered");
	found = laras_spi_run(&read_written, &bound, NULL);
	for (uint64 i = 0; i < found; i++)
		check(i);
	if (trigger->tg_oldtable != NULL)
		renew_changed(bound);
	laras_spi_close();
	PG_RETURN_POINTER(NULL);
}

static void
check_idle(int32 hours)
{
	if (hours >= 1 && hours <= LONGEST_IDLE)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("idle_hours is not between 1 and %d", LONGEST_IDLE),
					errdetail("It is how many hours after the last message a silence is followed "
							  "up."),
					errhint("A day is 24, a week 168, thirty days are 720.")));
}

static void
check_body(const text *body)
{
	if (VARSIZE_ANY_EXHDR(body) > BODY_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the body of a rule for following up is too long"),
						errdetail("It has at most %d bytes.", BODY_BYTES)));
}

static void
check_values(Datum values)
{
	char *written = DatumGetCString(DirectFunctionCall1(jsonb_out, values));
	const json_t *parsed = laras_json_own(laras_json_parse(written, strlen(written), NULL));

	if (!json_is_object(parsed))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("template_values is no JSON object"),
						errhint("Give as template_values what laras.send_template would take.")));
	if (laras_follow_has_stray(parsed))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("template_values has braces that are no placeholder"),
						errhint("Placeholders are {name}, {business}, and with words for where "
								"none is known {name|Kak}.")));
}

/*
 * laras.check_follow_up_rule(idle_hours integer, body text, template_id bigint,
 *		template_values jsonb) returns boolean
 *
 * True or an error; nulls where the columns have them. It raises where plain
 * checks would give nothing but their names.
 */
Datum
laras_check_follow_up_rule(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		check_idle(PG_GETARG_INT32(0));
	if (!PG_ARGISNULL(1))
		check_body(PG_GETARG_TEXT_PP(1));
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a rule for following up has neither body nor template_id"),
						errdetail("It would never propose anything."),
						errhint("Give the words for inside the window, the template for outside, "
								"or both.")));
	if (!PG_ARGISNULL(3))
		check_values(PG_GETARG_DATUM(3));
	PG_RETURN_BOOL(true);
}

/* ------------------------------------------------------------ while they are in use */

static bool
is_trouble(const char *state)
{
	return strcmp(state, "new") != 0 && strcmp(state, "ready") != 0;
}

/* Is the template still on its way to its first approval? */
static bool
is_awaited(const char *state, const char *status)
{
	return strcmp(state, "new") == 0 &&
		   (strcmp(status, "draft") == 0 || strcmp(status, "submitted") == 0 ||
			strcmp(status, "pending") == 0);
}

/* How the row-th rule stands now. */
static const char *
find_state(uint64 row, const char *state)
{
	const char *status;

	if (laras_spi_bool(row, 4))
		return "ready";
	if (laras_spi_isnull(row, 6))
		return "template_gone";
	if (laras_spi_bool(row, 11))
		return "account_cut";
	status = laras_spi_cstring(row, 6);
	if (strcmp(status, "approved") != 0)
		return is_awaited(state, status) ? "new" : "template_not_approved";
	if (!laras_spi_bool(row, 7))
		return "template_not_owned";
	if (misfit(laras_templates_of(laras_spi_cstring(row, 10)), laras_spi_cstring(row, 8),
			   laras_spi_cstring(row, 9)) != NULL)
		return "values_do_not_fit";
	return "ready";
}

/* a rule that stands otherwise than it says */
typedef struct Change
{
	int64 workspace_id;
	int64 id;
	char *from;
	const char *to;
	int64 connection_id;
	uint32 slot;
} Change;

/* Inside SPI. Who changed the rule in the meantime is looked at the next time. */
static void
note(const Change *c)
{
	char *details;

	if (laras_spi_run(&set_state,
					  (Datum[]){Int64GetDatum(c->workspace_id), Int64GetDatum(c->id),
								CStringGetTextDatum(c->from), CStringGetTextDatum(c->to)},
					  NULL) == 0 ||
		is_trouble(c->from) || !is_trouble(c->to))
		return;
	details = psprintf("{\"rule_id\": \"" INT64_FORMAT "\", \"state\": \"%s\"}", c->id, c->to);
	laras_account_notice(c->workspace_id, "follow_up_stopped", c->connection_id, c->slot,
						 laras_text(details));
}

void
laras_follow_rules_look(void)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(caller, "laras follow-up rules", ALLOCSET_DEFAULT_SIZES);
	int64 workspace_id = 0;
	int64 id = 0;
	uint64 found;

	do
	{
		Change *list;
		int changes = 0;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(context);
		/* what is read of the rows lies in the context of whoever opens */
		laras_spi_open();
		list = palloc(sizeof(Change) * BATCH);
		found = laras_spi_read(&read_used,
							   (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(id),
										 Int32GetDatum(BATCH)},
							   NULL);
		for (uint64 i = 0; i < found; i++)
		{
			char *state = laras_spi_cstring(i, 3);
			const char *now = find_state(i, state);

			workspace_id = laras_spi_int8(i, 1);
			id = laras_spi_int8(i, 2);
			if (strcmp(state, now) != 0)
				list[changes++] = (Change){
					.workspace_id = workspace_id,
					.id = id,
					.from = state,
					.to = now,
					.connection_id = laras_spi_int8(i, 5),
					.slot = (uint32) laras_spi_int8(i, 12),
				};
		}
		for (int i = 0; i < changes; i++)
			note(&list[i]);
		laras_spi_close();
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	} while (found == BATCH);
	MemoryContextDelete(context);
}
