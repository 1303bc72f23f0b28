/*
 * leaf.h
 *		The bytes of an evidence leaf, version 1.
 *
 * Knows nothing of PostgreSQL. docs/reference/evidence-format.md says the same
 * in prose, with an example; neither may change without a new version number.
 * All integers are big-endian.
 *
 *	 0	u8	version = 1			 28	u8	actor kind
 *	 1	u8	zero				 29	u8	subject kind
 *	 2	u16 action number		 30	u16 number of fields
 *	 4	u64 workspace id		 32	i64 actor id
 *	12	u64 entry id			 40	i64 subject id
 *	20	i64 time, microseconds	 48	u32 W slot, 0 without committed field
 *								 52 fields, ascending by number
 *
 * A field:	 u16 number, u8 class, u8 zero, u32 length, then `length` bytes:
 *	COMMITTED	u32 S slot, commitment[32] (laras_commitment, vault/derive.h)
 *	CODE		the characters
 *	NUMBER,TIME i64
 *	DIGEST		16 or 32 bytes
 */
#ifndef LARAS_EVIDENCE_LEAF_H
#define LARAS_EVIDENCE_LEAF_H

#include "evidence/merkle.h"

#define LARAS_LEAF_VERSION 1
#define LARAS_LEAF_HEADER 52
#define LARAS_LEAF_FIELD_HEADER 8
#define LARAS_LEAF_COMMITTED_BYTES 36
#define LARAS_LEAF_MAX_CODE 64

/* the numbers are part of the leaf */
typedef enum LarasFieldClass
{
	LARAS_CLASS_COMMITTED = 1,
	LARAS_CLASS_CODE = 2,
	LARAS_CLASS_NUMBER = 3,
	LARAS_CLASS_TIME = 4,
	LARAS_CLASS_DIGEST = 5,
} LarasFieldClass;

typedef struct LarasFieldInfo
{
	uint16_t no;
	const char *name;
	LarasFieldClass field_class;
} LarasFieldInfo;

/* The line of fields.def, or NULL. */
extern const LarasFieldInfo *laras_field_info(int no);
extern const LarasFieldInfo *laras_field_by_name(const char *name, size_t n);

typedef struct LarasLeafHeader
{
	uint16_t action;
	int64_t workspace_id;
	int64_t entry_id;
	int64_t time; /* microseconds since 1970-01-01 UTC */
	uint8_t actor_kind;
	uint8_t subject_kind;
	int64_t actor_id;
	int64_t subject_id;
	uint32_t workspace_slot;
} LarasLeafHeader;

extern void
laras_leaf_header(const LarasLeafHeader *header, uint16_t nfields, uint8_t out[LARAS_LEAF_HEADER]);

/* SHA-256(0x00 || header || fields), the RFC 6962 leaf hash */
extern bool laras_leaf_hash(const LarasLeafHeader *header, uint16_t nfields, const void *fields,
							size_t n, LarasHash *out);

/*
 * Write one field; each returns the number of bytes. The caller has checked
 * the class and goes by ascending number.
 */
extern size_t
laras_leaf_put_committed(uint8_t *out, uint16_t no, uint32_t slot, const LarasHash *commitment);
extern size_t laras_leaf_put_bytes(uint8_t *out, uint16_t no, LarasFieldClass field_class,
								   const void *p, size_t n);
extern size_t
laras_leaf_put_number(uint8_t *out, uint16_t no, LarasFieldClass field_class, int64_t number);

/* One field as read. */
typedef struct LarasLeafField
{
	uint16_t no;
	LarasFieldClass field_class;
	uint32_t slot;        /* COMMITTED */
	LarasHash commitment; /* COMMITTED */
	const uint8_t *p;     /* CODE, DIGEST */
	size_t n;
	int64_t number; /* NUMBER, TIME */
} LarasLeafField;

/*
 * Read the field at *offset and move on: 1 read, 0 at the end, -1 where the
 * bytes are not what a writer makes (order, class, length, characters).
 * *last is the number of the field before, 0 at first.
 */
extern int laras_leaf_next_field(const uint8_t *p, size_t n, size_t *offset, uint16_t *last,
								 LarasLeafField *field);

/* The number of fields, or -1 when they are malformed. */
extern int laras_leaf_count_fields(const uint8_t *p, size_t n);

/* Is this a value that a CODE field may hold in clear? */
extern bool laras_leaf_is_code(const void *p, size_t n);

#endif /* LARAS_EVIDENCE_LEAF_H */
