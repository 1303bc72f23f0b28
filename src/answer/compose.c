/*
 * compose.c
 *		Composes an answer from rows, or hands over; see drafter.h.
 *
 * Invariant: each part of a text that states anything is written beside the
 * citation of the row it states.  Nothing of the question is repeated in the
 * answer.
 */
#include "postgres.h"

#include "answer/choose.h"
#include "answer/clause.h"
#include "answer/drafter.h"
#include "answer/hours.h"
#include "answer/outside.h"
#include "answer/question.h"
#include "answer/retrieve.h"
#include "answer/spelling.h"
#include "answer/voice.h"
#include "answer/whenasked.h"
#include "answer/wording.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/* So much better a policy or FAQ must match to be taken before an item that was asked about. */
#define TEXT_AHEAD 0.15f
/* A cue of this weight is a question of its own; one of that, beside an item's name. */
#define DECIDES 3
/* Of the heading of a policy or FAQ, to answer beside an item. */
#define BESIDES_HEADING 0.4f
#define HINTS 2

/* Confidence of what may be right and may be beside the point; of no ground at all. */
#define UNSURE 0.6f
/* Of asking which one is meant, where all of them have what was written. */
#define ASKS 0.72f
#define PLAIN_COVERAGE 0.85f
#define NO_GROUND 0.2f
/* Of thanks beside words that nobody knows, and that ask nothing. */
#define THANKED 0.85f
/* Of opening hours by the rows that have them. */
#define HOURS_KNOWN 0.92f

#define SOURCES 16
/* Words of a clause that asks by being there ("ongkir Depok"), at most. */
#define SHORT_CLAUSE 4
/* Questions in one message that are answered one by one, at most. */
#define CLAUSES 4
/* Bytes of the business's own text in one answer. */
#define TEXT_BYTES 900
#define DESCRIPTION_BYTES 400

typedef struct Composition
{
	const LarasQuestion *question;
	const LarasVoice *voice; /* of the question's language */
	StringInfoData text;
	LarasSource source[SOURCES + 1]; /* and the voice */
	int n_sources;
	LarasIntent intent;
	float confidence;
	bool hand_over;
	bool namesakes;         /* rows of one name say different things */
	bool asks;              /* which of several is meant */
	const LarasWord **word; /* that were looked for; both searches have them in one order */
	int words;
	uint64 covered;   /* those that the rows answered from have */
	uint64 elsewhere; /* those that stand in the heading of some policy or FAQ */
	uint64 unknown;   /* those that no row has */
	uint64 asides;    /* those that tell why somebody asks */
	bool outside;     /* a word of another field than a shop's stands in no row of the answer */
} Composition;

static void
cite(Composition *c, const LarasFound *row)
{
	for (int i = 0; i < c->n_sources; i++)
		if (strcmp(c->source[i].table, row->source.table) == 0 && c->source[i].id == row->source.id)
			return;
	Assert(c->n_sources < SOURCES);
	c->covered |= row->matched;
	c->source[c->n_sources++] = row->source;
}

/* How the customer is called. */
static const char *
address_of(const Composition *c)
{
	return c->voice->given ? c->voice->address : laras_usual_address(c->question->english);
}

/* A phrase of the drafter's own, as a format. */
static const char *
say(const Composition *c, LarasWording wording)
{
	return laras_wording(wording, c->question->english, address_of(c), true);
}

static void
append_said(Composition *c, LarasWording wording)
{
	appendStringInfoString(&c->text,
						   laras_wording(wording, c->question->english, address_of(c), false));
}

/* A blank between parts. */
static void
next_part(Composition *c)
{
	if (c->text.len > 0)
		appendStringInfoChar(&c->text, ' ');
}

static void
hand_over(Composition *c, LarasIntent intent, float confidence)
{
	resetStringInfo(&c->text);
	appendStringInfoString(&c->text,
						   laras_hand_over_wording(intent, c->question->english, address_of(c)));
	c->n_sources = 0;
	c->intent = intent;
	c->confidence = confidence;
	c->hand_over = true;
}

/* The price as people write it. */
static const char *
price_of(const Composition *c, const LarasFound *row)
{
	StringInfoData price;

	initStringInfo(&price);
	laras_append_price(&price, row->price, row->currency, c->question->english);
	return price.data;
}

static void
add_price(Composition *c, const LarasFound *row)
{
	appendStringInfo(&c->text, say(c, LARAS_SAY_PRICE), row->heading, price_of(c, row));
	if (row->stock == 0)
		append_said(c, LARAS_SAY_BUT_OUT);
}

static void
add_stock(Composition *c, const LarasFound *row)
{
	if (row->stock > 0)
		appendStringInfo(&c->text, say(c, LARAS_SAY_IN_STOCK), row->heading, row->stock);
	else
		appendStringInfo(&c->text, say(c, LARAS_SAY_OUT_OF_STOCK), row->heading);
}

/* Ends a sentence that a row may have left open. */
static void
full_stop(Composition *c)
{
	if (c->text.len > 0 && strchr(".!?", c->text.data[c->text.len - 1]) == NULL)
		appendStringInfoChar(&c->text, '.');
}

/* What the row says of the item, then price and stock where they are known. */
static void
add_product(Composition *c, const LarasFound *row)
{
	StringInfoData description;
	bool whole;

	initStringInfo(&description);
	(void) laras_append_sentences(&description, row->body, DESCRIPTION_BYTES, c->question, &whole);
	appendStringInfoString(&c->text, row->heading);
	if (description.len > 0)
		appendStringInfo(&c->text, ": %s", description.data);
	full_stop(c);
	if (row->attributes != NULL && row->attributes[0] != '\0')
	{
		appendStringInfo(&c->text, " %s", row->attributes);
		full_stop(c);
	}
	if (row->price != NULL)
		appendStringInfo(&c->text, say(c, LARAS_SAY_ITS_PRICE), price_of(c, row));
	if (row->stock > 0)
		appendStringInfo(&c->text, say(c, LARAS_SAY_ITS_STOCK), row->stock);
	else if (row->stock == 0)
		append_said(c, LARAS_SAY_BUT_OUT);
}

/* Price and stock asked together: the other one behind the first. False where it is not known. */
static bool
add_other_half(Composition *c, const LarasFound *row, LarasIntent said)
{
	const int *weight = c->question->weight;

	if (said == LARAS_INTENT_PRICE && weight[LARAS_INTENT_STOCK] > 0)
	{
		if (row->stock > 0)
			appendStringInfo(&c->text, say(c, LARAS_SAY_ITS_STOCK), row->stock);
		return row->stock >= 0 || weight[LARAS_INTENT_STOCK] < DECIDES;
	}
	if (said == LARAS_INTENT_STOCK && weight[LARAS_INTENT_PRICE] >= HINTS)
	{
		if (row->price != NULL)
			appendStringInfo(&c->text, say(c, LARAS_SAY_ITS_PRICE), price_of(c, row));
		return row->price != NULL;
	}
	return true;
}

/* More pieces are wanted than there are: that is for a person to see to. */
static bool
wants_more(const LarasQuestion *question, const LarasFound *row)
{
	for (int i = 0; i < question->n; i++)
		if (question->word[i].pieces && strlen(question->word[i].text) < 9 && row->stock >= 0 &&
			strtol(question->word[i].text, NULL, 10) > row->stock &&
			question->weight[LARAS_INTENT_PRICE] == 0)
			return true;
	return false;
}

/* One item; false where the row does not hold what was asked. */
static bool
add_item(Composition *c, const LarasFound *row, LarasIntent intent)
{
	if ((intent == LARAS_INTENT_PRICE && row->price == NULL) ||
		(intent == LARAS_INTENT_STOCK && row->stock < 0) ||
		(row->stock > 0 && wants_more(c->question, row)))
		return false;
	next_part(c);
	/* More than the price is asked for where several words are not of the name. */
	if (intent == LARAS_INTENT_PRICE && pg_popcount64(row->matched & ~row->named) < 2)
		add_price(c, row);
	else if (intent == LARAS_INTENT_STOCK &&
			 pg_popcount64(row->matter & ~row->named & ~row->listed) < 2)
		add_stock(c, row);
	else
	{
		/* price and stock are said there */
		add_product(c, row);
		cite(c, row);
		return (intent != LARAS_INTENT_PRICE || c->question->weight[LARAS_INTENT_STOCK] < DECIDES ||
				row->stock >= 0) &&
			   (intent != LARAS_INTENT_STOCK || c->question->weight[LARAS_INTENT_PRICE] < HINTS ||
				row->price != NULL);
	}
	cite(c, row);
	return add_other_half(c, row, intent);
}

/* Asks which of the items is meant, by their names. */
static void
ask_which(Composition *c, const LarasChoice *choice)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < choice->n; i++)
	{
		if (i > 0)
			appendStringInfoString(&names,
								   i < choice->n - 1 || choice->more ? ", " : say(c, LARAS_SAY_OR));
		appendStringInfoString(&names, choice->row[i]->heading);
		cite(c, choice->row[i]);
	}
	next_part(c);
	appendStringInfo(&c->text, say(c, choice->more ? LARAS_SAY_AMONG : LARAS_SAY_WHICH),
					 names.data);
}

/*
 * How sure an answer about this item is.  A word that only its attributes hold may
 * name one of several variants, which share the number in stock; a number that
 * it does not hold may be a size or a quantity; a corrected spelling is a guess.
 */
static float
item_confidence(const LarasFindings *items, const LarasFound *row, LarasIntent intent,
				const LarasQuestion *question)
{
	float confidence = 0.55f + 0.4f * Min(row->coverage, 1.0f);

	if (row->matched & items->corrected)
		confidence -= 0.05f;
	if (row->beside)
		confidence = Min(confidence, UNSURE);
	if ((intent == LARAS_INTENT_STOCK && row->stock > 0 && row->listed != 0) ||
		(items->numbers & ~row->matched) != 0)
		confidence = Min(confidence, UNSURE);
	if (question->weight[intent] < DECIDES)
		confidence -= 0.1f;
	/* nothing of an item is asked for by a cue, and a word is said that nobody knows */
	if (question->weight[intent] < HINTS && (items->absent & ~items->asides & ~items->numbers) != 0)
		confidence = Min(confidence, UNSURE);
	return confidence;
}

/* "C to C": a word is looked for once, and may tell more by being said again. */
static bool
is_said_again(const LarasQuestion *question, int i)
{
	for (int k = 0; k < i && !question->word[i].filler; k++)
		if (strcmp(question->word[k].text, question->word[i].text) == 0)
			return true;
	return false;
}

/* Is it asked when it is there again?  That it is not there does not say so. */
static bool
asks_when(const LarasQuestion *question)
{
	for (int i = 0; i < question->n; i++)
		if (strcmp(question->word[i].text, "kapan") == 0 ||
			strcmp(question->word[i].text, "when") == 0)
			return true;
	return false;
}

/* The part about items; false where a row does not hold what was asked. */
static bool
add_items(Composition *c, const LarasFindings *items, const LarasChoice *choice, LarasIntent intent)
{
	if (choice->ask && (choice->n > 1 || choice->row[0]->beside || choice->more))
	{
		/* what is asked about an item may be what a rule of the business says of all */
		bool plain =
			choice->n > 1 && (laras_says_name_alone(c->question) ||
							  (c->question->weight[intent] > 0 &&
							   (intent != LARAS_INTENT_PRODUCT || laras_wants_list(c->question))));

		/* how many are wanted may tell which */
		for (int i = 0; i < c->question->n; i++)
			plain &= !c->question->word[i].pieces && !c->question->word[i].counted &&
					 !is_said_again(c->question, i);
		plain &= !choice->more;
		for (int i = 0; i < choice->n; i++)
			plain &= choice->row[i]->coverage >= PLAIN_COVERAGE && !choice->row[i]->beside &&
					 (choice->row[i]->matched & items->corrected) == 0;
		ask_which(c, choice);
		c->asks = true;
		c->confidence = Min(c->confidence, plain ? ASKS : UNSURE);
		return true;
	}
	for (int i = 0; i < choice->n; i++)
	{
		if (!add_item(c, choice->row[i], intent))
			return false;
		c->confidence =
			Min(c->confidence, item_confidence(items, choice->row[i], intent, c->question));
		if (choice->ask || (choice->row[i]->stock == 0 && asks_when(c->question)))
			c->confidence = Min(c->confidence, UNSURE);
	}
	return true;
}

/* Does its heading have all that is asked, and is nothing asked of goods? */
static bool
is_all_asked(const Composition *c, const LarasFound *row)
{
	return row->named != 0 && row->coverage >= PLAIN_COVERAGE &&
		   c->question->weight[LARAS_INTENT_PRICE] < HINTS &&
		   c->question->weight[LARAS_INTENT_STOCK] < HINTS;
}

/* The part that is the business's own words; false where no sentence of them is short enough. */
static bool
add_text(Composition *c, const LarasFound *row)
{
	float confidence = 0.55f + 0.25f * Min(row->coverage, 1.0f) + 0.17f * row->on_topic;
	bool whole;

	next_part(c);
	if (!laras_append_sentences(&c->text, row->body, TEXT_BYTES, c->question, &whole))
		return false;
	cite(c, row);
	if (!row->on_topic && pg_popcount64(row->matched) == 1 &&
		row->heading_coverage < LARAS_RIVAL_COVERAGE && !is_all_asked(c, row))
		confidence = Min(confidence, UNSURE);
	if (row->doubtful)
		confidence = Min(confidence, UNSURE);
	if (row->english != c->question->english)
		confidence -= 0.25f;
	/* What was left out may matter. */
	if (!whole)
		confidence = Min(confidence, UNSURE);
	c->confidence = Min(c->confidence, confidence);
	return true;
}

/* Other rows that were found, and by which they were looked for. */
typedef struct OtherRows
{
	const LarasFindings *texts;
	const LarasFindings *items;
	const LarasChoice *choice;
} OtherRows;

/* Does a policy or FAQ, or an item that is meant, have the word? */
static bool
is_known_elsewhere(const void *context, const LarasWord *word)
{
	const OtherRows *other = context;

	for (int i = 0; i < other->texts->words; i++)
		if (strcmp(other->texts->word[i]->text, word->text) == 0)
			for (int k = 0; k < other->texts->n; k++)
				if (other->texts->row[k].matched & (UINT64CONST(1) << i))
					return true;
	for (int i = 0; i < other->items->words; i++)
		if (strcmp(other->items->word[i]->text, word->text) == 0)
			for (int k = 0; k < other->choice->n; k++)
				if (other->choice->row[k]->matched & (UINT64CONST(1) << i))
					return true;
	return false;
}

/* The part that is the opening hours of the rows; false where they say nothing to it. */
static bool
add_hours(Composition *c, const LarasHoursAnswer *hours)
{
	if (c->n_sources + hours->n > SOURCES)
		return false;
	next_part(c);
	appendStringInfoString(&c->text, hours->text);
	memcpy(&c->source[c->n_sources], hours->source, sizeof(LarasSource) * hours->n);
	c->n_sources += hours->n;
	/* words of time are told by no row's words */
	c->covered = ~UINT64CONST(0);
	c->confidence = Min(c->confidence, hours->sure ? HOURS_KNOWN : UNSURE);
	return true;
}

static LarasIntent
heaviest(const LarasQuestion *question, LarasIntent from, LarasIntent to)
{
	LarasIntent best = from;

	for (int i = from + 1; i <= to; i++)
		if (question->weight[i] > question->weight[best])
			best = i;
	return best;
}

/* Does it say that something opens or closes? */
static bool
speaks_of_opening(const LarasQuestion *question)
{
	LarasWhen when;

	laras_read_when(question, &when);
	return when.opening;
}

/*
 * The one policy or FAQ that has what the question says beside an item's name
 * ("20 flashdisk dapat diskon?"); NULL where there is none, or are several alike.
 */
static LarasFound *
says_besides(const LarasFindings *texts, const LarasFound *item, const LarasQuestion *question)
{
	uint64 left = ~item->matched & ~texts->asides & ~texts->numbers;
	LarasFound *best = NULL;
	int most = 0;
	bool alone = false;
	bool many = false;

	/* what is said of many pieces stands seldom above the rule */
	for (int i = 0; i < question->n; i++)
		many |= question->word[i].pieces;
	for (int i = 0; i < texts->words; i++)
		if (texts->word[i]->cues != 0)
			left &= ~(UINT64CONST(1) << i);
	for (int i = 0; i < texts->n; i++)
	{
		LarasFound *row = &texts->row[i];
		int has = 2 * pg_popcount64(row->named & left) + pg_popcount64(row->matched & left);

		if (((row->named & left) == 0 || row->heading_coverage < BESIDES_HEADING) && !many)
			continue;
		has = 2 * has + (row->english == question->english);
		if (has < most || (row->matched & left) == 0)
			continue;
		alone = has > most;
		most = has;
		best = row;
	}
	return alone ? best : NULL;
}

/*
 * A question of the business: about items, about its rules, or both.  Where
 * one part of a double question has no ground, a person answers all of it.
 */
static void
answer_from_rows(Composition *c, int64 workspace_id)
{
	const LarasQuestion *question = c->question;
	LarasIntent of_item = heaviest(question, LARAS_INTENT_PRICE, LARAS_INTENT_PRODUCT);
	LarasIntent topic = heaviest(question, LARAS_INTENT_HOURS, LARAS_INTENT_LOCATION);
	bool asks_topic;
	bool asks_item;
	const LarasFindings *items;
	const LarasFindings *texts;
	LarasFound *text;
	LarasFound *besides = NULL;
	LarasChoice choice = {0};
	LarasHoursAnswer hours;
	bool has_hours;

	/* a time of day is told of many things: hours are asked for where something opens */
	if (topic == LARAS_INTENT_HOURS && !speaks_of_opening(question))
	{
		LarasIntent other = heaviest(question, LARAS_INTENT_DELIVERY, LARAS_INTENT_LOCATION);

		if (question->weight[other] >= DECIDES)
			topic = other;
	}
	asks_topic = question->weight[topic] >= DECIDES;
	/* what it costs to give back is no price of the item */
	asks_item = !asks_topic || (question->weight[of_item] >= HINTS &&
								topic != LARAS_INTENT_RETURNS && topic != LARAS_INTENT_WARRANTY);
	if (question->weight[of_item] == 0)
		of_item = LARAS_INTENT_PRODUCT;
	items = laras_find_items(workspace_id, question);
	choice = laras_choose_items(items);
	if (choice.ask && !choice.more)
		laras_take_joined(&choice, items, question);
	/* "Airport Transfer" asks nothing about paying. */
	if (asks_topic && choice.n == 1 && laras_fully_named(choice.row[0]) &&
		items->told[topic] != 0 && (items->told[topic] & ~choice.row[0]->named) == 0)
	{
		asks_topic = false;
		asks_item = true;
	}
	texts = laras_find_texts(workspace_id, question, asks_topic ? topic : LARAS_INTENT_UNCLEAR);
	text = laras_choose_text(texts, question);
	c->word = texts->word;
	c->words = texts->words;
	c->elsewhere = texts->named;
	c->asides = texts->asides;
	c->unknown = texts->absent & (items->words > 0 ? items->absent : ~UINT64CONST(0));
	if (text != NULL && !text->on_topic && laras_text_has_rival(texts, text, question))
		text->doubtful = true;
	/* What is returned is often told where the warranty is. */
	if (text == NULL && asks_topic && topic == LARAS_INTENT_WARRANTY)
		text = laras_choose_text(laras_find_texts(workspace_id, question, LARAS_INTENT_RETURNS),
								 question);
	/* What went since the words were read is no ground. */
	if (choice.n == 1 && !choice.ask && !asks_topic)
	{
		LarasFound *other = says_besides(texts, choice.row[0], question);

		if (other != NULL)
			text = besides = other;
	}
	if (!laras_read_items(workspace_id, question->english, choice.row, choice.n))
		choice.n = 0;
	if (text != NULL && !laras_read_text(workspace_id, text))
		text = NULL;
	/* to quote both would leave the customer to choose the price */
	if ((asks_item || text == NULL) && !laras_part_namesakes(&choice))
	{
		hand_over(c, of_item, NO_GROUND);
		c->namesakes = true;
		return;
	}

	has_hours = asks_topic && topic == LARAS_INTENT_HOURS &&
				laras_answer_hours(workspace_id, question, is_known_elsewhere,
								   &(OtherRows){texts, items, &choice}, &hours);
	/* a policy that says nothing of the day may be beside the point */
	if (asks_topic && topic == LARAS_INTENT_HOURS && hours.unknown)
		c->confidence = UNSURE;
	if (has_hours && !(asks_item && choice.n > 0 && choice.named && !choice.ask))
	{
		c->intent = topic;
		if (!add_hours(c, &hours))
			hand_over(c, topic, NO_GROUND);
		return;
	}

	/* "what time is yoga" is about the class, where the opening hours say nothing of one. */
	if (asks_topic && topic == LARAS_INTENT_HOURS && choice.n == 1 && !choice.ask &&
		!speaks_of_opening(question) && choice.row[0]->coverage >= PLAIN_COVERAGE &&
		(text == NULL || text->coverage < LARAS_RIVAL_COVERAGE))
	{
		asks_topic = false;
		of_item = LARAS_INTENT_PRODUCT;
		text = NULL;
		c->confidence = UNSURE;
	}

	if (asks_topic)
	{
		/* "berapa ongkir ke Bali" names no item, but "tutup botol" may: nobody can be sure. */
		if (choice.n > 0 && !(asks_item && choice.named && !choice.ask))
		{
			choice.n = 0;
			if (text == NULL || (text->coverage < LARAS_RIVAL_COVERAGE &&
								 !(text->on_topic && topic != LARAS_INTENT_HOURS)))
				c->confidence = UNSURE;
		}
		c->intent = choice.n > 0 ? of_item : topic;
		if (text == NULL && !has_hours)
			hand_over(c, topic, NO_GROUND);
		else if (choice.n > 0 && !add_items(c, items, &choice, of_item))
			hand_over(c, of_item, NO_GROUND);
		else if (has_hours ? !add_hours(c, &hours) : !add_text(c, text))
			hand_over(c, topic, NO_GROUND);
		return;
	}

	if (besides != NULL && text == besides && choice.n == 1)
	{
		bool goods = question->weight[LARAS_INTENT_PRICE] >= HINTS ||
					 question->weight[LARAS_INTENT_STOCK] >= HINTS;

		c->intent = of_item;
		if (goods && !add_items(c, items, &choice, of_item))
			hand_over(c, of_item, NO_GROUND);
		else if (!add_text(c, besides))
			hand_over(c, LARAS_INTENT_PRODUCT, NO_GROUND);
		return;
	}

	if (text != NULL && choice.n > 0)
	{
		float ahead = text->coverage - choice.row[0]->coverage;
		bool of_goods = of_item != LARAS_INTENT_PRODUCT && question->weight[of_item] >= HINTS;

		/* what no word of buying asks of an item that is hardly called is the rule's to say */
		if (question->weight[of_item] < HINTS && !laras_fully_named(choice.row[0]) &&
			pg_popcount64(text->matter) >= pg_popcount64(choice.row[0]->matter) && text->named != 0)
			choice.n = 0;
		/* to ask back is worse than to say what fits as well, by more than one word */
		else if (choice.ask && !of_goods && ahead >= 0 && pg_popcount64(text->matched) > 1)
			choice.n = 0;

		/* The better match; an item that was asked for by a word of buying is preferred. */
		else if (question->weight[of_item] >= HINTS ? ahead <= TEXT_AHEAD : ahead < 0)
			text = NULL;
	}
	if (text != NULL)
	{
		c->intent = LARAS_INTENT_PRODUCT;
		if (!add_text(c, text))
			hand_over(c, LARAS_INTENT_PRODUCT, NO_GROUND);
	}
	else if (choice.n > 0)
	{
		c->intent = of_item;
		if (!add_items(c, items, &choice, of_item))
			hand_over(c, of_item, NO_GROUND);
	}
	else if (question->weight[LARAS_INTENT_THANKS] >= DECIDES &&
			 question->weight[of_item] < DECIDES)
	{
		append_said(c, LARAS_SAY_THANKS);
		c->intent = LARAS_INTENT_THANKS;
		c->confidence = question->weight[question->intent] == 0 ? THANKED : UNSURE;
	}
	else
		hand_over(c, question->intent, NO_GROUND);
}

/* Is a word of the question one that the answer's rows have, or that told their topic? */
static bool
is_covered(const void *composition, const LarasWord *word)
{
	const Composition *c = composition;

	if (laras_intent_is_topic(c->intent) && (word->cues & LARAS_CUE(c->intent)))
		return true;
	for (int i = 0; i < c->words; i++)
		if (strcmp(c->word[i]->text, word->text) == 0)
			return (c->covered & (UINT64CONST(1) << i)) != 0;
	return false;
}

/* The same for the whole question or a clause of it, and what it leaves. */
static void
answer_part(Composition *c, int64 workspace_id)
{
	answer_from_rows(c, workspace_id);
	c->outside = laras_leaves_other_field(c->question,
										  c->n_sources > 0 &&
											  strcmp(c->source[0].table, "opening_hours") == 0,
										  is_covered, c);
}

/*
 * Two questions in one: each clause is answered alone, where every one of them
 * is, and surely where that is asked for; what a clause does not say of itself is what the whole asks.
 * False where they are not: then the question is one.
 */
static bool
compose_clauses(Composition *c, int64 workspace_id, bool surely, int least)
{
	LarasClause clause[CLAUSES];
	int n = laras_find_clauses(c->question, clause, CLAUSES);
	LarasIntent of_item = heaviest(c->question, LARAS_INTENT_PRICE, LARAS_INTENT_PRODUCT);
	Composition all = {.question = c->question, .voice = c->voice, .confidence = 1};
	int hours = 0;
	int answered = 0;

	if (n < 2)
		return false;
	initStringInfo(&all.text);
	for (int i = 0; i < n; i++)
	{
		LarasQuestion *part = laras_part_of_question(c->question, clause[i].from, clause[i].to);
		Composition one = {.question = part, .voice = c->voice, .confidence = 1};
		LarasIntent asked;
		int cited = all.n_sources;

		/* a story, or what something is asked of */
		if (!laras_clause_asks(c->question, &clause[i]) && !clause[i].joined &&
			!(i + 1 < n && clause[i + 1].joined))
			continue;
		laras_read_intent(part);
		asked = heaviest(part, LARAS_INTENT_PRICE, LARAS_INTENT_LOCATION);
		if (part->weight[asked] == 0 && c->question->weight[of_item] > 0 &&
			!laras_asks_by_itself(part))
		{
			/* a list of names, or something said beside the question */
			if (!clause[i].joined && !(i + 1 < n && clause[i + 1].joined))
				return false;
			part->weight[of_item] = c->question->weight[of_item];
		}
		/* when it is open is one question, however it is told */
		if (asked == LARAS_INTENT_HOURS && part->weight[asked] > 0 && hours++ > 0)
			return false;
		initStringInfo(&one.text);
		answer_part(&one, workspace_id);
		if (one.hand_over || one.asks || (surely && one.confidence <= UNSURE) ||
			one.n_sources == 0 || all.n_sources + one.n_sources > SOURCES)
			return false;
		for (int k = 0; k < one.n_sources; k++)
		{
			bool again = false;

			for (int m = 0; m < all.n_sources; m++)
				again |= all.source[m].id == one.source[k].id &&
						 strcmp(all.source[m].table, one.source[k].table) == 0;
			if (!again)
				all.source[all.n_sources++] = one.source[k];
		}
		/* Nothing new: the clauses are about one thing. */
		if (all.n_sources == cited)
			return false;
		next_part(&all);
		appendStringInfoString(&all.text, one.text.data);
		all.intent = answered++ == 0 ? one.intent : all.intent;
		all.confidence = Min(all.confidence, one.confidence);
		all.outside |= one.outside;
	}
	/* one alone is asked of what the others tell */
	if (answered < least || all.confidence < UNSURE)
		return false;
	if (answered < 2)
		all.confidence = Min(all.confidence, UNSURE);
	*c = all;
	return true;
}

/* Does no row have the word? */
static bool
is_unknown(const Composition *c, const LarasWord *word)
{
	for (int i = 0; i < c->words; i++)
		if (strcmp(c->word[i]->text, word->text) == 0)
			return (c->unknown & (UINT64CONST(1) << i)) != 0;
	return true;
}

static bool
is_aside(const Composition *c, const LarasWord *word)
{
	for (int i = 0; i < c->words; i++)
		if (strcmp(c->word[i]->text, word->text) == 0)
			return (c->asides & (UINT64CONST(1) << i)) != 0;
	return word->aside;
}

/*
 * Does a clause say anything to answer?  A story does not ("saya di Cibubur"): it
 * has no word that any row has, and asks nothing.
 */
static bool
says_something(const Composition *c, const LarasClause *clause)
{
	bool asked = laras_clause_asks(c->question, clause);
	bool told = false; /* a topic */
	bool known = false;
	bool matter = false;

	for (int i = clause->from; i < clause->to; i++)
	{
		const LarasWord *word = &c->question->word[i];

		told |= laras_word_opens(word);
		for (int k = LARAS_INTENT_HOURS + 1; k <= LARAS_INTENT_LOCATION; k++)
			told |= (word->cues & LARAS_CUE(k)) != 0;
		if (word->filler || is_aside(c, word) || word->counted || word->pieces || word->cues != 0)
			continue;
		known |= !is_unknown(c, word);
		matter = true;
	}
	if (told)
		return asked || clause->joined || clause->to - clause->from <= SHORT_CLAUSE;
	return (known && (clause->joined || !laras_intent_is_topic(c->intent))) || (matter && asked);
}

/*
 * Does the answer leave a clause of the question aside: one that names something
 * of which the rows have no word, or one of two things that are joined, where
 * one row is all that was found?
 */
static bool
leaves_something(const Composition *c)
{
	LarasClause clause[CLAUSES];
	int n = laras_find_clauses(c->question, clause, CLAUSES);

	for (int i = 0; i < n && n > 1; i++)
	{
		bool says = says_something(c, &clause[i]);
		bool covered = !says;

		for (int k = clause[i].from; k < clause[i].to && !covered; k++)
			covered = !c->question->word[k].filler && is_covered(c, &c->question->word[k]);
		/* "terus" goes on about the same */
		if (!covered || (clause[i].joined && says && c->n_sources == 1 &&
						 strcmp(c->question->word[clause[i].from].text, "terus") != 0))
			return true;
	}
	return false;
}

/* Does a word that no cue told stand in no row of the answer, but above a rule of the business? */
static bool
points_elsewhere(const Composition *c)
{
	for (int i = 0; i < c->words; i++)
		if (c->word[i]->cues == 0 && !c->word[i]->aside &&
			(c->elsewhere & ~c->covered & (UINT64CONST(1) << i)))
			return true;
	return false;
}

/*
 * LarasClause by clause where that is sure; else as one question. What then leaves
 * something aside is for a person to look at, clause by clause if it can be.
 */
static void
compose_from_rows(Composition *c, int64 workspace_id)
{
	if (compose_clauses(c, workspace_id, true, 2))
		return;
	answer_part(c, workspace_id);
	if (c->hand_over && !c->namesakes && compose_clauses(c, workspace_id, false, 1))
		return;
	if (c->hand_over || c->asks || c->n_sources == 0)
		return;
	if (leaves_something(c))
	{
		if (!compose_clauses(c, workspace_id, false, 2))
			c->confidence = Min(c->confidence, UNSURE);
	}
	else if (points_elsewhere(c))
		c->confidence = Min(c->confidence, UNSURE);
}

/* Does the business greet back in words of its own? Not where there is a complaint, or nothing to say. */
static bool
greets(const Composition *c)
{
	return c->voice->given && c->voice->greeting[0] != '\0' && !c->hand_over &&
		   c->question->weight[LARAS_INTENT_GREETING] >= DECIDES;
}

/* The words of the business around what is said, and the citation of their row. */
static void
speak(Composition *c)
{
	const LarasVoice *voice = c->voice;
	char *said;

	if (!voice->given || c->text.len == 0)
		return;
	said = pstrdup(c->text.data);
	resetStringInfo(&c->text);
	if (greets(c))
		appendStringInfo(&c->text, "%s ", voice->greeting);
	appendStringInfoString(&c->text, said);
	if (voice->sign_off[0] != '\0')
		appendStringInfo(&c->text, "\n%s", voice->sign_off);
	if (!laras_voice_speaks(voice->greeting, voice->sign_off, c->text.data, c->text.len))
		return;
	Assert(c->n_sources < lengthof(c->source));
	c->source[c->n_sources++] =
		(LarasSource){.table = "brand_voice", .id = voice->id, .version = voice->version};
}

static bool
only_nods(const LarasQuestion *question)
{
	for (int i = 0; i < question->n; i++)
		if (!question->word[i].nod)
			return false;
	return true;
}

static void
compose(Composition *c, int64 workspace_id, const char *written, size_t n)
{
	switch (c->question->intent)
	{
		case LARAS_INTENT_COMPLAINT:
		case LARAS_INTENT_ORDER_STATUS:
		case LARAS_INTENT_HUMAN:
		case LARAS_INTENT_OFF_SCOPE:
			hand_over(c, c->question->intent, 0.9f);
			break;
		case LARAS_INTENT_THANKS:
		case LARAS_INTENT_GREETING:
			c->intent = c->question->intent;
			c->confidence = 0.95f;
			if (c->intent == LARAS_INTENT_THANKS)
				append_said(c, LARAS_SAY_THANKS);
			else
			{
				/* the business's own comes before */
				if (!greets(c))
					append_said(c, LARAS_SAY_GREETING);
				next_part(c);
				append_said(c, LARAS_SAY_HELP);
			}
			break;
		default:
			if (only_nods(c->question))
			{
				/* Nothing is asked, or nothing legible was written. */
				hand_over(c, LARAS_INTENT_UNCLEAR, 0);
				resetStringInfo(&c->text);
			}
			else
				compose_from_rows(c, workspace_id);
	}
	if (c->hand_over)
		return;
	/* An answer to a part of what was said would seem to agree to the rest. */
	if (c->outside ||
		(c->intent == LARAS_INTENT_HOURS && laras_asks_time_of_else(c->question, is_covered, c)))
		hand_over(c, LARAS_INTENT_OFF_SCOPE, 0.9f);
	else if (laras_names_other_sum(c->question, written, n, c->text.data))
		hand_over(c, LARAS_INTENT_HUMAN, 0.9f);
}

void
laras_compose(int64 workspace_id, const char *question, size_t n, LarasComposed *composed)
{
	MemoryContext outside = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(outside, "laras drafter", ALLOCSET_DEFAULT_SIZES);
	const LarasVoices *voices = laras_voices_of(workspace_id);
	LarasQuestion *read;
	Composition c = {.confidence = 1};

	MemoryContextSwitchTo(work);
	(void) laras_spelling_refresh();
	read = laras_read_question(question, n);
	laras_read_outside(read, question, n);
	laras_read_intent(read);
	c.question = read;
	c.voice = &voices->of[read->english];
	initStringInfo(&c.text);
	compose(&c, workspace_id, question, n);
	speak(&c);

	MemoryContextSwitchTo(outside);
	composed->voices = voices;
	composed->intent = laras_intent_name(c.intent);
	composed->language = read->english ? "en" : "id";
	composed->confidence = Max(0, Min(c.confidence, 0.97f));
	composed->hand_over = c.hand_over;
	composed->namesakes = c.namesakes;
	composed->asks = c.asks;
	composed->text = c.text.len > 0 ? pstrdup(c.text.data) : NULL;
	composed->n_sources = c.n_sources;
	composed->sources = NULL;
	if (c.n_sources > 0)
	{
		LarasSource *sources = palloc(sizeof(LarasSource) * c.n_sources);

		memcpy(sources, c.source, sizeof(LarasSource) * c.n_sources);
		composed->sources = sources;
	}
	MemoryContextDelete(work);
}
