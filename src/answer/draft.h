/*
 * draft.h
 *		The end of drafts that wait (state pending or held).
 *
 * Each function here writes a decision and an entry of evidence for each draft
 * that it closes.  Inside SPI; as laras_worker with the workspaces in reach, or
 * as said.
 */
#ifndef LARAS_ANSWER_DRAFT_H
#define LARAS_ANSWER_DRAFT_H

/*
 * Close the drafts of a conversation, because it was answered otherwise. by:
 * who, as draft.decided_by writes it. Waits for who holds one of them; the
 * caller has locked the conversation. As laras_owner with the workspace bound.
 */
extern void laras_drafts_answered(int64 workspace_id, int64 conversation_id, const char *by);

/*
 * Close the drafts of n conversations, which the caller has locked, because of
 * newer messages or an answer given elsewhere.
 */
extern void
laras_drafts_overtaken(const int64 *workspace_ids, const int64 *conversation_ids, int n);

/* Close drafts of which a cited row changed or went; at most limit. Returns how many. */
extern uint64 laras_drafts_close_stale(int limit);

/* A decision on each of n drafts: an act of draft_decision, and who. As laras_worker or laras_owner. */
extern void laras_decisions_add(const int64 *workspace_ids, const int64 *draft_ids, int n,
								const char *act, const char *by);

#endif /* LARAS_ANSWER_DRAFT_H */
