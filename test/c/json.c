/*
 * json.c
 *		The JSON helpers: what is refused and why, what is kept, and that no
 *		getter fails whatever it is given.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#include "tap.h"

static void
refused(const char *bytes, size_t n, const char *expected, const char *what)
{
	const char *reason = NULL;
	json_t *document = laras_json_parse(bytes, n, &reason);

	ok(document == NULL && reason != NULL && strcmp(reason, expected) == 0, "%s: %s (%s)", what,
	   expected, reason ? reason : "none");
	json_decref(document);
}

#define REFUSED(text, expected, what) refused(text, sizeof(text) - 1, expected, what)

/* brackets brackets, n of them, around nothing */
static char *
nested(size_t n)
{
	char *text = malloc(2 * n + 1);

	memset(text, '[', n);
	memset(text + n, ']', n);
	text[2 * n] = '\0';
	return text;
}

static void
check_refusals(void)
{
	char *deep = nested(1000 * 1000);
	char *digits = malloc(4 * 1024 * 1024 + 2);
	json_t *document;
	const char *reason;

	REFUSED("", "invalid_json", "nothing");
	REFUSED("{\"a\":1", "invalid_json", "a body cut off");
	REFUSED("{\"a\":1}x", "invalid_json", "a tail");
	REFUSED("{\"a\":01}", "invalid_json", "a leading zero");
	REFUSED("{\"a\":00000000000000000000001}", "invalid_json", "a long one");
	REFUSED("{12345678901234567890123 : 1}", "number_out_of_range", "a number for a name");
	REFUSED("{\"a\":\"\xff\"}", "bad_encoding", "a byte that is no UTF-8");
	REFUSED("{\"a\":\"\\ud800\"}", "invalid_json", "a lone surrogate");
	REFUSED("{\"a\\u0000\":1}", "null_character", "a NUL in a name");
	REFUSED("{\"a\":1e999}", "number_out_of_range", "a real out of range");
	refused(deep, strlen(deep), "too_deep", "a million nested arrays");
	free(deep);

	deep = nested(LARAS_JSON_DEPTH);
	document = laras_json_parse(deep, strlen(deep), &reason);
	ok(document != NULL && reason == NULL, "nesting as deep as allowed");
	json_decref(document);
	free(deep);
	deep = nested(LARAS_JSON_DEPTH + 1);
	refused(deep, strlen(deep), "too_deep", "and one more");
	free(deep);
	REFUSED("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"",
			"invalid_json", "brackets in a string are not nesting");

	memset(digits, '7', 4 * 1024 * 1024 + 2);
	digits[0] = '[';
	digits[4 * 1024 * 1024 + 1] = ']';
	document = laras_json_parse(digits, 4 * 1024 * 1024 + 2, &reason);
	ok(laras_json_text(laras_json_first(document)).n == 4 * 1024 * 1024, "4 MB of digits");
	json_decref(document);
	free(digits);
}

static void
check_long_integers(void)
{
	static const char text[] =
		"{\"big\":123456789012345678901234567890,\"id\":17841400000000001, \"code\":190,"
		"\"quoted\":\"12345678901234567890123 \\\" 5\",\"neg\":-99999999999999999999,"
		"\"real\":1234567890123456789012.5,\"list\":[9223372036854775807]}";
	json_t *document = laras_json_parse(text, sizeof(text) - 1, NULL);
	char buffer[24];
	int64_t code = 0;
	LarasText t;

	ok(document != NULL, "an integer beyond 64 bits does not fail the body");
	t = laras_json_id(laras_json_get(document, "big"), buffer, sizeof(buffer));
	ok(laras_text_is(t, "123456789012345678901234567890"), "and keeps its digits");
	t = laras_json_id(laras_json_get(document, "neg"), buffer, sizeof(buffer));
	ok(laras_text_is(t, "-99999999999999999999"), "a negative one too");
	t = laras_json_id(laras_json_get(document, "id"), buffer, sizeof(buffer));
	ok(laras_text_is(t, "17841400000000001"), "an id beside it is exact");
	ok(laras_json_integer(laras_json_get(document, "code"), &code) && code == 190,
	   "and a code beside it a number");
	ok(laras_text_is(laras_json_text_at(document, "quoted"), "12345678901234567890123 \" 5"),
	   "digits in a string are left alone");
	ok(json_is_real(laras_json_get(document, "real")), "a real stays one");
	json_decref(document);
}

static void
check_getters(void)
{
	static const char text[] =
		"{\"s\":\"a\\u0062\",\"n\":-5,\"t\":true,\"ts\":\"true\",\"sn\":\"1700000000\",\"z\":null,"
		"\"a\":[{\"x\":1}],\"bad\":\"12x\"}";
	json_t *document = laras_json_parse(text, sizeof(text) - 1, NULL);
	static const char *const names[] = {"s", "n", "t", "ts", "z", "a", "none"};
	char buffer[24];
	int64_t value = 0;
	char *dump;
	size_t n = 0;
	int absent = 0;

	ok(laras_text_is(laras_json_text_at(document, "s"), "ab"), "a text");
	ok(laras_json_integer(laras_json_get(document, "n"), &value) && value == -5, "a number");
	ok(laras_json_integer(laras_json_get(document, "sn"), &value) && value == 1700000000,
	   "a number in a string");
	ok(!laras_json_integer(laras_json_get(document, "bad"), &value), "what only begins like one");
	ok(laras_json_true(laras_json_get(document, "t")) &&
		   laras_json_true(laras_json_get(document, "ts")),
	   "truth");
	ok(laras_json_first(laras_json_get(document, "a")) != NULL, "the first of a list");

	/* every getter on every type, and on nothing */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		json_t *j = laras_json_get(document, names[i]);

		absent += laras_json_get(j, "y") == NULL;
		absent += laras_json_text_at(j, "y").s == NULL;
		absent += i == 5 || laras_json_first(j) == NULL;
		(void) laras_json_text(j);
		(void) laras_json_id(j, buffer, sizeof(buffer));
		(void) laras_json_integer(j, &value);
		(void) laras_json_true(j);
	}
	ok(absent == 21, "no getter fails on another type or on nothing");

	dump = laras_json_dump(document, &n);
	ok(dump != NULL && n == strlen(dump) &&
		   strncmp(dump, "{\"s\":\"ab\",\"n\":-5,\"t\":true,", 26) == 0,
	   "dumped without spaces, in order");
	free(dump);
	json_decref(document);
}

static void
check_line(const char *text, const char *why, int where, const char *name)
{
	const char *reason = NULL;
	int line = 0;
	json_t *document = laras_json_parse_file(text, strlen(text), &reason, &line);

	ok(document == NULL && reason != NULL && strcmp(reason, why) == 0 && line == where, name);
	json_decref(document);
}

/* What people wrote: each key once, and the length of one value among others. */
static void
check_strict(void)
{
	static const char twice[] = "{\"a\":1,\"b\":{\"c\":1,\"c\":2}}";
	static const char list[] = "  {\"a\":\"]},\",\"a\":12345678901234567890123} ,5]";
	const char *reason = NULL;
	json_t *document = laras_json_parse_once(twice, sizeof(twice) - 1, &reason);

	ok(document == NULL && reason != NULL && strcmp(reason, "repeated_key") == 0, "a key twice");
	json_decref(document);
	document = laras_json_parse_once("{\"a\":{\"a\":1}}", 13, &reason);
	ok(document != NULL, "the same key in two objects");
	json_decref(document);
	ok(laras_json_length(list, sizeof(list) - 1) ==
		   strlen("  {\"a\":\"]},\",\"a\":12345678901234567890123}"),
	   "where a value ends");
	check_line("[1,\n2,\n3 4]", "invalid_json", 3, "the line of a mistake");
	check_line("[1,\n2", "invalid_json", 2, "the line where it breaks off");
	check_line("[12345678901234567890,\n\n{]", "invalid_json", 3, "the same beside a long number");
	check_line("[\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
			   "too_deep", 2, "the line where it is too deep");
	ok(laras_json_length("]", 1) == 0 && laras_json_length("", 0) == 0, "no value has no length");
}

/* Real numbers in as few digits as they need, and nothing else changed. */
static void
check_reals(void)
{
	static const char *const cases[][2] = {
		{"0.84999999999999998", "0.85"},
		{"[0.10000000000000001,-0.10000000000000001,1.0,0.0]", "[0.1,-0.1,1.0,0.0]"},
		{"250000.0", "250000.0"},
		{"8000000.5", "8000000.5"},
		{"1234567890.1234567", "1234567890.1234567"},
		{"3.1415926535897931", "3.141592653589793"},
		{"1e300", "1e300"},
		{"{\"0.84999999999999998\":\"a\\\"0.84999999999999998\\\\\",\"n\":12345678901234567890}",
		 "{\"0.84999999999999998\":\"a\\\"0.84999999999999998\\\\\",\"n\":12345678901234567890}"},
		{"true", "true"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char text[200];

		memcpy(text, cases[i][0], strlen(cases[i][0]) + 1);
		laras_json_shorten_reals(text);
		ok(strcmp(text, cases[i][1]) == 0, "%s becomes %s (%s)", cases[i][0], cases[i][1], text);
	}
}

int
main(void)
{
	check_refusals();
	check_long_integers();
	check_getters();
	check_strict();
	check_reals();
	return tap_done();
}
