/*
 * enclosed.h
 *		A message with media, at hand-off.
 */
#ifndef LARAS_ENCLOSED_H
#define LARAS_ENCLOSED_H

#include "channel/sendmedia.h"
#include "courier/prepare.h"

/* what is to be done with it */
typedef enum LarasEnclosed
{
	LARAS_ENCLOSED_GOES,
	LARAS_ENCLOSED_WAITS, /* for requests under way whose bodies take what memory there is for them */
	LARAS_ENCLOSED_STAYS /* *reason says why */
} LarasEnclosed;

/*
 * The request of a message whose row is in the departure and whose text in *send,
 * made by the allocator into the departure; notes in its flight whether it is the
 * first of two. *held: bytes of requests of this batch, which have not begun. In a
 * transaction as laras_worker.
 */
extern LarasEnclosed
laras_enclosed_build(LarasDeparture *departure, const LarasSendText *send,
					 const LarasAllocator *allocator, int64 *held, const char **reason);

/* Does a message of that kind leave by two requests, of which the first is nothing that anybody sees? */
extern bool laras_enclosed_two_steps(const LarasChannelDriver *driver);

#endif /* LARAS_ENCLOSED_H */
