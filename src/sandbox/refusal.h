/*
 * refusal.h
 *		Meta's error bodies: one table of codes, with HTTP status and title.
 */
#ifndef LARAS_SANDBOX_REFUSAL_H
#define LARAS_SANDBOX_REFUSAL_H

#include "sandbox/sandbox.h"

typedef struct SbRefusal
{
	int code;
	int subcode; /* 0: any */
	int status;
	const char *title;
	const char *details; /* error_data.details; NULL: no error_data */
	bool recipient;      /* about the recipient: may come later, as a status */
	bool transient;
} SbRefusal;

/* The entry for code (and subcode if the table tells them apart), or NULL. */
extern const SbRefusal *sb_refusal(int code, int subcode);

/* All of them, for the control call that lists them. */
extern const SbRefusal sb_refusals[];
extern const int sb_nrefusals;

/*
 * Fills in an error answer. message and details may be NULL: then the table's
 * are used, the message as "(#code) title". Notes the code for the ledger.
 */
extern void
sb_refuse(SbCall *call, int code, int subcode, const char *message, const char *details);
extern void sb_refusef(SbCall *call, int code, int subcode, const char *message, const char *fmt,
					   ...) __attribute__((format(printf, 5, 6)));

/* The object that stands in statuses[].errors[]. */
extern void sb_add_status_error(SbBuffer *b, int code, const char *details);

#endif
