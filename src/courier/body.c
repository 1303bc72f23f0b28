/*
 * body.c
 *		What requests carry and what answers bring, whole or in parts, and the
 *		memory of it.
 *
 * Invariant: a body is given through a read callback without a seek callback,
 * which makes libcurl fail (CURLE_SEND_FAIL_REWIND) where it would otherwise
 * repeat the request on a fresh connection (call.c).
 */
#include "courier/body.h"

#include "base/fault.h"
#include "courier/fence.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LARGEST_ANSWER (1024 * 1024)

static int64_t held = 0; /* bytes of bodies to be sent */

/* ----------------------------------------------------------------- requests */

bool
laras_body_carry(LarasHttpCall *call, const char *body, size_t n)
{
	struct LarasHttpState *state = call->state;

	state->request = malloc(n + 1);
	if (state->request != NULL)
		memcpy(state->request, body, n);
	state->request_n = n;
	held += (int64_t) n;
	return state->request != NULL;
}

size_t
laras_body_read(char *buffer, size_t size, size_t count, void *user)
{
	struct LarasHttpState *state = ((LarasHttpCall *) user)->state;
	size_t n = size * count;

	LARAS_FAULT("courier_body");
	if (n > state->request_n - state->request_at)
		n = state->request_n - state->request_at;
	memcpy(buffer, state->request + state->request_at, n);
	state->request_at += n;
	return n;
}

int64_t
laras_http_held(void)
{
	return held;
}

/* ------------------------------------------------------------------ answers */

/* calls whose answers come in parts */
static LarasHttpCall *in_parts = NULL;

/* Is this the answer that was asked for in parts, and not word of why there is none? */
static bool
comes_in_parts(const struct LarasHttpState *state)
{
	long status = 0;

	if (state->part == 0)
		return false;
	curl_easy_getinfo(state->easy, CURLINFO_RESPONSE_CODE, &status);
	return status == 200;
}

size_t
laras_body_write(char *bytes, size_t size, size_t count, void *user)
{
	LarasHttpCall *call = user;
	struct LarasHttpState *state = call->state;
	size_t n = size * count;
	bool parts = comes_in_parts(state);

	LARAS_FAULT("courier_answer");
	if (parts && call->body_n >= state->part)
	{
		state->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (parts ? n > state->most - state->taken - call->body_n : n > LARGEST_ANSWER - call->body_n)
	{
		state->too_large = true;
		return 0;
	}
	if (call->body_n + n + 1 > state->room)
	{
		size_t room = state->room == 0 ? 2048 : state->room;
		char *grown;

		while (room < call->body_n + n + 1)
			room *= 2;
		grown = realloc(call->body, room);
		if (grown == NULL)
			return 0;
		call->body = grown;
		state->room = room;
	}
	memcpy(call->body + call->body_n, bytes, n);
	call->body_n += n;
	call->body[call->body_n] = '\0';
	return n;
}

void
laras_body_expect_parts(LarasHttpCall *call, size_t n, uint64_t most)
{
	call->state->part = n;
	call->state->most = most;
	call->state->in_parts = in_parts;
	in_parts = call;
}

LarasHttpCall *
laras_body_part(void)
{
	for (LarasHttpCall *call = in_parts; call != NULL; call = call->state->in_parts)
		if (call->state->paused && !call->part)
			return call;
	return NULL;
}

void
laras_http_go_on(LarasHttpCall *call, size_t taken)
{
	struct LarasHttpState *state = call->state;
	sigset_t saved;

	memmove(call->body, call->body + taken, call->body_n - taken);
	OPENSSL_cleanse(call->body + call->body_n - taken, taken);
	call->body_n -= taken;
	state->taken += taken;
	call->part = false;
	state->paused = false;
	laras_http_block_signals(&saved);
	laras_fence_hold();
	curl_easy_pause(state->easy, CURLPAUSE_CONT);
	laras_fence_release();
	laras_http_restore_signals(&saved);
}

void
laras_body_forget(LarasHttpCall *call)
{
	struct LarasHttpState *state = call->state;

	for (LarasHttpCall **at = &in_parts; *at != NULL; at = &(*at)->state->in_parts)
		if (*at == call)
		{
			*at = state->in_parts;
			break;
		}
	if (state->request != NULL)
		OPENSSL_cleanse(state->request, state->request_n);
	held -= (int64_t) state->request_n;
	free(state->request);
}

/* ------------------------------------------------------------------ memory */

void *
laras_http_memory(size_t n)
{
	return calloc(1, n > 0 ? n : 1);
}

void *
laras_http_copy(const void *p, size_t n)
{
	char *copy = calloc(1, n + 1);

	if (copy != NULL && n > 0)
		memcpy(copy, p, n);
	return copy;
}

void
laras_http_give_back(void *p, size_t n)
{
	if (p != NULL)
		OPENSSL_cleanse(p, n);
	free(p);
}

void
laras_http_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
