/*
 * traffic.c
 *		Inbound messages and statuses as webhooks.
 *
 * Statuses that have not left yet are bounded; beyond the bound a message is
 * taken without any, and counted.
 */
#include "sandbox/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/refusal.h"

#define MAX_WAITING 1000000
#define MAX_STEPS 8

typedef enum Rank
{
	RANK_SENT,
	RANK_DELIVERED,
	RANK_READ,
	RANK_FAILED
} Rank;

static const char *const rank_names[] = {"sent", "delivered", "read", "failed"};

typedef struct Step
{
	Rank rank;
	int after; /* ms after the message was taken */
} Step;

/* A taken message with statuses still to leave. One allocation. */
typedef struct Pending
{
	SbTimer timer;
	struct Pending *next;
	struct Pending *prev;
	SbNumber *number;
	const char *phone;
	const char *user_id;
	const char *callback_data;
	const char *category; /* static */
	bool free;
	int code;
	uint8_t nsteps;
	uint8_t at;
	Step steps[MAX_STEPS];
	char wamid[128];
	char text[];
} Pending;

static Pending ring = {.next = &ring, .prev = &ring};
static uint64_t waiting;
static uint64_t lost;

uint64_t
sb_statuses_waiting(void)
{
	return waiting;
}

uint64_t
sb_statuses_lost(void)
{
	return lost;
}

void
sb_value_head(SbBuffer *b, const SbNumber *number)
{
	sb_adds(b, "{\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":");
	sb_addj(b, number->digits);
	sb_adds(b, ",\"phone_number_id\":");
	sb_addj(b, number->id);
	sb_adds(b, "}");
}

static void
drop(Pending *p)
{
	p->next->prev = p->prev;
	p->prev->next = p->next;
	sb_timer_cancel(&p->timer);
	free(p);
	waiting--;
}

/* Sends the status of step i as a webhook. */
static int
tell(const Pending *p, int i, SbWait *wait)
{
	static SbBuffer b;
	Rank rank = p->steps[i].rank;

	sb_clear(&b);
	sb_value_head(&b, p->number);
	sb_addf(&b, ",\"statuses\":[{\"id\":\"%s\",\"status\":\"%s\",\"timestamp\":\"%lld\"", p->wamid,
			rank_names[rank], (long long) (sb_now() / SB_SECOND));
	if (p->phone != NULL)
		sb_addf(&b, ",\"recipient_id\":\"%s\"", p->phone);
	if (p->user_id != NULL)
	{
		sb_adds(&b, ",\"recipient_user_id\":");
		sb_addj(&b, p->user_id);
	}
	if (p->callback_data != NULL)
	{
		sb_adds(&b, ",\"biz_opaque_callback_data\":");
		sb_addj(&b, p->callback_data);
	}
	if (rank == RANK_FAILED)
	{
		sb_adds(&b, ",\"errors\":[");
		sb_add_status_error(&b, p->code, NULL);
		sb_adds(&b, "]");
	}
	else if (rank != RANK_READ)
		sb_addf(
			&b,
			",\"pricing\":{\"billable\":%s,\"pricing_model\":\"PMP\",\"type\":\"%s\",\"category\":\"%s\"}",
			p->free ? "false" : "true", p->free ? "free_customer_service" : "regular", p->category);
	sb_adds(&b, "}]}");
	return sb_webhook(p->number->waba, p->number, "messages", b.data, wait);
}

static void
next_status(SbTimer *timer)
{
	Pending *p = (Pending *) timer; /* its first member */
	int before = p->steps[p->at].after;

	tell(p, p->at++, NULL);
	if (p->at < p->nsteps)
		sb_timer_set(timer, (int64_t) (p->steps[p->at].after - before) * 1000);
	else
		drop(p);
}

static void
add_step(Pending *p, Rank rank, int after, bool twice)
{
	for (int i = 0; i < (twice ? 2 : 1); i++)
		if (p->nsteps < MAX_STEPS)
			p->steps[p->nsteps++] = (Step){rank, after};
}

static void
plan(Pending *p, const SbSent *sent, SbStatusFault how)
{
	const SbSettings *s = &sb_settings;
	bool twice = how == SB_STATUS_TWICE;
	bool reads = sent->reads && s->read_after >= 0;

	if (how == SB_STATUS_NEVER)
		return;
	if (p->code != 0)
	{
		if (how == SB_STATUS_FAILED && s->sent_after >= 0)
			add_step(p, RANK_SENT, s->sent_after, false);
		add_step(p, RANK_FAILED, s->delivered_after >= 0 ? s->delivered_after : 0, twice);
		return;
	}
	if (how == SB_STATUS_REVERSED)
	{
		if (reads)
			add_step(p, RANK_READ, s->sent_after, false);
		if (s->delivered_after >= 0)
			add_step(p, RANK_DELIVERED, s->sent_after + 5, false);
		if (s->sent_after >= 0)
			add_step(p, RANK_SENT, s->sent_after + 10, false);
		return;
	}
	if (s->sent_after >= 0)
		add_step(p, RANK_SENT, s->sent_after, twice);
	if (s->delivered_after >= 0)
		add_step(p, RANK_DELIVERED, s->delivered_after, twice);
	if (reads)
		add_step(p, RANK_READ, s->read_after, twice);
}

/* Copies s behind the struct. */
static const char *
keep(Pending *p, size_t *used, const char *s)
{
	char *copy = p->text + *used;
	size_t n;

	if (s == NULL)
		return NULL;
	n = strlen(s) + 1;
	memcpy(copy, s, n);
	*used += n;
	return copy;
}

static size_t
room(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

void
sb_sent(const SbSent *sent, const SbFault *fault, SbWait *first)
{
	SbStatusFault how = fault ? fault->statuses : SB_STATUS_NORMAL;
	const char *data =
		fault && fault->change_callback_data ? fault->callback_data : sent->callback_data;
	size_t used = 0;
	Pending *p;

	if (waiting >= MAX_WAITING)
	{
		lost++;
		return;
	}
	p = sb_alloc(sizeof(Pending) + room(sent->phone) + room(sent->user_id) + room(data));
	p->number = sent->number;
	p->category = sent->category;
	p->free = sent->free;
	p->code = sent->failed ? sent->failed : how == SB_STATUS_FAILED ? fault->status_code : 0;
	p->phone = keep(p, &used, sent->phone);
	p->user_id = keep(p, &used, sent->user_id);
	p->callback_data = keep(p, &used, data);
	memcpy(p->wamid, sent->wamid, strlen(sent->wamid) + 1);
	plan(p, sent, how);
	if (p->nsteps == 0)
	{
		free(p);
		return;
	}
	p->timer.fire = next_status;
	p->next = &ring;
	p->prev = ring.prev;
	ring.prev->next = p;
	ring.prev = p;
	waiting++;
	if (how == SB_STATUS_FIRST && first != NULL)
	{
		int before = p->steps[0].after;

		tell(p, p->at++, first);
		if (p->at == p->nsteps)
			drop(p);
		else
			sb_timer_set(&p->timer, (int64_t) (p->steps[p->at].after - before) * 1000);
		return;
	}
	sb_timer_set(&p->timer, (int64_t) p->steps[0].after * 1000);
}

int
sb_inbound(SbNumber *number, const char *phone, json_t *body, SbWait *wait, char wamid[128])
{
	static SbBuffer b;
	SbCustomer *c = sb_customer(phone);
	SbPair *pair = sb_pair(number, phone, true);
	bool hidden = c && c->hidden;
	const char *given = json_string_value(json_object_get(body, "id"));
	int64_t now = sb_now();
	char user_id[64];
	char *text;
	json_t *message = json_object();
	const char *key;
	json_t *value;

	if (given != NULL && strlen(given) < 128)
		memcpy(wamid, given, strlen(given) + 1);
	else
		sb_new_wamid(phone, true, wamid);
	sb_user_id(phone, number->waba->business_id, user_id);

	/* in Meta's order: from, id, timestamp, type, the rest */
	if (!hidden)
		json_object_set_new(message, "from", json_string(phone));
	if (sb_settings.user_ids || hidden)
		json_object_set_new(message, "from_user_id", json_string(user_id));
	json_object_set_new(message, "id", json_string(wamid));
	json_object_set_new(message, "timestamp", json_sprintf("%lld", (long long) (now / SB_SECOND)));
	json_object_foreach(body, key, value)
		if (strcmp(key, "id") != 0)
			json_object_set(message, key, value);

	sb_clear(&b);
	sb_value_head(&b, number);
	sb_adds(&b, ",\"contacts\":[{\"profile\":{\"name\":");
	sb_addj(&b, c && c->name ? c->name : phone);
	if (c != NULL && c->username != NULL)
	{
		sb_adds(&b, ",\"username\":");
		sb_addj(&b, c->username);
	}
	sb_adds(&b, "}");
	if (!hidden)
		sb_addf(&b, ",\"wa_id\":\"%s\"", phone);
	if (sb_settings.user_ids || hidden)
	{
		sb_adds(&b, ",\"user_id\":");
		sb_addj(&b, user_id);
	}
	sb_adds(&b, "}],\"messages\":[");
	text = sb_wire_text(message);
	sb_adds(&b, text);
	free(text);
	json_decref(message);
	sb_adds(&b, "]}");
	if (pair != NULL)
	{
		pair->last_inbound = now;
		pair->inbound++;
	}
	return sb_webhook(number->waba, number, "messages", b.data, wait);
}

void
sb_traffic_reset(void)
{
	while (ring.next != &ring)
		drop(ring.next);
	waiting = 0;
	lost = 0;
}
