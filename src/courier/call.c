/*
 * call.c
 *		How a call is made, and what is left of it wiped.
 *
 * Invariant: a request goes out at most once. A POST body is given through a
 * read callback without a seek callback (body.c), which makes libcurl fail
 * (CURLE_SEND_FAIL_REWIND) where it would otherwise repeat the request on a
 * fresh connection; requests without a body are forbidden to reuse a
 * connection that could be dead (seen with libcurl 7.88: one call, two POSTs).
 */
#include "courier/http.h"

#include "base/fault.h"
#include "base/monotonic.h"
#include "courier/address.h"
#include "courier/body.h"
#include "courier/egress.h"
#include "courier/talk.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 5000L

/* a long body has longer, as if it went that fast */
#define BYTES_A_MS 128

/* of an answer in parts: in all, and bytes a second that count as something */
#define PARTS_MS (15L * 60 * 1000)
#define HARDLY_ANYTHING 512L

/* handles that wait for their next POST */
#define POOL LARAS_HTTP_CONNECTIONS

static CURL *pool[POOL];
static int pool_count = 0;

static long total_ms = 30000;

char *laras_http_authorities = NULL;

/* ------------------------------------------------------ libcurl's callbacks */

#ifdef LARAS_FAULTS
/* a host's address is about to be looked for */
static int
on_resolve(void *resolver, void *reserved, void *user)
{
	(void) resolver;
	(void) reserved;
	(void) user;
	LARAS_FAULT("courier_resolving");
	return 0;
}
#endif

/* the connection stands; the request may go, unless what it speaks for was cut meanwhile */
static int
on_request(void *user, char *to, char *from, int to_port, int from_port)
{
	LarasHttpCall *call = user;

	(void) to;
	(void) from;
	(void) to_port;
	(void) from_port;
	return laras_http_may_go(call->owner) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* a line of the answer's head */
static size_t
on_header(char *line, size_t size, size_t count, void *user)
{
	LARAS_FAULT("courier_head");
	laras_usage_read(&((LarasHttpCall *) user)->usage, line, size * count);
	return size * count;
}

/* -------------------------------------------------------------- made and wiped */

void
laras_http_set_timeout(int ms)
{
	total_ms = ms;
}

static bool
add_header(struct LarasHttpState *state, const char *header)
{
	struct curl_slist *list = curl_slist_append(state->headers, header);

	if (list == NULL)
		return false;
	state->headers = list;
	return true;
}

/* curl_slist copies what it is given: the copy of a secret is wiped too */
static void
wipe_headers(struct LarasHttpState *state)
{
	for (struct curl_slist *h = state->headers; h != NULL; h = h->next)
		if (strncmp(h->data, "Authorization:", 14) == 0)
			OPENSSL_cleanse(h->data, strlen(h->data));
	curl_slist_free_all(state->headers);
	state->headers = NULL;
}

/* Only after a whole answer: what else a handle remembers of a failure is unknown. */
static void
give_back_easy(const LarasHttpCall *call, struct LarasHttpState *state)
{
	if (state->pooled && call->end == LARAS_HTTP_ANSWERED && pool_count < POOL)
	{
		curl_easy_setopt(state->easy, CURLOPT_HTTPHEADER, NULL);
		pool[pool_count++] = state->easy;
	}
	else
		curl_easy_cleanup(state->easy);
}

void
laras_http_free(LarasHttpCall *call)
{
	struct LarasHttpState *state;

	if (call == NULL)
		return;
	state = call->state;
	if (state != NULL)
	{
		if (state->easy != NULL)
			give_back_easy(call, state);
		wipe_headers(state);
		laras_mail_forget(state->mail);
		laras_body_forget(call);
		free(state);
	}
	if (call->body != NULL)
		OPENSSL_cleanse(call->body, call->body_n);
	free(call->body);
	free(call);
}

/* Where a name of somebody else's choosing leads inside, there is no socket. */
static curl_socket_t
on_public_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *to)
{
	if (!laras_address_is_public(&to->addr))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* What holds for every request. */
static void
configure_all(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, laras_body_read);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, laras_body_write);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
#ifdef LARAS_FAULTS
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
#endif
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (laras_http_authorities != NULL && laras_http_authorities[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, laras_http_authorities);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

/* A handle for this request: one that has made such a request before, or a new one. */
static bool
take_easy(struct LarasHttpState *state, const char *method)
{
	bool post = state->request != NULL && strcmp(method, "POST") == 0;

	if (post && pool_count > 0)
		state->easy = pool[--pool_count];
	else
	{
		state->easy = curl_easy_init();
		if (state->easy == NULL)
			return false;
		configure_all(state->easy);
		if (state->request != NULL)
			curl_easy_setopt(state->easy, CURLOPT_POST, 1L);
		else
			/* nothing to rewind, so libcurl could repeat it: use a connection of its own */
			curl_easy_setopt(state->easy, CURLOPT_FRESH_CONNECT, 1L);
		if (strcmp(method, state->request != NULL ? "POST" : "GET") != 0)
			curl_easy_setopt(state->easy, CURLOPT_CUSTOMREQUEST, method);
	}
	state->pooled = post;
	return true;
}

static char next_header[300];

bool
laras_http_with_header(const char *header)
{
	size_t n = strlen(header);

	next_header[0] = '\0';
	if (n >= sizeof(next_header) || strpbrk(header, "\r\n") != NULL)
		return false;
	memcpy(next_header, header, n + 1);
	return true;
}

static size_t next_part = 0;
static uint64_t next_most = 0;

void
laras_http_with_parts(size_t n, uint64_t most)
{
	next_part = n;
	next_most = most;
}

static bool next_public = false;

void
laras_http_with_public(void)
{
	next_public = true;
}

/* What was said of the next call was said of this one. */
static void
forget_next(void)
{
	next_header[0] = '\0';
	next_part = 0;
	next_public = false;
}

/* The answer is to come in parts. */
static void
configure_parts(LarasHttpCall *call)
{
	CURL *easy = call->state->easy;

	laras_body_expect_parts(call, next_part, next_most);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, PARTS_MS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, HARDLY_ANYTHING);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, total_ms < 1000 ? 1L : total_ms / 1000);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) next_most);
}

/* What belongs to one call. */
static void
configure_call(LarasHttpCall *call)
{
	CURL *easy = call->state->easy;

	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
					 total_ms + (long) (call->state->request_n / BYTES_A_MS));
}

static bool
configure(LarasHttpCall *call, const char *url, const char *content_type)
{
	struct LarasHttpState *state = call->state;
	CURL *easy = state->easy;
	char type[128];

	snprintf(type, sizeof(type), "Content-Type: %s",
			 content_type ? content_type : "application/json");
	if (next_header[0] != '\0' && !add_header(state, next_header))
		return false;
	if (!add_header(state, "Expect:") || (state->request != NULL && !add_header(state, type)))
		return false;
	if (state->request != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) state->request_n);
	configure_call(call);
	if (next_part > 0)
		configure_parts(call);
	if (next_public && !laras_egress_plain(url, strlen(url)))
	{
		/* and the handle serves no other request */
		state->pooled = false;
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_public_socket);
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, state->headers);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, strncmp(url, "http:", 5) == 0 ? "http" : "https");
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
}

/*
 * The URL with the token at its place; malloc'd, and *n grows by it. NULL where
 * memory is short, or the token holds what would be more than a piece of a path.
 */
static char *
address_of(const char *url, size_t *n, const char *token, size_t token_n, size_t token_at)
{
	char *address;
	size_t url_n = *n;

	if (token_at == 0 || token == NULL)
		token_n = token_at = 0;
	else if (token_at > url_n)
		return NULL;
	for (size_t i = 0; i < token_n; i++)
	{
		char c = token[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  c == '-' || c == '_' || c == '.' || c == ':' || c == '~'))
			return NULL;
	}
	address = malloc(url_n + token_n + 1);
	if (address == NULL)
		return NULL;
	memcpy(address, url, token_at);
	if (token_n > 0)
		memcpy(address + token_at, token, token_n);
	memcpy(address + token_at + token_n, url + token_at, url_n - token_at);
	*n = url_n + token_n;
	address[*n] = '\0';
	return address;
}

LarasHttpCall *
laras_http_start(const char *method, const char *url, size_t url_n, const char *content_type,
				 const char *body, size_t body_n, const char *token, size_t token_n,
				 size_t token_at, void *owner)
{
	LarasHttpCall *call = calloc(1, sizeof(LarasHttpCall));
	size_t address_n = url_n;
	char *address = address_of(url, &address_n, token, token_n, token_at);
	sigset_t saved;
	bool ok = false;

	if (call == NULL || address == NULL || (call->state = calloc(1, sizeof(*call->state))) == NULL)
	{
		forget_next();
		laras_http_give_back(address, address_n);
		laras_http_free(call);
		return NULL;
	}
	call->owner = owner;
	laras_http_block_signals(&saved);
	if (laras_egress_allowed(url, url_n))
	{
		ok = body == NULL || laras_body_carry(call, body, body_n);
		ok = ok && take_easy(call->state, method);
		/* the next request of a handle does not begin with this one's URL */
		if (ok && token_at != 0)
			call->state->pooled = false;
		if (ok && token != NULL && token_at == 0)
		{
			size_t room = token_n + sizeof("Authorization: Bearer ");
			char *header = malloc(room);

			ok = header != NULL;
			if (ok)
			{
				snprintf(header, room, "Authorization: Bearer %.*s", (int) token_n, token);
				ok = add_header(call->state, header);
				OPENSSL_cleanse(header, room);
			}
			free(header);
		}
		ok = ok && configure(call, address, content_type);
		ok = ok && laras_http_begin(call);
	}
	laras_http_restore_signals(&saved);
	forget_next();
	laras_http_give_back(address, address_n);
	if (!ok)
	{
		laras_http_free(call);
		return NULL;
	}
	laras_http_begun();
	return call;
}

LarasHttpCall *
laras_http_start_mail(const char *url, size_t url_n, const LarasEnvelope *envelope,
					  const char *mail, size_t mail_n, const char *token, size_t token_n,
					  void *owner)
{
	LarasHttpCall *call = calloc(1, sizeof(LarasHttpCall));
	struct LarasHttpState *state = call == NULL ? NULL : calloc(1, sizeof(*state));
	char *address = laras_http_copy(url, url_n);
	char *password = token == NULL ? NULL : laras_http_copy(token, token_n);
	sigset_t saved;
	bool ok = state != NULL && address != NULL && (token == NULL || password != NULL);

	if (call != NULL)
		call->state = state;
	laras_http_block_signals(&saved);
	if (ok && laras_egress_allowed(url, url_n))
	{
		call->owner = owner;
		state->mail = laras_mail_new(envelope, mail, mail_n);
		state->easy = curl_easy_init();
		state->socket = -1;
		state->until_ms = laras_monotonic_ms() + total_ms;
		ok = state->mail != NULL && state->easy != NULL;
		if (ok)
		{
			configure_all(state->easy);
			configure_call(call);
			ok = laras_mail_configure(state->mail, state->easy, address,
									  laras_egress_plain(url, url_n), password);
			call->name = state->mail->envelope.id;
		}
		ok = ok && laras_http_begin(call);
	}
	else
		ok = false;
	laras_http_restore_signals(&saved);
	laras_http_give_back(address, url_n);
	laras_http_give_back(password, token_n);
	if (!ok)
	{
		laras_http_free(call);
		return NULL;
	}
	laras_http_begun();
	return call;
}
