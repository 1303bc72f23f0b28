/*
 * classify.c
 *		The safety classifier.
 *
 * A verdict is a row that is bound to its text by a digest: the outbox demands
 * one that passed, by a foreign key, for exactly the text that is sent. What
 * people write is theirs to state, unless a rule of the workspace asks that it is
 * judged like a draft; what a drafter writes must stand in the rows it cites. While the classifier is switched off nothing passes.
 */
#include "postgres.h"

#include <ctype.h>

#include "answer/answer.h"
#include "answer/calendar.h"
#include "answer/ground.h"
#include "answer/holdreason.h"
#include "answer/manner.h"
#include "answer/others.h"
#include "answer/retrieve.h"
#include "answer/shelf.h"
#include "answer/spelling.h"
#include "answer/voice.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/lower.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "channel/send.h"
#include "inbox/rows.h"
#include "mb/pg_wchar.h"
#include "storage/proc.h"
#include "tenancy/tenancy.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "vault/numbers.h"
#include "vault/vault.h"

#define CLASSIFIER "laras-1 people"

static bool classifier = true;

LARAS_PLAN(
	read_phrases,
	"SELECT f.phrase, NULL, true FROM laras.forbidden_phrase f WHERE f.workspace_id OPERATOR(pg_catalog.=) $1 "
	"UNION ALL SELECT f.phrase, f.topic, false FROM laras.required_phrase f "
	"WHERE f.workspace_id OPERATOR(pg_catalog.=) $1",
	INT8OID);

LARAS_PLAN(add_verdict,
		   "INSERT INTO laras.verdict (workspace_id, id, message_id, contact_id, text_digest, "
		   "outcome, classifier, purpose) VALUES ($1, $2, $3, $4, $5, 'pass', $6, $7)",
		   INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID, TEXTOID, TEXTOID);

/* the kinds that say something, as the drafter takes them (duty.c) */
LARAS_PLAN(
	read_last_words,
	"SELECT m.id, m.body FROM laras.message m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND m.contact_id OPERATOR(pg_catalog.=) $2 AND m.direction OPERATOR(pg_catalog.=) 'in' "
	"AND m.body IS NOT NULL AND NOT m.historical "
	"AND m.kind OPERATOR(pg_catalog.=) ANY ('{text,button,list,comment,mention}'::pg_catalog.text[]) "
	"ORDER BY m.created_at DESC, m.id DESC LIMIT 1",
	INT8OID, INT8OID);

/* of a row, more than a draft may quote of it */
#define QUOTABLE "10000"

/*
 * A cited row as it can be quoted now. One row a statement: of scalars the
 * server keeps one plan, of an array it makes one each time.
 */
LARAS_PLAN(
	read_cited_item,
	"SELECT c.version, c.name OPERATOR(pg_catalog.||) E'\n' OPERATOR(pg_catalog.||) "
	"pg_catalog.substr(c.description, 1, " QUOTABLE ") "
	"OPERATOR(pg_catalog.||) E'\n' OPERATOR(pg_catalog.||) pg_catalog.substr(c.attributes::pg_catalog.text, 1, " QUOTABLE
	") OPERATOR(pg_catalog.||) E'\n' OPERATOR(pg_catalog.||) pg_catalog.substr(c.translations::pg_catalog.text, 1, " QUOTABLE
	"), "
	"c.price::pg_catalog.text, c.currency::pg_catalog.text, c.stock::pg_catalog.text "
	"FROM laras.catalog_item c WHERE c.workspace_id OPERATOR(pg_catalog.=) $1 "
	"AND c.id OPERATOR(pg_catalog.=) $2 AND c.state OPERATOR(pg_catalog.=) 'active'",
	INT8OID, INT8OID);

LARAS_PLAN(
	read_cited_policy,
	"SELECT p.version, p.topic OPERATOR(pg_catalog.||) E'\n' OPERATOR(pg_catalog.||) pg_catalog.substr(p.body, 1, " QUOTABLE
	"), NULL, NULL, NULL "
	"FROM laras.policy_text p WHERE p.workspace_id OPERATOR(pg_catalog.=) $1 AND p.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

LARAS_PLAN(
	read_cited_faq,
	"SELECT f.version, f.question OPERATOR(pg_catalog.||) E'\n' OPERATOR(pg_catalog.||) pg_catalog.substr(f.answer, 1, " QUOTABLE
	"), NULL, NULL, NULL "
	"FROM laras.faq f WHERE f.workspace_id OPERATOR(pg_catalog.=) $1 AND f.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/*
 * Of opening hours the words for the day in both languages too: its weekday, its
 * date, and today or tomorrow on the day of which they are told.
 */
LARAS_PLAN(
	read_cited_hours,
	"SELECT o.version, pg_catalog.concat_ws(E'\n', o.hours, pg_catalog.replace(o.hours, '-00:00', '-24:00'), o.note, "
	"'buka tutup jam pukul setiap hari libur open closed hours every day', "
	"(ARRAY['senin monday mondays', 'selasa tuesday tuesdays', 'rabu wednesday wednesdays', 'kamis thursday thursdays', "
	"'jumat friday fridays', 'sabtu saturday saturdays', 'minggu sunday sundays'])[d.weekday], "
	"CASE WHEN coalesce(o.on_date, n.today) OPERATOR(pg_catalog.=) n.today "
	"AND d.weekday OPERATOR(pg_catalog.=) pg_catalog.date_part('isodow', n.today) "
	"THEN 'hari ini malam ini sekarang today tonight now' END, "
	"CASE WHEN coalesce(o.on_date, n.today OPERATOR(pg_catalog.+) 1) OPERATOR(pg_catalog.=) (n.today OPERATOR(pg_catalog.+) 1) "
	"AND d.weekday OPERATOR(pg_catalog.=) pg_catalog.date_part('isodow', n.today OPERATOR(pg_catalog.+) 1) THEN 'besok tomorrow' END, "
	"pg_catalog.to_char(o.on_date, 'DD YYYY'), (ARRAY['januari january', 'februari february', 'maret march', 'april', 'mei may', "
	"'juni june', 'juli july', 'agustus august', 'september', 'oktober october', 'november', 'desember december'])"
	"[pg_catalog.date_part('month', o.on_date)::pg_catalog.int4]), NULL, NULL, NULL "
	"FROM laras.opening_hours o JOIN laras.workspace w ON w.workspace_id OPERATOR(pg_catalog.=) o.workspace_id "
	"CROSS JOIN LATERAL (SELECT (laras.now() AT TIME ZONE w.time_zone)::pg_catalog.date AS today) n "
	"CROSS JOIN LATERAL (SELECT coalesce(pg_catalog.date_part('isodow', o.on_date)::pg_catalog.int4, "
	"pg_catalog.array_position('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}', o.weekday)) AS weekday) d "
	"WHERE o.workspace_id OPERATOR(pg_catalog.=) $1 AND o.id OPERATOR(pg_catalog.=) $2",
	INT8OID, INT8OID);

/* of the voice nothing is a fact: a text is judged without it */
LARAS_PLAN(read_cited_voice,
		   "SELECT v.version, NULL, NULL, NULL, NULL FROM laras.brand_voice v "
		   "WHERE v.workspace_id OPERATOR(pg_catalog.=) $1 AND v.id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID);

static const struct
{
	const char *table;
	LarasPlan *plan;
} citable[] = {{"catalog_item", &read_cited_item},
			   {"policy_text", &read_cited_policy},
			   {"faq", &read_cited_faq},
			   {"opening_hours", &read_cited_hours},
			   {"brand_voice", &read_cited_voice}};

void
laras_answer_init(void)
{
	DefineCustomBoolVariable(
		"laras.classifier", "Whether the safety classifier judges texts.",
		"While it is off every draft is held for a person, and nothing new is sent.", &classifier,
		true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	laras_shelf_init();
}

/* blanks beyond ASCII, and signs that nobody sees: between words, and within them */
static bool
is_blank(pg_wchar c)
{
	return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
		   (c >= 0x2028 && c <= 0x2029) || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool
is_invisible(pg_wchar c)
{
	return c == 0xAD || c == 0x034F || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
		   (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
		   (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF;
}

/*
 * Lower case by the rules of the default collation, blanks of any kind and
 * length as one space and none at the ends, nothing that is not seen: a
 * comparison that neither case nor line breaks nor hidden signs escape.
 */
static char *
folded(const char *text, size_t n)
{
	char *low = laras_lower(text, n);
	bool utf8 = GetDatabaseEncoding() == PG_UTF8;
	char *to = low;
	int length;

	for (const char *from = low; *from != '\0'; from += length)
	{
		pg_wchar c;

		length = pg_mblen(from);
		c = length == 1 || !utf8 ? 0 : utf8_to_unicode((const unsigned char *) from);
		if (is_invisible(c))
			continue;
		if (length == 1 ? isspace((unsigned char) *from) : is_blank(c))
		{
			if (to > low && to[-1] != ' ')
				*to++ = ' ';
			continue;
		}
		memmove(to, from, length);
		to += length;
	}
	if (to > low && to[-1] == ' ')
		to--;
	*to = '\0';
	return low;
}

bool
laras_phrase_is_blank(const char *text, size_t n)
{
	return folded(text, n)[0] == '\0';
}

/* What the business forbids, and what it demands, folded; and how it speaks. */
typedef struct Phrase
{
	const char *text;
	const char *topic; /* of which it is demanded; NULL: of every one */
	bool forbidden;
} Phrase;

typedef struct Phrases
{
	Phrase *list;
	int n;
} Phrases;

/* of the batch's transaction, those of the workspace that was asked about last */
static LocalTransactionId batch_lxid = InvalidLocalTransactionId;
static int64 batch_workspace = 0;
static Phrases batch_phrases;

void
laras_judge_batch(void)
{
	batch_lxid = LARAS_MY_LXID;
	batch_workspace = 0;
}

bool
laras_judging_batch(void)
{
	return batch_lxid != InvalidLocalTransactionId && batch_lxid == LARAS_MY_LXID;
}

/* Inside SPI, whose calls leave their own memory context behind. */
static Phrases
read_all_phrases(int64 workspace_id, MemoryContext keep)
{
	Phrases phrases;
	uint64 n = laras_spi_read(&read_phrases, (Datum[]){Int64GetDatum(workspace_id)}, NULL);
	MemoryContext outside = MemoryContextSwitchTo(keep);

	phrases.list = palloc(sizeof(Phrase) * (n + 1));
	phrases.n = 0;
	for (uint64 i = 0; i < n; i++)
	{
		char *written = laras_spi_cstring(i, 1);
		char *topic = laras_spi_isnull(i, 2) ? NULL : laras_spi_cstring(i, 2);
		char *text = folded(written, strlen(written));

		if (text[0] == '\0')
			continue;
		phrases.list[phrases.n++] =
			(Phrase){pstrdup(text), topic != NULL ? pstrdup(topic) : NULL, laras_spi_bool(i, 3)};
	}
	MemoryContextSwitchTo(outside);
	return phrases;
}

/* The phrases of a workspace; in a batch they are read once. Inside SPI. */
static Phrases
phrases_of(int64 workspace_id)
{
	if (!laras_judging_batch())
		return read_all_phrases(workspace_id, CurrentMemoryContext);
	if (batch_workspace != workspace_id)
	{
		batch_workspace = 0;
		batch_phrases = read_all_phrases(workspace_id, TopTransactionContext);
		batch_workspace = workspace_id;
	}
	return batch_phrases;
}

/* Does the text, folded, hold a phrase that the business forbids? */
static bool
holds_forbidden(const Phrases *phrases, const char *low)
{
	for (int i = 0; i < phrases->n; i++)
		if (phrases->list[i].forbidden && strstr(low, phrases->list[i].text) != NULL)
			return true;
	return false;
}

const char *
laras_outcome_name(LarasOutcomeOfText outcome)
{
	return outcome == LARAS_VERDICT_PASS   ? "pass"
		   : outcome == LARAS_VERDICT_HOLD ? "hold"
										   : "block";
}

char *
laras_reasons_quoted(const LarasJudgement *judgement)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < judgement->n_reasons; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", judgement->reasons[i]);
	return list.data;
}

void
laras_require_let_through(const char *channel, const LarasTextVerdict *verdict)
{
	static const char *const units[] = {[LARAS_TEXT_CHARACTERS] = "characters",
										[LARAS_TEXT_UTF16] = "units of UTF-16",
										[LARAS_TEXT_BYTES] = "bytes"};
	const LarasJudgement *judgement = &verdict->judgement;
	const LarasChannelDriver *driver = laras_channel_driver(channel);

	if (judgement->outcome == LARAS_VERDICT_PASS)
		return;
	if (driver == NULL || driver->send == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("nothing can be answered over this channel")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the reply was not let through"),
			 judgement->n_reasons == 1
				 ? errdetail("The classifier gave the reason %s.", laras_reasons_quoted(judgement))
				 : errdetail("The classifier gave the reasons %s.",
							 laras_reasons_quoted(judgement)),
			 strcmp(judgement->reasons[0], LARAS_HOLD_TOO_LONG) == 0
				 ? errhint("This channel takes at most %d %s.", driver->send->text_limit,
						   units[driver->send->text_unit])
				 : 0));
}

/* Why no text like this may leave the workspace by that channel; NULL: it may. */
static const char *
blocking_reason(const Phrases *phrases, const char *channel, const char *text, size_t n)
{
	const LarasChannelDriver *driver = laras_channel_driver(channel);

	if (driver == NULL || driver->send == NULL)
		return LARAS_HOLD_NO_DRIVER;
	if (driver->send->text_limit > 0 &&
		laras_text_measure(driver->send->text_unit, text, n) > (size_t) driver->send->text_limit)
		return LARAS_HOLD_TOO_LONG;
	if (phrases->n > 0 && holds_forbidden(phrases, folded(text, n)))
		return LARAS_HOLD_FORBIDDEN_PHRASE;
	return NULL;
}

static void
give_reason(LarasJudgement *judgement, LarasOutcomeOfText outcome, const char *reason)
{
	judgement->outcome = Max(judgement->outcome, outcome);
	for (int i = 0; i < judgement->n_reasons; i++)
		if (strcmp(judgement->reasons[i], reason) == 0)
			return;
	if (judgement->n_reasons < LARAS_MAX_REASONS)
		judgement->reasons[judgement->n_reasons++] = reason;
}

/* The cited rows as facts; false where one of them changed or went. Inside SPI. */
static bool
read_facts(int64 workspace_id, const LarasSource *sources, int n, LarasFact *facts, int *n_facts)
{
	bool all = true;

	*n_facts = 0;
	for (int i = 0; i < n; i++)
	{
		LarasPlan *plan = NULL;

		for (int k = 0; k < lengthof(citable); k++)
			if (strcmp(citable[k].table, sources[i].table) == 0)
				plan = citable[k].plan;
		if (plan == NULL ||
			laras_spi_run(plan,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(sources[i].id)},
						  NULL) == 0)
		{
			all = false;
			continue;
		}
		if (laras_spi_int8(0, 1) != sources[i].version)
			all = false;
		if (laras_spi_isnull(0, 2))
			continue;
		facts[(*n_facts)++] = (LarasFact){laras_spi_cstring(0, 2), laras_spi_cstring(0, 3),
										  laras_spi_cstring(0, 4), laras_spi_cstring(0, 5)};
	}
	return all;
}

/* Does the text lack a phrase that the business demands for the topic? */
static bool
lacks_required(const Phrases *phrases, const char *topic, const char *text, size_t n)
{
	char *low = NULL;

	for (int i = 0; i < phrases->n; i++)
	{
		const Phrase *phrase = &phrases->list[i];

		if (phrase->forbidden || (phrase->topic != NULL && strcmp(phrase->topic, topic) != 0))
			continue;
		if (low == NULL)
			low = folded(text, n);
		if (strstr(low, phrase->text) == NULL)
			return true;
	}
	return false;
}

void
laras_require_phrases(int64 workspace_id, const char *channel, const char *topic, const char *text,
					  size_t n)
{
	LarasTextVerdict verdict = {.judgement = {.outcome = LARAS_VERDICT_PASS}};
	Phrases phrases = phrases_of(workspace_id);
	const char *reason = blocking_reason(&phrases, channel, text, n);

	if (reason != NULL)
		give_reason(&verdict.judgement, LARAS_VERDICT_BLOCK, reason);
	if (topic != NULL && lacks_required(&phrases, topic, text, n))
		give_reason(&verdict.judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_MISSING_PHRASE);
	laras_require_let_through(channel, &verdict);
}

/* What a text is held against, beside the phrases of the workspace. */
typedef struct Measure
{
	LarasAuthorOfText author;
	int64 contact_id;     /* who may be named; 0: nobody */
	const char *topic;    /* of what is answered */
	const char *language; /* in which it must be; NULL: any */
	const LarasFact *facts;
	int n_facts;
	const LarasVoices *voices; /* NULL: not read yet */
} Measure;

/*
 * A draft is what it answers: where that is none of the business's, neither is
 * the draft. A person may say so to a customer.
 */
static bool
is_off_scope(const char *text, size_t n, const Measure *by)
{
	if (by->author != LARAS_BY_PERSON)
	{
		if (strcmp(by->topic, laras_intent_name(LARAS_INTENT_OFF_SCOPE)) == 0)
			return true;
		if (by->n_facts == 0)
			return false;
	}
	return !laras_in_scope(text, n, by->facts, by->n_facts, by->author);
}

/*
 * What a text states, what it is about, how it speaks and of whom. A text that
 * rests on no row states nothing that a phrase would have to go with. Inside SPI.
 */
static void
judge_content(int64 workspace_id, const Phrases *phrases, const char *text, size_t n,
			  const Measure *by, LarasJudgement *judgement)
{
	const char *ungrounded[LARAS_GROUND_REASONS];
	const char *manner[LARAS_MANNER_REASONS];
	const LarasVoices *voices = by->voices != NULL ? by->voices : laras_voices_of(workspace_id);
	const char *whole = text;
	size_t whole_n = n;
	int count;

	/* what the business always says needs no ground */
	text = laras_without_voice(voices, text, &n);
	if (by->author != LARAS_BY_DRAFTER && laras_emoji_unwanted(voices, text, n))
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_EMOJI);
	if (is_off_scope(text, n, by))
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_OFF_SCOPE);
	count = laras_ground(text, n, by->facts, by->n_facts, ungrounded);
	for (int i = 0; i < count; i++)
		give_reason(judgement, LARAS_VERDICT_HOLD, ungrounded[i]);
	count = laras_manner(text, n, by->facts, by->n_facts, by->author, manner);
	for (int i = 0; i < count; i++)
		give_reason(judgement, LARAS_VERDICT_HOLD, manner[i]);
	if (laras_names_another(workspace_id, by->contact_id, text, n, by->facts, by->n_facts))
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_OTHER_PERSON);
	if (by->n_facts > 0 && lacks_required(phrases, by->topic, whole, whole_n))
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_MISSING_PHRASE);
	if (by->language != NULL && laras_other_language(text, n, strcmp(by->language, "en") == 0))
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_WRONG_LANGUAGE);
}

void
laras_judge_draft(int64 workspace_id, int64 contact_id, const char *channel,
				  const LarasComposed *composed, bool by_model, LarasJudgement *judgement)
{
	LarasFact *facts = palloc0(sizeof(LarasFact) * (composed->n_sources + 1));
	size_t n = strlen(composed->text);
	Measure by = {.author = by_model ? LARAS_BY_MODEL : LARAS_BY_DRAFTER,
				  .contact_id = contact_id,
				  .topic = composed->intent,
				  /* the built-in drafter quotes a policy in the language that it has */
				  .language = by_model ? composed->language : NULL,
				  .facts = facts,
				  /* read again as another role, the plan would be made again each time */
				  .voices = composed->voices};
	const char *reason;
	Phrases phrases;

	judgement->outcome = LARAS_VERDICT_PASS;
	judgement->n_reasons = 0;
	if (!classifier)
	{
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_CLASSIFIER_UNAVAILABLE);
		return;
	}
	laras_spi_open();
	phrases = phrases_of(workspace_id);
	reason = blocking_reason(&phrases, channel, composed->text, n);
	if (reason != NULL)
		give_reason(judgement, LARAS_VERDICT_BLOCK, reason);
	if (!read_facts(workspace_id, composed->sources, composed->n_sources, facts, &by.n_facts))
		give_reason(judgement, LARAS_VERDICT_HOLD, LARAS_HOLD_SOURCE_CHANGED);
	judge_content(workspace_id, &phrases, composed->text, n, &by, judgement);
	laras_spi_close();
}

void
laras_classifier_require(void)
{
	if (!classifier)
		ereport(ERROR, (errcode(LARAS_ERRCODE_CLASSIFIER_OFF),
						errmsg("the safety classifier is off, so nothing can be sent"),
						errhint("It is switched by laras.classifier.")));
}

/* What a person states must stand in a row that the search finds for it. */
#define FOUND_ITEMS 12
#define FOUND_TEXTS 8
#define FOUND_HOURS 16

/* What the customer wrote last, read like a question; NULL where nothing opens. Inside SPI. */
static LarasQuestion *
read_customer(int64 workspace_id, int64 contact_id)
{
	LarasQuestion *read;
	char *text;
	size_t n;

	if (laras_spi_run(&read_last_words,
					  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(contact_id)},
					  NULL) == 0 ||
		laras_try_open((bytea *) laras_spi_varlena(0, 2), workspace_id, laras_spi_int8(0, 1),
					   LARAS_FIELD_message_body, &text, &n) != LARAS_OPENED)
		return NULL;
	read = laras_read_question(text, n);
	laras_read_intent(read);
	return read;
}

static void
judge_own_words(int64 workspace_id, const Phrases *phrases, const LarasOutgoing *out,
				LarasJudgement *judgement)
{
	LarasSource sources[FOUND_ITEMS + FOUND_TEXTS + FOUND_HOURS];
	LarasFact facts[FOUND_ITEMS + FOUND_TEXTS + FOUND_HOURS];
	Measure by = {.author = LARAS_BY_PERSON,
				  .contact_id = out->contact_id,
				  .topic = laras_intent_name(LARAS_INTENT_UNCLEAR),
				  .facts = facts};
	const LarasFindings *items;
	const LarasFindings *texts;
	LarasQuestion *read;
	LarasQuestion *customer;
	int count = 0;

	(void) laras_spelling_refresh();
	customer = read_customer(workspace_id, out->contact_id);
	if (customer != NULL)
	{
		by.topic = laras_intent_name(customer->intent);
		by.language = customer->english ? "en" : "id";
	}
	read = laras_read_question(out->text, out->n);
	laras_read_intent(read);
	items = laras_find_items(workspace_id, read);
	texts = laras_find_texts(workspace_id, read, read->intent);
	for (int i = 0; i < Min(items->n, FOUND_ITEMS); i++)
		sources[count++] = items->row[i].source;
	for (int i = 0; i < Min(texts->n, FOUND_TEXTS); i++)
		sources[count++] = texts->row[i].source;
	if (read->weight[LARAS_INTENT_HOURS] > 0)
		count += laras_hours_sources(workspace_id, &sources[count], FOUND_HOURS);
	(void) read_facts(workspace_id, sources, count, facts, &by.n_facts);
	judge_content(workspace_id, phrases, out->text, out->n, &by, judgement);
}

void
laras_judge_text(int64 workspace_id, const LarasOutgoing *out, LarasTextVerdict *verdict)
{
	LarasJudgement *judgement = &verdict->judgement;
	const char *reason;
	Phrases phrases;

	laras_classifier_require();
	verdict->id = 0;
	judgement->outcome = LARAS_VERDICT_PASS;
	judgement->n_reasons = 0;
	laras_text_digest(laras_workspace_slot(workspace_id), out->contact_slot, out->message_id,
					  out->text, out->n, verdict->digest);
	laras_spi_open();
	phrases = phrases_of(workspace_id);
	reason = blocking_reason(&phrases, out->channel, out->text, out->n);
	if (reason != NULL)
		give_reason(judgement, LARAS_VERDICT_BLOCK, reason);
	if (out->own_words && laras_people_rule(workspace_id, out->channel))
		judge_own_words(workspace_id, &phrases, out, judgement);
	if (judgement->outcome == LARAS_VERDICT_PASS)
	{
		verdict->id = laras_new_id();
		laras_spi_run_one(&add_verdict,
						  (Datum[]){Int64GetDatum(workspace_id), Int64GetDatum(verdict->id),
									Int64GetDatum(out->message_id), Int64GetDatum(out->contact_id),
									laras_bytea_datum(verdict->digest, sizeof(verdict->digest)),
									CStringGetTextDatum(CLASSIFIER),
									CStringGetTextDatum(out->purpose)},
						  NULL);
	}
	laras_spi_close();
}
