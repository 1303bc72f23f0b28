/*
 * lookup.c
 *		Contacts by their ids. See lookup.h.
 */
#include "postgres.h"

#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "inbox/lookup.h"
#include "inbox/phone.h"
#include "inbox/rows.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* by way of the channels, which the index of identities begins with */
LARAS_PLAN(
	find_contacts,
	"SELECT DISTINCT i.contact_id, i.channel, i.kind::integer FROM unnest($2, $3) AS u (k, x) "
	"CROSS JOIN laras.provider p JOIN laras.contact_identity i "
	"ON i.workspace_id OPERATOR(pg_catalog.=) $1 AND i.channel OPERATOR(pg_catalog.=) p.channel "
	"AND i.kind OPERATOR(pg_catalog.=) u.k AND i.value_index OPERATOR(pg_catalog.=) u.x "
	"WHERE $4 IS NULL OR p.channel OPERATOR(pg_catalog.=) $4 ORDER BY 1, 2, 3",
	INT8OID, INT2ARRAYOID, BYTEAARRAYOID, TEXTOID);

uint8
laras_identity_kind(LarasText name)
{
	static const struct
	{
		const char *name;
		uint8 kind;
	} kinds[] = {
		{"phone", LARAS_INDEX_PHONE},
		{"wa_id", LARAS_INDEX_WA_ID},
		{"bsuid", LARAS_INDEX_BSUID},
		{"igsid", LARAS_INDEX_IGSID},
		{"psid", LARAS_INDEX_PSID},
		{"username", LARAS_INDEX_USERNAME},
		{"threads_id", LARAS_INDEX_THREADS_ID},
		{"telegram_id", LARAS_INDEX_TELEGRAM_ID},
		{"email", LARAS_INDEX_EMAIL},
		{"external", LARAS_INDEX_EXTERNAL},
	};

	for (int i = 0; i < (int) lengthof(kinds); i++)
		if (laras_text_is(name, kinds[i].name))
			return kinds[i].kind;
	return 0;
}

int
laras_identity_keys(int64 workspace_id, uint8 kind, LarasText value,
					LarasIdentityKey keys[LARAS_MOST_KEYS])
{
	uint32 w = laras_workspace_slot(workspace_id);
	LarasText ids[LARAS_MOST_WA_IDS];
	int n = 0;

	if (kind == LARAS_INDEX_PHONE ||
		(kind == LARAS_INDEX_WA_ID && strspn(value.s, "0123456789") < value.n))
	{
		value = laras_phone_identity(workspace_id, value);
		kind = LARAS_INDEX_PHONE;
		n = laras_phone_wa_ids(value, ids);
	}
	else if (kind == LARAS_INDEX_EMAIL || kind == LARAS_INDEX_USERNAME)
	{
		char *lower = pnstrdup(value.s, value.n);

		for (size_t i = 0; i < value.n; i++)
			if (lower[i] >= 'A' && lower[i] <= 'Z')
				lower[i] += 'a' - 'A';
		value.s = lower;
	}
	keys[0] = (LarasIdentityKey){kind, laras_index_bytea(w, kind, NULL, value.s, value.n)};
	for (int i = 0; i < n; i++)
		keys[i + 1] =
			(LarasIdentityKey){LARAS_INDEX_WA_ID,
							   laras_index_bytea(w, LARAS_INDEX_WA_ID, NULL, ids[i].s, ids[i].n)};
	return n + 1;
}

int
laras_contacts_by_keys(int64 workspace_id, const char *channel, const LarasIdentityKey *keys, int n,
					   LarasKnownContact **found)
{
	LarasColumn columns[2];
	uint64 rows;

	laras_columns_init(columns, 2, n);
	for (int i = 0; i < n; i++)
	{
		columns[0].values[i] = Int16GetDatum((int16) keys[i].kind);
		columns[1].values[i] = PointerGetDatum(keys[i].index);
	}
	rows = laras_spi_read(&find_contacts,
						  (Datum[]){Int64GetDatum(workspace_id),
									laras_column_array(&columns[0], n, INT2OID),
									laras_column_array(&columns[1], n, BYTEAOID),
									channel == NULL ? (Datum) 0 : CStringGetTextDatum(channel)},
						  channel == NULL ? "   n" : NULL);
	*found = palloc(sizeof(LarasKnownContact) * (rows + 1));
	for (uint64 i = 0; i < rows; i++)
		(*found)[i] = (LarasKnownContact){laras_spi_int8(i, 1), laras_spi_cstring(i, 2),
										  (uint8) laras_spi_int4(i, 3)};
	return (int) rows;
}
