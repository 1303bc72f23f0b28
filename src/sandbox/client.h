/*
 * client.h
 *		The subcommands that speak to a running sandbox.
 */
#ifndef LARAS_SANDBOX_CLIENT_H
#define LARAS_SANDBOX_CLIENT_H

/* argv[0] is the subcommand. Returns the exit status, or -1 for wrong usage. */
extern int sb_client(int argc, char **argv);

#endif
