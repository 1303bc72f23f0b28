/*
 * followrule.c
 *		Rules for following up are looked at when they are written.
 *
 * A rule whose template is not there, or does not take its values, would never
 * propose anything, and nobody would learn why. A restore binds no workspace and
 * is let through: the templates may come after the rules.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/template.h"
#include "commands/trigger.h"
#include "connect/template.h"
#include "fmgr.h"
#include "tenancy/tenancy.h"

PG_FUNCTION_INFO_V1(laras_check_follow_up_rules);

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

/* Inside SPI, the rows read. */
static void
check(uint64 row)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	const char *why = NULL;
	char *components;
	char *values;

	if (laras_spi_isnull(row, 1))
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("no such template"),
						errdetail("The rule's template_id is none of laras.message_templates.")));
	if (!laras_spi_bool(row, 2))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the template is of an account of another channel than the rule")));
	components = laras_spi_cstring(row, 3);
	values = laras_spi_cstring(row, 4);
	if (laras_templates_of(laras_spi_cstring(row, 1))
			->fill(laras_json_own(laras_json_parse(components, strlen(components), NULL)),
				   laras_json_own(laras_json_parse(values, strlen(values), NULL)), &allocator, &why)
			.s == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the values do not fit the template: %s", why),
						errhint("Give as template_values what laras.send_template would take.")));
}

/*
 * laras.check_follow_up_rules(): statement trigger with the rows written as
 * "written".
 */
Datum
laras_check_follow_up_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	uint64 found;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		trigger->tg_newtable == NULL)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("laras.check_follow_up_rules is a statement trigger")));
	if (laras_bound_workspace() == 0)
		PG_RETURN_POINTER(NULL);
	laras_spi_open();
	if (SPI_register_trigger_data(trigger) != SPI_OK_TD_REGISTER)
		elog(ERROR, "the rows of a trigger could not be registered");
	found = laras_spi_run(&read_written, (Datum[]){Int64GetDatum(laras_bound_workspace())}, NULL);
	for (uint64 i = 0; i < found; i++)
		check(i);
	laras_spi_close();
	PG_RETURN_POINTER(NULL);
}
