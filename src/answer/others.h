/*
 * others.h
 *		Does a text name another person of the workspace?
 */
#ifndef LARAS_ANSWER_OTHERS_H
#define LARAS_ANSWER_OTHERS_H

#include "answer/ground.h"

/*
 * Are two words of the text, side by side, of the name of one other contact; or
 * is one of them, where the text says what its bearer ordered, pays or lives
 * at?  Not counted is what stands in the facts or in any row of the knowledge,
 * and what belongs to the name of contact_id (0: nobody), of a member, of an
 * account or of the business.  Inside SPI, the vault open, as laras_owner with
 * the workspace bound, or laras_worker.
 */
extern bool laras_names_another(int64 workspace_id, int64 contact_id, const char *text, size_t n,
								const LarasFact *facts, int n_facts);

#endif /* LARAS_ANSWER_OTHERS_H */
