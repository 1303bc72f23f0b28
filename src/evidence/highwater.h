/*
 * highwater.h
 *		The high-water file: what was last signed, kept outside the database.
 *
 * Knows nothing of PostgreSQL. The file lies beside the evidence key, so that
 * a database that was rolled back, or a log that was rewritten by somebody who
 * may write tables but not this file, is met by a mark that it does not reach
 * or does not match, and nothing is signed.
 *
 * One file an installation: a header and one record for each log, 128 bytes
 * each, aligned, so that a record never crosses a sector and is replaced in
 * place by one write. 128 bytes a workspace is its whole growth.
 *
 *	header	 0 "LARASHWM"  8 u32 version 1	12 zero[84]  96 SHA-256 of bytes 0-95
 *	record	 0 "LHWM"	   4 u32 zero	  8 i64 workspace id   16 log id[16]
 *			32 u64 system identifier	 40 u32 database oid   44 zero[12]
 *			56 u64 size   64 root[32]	 96 SHA-256 of bytes 0-95
 *
 * Writers hold an flock on the file from reading a record until it is synced.
 */
#ifndef LARAS_EVIDENCE_HIGHWATER_H
#define LARAS_EVIDENCE_HIGHWATER_H

#include "evidence/merkle.h"

#define LARAS_HIGH_WATER_RECORD 128
#define LARAS_LOG_ID_LEN 16

typedef struct LarasHighWaterMark
{
	int64_t workspace_id;
	uint8_t log_id[LARAS_LOG_ID_LEN];
	uint64_t system_identifier;
	uint32_t database;
	uint64_t size;
	LarasHash root;
} LarasHighWaterMark;

typedef enum LarasMarkState
{
	LARAS_MARK_FOUND,
	LARAS_MARK_NONE,      /* beyond the end of the file */
	LARAS_MARK_DAMAGED,   /* its checksum does not hold */
	LARAS_MARK_UNREADABLE /* errno says why */
} LarasMarkState;

/*
 * Open; the descriptor, or -1 with errno: ENOENT where there is none and
 * create is false, EINVAL where the file is no high-water file or not a
 * regular file of this user that only it may write. Writable opens take the
 * flock and wait for it at most a second (then EWOULDBLOCK); it ends with
 * close.
 */
extern int laras_high_water_open(const char *path, bool writable, bool create);

/* The number of records, or -1 with errno. */
extern int64_t laras_high_water_count(int fd);

extern LarasMarkState laras_high_water_read(int fd, int64_t number, LarasHighWaterMark *mark);
extern bool laras_high_water_write(int fd, int64_t number, const LarasHighWaterMark *mark);
extern bool laras_high_water_sync(int fd);

/*
 * Does the record belong to this log? By workspace, since a restored database
 * keeps its ids and a rewritten log might take a new log id; the platform's
 * own log (workspace 0) by log id.
 */
extern bool laras_high_water_is_of(const LarasHighWaterMark *mark, int64_t workspace_id,
								   const uint8_t log_id[LARAS_LOG_ID_LEN]);

#endif /* LARAS_EVIDENCE_HIGHWATER_H */
