/*
 * laras.c
 *		Entry point of the library: settings and worker registration, nothing
 *		else. Each room has one laras_<room>_init().
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "answer/answer.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/json_owner.h"
#include "base/logguard.h"
#include "base/phone.h"
#include "connect/connect.h"
#include "courier/courier.h"
#include "evidence/evidence.h"
#include "gateway/gateway.h"
#include "intake/intake.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	if (IsBinaryUpgrade)
		return;

	laras_json_init();
	laras_log_guard_init();
	/* here its tables are made once, and shared by all who are forked */
	if (process_shared_preload_libraries_in_progress)
		laras_phone_init();
	laras_hooks_init();
	laras_clock_init();
	laras_id_init();
	laras_tenancy_init();
	laras_vault_init();
	laras_evidence_init();
	laras_connect_init();
	laras_gateway_init();
	laras_intake_init();
	laras_answer_init();
	laras_courier_init();
	laras_media_init();
#ifdef LARAS_FAULTS
	laras_fault_init();
#endif
	laras_worker_init();
	laras_standby_init();

	MarkGUCPrefixReserved("laras");
}
