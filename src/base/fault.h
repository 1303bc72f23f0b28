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
 *
 * LARAS_FAULT_FAILS("name", fd) is a call that may fail: true, with errno set,
 * at every hit while laras.fault = 'name:enospc[:part]' or 'name:eio[:part]'
 * and the path of the descriptor contains part.
 */
#ifndef LARAS_FAULT_H
#define LARAS_FAULT_H

#ifdef LARAS_FAULTS
#include <stdbool.h>

extern void laras_fault_init(void);
extern void laras_fault_hit(const char *name);
extern bool laras_fault_fails(const char *name, int fd);
#define LARAS_FAULT(name) laras_fault_hit(name)
#define LARAS_FAULT_FAILS(name, fd) laras_fault_fails(name, fd)
#else
#define LARAS_FAULT(name) ((void) 0)
#define LARAS_FAULT_FAILS(name, fd) 0
#endif

#endif /* LARAS_FAULT_H */
