/*
 * rooms.c
 *		The one place where rooms are wired into the server: a line each.
 *
 * The order of a table is the order in which its lines are called.  A room
 * that is not built has no line.
 */
#include "postgres.h"

#include "answer/answer.h"
#include "answer/freshness.h"
#include "base/clock.h"
#include "base/id.h"
#include "connect/health.h"
#include "connect/mention.h"
#include "connect/refresh.h"
#include "courier/courier.h"
#include "courier/fence.h"
#include "courier/handoff.h"
#include "courier/resend.h"
#include "erasure/erasure.h"
#include "evidence/duty.h"
#include "gateway/gateway.h"
#include "inbox/inbox.h"
#include "intake/intake.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* Shared memory. */
const LarasSharedRoom laras_shared_rooms[] = {
	{"clock", laras_clock_shmem_request, laras_clock_shmem_startup},
	{"ids", laras_id_shmem_request, laras_id_shmem_startup},
	{"tenancy", laras_tenancy_shmem_request, laras_tenancy_shmem_startup},
	{"vault", laras_vault_shmem_request, laras_vault_shmem_startup},
	{"limiter", laras_limiter_shmem_request, laras_limiter_shmem_startup},
	{"fence", laras_fence_shmem_request, laras_fence_shmem_startup},
	{"handoff", laras_handoff_shmem_request, laras_handoff_shmem_startup},
	{"freshness", laras_freshness_shmem_request, laras_freshness_shmem_startup},
	{"worker", laras_workers_shmem_request, laras_workers_shmem_startup},
	{NULL}};

/* Utility statements and object access. */
const LarasHookRoom laras_hook_rooms[] = {{"tenancy", laras_tenancy_before_utility, NULL,
										   laras_guard_object_access},
										  {"vault", laras_vault_before_utility, NULL, NULL},
										  {"worker", laras_database_before_utility,
										   laras_database_after_utility, NULL},
										  {NULL}};

/*
 * Workers of a database.  The launcher starts one of them alone, the first that
 * is not held back, until it has seen the extension; then the others, in this
 * order, which is also who comes first when process slots are short.
 */
const LarasWorkerSpec laras_worker_specs[] = {
	{LARAS_WORK_VAULT, "vault", 1000, false, NULL, laras_vault_turn, laras_vault_stop, NULL},
	{LARAS_WORK_INTAKE, "intake", 0, true, NULL, laras_intake_turn, NULL, NULL},
	{LARAS_WORK_COURIER, "courier", 0, false, laras_courier_start, laras_courier_turn,
	 laras_courier_stop, NULL},
	{LARAS_WORK_KEEPER, "keeper", 0, false, NULL, laras_keeper_turn, NULL, NULL},
	{0, NULL}};

/* What the keeper does. */
const LarasKeeperDuty laras_keeper_duties[] = {
	{"evidence", 1000, false, laras_evidence_duty},
	{"drafts", 10 * 1000, true, laras_answer_duty},
	{"stale drafts", 60 * 1000, false, laras_stale_duty},
	{"follow-ups", 1000, false, laras_follow_up_duty},
	{"resends", 1000, false, laras_resend_duty},
	{"deletion lists", 1000, true, laras_list_duty},
	{"erasure", 1000, true, laras_erasure_duty},
	{"unsupported messages", 60 * 60 * 1000, false, laras_again_duty},
	{"expiry", 60 * 60 * 1000, false, laras_expiry_duty},
	{"media", 2 * 1000, true, laras_media_duty},
	{"tokens", 10 * 60 * 1000, false, laras_refresh_duty},
	{"health", 10 * 60 * 1000, false, laras_health_duty},
	{"mentions", 10 * 60 * 1000, false, laras_mention_duty},
	{"lost access", 60 * 1000, true, laras_lost_duty},
	{"raw events", 10 * 60 * 1000, false, laras_intake_purge},
#ifdef LARAS_FAULTS
	{"test", 3600 * 1000, true, laras_test_duty},
#endif
	{NULL}};
