/*
 * receive.c
 *		laras.receive_webhooks: many bodies in one call and one commit.
 *
 * Every webhook is judged by code that returns values; rows then go in by one
 * INSERT. What can raise is infrastructure (the vault shuts, the disk is
 * full): then the statement fails whole and the relay sends the batch again in
 * halves.
 *
 * Invariants: nothing of a body is read before its signature holds; a body
 * that fails leaves no row anywhere; a piece is stored only in the workspace
 * whose connection was made through the app that signed it; a piece of an
 * unknown, foreign or disconnected account is counted, never stored.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/contain.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/monotonic.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "intake/intake.h"
#include "intake/signature.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/numbers.h"
#include "vault/vault.h"
#include "worker/installation.h"
#include "worker/worker.h"

/* one call takes at most this many bodies; the relay sends 512 */
#define MAX_ITEMS 1024

/* secrets tried for a channel: apps, times current and previous */
#define MAX_SECRETS 16

/* calls that expect repeats after one that met some */
#define CALLS_AFTER_REPEAT 100

PG_FUNCTION_INFO_V1(laras_receive_webhooks);

/* channels that bodies without a sound signature are counted by, and how often at most */
#define MAX_UNSIGNED 16
#define UNSIGNED_EVERY_MS 1000

LARAS_PLAN(find_secrets,
		   "SELECT a.id, a.app_secret, a.previous_secret FROM laras.provider_app a "
		   "WHERE $1 OPERATOR(pg_catalog.=) ANY (a.channels) ORDER BY a.id",
		   TEXTOID);

/* of a channel that has one app an account, which the path names */
LARAS_PLAN(
	find_secrets_of_app,
	"SELECT a.id, a.app_secret, a.previous_secret FROM laras.provider_app a "
	"WHERE $1 OPERATOR(pg_catalog.=) ANY (a.channels) AND a.app_id OPERATOR(pg_catalog.=) $2",
	TEXTOID, TEXTOID);

LARAS_PLAN(
	find_routes,
	"SELECT r.route_hash, r.provider_app_id, r.workspace_id, r.workspace_slot, r.connection_id "
	"FROM laras.route r WHERE r.route_hash OPERATOR(pg_catalog.=) ANY ($1)",
	BYTEAARRAYOID);

#define STORE_EVENTS                                                                   \
	"INSERT INTO laras.webhook_event "                                                 \
	"(ring_day, workspace_id, id, connection_id, channel, received_at, digest, body) " \
	"SELECT $1, u.w, u.i, u.c, u.ch, $2, u.d, u.b "                                    \
	"FROM unnest($3, $4, $5, $6, $7, $8) AS u (w, i, c, ch, d, b)"
#define EVENT_TYPES                                                                  \
	INT2OID, TIMESTAMPTZOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, \
		BYTEAARRAYOID, LARAS_SEALED_ARRAY

LARAS_PLAN(store_new_events, STORE_EVENTS, EVENT_TYPES);
LARAS_PLAN(store_events, STORE_EVENTS " ON CONFLICT DO NOTHING", EVENT_TYPES);

/* the secrets of one channel, opened for the length of the call */
typedef struct Secrets
{
	const char *channel;
	LarasText account; /* whose app it is, where there is one an account */
	int count;
	struct
	{
		int64 app_id;
		char *secret;
		size_t n;
	} list[MAX_SECRETS];
} Secrets;

typedef struct Webhook
{
	const LarasChannelDriver *driver;
	LarasText account; /* of the path; absent where the body names it */
	int64 app_id;      /* the app whose secret matched */
	const char *body;
	size_t n;
	json_t *document;
	LarasBodyPart *parts;
	int part_count;
	int status;
} Webhook;

/* a row to be stored, or to be counted as ignored when workspace_id is 0 */
typedef struct Row
{
	Webhook *webhook;
	LarasBodyPart *part;
	uint8 hash[LARAS_INDEX_BYTES];
	uint8 above_hash[LARAS_INDEX_BYTES];
	const char *ignored;
	int64 workspace_id;
	uint32 workspace_slot;
	int64 connection_id;
} Row;

typedef struct Route
{
	uint8 hash[LARAS_INDEX_BYTES];
	int64 app_id;
	int64 workspace_id;
	uint32 workspace_slot;
	int64 connection_id;
} Route;

/* Also the reset callback of the context they live in: an error wipes them too. */
static void
wipe_secrets(void *arg)
{
	Secrets *secrets = arg;

	for (int i = 0; i < secrets->count; i++)
		laras_wipe(secrets->list[i].secret, secrets->list[i].n);
	secrets->count = 0;
}

/* Open the secrets of a channel, into the context of the call. Inside SPI. */
static void
load_secrets(Secrets *secrets, const char *channel, LarasText account, MemoryContext context)
{
	uint64 rows;

	secrets->channel = channel;
	secrets->account = account;
	secrets->count = 0;
	if (account.s == NULL)
		rows = laras_spi_read(&find_secrets, (Datum[]){CStringGetTextDatum(channel)}, NULL);
	else
		rows = laras_spi_read(&find_secrets_of_app,
							  (Datum[]){CStringGetTextDatum(channel),
										PointerGetDatum(
											cstring_to_text_with_len(account.s, (int) account.n))},
							  NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		static const uint16 fields[] = {LARAS_FIELD_provider_app_app_secret,
										LARAS_FIELD_provider_app_previous_secret};
		int64 app_id = laras_spi_int8(i, 1);

		for (int k = 0; k < 2; k++)
		{
			bytea *sealed = laras_spi_bytes(i, 2 + k);
			char *opened;
			size_t n;

			if (sealed == NULL || secrets->count == MAX_SECRETS)
				continue;
			if (laras_open(sealed, 0, app_id, fields[k], &opened, &n) != LARAS_OPENED)
				continue;
			secrets->list[secrets->count].app_id = app_id;
			secrets->list[secrets->count].secret = MemoryContextAlloc(context, n + 1);
			secrets->list[secrets->count].n = n;
			memcpy(secrets->list[secrets->count].secret, opened, n);
			laras_wipe(opened, n);
			secrets->count++;
		}
	}
}

/* Does this one secret? mac is what the header says, where it says one. */
static bool
holds(const Webhook *webhook, const void *secret, size_t secret_n, const char *signature, size_t n,
	  const uint8 mac[32])
{
	char token[LARAS_WEBHOOK_TOKEN + 1];
	bool same;

	if (!webhook->driver->signed_by_token && !webhook->driver->keyed_by_account)
		return laras_signature_holds(mac, secret, secret_n, webhook->body, webhook->n);
	same = laras_webhook_token(secret, secret_n, webhook->driver->channel, webhook->account.s,
							   webhook->account.n, token);
	if (webhook->driver->keyed_by_account)
		same = same &&
			   laras_signature_holds(mac, token, LARAS_WEBHOOK_TOKEN, webhook->body, webhook->n);
	else
		same = same && laras_token_holds(signature, n, token, LARAS_WEBHOOK_TOKEN);
	laras_wipe(token, sizeof(token));
	return same;
}

/*
 * Does a secret of the channel sign this body? Every secret is tried, so that
 * time does not tell which one matched.
 */
static bool
verify(Webhook *webhook, const Secrets *secrets, const char *signature, size_t n)
{
	uint8 mac[32];
	bool by_token = webhook->driver->signed_by_token;
	bool well_formed = by_token ? n > 0 : laras_signature_read(signature, n, mac);
	bool found = false;

	if (!well_formed)
		memset(mac, 0, sizeof(mac));
	for (int i = 0; i < secrets->count; i++)
	{
		bool signs = holds(webhook, secrets->list[i].secret, secrets->list[i].n, signature, n, mac);

		if (signs && well_formed && !found)
		{
			webhook->app_id = secrets->list[i].app_id;
			found = true;
		}
	}
	return found;
}

/*
 * Bodies that no secret of the channel signs. A wrong secret shows in nothing
 * else; but anybody may post such bodies, so that rows are written for them now
 * and then only.
 */
static void
count_unsigned(const Webhook *webhooks, int n)
{
	static LarasIgnored kept[MAX_UNSIGNED];
	static int channels = 0;
	static int64 written_at = 0;
	LarasIgnored now[MAX_UNSIGNED];
	int64 clock = laras_monotonic_ms();

	for (int i = 0; i < n; i++)
	{
		int k = 0;

		if (webhooks[i].status != 401)
			continue;
		while (k < channels && strcmp(kept[k].channel, webhooks[i].driver->channel) != 0)
			k++;
		if (k == MAX_UNSIGNED)
			continue;
		if (k == channels)
			kept[channels++] = (LarasIgnored){webhooks[i].driver->channel, "bad_signature", 0};
		kept[k].count++;
	}
	if (channels == 0 || (written_at != 0 && clock - written_at < UNSIGNED_EVERY_MS))
		return;
	memcpy(now, kept, sizeof(LarasIgnored) * channels);
	laras_count_ignored(now, channels);
	channels = 0;
	written_at = clock;
}

/* Parse and split a verified body. Sets status; may set the body aside. */
static void
take_apart(Webhook *webhook, const LarasAllocator *allocator)
{
	const char *reason = NULL;
	int nameless = 0;

	webhook->status = 200;
	/* a body of another form is stored as it is: who it is for stands in the path */
	if (webhook->driver->read == NULL)
		webhook->document = laras_json_read(webhook->body, webhook->n, &reason);
	if (webhook->document != NULL || webhook->driver->read != NULL)
	{
		webhook->part_count = webhook->driver->split(webhook->document, allocator, &webhook->parts,
													 &nameless, &reason);
		for (int i = 0; i < webhook->part_count; i++)
		{
			if (!webhook->parts[i].whole)
				laras_json_own(webhook->parts[i].document);
			if (webhook->driver->account_in_path)
				webhook->parts[i].account = webhook->account;
		}
	}
	if ((webhook->document == NULL && webhook->driver->read == NULL) || webhook->part_count < 0)
	{
		webhook->part_count = 0;
		laras_quarantine_body(webhook->driver->channel, reason, webhook->body, webhook->n);
	}
	if (nameless > 0)
	{
		LarasIgnored ignored = {webhook->driver->channel, "no_account", nameless};

		laras_count_ignored(&ignored, 1);
	}
}

static int
compare_routes(const void *a, const void *b)
{
	return memcmp(((const Route *) a)->hash, ((const Route *) b)->hash, LARAS_INDEX_BYTES);
}

static const Route *
find_route(const Route *routes, int n, const uint8 *hash)
{
	Route key;

	memcpy(key.hash, hash, LARAS_INDEX_BYTES);
	return bsearch(&key, routes, n, sizeof(Route), compare_routes);
}

/* Find the owning workspace of every part. Inside SPI. */
static void
route(Row *rows, int n)
{
	Datum *hashes = palloc(sizeof(Datum) * n * 2);
	int hash_count = 0;
	Route *routes;
	uint64 found;

	for (int i = 0; i < n; i++)
	{
		const char *channel = rows[i].webhook->driver->channel;

		laras_route_hash(LARAS_INDEX_ACCOUNT, channel, rows[i].part->account.s,
						 rows[i].part->account.n, rows[i].hash);
		hashes[hash_count++] = laras_bytea_datum(rows[i].hash, LARAS_INDEX_BYTES);
		if (rows[i].part->above.s != NULL)
		{
			laras_route_hash(LARAS_INDEX_ACCOUNT, channel, rows[i].part->above.s,
							 rows[i].part->above.n, rows[i].above_hash);
			hashes[hash_count++] = laras_bytea_datum(rows[i].above_hash, LARAS_INDEX_BYTES);
		}
	}
	found = laras_spi_read(&find_routes,
						   (Datum[]){PointerGetDatum(construct_array(hashes, hash_count, BYTEAOID,
																	 -1, false, TYPALIGN_INT))},
						   NULL);
	routes = palloc(sizeof(Route) * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		bytea *hash = laras_spi_bytes(i, 1);

		memcpy(routes[i].hash, VARDATA_ANY(hash), LARAS_INDEX_BYTES);
		routes[i].app_id = laras_spi_int8(i, 2);
		routes[i].workspace_id = laras_spi_int8(i, 3);
		routes[i].workspace_slot = (uint32) laras_spi_int8(i, 4);
		routes[i].connection_id = laras_spi_int8(i, 5);
	}
	qsort(routes, found, sizeof(Route), compare_routes);

	for (int i = 0; i < n; i++)
	{
		const Route *own = find_route(routes, (int) found, rows[i].hash);
		const Route *above = rows[i].part->above.s != NULL
								 ? find_route(routes, (int) found, rows[i].above_hash)
								 : NULL;

		if (own == NULL)
			rows[i].ignored = "unknown_account";
		else if (own->app_id != rows[i].webhook->app_id)
			rows[i].ignored = "foreign_app";
		else if (above != NULL && above->workspace_id != own->workspace_id)
			rows[i].ignored = "foreign_account";
		else
		{
			rows[i].workspace_id = own->workspace_id;
			rows[i].workspace_slot = own->workspace_slot;
			rows[i].connection_id = own->connection_id;
		}
	}
}

static void
insert_new(void *values)
{
	laras_spi_run(&store_new_events, values, NULL);
}

static bool
is_repeat(int sqlstate)
{
	return sqlstate == ERRCODE_UNIQUE_VIOLATION;
}

/*
 * Insert rows, dropping repeats. Providers seldom repeat themselves, and when
 * they do they do it for a while; ON CONFLICT costs a lock, a second descent
 * of the index and a second WAL record a row, so calls use it only after one
 * that met a repeat. Inside SPI.
 */
static void
insert_events(Datum *values)
{
	static int expecting_repeats; /* for so many calls */

	if (expecting_repeats == 0)
	{
		if (laras_contain(insert_new, values, is_repeat) == NULL)
			return;
		expecting_repeats = CALLS_AFTER_REPEAT;
	}
	expecting_repeats--;
	laras_spi_run(&store_events, values, NULL);
}

/* Seal and store what was routed; count what was not. Inside SPI. */
static void
store(Row *rows, int n)
{
	TimestampTz now = laras_now();
	Datum *columns[6];
	LarasIgnored *ignored = palloc(sizeof(LarasIgnored) * n);
	int ignored_count = 0;
	int stored = 0;
	uint32 hour = 0;

	for (int k = 0; k < 6; k++)
		columns[k] = palloc(sizeof(Datum) * n);
	for (int i = 0; i < n; i++)
	{
		const LarasBodyPart *part = rows[i].part;
		const char *text = rows[i].webhook->body;
		size_t length = rows[i].webhook->n;
		LarasPiece piece;
		uint8 digest[LARAS_HASH_LEN];
		int64 id;

		if (rows[i].ignored != NULL)
		{
			ignored[ignored_count++] =
				(LarasIgnored){rows[i].webhook->driver->channel, rows[i].ignored, 1};
			continue;
		}
		if (laras_slot_is_destroyed(rows[i].workspace_slot))
		{
			ignored[ignored_count++] =
				(LarasIgnored){rows[i].webhook->driver->channel, "erased", 1};
			continue;
		}
		if (hour == 0)
			hour = laras_time_slot(LARAS_TIME_SLOT_HOUR, now);
		if (!part->whole)
			text = laras_json_text_of(part->document, &length);
		piece = (LarasPiece){text, length};
		if (!laras_sha256(&piece, 1, digest))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
							errmsg("the crypto library could not hash a body")));
		id = laras_new_id();
		columns[0][stored] = Int64GetDatum(rows[i].workspace_id);
		columns[1][stored] = Int64GetDatum(id);
		columns[2][stored] = Int64GetDatum(rows[i].connection_id);
		columns[3][stored] = CStringGetTextDatum(rows[i].webhook->driver->channel);
		columns[4][stored] =
			PointerGetDatum(laras_index_bytea(rows[i].workspace_slot, LARAS_INDEX_PROVIDER_EVENT,
											  rows[i].webhook->driver->channel,
											  (const char *) digest, sizeof(digest)));
		columns[5][stored] =
			PointerGetDatum(laras_seal(rows[i].workspace_slot, hour, LARAS_FIELD_webhook_event_body,
									   rows[i].workspace_id, id, text, length));
		stored++;
	}
	if (stored > 0)
	{
		Datum values[8];
		static const Oid types[6] = {INT8OID, INT8OID, INT8OID, TEXTOID, BYTEAOID, InvalidOid};

		values[0] = Int16GetDatum((int16) laras_ring_day(now));
		values[1] = TimestampTzGetDatum(now);
		for (int k = 0; k < 6; k++)
		{
			Oid type = k == 5 ? laras_sealed_type() : types[k];

			values[2 + k] =
				PointerGetDatum(construct_array(columns[k], stored, type, type == INT8OID ? 8 : -1,
												type == INT8OID ? FLOAT8PASSBYVAL : false,
												type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT));
		}
		insert_events(values);
		laras_work_queued(LARAS_WORK_INTAKE);
	}
	if (ignored_count > 0)
		laras_count_ignored(ignored, ignored_count);
}

/* The arrays of the call, checked. */
static int
deconstruct(FunctionCallInfo fcinfo, int argument, Oid type, Datum **values, bool **nulls)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(argument);
	int n;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("arrays of webhooks must have one dimension")));
	deconstruct_array(array, type, -1, false, TYPALIGN_INT, values, nulls, &n);
	return n;
}

/*
 * laras.receive_webhooks(channel text[], signature text[], body bytea[])
 *		returns setof (ordinal int, status int)
 *
 * status is the HTTP status to answer: 200 stored or knowingly dropped, 401
 * signature, 404 unknown path, 413 too large, 503 the vault is shut.
 */
Datum
laras_receive_webhooks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext work;
	MemoryContext caller;
	LarasAllocator allocator;
	Datum *column[3];
	bool *nulls[3];
	Webhook *webhooks;
	Row *rows;
	int count;
	int row_count = 0;
	int room = 0;
	bool open;
	Secrets *secrets;
	MemoryContextCallback *wiping;

	laras_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("arrays of webhooks must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	work = AllocSetContextCreate(CurrentMemoryContext, "laras webhooks", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(work);
	allocator.alloc = laras_context_alloc;
	allocator.context = work;
	secrets = palloc0(sizeof(Secrets));
	wiping = palloc0(sizeof(MemoryContextCallback));
	wiping->func = wipe_secrets;
	wiping->arg = secrets;
	MemoryContextRegisterResetCallback(work, wiping);

	count = deconstruct(fcinfo, 0, TEXTOID, &column[0], &nulls[0]);
	if (deconstruct(fcinfo, 1, TEXTOID, &column[1], &nulls[1]) != count ||
		deconstruct(fcinfo, 2, BYTEAOID, &column[2], &nulls[2]) != count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("channel, signature and body must have the same number of elements")));
	if (count > MAX_ITEMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many webhooks in one call"),
				 errdetail("At most %d are taken at once.", MAX_ITEMS)));
	webhooks = palloc0(sizeof(Webhook) * (count + 1));

	laras_spi_open();
	open = laras_vault_is_open() && !laras_resume_needed();
	for (int i = 0; i < count; i++)
	{
		Webhook *webhook = &webhooks[i];
		text *path;
		text *signature;
		bytea *body;
		LarasText owner = {NULL, 0};

		CHECK_FOR_INTERRUPTS();
		if (nulls[0][i] || nulls[2][i])
		{
			webhook->status = 404;
			continue;
		}
		path = DatumGetTextPP(column[0][i]);
		webhook->driver =
			laras_channel_by_path(VARDATA_ANY(path), VARSIZE_ANY_EXHDR(path), &webhook->account);
		if (webhook->driver == NULL)
		{
			webhook->status = 404;
			continue;
		}
		if (!open)
		{
			webhook->status = 503;
			continue;
		}
		body = DatumGetByteaPP(column[2][i]);
		webhook->body = VARDATA_ANY(body);
		webhook->n = VARSIZE_ANY_EXHDR(body);
		if (webhook->n > LARAS_MAX_BODY)
		{
			webhook->status = 413;
			continue;
		}
		if (webhook->driver->app_of_account)
			owner = webhook->account;
		if (secrets->channel == NULL || strcmp(secrets->channel, webhook->driver->channel) != 0 ||
			secrets->account.n != owner.n ||
			(owner.n > 0 && memcmp(secrets->account.s, owner.s, owner.n) != 0))
		{
			wipe_secrets(secrets);
			load_secrets(secrets, webhook->driver->channel, owner, work);
		}
		signature = nulls[1][i] ? NULL : DatumGetTextPP(column[1][i]);
		if (!verify(webhook, secrets, signature ? VARDATA_ANY(signature) : "",
					signature ? VARSIZE_ANY_EXHDR(signature) : 0))
		{
			webhook->status = 401;
			continue;
		}
		take_apart(webhook, &allocator);
		room += webhook->part_count;
	}
	wipe_secrets(secrets);

	if (room > 0)
	{
		rows = palloc0(sizeof(Row) * room);
		for (int i = 0; i < count; i++)
			for (int k = 0; k < webhooks[i].part_count; k++)
			{
				rows[row_count].webhook = &webhooks[i];
				rows[row_count].part = &webhooks[i].parts[k];
				row_count++;
			}
		route(rows, row_count);
		store(rows, row_count);
	}
	count_unsigned(webhooks, count);
	laras_spi_close();

	MemoryContextSwitchTo(caller);
	for (int i = 0; i < count; i++)
	{
		Datum values[2] = {Int32GetDatum(i + 1), Int32GetDatum(webhooks[i].status)};
		bool isnull[2] = {false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	MemoryContextDelete(work);
	return (Datum) 0;
}
