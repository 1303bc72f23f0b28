/*
 * app.c
 *		The operator's apps at providers: their ids, secrets and addresses.
 *
 * A secret is sealed under (platform, slot of the app), since every receiving
 * backend must check signatures with it. When it changes, the one before stays
 * valid until the next change, so that a rotation at the provider loses no
 * webhook.
 */
#include "postgres.h"

#include "base/arguments.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/logguard.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/media.h"
#include "connect/connect.h"
#include "courier/egress.h"
#include "evidence/evidence.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

/* slab 0 holds the platform's slots; applications begin at 2 */
#define FIRST_APP_SLOT 2
#define APP_SLOTS 4096

PG_FUNCTION_INFO_V1(laras_register_provider_app);

LARAS_PLAN(find_app,
		   "SELECT a.id, a.slot, a.app_secret FROM laras.provider_app a "
		   "WHERE a.app_id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
		   TEXTOID);

LARAS_PLAN(
	next_slot,
	"SELECT coalesce(pg_catalog.max(a.slot) OPERATOR(pg_catalog.+) 1, $1) FROM laras.provider_app a",
	INT8OID);

LARAS_PLAN(
	add_app,
	"INSERT INTO laras.provider_app (id, app_id, channels, slot, app_secret, verify_token_hash, options) "
	"VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, '{}'))",
	INT8OID, TEXTOID, TEXTARRAYOID, INT8OID, LARAS_SEALED, BYTEAOID, JSONBOID);

LARAS_PLAN(
	change_app,
	"UPDATE laras.provider_app SET channels = $2, app_secret = $3, previous_secret = coalesce($4, previous_secret), "
	"verify_token_hash = $5, options = coalesce($6, options), changed_at = laras.now() WHERE id OPERATOR(pg_catalog.=) $1",
	INT8OID, TEXTARRAYOID, LARAS_SEALED, LARAS_SEALED, BYTEAOID, JSONBOID);

LARAS_PLAN(lock_apps, "LOCK TABLE laras.provider_app IN SHARE ROW EXCLUSIVE MODE", INT4OID);

LARAS_PLAN(
	read_app,
	"SELECT a.id, a.app_id, a.app_secret, a.options FROM laras.provider_app a "
	"WHERE $1 OPERATOR(pg_catalog.=) ANY (a.channels) AND ($2 OPERATOR(pg_catalog.=) 0 OR a.id OPERATOR(pg_catalog.=) $2) "
	"ORDER BY a.changed_at DESC, a.id DESC LIMIT 1",
	TEXTOID, INT8OID);

/* Does the app suit the channel: its options, and its id where that is the account's? */
static void
check_driver(const LarasChannelDriver *driver, text *app_id, const json_t *options)
{
	LarasText id = {VARDATA_ANY(app_id), VARSIZE_ANY_EXHDR(app_id)};
	const char *why = options == NULL || driver->connect->check_options == NULL
						  ? NULL
						  : driver->connect->check_options(options);

	if (why != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the options do not suit channel %s", driver->channel),
						errdetail("%s", why)));
	if (driver->app_of_account && !laras_account_name_fits(&driver->connect->accounts[0], id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the app_id does not suit channel %s", driver->channel),
				 errdetail("It is the account's id as well, and must be a string of digits.")));
}

/* Every channel named must have a driver that the app suits; options may be NULL. */
static void
check_channels(ArrayType *channels, text *app_id, const json_t *options)
{
	Datum *values;
	bool *nulls;
	int n;

	if (ARR_NDIM(channels) != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("channels must be a one-dimensional array that is not empty")));
	deconstruct_array(channels, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("a channel must not be null")));
		check_driver(laras_require_channel(TextDatumGetCString(values[i])), app_id, options);
	}
}

/* Is the option not given, or a list of 1 to most texts that all fit? */
static bool
is_list_of(const json_t *list, size_t most, bool (*fits)(LarasText))
{
	if (list != NULL && (json_array_size(list) == 0 || json_array_size(list) > most))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
	{
		LarasText one = laras_json_text(json_array_get(list, i));

		if (one.s == NULL || one.n == 0 || !fits(one))
			return false;
	}
	return true;
}

static bool
is_mail_server(LarasText url)
{
	return url.n < 256 && laras_egress_is_mail(url.s, url.n) && url.s[url.n - 1] != '/';
}

static bool
is_media_host(LarasText host)
{
	return laras_media_host_fits(host) || (laras_test_mode && laras_text_is(host, "127.0.0.1"));
}

static bool
is_scope(LarasText scope)
{
	return scope.n < 128 && strspn(scope.s, "abcdefghijklmnopqrstuvwxyz0123456789_") == scope.n;
}

/*
 * smtp: mail servers that we may speak to; media_hosts: hosts that files may be
 * fetched from; scopes: what an app asks for in place of the channel's usual ones.
 */
static void
check_lists(const json_t *options)
{
	if (!is_list_of(laras_json_get(options, "smtp"), SIZE_MAX, is_mail_server))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("smtp must be a list of URLs of mail servers"),
				 errdetail(
					 "Each reads like smtps://mail.example:465 or smtp://mail.example:587.")));
	if (!is_list_of(laras_json_get(options, "media_hosts"), 64, is_media_host))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("media_hosts must be a list of 1 to 64 names of hosts"),
						errdetail("Each is in lower case and no address, like files.crm.example; "
								  "with a full stop before it, it stands for all hosts below.")));
	if (!is_list_of(laras_json_get(options, "scopes"), SIZE_MAX, is_scope))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("scopes must be a list of names of permissions"),
						errdetail("It takes the place of what the app asks for by itself, so name "
								  "all: [\"pages_messaging\", ...].")));
}

/* graph_url must be one we may speak to; api_version a version. */
static const json_t *
check_options(Datum given)
{
	static const LarasOption known[] = {{"graph_url", 's'},   {"api_version", 's'},
										{"config_id", 's'},   {"scopes", 'a'},
										{"media_hosts", 'a'}, {"smtp", 'a'},
										{"mapping", 'o'}};
	const json_t *options = laras_options_read(given, known, lengthof(known));
	LarasText url = laras_json_text_at(options, "graph_url");
	LarasText version = laras_json_text_at(options, "api_version");

	if (url.s != NULL && (!laras_egress_sound(url.s, url.n) || laras_egress_is_mail(url.s, url.n) ||
						  url.s[url.n - 1] == '/'))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("graph_url must be an https URL without a trailing slash"),
			 errdetail(
				 "Plain http is accepted in laras.test_mode alone, for a loopback address such as that of laras-sandbox.")));
	check_lists(options);
	if (version.s != NULL && (version.n < 2 || version.n > 16 || version.s[0] != 'v' ||
							  strspn(version.s + 1, "0123456789.") != version.n - 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("api_version must read like v23.0")));
	return options;
}

static bytea *
hash_of(const void *p, size_t n)
{
	LarasPiece piece = {p, n};
	bytea *hash = palloc(VARHDRSZ + LARAS_HASH_LEN);

	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	if (!laras_sha256(&piece, 1, (uint8_t *) VARDATA(hash)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("the crypto library could not hash a token")));
	return hash;
}

/* All but the options must be given. Are they? */
static bool
has_options(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < 4; i++)
		laras_refuse_null(fcinfo, i);
	return !PG_ARGISNULL(4);
}

/*
 * laras.register_provider_app(channels text[], app_id text, app_secret text,
 *		verify_token text, options jsonb) returns bigint
 */
Datum
laras_register_provider_app(PG_FUNCTION_ARGS)
{
	bool given = has_options(fcinfo);
	ArrayType *channels = PG_GETARG_ARRAYTYPE_P(0);
	text *app_id = PG_GETARG_TEXT_PP(1);
	text *secret = PG_GETARG_TEXT_PP(2);
	text *token = PG_GETARG_TEXT_PP(3);
	Datum options = given ? PG_GETARG_DATUM(4) : (Datum) 0;
	int64 id;
	uint32 slot;
	bytea *sealed;
	bytea *previous = NULL;
	bytea *token_hash;
	char nulls[] = "      ";
	bool known;

	laras_require_preload();
	laras_hide_statement("register_provider_app");
	laras_vault_require_open();
	check_channels(channels, app_id, given ? check_options(options) : NULL);
	if (VARSIZE_ANY_EXHDR(app_id) == 0 || VARSIZE_ANY_EXHDR(app_id) > 64)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("app_id must have 1 to 64 characters")));
	if (VARSIZE_ANY_EXHDR(secret) < 16)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("app_secret must have at least 16 characters")));
	if (VARSIZE_ANY_EXHDR(token) < 8)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("verify_token must have at least 8 characters")));
	token_hash = hash_of(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token));

	laras_spi_open();
	laras_spi_run(&lock_apps, (Datum[]){Int32GetDatum(0)}, NULL);
	known = laras_spi_run(&find_app, (Datum[]){PointerGetDatum(app_id)}, NULL) > 0;
	if (known)
	{
		char *opened;
		size_t n;

		id = laras_spi_int8(0, 1);
		slot = (uint32) laras_spi_int8(0, 2);
		if (laras_open(laras_spi_bytes(0, 3), 0, id, LARAS_FIELD_provider_app_app_secret, &opened,
					   &n) == LARAS_OPENED)
		{
			/* a call that repeats the secret does not end the time of the one before */
			if (n != VARSIZE_ANY_EXHDR(secret) || !laras_same_bytes(opened, VARDATA_ANY(secret), n))
				previous = laras_seal(LARAS_SLOT_PLATFORM, slot,
									  LARAS_FIELD_provider_app_previous_secret, 0, id, opened, n);
			laras_wipe(opened, n);
		}
	}
	else
	{
		/* a channel may need some */
		if (!given)
			check_channels(channels, app_id, laras_json_own(laras_json_object()));
		id = laras_new_id();
		laras_spi_read(&next_slot, (Datum[]){Int64GetDatum(FIRST_APP_SLOT)}, NULL);
		slot = (uint32) laras_spi_int8(0, 1);
		if (slot >= APP_SLOTS)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("no key slot is left for another app")));
	}
	sealed = laras_seal(LARAS_SLOT_PLATFORM, slot, LARAS_FIELD_provider_app_app_secret, 0, id,
						VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret));
	nulls[3] = previous == NULL ? 'n' : ' ';
	nulls[5] = given ? ' ' : 'n';
	if (known)
		laras_spi_run_one(&change_app,
						  (Datum[]){Int64GetDatum(id), PointerGetDatum(channels),
									PointerGetDatum(sealed), PointerGetDatum(previous),
									PointerGetDatum(token_hash), options},
						  nulls);
	else
		laras_spi_run_one(&add_app,
						  (Datum[]){Int64GetDatum(id), PointerGetDatum(app_id),
									PointerGetDatum(channels), Int64GetDatum((int64) slot),
									PointerGetDatum(sealed), PointerGetDatum(token_hash), options},
						  given ? NULL : "      n");
	laras_spi_close();
	{
		LarasEvidence act = {
			.workspace_id = 0,
			.action = LARAS_ACT_PROVIDER_APP_REGISTERED,
			.actor_kind = LARAS_ACTOR_OPERATOR,
			.subject_kind = LARAS_SUBJECT_PROVIDER_APP,
			.subject_id = id,
		};

		laras_evidence_append(&act);
	}
	PG_RETURN_INT64(id);
}

LARAS_PLAN(find_app_of_account,
		   "SELECT a.id FROM laras.provider_app a WHERE $1 OPERATOR(pg_catalog.=) ANY (a.channels) "
		   "AND a.app_id OPERATOR(pg_catalog.=) $2",
		   TEXTOID, TEXTOID);

int64
laras_provider_app_of(const char *channel, LarasText account)
{
	int64 id = 0;

	laras_spi_open();
	if (laras_spi_read(&find_app_of_account,
					   (Datum[]){CStringGetTextDatum(channel),
								 PointerGetDatum(
									 cstring_to_text_with_len(account.s, (int) account.n))},
					   NULL) > 0)
		id = laras_spi_int8(0, 1);
	laras_spi_close();
	return id;
}

/* What an app need not say of a channel. */
static const char *
usual(const LarasChannelDriver *driver, bool version)
{
	const char *word = driver == NULL ? NULL : version ? driver->api_version : driver->base_url;

	return word == NULL ? "" : word;
}

const LarasChannelDriver *
laras_require_channel(const char *channel)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);

	if (driver == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("no such channel"),
				 errhint("See laras.provider for the channels this installation can connect.")));
	return driver;
}

bool
laras_provider_app(const char *channel, int64 app, bool with_secret, LarasProviderApp *out)
{
	MemoryContext caller = CurrentMemoryContext;
	const LarasChannelDriver *driver = laras_channel_driver(channel);
	char *options;
	LarasText value;

	memset(out, 0, sizeof(*out));
	laras_spi_open();
	if (laras_spi_read(&read_app, (Datum[]){CStringGetTextDatum(channel), Int64GetDatum(app)},
					   NULL) == 0)
	{
		laras_spi_close();
		return false;
	}
	out->id = laras_spi_int8(0, 1);
	out->app_id = laras_spi_cstring(0, 2);
	options = laras_spi_cstring(0, 4);
	if (with_secret)
	{
		char *opened;

		if (laras_open(laras_spi_bytes(0, 3), 0, out->id, LARAS_FIELD_provider_app_app_secret,
					   &opened, &out->secret_n) != LARAS_OPENED)
		{
			laras_spi_close();
			return false;
		}
		out->secret = MemoryContextAlloc(caller, out->secret_n + 1);
		memcpy(out->secret, opened, out->secret_n + 1);
		laras_wipe(opened, out->secret_n);
	}
	laras_spi_close();
	out->options = laras_json_own(laras_json_parse(options, strlen(options), NULL));
	value = laras_json_text_at(out->options, "graph_url");
	out->graph_url = pstrdup(value.s != NULL ? value.s : usual(driver, false));
	value = laras_json_text_at(out->options, "api_version");
	out->api_version = pstrdup(value.s != NULL ? value.s : usual(driver, true));
	value = laras_json_text_at(out->options, "config_id");
	out->config_id = value.s != NULL ? pstrdup(value.s) : NULL;
	return true;
}
