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

/* Ranges that are nobody's on the public net (RFC 6890). */
static bool
is_public_v4(uint32 a)
{
	static const struct
	{
		uint32 net;
		int bits;
	} ranges[] = {
		{0x00000000, 8},  /* 0.0.0.0: this network */
		{0x0A000000, 8},  /* 10.0.0.0 */
		{0x64400000, 10}, /* 100.64.0.0: shared by carriers */
		{0x7F000000, 8},  /* 127.0.0.0: loopback */
		{0xA9FE0000, 16}, /* 169.254.0.0: link-local, and metadata of clouds */
		{0xAC100000, 12}, /* 172.16.0.0 */
		{0xC0000000, 24}, /* 192.0.0.0: protocol assignments */
		{0xC0000200, 24}, /* 192.0.2.0: documentation */
		{0xC0586300, 24}, /* 192.88.99.0: old relays */
		{0xC0A80000, 16}, /* 192.168.0.0 */
		{0xC6120000, 15}, /* 198.18.0.0: benchmarks */
		{0xC6336400, 24}, /* 198.51.100.0: documentation */
		{0xCB007100, 24}, /* 203.0.113.0: documentation */
		{0xE0000000, 3},  /* 224.0.0.0: multicast, reserved, broadcast */
	};

	for (int i = 0; i < lengthof(ranges); i++)
		if (a >> (32 - ranges[i].bits) == ranges[i].net >> (32 - ranges[i].bits))
			return false;
	return true;
}

static uint32
v4_in(const unsigned char *p)
{
	return (uint32) p[0] << 24 | (uint32) p[1] << 16 | (uint32) p[2] << 8 | p[3];
}

bool
laras_egress_is_public(const struct sockaddr *address)
{
	static const unsigned char translated[12] = {0x00, 0x64, 0xFF, 0x9B};
	const unsigned char *p;

	if (address->sa_family == AF_INET)
		return is_public_v4(
			ntohl(((const struct sockaddr_in *) (const void *) address)->sin_addr.s_addr));
	if (address->sa_family != AF_INET6)
		return false;
	p = ((const struct sockaddr_in6 *) (const void *) address)->sin6_addr.s6_addr;
	if (memcmp(p, translated, sizeof(translated)) == 0)
		return is_public_v4(v4_in(p + 12));
	/* 2002::/16 holds an address of IPv4; of 2001::/23 and 2001:db8::/32 nothing is a host's */
	if (p[0] == 0x20 && p[1] == 0x02)
		return is_public_v4(v4_in(p + 2));
	if (p[0] == 0x20 && p[1] == 0x01 && (p[2] < 0x02 || (p[2] == 0x0D && p[3] == 0xB8)))
		return false;
	/* all that is given out is in 2000::/3 */
	return p[0] >> 5 == 1;
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
