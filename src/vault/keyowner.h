/*
 * keyowner.h
 *		Who owns a slot: the table laras.key_owner, and the roles under which
 *		the vault runs its SQL. For files of src/vault only.
 */
#ifndef LARAS_VAULT_KEYOWNER_H
#define LARAS_VAULT_KEYOWNER_H

#include "base/spi.h"

/*
 * Run the vault's SQL as the tables' owner, under the forced policies; a
 * worker stays what it is, since its policy knows its set of workspaces.
 * Ended by laras_run_as_end().
 */
extern void laras_vault_run_as(LarasRunAs *saved);

/*
 * The hour and week slots that are over their time by the product's clock:
 * order their destruction in this transaction (the vault worker's). Returns
 * how many.
 */
extern int laras_expire_time_slots(void);

#endif /* LARAS_VAULT_KEYOWNER_H */
