/*
 * promotion.h
 *		Messages that another server may have sent.
 */
#ifndef LARAS_PROMOTION_H
#define LARAS_PROMOTION_H

#include "base/spi.h"

/*
 * These contents were those of another server, which may have gone on sending from
 * them: what waits and was queued until then is parked for that reason, and what is
 * uncertain is not sent again from here. Returns how many are parked. As laras_worker
 * bound to all, SPI open.
 */
extern uint64 laras_sends_park(const char *reason, TimestampTz until);

/* Somebody says that it did not: what was parked so is queued again. Likewise. */
extern uint64 laras_sends_release(void);

/*
 * Once at the courier's start, before it sends: was this server promoted since a
 * courier last began? In a transaction of its own. Raises nothing of its own.
 */
extern void laras_promotion_look(void);

extern void laras_promotion_init(void);

#endif /* LARAS_PROMOTION_H */
