/*
 * detail.c
 *		Entries as people read them: names for numbers, details as JSON.
 *
 * Runs no SQL, so that it costs little in a view of many rows. What cannot be
 * read (edited by hand) is shown as null rather than raised: finding it is
 * verify.c's work, and the rest of the log stays readable.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "evidence/evidence.h"
#include "evidence/leaf.h"
#include "vault/vault.h"

PG_FUNCTION_INFO_V1(laras_evidence_action);
PG_FUNCTION_INFO_V1(laras_evidence_actor_kind);
PG_FUNCTION_INFO_V1(laras_evidence_subject_kind);
PG_FUNCTION_INFO_V1(laras_evidence_detail);
PG_FUNCTION_INFO_V1(laras_evidence_redacted);

/* A number without a name is shown as such: an older library reads a newer row. */
static Datum
name_or_number(const char *name, int number)
{
	return CStringGetTextDatum(name != NULL ? name : psprintf("%d", number));
}

Datum
laras_evidence_action(PG_FUNCTION_ARGS)
{
	int16 number = PG_GETARG_INT16(0);

	return name_or_number(laras_action_name(number), number);
}

Datum
laras_evidence_actor_kind(PG_FUNCTION_ARGS)
{
	int16 number = PG_GETARG_INT16(0);

	return name_or_number(laras_actor_kind_name(number), number);
}

Datum
laras_evidence_subject_kind(PG_FUNCTION_ARGS)
{
	int16 number = PG_GETARG_INT16(0);

	return name_or_number(laras_subject_kind_name(number), number);
}

/* Is a commitment under this pair beyond linking? */
static bool
is_redacted(int64 workspace_slot, uint32 slot)
{
	return laras_slot_is_destroyed(slot) ||
		   (workspace_slot > 0 && workspace_slot <= PG_UINT32_MAX &&
			laras_slot_is_destroyed((uint32) workspace_slot));
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *p, size_t n)
{
	JsonbValue value;

	value.type = jbvString;
	value.val.string.val = pnstrdup(p, n);
	value.val.string.len = n;
	pushJsonbValue(state, token, &value);
}

static void
push_hex(JsonbParseState **state, const uint8 *p, size_t n)
{
	char *hex = palloc(2 * n + 1);

	hex_encode((const char *) p, n, hex);
	push_string(state, WJB_VALUE, hex, 2 * n);
}

static bool
ends_with_id(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && strcmp(name + n - 3, "_id") == 0;
}

static void
push_field(JsonbParseState **state, const LarasLeafField *field, const char *name,
		   int64 workspace_slot)
{
	JsonbValue value;

	push_string(state, WJB_KEY, name, strlen(name));
	switch (field->field_class)
	{
		case LARAS_CLASS_COMMITTED:
			pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
			push_string(state, WJB_KEY, "commitment", 10);
			push_hex(state, field->commitment.b, LARAS_HASH_LEN);
			if (is_redacted(workspace_slot, field->slot))
			{
				push_string(state, WJB_KEY, "redacted", 8);
				value.type = jbvBool;
				value.val.boolean = true;
				pushJsonbValue(state, WJB_VALUE, &value);
			}
			pushJsonbValue(state, WJB_END_OBJECT, NULL);
			break;
		case LARAS_CLASS_CODE:
			push_string(state, WJB_VALUE, (const char *) field->p, field->n);
			break;
		case LARAS_CLASS_DIGEST:
			push_hex(state, field->p, field->n);
			break;
		case LARAS_CLASS_NUMBER:
			/* ids exceed what JSON readers hold in a number */
			if (ends_with_id(name))
			{
				char *text = psprintf(INT64_FORMAT, field->number);

				push_string(state, WJB_VALUE, text, strlen(text));
				break;
			}
			value.type = jbvNumeric;
			value.val.numeric = int64_to_numeric(field->number);
			pushJsonbValue(state, WJB_VALUE, &value);
			break;
		case LARAS_CLASS_TIME:
		{
			TimestampTz t =
				field->number - ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * USECS_PER_DAY;
			const char *text = IS_VALID_TIMESTAMP(t) ? timestamptz_to_str(t) : "";

			push_string(state, WJB_VALUE, text, strlen(text));
			break;
		}
	}
}

Datum
laras_evidence_detail(PG_FUNCTION_ARGS)
{
	bytea *fields = PG_GETARG_BYTEA_PP(0);
	int64 workspace_slot = PG_GETARG_INT64(1);
	const uint8 *p = (const uint8 *) VARDATA_ANY(fields);
	size_t n = VARSIZE_ANY_EXHDR(fields);
	size_t offset = 0;
	uint16_t last = 0;
	LarasLeafField field;
	JsonbParseState *state = NULL;

	if (laras_leaf_count_fields(p, n) < 0)
		PG_RETURN_NULL();
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while (laras_leaf_next_field(p, n, &offset, &last, &field) > 0)
	{
		const LarasFieldInfo *info = laras_field_info(field.no);

		push_field(&state, &field, info != NULL ? info->name : psprintf("%d", field.no),
				   workspace_slot);
	}
	PG_RETURN_POINTER(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

Datum
laras_evidence_redacted(PG_FUNCTION_ARGS)
{
	bytea *fields = PG_GETARG_BYTEA_PP(0);
	int64 workspace_slot = PG_GETARG_INT64(1);
	const uint8 *p = (const uint8 *) VARDATA_ANY(fields);
	size_t n = VARSIZE_ANY_EXHDR(fields);
	size_t offset = 0;
	uint16_t last = 0;
	LarasLeafField field;

	while (laras_leaf_next_field(p, n, &offset, &last, &field) > 0)
		if (field.field_class == LARAS_CLASS_COMMITTED && is_redacted(workspace_slot, field.slot))
			PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(false);
}
