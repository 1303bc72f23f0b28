/*
 * duty.h
 *		What the keeper is told of this room.
 */
#ifndef LARAS_EVIDENCE_DUTY_H
#define LARAS_EVIDENCE_DUTY_H

#include "worker/worker.h"

/*
 * LarasKeeperDuty.run: gives positions to what was committed since the last
 * turn, then signs. Each batch is a transaction of its own, so that it may be
 * stopped anywhere and goes on there. Period: one second.
 */
extern LarasTurn laras_evidence_duty(void);

#endif /* LARAS_EVIDENCE_DUTY_H */
