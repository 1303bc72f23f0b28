/*
 * template_task.c
 *		Templates go to the provider for approval, and come back with what it says.
 *
 * A submission whose answer was lost leaves its row `submitted`: the provider's
 * own event, or the next sync, tells. It is never made a second time by itself.
 */
#include "postgres.h"

#include "base/id.h"
#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/record.h"
#include "connect/connect.h"
#include "connect/health.h"
#include "connect/reach.h"
#include "connect/template.h"
#include "evidence/evidence.h"
#include "tenancy/tenancy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vault/numbers.h"
#include "vault/vault.h"

/* pages of one sync: 25,000 templates are more than any account may have */
#define MAX_PAGES 250

LARAS_PLAN(
	read_template,
	"SELECT t.name, t.language, t.category, t.components::text FROM laras.message_template t "
	"WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $2 "
	"AND t.status OPERATOR(pg_catalog.=) 'submitted'",
	INT8OID, INT8OID);

/* what a webhook said before the answer came stands */
LARAS_PLAN(note_submitted,
		   "UPDATE laras.message_template SET status = CASE WHEN status OPERATOR(pg_catalog.=) "
		   "'submitted' THEN $3 ELSE status END, status_at = laras.now(), "
		   "category = coalesce($4, category), provider_index = $5, reason = $6 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID);

/*
 * One that is not known is kept without an author, unless the business wrote the
 * very same words for another account.
 */
LARAS_PLAN(
	bring_in,
	"INSERT INTO laras.message_template AS t (workspace_id, id, connection_id, name, language, category, "
	"components, status, reason, quality, provider_index, author) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (SELECT o.author FROM laras.message_template o "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.name OPERATOR(pg_catalog.=) $4 "
	"AND o.language OPERATOR(pg_catalog.=) $5 AND o.components OPERATOR(pg_catalog.=) $7 "
	"AND o.author IS NOT NULL LIMIT 1)) "
	"ON CONFLICT (workspace_id, connection_id, name, language) DO UPDATE SET category = excluded.category, "
	"components = excluded.components, status = excluded.status, reason = excluded.reason, "
	"quality = excluded.quality, provider_index = excluded.provider_index, "
	"author = CASE WHEN t.components OPERATOR(pg_catalog.=) excluded.components THEN t.author END, "
	"status_at = CASE WHEN t.status OPERATOR(pg_catalog.=) excluded.status THEN t.status_at ELSE laras.now() END",
	INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID,
	BYTEAOID);

/* by its id, or by its name before that is known */
LARAS_PLAN(
	note_news,
	"UPDATE laras.message_template t SET status = coalesce($6, t.status), quality = coalesce($7, t.quality), "
	"category = coalesce($8, t.category), reason = CASE WHEN $6 IS NULL THEN t.reason ELSE $9 END, "
	"status_at = CASE WHEN coalesce($6, t.status) OPERATOR(pg_catalog.=) t.status THEN t.status_at "
	"ELSE laras.now() END WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND (t.provider_index OPERATOR(pg_catalog.=) $3 OR t.connection_id OPERATOR(pg_catalog.=) $2 "
	"AND t.provider_index IS NULL AND t.name OPERATOR(pg_catalog.=) $4 "
	"AND t.language OPERATOR(pg_catalog.=) $5) RETURNING t.id, t.status",
	INT8OID, INT8OID, BYTEAOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID);

/* in a task's memory, which the courier wipes */
typedef struct Memory
{
	LarasReachToken token;
	int pages;
} Memory;

static Datum
text_or_null(const char *word)
{
	return word == NULL ? (Datum) 0 : CStringGetTextDatum(word);
}

/* A word of the provider, as far as it is one. */
static const char *
reason_word(LarasText reason)
{
	if (!laras_text_word(reason) || laras_text_is(reason, "NONE"))
		return NULL;
	return pnstrdup(reason.s, reason.n);
}

static Datum
index_of(uint32 w, const char *channel, LarasText id)
{
	return id.s == NULL || id.n == 0
			   ? (Datum) 0
			   : PointerGetDatum(laras_index_bytea(w, LARAS_INDEX_TEMPLATE, channel, id.s, id.n));
}

static void
record(int64 workspace_id, uint32 workspace_slot, int64 template_id, const char *status)
{
	LarasEvidenceField fields[] = {LARAS_EV_CODE(LARAS_EVF_STATUS, status)};
	LarasEvidence act = {
		.workspace_id = workspace_id,
		.workspace_slot = workspace_slot,
		.action = LARAS_ACT_TEMPLATE_JUDGED,
		.actor_kind = LARAS_ACTOR_PROVIDER,
		.subject_kind = LARAS_SUBJECT_TEMPLATE,
		.subject_id = template_id,
		.nfields = lengthof(fields),
		.fields = fields,
	};

	laras_evidence_append(&act);
}

/* The connection of a task, if its channel has templates. */
static bool
reach(const LarasTask *task, LarasReach *out)
{
	return laras_reach(task, &((Memory *) task->memory)->token, out) && out->driver->send != NULL &&
		   out->driver->send->templates != NULL;
}

/* A dead token stops the connection, here as in every other call. */
static LarasTaskNext
failed(const LarasTask *task, const LarasReach *to, const LarasTaskAnswer *answer,
	   LarasTaskResult *result)
{
	if (laras_token_refused(task->workspace_id, task->connection_id, to->driver, answer->error_code,
							answer->error_subcode))
		return laras_task_ends(result, LARAS_TASK_FAILED, "token_dead");
	return laras_task_ends(result, LARAS_TASK_FAILED,
						   answer->error_code != 0 ? "refused" : "no_answer");
}

/* --------------------------------------------------------------------- submit */

static int64
template_of(const LarasTask *task)
{
	return laras_task_id(task, "template");
}

static LarasTaskNext
submit_first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasProviderRequest made = {0};
	LarasTemplate t = {0};
	LarasReach to;
	char *name = NULL;
	char *language = NULL;
	char *category = NULL;
	char *components = NULL;

	laras_spi_open();
	if (laras_spi_run(&read_template,
					  (Datum[]){Int64GetDatum(task->workspace_id),
								Int64GetDatum(template_of(task))},
					  NULL) > 0)
	{
		name = laras_spi_cstring(0, 1);
		language = laras_spi_cstring(0, 2);
		category = laras_spi_cstring(0, 3);
		components = laras_spi_cstring(0, 4);
	}
	laras_spi_close();
	if (name == NULL || !reach(task, &to))
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	t.components = laras_json_own(laras_json_parse(components, strlen(components), NULL));
	t.name = laras_text(name);
	t.language = laras_text(language);
	t.category = laras_text(category);
	if (!to.driver->send->templates->build_submit(&to.about, &t, &allocator, &made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	return laras_reach_ask(&made, &((Memory *) task->memory)->token, "submit_template", request);
}

static LarasTaskNext
submit_answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
				LarasTaskResult *result)
{
	LarasReach to;
	LarasTemplateNews news = {0};
	bool taken;
	char code[32];
	uint32 w = laras_workspace_slot(task->workspace_id);

	if (!reach(task, &to))
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	taken = laras_task_succeeded(answer) &&
			to.driver->send->templates->read_submit(answer->document, &news);
	/* nobody knows whether it arrived: an event or a sync will say */
	if (!taken && answer->error_code == 0)
		return failed(task, &to, answer, result);
	snprintf(code, sizeof(code), "provider_%d", answer->error_code);
	laras_spi_open();
	laras_spi_run(&note_submitted,
				  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(template_of(task)),
							CStringGetTextDatum(!taken                ? "draft"
												: news.status != NULL ? news.status
																	  : "pending"),
							text_or_null(news.category), index_of(w, to.driver->channel, news.id),
							taken ? (Datum) 0 : CStringGetTextDatum(code)},
				  (char[]){' ', ' ', ' ', news.category == NULL ? 'n' : ' ', taken ? ' ' : 'n',
						   taken ? 'n' : ' ', '\0'});
	laras_spi_close();
	if (!taken)
		return failed(task, &to, answer, result);
	record(task->workspace_id, w, template_of(task), news.status != NULL ? news.status : "pending");
	return laras_task_ends(result, LARAS_TASK_DONE, "submitted");
}

/* ----------------------------------------------------------------------- sync */

static LarasTaskNext
ask_page(LarasTask *task, const LarasReach *to, LarasText after, LarasTaskRequest *request,
		 LarasTaskResult *result)
{
	LarasAllocator allocator = {laras_context_alloc, CurrentMemoryContext};
	LarasProviderRequest made = {0};

	if (!to->driver->send->templates->build_list(&to->about, after, &allocator, &made))
		return laras_task_ends(result, LARAS_TASK_FAILED, "out_of_memory");
	return laras_reach_ask(&made, &((Memory *) task->memory)->token, "list_templates", request);
}

static LarasTaskNext
sync_first(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result)
{
	LarasReach to;

	if (!reach(task, &to))
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	return ask_page(task, &to, (LarasText){NULL, 0}, request, result);
}

/* What the provider has, where it is a template that laras could send. Inside SPI. */
static void
store(const LarasTask *task, const LarasReach *to, const LarasTemplateNews *news)
{
	uint32 w = laras_workspace_slot(task->workspace_id);
	const char *reason = reason_word(news->reason);
	LarasTemplate t = {.name = news->name,
					   .language = news->language,
					   .components = news->components};
	char *written;

	if (news->category == NULL || news->status == NULL || news->components == NULL)
		return;
	t.category = laras_text(news->category);
	if (to->driver->send->templates->check(&t) != NULL)
		return;
	written = laras_json_text_of(news->components, NULL);
	laras_spi_run(&bring_in,
				  (Datum[]){Int64GetDatum(task->workspace_id), Int64GetDatum(laras_new_id()),
							Int64GetDatum(task->connection_id),
							PointerGetDatum(
								cstring_to_text_with_len(news->name.s, (int) news->name.n)),
							PointerGetDatum(
								cstring_to_text_with_len(news->language.s, (int) news->language.n)),
							CStringGetTextDatum(news->category),
							DirectFunctionCall1(jsonb_in, CStringGetDatum(written)),
							CStringGetTextDatum(news->status), text_or_null(reason),
							CStringGetTextDatum(news->quality != NULL ? news->quality : "unknown"),
							index_of(w, to->driver->channel, news->id)},
				  (char[]){' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', reason == NULL ? 'n' : ' ', ' ',
						   news->id.s == NULL || news->id.n == 0 ? 'n' : ' ', '\0'});
}

static LarasTaskNext
sync_answered(LarasTask *task, const LarasTaskAnswer *answer, LarasTaskRequest *request,
			  LarasTaskResult *result)
{
	Memory *m = task->memory;
	LarasReach to;
	LarasTemplateNews *page = palloc0(sizeof(LarasTemplateNews) * LARAS_TEMPLATE_PAGE);
	LarasText after;
	int n;

	if (!reach(task, &to))
		return laras_task_ends(result, LARAS_TASK_FAILED, "not_connected");
	if (!laras_task_succeeded(answer))
		return failed(task, &to, answer, result);
	n = to.driver->send->templates->read_list(answer->document, page, &after);
	if (n < 0)
		return laras_task_ends(result, LARAS_TASK_FAILED, "no_list");
	laras_spi_open();
	for (int i = 0; i < n; i++)
		store(task, &to, &page[i]);
	laras_spi_close();
	if (after.s == NULL || ++m->pages >= MAX_PAGES)
		return laras_task_ends(result, LARAS_TASK_DONE, "synced");
	task->step++;
	return ask_page(task, &to, after, request, result);
}

/* ----------------------------------------------------------------------- told */

void
laras_template_told(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
					const char *channel, const LarasTemplateNews *news)
{
	const char *reason = reason_word(news->reason);
	uint64 found;
	int64 *ids;
	char **now;

	laras_spi_open();
	found = laras_spi_run(
		&note_news,
		(Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(connection_id),
				  index_of(workspace_slot, channel, news->id),
				  PointerGetDatum(cstring_to_text_with_len(news->name.s, (int) news->name.n)),
				  PointerGetDatum(
					  cstring_to_text_with_len(news->language.s, (int) news->language.n)),
				  text_or_null(news->status), text_or_null(news->quality),
				  text_or_null(news->category), text_or_null(reason)},
		(char[]){' ', ' ', news->id.s == NULL || news->id.n == 0 ? 'n' : ' ', ' ', ' ',
				 news->status == NULL ? 'n' : ' ', news->quality == NULL ? 'n' : ' ',
				 news->category == NULL ? 'n' : ' ', reason == NULL ? 'n' : ' ', '\0'});
	ids = palloc(sizeof(int64) * (found + 1));
	now = palloc(sizeof(char *) * (found + 1));
	for (uint64 i = 0; i < found; i++)
	{
		ids[i] = laras_spi_int8(i, 1);
		now[i] = laras_spi_cstring(i, 2);
	}
	for (uint64 i = 0; i < found && news->status != NULL; i++)
		record(workspace_id, workspace_slot, ids[i], now[i]);
	laras_spi_close();
}

const LarasTaskKind laras_template_submit_task = {
	.name = "submit_template",
	.memory_size = sizeof(Memory),
	.first = submit_first,
	.answered = submit_answered,
};

const LarasTaskKind laras_template_sync_task = {
	.name = "sync_templates",
	.memory_size = sizeof(Memory),
	.repeatable = true,
	.first = sync_first,
	.answered = sync_answered,
};
