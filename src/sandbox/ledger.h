/*
 * ledger.h
 *		What the sandbox received: the truth that a client's claims are held
 *		against.
 *
 * The last entries stand in a bounded ring (by number and by bytes); totals
 * and the count of each message's and each callback data's acceptances cover
 * everything since the last reset, up to a bound of keys that is reported when
 * it is reached.
 */
#ifndef LARAS_SANDBOX_LEDGER_H
#define LARAS_SANDBOX_LEDGER_H

#include "sandbox/sandbox.h"

/* Outcome in words: accepted, answered, refused, fault. */
extern void sb_ledger_add(const SbCall *call);
extern void sb_ledger_reset(void);

/* A parameter of the call that is no filter; NULL: all are. */
extern const char *sb_ledger_unknown(const SbCall *call);

/* Entries that pass the filters in the call's parameters, oldest first. */
extern json_t *sb_ledger_list(const SbCall *call);
extern json_t *sb_ledger_totals(void);

#endif
