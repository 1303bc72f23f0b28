/*
 * deliver.c
 *		Outgoing requests of the sandbox: libcurl multi in the server's loop.
 *
 * Updates for one callback wait in its queue and leave as many in one body as
 * are there when a flight becomes free, so that a quiet sandbox sends single
 * updates at once and a busy one sends batches, as Meta does. A body that is
 * not answered 200 is repeated unchanged with doubling pauses (6 h at most)
 * for 7 days of sandbox time. How much waits is bounded by queue_bytes alone:
 * what one of many repetitions lost, a test would take for a loss of ours.
 */
#include "sandbox/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sandbox/buffer.h"

#define MAX_BODY (3 << 20)
#define MAX_REPLY (1 << 20)
#define MAX_FILE (32 << 20)
#define GIVE_UP (7 * 24 * 3600 * SB_SECOND)
#define LONGEST_PAUSE (6 * 3600 * SB_SECOND)

typedef struct Event
{
	struct Event *next;
	SbWait *wait;
	size_t length;
	char json[];
} Event;

typedef struct Queue
{
	char *key; /* URL, secret and object, a line feed between */
	char *url;
	char *secret;
	char *
		object; /* of the bodies; "": a body is one event; NULL: and the secret goes with it as it is */
	Event *head;
	Event *tail;
	int flights;
} Queue;

typedef struct Transfer
{
	struct Transfer *next;
	struct Transfer *prev;
	SbTimer retry;
	CURL *easy;   /* NULL while waiting for the retry */
	Queue *queue; /* NULL: a single request */
	char *url;
	struct curl_slist *headers;
	bool post;
	SbBuffer body;
	SbBuffer reply;
	Event *events;
	int nevents;
	int attempt;
	int64_t first;
	SbHttpDone done;
	SbFetched fetched; /* of a file; NULL: it is none */
	void *arg;
	char *challenge; /* a handshake's */
	char error[CURL_ERROR_SIZE];
} Transfer;

SbDeliveryStats sb_delivery;

static LarasHttpServer *loop;
static CURLM *multi;
static LarasHttpTimer multi_timer;
static SbTable queues;
static Transfer transfers = {.next = &transfers, .prev = &transfers}; /* ring of all */
static CURL *idle_handles[64];
static int nidle;

static void start_transfer(Transfer *t);
static void pump(Queue *q);

/* ---------- libcurl in the loop ---------- */

static void finish_transfer(Transfer *t, CURLcode code);

static void
collect(void)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(multi, &left)) != NULL)
	{
		Transfer *t;
		CURLcode code;

		if (msg->msg != CURLMSG_DONE)
			continue;
		code = msg->data.result;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **) &t);
		finish_transfer(t, code);
	}
}

static void
socket_ready(int fd, int ready, void *arg)
{
	int mask = 0;
	int running;

	(void) arg;
	if (ready & LARAS_HTTP_READABLE)
		mask |= CURL_CSELECT_IN;
	if (ready & LARAS_HTTP_WRITABLE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(multi, fd, mask, &running);
	collect();
}

static void
multi_timeout(void *arg)
{
	int running;

	(void) arg;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect();
}

static int
socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	LarasHttpWatch *watch = socket_arg;
	int want = 0;

	(void) easy;
	(void) arg;
	if (what == CURL_POLL_REMOVE)
	{
		if (watch != NULL)
			laras_http_unwatch(watch);
		return 0;
	}
	if (what & CURL_POLL_IN)
		want |= LARAS_HTTP_READABLE;
	if (what & CURL_POLL_OUT)
		want |= LARAS_HTTP_WRITABLE;
	if (watch == NULL)
	{
		watch = laras_http_watch(loop, fd, want, socket_ready, NULL);
		if (watch == NULL)
			return -1;
		curl_multi_assign(multi, fd, watch);
	}
	else if (!laras_http_rewatch(watch, want))
		return -1;
	return 0;
}

static int
timer_wanted(CURLM *m, long ms, void *arg)
{
	(void) m;
	(void) arg;
	if (ms < 0)
		laras_http_timer_clear(loop, &multi_timer);
	else
		laras_http_timer_set(loop, &multi_timer, (int) (ms > 1000000 ? 1000000 : ms));
	return 0;
}

bool
sb_deliver_init(LarasHttpServer *server)
{
	loop = server;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (multi = curl_multi_init()) == NULL)
		return false;
	multi_timer.fire = multi_timeout;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 64L);
	return true;
}

static size_t
take_reply(char *data, size_t size, size_t count, void *arg)
{
	Transfer *t = arg;
	size_t n = size * count;

	if (t->reply.len + n > (t->fetched ? MAX_FILE : MAX_REPLY))
		return 0;
	sb_add(&t->reply, data, n);
	return n;
}

static CURL *
take_handle(void)
{
	CURL *easy;

	if (nidle > 0)
		return idle_handles[--nidle];
	easy = curl_easy_init();
	if (easy == NULL)
		abort();
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "facebookexternalua");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 2000L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply);
	return easy;
}

static void
give_handle(CURL *easy)
{
	if (nidle < (int) (sizeof(idle_handles) / sizeof(idle_handles[0])))
		idle_handles[nidle++] = easy;
	else
		curl_easy_cleanup(easy);
}

/* ---------- transfers ---------- */

static void retry_now(SbTimer *timer);

static Transfer *
new_transfer(const char *url)
{
	Transfer *t = sb_alloc(sizeof(Transfer));

	t->url = sb_strdup(url);
	t->retry.fire = retry_now;
	t->first = sb_now();
	t->next = &transfers;
	t->prev = transfers.prev;
	t->prev->next = t;
	transfers.prev = t;
	return t;
}

static void
drop_transfer(Transfer *t)
{
	t->next->prev = t->prev;
	t->prev->next = t->next;
	sb_timer_cancel(&t->retry);
	sb_delivery.waiting_bytes -= (int64_t) (t->queue ? t->body.len : 0);
	curl_slist_free_all(t->headers);
	sb_release(&t->body);
	sb_release(&t->reply);
	free(t->url);
	free(t->challenge);
	free(t);
}

static void
start_transfer(Transfer *t)
{
	CURL *e = t->easy = take_handle();

	sb_clear(&t->reply);
	t->error[0] = '\0';
	curl_easy_setopt(e, CURLOPT_URL, t->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long) sb_settings.webhook_timeout);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	if (t->post)
	{
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body.data ? t->body.data : "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) t->body.len);
	}
	else
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	sb_delivery.in_flight++;
	if (curl_multi_add_handle(multi, e) != CURLM_OK)
		abort();
}

static void
told(SbWait *wait, int status)
{
	if (wait == NULL)
		return;
	if (wait->status == 0 || status == 0 || status > wait->status)
		wait->status = status;
	if (--wait->pending == 0)
		wait->done(wait);
}

/* Frees the events; each wait hears of this first attempt. */
static void
tell_events(Transfer *t, int status)
{
	while (t->events != NULL)
	{
		Event *e = t->events;

		t->events = e->next;
		told(e->wait, status);
		free(e);
	}
}

static void
finish_transfer(Transfer *t, CURLcode code)
{
	long status = 0;
	Queue *q = t->queue;
	char type[128] = "";
	char *stated = NULL;

	if (code == CURLE_OK)
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && t->fetched != NULL &&
		curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &stated) == CURLE_OK && stated != NULL)
		snprintf(type, sizeof(type), "%s", stated);
	curl_multi_remove_handle(multi, t->easy);
	give_handle(t->easy);
	t->easy = NULL;
	sb_delivery.in_flight--;

	if (q == NULL)
	{
		const char *error = t->error[0] ? t->error : curl_easy_strerror(code);

		if (t->challenge != NULL && status == 200 &&
			(t->reply.data == NULL || strcmp(t->reply.data, t->challenge) != 0))
		{
			status = 0;
			error = "the challenge did not come back";
		}
		if (t->fetched != NULL)
			t->fetched(t->arg, (int) status, type[0] ? type : NULL, t->reply.data, t->reply.len);
		if (t->done != NULL)
			t->done(t->arg, (int) status, t->reply.data ? t->reply.data : "",
					code == CURLE_OK && status ? NULL : error);
		drop_transfer(t);
		return;
	}

	q->flights--;
	sb_delivery.bodies++;
	if (status == 200)
		sb_delivery.delivered += (uint64_t) t->nevents;
	else
		sb_delivery.failures++;
	tell_events(t, (int) status);
	if (status == 200)
		drop_transfer(t);
	else if (sb_now() - t->first >= GIVE_UP)
	{
		sb_delivery.dropped += (uint64_t) t->nevents;
		drop_transfer(t);
	}
	else
	{
		int64_t pause = (int64_t) sb_settings.retry_first * 1000;

		for (int i = 0; i < t->attempt && pause < LONGEST_PAUSE; i++)
			pause *= 2;
		t->attempt++;
		sb_delivery.retrying++;
		sb_timer_set(&t->retry, pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
	}
	pump(q);
}

static void
retry_now(SbTimer *timer)
{
	Transfer *t = (Transfer *) ((char *) timer - offsetof(Transfer, retry));

	t->queue->flights++;
	sb_delivery.retrying--;
	start_transfer(t);
}

/* ---------- signatures ---------- */

static void
hmac(const char *secret, const char *data, size_t length, unsigned char out[32])
{
	unsigned n = 32;

	if (HMAC(EVP_sha256(), secret, (int) strlen(secret), (const unsigned char *) data, length, out,
			 &n) == NULL)
		abort();
}

static void
sign(Transfer *t, const char *secret)
{
	SbBuffer line = {0};
	unsigned char mac[32];

	hmac(secret, t->body.data, t->body.len, mac);
	sb_adds(&line, "X-Hub-Signature-256: sha256=");
	sb_add_hex(&line, mac, sizeof(mac));
	t->headers = curl_slist_append(t->headers, line.data);
	sb_release(&line);
}

static void
add_header(Transfer *t, const char *name, const char *value)
{
	SbBuffer line = {0};

	sb_addf(&line, "%s: %s", name, value);
	t->headers = curl_slist_append(t->headers, line.data);
	sb_release(&line);
}

/* Headers every post carries; an empty Expect spares the extra round trip. */
static void
post_headers(Transfer *t, const char *type)
{
	t->post = true;
	t->headers = curl_slist_append(t->headers, type);
	t->headers = curl_slist_append(t->headers, "Expect:");
	t->headers = curl_slist_append(t->headers, "Accept: */*");
}

/* ---------- queues ---------- */

static Queue *
queue_for(const char *url, const char *secret, const char *object)
{
	static SbBuffer key;
	Queue *q;

	sb_clear(&key);
	sb_addf(&key, "%s\n%s\n%s", url, secret, object ? object : "");
	q = sb_table_get(&queues, key.data);
	if (q == NULL)
	{
		q = sb_alloc(sizeof(Queue));
		q->key = sb_strdup(key.data);
		q->url = sb_strdup(url);
		q->secret = sb_strdup(secret);
		q->object = object ? sb_strdup(object) : NULL;
		sb_table_put(&queues, q->key, q);
	}
	return q;
}

/* Starts flights while there are events and free flights. */
static void
pump(Queue *q)
{
	while (q->head != NULL && q->flights < sb_settings.webhook_flights)
	{
		Transfer *t = new_transfer(q->url);
		Event **link = &t->events;
		bool shared = q->object != NULL && q->object[0] != '\0';

		t->queue = q;
		if (shared)
			sb_addf(&t->body, "{\"object\":\"%s\",\"entry\":[", q->object);
		while (q->head != NULL && t->nevents < (shared ? sb_settings.webhook_batch : 1) &&
			   (t->nevents == 0 || t->body.len + q->head->length < MAX_BODY))
		{
			Event *e = q->head;

			q->head = e->next;
			if (t->nevents++ > 0)
				sb_add(&t->body, ",", 1);
			sb_add(&t->body, e->json, e->length);
			sb_delivery.waiting_bytes -= (int64_t) e->length;
			e->next = NULL;
			*link = e;
			link = &e->next;
		}
		if (q->head == NULL)
			q->tail = NULL;
		if (shared)
			sb_adds(&t->body, "]}");
		sb_delivery.waiting_bytes += (int64_t) t->body.len;
		post_headers(t, "Content-Type: application/json");
		if (q->object != NULL)
			sign(t, q->secret);
		else if (q->secret[0] != '\0')
			add_header(t, "X-Telegram-Bot-Api-Secret-Token", q->secret);
		q->flights++;
		start_transfer(t);
	}
}

static bool
push(const char *url, const char *secret, const char *object, const SbBuffer *json, SbWait *wait)
{
	Queue *q;
	Event *e;

	sb_delivery.events++;
	if (sb_delivery.waiting_bytes + (int64_t) json->len > sb_settings.queue_bytes)
	{
		sb_delivery.dropped++;
		return false;
	}
	q = queue_for(url, secret, object);
	e = sb_alloc(sizeof(Event) + json->len + 1);
	e->length = json->len;
	e->wait = wait;
	memcpy(e->json, json->data, json->len);
	if (q->tail != NULL)
		q->tail->next = e;
	else
		q->head = e;
	q->tail = e;
	sb_delivery.waiting_bytes += (int64_t) json->len;
	if (wait != NULL)
		wait->pending++;
	pump(q);
	return true;
}

int
sb_webhook(SbWaba *waba, SbNumber *number, const char *field, const char *value, SbWait *wait)
{
	static SbBuffer json;
	int n = 0;

	sb_clear(&json);
	sb_addf(&json, "{\"id\":\"%s\",\"changes\":[{\"value\":", waba->id);
	sb_adds(&json, value);
	sb_addf(&json, ",\"field\":\"%s\"}]}", field);
	for (int i = 0; i < waba->nsubs; i++)
	{
		SbSubscription *s = &waba->subs[i];
		const char *url = number && number->override_url ? number->override_url
						  : s->url                       ? s->url
														 : s->app->callback_url;

		if (url == NULL)
			continue;
		if (push(url, s->app->secret, "whatsapp_business_account", &json, wait))
			n++;
	}
	if (n == 0)
		sb_delivery.nowhere++;
	return n;
}

bool
sb_entry(const char *url, const char *secret, const char *object, const char *json, SbWait *wait)
{
	SbBuffer b = {0};
	bool queued;

	sb_adds(&b, json);
	queued = push(url, secret, object, &b, wait);
	sb_release(&b);
	return queued;
}

bool
sb_update(const char *url, const char *secret, const char *json, SbWait *wait)
{
	SbBuffer b = {0};
	bool queued;

	sb_adds(&b, json);
	queued = push(url, secret ? secret : "", NULL, &b, wait);
	sb_release(&b);
	return queued;
}

/* ---------- single requests ---------- */

void
sb_webhook_raw(const char *url, const char *secret, const char *signature, const char *body,
			   size_t length, SbHttpDone done, void *arg)
{
	Transfer *t = new_transfer(url);

	t->done = done;
	t->arg = arg;
	sb_add(&t->body, body, length);
	post_headers(t, "Content-Type: application/json");
	if (signature == NULL)
		sign(t, secret);
	else if (signature[0] != '\0')
		add_header(t, "X-Hub-Signature-256", signature);
	start_transfer(t);
}

void
sb_signed_request(const char *url, const char *secret, const char *user_id, SbHttpDone done,
				  void *arg)
{
	Transfer *t = new_transfer(url);
	SbBuffer payload = {0};
	SbBuffer encoded = {0};
	unsigned char mac[32];
	long long now = (long long) (sb_now() / SB_SECOND);

	t->done = done;
	t->arg = arg;
	sb_addf(&payload,
			"{\"algorithm\":\"HMAC-SHA256\",\"expires\":%lld,\"issued_at\":%lld,\"user_id\":",
			now + 3600, now);
	sb_addj(&payload, user_id);
	sb_adds(&payload, "}");
	sb_add_base64url(&encoded, payload.data, payload.len);
	hmac(secret, encoded.data, encoded.len, mac);
	sb_adds(&t->body, "signed_request=");
	sb_add_base64url(&t->body, mac, sizeof(mac));
	sb_adds(&t->body, ".");
	sb_add(&t->body, encoded.data, encoded.len);
	sb_release(&payload);
	sb_release(&encoded);
	post_headers(t, "Content-Type: application/x-www-form-urlencoded");
	start_transfer(t);
}

void
sb_handshake(const char *url, const char *verify_token, SbHttpDone done, void *arg)
{
	SbBuffer full = {0};
	char challenge[16];
	Transfer *t;

	sb_random_text(challenge, 10, "123456789");
	sb_addf(&full, "%s%chub.mode=subscribe&hub.challenge=%s&hub.verify_token=", url,
			strchr(url, '?') ? '&' : '?', challenge);
	sb_add_urlencoded(&full, verify_token);
	t = new_transfer(full.data);
	sb_release(&full);
	t->challenge = sb_strdup(challenge);
	t->done = done;
	t->arg = arg;
	start_transfer(t);
}

void
sb_fetch(const char *url, SbFetched done, void *arg)
{
	Transfer *t = new_transfer(url);

	t->fetched = done;
	t->arg = arg;
	start_transfer(t);
}

/* ---------- reset ---------- */

void
sb_deliver_reset(void)
{
	size_t pos = 0;
	Queue *q;

	while (transfers.next != &transfers)
	{
		Transfer *t = transfers.next;

		if (t->easy != NULL)
		{
			curl_multi_remove_handle(multi, t->easy);
			give_handle(t->easy);
			t->easy = NULL;
		}
		tell_events(t, 0);
		if (t->done != NULL)
			t->done(t->arg, 0, "", "the sandbox was reset");
		if (t->fetched != NULL)
			t->fetched(t->arg, 0, NULL, NULL, 0);
		drop_transfer(t);
	}
	while ((q = sb_table_next(&queues, &pos)) != NULL)
	{
		while (q->head != NULL)
		{
			Event *e = q->head;

			q->head = e->next;
			told(e->wait, 0);
			free(e);
		}
		free(q->key);
		free(q->url);
		free(q->secret);
		free(q->object);
		free(q);
	}
	sb_table_clear(&queues, NULL);
	memset(&sb_delivery, 0, sizeof(sb_delivery));
}
