/*
 * multipart.c
 *		Bodies of multipart/form-data (RFC 7578), as files are uploaded in.
 */
#include "sandbox/media.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A copy that lives as long as the call. */
static char *
kept(SbCall *call, const char *p, size_t n)
{
	char *copy = call->kept + call->kept_n;

	if (n + 1 > sizeof(call->kept) - call->kept_n)
		return NULL;
	memcpy(copy, p, n);
	copy[n] = '\0';
	call->kept_n += n + 1;
	return copy;
}

static const char *
find(const char *at, const char *end, const char *what, size_t n)
{
	return n == 0 || (size_t) (end - at) < n ? NULL : memmem(at, (size_t) (end - at), what, n);
}

/* The value of name="..." in a line; NULL where it is not there. */
static char *
quoted(SbCall *call, const char *line, const char *end, const char *name)
{
	char wanted[32];
	const char *at;
	const char *stop;

	snprintf(wanted, sizeof(wanted), " %s=\"", name);
	at = find(line, end, wanted, strlen(wanted));
	if (at == NULL)
		return NULL;
	at += strlen(wanted);
	stop = memchr(at, '"', (size_t) (end - at));
	return stop == NULL ? NULL : kept(call, at, (size_t) (stop - at));
}

/* One part of the form: a parameter, or the file. */
static bool
read_part(SbCall *call, const char *head, const char *head_end, const char *bytes, size_t n,
		  SbUpload *file)
{
	char *name = NULL;
	char *filename = NULL;
	const char *mime = "text/plain";

	for (const char *line = head; line < head_end;)
	{
		const char *end = find(line, head_end, "\r\n", 2);

		if (end == NULL)
			end = head_end;
		if (strncasecmp(line, "Content-Disposition: form-data;", 31) == 0)
		{
			name = quoted(call, line, end, "name");
			filename = quoted(call, line, end, "filename");
		}
		else if (strncasecmp(line, "Content-Type: ", 14) == 0)
			mime = kept(call, line + 14, (size_t) (end - line) - 14);
		line = end + 2;
	}
	if (name == NULL || mime == NULL)
		return false;
	if (filename != NULL)
	{
		if (file->field != NULL)
			return false;
		*file = (SbUpload){name, filename, mime, bytes, n};
		return true;
	}
	if (call->nparams >= SB_MAX_PARAMS)
		return false;
	call->params[call->nparams].name = name;
	call->params[call->nparams].value = kept(call, bytes, n);
	return call->params[call->nparams++].value != NULL;
}

bool
sb_read_multipart(SbCall *call, SbUpload *file)
{
	const char *type = call->type;
	const char *given = type ? strstr(type, "boundary=") : NULL;
	const char *at = call->body;
	const char *end = at + call->body_length;
	char boundary[80];
	size_t n;

	memset(file, 0, sizeof(*file));
	if (given == NULL || strncasecmp(type, "multipart/form-data", 19) != 0)
		return false;
	given += strlen("boundary=");
	n = strcspn(given, "\"; ");
	if (n == 0 || n > 70)
		return false;
	n = (size_t) snprintf(boundary, sizeof(boundary), "\r\n--%.*s", (int) n, given);
	/* the first one has no line before it */
	if ((size_t) (end - at) < n - 2 || memcmp(at, boundary + 2, n - 2) != 0)
		return false;
	at += n - 2;
	for (;;)
	{
		const char *head;
		const char *head_end;
		const char *next;

		if (end - at >= 4 && memcmp(at, "--\r\n", 4) == 0)
			return at + 4 == end;
		if (end - at < 2 || memcmp(at, "\r\n", 2) != 0)
			return false;
		head = at + 2;
		head_end = find(head, end, "\r\n\r\n", 4);
		if (head_end == NULL)
			return false;
		next = find(head_end + 4, end, boundary, n);
		if (next == NULL ||
			!read_part(call, head, head_end, head_end + 4, (size_t) (next - head_end) - 4, file))
			return false;
		at = next + n;
	}
}
