/*
 * handling.c
 *		Terms and purposes over HTTP: the same statements that SQL has.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "gateway/gateway.h"
#include "inbox/rows.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* more words than there are purposes are refused by configure_channel anyway */
#define MAX_PURPOSES 8

LARAS_PLAN(
	read_terms,
	"SELECT t.party, t.version, t.title, t.url, t.effective_from::text AS effective_from, t.accepted_at "
	"FROM laras.terms_in_force t ORDER BY t.party LIMIT $1",
	INT4OID);

LARAS_PLAN(accept, "SELECT laras.accept_terms($1, $2) AS accepted_at", TEXTOID, TEXTOID);

LARAS_PLAN(configure, "SELECT laras.configure_channel($1, $2)", TEXTOID, TEXTARRAYOID);

void
laras_http_terms(LarasHttp *h)
{
	json_t *list = laras_json_own(json_array());
	uint64 found;

	laras_spi_open();
	found = laras_spi_read(&read_terms, (Datum[]){Int32GetDatum(1000)}, NULL);
	for (uint64 i = 0; i < found; i++)
		json_array_append(list, laras_http_row(i));
	laras_spi_close();
	laras_http_json(h, 200, json_pack("{s:O}", "terms", list));
}

void
laras_http_accept_terms(LarasHttp *h)
{
	json_t *body = h->document;
	LarasText party = laras_json_text_at(body, "party");
	LarasText version = laras_json_text_at(body, "version");

	if (party.s == NULL || version.s == NULL)
	{
		laras_http_error(h, 422, "incomplete", "party and version are both needed");
		return;
	}
	laras_spi_open();
	laras_http_found(h,
					 laras_spi_run(&accept,
								   (Datum[]){laras_text_datum(party.s, party.n),
											 laras_text_datum(version.s, version.n)},
								   NULL),
					 "no such terms");
	laras_spi_close();
}

void
laras_http_configure_channel(LarasHttp *h)
{
	json_t *purposes = laras_json_get(h->document, "purposes");
	size_t n = json_array_size(purposes);
	Datum words[MAX_PURPOSES];

	if (!json_is_array(purposes) || n > MAX_PURPOSES)
	{
		laras_http_error(h, 422, "incomplete", "purposes must be a short list of words");
		return;
	}
	for (size_t i = 0; i < n; i++)
	{
		const json_t *word = json_array_get(purposes, i);

		if (!json_is_string(word))
		{
			laras_http_error(h, 422, "incomplete", "purposes must be a short list of words");
			return;
		}
		words[i] = laras_text_datum(json_string_value(word), json_string_length(word));
	}
	laras_spi_open();
	laras_spi_run(&configure,
				  (Datum[]){laras_text_datum(h->capture[0].s, h->capture[0].n),
							PointerGetDatum(
								construct_array(words, (int) n, TEXTOID, -1, false, TYPALIGN_INT))},
				  NULL);
	laras_spi_close();
	laras_http_json(h, 200, json_pack("{s:O}", "purposes", purposes));
}
