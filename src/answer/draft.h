/*
 * draft.h
 *		The end of a draft that waits.
 */
#ifndef LARAS_ANSWER_DRAFT_H
#define LARAS_ANSWER_DRAFT_H

typedef enum LarasDraftEnd
{
	LARAS_DRAFT_SUPERSEDED,
	LARAS_DRAFT_STALE
} LarasDraftEnd;

/*
 * Close the drafts of a conversation that wait (state pending or held); or one
 * of them.  by: who, as draft.decided_by writes it.  Writes decisions and
 * evidence.  Inside SPI, as laras_owner with the workspace bound, or
 * laras_worker.
 */
extern void
laras_drafts_close(int64 workspace_id, int64 conversation_id, LarasDraftEnd end, const char *by);
/*
 * The same because of a newer message, as laras_worker; a draft that another
 * transaction holds is passed over, and closed by the next turn of the duty
 * that looks for such.
 */
extern void laras_drafts_overtaken(int64 workspace_id, int64 conversation_id);
extern void
laras_draft_close(int64 workspace_id, int64 draft_id, LarasDraftEnd end, const char *by);

#endif /* LARAS_ANSWER_DRAFT_H */
