/*
 * drafterrole.h
 *		What drafts is the role laras_drafter: it sees one conversation and the
 *		knowledge of its workspace, by row security.
 */
#ifndef LARAS_ANSWER_DRAFTERROLE_H
#define LARAS_ANSWER_DRAFTERROLE_H

typedef struct LarasDrafterRole
{
	Oid userid;
	int context;
	int binding;
} LarasDrafterRole;

/*
 * From here on SQL runs as laras_drafter, bound to the workspace and reaching
 * this conversation alone (0: none).  An error between the two needs no
 * cleaning.
 */
extern void laras_drafter_begin(LarasDrafterRole *saved, int64 workspace_id, int64 conversation_id);
extern void laras_drafter_end(const LarasDrafterRole *saved);

#endif /* LARAS_ANSWER_DRAFTERROLE_H */
