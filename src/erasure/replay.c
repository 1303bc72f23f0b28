/*
 * replay.c
 *		Erasures that a restore has undone, done again.
 *
 * A dump that is older than an erasure brings its rows back. Their content
 * stays unreadable, since the keyring has kept the mark of every key it
 * destroyed; here the rest follows: contacts are unlinked, connections cut,
 * workspaces closed as on the day, each with a request on record under the
 * code it had then, and the keeper removes the rows in its batches.
 *
 * Invariant: afterwards every destroyed key that somebody of this database owns
 * has its row in key_destruction; what was made and erased after the dump left
 * nothing here and is not spoken of. Going over it again changes nothing.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/id.h"
#include "connect/connect.h"
#include "erasure/accept.h"
#include "erasure/replay.h"
#include "tenancy/tenancy.h"
#include "vault/crypto.h"
#include "vault/vault.h"
#include "worker/worker.h"

#define OWNERS_AT_ONCE 1000

/* workspaces first: with one of them goes all that it owns */
LARAS_PLAN(unknown_owners,
		   "SELECT k.workspace_id, k.kind, k.owner_id, k.slot FROM laras.key_owner k"
		   " WHERE (k.kind = 'workspace') = $1"
		   " AND (k.workspace_id, k.kind, k.owner_id, k.slot) > ($2, $3, $4, $5)"
		   " AND laras.key_state(k.slot) = 'destroyed'"
		   " AND NOT EXISTS (SELECT FROM laras.key_destruction d WHERE d.slot = k.slot)"
		   " ORDER BY k.workspace_id, k.kind, k.owner_id, k.slot LIMIT 1000",
		   BOOLOID, INT8OID, TEXTOID, INT8OID, INT8OID);

LARAS_PLAN(workspace_erased,
		   "SELECT w.state = 'erased' FROM laras.workspace w WHERE w.workspace_id = $1", INT8OID);

LARAS_PLAN(code_known, "SELECT 1 FROM laras.erasure_request r WHERE r.code_hash = $1", BYTEAOID);

typedef struct Owner
{
	int64 workspace_id;
	char *kind;
	int64 id;
	uint32 slot;
	LarasSlotMark mark;
} Owner;

static void
become(const char *role, const LarasRunAs *saved)
{
	SetUserIdAndSecContext(get_role_oid(role, false),
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
}

/*
 * Under which hash the request is kept: the half that the order is, so that who
 * holds the code finds it; random where that is taken (contacts that were one
 * when they were erased and are two again).
 */
static bytea *
code_hash(const uint8 *order)
{
	bytea *hash = palloc0(VARHDRSZ + LARAS_HASH_LEN);

	SET_VARSIZE(hash, VARHDRSZ + LARAS_HASH_LEN);
	memcpy(VARDATA(hash), order, 16);
	if (laras_spi_run(&code_known, (Datum[]){PointerGetDatum(hash)}, NULL) > 0)
	{
		laras_new_order((uint8 *) VARDATA(hash));
		laras_new_order((uint8 *) VARDATA(hash) + 16);
	}
	return hash;
}

/* The first n owners are one subject, gone at one time. As laras_owner, bound. */
static void
erase_again(const Owner *owner, int n, LarasReplay *replay)
{
	LarasAcceptance a = {.path = "restore", .requested_by = "keyring"};
	uint32 *slots = palloc(sizeof(uint32) * n);

	laras_spi_open();
	a.id = laras_new_id();
	a.workspace_id = owner->workspace_id;
	a.scope = owner->kind;
	a.subject_id = owner->id;
	a.at = owner->mark.at;
	a.code_hash = code_hash(owner->mark.order);
	memcpy(a.order, owner->mark.order, sizeof(a.order));
	if (strcmp(owner->kind, "connection") == 0)
	{
		LarasDisconnectReceipt receipt;

		laras_disconnect(a.workspace_id, a.subject_id, LARAS_CUT_RESTORE, NULL, a.order, &receipt);
		a.connections = 1;
		a.state = "removed";
		replay->connections++;
	}
	else if (strcmp(owner->kind, "contact") == 0)
	{
		/* without its row the keys are still to be forgotten, by the same plan */
		if (!laras_erase_contact(&a))
			a.state = "unreadable";
		replay->contacts++;
	}
	else
	{
		a.subject_id = 0;
		laras_erase_workspace(&a);
		replay->workspaces++;
	}
	for (int i = 0; i < n; i++)
		slots[i] = owner[i].slot;
	a.slots = n;
	a.slot_digest = laras_erasure_digest(slots, sizeof(uint32) * n);
	laras_erasure_store(&a);
	laras_spi_close();
	laras_erasure_evidence(&a, LARAS_ACT_ERASURE_REPEATED);
}

/* Does the workspace go anyway, with all that it owns? As laras_owner, bound. */
static bool
is_erased(int64 workspace_id)
{
	bool erased;

	laras_spi_open();
	erased = laras_spi_run(&workspace_erased, (Datum[]){Int64GetDatum(workspace_id)}, NULL) > 0 &&
			 laras_spi_bool(0, 1);
	laras_spi_close();
	return erased;
}

static bool
same_subject(const Owner *a, const Owner *b)
{
	return a->workspace_id == b->workspace_id && a->id == b->id && strcmp(a->kind, b->kind) == 0;
}

/* The keys of one subject, on record and carried through. As laras_owner. */
static void
replay_subject(const Owner *owners, int n, LarasReplay *replay)
{
	LarasPrincipal who = {.kind = LARAS_PRINCIPAL_SERVICE, .scopes = LARAS_SCOPE_ALL};
	const char *kind = owners->kind;
	int level = 0;

	if (owners->workspace_id != 0)
		level = laras_bind_scope_begin(owners->workspace_id, &who);
	for (int i = 0; i < n; i++)
		laras_record_destruction(owners[i].workspace_id, owners[i].slot, &owners[i].mark);
	replay->keys += n;
	if (strcmp(kind, "hour") == 0 || strcmp(kind, "week") == 0)
		replay->periods += n;
	else if (strcmp(kind, "workspace") == 0)
		erase_again(owners, n, replay);
	else if (strcmp(kind, "contact") == 0 || strcmp(kind, "connection") == 0)
	{
		if (!is_erased(owners->workspace_id))
			erase_again(owners, n, replay);
	}
	else
		replay->others += n;
	if (owners->workspace_id != 0)
		laras_bind_scope_end(level);
}

/* Subjects that end within the batch. As laras_worker. */
static void
replay_batch(const LarasRunAs *saved, const Owner *owners, int n, LarasReplay *replay)
{
	become("laras_owner", saved);
	for (int i = 0, same; i < n; i += same)
	{
		CHECK_FOR_INTERRUPTS();
		for (same = 1; i + same < n && same_subject(&owners[i], &owners[i + same]);)
			same++;
		replay_subject(&owners[i], same, replay);
	}
	become("laras_worker", saved);
}

static void
replay_kinds(bool workspaces, const LarasRunAs *saved, LarasReplay *replay)
{
	MemoryContext batch =
		AllocSetContextCreate(CurrentMemoryContext, "laras replay", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(batch);
	Owner last = {PG_INT64_MIN, "", PG_INT64_MIN, 0};
	char kind[NAMEDATALEN] = "";
	uint64 n;

	do
	{
		Owner *owners;
		int whole;

		laras_spi_open();
		n = laras_spi_run(&unknown_owners,
						  (Datum[]){BoolGetDatum(workspaces), Int64GetDatum(last.workspace_id),
									CStringGetTextDatum(kind), Int64GetDatum(last.id),
									Int64GetDatum((int64) last.slot)},
						  NULL);
		owners = MemoryContextAllocZero(batch, sizeof(Owner) * (n + 1));
		for (uint64 i = 0; i < n; i++)
		{
			owners[i].workspace_id = laras_spi_int8(i, 1);
			owners[i].kind = laras_spi_cstring(i, 2);
			owners[i].id = laras_spi_int8(i, 3);
			owners[i].slot = (uint32) laras_spi_int8(i, 4);
			laras_slot_read_mark(owners[i].slot, &owners[i].mark);
		}
		laras_spi_close();

		/* a subject that the batch may have cut in two comes with the next */
		whole = (int) n;
		while (n == OWNERS_AT_ONCE && whole > 1 && same_subject(&owners[whole - 1], &owners[n - 1]))
			whole--;
		if (whole > 0)
		{
			last = owners[whole - 1];
			strlcpy(kind, last.kind, sizeof(kind));
			replay_batch(saved, owners, whole, replay);
		}
		MemoryContextReset(batch);
	} while (n == OWNERS_AT_ONCE);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(batch);
}

void
laras_replay_destructions(const LarasRunAs *saved, LarasReplay *replay)
{
	memset(replay, 0, sizeof(*replay));
	replay_kinds(true, saved, replay);
	replay_kinds(false, saved, replay);
	if (replay->keys > 0)
	{
		laras_work_queued(LARAS_WORK_VAULT);
		laras_work_queued(LARAS_WORK_KEEPER);
	}
}
