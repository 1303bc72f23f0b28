/*
 * task.h
 *		Work at a provider that is not a message: code exchange, pairing,
 *		revocation. A task is a row and a kind; a kind is a few steps.
 *
 * A step is a request and what its answer means. Steps of one task run one
 * after the other in one run of the courier; what they carry from one to the
 * next (a token) lives in the courier's memory alone and is wiped at the end.
 * A task that a crash interrupted is not repeated from the middle: it ends
 * failed with reason `interrupted` (a code is single use), unless its kind is
 * repeatable.
 */
#ifndef LARAS_TASK_H
#define LARAS_TASK_H

#include "base/json.h"
#include "courier/http.h"
#include "datatype/timestamp.h"

/* as often a task is begun; after that AGAIN is the end */
#define LARAS_TASK_ATTEMPTS 5

/* what a kind keeps from step to step; malloc'd, wiped before it is freed */
typedef struct LarasTaskMemory
{
	size_t n;
	void *p;
} LarasTaskMemory;

typedef struct LarasTask
{
	int64 workspace_id;
	int64 id;
	int64 connection_id; /* 0: none */
	int64 attempt_id;    /* connection attempt, 0: none */
	const struct LarasTaskKind *kind;
	const json_t *request; /* what laras_task_add was given */
	int attempts;          /* that were begun, this one among them */
	int step;              /* of the kind; 0 at the start */
	void *memory;          /* kind->memory_size bytes, zeroed at the start */
} LarasTask;

/* the next request of a task */
typedef struct LarasTaskRequest
{
	const char *purpose;      /* for outbound_call: a word */
	const char *method;       /* GET, POST, DELETE */
	const char *url;          /* palloc'd; the token is not in it */
	const char *content_type; /* NULL: JSON */
	const char *header;       /* one more ("Name: value"), NULL: none */
	const char *body;         /* NULL: none */
	size_t body_n;
	const char *token; /* NULL: none goes with it */
	size_t token_n;
	size_t token_at; /* where in the URL it goes; 0: into the Authorization header */
	const struct LarasEnvelope *envelope; /* the URL is a mail server's; NULL: HTTP */
	bool only_public;                     /* no address but a public one is spoken to */
	size_t part; /* the answer may be long: it comes in parts of this size; 0: whole */
	uint64 most; /* bytes of it in all */
} LarasTaskRequest;

typedef enum LarasTaskNext
{
	LARAS_TASK_REQUEST, /* *request is filled: send it */
	LARAS_TASK_DONE,    /* finished; http_status and result are set */
	LARAS_TASK_FAILED,  /* finished without success; likewise */
	LARAS_TASK_AGAIN /* try this step again after delay_ms (any kind that knows the step did nothing) */
} LarasTaskNext;

typedef struct LarasTaskResult
{
	int http_status;    /* what http_continue answers */
	const char *result; /* a word for the row and for the answer */
	int delay_ms;
} LarasTaskResult;

/* an answer, or its absence */
typedef struct LarasTaskAnswer
{
	LarasHttpEnd end;
	bool too_long; /* more came than is taken */
	int http_status;
	json_t *document; /* NULL: no JSON */
	int error_code;   /* of the provider's error; 0: none */
	int error_subcode;
	const char
		*body; /* as it came, NULL: nothing; of an answer in parts, what came after the last */
	size_t body_n;
	int64 length;         /* of the whole, as its head says; -1: nothing is said */
	const char *redirect; /* where it sends one; NULL: nowhere */
} LarasTaskAnswer;

/*
 * All functions run in a transaction of the courier as laras_worker, with
 * every workspace in its set, and may raise: then the task fails with reason
 * `error`. first is called with step 0 and no answer. answered gets the answer
 * of the request of task->step and sets task->step before it asks for the
 * next one. What they write commits together with the task's new state.
 */
typedef struct LarasTaskKind
{
	const char *name;
	size_t memory_size;
	bool repeatable;
	/* begun when no message leaves, a few at a time; nothing is kept of one that ended */
	bool fleeting;
	LarasTaskNext (*first)(LarasTask *task, LarasTaskRequest *request, LarasTaskResult *result);
	LarasTaskNext (*answered)(LarasTask *task, const LarasTaskAnswer *answer,
							  LarasTaskRequest *request, LarasTaskResult *result);
	/*
	 * For answers in parts: exactly request->part bytes of one of length bytes in
	 * all (-1: nobody says). LARAS_TASK_REQUEST: go on; all else ends the request,
	 * and the task.
	 */
	LarasTaskNext (*part)(LarasTask *task, const char *bytes, int64 length,
						  LarasTaskResult *result);
} LarasTaskKind;

/* the one kind that is fleeting (presence.h) */
#define LARAS_PRESENCE_TASK "presence"

/* the table of kinds is in task_kinds.c: one line each */
extern const LarasTaskKind *laras_task_kind(const char *name);

/*
 * Queue a task; returns its id. request is sealed for the courier alone.
 * ticket (32 random bytes) may be NULL where nobody waits for the end. As
 * laras_owner with the workspace bound, or laras_worker.
 */
extern int64 laras_task_add(int64 workspace_id, const char *kind, int64 connection_id,
							int64 attempt_id, json_t *request, uint8 ticket[32]);

/* cancel what is queued for a connection or attempt; a task under way ends by itself */
extern void laras_task_cancel(int64 workspace_id, int64 connection_id, int64 attempt_id);

/* 200, a document, and no error in it */
extern bool laras_task_succeeded(const LarasTaskAnswer *answer);

/* The id that the request has under that name; 0: none. */
extern int64 laras_task_id(const LarasTask *task, const char *name);

/* The host of a URL, for the log of calls: never its path. palloc'd. */
extern char *laras_host_of(const char *url);

/* ---------------------------------------------------- for carry.c alone */
struct LarasTaskFlight;
extern int laras_task_dispatch(int room);
/* Begin the fleeting ones that were claimed: no message leaves. Returns how many. */
extern int laras_task_dispatch_fleeting(void);
extern void laras_task_answered(struct LarasTaskFlight *flight, LarasHttpCall *call);
extern void laras_task_part(struct LarasTaskFlight *flight, LarasHttpCall *call);
extern void laras_task_sweep(void);
extern void laras_task_stop(void);

#endif /* LARAS_TASK_H */
