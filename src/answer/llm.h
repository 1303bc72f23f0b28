/*
 * llm.h
 *		Drafts by a language model: the built-in drafter's work, done by a chat
 *		endpoint that the operator configured for a workspace.
 *
 *		The keeper writes a prompt of what the role laras_drafter sees, and
 *		leaves the message waiting; the courier asks, with no transaction open,
 *		and writes down what came; the keeper reads it, as untrusted as what a
 *		customer writes, and judges it like any draft.
 *
 * llm.c		whose turn it is: endpoint, budget, cache, log; laras_llm_draft.
 * llmprompt.c	what the model is told.
 * llmanswer.c	what it wrote, read strictly.
 * llmtask.c	the courier's task.
 * llmconfigure.c	laras.configure_llm.
 */
#ifndef LARAS_ANSWER_LLM_H
#define LARAS_ANSWER_LLM_H

#include "answer/drafting.h"
#include "base/json_owner.h"
#include "courier/task.h"

#define LARAS_LLM_TASK "llm_draft"
/* bytes of a response that are kept, and of a reply in it */
#define LARAS_LLM_RESPONSE_BYTES (64 * 1024)
#define LARAS_LLM_REPLY_BYTES 4000

/*
 * Lets the model of the workspace draft, where there is one and the built-in
 * drafter's answer (in d->composed) leaves something to say: replaces it, or
 * sets d->waits while the model is asked, or gives a reason why a person must
 * decide.  As laras_worker, in a transaction that commits.
 */
extern void laras_llm_draft(LarasDrafting *d);

/*
 * llmprompt.c: the body of the request, and in *given the rows that it holds:
 * [{"id": "catalog_item/1", "version": "2"}].  As laras_drafter.
 */
extern char *
laras_llm_prompt(int64 workspace_id, const char *model, const char *options, const char *question,
				 size_t question_n, bool english, json_t **given);

/*
 * Does a member of the request, or of what is to be merged into one, tell the
 * provider not to keep it for training: {"store": false} of OpenAI, or
 * {"provider": {"data_collection": "deny"}} of OpenRouter?
 */
extern bool laras_llm_tells_no_train(const json_t *request);

/*
 * llmanswer.c: reads a response of the model, of which nothing is trusted.
 * NULL and *composed filled (in the caller's memory), or the reason why it
 * cannot be used: llm_unreadable, llm_wrong_shape, llm_too_long, llm_foreign_row.
 */
extern const char *laras_llm_read(const char *response, size_t n, const json_t *given, bool english,
								  LarasComposed *composed);

extern const LarasTaskKind laras_llm_task;

#endif /* LARAS_ANSWER_LLM_H */
