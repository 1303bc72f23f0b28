/*
 * prepare.h
 *		Between the claim and the judgement: what a batch of messages sends with,
 *		and what is to be sent.
 */
#ifndef LARAS_PREPARE_H
#define LARAS_PREPARE_H

#include "courier/carry.h"

/* a message that may leave, until its request begins */
typedef struct LarasDeparture
{
	LarasFlight flight;
	int64_t media_id; /* of a message with media; 0: none */
	LarasProviderRequest request;
	const char *token; /* of the batch's routes */
	size_t token_n;
} LarasDeparture;

/* The connections of a batch, and what is sent with through each. */
typedef struct LarasRoutes LarasRoutes;

/*
 * Lock the connections FOR SHARE and read them; workspaces and ids are arrays
 * of n, repetitions allowed. Opened tokens are wiped when the context goes. In
 * a transaction as laras_worker, SPI open; what is read lives until it closes.
 */
extern LarasRoutes *
laras_routes_read(MemoryContext context, const Datum *workspaces, const Datum *connections, int n);

/*
 * Lock the rows that are still queued, leaving those that others hold, and
 * read them with all that judging needs into *list (room for n), only the
 * flight and the media filled in. Returns how many; the rows stay SPI's last result.
 */
extern int
laras_departures_read(LarasDeparture *list, const Datum *workspaces, const Datum *rows, int n);

/*
 * May the row-th of those leave now? True: *d says with what request, made in
 * the context. False: it stays, and *outcome says why. May raise where a value
 * cannot be opened.
 */
extern bool laras_departure_judge(uint64 row, LarasDeparture *d, LarasRoutes *routes,
								  MemoryContext context, LarasOutcome *outcome);

/* The outcome of a message that does not leave. */
extern LarasOutcome
laras_departure_stays(LarasFlight *flight, const char *state, const char *reason,
					  const char *message_status, const char *notice);

/* Of one for which there is no memory now: it is looked at again in a moment. */
extern LarasOutcome laras_departure_waits(LarasFlight *flight);

#endif /* LARAS_PREPARE_H */
