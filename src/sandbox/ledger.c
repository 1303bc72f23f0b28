/*
 * ledger.c
 *		The ledger of received requests.
 */
#include "sandbox/ledger.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "sandbox/fault.h"
#include "sandbox/table.h"
#include "sandbox/traffic.h"

#define MAX_COUNTED (1 << 22)

/* Texts stand behind the struct, each ended by NUL: path, wamid, callback data, to, number, body. */
typedef struct Entry
{
	uint64_t seq;
	int64_t at;     /* sandbox time */
	int32_t took;   /* microseconds until the answer was given */
	int32_t status; /* 0: no answer */
	int32_t code;
	int32_t subcode;
	int32_t fault; /* id, or 0 */
	uint32_t nth;
	uint64_t connection;
	bool accepted;
	bool over_rate;
	bool over_pair;
	bool over_account;
	bool outside_window;
	const char *method;     /* static */
	const char *fault_name; /* static */
	unsigned char digest[32];
	uint32_t body_length;
	uint32_t size;
	uint32_t texts[8]; /* offsets */
	char data[];
} Entry;

enum
{
	T_PATH,
	T_WAMID,
	T_CALLBACK,
	T_TO,
	T_NUMBER,
	T_TYPE,
	T_TOKEN,
	T_BODY
};

/* A multiset of 64-bit hashes; counts stop at 255. */
typedef struct Counted
{
	uint64_t *keys;
	uint8_t *counts;
	size_t cap;
	size_t used;
	uint64_t total;
	uint64_t repeated;  /* additions of a key that was there already */
	uint64_t uncounted; /* additions beyond the bound */
} Counted;

static Entry **ring;
static size_t ring_cap;
static size_t ring_first;
static size_t ring_count;
static int64_t ring_bytes;
static uint64_t next_seq = 1;

static Counted contents;
static Counted callbacks;
static uint64_t requests;
static uint64_t accepted;
static uint64_t refused;
static uint64_t faulted;
static uint64_t over_rate;
static uint64_t over_pair;
static uint64_t over_account;
static uint64_t outside_window;

typedef struct CodeCount
{
	int code;
	int subcode;
	uint64_t count;
} CodeCount;

static CodeCount code_counts[128];
static int ncodes;

/* ---------- multisets ---------- */

static size_t
slot_of(const Counted *c, uint64_t key)
{
	size_t i = key & (c->cap - 1);

	while (c->keys[i] != 0 && c->keys[i] != key)
		i = (i + 1) & (c->cap - 1);
	return i;
}

static void
count(Counted *c, uint64_t key)
{
	size_t i;

	if (key == 0)
		key = 1;
	c->total++;
	if ((c->used + 1) * 10 > c->cap * 7)
	{
		Counted bigger = *c;

		bigger.cap = c->cap ? c->cap * 2 : 1024;
		bigger.keys = sb_alloc(bigger.cap * sizeof(uint64_t));
		bigger.counts = sb_alloc(bigger.cap);
		for (i = 0; i < c->cap; i++)
			if (c->keys[i] != 0)
			{
				size_t k = slot_of(&bigger, c->keys[i]);

				bigger.keys[k] = c->keys[i];
				bigger.counts[k] = c->counts[i];
			}
		free(c->keys);
		free(c->counts);
		*c = bigger;
	}
	i = slot_of(c, key);
	if (c->keys[i] == 0)
	{
		if (c->used >= MAX_COUNTED)
		{
			c->uncounted++;
			return;
		}
		c->keys[i] = key;
		c->used++;
	}
	else
		c->repeated++;
	if (c->counts[i] < 255)
		c->counts[i]++;
}

static void
forget(Counted *c)
{
	free(c->keys);
	free(c->counts);
	memset(c, 0, sizeof(*c));
}

/* ---------- the ring ---------- */

static void
drop_oldest(void)
{
	Entry *e = ring[ring_first];

	ring_bytes -= e->size;
	free(e);
	ring_first = (ring_first + 1) % ring_cap;
	ring_count--;
}

static void
count_code(int code, int subcode)
{
	for (int i = 0; i < ncodes; i++)
		if (code_counts[i].code == code && code_counts[i].subcode == subcode)
		{
			code_counts[i].count++;
			return;
		}
	if (ncodes < (int) (sizeof(code_counts) / sizeof(code_counts[0])))
		code_counts[ncodes++] = (CodeCount){code, subcode, 1};
}

void
sb_ledger_add(const SbCall *call)
{
	const SbNote *n = &call->note;
	const char *texts[T_BODY];
	size_t lengths[T_BODY];
	size_t size = sizeof(Entry) + call->body_length + 1;
	size_t used = 0;
	unsigned digest_length = 32;
	Entry *e;

	requests++;
	if (n->accepted)
	{
		accepted++;
		count(&contents, n->content);
		if (n->callback_data != NULL)
			count(&callbacks, sb_hash(n->callback_data, strlen(n->callback_data)));
	}
	if (n->code != 0)
	{
		refused++;
		count_code(n->code, n->subcode);
	}
	if (call->fault != NULL)
		faulted++;
	over_rate += n->over_rate;
	over_pair += n->over_pair;
	over_account += n->over_account;
	outside_window += n->outside_window;

	if (sb_settings.ledger_entries == 0)
		return;
	if (ring_cap != (size_t) sb_settings.ledger_entries)
	{
		while (ring_count > 0)
			drop_oldest();
		free(ring);
		ring_cap = (size_t) sb_settings.ledger_entries;
		ring = sb_alloc(ring_cap * sizeof(Entry *));
		ring_first = 0;
	}
	texts[T_PATH] = n->path ? n->path : call->raw_path;
	texts[T_WAMID] = n->wamid;
	texts[T_CALLBACK] = n->callback_data;
	texts[T_TO] = n->to;
	texts[T_NUMBER] = n->number;
	texts[T_TYPE] = n->type;
	texts[T_TOKEN] = n->token;
	for (int i = 0; i < T_BODY; i++)
	{
		lengths[i] = texts[i] ? strlen(texts[i]) : 0;
		size += lengths[i] + 1;
	}
	e = malloc(size);
	if (e == NULL)
		abort();
	for (int i = 0; i < T_BODY; i++)
	{
		e->texts[i] = (uint32_t) used;
		if (lengths[i] > 0)
			memcpy(e->data + used, texts[i], lengths[i]);
		e->data[used + lengths[i]] = '\0';
		used += lengths[i] + 1;
	}
	e->texts[T_BODY] = (uint32_t) used;
	if (call->body_length > 0)
		memcpy(e->data + used, call->body, call->body_length);
	e->data[used + call->body_length] = '\0';
	if (!EVP_Digest(call->body_length ? call->body : "", call->body_length, e->digest,
					&digest_length, EVP_sha256(), NULL))
		abort();
	e->seq = next_seq++;
	e->at = sb_now() - (sb_real() - call->started);
	e->took = (int32_t) (sb_real() - call->started);
	e->status = call->status;
	e->code = n->code;
	e->subcode = n->subcode;
	e->fault = call->fault ? call->fault->id : 0;
	e->fault_name = call->fault ? sb_fault_name(call->fault) : NULL;
	e->nth = call->nth;
	e->connection = call->connection;
	e->accepted = n->accepted;
	e->over_rate = n->over_rate;
	e->over_pair = n->over_pair;
	e->over_account = n->over_account;
	e->outside_window = n->outside_window;
	e->method = call->method;
	e->body_length = (uint32_t) call->body_length;
	e->size = (uint32_t) size;

	while (ring_count > 0 &&
		   (ring_count == ring_cap || ring_bytes + (int64_t) size > sb_settings.ledger_bytes))
		drop_oldest();
	ring[(ring_first + ring_count) % ring_cap] = e;
	ring_count++;
	ring_bytes += (int64_t) size;
}

void
sb_ledger_reset(void)
{
	while (ring_count > 0)
		drop_oldest();
	forget(&contents);
	forget(&callbacks);
	requests = accepted = refused = faulted = 0;
	over_rate = over_pair = over_account = outside_window = 0;
	ncodes = 0;
	next_seq = 1;
}

/* ---------- reading ---------- */

static bool
is(const SbCall *call, const char *name, const char *value)
{
	const char *want = sb_param(call, name);

	return want == NULL || strcmp(want, value) == 0;
}

static bool
truth(const SbCall *call, const char *name, bool value)
{
	return is(call, name, value ? "true" : "false");
}

static const char *
outcome(const Entry *e)
{
	if (e->fault_name != NULL && strcmp(e->fault_name, "none") != 0)
		return "fault";
	return e->accepted ? "accepted" : e->code ? "refused" : "answered";
}

static bool
passes(const SbCall *call, const Entry *e)
{
	const char *after = sb_param(call, "after");
	const char *path = sb_param(call, "path");
	const char *code = sb_param(call, "code");

	return (after == NULL || e->seq > strtoull(after, NULL, 10)) &&
		   (path == NULL || strstr(e->data + e->texts[T_PATH], path) != NULL) &&
		   (code == NULL || strtol(code, NULL, 10) == e->code) && is(call, "method", e->method) &&
		   is(call, "outcome", outcome(e)) && is(call, "to", e->data + e->texts[T_TO]) &&
		   is(call, "number", e->data + e->texts[T_NUMBER]) &&
		   is(call, "type", e->data + e->texts[T_TYPE]) &&
		   is(call, "wamid", e->data + e->texts[T_WAMID]) &&
		   is(call, "callback_data", e->data + e->texts[T_CALLBACK]) &&
		   truth(call, "accepted", e->accepted);
}

static void
set_text(json_t *o, const char *name, const char *s)
{
	if (s != NULL && s[0] != '\0')
		json_object_set_new(o, name, json_string(s));
}

static json_t *
entry_json(const Entry *e)
{
	json_t *o = json_object();
	SbBuffer hex = {0};

	json_object_set_new(o, "seq", json_integer((json_int_t) e->seq));
	json_object_set_new(o, "time_ms", json_integer(e->at / 1000));
	json_object_set_new(o, "method", json_string(e->method));
	set_text(o, "path", e->data + e->texts[T_PATH]);
	json_object_set_new(o, "outcome", json_string(outcome(e)));
	json_object_set_new(o, "status", e->status ? json_integer(e->status) : json_null());
	if (e->code != 0)
		json_object_set_new(o, "code", json_integer(e->code));
	if (e->subcode != 0)
		json_object_set_new(o, "subcode", json_integer(e->subcode));
	json_object_set_new(o, "accepted", json_boolean(e->accepted));
	set_text(o, "number", e->data + e->texts[T_NUMBER]);
	set_text(o, "to", e->data + e->texts[T_TO]);
	set_text(o, "type", e->data + e->texts[T_TYPE]);
	set_text(o, "wamid", e->data + e->texts[T_WAMID]);
	set_text(o, "callback_data", e->data + e->texts[T_CALLBACK]);
	set_text(o, "token", e->data + e->texts[T_TOKEN]);
	if (e->fault != 0)
	{
		json_object_set_new(o, "fault", json_string(e->fault_name));
		json_object_set_new(o, "fault_id", json_integer(e->fault));
	}
	if (e->over_rate)
		json_object_set_new(o, "over_rate", json_true());
	if (e->over_pair)
		json_object_set_new(o, "over_pair", json_true());
	if (e->over_account)
		json_object_set_new(o, "over_account", json_true());
	if (e->outside_window)
		json_object_set_new(o, "outside_window", json_true());
	json_object_set_new(o, "connection", json_integer((json_int_t) e->connection));
	json_object_set_new(o, "nth", json_integer(e->nth));
	json_object_set_new(o, "took_us", json_integer(e->took));
	json_object_set_new(o, "body_length", json_integer(e->body_length));
	sb_add_hex(&hex, e->digest, sizeof(e->digest));
	json_object_set_new(o, "body_sha256", json_string(hex.data));
	sb_release(&hex);
	if (e->body_length > 0)
	{
		json_t *body =
			json_loadb(e->data + e->texts[T_BODY], e->body_length, JSON_DECODE_ANY, NULL);

		/* what is no JSON is a text: a mail, a form */
		if (body == NULL)
			body = json_stringn(e->data + e->texts[T_BODY], e->body_length);
		json_object_set_new(o, "body", body ? body : json_null());
	}
	return o;
}

/* A filter that is not known would let everything pass. */
const char *
sb_ledger_unknown(const SbCall *call)
{
	static const char *const names[] = {"after", "path",    "code", "method", "outcome",
										"to",    "number",  "type", "wamid",  "callback_data",
										"limit", "accepted"};

	for (int i = 0; i < call->nparams; i++)
	{
		bool known = false;

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			known |= strcmp(call->params[i].name, names[k]) == 0;
		if (!known)
			return call->params[i].name;
	}
	return NULL;
}

json_t *
sb_ledger_list(const SbCall *call)
{
	const char *limit_text = sb_param(call, "limit");
	size_t limit = limit_text ? strtoul(limit_text, NULL, 10) : 1000;
	json_t *list = json_array();

	for (size_t i = 0; i < ring_count && json_array_size(list) < limit; i++)
	{
		const Entry *e = ring[(ring_first + i) % ring_cap];

		if (passes(call, e))
			json_array_append_new(list, entry_json(e));
	}
	return json_pack("{s:I,s:I,s:o}", "first",
					 (json_int_t) (ring_count ? ring[ring_first]->seq : 0), "last",
					 (json_int_t) (next_seq - 1), "entries", list);
}

static json_t *
counted_json(const Counted *c)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "total", (json_int_t) c->total, "distinct",
					 (json_int_t) c->used, "repeated", (json_int_t) c->repeated, "uncounted",
					 (json_int_t) c->uncounted);
}

json_t *
sb_ledger_totals(void)
{
	json_t *codes = json_object();
	SbBuffer key = {0};

	for (int i = 0; i < ncodes; i++)
	{
		sb_clear(&key);
		sb_addf(&key, "%d", code_counts[i].code);
		if (code_counts[i].subcode)
			sb_addf(&key, "/%d", code_counts[i].subcode);
		json_object_set_new(codes, key.data, json_integer((json_int_t) code_counts[i].count));
	}
	sb_release(&key);
	return json_pack("{s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:{s:I,s:I,s:I,s:I}}", "requests",
					 (json_int_t) requests, "accepted", (json_int_t) accepted, "refused",
					 (json_int_t) refused, "faulted", (json_int_t) faulted, "codes", codes,
					 "messages", counted_json(&contents), "callback_data", counted_json(&callbacks),
					 "violations", "number_limit", (json_int_t) over_rate, "pair_limit",
					 (json_int_t) over_pair, "account_limit", (json_int_t) over_account,
					 "outside_window", (json_int_t) outside_window);
}
