/*
 * main.c
 *		laras-sandbox: a stand-in for Meta's Graph API for WhatsApp.
 *
 *	laras-sandbox [serve] [--listen HOST:PORT] [--smtp HOST:PORT] [--smtps HOST:PORT]
 *		[--certificate FILE --key FILE]
 *	laras-sandbox customer --number ID|PHONE --from PHONE [--name NAME] TEXT
 *	laras-sandbox ledger [--totals] [FILTER=VALUE ...]
 *	laras-sandbox call METHOD PATH [JSON]
 *
 * The last three speak to a running sandbox: --at URL, or LARAS_SANDBOX_URL,
 * else http://127.0.0.1:8099.
 */
#include <stdio.h>
#include <string.h>

#include "sandbox/client.h"
#include "sandbox/server.h"
#include "sandbox/tls.h"

#ifndef LARAS_VERSION
#define LARAS_VERSION "unknown"
#endif

static int
usage(FILE *out)
{
	fputs(
		"usage: laras-sandbox [serve] [--listen HOST:PORT] [--smtp HOST:PORT] [--smtps HOST:PORT]\n"
		"                     [--certificate FILE --key FILE]\n"
		"       laras-sandbox customer [--at URL] --number ID|PHONE --from PHONE [--name NAME] TEXT\n"
		"       laras-sandbox ledger [--at URL] [--totals] [FILTER=VALUE ...]\n"
		"       laras-sandbox call [--at URL] METHOD PATH [JSON]\n"
		"HOST:PORT and URL are 127.0.0.1:8099 unless given; LARAS_SANDBOX_URL sets URL too.\n",
		out);
	return out == stdout ? 0 : 64;
}

int
main(int argc, char **argv)
{
	const char *listen = "127.0.0.1:8099";
	const char *smtp = NULL; /* no mail */
	const char *smtps = NULL;
	const char *certificate = NULL;
	const char *key = NULL;
	int i = 1;

	if (argc > 1 && (strcmp(argv[1], "customer") == 0 || strcmp(argv[1], "ledger") == 0 ||
					 strcmp(argv[1], "call") == 0))
	{
		int status = sb_client(argc - 1, argv + 1);

		return status < 0 ? usage(stderr) : status;
	}
	if (i < argc && strcmp(argv[i], "serve") == 0)
		i++;
	for (; i < argc; i++)
	{
		if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc)
			listen = argv[++i];
		else if (strncmp(argv[i], "--listen=", 9) == 0)
			listen = argv[i] + 9;
		else if (strcmp(argv[i], "--smtp") == 0 && i + 1 < argc)
			smtp = argv[++i];
		else if (strncmp(argv[i], "--smtp=", 7) == 0)
			smtp = argv[i] + 7;
		else if (strcmp(argv[i], "--smtps") == 0 && i + 1 < argc)
			smtps = argv[++i];
		else if (strcmp(argv[i], "--certificate") == 0 && i + 1 < argc)
			certificate = argv[++i];
		else if (strcmp(argv[i], "--key") == 0 && i + 1 < argc)
			key = argv[++i];
		else if (strcmp(argv[i], "--help") == 0)
			return usage(stdout);
		else if (strcmp(argv[i], "--version") == 0)
		{
			puts("laras-sandbox " LARAS_VERSION);
			return 0;
		}
		else
			return usage(stderr);
	}
	if ((certificate == NULL) != (key == NULL) || (smtps != NULL && certificate == NULL))
		return usage(stderr);
	if (certificate != NULL && !sb_tls_load(certificate, key))
		return 1;
	return sb_serve(listen, smtp, smtps);
}
