/*
 * server.h
 *		The sandbox as a server: from exchanges to calls and back.
 */
#ifndef LARAS_SANDBOX_SERVER_H
#define LARAS_SANDBOX_SERVER_H

/*
 * Listens for HTTP, and for mail where smtp or smtps is given, and serves until
 * SIGTERM or SIGINT. Returns the exit status.
 */
extern int sb_serve(const char *listen, const char *smtp, const char *smtps);

/* Undoes everything: objects, faults, ledger, what waits, the clock stays. */
extern void sb_reset_all(void);

#endif
