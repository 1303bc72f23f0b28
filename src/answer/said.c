/*
 * said.c
 *		Says what rows hold, in the drafter's wording; see said.h.
 *
 * Invariant: each part of a text that states anything is written beside the
 * citation of the row it states.  Nothing of the question is repeated in the
 * answer.
 */
#include "postgres.h"

#include "answer/clause.h"
#include "answer/lacks.h"
#include "answer/said.h"
#include "port/pg_bitutils.h"

/* Of asking which one is meant, where all of them have what was written. */
#define ASKS 0.72f
/* Of opening hours by the rows that have them. */
#define HOURS_KNOWN 0.92f

/* Bytes of the business's own text in one answer. */
#define TEXT_BYTES 900
#define DESCRIPTION_BYTES 400
/* of what a price is of */
#define UNIT_BYTES 40

static void
cite(LarasSaid *said, const LarasFound *row)
{
	for (int i = 0; i < said->n_sources; i++)
		if (strcmp(said->source[i].table, row->source.table) == 0 &&
			said->source[i].id == row->source.id)
			return;
	Assert(said->n_sources < LARAS_SAID_SOURCES);
	said->covered |= row->matched;
	said->source[said->n_sources++] = row->source;
}

/* How the customer is called. */
static const char *
address_of(const LarasSaid *said)
{
	return said->voice->given ? said->voice->address : laras_usual_address(said->question->english);
}

/* A phrase of the drafter's own, as a format. */
static const char *
say(const LarasSaid *said, LarasWording wording)
{
	return laras_wording(wording, said->question->english, address_of(said), true);
}

void
laras_say(LarasSaid *said, LarasWording wording)
{
	appendStringInfoString(&said->text, laras_wording(wording, said->question->english,
													  address_of(said), false));
}

void
laras_next_part(LarasSaid *said)
{
	if (said->text.len > 0)
		appendStringInfoChar(&said->text, ' ');
}

void
laras_say_hand_over(LarasSaid *said, LarasIntent intent, float confidence)
{
	resetStringInfo(&said->text);
	appendStringInfoString(&said->text, laras_hand_over_wording(intent, said->question->english,
																address_of(said)));
	said->n_sources = 0;
	said->intent = intent;
	said->confidence = confidence;
	said->hand_over = true;
}

/* Of what the price is, by the attribute that tells it ("satuan: per kg"). */
static void
append_unit(StringInfo price, const LarasFound *row)
{
	static const char *const keys[] = {"satuan: ", "unit: "};

	for (int i = 0; i < lengthof(keys) && row->attributes != NULL; i++)
	{
		const char *unit = strstr(row->attributes, keys[i]);
		size_t n;

		/* a key of its own, and not the end of another */
		if (unit == NULL || (unit > row->attributes && unit[-1] != ' '))
			continue;
		unit += strlen(keys[i]);
		n = strcspn(unit, ";");
		if (n == 0 || n > UNIT_BYTES)
			continue;
		appendStringInfo(price, strncmp(unit, "per ", 4) == 0 ? " %.*s" : " per %.*s", (int) n,
						 unit);
		return;
	}
}

/* The price as people write it. */
static const char *
price_of(const LarasSaid *said, const LarasFound *row)
{
	StringInfoData price;

	initStringInfo(&price);
	laras_append_price(&price, row->price, row->currency, said->question->english);
	append_unit(&price, row);
	return price.data;
}

static void
add_price(LarasSaid *said, const LarasFound *row)
{
	/* what several come to stands in no row */
	LarasWording price = laras_asks_sum(said->question) ? LARAS_SAY_PRICE_EACH : LARAS_SAY_PRICE;

	appendStringInfo(&said->text, say(said, price), row->heading, price_of(said, row));
	if (row->stock == 0)
		laras_say(said, LARAS_SAY_BUT_OUT);
}

static void
add_stock(LarasSaid *said, const LarasFound *row)
{
	if (row->stock > 0)
		appendStringInfo(&said->text, say(said, LARAS_SAY_IN_STOCK), row->heading, row->stock);
	else
		appendStringInfo(&said->text, say(said, LARAS_SAY_OUT_OF_STOCK), row->heading);
}

/* Ends a sentence that a row may have left open. */
static void
full_stop(LarasSaid *said)
{
	if (said->text.len > 0 && strchr(".!?", said->text.data[said->text.len - 1]) == NULL)
		appendStringInfoChar(&said->text, '.');
}

/* What the row says of the item, then price and stock where they are known. */
static void
add_product(LarasSaid *said, const LarasFound *row)
{
	StringInfoData description;
	bool whole;

	initStringInfo(&description);
	(void) laras_append_sentences(&description, row->body, DESCRIPTION_BYTES, said->question,
								  &whole);
	appendStringInfoString(&said->text, row->heading);
	if (description.len > 0)
		appendStringInfo(&said->text, ": %s", description.data);
	full_stop(said);
	if (row->attributes != NULL && row->attributes[0] != '\0')
	{
		appendStringInfo(&said->text, " %s", row->attributes);
		full_stop(said);
	}
	if (row->price != NULL)
		appendStringInfo(&said->text, say(said, LARAS_SAY_ITS_PRICE), price_of(said, row));
	if (row->stock > 0)
		appendStringInfo(&said->text, say(said, LARAS_SAY_ITS_STOCK), row->stock);
	else if (row->stock == 0)
		laras_say(said, LARAS_SAY_BUT_OUT);
}

/* Price and stock asked together: the other one behind the first. False where it is not known. */
static bool
add_other_half(LarasSaid *said, const LarasFound *row, LarasIntent first)
{
	const int *weight = said->question->weight;

	if (first == LARAS_INTENT_PRICE && weight[LARAS_INTENT_STOCK] > 0)
	{
		if (row->stock > 0)
			appendStringInfo(&said->text, say(said, LARAS_SAY_ITS_STOCK), row->stock);
		return row->stock >= 0 || weight[LARAS_INTENT_STOCK] < LARAS_WEIGHT_DECIDES;
	}
	if (first == LARAS_INTENT_STOCK && weight[LARAS_INTENT_PRICE] >= LARAS_WEIGHT_HINTS)
	{
		if (row->price != NULL)
			appendStringInfo(&said->text, say(said, LARAS_SAY_ITS_PRICE), price_of(said, row));
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
add_item(LarasSaid *said, const LarasFound *row, LarasIntent intent)
{
	if ((intent == LARAS_INTENT_PRICE && row->price == NULL) ||
		(intent == LARAS_INTENT_STOCK && row->stock < 0) ||
		(row->stock > 0 && wants_more(said->question, row)))
		return false;
	laras_next_part(said);
	/* More than the price is asked for where several words are not of the name. */
	if (intent == LARAS_INTENT_PRICE && !laras_row_prices_variants(row) &&
		!(row->listed != 0 && said->question->weight[LARAS_INTENT_PRODUCT] > 0) &&
		(pg_popcount64(row->matched & ~row->named) < 2 || laras_asks_sum(said->question)))
		add_price(said, row);
	else if (intent == LARAS_INTENT_STOCK &&
			 pg_popcount64(row->matter & ~row->named & ~row->listed) < 2)
		add_stock(said, row);
	else
	{
		/* price and stock are said there */
		add_product(said, row);
		cite(said, row);
		return (intent != LARAS_INTENT_PRICE ||
				said->question->weight[LARAS_INTENT_STOCK] < LARAS_WEIGHT_DECIDES ||
				row->stock >= 0) &&
			   (intent != LARAS_INTENT_STOCK ||
				said->question->weight[LARAS_INTENT_PRICE] < LARAS_WEIGHT_HINTS ||
				row->price != NULL);
	}
	cite(said, row);
	return add_other_half(said, row, intent);
}

/* Asks which of the items is meant, by their names. */
static void
ask_which(LarasSaid *said, const LarasChoice *choice)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < choice->n; i++)
	{
		if (i > 0)
			appendStringInfoString(&names, i < choice->n - 1 || choice->more
											   ? ", "
											   : say(said, LARAS_SAY_OR));
		appendStringInfoString(&names, choice->row[i]->heading);
		cite(said, choice->row[i]);
	}
	laras_next_part(said);
	appendStringInfo(&said->text, say(said, choice->more ? LARAS_SAY_AMONG : LARAS_SAY_WHICH),
					 names.data);
}

/* Is something asked that rules of the business tell, and this row has not ("ganti pot berapa")? */
static bool
speaks_of_rules(const LarasQuestion *question, const LarasFindings *items, const LarasFound *row)
{
	uint64 told = 0;
	uint64 goods = 0;

	for (int i = LARAS_INTENT_HOURS + 1; i <= LARAS_INTENT_LOCATION; i++)
		told |= items->told[i];
	for (int i = LARAS_INTENT_PRICE; i <= LARAS_INTENT_PRODUCT; i++)
		goods |= items->told[i];
	return (told & ~goods & ~row->matched) != 0;
}

/*
 * Is the price or stock asked by a word that only the story about the item has
 * ("tas gitar" of a guitar that comes with a bag)? It may be of what comes with it.
 */
static bool
is_told_alone(const LarasFindings *items, const LarasFound *row, LarasIntent intent)
{
	uint64 told = row->matter & ~row->named & ~row->listed & ~items->numbers;

	if (intent != LARAS_INTENT_PRICE && intent != LARAS_INTENT_STOCK)
		return false;
	for (int i = 0; i < items->words; i++)
		if ((told & (UINT64CONST(1) << i)) && items->word[i]->cues == 0 && !items->word[i]->aside)
			return true;
	return false;
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
	float confidence = 0.5f + 0.45f * Min(row->coverage, 1.0f);

	if (row->matched & items->corrected)
		confidence -= 0.05f;
	if (question->weight[intent] < LARAS_WEIGHT_DECIDES)
		confidence -= 0.1f;
	if (row->beside || speaks_of_rules(question, items, row) || is_told_alone(items, row, intent) ||
		(intent == LARAS_INTENT_PRICE && laras_row_prices_variants(row)))
		confidence = Min(confidence, LARAS_UNSURE);
	if ((intent == LARAS_INTENT_STOCK && row->stock > 0 && row->listed != 0) ||
		((items->numbers & ~row->matched) != 0 && !laras_is_priced_by(row)))
		confidence = Min(confidence, LARAS_UNSURE);
	/* nothing of an item is asked for by a cue, and a word is said that nobody knows, or much beside it */
	if (question->weight[intent] < LARAS_WEIGHT_HINTS &&
		((items->absent & ~items->asides & ~items->numbers) != 0 ||
		 (row->heading_coverage < 0.75f && (items->asides & ~row->matched) != 0)))
		confidence = Min(confidence, LARAS_UNSURE);
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

/* Does a word call items, and none of those that are answered ("awetan mana, bolu apa nastar")? */
static bool
names_others(const LarasFindings *items, uint64 matched)
{
	uint64 left = items->named & ~matched & ~items->asides & ~items->numbers;

	for (int i = 0; i < items->words; i++)
		if ((left & (UINT64CONST(1) << i)) && items->word[i]->cues == 0 && !items->word[i]->pieces)
			return true;
	return false;
}

bool
laras_say_items(LarasSaid *said, const LarasFindings *items, const LarasChoice *choice,
				LarasIntent intent)
{
	uint64 matched = 0;

	if (choice->ask && (choice->n > 1 || choice->row[0]->beside || choice->more))
	{
		/* what is asked about an item may be what a rule of the business says of all */
		bool plain = choice->n > 1 &&
					 (laras_says_name_alone(said->question) ||
					  (said->question->weight[intent] > 0 &&
					   (intent != LARAS_INTENT_PRODUCT || laras_wants_list(said->question))));

		/* how many are wanted may tell which */
		for (int i = 0; i < said->question->n; i++)
			plain &= !said->question->word[i].pieces && !said->question->word[i].counted &&
					 !is_said_again(said->question, i);
		for (int i = 0; i < choice->n; i++)
			plain &= choice->row[i]->coverage >= LARAS_PLAIN_COVERAGE && !choice->row[i]->beside &&
					 (choice->row[i]->matched & items->corrected) == 0;
		/* to ask what was not in doubt would name what nobody asked about */
		if (!plain)
			return false;
		ask_which(said, choice);
		said->asks = true;
		said->confidence = Min(said->confidence, choice->more ? LARAS_UNSURE : ASKS);
		return true;
	}
	for (int i = 0; i < choice->n; i++)
		matched |= choice->row[i]->named | choice->row[i]->listed;
	if (names_others(items, matched))
		said->confidence = Min(said->confidence, LARAS_UNSURE);
	for (int i = 0; i < choice->n; i++)
	{
		if (!add_item(said, choice->row[i], intent))
			return false;
		said->confidence =
			Min(said->confidence, item_confidence(items, choice->row[i], intent, said->question));
		if (choice->ask || (choice->row[i]->stock == 0 && asks_when(said->question)))
			said->confidence = Min(said->confidence, LARAS_UNSURE);
	}
	return true;
}

/* Does its heading have all that is asked, and is nothing asked of goods? */
static bool
is_all_asked(const LarasSaid *said, const LarasFound *row)
{
	return row->named != 0 && row->coverage >= LARAS_PLAIN_COVERAGE &&
		   said->question->weight[LARAS_INTENT_PRICE] < LARAS_WEIGHT_HINTS &&
		   said->question->weight[LARAS_INTENT_STOCK] < LARAS_WEIGHT_HINTS;
}

bool
laras_say_text(LarasSaid *said, const LarasFound *row)
{
	float matter = Min(row->coverage, 1.0f);
	float confidence = row->on_topic ? 0.72f + 0.25f * matter : 0.48f + 0.32f * matter;
	bool whole;

	laras_next_part(said);
	if (!laras_append_sentences(&said->text, row->body, TEXT_BYTES, said->question, &whole))
		return false;
	cite(said, row);
	if (!row->on_topic && pg_popcount64(row->matched) == 1 &&
		row->heading_coverage < LARAS_RIVAL_COVERAGE && !is_all_asked(said, row))
		confidence = Min(confidence, LARAS_UNSURE);
	if (row->doubtful)
		confidence = Min(confidence, LARAS_UNSURE);
	if (row->english != said->question->english)
		confidence -= 0.25f;
	/* What was left out may matter. */
	if (!whole)
		confidence = Min(confidence, LARAS_UNSURE);
	said->confidence = Min(said->confidence, confidence);
	return true;
}

bool
laras_say_hours(LarasSaid *said, const LarasHoursAnswer *hours)
{
	if (said->n_sources + hours->n > LARAS_SAID_SOURCES)
		return false;
	laras_next_part(said);
	appendStringInfoString(&said->text, hours->text);
	memcpy(&said->source[said->n_sources], hours->source, sizeof(LarasSource) * hours->n);
	said->n_sources += hours->n;
	/* words of time are told by no row's words */
	said->covered = ~UINT64CONST(0);
	said->confidence = Min(said->confidence, hours->sure ? HOURS_KNOWN : LARAS_UNSURE);
	return true;
}

bool
laras_said_greets(const LarasSaid *said)
{
	return said->voice->given && said->voice->greeting[0] != '\0' && !said->hand_over &&
		   said->question->weight[LARAS_INTENT_GREETING] >= LARAS_WEIGHT_DECIDES;
}

void
laras_speak(LarasSaid *said)
{
	const LarasVoice *voice = said->voice;
	char *text;

	if (!voice->given || said->text.len == 0)
		return;
	text = pstrdup(said->text.data);
	resetStringInfo(&said->text);
	if (laras_said_greets(said))
		appendStringInfo(&said->text, "%s ", voice->greeting);
	appendStringInfoString(&said->text, text);
	if (voice->sign_off[0] != '\0')
		appendStringInfo(&said->text, "\n%s", voice->sign_off);
	if (!laras_voice_speaks(voice->greeting, voice->sign_off, said->text.data, said->text.len))
		return;
	Assert(said->n_sources < lengthof(said->source));
	said->source[said->n_sources++] =
		(LarasSource){.table = "brand_voice", .id = voice->id, .version = voice->version};
}

bool
laras_said_join(LarasSaid *all, const LarasSaid *one)
{
	int cited = all->n_sources;

	if (all->n_sources + one->n_sources > LARAS_SAID_SOURCES)
		return false;
	for (int k = 0; k < one->n_sources; k++)
	{
		bool again = false;

		for (int m = 0; m < all->n_sources; m++)
			again |= all->source[m].id == one->source[k].id &&
					 strcmp(all->source[m].table, one->source[k].table) == 0;
		if (!again)
			all->source[all->n_sources++] = one->source[k];
	}
	if (all->n_sources == cited)
		return false;
	laras_next_part(all);
	appendStringInfoString(&all->text, one->text.data);
	all->confidence = Min(all->confidence, one->confidence);
	return true;
}
