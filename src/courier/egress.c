/*
 * egress.c
 *		The list of hosts; see egress.h.
 *
 * Every request is held against it at the one place where requests begin, so
 * that neither a wrong row nor an answer can lead one elsewhere.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/spi.h"
#include "courier/egress.h"
#include "courier/http.h"

#define MAX_HOSTS 1024
#define HOST_SIZE 256

static char hosts[MAX_HOSTS][HOST_SIZE];
static int host_count = 0;

/* the last URL that was allowed, since many requests go to the same */
static char last_allowed[1024];

LARAS_PLAN(
	read_hosts,
	"SELECT a.host FROM (SELECT h.host, h.registered::pg_catalog.int4 AS late FROM laras.provider_host h "
	"UNION SELECT e.host, 2 FROM laras.llm_endpoint e WHERE e.enabled) AS a "
	"WHERE pg_catalog.length(a.host) OPERATOR(pg_catalog.<) 256 ORDER BY a.late, a.host LIMIT $1",
	INT4OID);

static bool
is_loopback(const char *host)
{
	struct in_addr v4;

	return strcmp(host, "[::1]") == 0 ||
		   (inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}

/* May that be spoken to? A mail server without TLS turns to it first (mail.c), or is not. */
static bool
scheme_is_sound(const char *scheme, const char *host)
{
	return strcmp(scheme, "https") == 0 || strcmp(scheme, "smtps") == 0 ||
		   strcmp(scheme, "smtp") == 0 ||
		   (strcmp(scheme, "http") == 0 && laras_test_mode && is_loopback(host));
}

/* The host of a URL whose form is sound; false where it is not. */
static bool
host_of(const char *url, size_t n, char out[HOST_SIZE])
{
	CURLU *parsed = curl_url();
	char *copy = laras_http_copy(url, n);
	char *scheme = NULL;
	char *host = NULL;
	char *user = NULL;
	bool sound = false;

	if (parsed != NULL && copy != NULL && strlen(copy) == n &&
		curl_url_set(parsed, CURLUPART_URL, copy, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_OK && strlen(host) < HOST_SIZE)
	{
		strlcpy(out, host, HOST_SIZE);
		sound = scheme_is_sound(scheme, host);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parsed);
	laras_http_give_back(copy, n);
	return sound;
}

bool
laras_egress_sound(const char *url, size_t n)
{
	char host[HOST_SIZE];

	return host_of(url, n, host);
}

bool
laras_egress_plain(const char *url, size_t n)
{
	char host[HOST_SIZE];

	return laras_test_mode && host_of(url, n, host) && is_loopback(host);
}

bool
laras_egress_is_mail(const char *url, size_t n)
{
	return laras_egress_sound(url, n) && n > 4 && memcmp(url, "smtp", 4) == 0;
}

/* Is the host that one of the list, or below it where that begins with a full stop? */
static bool
is_host(const char *host, const char *listed)
{
	size_t n = strlen(host);
	size_t end = strlen(listed);

	if (listed[0] == '.' && n > end)
		host += n - end;
	return pg_strcasecmp(listed, host) == 0;
}

bool
laras_egress_allowed(const char *url, size_t n)
{
	char host[HOST_SIZE];

	if (n < sizeof(last_allowed) && strlen(last_allowed) == n && memcmp(last_allowed, url, n) == 0)
		return true;
	if (!host_of(url, n, host))
		return false;
	for (int i = 0; i < host_count; i++)
		if (is_host(host, hosts[i]))
		{
			if (n < sizeof(last_allowed))
			{
				memcpy(last_allowed, url, n);
				last_allowed[n] = '\0';
			}
			return true;
		}
	return false;
}

void
laras_egress_refresh(void)
{
	uint64 found;

	laras_spi_open();
	found = laras_spi_run(&read_hosts, (Datum[]){Int32GetDatum(MAX_HOSTS)}, NULL);
	for (uint64 i = 0; i < found; i++)
		strlcpy(hosts[i], laras_spi_cstring(i, 1), HOST_SIZE);
	host_count = (int) found;
	last_allowed[0] = '\0';
	laras_spi_close();
}
