/*
 * mail_tls.c
 *		Sends one mail by the courier's own files, without server: how far it got
 *		is printed.
 *
 *		mail_tls URL BYTES [CERTIFICATE]
 *
 * The certificate is believed in place of the system's. The user is "toko", his
 * password "sandi rahasia".
 */
#include "channel/send.h"
#include "courier/egress.h"
#include "courier/fence.h"
#include "courier/http.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* what the server has and this program does not: no list of hosts, nobody who destroys keys */
bool
laras_egress_allowed(const char *url, size_t n)
{
	return url != NULL && n > 0;
}

bool
laras_egress_plain(const char *url, size_t n)
{
	return url == NULL && n > 0;
}

void
laras_fence_hold(void)
{
}

void
laras_fence_release(void)
{
}

int
main(int argc, char **argv)
{
	static const char *const ends[] = {"answered", "not sent", "unknown"};
	static const char line[] = ".a line that begins with a dot\r\n";
	LarasEnvelope envelope = {"toko", "toko@shop.example", "sari@pelanggan.example", "x@y"};
	size_t wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	size_t n = 0;
	char *mail = malloc(wanted + 64);
	LarasHttpCall *call;
	LarasHttpCall *ended = NULL;

	if (mail == NULL || argc < 3)
		return 2;
	laras_http_authorities = argc > 3 ? argv[3] : NULL;
	n = (size_t) snprintf(mail, wanted + 64, "Subject: x\r\n\r\n");
	for (; n < wanted; n += sizeof(line) - 1)
		memcpy(mail + n, line, sizeof(line) - 1);
	if (!laras_http_open())
		return 2;
	call = laras_http_start_mail(argv[1], strlen(argv[1]), &envelope, mail, n, "sandi rahasia", 13,
								 NULL);
	for (int i = 0; call != NULL && ended == NULL && i < 3000; i++)
	{
		laras_http_drive();
		ended = laras_http_next();
		poll(NULL, 0, 10);
	}
	if (ended == NULL)
		return 3;
	printf("%s %d\n", ends[ended->end], ended->http_status);
	fprintf(stderr, "libcurl: %s\n", curl_easy_strerror((CURLcode) ended->curl_code));
	laras_http_free(ended);
	free(mail);
	return 0;
}
