/*
 * sinkprogram.h
 *		What laras-sink ends with; see sinkprogram.c.
 */
#ifndef LARAS_EVIDENCE_SINKPROGRAM_H
#define LARAS_EVIDENCE_SINKPROGRAM_H

typedef enum LarasSinkEnd
{
	LARAS_SINK_DONE = 0,
	LARAS_SINK_NONE = 10,       /* read: nothing is kept for this keyring yet */
	LARAS_SINK_ABSENT = 11,     /* the directory is not there */
	LARAS_SINK_CLOSED = 12,     /* it cannot be read */
	LARAS_SINK_READ_ONLY = 13,  /* it cannot be written */
	LARAS_SINK_INSIDE = 14,     /* it lies in the data directory */
	LARAS_SINK_PLACE = 15,      /* the keyring's directory in it cannot be used */
	LARAS_SINK_UNREADABLE = 16, /* the newest note cannot be read */
	LARAS_SINK_FAILED = 17,     /* a note cannot be written */
	LARAS_SINK_MISUSED = 18     /* wrong arguments, or input cut short */
} LarasSinkEnd;

/* what a line before a note looks like: "<name> <length>\n"; after the last: "end\n" */
#define LARAS_SINK_NAME_MAX 64

#endif /* LARAS_EVIDENCE_SINKPROGRAM_H */
