/*
 * body.h
 *		What a call carries and what it brings.
 *
 * For http.c and call.c alone; the memory is declared in http.h.
 */
#ifndef LARAS_COURIER_BODY_H
#define LARAS_COURIER_BODY_H

#include "courier/http.h"
#include "courier/talk.h"

/* The body of a request, copied; false when memory is short. */
extern bool laras_body_carry(LarasHttpCall *call, const char *body, size_t n);

/* libcurl's callbacks; the last argument is the call. */
extern size_t laras_body_read(char *buffer, size_t size, size_t count, void *call);
extern size_t laras_body_write(char *bytes, size_t size, size_t count, void *call);

/* The answer is to come in parts of n bytes, at most so many in all. */
extern void laras_body_expect_parts(LarasHttpCall *call, size_t n, uint64_t most);

/* A call whose part waits to be taken, and is told of by nobody yet; NULL: none. */
extern LarasHttpCall *laras_body_part(void);

/* The call ends: nothing of its request stays. */
extern void laras_body_forget(LarasHttpCall *call);

#endif /* LARAS_COURIER_BODY_H */
