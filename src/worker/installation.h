/*
 * installation.h
 *		Do the contents of this database belong to this cluster and database,
 *		or did they come from elsewhere and wait for laras.resume()?
 */
#ifndef LARAS_WORKER_INSTALLATION_H
#define LARAS_WORKER_INSTALLATION_H

#include "postgres.h"

/*
 * True from a restore, a clone or a move until resume() has ended well: webhooks
 * and requests are answered 503, the courier sends nothing and the keeper does
 * nothing. Reads one row by a kept plan, as the tables' owner, whoever calls:
 * cheap enough for every batch and every request, and never stale. Needs a
 * transaction with an active snapshot; connects to SPI by itself. Raises only
 * what reading a table raises.
 */
extern bool laras_resume_needed(void);

/*
 * Must the keeper keep still? Also while there are contents and the keyring is
 * not known to be this database's own: a restore is then perhaps under way, and
 * a row made by a duty would collide with one that is copied in. In an empty
 * database no duty makes a row that a dump brings. In a worker's transaction.
 */
extern bool laras_keeper_must_wait(void);

/*
 * How many messages wait because another server may have sent them: parked at a
 * restore or a promotion, until resume(true). As laras_resume_needed.
 */
extern int64 laras_parked_sends(void);

/* This room's row of laras.doctor(). */
struct LarasDoctorSink;
extern void laras_doctor_resume(struct LarasDoctorSink *sink);

#endif /* LARAS_WORKER_INSTALLATION_H */
