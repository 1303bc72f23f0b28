/*
 * client.c
 *		Playing a customer, reading the ledger and any control call, from the
 *		shell: one request to a running sandbox.
 *
 * Exit status: 0 answered with 2xx, 1 any other answer, 2 no answer.
 */
#include "sandbox/client.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>

#include "sandbox/buffer.h"

static size_t
take(char *data, size_t size, size_t count, void *arg)
{
	sb_add(arg, data, size * count);
	return size * count;
}

/* One request; the answer goes into reply. Returns the HTTP status, 0 for none. */
static long
request(const char *base, const char *method, const char *path, const char *body, SbBuffer *reply)
{
	CURL *easy = curl_easy_init();
	SbBuffer url = {0};
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	long status = 0;
	CURLcode code;

	if (easy == NULL)
		abort();
	sb_addf(&url, "%s%s%s", base, path[0] == '/' ? "" : "/", path);
	curl_easy_setopt(easy, CURLOPT_URL, url.data);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (body != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	else if (strcmp(method, "POST") == 0)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply);
	code = curl_easy_perform(easy);
	if (code == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	else
		fprintf(stderr, "laras-sandbox: %s: %s\n", url.data, curl_easy_strerror(code));
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
	sb_release(&url);
	return status;
}

/* Prints JSON answers indented, others as they are. */
static int
show(long status, const SbBuffer *reply)
{
	json_t *value = reply->data ? json_loads(reply->data, JSON_DECODE_ANY, NULL) : NULL;

	if (value != NULL)
	{
		json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
		json_decref(value);
	}
	else if (reply->data != NULL && reply->data[0] != '\0')
		puts(reply->data);
	return status == 0 ? 2 : status >= 200 && status < 300 ? 0 : 1;
}

static const char *
string_at(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "-";
}

/* The ledger as one line a request. */
static int
show_ledger(long status, const SbBuffer *reply)
{
	json_t *value = reply->data ? json_loads(reply->data, 0, NULL) : NULL;
	const json_t *entries = json_object_get(value, "entries");
	size_t i;
	json_t *e;

	if (!json_is_array(entries))
	{
		json_decref(value);
		return show(status, reply);
	}
	json_array_foreach(entries, i, e)
	{
		const char *text = json_string_value(
			json_object_get(json_object_get(json_object_get(e, "body"), "text"), "body"));
		long long code = (long long) json_integer_value(json_object_get(e, "code"));

		printf("%6lld  %-6s %-44s %3lld %-8s",
			   (long long) json_integer_value(json_object_get(e, "seq")), string_at(e, "method"),
			   string_at(e, "path"), (long long) json_integer_value(json_object_get(e, "status")),
			   string_at(e, "outcome"));
		if (code != 0)
			printf(" code %lld", code);
		if (json_object_get(e, "to") != NULL)
			printf(" to %s", string_at(e, "to"));
		if (json_object_get(e, "fault") != NULL)
			printf(" fault %s", string_at(e, "fault"));
		if (text != NULL)
			printf("  \"%s\"", text);
		putchar('\n');
	}
	json_decref(value);
	return 0;
}

static int
customer(const char *base, int argc, char **argv)
{
	const char *number = NULL;
	const char *from = NULL;
	const char *name = NULL;
	const char *text = NULL;
	json_t *o;
	char *body;
	SbBuffer reply = {0};
	int status;

	for (int i = 0; i < argc; i++)
	{
		if (strcmp(argv[i], "--number") == 0 && i + 1 < argc)
			number = argv[++i];
		else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			from = argv[++i];
		else if (strcmp(argv[i], "--name") == 0 && i + 1 < argc)
			name = argv[++i];
		else if (text == NULL && strncmp(argv[i], "--", 2) != 0)
			text = argv[i];
		else
			return -1;
	}
	if (number == NULL || from == NULL || text == NULL)
		return -1;
	o = json_pack("{s:s,s:s,s:s,s:b}", "number", number, "from", from, "text", text, "wait", 1);
	if (o == NULL)
	{
		fputs("laras-sandbox: the text is not valid UTF-8\n", stderr);
		return 1;
	}
	if (name != NULL)
		json_object_set_new(o, "name", json_string(name));
	body = json_dumps(o, JSON_COMPACT);
	status = show(request(base, "POST", "/_sandbox/customer/message", body, &reply), &reply);
	free(body);
	json_decref(o);
	sb_release(&reply);
	return status;
}

static int
ledger(const char *base, int argc, char **argv)
{
	SbBuffer path = {0};
	SbBuffer reply = {0};
	bool totals = false;
	char glue = '?';
	int status;

	sb_adds(&path, "/_sandbox/ledger");
	for (int i = 0; i < argc; i++)
	{
		char *equals = strchr(argv[i], '=');

		if (strcmp(argv[i], "--totals") == 0)
			totals = true;
		else if (equals == NULL)
			return -1;
		else
		{
			*equals = '\0';
			sb_add(&path, &glue, 1);
			sb_add_urlencoded(&path, argv[i]);
			sb_adds(&path, "=");
			sb_add_urlencoded(&path, equals + 1);
			glue = '&';
		}
	}
	if (totals)
	{
		sb_clear(&path);
		sb_adds(&path, "/_sandbox/totals");
	}
	status = (int) request(base, "GET", path.data, NULL, &reply);
	status = totals ? show(status, &reply) : show_ledger(status, &reply);
	sb_release(&path);
	sb_release(&reply);
	return status;
}

int
sb_client(int argc, char **argv)
{
	const char *command = argv[0];
	const char *base = getenv("LARAS_SANDBOX_URL");
	int status = -1;

	argv++;
	argc--;
	if (argc >= 2 && strcmp(argv[0], "--at") == 0)
	{
		base = argv[1];
		argv += 2;
		argc -= 2;
	}
	if (base == NULL)
		base = "http://127.0.0.1:8099";
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (strcmp(command, "customer") == 0)
		status = customer(base, argc, argv);
	else if (strcmp(command, "ledger") == 0)
		status = ledger(base, argc, argv);
	else if (argc == 2 || argc == 3)
	{
		SbBuffer reply = {0};

		status = show(request(base, argv[0], argv[1], argc == 3 ? argv[2] : NULL, &reply), &reply);
		sb_release(&reply);
	}
	curl_global_cleanup();
	return status;
}
