/*
 * writers.h
 *		Whether everybody who wrote when an erasure began has ended.
 */
#ifndef LARAS_ERASURE_WRITERS_H
#define LARAS_ERASURE_WRITERS_H

#include "erasure/plan.h"

/*
 * A transaction that began before an erasure was accepted may still add rows
 * after the last of them was removed. The first call for a request remembers
 * who holds a lock for writing on a table of the plan; it and the later ones
 * say whether all of those have ended. Who comes after the first call saw the
 * acceptance. One request at a time, in this process's memory: after a restart
 * all is asked anew, which only takes longer. Waits for nobody. May raise (out of
 * memory).
 */
extern bool laras_writers_ended(int64 request_id, const LarasEraseStep *steps);

#endif /* LARAS_ERASURE_WRITERS_H */
