/*
 * server.h
 *		The sandbox as an HTTP server: from exchanges to calls and back.
 */
#ifndef LARAS_SANDBOX_SERVER_H
#define LARAS_SANDBOX_SERVER_H

/* Listens and serves until SIGTERM or SIGINT. Returns the exit status. */
extern int sb_serve(const char *listen);

/* Undoes everything: objects, faults, ledger, what waits, the clock stays. */
extern void sb_reset_all(void);

#endif
