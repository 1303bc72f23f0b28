/*
 * carry.c
 *		The courier's turn: let requests go on, record those that ended, begin
 *		new ones.
 *
 * No transaction is open while a request is: a turn records what has ended in
 * a transaction of its own, claims and marks others and commits, begins their
 * requests, and returns to the loop to wait on the epoll descriptor.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/id.h"
#include "base/monotonic.h"
#include "base/spi.h"
#include "connect/revoke.h"
#include "courier/again.h"
#include "courier/carry.h"
#include "courier/courier.h"
#include "courier/fence.h"
#include "courier/promotion.h"
#include "courier/resend.h"
#include "courier/lane.h"
#include "courier/limit.h"
#include "courier/pause.h"
#include "courier/task.h"
#include "miscadmin.h"
#include "tenancy/tenancy.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "vault/vault.h"
#include "worker/installation.h"

int64_t laras_courier_run = 0;

static bool swept = false;
static uint64 unlocked_generation = 0;
static bool unlocked = false;

/* sends after which memory is given back, once nothing is in flight */
#define SENDS_BEFORE_TRIM 1000

/* how long to wait before asking the vault again */
#define LOCKED_WAIT_MS 1000

static int request_timeout = 30000;

void
laras_flight_of_row(uint64 row, LarasFlight *flight)
{
	flight->kind = LARAS_FLIGHT_SEND;
	flight->workspace_id = laras_spi_int8(row, 1);
	flight->outbox_id = laras_spi_int8(row, 2);
	flight->message_id = laras_spi_int8(row, 3);
	flight->conversation_id = laras_spi_int8(row, 4);
	flight->contact_id = laras_spi_int8(row, 5);
	flight->connection_id = laras_spi_int8(row, 6);
	flight->draft_id = laras_spi_int8(row, 7);
}

bool
laras_flight_is_cut(const LarasFlight *flight)
{
	return laras_slot_is_destroyed(flight->connection_slot) ||
		   laras_slot_is_destroyed(flight->contact_slot) ||
		   laras_slot_is_destroyed(flight->workspace_slot);
}

/* The last question before a request leaves: do all keys of this message stand? */
static bool
may_go(void *owner)
{
	LarasFlight *flight = owner;
	bool cut = flight->kind == LARAS_FLIGHT_SEND && laras_flight_is_cut(flight);

	LARAS_FAULT("courier_go");
	if (!cut && flight->kind == LARAS_FLIGHT_SEND)
		flight->departed_at = laras_monotonic_us();
	return !cut;
}

void
laras_courier_init(void)
{
	DefineCustomStringVariable(
		"laras.certificate_authorities",
		"File (PEM) of the authorities whose certificates of servers are believed.",
		"In place of the system's, for all that laras speaks to; empty: the system's.",
		&laras_http_authorities, "", laras_guc_context(PGC_POSTMASTER), 0, NULL, NULL, NULL);
	DefineCustomIntVariable("laras.request_timeout", "How long a request to a provider may take.",
							"A message whose request was not answered by then is uncertain, and "
							"settled by the provider's status.",
							&request_timeout, 30000, 100, 300000, PGC_SIGHUP, GUC_UNIT_MS, NULL,
							NULL, NULL);
	laras_resend_init();
	laras_promotion_init();
	laras_fence_init();
}

void
laras_courier_start(void)
{
	laras_spi_plan_by_keys(true);
	laras_courier_run = laras_new_id();
	if (!laras_http_open())
		ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("libcurl could not be started")));
	laras_http_set_guard(may_go);
	laras_worker_watch(laras_http_descriptor());
}

void
laras_courier_stop(int code)
{
	LARAS_FAULT("courier_stop");
	laras_task_stop();
	laras_http_close();
}

/* May tokens be opened now? */
static bool
unlock(void)
{
	uint64 generation = laras_vault_generation();

	if (!laras_vault_is_open())
		return false;
	if (!unlocked || generation != unlocked_generation)
	{
		unlocked = laras_courier_unlock();
		unlocked_generation = generation;
	}
	return unlocked;
}

/*
 * Has the database been restored and not resumed? Asked once a second: nothing
 * could be sent with a vault that is shut, and it is shut until an adoption.
 */
static bool
is_closed(void)
{
	static bool closed = true;
	static TimestampTz asked_at = 0;

	if (asked_at == 0 || closed ||
		TimestampDifferenceExceeds(asked_at, GetCurrentTimestamp(), LOCKED_WAIT_MS))
	{
		laras_worker_begin("looking whether the database is its own");
		closed = laras_resume_needed();
		laras_worker_commit();
		asked_at = GetCurrentTimestamp();
	}
	return closed;
}

static void
inherit_limits(void)
{
	laras_worker_begin("reading what an earlier run sent");
	laras_worker_bind_all();
	laras_spi_open();
	laras_limit_inherit();
	laras_pauses_read();
	laras_spi_close();
	laras_worker_commit();
}

/* Sends that have ended and are not recorded. */
static LarasFlight *ended[LARAS_COURIER_FLIGHTS];
static int ended_count = 0;

void
laras_courier_ended(LarasFlight **flights, int n)
{
	Assert(ended_count + n <= LARAS_COURIER_FLIGHTS);
	memcpy(ended + ended_count, flights, sizeof(LarasFlight *) * n);
	ended_count += n;
}

/* Give every ended call to its owner. Returns how many there were. */
static int
take_ended(void)
{
	int n = 0;
	LarasHttpCall *call;

	while (ended_count < LARAS_COURIER_FLIGHTS && (call = laras_http_next()) != NULL)
	{
		LarasFlight *flight = call->owner;

		n++;
		switch (flight->kind)
		{
			case LARAS_FLIGHT_SEND:
				flight->call = call;
				laras_courier_ended(&flight, 1);
				break;
			case LARAS_FLIGHT_TASK:
				if (call->part)
					laras_task_part((struct LarasTaskFlight *) flight, call);
				else
					laras_task_answered((struct LarasTaskFlight *) flight, call);
				break;
			case LARAS_FLIGHT_REVOKE:
				laras_revoke_answered(flight, call);
				break;
		}
	}
	return n;
}

/*
 * Record what has ended, all in one transaction. Where that fails, what is known of
 * these sends is kept, and half as many are tried in the next turn, so that the one
 * that keeps the others from being known is soon found; what cannot be recorded by
 * itself twice ends uncertain.
 */
static void
record_ended(void)
{
	static int most = LARAS_COURIER_FLIGHTS;
	int allowed = most;
	int n = Min(ended_count, allowed);

	if (n == 0)
		return;
	if (n == 1 && allowed < LARAS_COURIER_FLIGHTS)
	{
		/* the others have their turn before it is tried again */
		LarasFlight *first = ended[0];

		memmove(ended, ended + 1, sizeof(LarasFlight *) * (ended_count - 1));
		ended[ended_count - 1] = first;
		first->records++;
		most = 1;
		laras_courier_record(&ended[ended_count - 1], 1);
		ended_count--;
	}
	else
	{
		most = Max(n / 2, 1);
		laras_courier_record(ended, n);
		ended_count -= n;
		memmove(ended, ended + n, sizeof(LarasFlight *) * ended_count);
	}
	most = Min(allowed * 2, LARAS_COURIER_FLIGHTS);
}

/* After many sends, and when there is time. */
static void
rest(int answered)
{
	static int since = 0;

	since += answered;
	if (since < SENDS_BEFORE_TRIM || laras_http_in_flight() > 0 || ended_count > 0)
		return;
	laras_http_trim();
	since = 0;
}

LarasTurn
laras_courier_turn(void)
{
	int answered;
	int begun = 0;
	int sends = 0;
	int room;
	int timeout;

	if (!unlock() || is_closed())
	{
		laras_worker_wake_in(LOCKED_WAIT_MS);
		return LARAS_TURN_IDLE;
	}
	if (!swept)
	{
		laras_promotion_look();
		laras_courier_sweep();
		inherit_limits();
		laras_task_sweep();
		laras_revoke_sweep();
		swept = true;
	}
	laras_http_set_timeout(request_timeout);
	laras_http_drive();
	answered = take_ended();
	record_ended();
	laras_http_drive();
	if (!laras_worker_should_yield())
	{
		laras_again_looks();
		begun += laras_revoke_dispatch();
		begun += laras_task_dispatch(LARAS_COURIER_FLIGHTS - laras_http_in_flight());
		room = LARAS_COURIER_FLIGHTS - laras_http_in_flight() - ended_count;
		if (room > 0)
			sends = laras_courier_dispatch(room);
		/* what is only shown waits until nothing leaves that is said */
		begun += sends > 0 ? sends : laras_task_dispatch_fleeting();
		laras_http_drive();
	}
	rest(answered);
	laras_worker_set_pending(laras_http_in_flight() + ended_count + laras_choice_waits());
	timeout = laras_http_timeout();
	if (timeout >= 0)
		laras_worker_wake_in(timeout);
	laras_again_waits();
	/* what ended in the last drive has been read from its socket: nothing would wake us for it */
	return answered > 0 || begun > 0 || ended_count > 0 || laras_http_has_ended() ? LARAS_TURN_MORE
																				  : LARAS_TURN_IDLE;
}
