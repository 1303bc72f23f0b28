/*
 * evidence.h
 *		Writing down, in the transaction that acts, that it acted.
 *
 * Every function that changes a state appends one entry for it. An entry is a
 * plain insert: it takes no lock that another appender could wait for, and it
 * commits or rolls back with the act. The keeper later gives entries their
 * position in the workspace's tree (integrate.h) and signs it.
 *
 * What an entry may hold. Who acted and on what are random laras ids. Details
 * are fields out of fields.def, whose class decides what happens to the value:
 * a COMMITTED one (anything personal) is stored nowhere, only its salted
 * commitment is, and it becomes unlinkable when the subject's key is
 * destroyed; CODE, NUMBER, TIME and DIGEST ones stand in the leaf in clear.
 * An act that may happen while the vault is shut (disconnect, erasure) uses
 * no committed field and so needs no key.
 */
#ifndef LARAS_EVIDENCE_H
#define LARAS_EVIDENCE_H

#include "datatype/timestamp.h"

#define LARAS_EVIDENCE_MAX_FIELDS 32
#define LARAS_EVIDENCE_MAX_CODE 64

/* LARAS_ACT_MESSAGE_RECEIVED, ...: see actions.def */
typedef enum LarasAction
{
	LARAS_ACT_NONE = 0,
#define LARAS_ACTION(no, constant, name) LARAS_ACT_##constant = (no),
#include "evidence/actions.def"
#undef LARAS_ACTION
} LarasAction;

/* LARAS_EVF_STATUS, ...: see fields.def */
typedef enum LarasEvidenceFieldNo
{
	LARAS_EVF_NONE = 0,
#define LARAS_EVIDENCE_FIELD(no, constant, name, class) LARAS_EVF_##constant = (no),
#include "evidence/fields.def"
#undef LARAS_EVIDENCE_FIELD
} LarasEvidenceFieldNo;

/* Who acted. The numbers are part of the leaf. */
typedef enum LarasActorKind
{
	LARAS_ACTOR_MEMBER = 1,   /* id: member */
	LARAS_ACTOR_KEY = 2,      /* id: API key */
	LARAS_ACTOR_SERVICE = 3,  /* id: 0, or the member it acts for */
	LARAS_ACTOR_WORKER = 4,   /* id: 0 */
	LARAS_ACTOR_PROVIDER = 5, /* id: provider app or connection, else 0 */
	LARAS_ACTOR_CUSTOMER = 6, /* id: contact */
	LARAS_ACTOR_SYSTEM = 7,   /* id: 0; nobody asked: a clock ran out */
	LARAS_ACTOR_OPERATOR = 8, /* id: 0; laras_dba or a superuser */
} LarasActorKind;

/* On what. The numbers are part of the leaf; append only. */
typedef enum LarasSubjectKind
{
	LARAS_SUBJECT_NONE = 0,
	LARAS_SUBJECT_WORKSPACE = 1,
	LARAS_SUBJECT_MEMBER = 2,
	LARAS_SUBJECT_SESSION = 3,
	LARAS_SUBJECT_API_KEY = 4,
	LARAS_SUBJECT_CONNECTION = 5,
	LARAS_SUBJECT_ATTEMPT = 6, /* connection attempt */
	LARAS_SUBJECT_CONTACT = 7,
	LARAS_SUBJECT_CONVERSATION = 8,
	LARAS_SUBJECT_MESSAGE = 9,
	LARAS_SUBJECT_DRAFT = 10,
	LARAS_SUBJECT_ERASURE = 11, /* erasure request */
	LARAS_SUBJECT_HOLD = 12,
	LARAS_SUBJECT_EXPORT = 13,
	LARAS_SUBJECT_PROVIDER_APP = 14,
	LARAS_SUBJECT_KNOWLEDGE = 15, /* catalogue item, policy text, FAQ */
	LARAS_SUBJECT_REVIEW_RULE = 16,
	LARAS_SUBJECT_EVENT = 17, /* raw webhook event */
	LARAS_SUBJECT_RETENTION = 18,
	LARAS_SUBJECT_KEYRING = 19,
	LARAS_SUBJECT_REVIEW = 20, /* manual review of an erasure */
	LARAS_SUBJECT_OPPORTUNITY = 21,
	LARAS_SUBJECT_SEGMENT = 22,
	LARAS_SUBJECT_ORDER = 23,
	LARAS_SUBJECT_CAMPAIGN = 24,
	LARAS_SUBJECT_NOTE = 25,
	LARAS_SUBJECT_TEMPLATE = 26,
	LARAS_SUBJECT_MEDIA = 27,
	LARAS_SUBJECT_MAX = 27,
} LarasSubjectKind;

/*
 * One detail. Fill it with one of the macros below. `value` must live until
 * the append returns; it is copied or hashed there and kept nowhere else.
 */
typedef struct LarasEvidenceField
{
	LarasEvidenceFieldNo no;
	uint32 slot;       /* COMMITTED: key slot of the person it is about */
	const void *value; /* COMMITTED, CODE, DIGEST */
	size_t len;
	int64 number; /* NUMBER, TIME (Unix epoch microseconds) */
} LarasEvidenceField;

/* a personal value about the subject whose key slot is given */
#define LARAS_EV_COMMIT(field, subject_slot, p, n)                      \
	{                                                                   \
		.no = (field), .slot = (subject_slot), .value = (p), .len = (n) \
	}
/* a code, as a NUL-terminated string */
#define LARAS_EV_CODE(field, cstring)                             \
	{                                                             \
		.no = (field), .value = (cstring), .len = strlen(cstring) \
	}
#define LARAS_EV_NUMBER(field, n)    \
	{                                \
		.no = (field), .number = (n) \
	}
/* a TimestampTz */
#define LARAS_EV_TIME(field, timestamptz)                         \
	{                                                             \
		.no = (field), .number = laras_evidence_time(timestamptz) \
	}
/* 16 or 32 bytes */
#define LARAS_EV_DIGEST(field, p, n)            \
	{                                           \
		.no = (field), .value = (p), .len = (n) \
	}

/*
 * One act. Fields may stand in any order, each number at most once.
 *
 * workspace_id 0 is the platform's own log (provider applications, keyring,
 * settings of the operator): it takes no committed field.
 *
 *	static const / automatic example:
 *
 *		LarasEvidenceField f[] = {
 *			LARAS_EV_CODE(LARAS_EVF_CHANNEL, "whatsapp"),
 *			LARAS_EV_COMMIT(LARAS_EVF_BODY, contact_slot, body, body_len),
 *		};
 *		LarasEvidence e = {
 *			.workspace_id = ws,
 *			.action = LARAS_ACT_MESSAGE_RECEIVED,
 *			.actor_kind = LARAS_ACTOR_CUSTOMER,
 *			.actor_id = contact_id,
 *			.subject_kind = LARAS_SUBJECT_MESSAGE,
 *			.subject_id = message_id,
 *			.nfields = lengthof(f),
 *			.fields = f,
 *		};
 *
 *		laras_evidence_append(&e);
 */
typedef struct LarasEvidence
{
	int64 workspace_id;
	uint32 workspace_slot; /* W; 0: looked up when a field needs it */
	LarasAction action;
	LarasActorKind actor_kind;
	int64 actor_id;
	LarasSubjectKind subject_kind;
	int64 subject_id;
	int64 entry_id; /* 0: made here; else from laras_new_id() */
	int nfields;
	const LarasEvidenceField *fields;
} LarasEvidence;

/*
 * Append one entry in the current transaction; returns its id.
 *
 * Needs a transaction, not SPI: it connects to SPI by itself and may be called
 * within a connected SPI procedure. In a backend, whoever the current user is,
 * the workspace must be bound (laras_bind, laras_bind_scope_begin) or in the
 * set of laras_worker_bind; for the platform's log (0) nothing need be, but the
 * set is then {0}. In a worker it runs as the current user, whose set or
 * binding must hold the workspace, 0 included. Row security refuses all else.
 * Leaves nothing in the caller's memory context. Raises on an unknown action or
 * field, on a value that its field's class does not admit (22023), and what
 * the vault raises when a field is committed (LRK01 while it is shut).
 */
extern int64 laras_evidence_append(const LarasEvidence *e);

/*
 * Append n entries, of one or many workspaces, in one statement. The order of
 * entries of one workspace is the order in the array. Several workspaces: in a
 * worker, or by laras_worker_bind. Otherwise like laras_evidence_append.
 */
extern void laras_evidence_append_many(const LarasEvidence *e, int n);

/*
 * Fill actor_kind and actor_id from whoever is bound (laras_principal), or
 * OPERATOR when nobody is. For acts of customers and providers fill them by
 * hand.
 */
extern void laras_evidence_actor(LarasEvidence *e);

/* Append an act of whoever is bound of which nothing but its subject is to be told. */
extern void laras_evidence_act(int64 workspace_id, LarasAction action,
							   LarasSubjectKind subject_kind, int64 subject_id);

/* A TimestampTz as Unix epoch microseconds. */
extern int64 laras_evidence_time(TimestampTz t);

/* Names by number; NULL when unknown. Static strings. */
extern const char *laras_action_name(int action);
extern const char *laras_actor_kind_name(int kind);
extern const char *laras_subject_kind_name(int kind);

/* Defines the settings; called once from _PG_init. */
extern void laras_evidence_init(void);

#endif /* LARAS_EVIDENCE_H */
