/*
 * revoke.h
 *		The courier's part of a disconnect: the provider is told.
 */
#ifndef LARAS_REVOKE_H
#define LARAS_REVOKE_H

#include "courier/http.h"

/* Begin a request for every hand-off that is readable; opens its own transactions. */
extern int laras_revoke_dispatch(void);
/* The request ended; frees both. */
extern void laras_revoke_answered(void *owner, LarasHttpCall *call);
/* A hand-off does not survive a restart: what was pending is not told. */
extern void laras_revoke_sweep(void);

#endif /* LARAS_REVOKE_H */
