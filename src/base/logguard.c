/*
 * logguard.c
 *		Keeps what looks like a provider's token, and statements that carry a
 *		secret, out of the server log.
 *
 * The roles of applications and of the relay log no statement and no parameter
 * (tenancy/roles.c). What is left are the sessions of operators, and errors of
 * the server's own that quote what they could not read. Every record passes
 * here before it is written; one that holds a token, or that would print a
 * statement which hands a secret to one of laras's functions, is not written.
 * In its place stands a record with the SQLSTATE and the message without its
 * values. The client is told what it would have been told.
 *
 * A function wrapped around ours hides its name from the second rule, and a
 * password has no form that the first could know: what must not be seen comes
 * as a parameter, through a role of laras, and a token best sealed to
 * laras.public_key().
 */
#include "postgres.h"

#include "base/hex.h"
#include "base/logguard.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/elog.h"
#include "utils/guc.h"

/* what our own records in place of others carry, so that they pass */
#define OWN_DOMAIN "laras log guard"

#define MAX_SHAPES 8

typedef struct Shape
{
	const char *prefix;
	size_t least;
} Shape;

static Shape shapes[MAX_SHAPES];
static int shape_count = 0;

/* functions that take a secret, by the words that call them */
static const char *const secretive[] = {
	"pair_connection(", "register_provider_app(", "create_workspace(", "add_member(",
	"log_in(",          "configure_llm(",
};

static emit_log_hook_type previous_hook = NULL;

/* A character may stand as itself, as two hex digits (bytea), or as a decimal number (node trees). */
typedef enum Form
{
	FORM_PLAIN,
	FORM_HEX,
	FORM_DECIMAL
} Form;

/* The next character in that form, or -1. */
static int
take(Form form, const char **p)
{
	int high;
	int low;
	int value = 0;

	switch (form)
	{
		case FORM_PLAIN:
			return **p == '\0' ? -1 : (unsigned char) *(*p)++;
		case FORM_HEX:
			high = laras_hex_digit((*p)[0]);
			low = high < 0 ? -1 : laras_hex_digit((*p)[1]);
			if (low < 0)
				return -1;
			*p += 2;
			return high << 4 | low;
		case FORM_DECIMAL:
			if (**p < '0' || **p > '9')
				return -1;
			while (**p >= '0' && **p <= '9' && value < 256)
				value = value * 10 + (*(*p)++ - '0');
			while (**p == ' ')
				(*p)++;
			return value;
	}
	return -1;
}

static bool
letter_or_digit(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* tokens are letters and digits, of some providers with the signs of base64url between */
static bool
part_of_token(int c)
{
	return letter_or_digit(c) || c == '-' || c == '_';
}

static bool
begins(const char *p, const Shape *shape, Form form)
{
	for (const char *want = shape->prefix; *want != '\0'; want++)
		if (take(form, &p) != (unsigned char) *want)
			return false;
	for (size_t i = 0; i < shape->least; i++)
		if (!part_of_token(take(form, &p)))
			return false;
	return true;
}

static bool
holds_token(const char *text)
{
	if (text == NULL)
		return false;
	for (int i = 0; i < shape_count; i++)
	{
		const Shape *shape = &shapes[i];
		char hex[3];
		char decimal[4];

		laras_hex_write((const uint8_t *) shape->prefix, 1, hex);
		snprintf(decimal, sizeof(decimal), "%u", (unsigned char) shape->prefix[0]);
		for (const char *p = text; *p != '\0'; p++)
		{
			bool word;

			if (*p == hex[0] && begins(p, shape, FORM_HEX))
				return true;
			if (*p != shape->prefix[0] && *p != decimal[0])
				continue;
			/* within a longer word of base64 the letters mean nothing */
			word = p == text || !letter_or_digit((unsigned char) shape->prefix[0]) ||
				   !(letter_or_digit((unsigned char) p[-1]) || p[-1] == '/' || p[-1] == '+' ||
					 p[-1] == '_');
			if (word && (begins(p, shape, FORM_PLAIN) || begins(p, shape, FORM_DECIMAL)))
				return true;
		}
	}
	return false;
}

static bool
calls_secretive(const char *text)
{
	if (text == NULL)
		return false;
	for (int i = 0; i < lengthof(secretive); i++)
		if (strstr(text, secretive[i]) != NULL)
			return true;
	return false;
}

/* Will the statement be printed below a record of this level? As the server decides it. */
static bool
statement_is_printed(const ErrorData *e)
{
	if (e->hide_stmt || debug_query_string == NULL)
		return false;
	if (e->elevel == LOG || e->elevel == LOG_SERVER_ONLY)
		return log_min_error_statement == LOG || log_min_error_statement <= ERROR;
	if (log_min_error_statement == LOG)
		return e->elevel >= FATAL;
	return e->elevel >= log_min_error_statement;
}

static bool
must_not_be_written(const ErrorData *e)
{
	if (holds_token(e->message) || holds_token(e->detail) || holds_token(e->detail_log) ||
		holds_token(e->hint) || (!e->hide_ctx && holds_token(e->context)) ||
		holds_token(e->internalquery))
		return true;
	if (calls_secretive(e->message) || calls_secretive(e->detail) ||
		calls_secretive(e->internalquery))
		return true;
	/* debug_print_parse and its like show the tree of a statement without its words */
	if ((e->elevel == LOG || statement_is_printed(e)) && calls_secretive(debug_query_string))
		return true;
	return statement_is_printed(e) && holds_token(debug_query_string);
}

static void
guard(ErrorData *e)
{
	if (previous_hook != NULL)
		previous_hook(e);
	if (!e->output_to_server || (e->domain != NULL && strcmp(e->domain, OWN_DOMAIN) == 0))
		return;
	if (!must_not_be_written(e))
		return;
	/* turning a record off is what the server lets a hook do with it */
	e->output_to_server = false;
	if (in_error_recursion_trouble())
		return;
	ereport_domain(
		LOG, OWN_DOMAIN,
		(errcode(e->sqlerrcode),
		 errmsg(
			 "a log record was withheld, since it would show a secret; without its values it is: %s",
			 e->message_id ? e->message_id : "a record"),
		 errhidestmt(true), errhidecontext(true)));
}

void
laras_log_guard_init(void)
{
	previous_hook = emit_log_hook;
	emit_log_hook = guard;
}

void
laras_log_guard_shape(const char *prefix, size_t least)
{
	if (shape_count == MAX_SHAPES)
		elog(ERROR, "too many forms of tokens");
	shapes[shape_count].prefix = prefix;
	shapes[shape_count++].least = least;
}

void
laras_hide_statement(const char *function)
{
	char text[128];

	snprintf(text, sizeof(text), "<hidden: a statement that calls laras.%s>", function);
	pgstat_report_activity(STATE_RUNNING, text);
}
