/*
 * deliver.h
 *		Requests of the pretended provider to its customers' servers: signed
 *		webhooks with retries, verification handshakes, callbacks.
 *
 * One libcurl multi handle inside the server's loop. What waits holds copies
 * only, never pointers into sb_world.
 */
#ifndef LARAS_SANDBOX_DELIVER_H
#define LARAS_SANDBOX_DELIVER_H

#include "relay/http_server.h"
#include "sandbox/world.h"

/*
 * Waits for the first attempt of the deliveries it was given with. done is
 * called once, when pending falls to 0; it may free the wait. status is the
 * worst of the HTTP statuses seen (0: no answer).
 */
typedef struct SbWait SbWait;
struct SbWait
{
	int pending;
	int status;
	void (*done)(SbWait *wait);
	void *arg;
};

/* status 0: no HTTP answer, and error says why. body is NUL-terminated. */
typedef void (*SbHttpDone)(void *arg, int status, const char *body, const char *error);

/* What lies at a URL; status 0: nothing came. type may be NULL. */
typedef void (*SbFetched)(void *arg, int status, const char *type, const char *bytes, size_t n);

typedef struct SbDeliveryStats
{
	uint64_t events;    /* updates queued, a copy for each subscribed app */
	uint64_t delivered; /* updates in bodies answered 200 */
	uint64_t bodies;    /* attempts to post one */
	uint64_t failures;  /* attempts not answered 200 */
	uint64_t dropped;   /* updates given up: 7 days, or no room */
	uint64_t nowhere;   /* updates without a subscribed app */
	int64_t waiting_bytes;
	int in_flight;
	int retrying;
} SbDeliveryStats;

extern SbDeliveryStats sb_delivery;

extern bool sb_deliver_init(LarasHttpServer *server);

/* Gives up everything under way; waits and done functions are told status 0. */
extern void sb_deliver_reset(void);

/*
 * Queues one update of a WABA (number may be NULL) for every subscribed app.
 * value is the JSON text of "value". Returns how many apps it goes to; wait
 * (may be NULL) has then been raised by as many.
 */
extern int
sb_webhook(SbWaba *waba, SbNumber *number, const char *field, const char *value, SbWait *wait);

/*
 * Queues one entry of an object ("instagram"), to be signed with the secret and
 * share a body with others of that object; of object "" it is a body by itself.
 * False, and the wait not raised, where there is no room.
 */
extern bool
sb_entry(const char *url, const char *secret, const char *object, const char *json, SbWait *wait);

/*
 * Queues one update of a bot, a body of its own, with the secret (may be NULL)
 * in Telegram's header. False, and the wait not raised, where there is no room.
 */
extern bool sb_update(const char *url, const char *secret, const char *json, SbWait *wait);

/* Posts one body as it is. signature: NULL makes the right one, "" none. */
extern void sb_webhook_raw(const char *url, const char *secret, const char *signature,
						   const char *body, size_t length, SbHttpDone done, void *arg);

/* A form post of signed_request={...} made with the app's secret. */
extern void sb_signed_request(const char *url, const char *secret, const char *user_id,
							  SbHttpDone done, void *arg);

/* A GET, as whoever delivers an attachment makes it. */
extern void sb_fetch(const char *url, SbFetched done, void *arg);

/* The verification GET; done gets status 200 only when the challenge came back. */
extern void sb_handshake(const char *url, const char *verify_token, SbHttpDone done, void *arg);

#endif
