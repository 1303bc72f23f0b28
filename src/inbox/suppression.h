/*
 * suppression.h
 *		Who wants nothing unasked, kept as keyed hashes that outlive the contact.
 *
 * A hash is made of each id under which the person is known, with the key
 * K_optout of the workspace: nobody can tell from the table whom it means, and
 * with the workspace it ends. Whoever comes back under the same number after an
 * erasure is opted out again from the first row on.
 */
#ifndef LARAS_SUPPRESSION_H
#define LARAS_SUPPRESSION_H

#include "inbox/identity.h"

/*
 * The contact wants nothing more (stop), or wants it again, since that moment:
 * contact.opt_out_at and opt_in_at, and the hashes of all ids it has. A wish
 * that is older than the one we know changes nothing. True when it changed
 * something. As laras_worker, or laras_owner with the workspace bound.
 */
extern bool laras_suppression_wish(int64 workspace_id, uint32 workspace_slot, int64 contact_id,
								   bool stop, TimestampTz at);

/* Does the error of a send say that the person wants nothing unasked? */
extern bool laras_error_opts_out(const char *channel, int error_code);

/*
 * The provider gave that error of a message to the contact, by that connection
 * and at that moment: where it says so, the wish and its evidence. The same roles.
 */
extern void laras_suppression_reported(int64 workspace_id, uint32 workspace_slot, int64 contact_id,
									   const char *channel, int64 connection_id, int error_code,
									   TimestampTz at);

/* an id that has just been given to a contact */
typedef struct LarasGivenIdentity
{
	int64 workspace_id;
	uint32 workspace_slot;
	int64 contact_id;
	uint8 kind;
	LarasText value;
} LarasGivenIdentity;

/*
 * Ids meet the list: a contact that was given a suppressed one is opted out,
 * and an id given to somebody who is opted out is suppressed. Inside SPI, as
 * laras_worker.
 */
extern void laras_suppression_meet(const LarasGivenIdentity *given, int n);

#endif /* LARAS_SUPPRESSION_H */
