/*
 * sandbox.h
 *		One call to the sandbox: the request as the handlers see it, the answer
 *		they give, and what the ledger is told about both.
 *
 * Handlers are plain functions from request to answer over sb_world. They know
 * nothing of sockets; server.c is the only file that does.
 */
#ifndef LARAS_SANDBOX_SANDBOX_H
#define LARAS_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "sandbox/buffer.h"
#include "sandbox/timer.h"

#define SB_MAX_PARAMS 32
#define SB_MAX_PARTS 6

struct SbFault;
struct SbNumber;

typedef struct SbParam
{
	char *name;
	char *value;
} SbParam;

/* For the ledger; pointers live as long as the call. */
typedef struct SbNote
{
	const char *route; /* static text: "messages", "token", ... */
	const char *path;  /* instead of the request's, where that holds a token; or NULL */
	const char *number;
	const char *token; /* its label */
	char to[136];
	char type[32];
	char wamid[128];
	const char *callback_data;
	int code; /* of the refusal, or 0 */
	int subcode;
	bool accepted; /* a message was taken: the customer gets it */
	bool over_rate;
	bool over_pair;
	bool over_account;
	bool outside_window;
	uint64_t content; /* hash of sender, recipient and content */
} SbNote;

typedef struct SbCall
{
	/* request */
	const char *method;
	const char *raw_path;      /* as received, without query */
	char *parts[SB_MAX_PARTS]; /* decoded path segments, version left out */
	int nparts;
	char *version;                 /* "v23.0", or NULL */
	SbParam params[SB_MAX_PARAMS]; /* query, then form body */
	int nparams;
	const char *body;
	size_t body_length;
	const char *authorization;
	const char *host;     /* that the request names */
	const char *type;     /* of the body */
	const char *no_train; /* header of a chat call, or NULL */
	bool local;           /* from this machine, and no browser's page */
	uint64_t connection;
	uint32_t nth;         /* request on its connection, from 1 */
	json_t *json;         /* parsed body, owned by the call, or NULL */
	SbBuffer storage;     /* behind parts and params */
	SbBuffer hidden_path; /* behind note.path */
	char kept[2048];      /* texts of a multipart form */
	size_t kept_n;

	/* answer */
	int status;
	const char *content_type;
	const char *extra_name; /* one further header, or NULL */
	SbBuffer extra_value;
	SbBuffer answer;
	bool unsized; /* its length is not told: it ends with the connection */
	bool held;    /* answered later, by sb_call_finish */

	SbNote note;
	struct SbFault *fault; /* scripted for this request, or NULL */
	int64_t started;       /* sb_real() */
	SbTimer delay;
	void *transport;
	void *waiting; /* handler's own state while held */
	struct SbCall *next_free;
} SbCall;

/* Sends the answer of a held call. The call is invalid afterwards. */
extern void sb_call_finish(SbCall *call);

/* First value of a query or form parameter, or NULL. */
extern const char *sb_param(const SbCall *call, const char *name);

/* handlers: fill in the answer, or set held */
extern void sb_graph(SbCall *call);
extern void sb_control(SbCall *call);
extern void sb_send_message(SbCall *call, struct SbNumber *number);

/* ---- answers ---- */

/* {"success":true} */
extern void sb_answer_success(SbCall *call);

/* JSON text as Meta puts it on the wire (ASCII, see sb_addj), to be freed. */
extern char *sb_wire_text(const json_t *value);

/* Takes the reference. */
extern void sb_answer_json(SbCall *call, int status, json_t *value);

#endif
