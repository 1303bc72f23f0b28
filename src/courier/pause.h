/*
 * pause.h
 *		Accounts that are left alone, as rows: what an end of the courier, also
 *		one by a crash, must not forget.
 */
#ifndef LARAS_COURIER_PAUSE_H
#define LARAS_COURIER_PAUSE_H

/*
 * Write which lanes rest and which breakers are open, where that is not written
 * so already. In a transaction as laras_worker bound to all, before rows of the
 * outbox are locked: a disconnect locks the connection first. When it has
 * committed, laras_limit_written() is called.
 */
extern void laras_pauses_write(void);

/* Once at the start: go on where an earlier run ended. Likewise, SPI open. */
extern void laras_pauses_read(void);

#endif /* LARAS_COURIER_PAUSE_H */
