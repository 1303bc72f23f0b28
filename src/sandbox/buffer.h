/*
 * buffer.h
 *		Growing byte buffers and the few allocation helpers of the sandbox.
 *
 * The sandbox is a test tool: running out of memory ends it with a message.
 */
#ifndef LARAS_SANDBOX_BUFFER_H
#define LARAS_SANDBOX_BUFFER_H

#include <stddef.h>
#include <stdint.h>

typedef struct SbBuffer
{
	char *data; /* always followed by a NUL when not NULL */
	size_t len;
	size_t cap;
} SbBuffer;

/* Zeroed memory; never returns NULL. */
extern void *sb_alloc(size_t n);

/* A copy of s (NULL stays NULL), to be freed by the caller. */
extern char *sb_strdup(const char *s);

/* Replaces *field by a copy of s. */
extern void sb_replace(char **field, const char *s);

extern void sb_reserve(SbBuffer *b, size_t more);
extern void sb_clear(SbBuffer *b);
extern void sb_release(SbBuffer *b);
extern void sb_add(SbBuffer *b, const void *p, size_t n);
extern void sb_adds(SbBuffer *b, const char *s);
extern void sb_addf(SbBuffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern void sb_addu(SbBuffer *b, uint64_t v);

/*
 * A quoted JSON string in the form Meta puts on the wire: ASCII only, other
 * characters as \uXXXX with lower-case digits, "/" as "\/". s is valid UTF-8.
 */
extern void sb_addj(SbBuffer *b, const char *s);

/* JSON text from elsewhere that is ASCII already: its \uXXXX in lower case, in place. */
extern void sb_lower_escapes(char *json);

/* Base64 with padding, and base64url without. */
extern void sb_add_base64(SbBuffer *b, const void *p, size_t n);
extern void sb_add_base64url(SbBuffer *b, const void *p, size_t n);
extern void sb_add_hex(SbBuffer *b, const void *p, size_t n);

/* Form/query encoding of one value. */
extern void sb_add_urlencoded(SbBuffer *b, const char *s);

#endif
