/*
 * compose.c
 *		Composes an answer from rows, or hands over; see drafter.h.
 *
 * Which rows a question means stands in choose.c, and how they are put into
 * words in said.c; here both are brought together: a rule of the business or an
 * item, the question as a whole or clause by clause.
 */
#include "postgres.h"

#include "answer/choose.h"
#include "answer/clause.h"
#include "answer/compare.h"
#include "answer/drafter.h"
#include "answer/hours.h"
#include "answer/lacks.h"
#include "answer/left.h"
#include "answer/outside.h"
#include "answer/question.h"
#include "answer/retrieve.h"
#include "answer/said.h"
#include "answer/spelling.h"
#include "answer/subject.h"
#include "answer/voice.h"
#include "answer/whenasked.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/* So much better a policy or FAQ must match to be taken before an item that was asked about. */
#define TEXT_AHEAD 0.15f
/* Of the heading of a policy or FAQ, to answer beside an item. */
#define BESIDES_HEADING 0.4f

/* Confidence of no ground at all. */
#define NO_GROUND 0.2f
/* Of thanks beside words that nobody knows, and that ask nothing. */
#define THANKED 0.85f


typedef struct Composition
{
	LarasSaid said;
	bool namesakes;        /* rows of one name say different things */
	LarasLookedFor looked; /* the words of the question */
	bool outside; /* a word of another field than a shop's stands in no row of the answer */
} Composition;

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

/* The chosen items; false where they do not say what was asked. */
static bool
say_items(Composition *c, const LarasFindings *items, const LarasChoice *choice, LarasIntent intent)
{
	int lacking = 0;

	/* what several kinds come to stands in no row */
	if (choice->n > 1 && !choice->ask && intent == LARAS_INTENT_PRICE &&
		laras_asks_sum(c->said.question))
		return false;
	for (int i = 0; i < choice->n; i++)
		lacking += laras_row_lacks(c->said.question, items, c->looked.unknown, choice->row[i]);
	if (choice->n == 1 && laras_row_has_no_such_size(c->said.question, items, choice->row[0]))
		c->said.confidence = Min(c->said.confidence, LARAS_UNSURE);
	/* which one is meant may be asked, as long as one of them has it */
	return lacking < (choice->ask ? choice->n : 1) &&
		   laras_say_items(&c->said, items, choice, intent);
}

/* A policy or FAQ; false where it does not say what was asked. */
static bool
say_text(Composition *c, const LarasFindings *texts, const LarasFound *text)
{
	return !laras_text_lacks(c->said.question, texts, c->looked.unknown, text) &&
		   laras_say_text(&c->said, text);
}

/* Where the item's row leaves open what was asked, a rule that was found as well may tell it. */
static bool
say_instead(Composition *c, const LarasFindings *texts, const LarasFound *text)
{
	if (text == NULL)
		return false;
	resetStringInfo(&c->said.text);
	c->said.n_sources = 0;
	c->said.covered = 0;
	c->said.asks = false;
	c->said.confidence = LARAS_UNSURE;
	return say_text(c, texts, text);
}

/*
 * Which of several is the cheapest, or smaller: answered where the order is
 * certain, else by a person. False where nothing is compared, or a rule of the
 * business speaks of it.
 */
static bool
answer_compared(Composition *c, int64 workspace_id, const LarasFindings *items,
				const LarasChoice *choice, const LarasFound *text, LarasIntent of_item)
{
	LarasCompared compared;
	LarasFound *row[LARAS_NAMED_ITEMS];
	LarasChoice first = {.n = 1, .named = true};
	int n;

	laras_read_compared(c->said.question, items, &compared);
	/* "mug besar" is a name */
	if (compared.order == LARAS_ORDER_NONE || (compared.words & items->named) != 0)
		return false;
	if (text != NULL &&
		(text->named & text->matter & ~(choice->n > 0 ? choice->row[0]->matched : 0)) != 0)
		return false;
	/* both are named, and what each costs tells it */
	if (choice->n > 1 && choice->named && !choice->ask && of_item == LARAS_INTENT_PRICE)
		return false;
	n = compared.denied ? 0 : laras_compared_items(items, &compared, row);
	if (compared.more && n != 2)
		n = 0;
	if (n > 0 && !laras_read_items(workspace_id, c->said.question->english, row, n))
		n = 0;
	/* "tanaman" is not what "Media Tanam" is called */
	for (int i = 0; i < n; i++)
		if (!laras_is_called_so(items, &compared, row[i]))
			n = 0;
	first.row[0] = laras_first_of(row, n, compared.order);
	c->said.intent = of_item;
	if (first.row[0] == NULL || !say_items(c, items, &first, of_item))
		laras_say_hand_over(&c->said, of_item, NO_GROUND);
	return true;
}

/*
 * A policy or FAQ that is of no other goods may be of another matter all the same:
 * a list of goods without those that are named, a way to pay that it does not
 * tell, goods that it names and does not sell. topic: that is asked for, or unclear.
 */
static bool
may_be_of_else(int64 workspace_id, const LarasQuestion *question, const OtherRows *found,
			   LarasIntent topic, const LarasFound *text)
{
	if ((topic == LARAS_INTENT_WARRANTY || topic == LARAS_INTENT_RETURNS) &&
		laras_lists_others(workspace_id, question, found->items, found->choice, text))
		return true;
	if (laras_text_not_of(question, found->texts, topic, text))
		return true;
	return !text->on_topic && ((text->matched & found->texts->corrected) != 0 ||
							   (text->beside && question->weight[LARAS_INTENT_STOCK] > 0) ||
							   laras_asks_to_buy_other(question, found->texts, text));
}

/*
 * A question of the business: about items, about its rules, or both.  Where
 * one part of a double question has no ground, a person answers all of it.
 */
static void
answer_from_rows(Composition *c, int64 workspace_id)
{
	const LarasQuestion *question = c->said.question;
	LarasIntent of_item = heaviest(question, LARAS_INTENT_PRICE, LARAS_INTENT_PRODUCT);
	LarasIntent topic = heaviest(question, LARAS_INTENT_HOURS, LARAS_INTENT_LOCATION);
	bool asks_topic;
	bool asks_item;
	const LarasFindings *items;
	const LarasFindings *texts;
	LarasFound *text;
	LarasFound *besides = NULL;
	LarasFound *spare;
	LarasChoice choice = {0};
	LarasHoursAnswer hours;
	bool has_hours;

	/* a time of day is told of many things: hours are asked for where something opens */
	if (topic == LARAS_INTENT_HOURS && !speaks_of_opening(question))
	{
		LarasIntent other = heaviest(question, LARAS_INTENT_DELIVERY, LARAS_INTENT_LOCATION);

		if (question->weight[other] >= LARAS_WEIGHT_DECIDES)
			topic = other;
	}
	asks_topic = question->weight[topic] >= LARAS_WEIGHT_DECIDES;
	/* what it costs to give back is no price of the item */
	asks_item = !asks_topic || (question->weight[of_item] >= LARAS_WEIGHT_HINTS &&
								topic != LARAS_INTENT_RETURNS && topic != LARAS_INTENT_WARRANTY);
	if (question->weight[of_item] == 0 ||
		(of_item == LARAS_INTENT_STOCK && question->weight[of_item] < LARAS_WEIGHT_HINTS &&
		 laras_wants_list(question)))
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
	text = laras_choose_text(texts, question, items->named);
	c->looked.word = texts->word;
	c->looked.words = texts->words;
	c->looked.elsewhere = texts->named;
	c->looked.asides = texts->asides;
	c->looked.unknown = texts->absent & (items->words > 0 ? items->absent : ~UINT64CONST(0));
	if (text != NULL && !text->on_topic &&
		laras_text_has_rival(texts, text, question, items->named))
		text->doubtful = true;
	if (!asks_topic && answer_compared(c, workspace_id, items, &choice, text, of_item))
		return;
	/* What is returned is often told where the warranty is. */
	if (text == NULL && asks_topic && topic == LARAS_INTENT_WARRANTY)
		text = laras_choose_text(laras_find_texts(workspace_id, question, LARAS_INTENT_RETURNS),
								 question, items->named);
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
	if (text != NULL)
		switch (laras_subject_of(workspace_id, question, items, &choice, c->looked.unknown, text))
		{
			case LARAS_SUBJECT_OTHER:
				if (question->weight[of_item] < LARAS_WEIGHT_HINTS || asks_topic)
				{
					laras_say_hand_over(&c->said, asks_topic ? topic : of_item, NO_GROUND);
					return;
				}
				text = besides = NULL;
				break;
			case LARAS_SUBJECT_UNTOLD:
				text->doubtful = true;
				break;
			case LARAS_SUBJECT_ALL:
				text->doubtful |=
					may_be_of_else(workspace_id, question,
								   &(OtherRows){.texts = texts, .items = items, .choice = &choice},
								   asks_topic ? topic : LARAS_INTENT_UNCLEAR, text);
		}
	/* to quote both would leave the customer to choose the price */
	if ((asks_item || text == NULL) && !laras_part_namesakes(&choice))
	{
		laras_say_hand_over(&c->said, of_item, NO_GROUND);
		c->namesakes = true;
		return;
	}

	has_hours = asks_topic && topic == LARAS_INTENT_HOURS &&
				laras_answer_hours(workspace_id, question, is_known_elsewhere,
								   &(OtherRows){texts, items, &choice}, &hours);
	/* a policy that says nothing of the day may be beside the point */
	if (asks_topic && topic == LARAS_INTENT_HOURS && hours.unknown)
		c->said.confidence = LARAS_UNSURE;
	if (has_hours && !(asks_item && choice.n > 0 && choice.named && !choice.ask))
	{
		/* "belajar bikin barongko jam berapa" is no question of opening hours */
		if (choice.n > 0 && choice.row[0]->named != 0 && !speaks_of_opening(question))
			c->said.confidence = LARAS_UNSURE;
		c->said.intent = topic;
		if (!laras_say_hours(&c->said, &hours))
			laras_say_hand_over(&c->said, topic, NO_GROUND);
		return;
	}

	/* "what time is yoga" is about the class, where the opening hours say nothing of one. */
	if (asks_topic && topic == LARAS_INTENT_HOURS && choice.n == 1 && !choice.ask &&
		!speaks_of_opening(question) && choice.row[0]->coverage >= LARAS_PLAIN_COVERAGE &&
		(text == NULL || text->coverage < LARAS_RIVAL_COVERAGE))
	{
		asks_topic = false;
		of_item = LARAS_INTENT_PRODUCT;
		text = NULL;
		c->said.confidence = LARAS_UNSURE;
	}

	if (asks_topic)
	{
		/* "berapa ongkir ke Bali" names no item, but "tutup botol" may: nobody can be sure. */
		if (choice.n > 0 && !(asks_item && choice.named && !choice.ask))
		{
			choice.n = 0;
			if (text == NULL || (text->coverage < LARAS_RIVAL_COVERAGE &&
								 !(text->on_topic && topic != LARAS_INTENT_HOURS)))
				c->said.confidence = LARAS_UNSURE;
		}
		c->said.intent = choice.n > 0 ? of_item : topic;
		if (text == NULL && !has_hours)
			laras_say_hand_over(&c->said, topic, NO_GROUND);
		else if (choice.n > 0 && !say_items(c, items, &choice, of_item))
			laras_say_hand_over(&c->said, of_item, NO_GROUND);
		else if (has_hours ? !laras_say_hours(&c->said, &hours) : !say_text(c, texts, text))
			laras_say_hand_over(&c->said, topic, NO_GROUND);
		else if ((topic == LARAS_INTENT_DELIVERY || topic == LARAS_INTENT_WARRANTY ||
				  topic == LARAS_INTENT_RETURNS) &&
				 text->on_topic && laras_text_may_miss(question, texts, c->looked.unknown, text))
			c->said.confidence = LARAS_UNSURE;
		return;
	}

	if (besides != NULL && text == besides && choice.n == 1)
	{
		bool goods = question->weight[LARAS_INTENT_PRICE] >= LARAS_WEIGHT_HINTS ||
					 question->weight[LARAS_INTENT_STOCK] >= LARAS_WEIGHT_HINTS;

		c->said.intent = of_item;
		if (goods && !say_items(c, items, &choice, of_item))
			laras_say_hand_over(&c->said, of_item, NO_GROUND);
		else if (!say_text(c, texts, besides))
			laras_say_hand_over(&c->said, LARAS_INTENT_PRODUCT, NO_GROUND);
		return;
	}

	spare = text;
	if (text != NULL && choice.n > 0)
	{
		float ahead = text->coverage - choice.row[0]->coverage;
		bool of_goods =
			of_item != LARAS_INTENT_PRODUCT && question->weight[of_item] >= LARAS_WEIGHT_HINTS;

		/* what no word of buying asks of an item that is hardly called is the rule's to say */
		if (question->weight[of_item] < LARAS_WEIGHT_HINTS && !laras_fully_named(choice.row[0]) &&
			pg_popcount64(text->matter) >= pg_popcount64(choice.row[0]->matter) && text->named != 0)
			choice.n = 0;
		/* to ask back is worse than to say what fits as well, by more than one word */
		else if (choice.ask && !of_goods && ahead >= 0 && pg_popcount64(text->matched) > 1)
			choice.n = 0;

		/* The better match; an item that was asked for by a word of buying is preferred. */
		else if (question->weight[of_item] >= LARAS_WEIGHT_HINTS ? ahead <= TEXT_AHEAD : ahead < 0)
			text = NULL;
	}
	if (text != NULL)
	{
		c->said.intent = LARAS_INTENT_PRODUCT;
		if (!say_text(c, texts, text))
			laras_say_hand_over(&c->said, LARAS_INTENT_PRODUCT, NO_GROUND);
	}
	else if (choice.n > 0)
	{
		c->said.intent = of_item;
		if (!say_items(c, items, &choice, of_item) && !say_instead(c, texts, spare))
			laras_say_hand_over(&c->said, of_item, NO_GROUND);
	}
	else if (question->weight[LARAS_INTENT_THANKS] >= LARAS_WEIGHT_DECIDES &&
			 question->weight[of_item] < LARAS_WEIGHT_DECIDES)
	{
		laras_say(&c->said, LARAS_SAY_THANKS);
		c->said.intent = LARAS_INTENT_THANKS;
		c->said.confidence = question->weight[question->intent] == 0 ? THANKED : LARAS_UNSURE;
	}
	else
		laras_say_hand_over(&c->said, question->intent, NO_GROUND);
}

/* The same for the whole question or a clause of it, and what it leaves. */
static void
answer_part(Composition *c, int64 workspace_id)
{
	LarasLeft left = {&c->said, &c->looked};

	answer_from_rows(c, workspace_id);
	c->outside = laras_leaves_other_field(c->said.question,
										  c->said.n_sources > 0 &&
											  strcmp(c->said.source[0].table, "opening_hours") == 0,
										  laras_is_covered, &left);
}

/*
 * Two questions in one: each clause is answered alone, where every one of them
 * is, and surely where that is asked for; what a clause does not say of itself is what the whole asks.
 * False where they are not: then the question is one; unsure tells that a clause was the reason.
 */
static bool
compose_clauses(Composition *c, int64 workspace_id, bool surely, int least, bool *unsure)
{
	LarasClause clause[LARAS_CLAUSES];
	int n = laras_find_clauses(c->said.question, clause, LARAS_CLAUSES);
	LarasIntent of_item = heaviest(c->said.question, LARAS_INTENT_PRICE, LARAS_INTENT_PRODUCT);
	Composition all = {
		.said = {.question = c->said.question, .voice = c->said.voice, .confidence = 1}};
	int hours = 0;
	int answered = 0;

	if (n < 2)
		return false;
	/* "f310 sama capo jadi brp" is one sum */
	if (laras_asks_sum(c->said.question) && clause[1].joined &&
		c->said.question->weight[LARAS_INTENT_PRICE] >= LARAS_WEIGHT_HINTS)
		return false;
	initStringInfo(&all.said.text);
	for (int i = 0; i < n; i++)
	{
		LarasQuestion *part =
			laras_part_of_question(c->said.question, clause[i].from, clause[i].to);
		Composition one = {.said = {.question = part, .voice = c->said.voice, .confidence = 1}};
		LarasIntent asked;

		/* a story, or what something is asked of */
		if (!laras_clause_asks(c->said.question, &clause[i]) && !clause[i].joined &&
			!(i + 1 < n && clause[i + 1].joined))
		{
			for (int k = clause[i].from; k < clause[i].to; k++)
				all.outside |= c->said.question->word[k].outside;
			continue;
		}
		laras_read_intent(part);
		asked = heaviest(part, LARAS_INTENT_PRICE, LARAS_INTENT_LOCATION);
		if (part->weight[asked] == 0 && c->said.question->weight[of_item] > 0 &&
			!laras_asks_by_itself(part))
		{
			/* a list of names, or something said beside the question */
			if (!clause[i].joined && !(i + 1 < n && clause[i + 1].joined))
				return false;
			part->weight[of_item] = c->said.question->weight[of_item];
		}
		/* when it is open is one question, however it is told */
		if (asked == LARAS_INTENT_HOURS && part->weight[asked] > 0 && hours++ > 0)
			return false;
		initStringInfo(&one.said.text);
		answer_part(&one, workspace_id);
		if (one.said.hand_over || one.said.asks)
			return false;
		if (surely && one.said.confidence <= LARAS_UNSURE)
		{
			*unsure = true;
			return false;
		}
		/* Nothing new: the clauses are about one thing. */
		if (!laras_said_join(&all.said, &one.said))
			return false;
		all.said.intent = answered++ == 0 ? one.said.intent : all.said.intent;
		all.outside |= one.outside;
	}
	/* one alone is asked of what the others tell */
	if (answered < least || all.said.confidence < LARAS_UNSURE)
		return false;
	if (answered < 2)
		all.said.confidence = Min(all.said.confidence, LARAS_UNSURE);
	*c = all;
	return true;
}

/*
 * LarasClause by clause where that is sure; else as one question. What then leaves
 * something aside is for a person to look at, clause by clause if it can be.
 */
static void
compose_from_rows(Composition *c, int64 workspace_id)
{
	LarasLeft left = {&c->said, &c->looked};
	LarasLeftBy what;
	bool unsure = false; /* of what a clause asks */

	/* of several kinds a sum is asked, which is told by nobody but a person */
	if (laras_count_amounts(c->said.question) > 1 && laras_asks_sum(c->said.question) &&
		c->said.question->weight[LARAS_INTENT_PRICE] >= LARAS_WEIGHT_HINTS)
	{
		laras_say_hand_over(&c->said, LARAS_INTENT_PRICE, NO_GROUND);
		return;
	}
	if (compose_clauses(c, workspace_id, true, 2, &unsure))
		return;
	answer_part(c, workspace_id);
	if (c->said.hand_over && !c->namesakes && compose_clauses(c, workspace_id, false, 1, &unsure))
		return;
	if (c->said.hand_over || c->said.asks || c->said.n_sources == 0)
		return;
	what = laras_leaves(&left);
	/* of another field it is refused below */
	if (what == LARAS_LEAVES_STRANGE && !c->outside)
		laras_say_hand_over(&c->said, c->said.intent, NO_GROUND);
	else if (what == LARAS_LEAVES_SOMETHING || unsure)
	{
		if (!compose_clauses(c, workspace_id, false, 2, &unsure))
			c->said.confidence = Min(c->said.confidence, LARAS_UNSURE);
	}
	else if (laras_points_elsewhere(&left) || laras_passes_over(&left))
		c->said.confidence = Min(c->said.confidence, LARAS_UNSURE);
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
	switch (c->said.question->intent)
	{
		case LARAS_INTENT_COMPLAINT:
		case LARAS_INTENT_ORDER_STATUS:
		case LARAS_INTENT_HUMAN:
		case LARAS_INTENT_OFF_SCOPE:
			laras_say_hand_over(&c->said, c->said.question->intent, 0.9f);
			break;
		case LARAS_INTENT_THANKS:
		case LARAS_INTENT_GREETING:
			c->said.intent = c->said.question->intent;
			c->said.confidence = 0.95f;
			if (c->said.intent == LARAS_INTENT_THANKS)
				laras_say(&c->said, LARAS_SAY_THANKS);
			else
			{
				/* the business's own comes before */
				if (!laras_said_greets(&c->said))
					laras_say(&c->said, LARAS_SAY_GREETING);
				laras_next_part(&c->said);
				laras_say(&c->said, LARAS_SAY_HELP);
			}
			break;
		default:
			if (only_nods(c->said.question))
			{
				/* Nothing is asked, or nothing legible was written. */
				laras_say_hand_over(&c->said, LARAS_INTENT_UNCLEAR, 0);
				resetStringInfo(&c->said.text);
			}
			else
				compose_from_rows(c, workspace_id);
	}
	/* a sum that the customer names is nobody's to answer but a person's, whatever else has no ground */
	if (c->said.hand_over)
	{
		if (c->said.confidence <= NO_GROUND &&
			laras_names_other_sum(c->said.question, written, n, ""))
			laras_say_hand_over(&c->said, LARAS_INTENT_HUMAN, 0.9f);
		return;
	}
	/* An answer to a part of what was said would seem to agree to the rest. */
	if (c->outside || (c->said.intent == LARAS_INTENT_HOURS &&
					   laras_asks_time_of_else(c->said.question, laras_is_covered,
											   &(LarasLeft){&c->said, &c->looked})))
		laras_say_hand_over(&c->said, LARAS_INTENT_OFF_SCOPE, 0.9f);
	else if (laras_names_other_sum(c->said.question, written, n, c->said.text.data))
		laras_say_hand_over(&c->said, LARAS_INTENT_HUMAN, 0.9f);
}

void
laras_compose(int64 workspace_id, const char *question, size_t n, LarasComposed *composed)
{
	MemoryContext outside = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(outside, "laras drafter", ALLOCSET_DEFAULT_SIZES);
	const LarasVoices *voices = laras_voices_of(workspace_id);
	LarasQuestion *read;
	Composition c = {.said.confidence = 1};

	MemoryContextSwitchTo(work);
	(void) laras_spelling_refresh();
	read = laras_read_question(question, n);
	laras_read_outside(read, question, n);
	laras_read_intent(read);
	c.said.question = read;
	c.said.voice = &voices->of[read->english];
	initStringInfo(&c.said.text);
	compose(&c, workspace_id, question, n);
	laras_speak(&c.said);

	MemoryContextSwitchTo(outside);
	composed->voices = voices;
	composed->intent = laras_intent_name(c.said.intent);
	composed->language = read->english ? "en" : "id";
	composed->confidence = Max(0, Min(c.said.confidence, 0.97f));
	composed->hand_over = c.said.hand_over;
	composed->namesakes = c.namesakes;
	composed->asks = c.said.asks;
	composed->text = c.said.text.len > 0 ? pstrdup(c.said.text.data) : NULL;
	composed->n_sources = c.said.n_sources;
	composed->sources = NULL;
	if (c.said.n_sources > 0)
	{
		LarasSource *sources = palloc(sizeof(LarasSource) * c.said.n_sources);

		memcpy(sources, c.said.source, sizeof(LarasSource) * c.said.n_sources);
		composed->sources = sources;
	}
	MemoryContextDelete(work);
}
