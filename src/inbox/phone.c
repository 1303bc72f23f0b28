/*
 * phone.c
 *		However a number is written, it is one number: in a blind index it stands
 *		in E.164.
 *
 * WhatsApp's ids are numbers already, without the plus sign, and keep an index
 * of their own kind; who asks by a number is answered by both.
 */
#include "postgres.h"

#include "base/phone.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "inbox/lookup.h"
#include "inbox/phone.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "vault/numbers.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_read_phone);
PG_FUNCTION_INFO_V1(laras_contacts_by_phone);

LARAS_PLAN(read_region, "SELECT w.region FROM laras.workspace w WHERE w.workspace_id = $1",
		   INT8OID);

static LarasPhoneState
read_number(LarasText written, const char *region, LarasPhone *phone)
{
	LarasPhoneState state = laras_phone_read(written.s, written.n, region, phone);

	if (state == LARAS_PHONE_NO_MEMORY)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("A phone number could not be read.")));
	return state;
}

/* The region whose habits a workspace follows. */
static const char *
region_of(int64 workspace_id)
{
	const char *region;

	laras_spi_open();
	if (laras_spi_read(&read_region, (Datum[]){Int64GetDatum(workspace_id)}, NULL) == 0)
		elog(ERROR, "a workspace is not there");
	region = laras_spi_cstring(0, 1);
	laras_spi_close();
	return region;
}

LarasText
laras_phone_identity(int64 workspace_id, LarasText written)
{
	LarasPhone phone;
	LarasText text;
	char *kept;

	if (read_number(written, region_of(workspace_id), &phone) != LARAS_PHONE_NONE)
		kept = pstrdup(phone.e164);
	else
	{
		size_t at = 0;

		kept = palloc(written.n + 1);
		for (size_t i = 0; i < written.n; i++)
			if (strchr(" -./()", written.s[i]) == NULL)
				kept[at++] = written.s[i];
		kept[at] = '\0';
	}
	text.s = kept;
	text.n = strlen(kept);
	return text;
}

bool
laras_phone_is_number(int64 workspace_id, LarasText written)
{
	LarasPhone phone;

	return read_number(written, region_of(workspace_id), &phone) != LARAS_PHONE_NONE;
}

int
laras_phone_wa_ids(LarasText e164, LarasText ids[LARAS_MOST_WA_IDS])
{
	static const struct
	{
		const char *code;
		char mobile;
	} prefixes[] = {{"52", '1'}, {"54", '9'}};
	int n = 0;

	if (e164.n < 2 || e164.s[0] != '+')
		return 0;
	ids[n++] = (LarasText){e164.s + 1, e164.n - 1};
	for (int i = 0; i < lengthof(prefixes); i++)
		if (e164.n > 4 && memcmp(e164.s + 1, prefixes[i].code, 2) == 0 &&
			e164.s[3] != prefixes[i].mobile)
		{
			ids[n].s = psprintf("%s%c%.*s", prefixes[i].code, prefixes[i].mobile,
								(int) (e164.n - 3), e164.s + 3);
			ids[n].n = e164.n;
			n++;
		}
	return n;
}

/*
 * laras.read_phone(phone text, region text, OUT e164 text, OUT valid boolean,
 *		OUT region text)
 */
Datum
laras_read_phone(PG_FUNCTION_ARGS)
{
	text *written = PG_GETARG_TEXT_PP(0);
	char *region = text_to_cstring(PG_GETARG_TEXT_PP(1));
	LarasText number = {VARDATA_ANY(written), VARSIZE_ANY_EXHDR(written)};
	LarasPhone phone;
	LarasPhoneState state;
	TupleDesc desc;
	Datum values[3];
	bool nulls[3];

	if (!laras_phone_region(region))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not a region"),
						errhint("Regions are two capital letters, such as ID.")));
	state = read_number(number, region, &phone);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[0] = state == LARAS_PHONE_NONE;
	values[0] = CStringGetTextDatum(phone.e164);
	nulls[1] = false;
	values[1] = BoolGetDatum(state == LARAS_PHONE_VALID);
	nulls[2] = phone.region[0] == '\0';
	values[2] = CStringGetTextDatum(phone.region);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * laras.contacts_by_phone(phone text, OUT contact_id bigint, OUT channel text,
 *		OUT kind text)
 */
Datum
laras_contacts_by_phone(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	text *written = PG_GETARG_TEXT_PP(0);
	LarasIdentityKey keys[LARAS_MOST_KEYS];
	LarasKnownContact *found;
	int n;

	laras_require_preload();
	laras_require_workspace();
	laras_require_scope(LARAS_SCOPE_INBOX);
	laras_vault_require_open();
	InitMaterializedSRF(fcinfo, 0);
	laras_spi_open();
	n = laras_identity_keys(laras_bound_workspace(), LARAS_INDEX_PHONE,
							(LarasText){VARDATA_ANY(written), VARSIZE_ANY_EXHDR(written)}, keys);
	n = laras_contacts_by_keys(laras_bound_workspace(), NULL, keys, n, &found);
	for (int i = 0; i < n; i++)
	{
		Datum values[3] = {Int64GetDatum(found[i].contact_id),
						   CStringGetTextDatum(found[i].channel),
						   CStringGetTextDatum(found[i].kind == LARAS_INDEX_PHONE ? "phone"
																				  : "wa_id")};
		bool nulls[3] = {false, false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	laras_spi_close();
	return (Datum) 0;
}
