/*
 * carry.h
 *		What the parts of the courier share: a message under way.
 */
#ifndef LARAS_CARRY_H
#define LARAS_CARRY_H

#include "channel/send.h"
#include "courier/http.h"
#include "datatype/timestamp.h"

/*
 * Requests begun at once. More than there are connections (http.h), so that one
 * which has brought an answer takes its next request at once, and does not wait
 * for a claim to commit.
 */
#define LARAS_COURIER_FLIGHTS (LARAS_HTTP_CONNECTIONS + 128)

typedef enum LarasFlightKind
{
	LARAS_FLIGHT_SEND,
	LARAS_FLIGHT_TASK,
	LARAS_FLIGHT_REVOKE
} LarasFlightKind;

/*
 * A send whose row is `sending`. malloc'd: lives from the commit that marked
 * it to the commit that records its end. Holds no secret and no content.
 */
typedef struct LarasFlight
{
	LarasFlightKind kind; /* first member: every owner of a call starts with it */
	int64_t workspace_id;
	int64_t outbox_id;
	int64_t attempt_id;
	int64_t message_id;
	int64_t conversation_id;
	int64_t contact_id;
	int64_t connection_id;
	int64_t draft_id;
	uint32_t workspace_slot;
	uint32_t contact_slot;
	uint32_t connection_slot;
	int attempts;
	int64_t departed_at; /* when its first byte could leave (limit.h); 0: not yet, or never */
	int limit_kind;      /* of rule.h: what is limited beside all messages */
	bool first_step;     /* the first of two requests: nobody sees what it does */
	bool uploads;        /* that one, of media */
	bool staged;         /* the second of two requests */
	bool resent;         /* an earlier attempt may have been taken (resend.h) */
	bool counted;        /* by the limits (limit.h) */
	bool opened_breaker; /* the owner is to be told */
	int records;         /* how often its end was to be recorded by itself, and could not be */
	const LarasChannelDriver *driver;
	LarasHttpCall *call;
} LarasFlight;

/* Was a key of the message destroyed: the connection's, the contact's or the workspace's? */
extern bool laras_flight_is_cut(const LarasFlight *flight);

/*
 * Begin a flight from a row of SPI's result, whose columns 1 to 7 are the ids of
 * workspace, outbox row, message, conversation, contact, connection and draft.
 */
extern void laras_flight_of_row(uint64 row, LarasFlight *flight);

/* The run of the courier this process is; leases of other runs are void. */
extern int64_t laras_courier_run;

/*
 * Claim up to n rows, decide which may leave, mark those `sending`, commit, and
 * begin their requests. Opens its own transaction. Returns how many rows it
 * looked at (0: nothing is due).
 */
extern int laras_courier_dispatch(int n);

/* These sends have ended, or never began: they are recorded in the next turn. */
extern void laras_courier_ended(LarasFlight **flights, int n);

/*
 * Record the ends of sends in one transaction; frees the flights and calls.
 * After an error nothing is freed.
 */
extern void laras_courier_record(LarasFlight **flights, int n);

/* Rows that an earlier run left sending become uncertain. Once at the start. */
extern void laras_courier_sweep(void);

/* Callback data of an attempt: base64url of id and the first 8 bytes of its MAC; 23 bytes with the zero. */
#define LARAS_CALLBACK_DATA 23
extern void
laras_callback_data(uint32_t workspace_slot, int64_t attempt_id, char out[LARAS_CALLBACK_DATA]);
/* The attempt it names; false when it is not ours. */
extern bool
laras_callback_attempt(uint32_t workspace_slot, const char *data, size_t n, int64_t *attempt_id);

/* One outcome of a row, to be written with others in one statement. */
typedef struct LarasOutcome
{
	LarasFlight *flight;
	const char *outbox_state;    /* sent, refused, uncertain, queued, parked, cancelled */
	const char *attempt_outcome; /* as send_attempt.outcome; NULL: there was no attempt */
	const char *message_status;  /* NULL: unchanged */
	const char *reason;          /* NULL: none */
	const char *notice;          /* NULL: none */
	int http_status;
	int error_code;
	int error_subcode;
	int curl_code;
	int delay_ms; /* queued again: not before this */
	LarasThrottle throttle;
	LarasText provider_id;
	bytea *provider_index; /* blind index of that; NULL: not made yet */
	bool withdrawn;        /* the access to the account was: it ends as a disconnect does */
	LarasText stage;       /* queued again: with what the first of two requests led to */
} LarasOutcome;

/*
 * Write outcomes down: rows, attempts, messages, notices, evidence; sorts them.
 * In a transaction as laras_worker. A row that was settled meanwhile (by a
 * status webhook) stays as it is.
 */
extern void laras_courier_settle(LarasOutcome *outcomes, int n);

#endif /* LARAS_CARRY_H */
