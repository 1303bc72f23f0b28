/*
 * world.c
 *		The pretended provider's objects: look-up, ids, clean-up.
 *
 * Invariant: every key in a table is a field of the object it leads to.
 */
#include "sandbox/world.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "sandbox/buffer.h"

#define MAX_PAIRS 1000000
#define KNOWN_WAMIDS (1 << 18)

SbWorld sb_world;
SbSettings sb_settings;

static uint64_t random_state;        /* of the message ids */
static uint64_t known[KNOWN_WAMIDS]; /* open-addressed, never emptied slots */
static uint64_t known_ring[KNOWN_WAMIDS / 2];
static uint64_t known_count;

void
sb_settings_reset(void)
{
	sb_settings = (SbSettings){
		.sent_after = 20,
		.delivered_after = 60,
		.read_after = 200,
		.enforce_limits = true,
		.strangers = true,
		.user_ids = true,
		.tolerance = 50,
		.retry_first = 1000,
		.webhook_timeout = 10000,
		.webhook_flights = 8,
		.webhook_batch = 1000,
		.queue_bytes = INT64_C(256) << 20,
		.ledger_entries = 100000,
		.ledger_bytes = INT64_C(64) << 20,
	};
}

/* ---------- clean-up ---------- */

static void
drop_app(void *p)
{
	SbApp *a = p;

	free(a->id);
	free(a->secret);
	free(a->name);
	free(a->callback_url);
	free(a->verify_token);
	free(a->deauthorize_url);
	free(a->deletion_url);
	free(a);
}

static void
drop_template(void *p)
{
	SbTemplate *t = p;

	free(t->key);
	free(t->name);
	free(t->language);
	free(t->category);
	free(t->status);
	free(t->id);
	free(t->header_format);
	free(t->header_text);
	free(t->body);
	free(t->button_url);
	free(t);
}

static void
drop_waba(void *p)
{
	SbWaba *w = p;

	for (int i = 0; i < w->nsubs; i++)
		free(w->subs[i].url);
	sb_table_clear(&w->templates, drop_template);
	free(w->id);
	free(w->name);
	free(w->business_id);
	free(w);
}

static void
drop_number(void *p)
{
	SbNumber *n = p;

	for (int i = 0; i < n->nallowed; i++)
		free(n->allowed[i]);
	free(n->allowed);
	sb_table_clear(&n->pairs, free);
	free(n->recent);
	free(n->id);
	free(n->display);
	free(n->digits);
	free(n->verified_name);
	free(n->pin);
	free(n->quality);
	free(n->override_url);
	free(n);
}

static void
drop_token(void *p)
{
	SbToken *t = p;

	free(t->token);
	free(t->label);
	free(t->user_id);
	free(t);
}

static void
drop_code(void *p)
{
	SbCode *c = p;

	free(c->code);
	free(c->user_id);
	free(c->redirect_uri);
	free(c);
}

static void
drop_customer(void *p)
{
	SbCustomer *c = p;

	free(c->phone);
	free(c->name);
	free(c->username);
	free(c->user_id);
	free(c->identity_hash);
	free(c);
}

void
sb_world_reset(void)
{
	sb_table_clear(&sb_world.user_ids, NULL);
	sb_table_clear(&sb_world.customers, drop_customer);
	sb_table_clear(&sb_world.codes, drop_code);
	sb_table_clear(&sb_world.tokens, drop_token);
	sb_table_clear(&sb_world.numbers, drop_number);
	sb_table_clear(&sb_world.wabas, drop_waba);
	sb_table_clear(&sb_world.apps, drop_app);
	sb_world.npairs = 0;
	memset(known, 0, sizeof(known));
	known_count = 0;
}

/* ---------- ids ---------- */

static void
random_bytes(void *p, int n)
{
	if (RAND_bytes(p, n) != 1)
		abort();
}

char *
sb_new_id(void)
{
	char text[32];

	if (sb_world.last_id == 0)
	{
		uint32_t start;

		random_bytes(&start, sizeof(start));
		sb_world.last_id = UINT64_C(100000000000000) + start % 1000000 * UINT64_C(100000000);
	}
	sb_world.last_id++;
	snprintf(text, sizeof(text), "%llu", (unsigned long long) sb_world.last_id);
	return sb_strdup(text);
}

void
sb_random_text(char *out, int n, const char *alphabet)
{
	size_t letters = strlen(alphabet);
	unsigned char raw[256];

	random_bytes(raw, n);
	for (int i = 0; i < n; i++)
		out[i] = alphabet[raw[i] % letters];
	out[n] = '\0';
}

/* splitmix64: each state gives another value, so ids never repeat */
static uint64_t
next_random(void)
{
	uint64_t z;

	if (random_state == 0)
		random_bytes(&random_state, sizeof(random_state));
	z = (random_state += UINT64_C(0x9E3779B97F4A7C15));
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/*
 * Remembers at least the last 65,536 message ids, by hash. The set is rebuilt
 * from the ring each time that many have been added, so it never fills.
 */
static void
remember(uint64_t hash)
{
	size_t half = KNOWN_WAMIDS / 2;
	size_t i;

	if (known_count >= half && known_count % (half / 2) == 0)
	{
		memset(known, 0, sizeof(known));
		for (size_t k = half / 2; k > 0; k--)
		{
			uint64_t h = known_ring[(known_count - k) % half];

			for (i = h % KNOWN_WAMIDS; known[i] != 0; i = (i + 1) % KNOWN_WAMIDS)
				;
			known[i] = h;
		}
	}
	known_ring[known_count++ % half] = hash;
	for (i = hash % KNOWN_WAMIDS; known[i] != 0; i = (i + 1) % KNOWN_WAMIDS)
		;
	known[i] = hash;
}

static uint64_t
wamid_hash(const char *wamid)
{
	uint64_t h = sb_hash(wamid, strlen(wamid));

	return h ? h : 1;
}

bool
sb_wamid_known(const char *wamid)
{
	uint64_t h = wamid_hash(wamid);

	for (size_t i = h % KNOWN_WAMIDS; known[i] != 0; i = (i + 1) % KNOWN_WAMIDS)
		if (known[i] == h)
			return true;
	return false;
}

/*
 * The shape seen in Meta's own samples: "wamid." and base64 of
 * 1C 18 <len> <phone> 15 02 00 11 18 12 <18 hex> 00 (outbound) or
 * 12 18 14 <20 hex> 00 (inbound). So the id contains the phone number.
 */
void
sb_new_wamid(const char *phone, bool inbound, char out[128])
{
	static const char hex[] = "0123456789ABCDEF";
	static SbBuffer text;
	unsigned char raw[64];
	size_t n = strlen(phone);
	uint64_t random = next_random();
	int digits = inbound ? 20 : 18;
	size_t p = 0;

	if (n > 20)
		n = 20;
	raw[p++] = 0x1C;
	raw[p++] = 0x18;
	raw[p++] = (unsigned char) n;
	memcpy(raw + p, phone, n);
	p += n;
	raw[p++] = 0x15;
	raw[p++] = 0x02;
	raw[p++] = 0x00;
	raw[p++] = inbound ? 0x12 : 0x11;
	raw[p++] = 0x18;
	raw[p++] = inbound ? 0x14 : 0x12;
	for (int i = 0; i < digits; i++)
	{
		raw[p++] = (unsigned char)
			hex[i < 16 ? random >> (60 - 4 * i) & 15 : (unsigned) (0xA7C3 >> (4 * (i - 16))) & 15];
	}
	raw[p++] = 0x00;
	sb_clear(&text);
	sb_adds(&text, "wamid.");
	sb_add_base64(&text, raw, p);
	memcpy(out, text.data, text.len + 1);
	remember(wamid_hash(out));
}

/* ---------- look-up ---------- */

SbApp *
sb_app(const char *id)
{
	return id ? sb_table_get(&sb_world.apps, id) : NULL;
}

SbWaba *
sb_waba(const char *id)
{
	return id ? sb_table_get(&sb_world.wabas, id) : NULL;
}

SbNumber *
sb_number(const char *id)
{
	return id ? sb_table_get(&sb_world.numbers, id) : NULL;
}

SbNumber *
sb_number_any(const char *id_or_phone)
{
	SbNumber *n = sb_number(id_or_phone);
	char digits[16];
	size_t pos = 0;

	if (n != NULL || id_or_phone == NULL || !sb_digits(id_or_phone, digits))
		return n;
	while ((n = sb_table_next(&sb_world.numbers, &pos)) != NULL)
		if (strcmp(n->digits, digits) == 0)
			return n;
	return NULL;
}

SbToken *
sb_token(const char *token)
{
	return token ? sb_table_get(&sb_world.tokens, token) : NULL;
}

SbCustomer *
sb_customer(const char *phone)
{
	return phone ? sb_table_get(&sb_world.customers, phone) : NULL;
}

SbCustomer *
sb_customer_by_user_id(const char *user_id, const char *business_id)
{
	SbCustomer *c = sb_table_get(&sb_world.user_ids, user_id);
	char derived[64];
	size_t pos = 0;

	if (c != NULL)
		return c;
	while ((c = sb_table_next(&sb_world.customers, &pos)) != NULL)
	{
		if (c->user_id != NULL)
			continue;
		sb_user_id(c->phone, business_id, derived);
		if (strcmp(derived, user_id) == 0)
			return c;
	}
	return NULL;
}

void
sb_user_id(const char *phone, const char *business_id, char out[64])
{
	static const struct
	{
		const char *prefix;
		const char *country;
	} countries[] = {
		{"62", "ID"}, {"65", "SG"}, {"60", "MY"}, {"63", "PH"}, {"66", "TH"}, {"84", "VN"},
		{"91", "IN"}, {"44", "GB"}, {"49", "DE"}, {"55", "BR"}, {"61", "AU"}, {"81", "JP"},
	};
	const char *country = "US";
	unsigned char digest[32];
	unsigned len;
	char text[128];
	uint64_t a;
	SbCustomer *c = sb_customer(phone);

	if (c != NULL && c->user_id != NULL)
	{
		snprintf(out, 64, "%s", c->user_id);
		return;
	}
	for (size_t i = 0; i < sizeof(countries) / sizeof(countries[0]); i++)
		if (strncmp(phone, countries[i].prefix, 2) == 0)
			country = countries[i].country;
	snprintf(text, sizeof(text), "%s|%s", business_id ? business_id : "", phone);
	if (!EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL))
		abort();
	memcpy(&a, digest, 8);
	snprintf(out, 64, "%s.%020llu", country, (unsigned long long) a);
}

bool
sb_digits(const char *text, char out[16])
{
	int n = 0;

	for (; *text != '\0'; text++)
	{
		if (*text >= '0' && *text <= '9')
		{
			if (n == 15)
				return false;
			out[n++] = *text;
		}
		else if (strchr("+ -().", *text) == NULL)
			return false;
	}
	out[n] = '\0';
	return n >= 7;
}

/* Drops pairs that nothing depends on any more: window shut, limit recovered. */
static void
sweep_pairs(SbNumber *number)
{
	SbTable keep = {0};
	size_t pos = 0;
	SbPair *p;
	int64_t now = sb_now();

	while ((p = sb_table_next(&number->pairs, &pos)) != NULL)
	{
		if (p->tat > now || (p->last_inbound != 0 && now - p->last_inbound < SB_WINDOW))
			sb_table_put(&keep, p->key, p);
		else
		{
			free(p);
			sb_world.npairs--;
		}
	}
	free(number->pairs.slots);
	number->pairs = keep;
}

SbPair *
sb_pair(SbNumber *number, const char *key, bool make)
{
	SbPair *p = sb_table_get(&number->pairs, key);
	size_t n;

	if (p != NULL || !make)
		return p;
	if (sb_world.npairs >= MAX_PAIRS)
	{
		/* at most once a second, else a full table would cost each send a sweep */
		static int64_t last_sweep;

		if (sb_real() - last_sweep < SB_SECOND)
			return NULL;
		last_sweep = sb_real();
		sweep_pairs(number);
		if (sb_world.npairs >= MAX_PAIRS)
			return NULL;
	}
	n = strlen(key) + 1;
	p = sb_alloc(sizeof(SbPair) + n);
	memcpy(p->key, key, n);
	sb_table_put(&number->pairs, p->key, p);
	sb_world.npairs++;
	return p;
}

bool
sb_token_reaches(const SbToken *token, const SbWaba *waba)
{
	for (int i = 0; i < token->nwabas; i++)
		if (token->wabas[i] == waba)
			return true;
	return false;
}

int
sb_count_params(const char *text, bool *named)
{
	const char *whole = text;
	int n = 0;

	*named = false;
	if (text == NULL)
		return 0;
	while ((text = strstr(text, "{{")) != NULL)
	{
		const char *end = strstr(text, "}}");

		if (end == NULL)
			break;
		if (!isdigit((unsigned char) text[2]))
			*named = true;
		/* one that stood before is the same place */
		if (memmem(whole, (size_t) (text - whole), text, (size_t) (end + 2 - text)) == NULL)
			n++;
		text = end + 2;
	}
	return n;
}

SbTemplate *
sb_template(const SbWaba *waba, const char *name, const char *language)
{
	char key[600];

	if (snprintf(key, sizeof(key), "%s\n%s", name, language) >= (int) sizeof(key))
		return NULL;
	return sb_table_get(&waba->templates, key);
}

/* ---------- scopes ---------- */

static const char *const scope_names[] = {
	"whatsapp_business_messaging",
	"whatsapp_business_management",
	"business_management",
};

uint32_t
sb_scope(const char *name)
{
	for (uint32_t i = 0; i < 3; i++)
		if (strcmp(name, scope_names[i]) == 0)
			return UINT32_C(1) << i;
	return 0;
}

const char *
sb_scope_name(uint32_t bit)
{
	for (uint32_t i = 0; i < 3; i++)
		if (bit == UINT32_C(1) << i)
			return scope_names[i];
	return NULL;
}
