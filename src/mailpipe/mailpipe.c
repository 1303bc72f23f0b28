/*
 * mailpipe.c
 *		laras-mailpipe: what a mail server calls for each mail of a connected
 *		address. It reads the mail from standard input, signs it and posts it.
 *
 *	laras-mailpipe FILE
 *
 * FILE has the lines `url URL` and `secret SECRET`, as take_webhook_secret gives
 * them, and is readable by nobody else. Invariants: the end tells the mail server
 * the truth (0 only where the mail is stored, or knowingly dropped); nothing of
 * the mail and no secret is printed or stands in an argument.
 */
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef LARAS_VERSION
#define LARAS_VERSION "unknown"
#endif

/* what laras takes; of a longer mail the rest is left out: text stands before attachments */
#define LARGEST_MAIL (4 * 1024 * 1024)
#define TIMEOUT_S 60L

typedef struct Target
{
	char url[1024];
	char secret[256];
} Target;

static int
fail(int status, const char *what, const char *why)
{
	fprintf(stderr, "laras-mailpipe: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return status;
}

/* Takes the rest of a line that begins with that word. */
static void
take(const char *line, const char *word, char *to, size_t room)
{
	size_t n = strlen(word);

	if (strncmp(line, word, n) != 0 || (line[n] != ' ' && line[n] != '\t'))
		return;
	line += n + strspn(line + n, " \t");
	snprintf(to, room, "%.*s", (int) strcspn(line, " \t\r\n"), line);
}

/* 0, or how to end. */
static int
read_target(const char *path, Target *target)
{
	FILE *file = fopen(path, "r");
	char line[2048];
	struct stat about;

	if (file == NULL)
		return fail(EX_CONFIG, path, "cannot be read");
	if (fstat(fileno(file), &about) != 0 || (about.st_mode & (S_IROTH | S_IWOTH)) != 0)
	{
		fclose(file);
		return fail(EX_CONFIG, path, "everybody could read it; chmod o-rw");
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		take(line, "url", target->url, sizeof(target->url));
		take(line, "secret", target->secret, sizeof(target->secret));
	}
	OPENSSL_cleanse(line, sizeof(line));
	fclose(file);
	if (target->url[0] == '\0' || target->secret[0] == '\0')
		return fail(EX_CONFIG, path, "needs a line \"url\" and a line \"secret\"");
	return 0;
}

/* All of standard input, of which as much is kept as laras takes. */
static char *
read_mail(size_t *n)
{
	char *mail = malloc(LARGEST_MAIL);
	char rest[65536];
	size_t got;

	*n = 0;
	if (mail == NULL)
		return NULL;
	while (*n < LARGEST_MAIL && (got = fread(mail + *n, 1, LARGEST_MAIL - *n, stdin)) > 0)
		*n += got;
	/* to the end: see main */
	while (fread(rest, 1, sizeof(rest), stdin) > 0)
		;
	if (ferror(stdin))
	{
		free(mail);
		return NULL;
	}
	return mail;
}

/* "X-Laras-Signature: sha256=..." */
static int
sign(const Target *target, const char *mail, size_t n, char *header, size_t room)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	int at = snprintf(header, room, "X-Laras-Signature: sha256=");

	if (HMAC(EVP_sha256(), target->secret, (int) strlen(target->secret),
			 (const unsigned char *) mail, n, mac, &length) == NULL ||
		length != 32)
		return 0;
	for (unsigned int i = 0; i < length; i++)
		at += snprintf(header + at, room - (size_t) at, "%02x", mac[i]);
	return 1;
}

static size_t
forget(char *bytes, size_t size, size_t count, void *user)
{
	(void) bytes;
	(void) user;
	return size * count;
}

/* How to end, by what the server answered. */
static int
verdict(CURLcode code, long status)
{
	char words[64];

	if (code != CURLE_OK)
		return fail(EX_TEMPFAIL, "could not post", curl_easy_strerror(code));
	snprintf(words, sizeof(words), "answered %ld", status);
	if (status >= 200 && status < 300)
		return 0;
	if (status == 401 || status == 404)
		return fail(EX_TEMPFAIL, words, "url or secret is wrong");
	return fail(EX_TEMPFAIL, words, NULL);
}

static int
post(const Target *target, const char *mail, size_t n)
{
	CURL *easy = curl_easy_init();
	struct curl_slist *headers = NULL;
	char signature[128];
	CURLcode code = CURLE_FAILED_INIT;
	long status = 0;

	if (easy != NULL && sign(target, mail, n, signature, sizeof(signature)))
	{
		headers = curl_slist_append(headers, signature);
		headers = curl_slist_append(headers, "Content-Type: message/rfc822");
		headers = curl_slist_append(headers, "Expect:");
		curl_easy_setopt(easy, CURLOPT_URL, target->url);
		curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, mail);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) n);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
		curl_easy_setopt(easy, CURLOPT_TIMEOUT, TIMEOUT_S);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		code = curl_easy_perform(easy);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
	return verdict(code, status);
}

int
main(int argc, char **argv)
{
	Target target = {"", ""};
	char *mail;
	size_t n;
	int status;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
	{
		puts("laras-mailpipe " LARAS_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
	{
		puts(
			"usage: laras-mailpipe FILE < mail\n"
			"FILE has a line \"url URL\" and a line \"secret SECRET\".\n"
			"Ends with 0 when the mail is taken, 75 when it should be tried again, 78 when FILE is "
			"wrong.");
		return 0;
	}
	if (argc != 2 || argv[1][0] == '-')
		return fail(EX_USAGE, "usage: laras-mailpipe FILE < mail", NULL);
	/* first of all: a mail server whose pipe is closed early says that, not what is wrong with FILE */
	mail = read_mail(&n);
	if (mail == NULL)
		return fail(EX_TEMPFAIL, "the mail could not be read", NULL);
	status = read_target(argv[1], &target);
	if (status != 0)
	{
		free(mail);
		return status;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail(EX_TEMPFAIL, "libcurl cannot start", NULL);
	status = post(&target, mail, n);
	OPENSSL_cleanse(&target, sizeof(target));
	OPENSSL_cleanse(mail, n);
	free(mail);
	curl_global_cleanup();
	return status;
}
