/*
 * clock.h
 *		The product's clock.  Every rule about time (terms, windows, expiry)
 *		reads it, so that a test can move thirty days in a millisecond.
 *		Timeouts, leases and ids use the real clock instead.
 */
#ifndef LARAS_BASE_CLOCK_H
#define LARAS_BASE_CLOCK_H

#include "datatype/timestamp.h"

/*
 * The time of this transaction: its start plus the offset that
 * laras.advance_clock() has made, so that all rows of one transaction carry
 * one time.  Outside a transaction the same as laras_clock().  Never raises.
 */
extern TimestampTz laras_now(void);

/* The wall clock plus the offset; goes on while the transaction runs. */
extern TimestampTz laras_clock(void);

/* Microseconds the clock was moved; 0 unless laras.test_mode is on. */
extern int64 laras_clock_offset(void);

/* True when the server was started with laras.test_mode = on. */
extern bool laras_test_mode;

/* Called by _PG_init, and as a room of shared memory (src/worker/rooms.c). */
extern void laras_clock_init(void);
extern void laras_clock_shmem_request(void);
extern void laras_clock_shmem_startup(void);

#endif /* LARAS_BASE_CLOCK_H */
