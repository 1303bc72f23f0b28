/*
 * templated.c
 *		At hand-off: may this template leave, with these values?
 *
 * The window does not bind it. Instead the provider must have approved it, the
 * business must have written it, and the person must have written before or
 * asked to be written to. What was judged is the text that a person reads, so
 * template and values must still give exactly that.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/templated.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(stop_template,
		   "UPDATE laras.message_template t SET status = $3, status_at = laras.now() "
		   "FROM laras.outbox o WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND o.id OPERATOR(pg_catalog.=) $2 AND t.workspace_id OPERATOR(pg_catalog.=) $1 "
		   "AND t.id OPERATOR(pg_catalog.=) o.template_id "
		   "AND t.status OPERATOR(pg_catalog.=) 'approved'",
		   INT8OID, INT8OID, TEXTOID);

static const json_t *
read_values(uint64 row, int column, const LarasFlight *flight)
{
	bytea *sealed = laras_spi_bytes(row, column);
	const json_t *element;
	char *text;
	size_t n;

	if (sealed == NULL || laras_try_open(sealed, flight->workspace_id, flight->message_id,
										 LARAS_FIELD_message_element, &text, &n) != LARAS_OPENED)
		return NULL;
	element = laras_json_own(laras_json_parse(text, n, NULL));
	return laras_json_get(laras_json_get(element, "template"), "values");
}

const char *
laras_templated_read(uint64 row, int column, const LarasFlight *flight, TimestampTz last_inbound,
					 LarasTemplated *out)
{
	char *name;
	char *language;
	char *components;

	memset(out, 0, sizeof(*out));
	if (laras_spi_isnull(row, column))
		return "template_gone";
	if (strcmp(laras_spi_cstring(row, column), "approved") != 0)
		return "template_not_approved";
	if (!laras_spi_bool(row, column + 1))
		return "template_not_owned";
	if (last_inbound == 0 && laras_spi_isnull(row, column + 6))
		return "never_wrote";
	name = laras_spi_cstring(row, column + 2);
	language = laras_spi_cstring(row, column + 3);
	components = laras_spi_cstring(row, column + 4);
	out->template.name = laras_text(name);
	out->template.language = laras_text(language);
	out->template.components =
		laras_json_own(laras_json_parse(components, strlen(components), NULL));
	out->values = read_values(row, column + 5, flight);
	return NULL;
}

bool
laras_templated_gives(const LarasTemplated *t, const LarasChannelDriver *driver,
					  const LarasAllocator *allocator, LarasText text)
{
	const char *why = NULL;
	LarasText now = {NULL, 0};

	if (t->values != NULL && driver->send->templates != NULL)
		now = driver->send->templates->fill(t->template.components, t->values, allocator, &why);
	return now.s != NULL && now.n == text.n && memcmp(now.s, text.s, text.n) == 0;
}

void
laras_templated_refused(const LarasFlight *flight, int error_code)
{
	const LarasTemplateDriver *templates = flight->driver == NULL || flight->driver->send == NULL
											   ? NULL
											   : flight->driver->send->templates;
	const char *status =
		templates == NULL || error_code == 0 ? NULL : templates->status_of_error(error_code);

	if (status != NULL)
		laras_spi_run(&stop_template,
					  (Datum[]){Int64GetDatum(flight->workspace_id),
								Int64GetDatum(flight->outbox_id), CStringGetTextDatum(status)},
					  NULL);
}
