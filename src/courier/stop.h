/*
 * stop.h
 *		Connections of which the end of a send says that they are dead.
 */
#ifndef LARAS_COURIER_STOP_H
#define LARAS_COURIER_STOP_H

#include "courier/carry.h"

/* Is nothing more to be sent through the connection of this outcome? */
extern bool laras_outcome_stops(const LarasOutcome *outcome);

/* Stop those connections, in a transaction of its own. */
extern void laras_stop_connections(const LarasOutcome *outcomes, int n);

/*
 * What would be parked through a connection that was cut since is cancelled. In
 * the transaction that writes the outcomes, before it locks rows of the outbox.
 */
extern void laras_cancel_cut(LarasOutcome *outcomes, int n);

#endif /* LARAS_COURIER_STOP_H */
