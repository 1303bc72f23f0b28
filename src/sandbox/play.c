/*
 * play.c
 *		Answers to control calls that play somebody, see play.h.
 */
#include "sandbox/play.h"
#include "sandbox/control.h"

#include <stdlib.h>

typedef struct Play
{
	SbWait wait; /* first */
	SbCall *call;
	json_t *answer;
} Play;

static void
delivered(SbWait *wait)
{
	Play *p = (Play *) wait;

	json_object_set_new(p->answer, "status", json_integer(wait->status));
	sb_answer_json(p->call, 200, p->answer);
	sb_call_finish(p->call);
	free(p);
}

SbWait *
sb_play_begin(SbCall *call)
{
	Play *p;

	if (!sb_flag_of(call, "wait", false))
		return NULL;
	p = sb_alloc(sizeof(Play));
	p->wait.done = delivered;
	p->wait.pending = 1; /* this call, until sb_play_end */
	p->call = call;
	return &p->wait;
}

void
sb_play_end(SbCall *call, SbWait *wait, json_t *answer)
{
	if (wait != NULL && --wait->pending > 0)
	{
		((Play *) wait)->answer = answer;
		call->held = true;
		return;
	}
	free(wait);
	sb_answer_json(call, 200, answer);
}
