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
#include "mb/pg_wchar.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"

#define LINES_A_PAGE 1000

LARAS_PLAN(request, "SELECT laras.request_erasure($1, $2::jsonb)", TEXTOID, TEXTOID);

LARAS_PLAN(read_requests,
		   "SELECT r.id, r.requested_at, r.scope, r.path, r.state, r.unreadable_at, r.removed_at, "
		   "r.slots AS keys_destroyed, r.connections AS connections_cut, r.removed_rows "
		   "FROM laras.progress_erasure r "
		   "WHERE ROW(r.requested_at, r.id) OPERATOR(pg_catalog.<) ROW($1, $2) "
		   "ORDER BY r.requested_at DESC, r.id DESC LIMIT $3",
		   TIMESTAMPTZOID, INT8OID, INT4OID);

#define LIST                                                                          \
	"SELECT l.id, l.received_at, l.state, l.lines, l.found, l.not_found, l.refused, " \
	"l.contacts_erased, l.keys_destroyed, l.finished_at, l.certificate FROM laras.deletion_lists l "

LARAS_PLAN(read_lists,
		   LIST "WHERE ROW(l.received_at, l.id) OPERATOR(pg_catalog.<) ROW($1, $2) "
				"ORDER BY l.received_at DESC, l.id DESC LIMIT $3",
		   TIMESTAMPTZOID, INT8OID, INT4OID);

LARAS_PLAN(read_list, LIST "WHERE l.id OPERATOR(pg_catalog.=) $1", INT8OID);

LARAS_PLAN(read_report,
		   "SELECT r.line, r.outcome, r.reason FROM laras.deletion_report r "
		   "WHERE r.list_id OPERATOR(pg_catalog.=) $1 AND r.line OPERATOR(pg_catalog.>) $2 "
		   "ORDER BY r.line LIMIT $3",
		   INT8OID, INT4OID, INT4OID);

LARAS_PLAN(take_list, "SELECT laras.erase_listed($1, $2, $3, $4) AS id", TEXTOID, TEXTOID, TEXTOID,
		   TEXTOID);

void
laras_http_request_erasure(LarasHttp *h)
{
	json_t *body = h->document;
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

void
laras_http_deletion_lists(LarasHttp *h)
{
	laras_http_list(h, &read_lists, LARAS_SCOPE_ERASE, true, "deletion_lists");
}

/* The list is the body as it is, or a member of a JSON body beside its format. */
void
laras_http_take_deletion_list(LarasHttp *h)
{
	LarasText type = laras_http_header(h, "content-type");
	bool csv = type.s != NULL && type.n >= 8 && memcmp(type.s, "text/csv", 8) == 0;
	json_t *body = csv ? NULL : h->document;
	LarasText list = csv ? h->body : laras_json_text_at(body, "list");
	LarasText format = laras_json_text_at(body, "format");
	LarasText channel = laras_json_text_at(body, "channel");
	LarasText kind = laras_json_text_at(body, "kind");
	json_t *members = laras_json_get(body, "list");
	char nulls[] = "    ";

	laras_require_scope(LARAS_SCOPE_ERASE);
	if (channel.s == NULL)
		channel = laras_http_parameter(h->query, "channel");
	if (kind.s == NULL)
		kind = laras_http_parameter(h->query, "kind");
	nulls[2] = channel.s ? ' ' : 'n';
	nulls[3] = kind.s ? ' ' : 'n';
	if (json_is_array(members))
	{
		list.s = laras_json_text_of(members, &list.n);
		format = (LarasText){"json", 4};
	}
	else if (format.s == NULL)
		format = (LarasText){"csv", 3};
	if (list.s == NULL)
	{
		laras_http_error(h, 422, "incomplete",
						 "the list is needed: as text/csv, or in JSON as list");
		return;
	}
	pg_verifymbstr(list.s, (int) list.n, false);
	laras_spi_open();
	laras_http_found(h,
					 laras_spi_run(&take_list,
								   (Datum[]){laras_text_datum(list.s, list.n),
											 laras_text_datum(format.s, format.n),
											 laras_text_datum(channel.s, channel.n),
											 laras_text_datum(kind.s, kind.n)},
								   nulls),
					 "no such list");
	laras_spi_close();
}

void
laras_http_deletion_list(LarasHttp *h)
{
	int64 id;

	laras_require_scope(LARAS_SCOPE_ERASE);
	laras_spi_open();
	laras_http_found(h,
					 laras_http_id(h->capture[0], &id)
						 ? laras_spi_read(&read_list, (Datum[]){Int64GetDatum(id)}, NULL)
						 : 0,
					 "no such list");
	laras_spi_close();
}

/* Lines after ?after=, a line's number; next is the last one's where there are more. */
void
laras_http_deletion_report(LarasHttp *h)
{
	LarasText given = laras_http_parameter(h->query, "after");
	json_t *lines = laras_json_own(json_array());
	json_t *next = json_null();
	int64 after = 0;
	uint64 found;
	int64 id;

	laras_require_scope(LARAS_SCOPE_ERASE);
	if (given.s != NULL && (!laras_http_id(given, &after) || after > PG_INT32_MAX))
	{
		laras_http_error(h, 422, "bad_page", "after must be the number of a line");
		return;
	}
	laras_spi_open();
	if (!laras_http_id(h->capture[0], &id) ||
		laras_spi_read(&read_list, (Datum[]){Int64GetDatum(id)}, NULL) == 0)
	{
		laras_spi_close();
		laras_http_error(h, 404, "not_found", "no such list");
		return;
	}
	found = laras_spi_read(&read_report,
						   (Datum[]){Int64GetDatum(id), Int32GetDatum((int32) after),
									 Int32GetDatum(LINES_A_PAGE + 1)},
						   NULL);
	for (uint64 i = 0; i < Min(found, LINES_A_PAGE); i++)
		json_array_append(lines, laras_http_row(i));
	if (found > LINES_A_PAGE)
		next = json_integer(laras_spi_int4(LINES_A_PAGE - 1, 1));
	laras_spi_close();
	laras_http_json(h, 200, json_pack("{s:O, s:o}", "lines", lines, "next", next));
}
