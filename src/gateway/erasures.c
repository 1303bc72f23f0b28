/*
 * erasures.c
 *		Asking for erasure over HTTP, and what became of the requests of the
 *		workspace. The public page of one request is in pages.c.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "erasure/erasure.h"
#include "gateway/gateway.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"

LARAS_PLAN(request, "SELECT laras.request_erasure($1, $2::jsonb)", TEXTOID, TEXTOID);

LARAS_PLAN(read_requests,
		   "SELECT r.id, r.requested_at, r.scope, r.path, r.state, r.unreadable_at, r.removed_at, "
		   "r.slots AS keys_destroyed, r.connections AS connections_cut, r.removed_rows "
		   "FROM laras.progress_erasure r "
		   "WHERE ROW(r.requested_at, r.id) OPERATOR(pg_catalog.<) ROW($1, $2) "
		   "ORDER BY r.requested_at DESC, r.id DESC LIMIT $3",
		   TIMESTAMPTZOID, INT8OID, INT4OID);

void
laras_http_request_erasure(LarasHttp *h)
{
	json_t *body = laras_http_json_body(h);
	LarasText scope = laras_json_text_at(body, "scope");
	json_t *subject = laras_json_get(body, "subject");
	char *code;

	laras_require_scope(LARAS_SCOPE_ERASE);
	if (scope.s == NULL || !json_is_object(subject))
	{
		laras_http_error(h, 422, "incomplete", "scope and subject are both needed");
		return;
	}
	laras_spi_open();
	laras_spi_run(&request,
				  (Datum[]){laras_text_datum(scope.s, scope.n),
							CStringGetTextDatum(laras_json_text_of(subject, NULL))},
				  NULL);
	code = laras_spi_cstring(0, 1);
	laras_spi_close();
	laras_http_confirmation(h, code);
}

void
laras_http_erasures(LarasHttp *h)
{
	laras_http_list(h, &read_requests, LARAS_SCOPE_ERASE, true, "erasures");
}
