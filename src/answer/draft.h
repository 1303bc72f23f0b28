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

#include "datatype/timestamp.h"

/*
 * SQL: the cited row, as it now is, of each s of laras.draft_source; and whether
 * s no longer holds: the row changed or went, what was told of the clock is
 * over, or the day whose hours were told has others by now.
 */
#define LARAS_CITED_ROWS                                                                        \
	"LEFT JOIN laras.catalog_item k ON s.source_table OPERATOR(pg_catalog.=) 'catalog_item' "   \
	"AND k.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND k.id OPERATOR(pg_catalog.=) " \
	"s.source_id "                                                                              \
	"LEFT JOIN laras.policy_text t ON s.source_table OPERATOR(pg_catalog.=) 'policy_text' "     \
	"AND t.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND t.id OPERATOR(pg_catalog.=) " \
	"s.source_id "                                                                              \
	"LEFT JOIN laras.faq q ON s.source_table OPERATOR(pg_catalog.=) 'faq' "                     \
	"AND q.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND q.id OPERATOR(pg_catalog.=) " \
	"s.source_id "                                                                              \
	"LEFT JOIN laras.opening_hours h ON s.source_table OPERATOR(pg_catalog.=) 'opening_hours' " \
	"AND h.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND h.id OPERATOR(pg_catalog.=) " \
	"s.source_id "                                                                              \
	"LEFT JOIN laras.brand_voice b ON s.source_table OPERATOR(pg_catalog.=) 'brand_voice' "     \
	"AND b.workspace_id OPERATOR(pg_catalog.=) s.workspace_id AND b.id OPERATOR(pg_catalog.=) " \
	"s.source_id "
#define LARAS_NO_LONGER_HOLDS                                                            \
	"(coalesce(k.version, t.version, q.version, h.version, b.version) IS DISTINCT FROM " \
	"s.source_version "                                                                  \
	"OR coalesce(s.valid_until OPERATOR(pg_catalog.<=) laras.now(), false) "             \
	"OR (s.quoted_for IS NOT NULL AND EXISTS (SELECT 1 FROM laras.opening_hours x "      \
	"WHERE x.workspace_id OPERATOR(pg_catalog.=) s.workspace_id "                        \
	"AND x.on_date OPERATOR(pg_catalog.=) s.quoted_for)))"

/*
 * SQL: kinds of messages that no draft answers, as an array has them. An edit is
 * none of these, but it stands beside the message that it is about.
 */
#define LARAS_KINDS_UNASKED "reaction,system,welcome,call,call_permission,unsend,hide,show"

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

/*
 * A message was withdrawn (unsent, or hidden from everybody) for which drafts may
 * wait. The one for itself is closed, one for which it was read too waits for a
 * person (`message_unsent`). What was asked before and has no answer is not
 * forgotten: the draft for it that the message had overtaken waits again, or it
 * is drafted. The caller has locked the conversation; inside SPI, as laras_worker.
 */
extern void laras_drafts_withdrawn(int64 workspace_id, int64 conversation_id, int64 message_id);

/*
 * Close the drafts of a contact who wants nothing more since that moment, but for
 * those in conversations where they have written again. As laras_worker, or as
 * laras_owner with the workspace bound. Opens SPI itself.
 */
extern void laras_drafts_unwanted(int64 workspace_id, int64 contact_id, TimestampTz since);

/*
 * Drafts whose message was refused at hand-off because the window had closed:
 * they wait for a person again, under another message id and without a verdict.
 * Where the customer wrote again meanwhile, they are superseded.
 */
extern void laras_drafts_held_again(const int64 *workspace_ids, const int64 *draft_ids, int n);

/*
 * Close follow-ups in a text of their own for which the window has closed: each
 * while nobody decided of it and its customer has not written since. Returns how many.
 */
extern uint64 laras_drafts_missed(const int64 *workspace_ids, const int64 *draft_ids,
								  const TimestampTz *last_inbound, int n);

/*
 * Approved drafts whose message will never leave, because somebody withdrew it or
 * because its text is not the one that was judged: they are rejected.
 */
extern void
laras_drafts_refused(const int64 *workspace_ids, const int64 *draft_ids, int n, const char *by);

/* Close drafts of which a cited row changed or went; at most limit. Returns how many. */
extern uint64 laras_drafts_close_stale(int limit);

/* A decision on each of n drafts: an act of draft_decision, and who. As laras_worker or laras_owner. */
extern void laras_decisions_add(const int64 *workspace_ids, const int64 *draft_ids, int n,
								const char *act, const char *by);

#endif /* LARAS_ANSWER_DRAFT_H */
