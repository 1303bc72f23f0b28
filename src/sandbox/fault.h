/*
 * fault.h
 *		Scripted faults: what happens to the next requests that match.
 *
 * A fault is taken by the first request that matches it after `skip` matches,
 * and is used up after `times` requests (0: never). Faults are tried in the
 * order in which they were scripted.
 */
#ifndef LARAS_SANDBOX_FAULT_H
#define LARAS_SANDBOX_FAULT_H

#include "sandbox/sandbox.h"

typedef enum SbAction
{
	SB_FAULT_NONE,               /* only slow, or only the statuses are changed */
	SB_FAULT_RESET_BEFORE_BODY,  /* TCP reset once the head is read */
	SB_FAULT_RESET_AFTER_BODY,   /* TCP reset, no byte answered */
	SB_FAULT_RESET_MID_ANSWER,   /* half of the answer, then the connection ends */
	SB_FAULT_CLOSE_UNANSWERED,   /* orderly close, no byte answered */
	SB_FAULT_CLOSE_AFTER_ANSWER, /* the answer without "Connection: close", then close */
	SB_FAULT_HTTP_ERROR,         /* http_status with an HTML page */
	SB_FAULT_REFUSE,             /* Meta's error body for code/subcode */
	SB_FAULT_MALFORMED,          /* 200, JSON cut off */
	SB_FAULT_NO_ID,              /* 200 without a message id */
	SB_FAULT_SAME_ID,            /* 200 with the id of the message before */
	SB_FAULT_HANG                /* never answered */
} SbAction;

typedef enum SbStatusFault
{
	SB_STATUS_NORMAL,
	SB_STATUS_NEVER,
	SB_STATUS_TWICE,   /* each status two times */
	SB_STATUS_FIRST,   /* the first status is delivered before the answer */
	SB_STATUS_FAILED,  /* "failed" with status_code instead of "delivered" */
	SB_STATUS_REVERSED /* read, delivered, sent */
} SbStatusFault;

typedef struct SbFault
{
	struct SbFault *next;
	int id;
	SbAction action;
	SbStatusFault statuses;
	int delay_ms;
	bool accept; /* a message is taken although the answer hides it */
	int http_status;
	int code;
	int subcode;
	int status_code;
	bool change_callback_data;
	char *callback_data; /* in the statuses instead; NULL: left out */

	/* what it matches; NULL or false: anything */
	char *method;
	char *route;
	char *path; /* contained in the path */
	char *number;
	char *to;
	char *text;  /* contained in the body */
	bool reused; /* not the first request of its connection */
	int skip;
	int times;
	int hits;
	int users; /* calls that point here */
	bool spent;
} SbFault;

/* The fault for this request; complete says whether its body is there. */
extern SbFault *sb_fault_for(const SbCall *call, bool complete);

/* For matching before the body: cheap test whether any such fault waits. */
extern bool sb_fault_before_body(void);

/* The call is over. */
extern void sb_fault_release(SbFault *fault);

/* Reads a fault from JSON. NULL with *why when it is not one. */
extern SbFault *sb_fault_add(const json_t *spec, const char **why);

/* Removes one (or, with id 0, all). False when there is none of that id. */
extern bool sb_fault_remove(int id);
extern json_t *sb_fault_list(void);
extern const char *sb_fault_name(const SbFault *fault);

#endif
