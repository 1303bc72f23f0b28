/*
 * fault.h
 *		Named stop points for crash tests.
 *
 * LARAS_FAULT("name") does nothing and leaves no symbol behind in a release
 * build. Built with -DLARAS_FAULTS it looks at the superuser's setting
 * laras.fault = 'name:action[:k]' and acts on the k-th hit in this process
 * (default the first): kill9, error, exit1, sleep:N (milliseconds; the hit
 * count is then the fourth part), hang. Several may be given, separated by
 * commas. Safe in places that may not raise, except for the action error.
 */
#ifndef LARAS_FAULT_H
#define LARAS_FAULT_H

#ifdef LARAS_FAULTS
extern void laras_fault_init(void);
extern void laras_fault_hit(const char *name);
#define LARAS_FAULT(name) laras_fault_hit(name)
#else
#define LARAS_FAULT(name) ((void) 0)
#endif

#endif /* LARAS_FAULT_H */
