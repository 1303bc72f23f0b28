/*
 * model_tables.c
 *		The tables that the vault's server half reads and writes, in the model
 *		test: each of its statements by the name of its plan.
 */
#include "model_server.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/spi.h"
#include "vault/vault.h"
#include "vault_model.h"

ModelDatabase *model_database = NULL;
uint64 SPI_processed = 0;
SPITupleTable *SPI_tuptable = NULL;

static Datum rows[MODEL_ROWS][5];
static bool row_nulls[MODEL_ROWS][5];

Datum
laras_bytea_datum(const void *p, size_t n)
{
	bytea *b = palloc(VARHDRSZ + n);

	SET_VARSIZE(b, VARHDRSZ + n);
	memcpy(VARDATA(b), p, n);
	return PointerGetDatum(b);
}

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	return datum;
}

text *
cstring_to_text(const char *s)
{
	return (text *) DatumGetPointer(laras_bytea_datum(s, strlen(s)));
}

/* Only how many there are is asked of it. */
ArrayType *
construct_array(Datum *elements, int n, Oid type, int length, bool by_value, char align)
{
	ArrayType *array = palloc0(sizeof(ArrayType) + sizeof(int));

	SET_VARSIZE(array, sizeof(ArrayType));
	array->ndim = n;
	return array;
}

static const uint8 *
order_of(Datum bytes)
{
	return (const uint8 *) VARDATA_ANY((bytea *) DatumGetPointer(bytes));
}

static int
by_key(const void *a, const void *b)
{
	const ModelOrder *x = *(const ModelOrder *const *) a;
	const ModelOrder *y = *(const ModelOrder *const *) b;
	int diff = memcmp(x->order, y->order, LARAS_ORDER_LEN);

	return diff != 0 ? diff : x->slot < y->slot ? -1 : x->slot > y->slot;
}

static uint64
put_order(uint64 n, const ModelOrder *o)
{
	memset(row_nulls[n], 0, sizeof(row_nulls[n]));
	rows[n][0] = Int64GetDatum((int64) o->slot);
	rows[n][1] = laras_bytea_datum(o->order, LARAS_ORDER_LEN);
	rows[n][2] = Int16GetDatum(o->reason);
	rows[n][3] = Int64GetDatum(MODEL_WORKSPACE);
	rows[n][4] = Int32GetDatum(o->mirrors);
	row_nulls[n][4] = o->mirrors == 0;
	return n + 1;
}

/* Orders above (workspace, order, slot), in that order. */
static uint64
list_orders(const Datum *values)
{
	static const ModelOrder *sorted[MODEL_ROWS];
	ModelDatabase *db = model_database;
	uint64 n = 0;
	int64 workspace = DatumGetInt64(values[0]);

	for (int i = 0; i < db->norders; i++)
		sorted[i] = &db->orders[i];
	qsort(sorted, db->norders, sizeof(sorted[0]), by_key);
	for (int i = 0; i < db->norders; i++)
	{
		int diff = memcmp(sorted[i]->order, order_of(values[1]), LARAS_ORDER_LEN);

		if (workspace < MODEL_WORKSPACE || diff > 0 ||
			(diff == 0 && (int64) sorted[i]->slot > DatumGetInt64(values[2])))
			n = put_order(n, sorted[i]);
	}
	return n;
}

static bool
order_exists(const uint8 *order, uint32 slot)
{
	for (int i = 0; i < model_database->norders; i++)
	{
		const ModelOrder *o = &model_database->orders[i];

		if (o->slot == slot && (order == NULL || memcmp(o->order, order, LARAS_ORDER_LEN) == 0))
			return true;
	}
	return false;
}

static uint64
one_row(int64 value)
{
	memset(row_nulls[0], 0, sizeof(row_nulls[0]));
	rows[0][0] = Int64GetDatum(value);
	return 1;
}

static uint64
run(const LarasPlan *plan, const Datum *values)
{
	ModelDatabase *db = model_database;
	uint64 n = 0;

#define IS(plan_name) (strcmp(plan->name, plan_name) == 0)
	if (IS("all_orders"))
		return list_orders(values);
	if (IS("pending_orders"))
	{
		for (int i = 0; i < db->norders && n < 1000; i++)
			if (!db->orders[i].verified)
				n = put_order(n, &db->orders[i]);
		return n;
	}
	if (IS("count_pending"))
	{
		for (int i = 0; i < db->norders; i++)
			n += !db->orders[i].verified;
		return one_row((int64) n);
	}
	if (IS("mark_order"))
	{
		for (int i = 0; i < db->norders; i++)
		{
			ModelOrder *o = &db->orders[i];

			if (o->slot != DatumGetInt64(values[2]) ||
				memcmp(o->order, order_of(values[1]), LARAS_ORDER_LEN) != 0)
				continue;
			o->mirrors = ((ArrayType *) DatumGetPointer(values[3]))->ndim;
			o->verified = DatumGetBool(values[4]);
			n++;
		}
		return n;
	}
	if (IS("insert_order"))
	{
		ModelOrder *o = &model_work.orders[model_work.norders].row;

		if (model_work.norders == MODEL_WORK_ROWS)
			model_fatal("too many orders in a transaction");
		memset(o, 0, sizeof(*o));
		memcpy(o->order, order_of(values[1]), LARAS_ORDER_LEN);
		o->slot = (uint32) DatumGetInt64(values[2]);
		o->reason = DatumGetInt16(values[3]);
		model_work.orders[model_work.norders++].sub = GetCurrentSubTransactionId();
		return 1;
	}
	if (IS("any_key"))
		return db->nowners > 0 ? one_row(1) : 0;
	if (IS("order_known"))
		return order_exists(order_of(values[0]), (uint32) DatumGetInt64(values[1])) ? one_row(1)
																					: 0;
	if (IS("any_unknown_owner"))
	{
		for (int i = 0; i < db->nowners; i++)
			if (laras_slot_is_destroyed(db->owners[i]) && !order_exists(NULL, db->owners[i]))
				return one_row(1);
		return 0;
	}
	if (IS("await_resume"))
	{
		n = db->traffic;
		db->traffic = false;
		return n;
	}
	if (IS("read_mark"))
	{
		one_row(db->mark_timeline);
		rows[0][1] = Int64GetDatum(db->sweep_from);
		return db->marked ? 1 : 0;
	}
	if (IS("read_timeline"))
	{
		one_row(db->mark_timeline);
		return db->marked ? 1 : 0;
	}
	if (IS("read_keyring"))
	{
		one_row(0);
		rows[0][0] = PointerGetDatum(db->keyring);
		return db->marked ? 1 : 0;
	}
	if (IS("read_witness"))
	{
		one_row(db->leased);
		return db->marked ? 1 : 0;
	}
	if (IS("write_witness"))
	{
		if (!db->marked)
		{
			db->marked = true;
			db->mark_timeline = DatumGetInt64(values[1]);
			memcpy(db->keyring, DatumGetPointer(values[0]), LARAS_UUID_LEN);
		}
		db->leased = Max(db->leased, DatumGetInt64(values[2]));
		return 1;
	}
	if (IS("last_slot"))
	{
		int64 last = 0;

		for (int i = 0; i < db->nowners; i++)
			last = Max(last, (int64) db->owners[i]);
		for (int i = 0; i < db->norders; i++)
			last = Max(last, (int64) db->orders[i].slot);
		return one_row(last);
	}
	if (IS("slots_from"))
	{
		for (int i = 0; i < db->nowners + db->norders; i++)
		{
			uint32 slot = i < db->nowners ? db->owners[i] : db->orders[i - db->nowners].slot;

			if ((int64) slot < DatumGetInt64(values[0]) || n == MODEL_ROWS)
				continue;
			row_nulls[n][0] = false;
			rows[n++][0] = Int64GetDatum((int64) slot);
		}
		return n;
	}
	if (IS("write_mark"))
	{
		db->marked = true;
		db->mark_timeline = DatumGetInt64(values[0]);
		db->sweep_from = DatumGetInt64(values[1]);
		memcpy(db->keyring, DatumGetPointer(values[3]), LARAS_UUID_LEN);
		return 1;
	}
	if (IS("all_owners"))
	{
		for (int i = 0; i < db->nowners; i++)
		{
			row_nulls[i][0] = false;
			rows[i][0] = Int64GetDatum((int64) db->owners[i]);
		}
		return (uint64) db->nowners;
	}
	if (IS("destroyed_epochs"))
	{
		for (int e = db->epoch_journalled + 1; e <= db->epoch_destroyed; e++)
		{
			row_nulls[n][0] = false;
			rows[n++][0] = Int32GetDatum(e);
		}
		return n;
	}
	if (IS("epoch_journalled"))
	{
		db->epoch_journalled = DatumGetInt32(values[0]);
		return 1;
	}
	if (IS("growth") || IS("scrub_due"))
		return one_row(0);
	if (IS("epoch_begins") || IS("epochs_retired") || IS("epochs_ended") || IS("note_scrub") ||
		IS("forget_scrubs"))
		return 1;
#undef IS
	model_fatal("a statement that the model does not know: %s", plan->name);
}

void
laras_spi_open(void)
{
}

void
laras_spi_close(void)
{
}

uint64
laras_spi_run(LarasPlan *plan, const Datum *values, const char *nulls)
{
	return run(plan, values);
}

uint64
laras_spi_read(LarasPlan *plan, const Datum *values, const char *nulls)
{
	return run(plan, values);
}

Datum
laras_spi_value(uint64 row, int col, bool *isnull)
{
	*isnull = row_nulls[row][col - 1];
	return rows[row][col - 1];
}

int64
laras_spi_int8(uint64 row, int col)
{
	return DatumGetInt64(rows[row][col - 1]);
}

int32
laras_spi_int4(uint64 row, int col)
{
	return DatumGetInt32(rows[row][col - 1]);
}

int16
laras_spi_int2(uint64 row, int col)
{
	return DatumGetInt16(rows[row][col - 1]);
}

bytea *
laras_spi_bytes(uint64 row, int col)
{
	return row_nulls[row][col - 1] ? NULL : DatumGetByteaPP(rows[row][col - 1]);
}

bool
laras_spi_bool(uint64 row, int col)
{
	return DatumGetBool(rows[row][col - 1]);
}

void *
SPI_palloc(Size size)
{
	return palloc(size);
}

/* The one cursor is the sweep's over key_owner. */
static bool cursor_fresh = false;

SPIPlanPtr
SPI_prepare(const char *sql, int nargs, Oid *argtypes)
{
	return (SPIPlanPtr) &cursor_fresh;
}

Portal
SPI_cursor_open(const char *name, SPIPlanPtr plan, Datum *values, const char *nulls, bool read_only)
{
	cursor_fresh = true;
	return NULL;
}

void
SPI_cursor_fetch(Portal portal, bool forward, long count)
{
	static const LarasPlan all = {.name = "all_owners"};

	SPI_processed = cursor_fresh ? run(&all, NULL) : 0;
	cursor_fresh = false;
}

void
SPI_cursor_close(Portal portal)
{
}

void
SPI_freetuptable(SPITupleTable *table)
{
}
