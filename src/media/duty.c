/*
 * duty.c
 *		Which media is fetched next. A few at a time of each workspace and in all,
 *		so that neither a workspace's films keep another's pictures waiting, nor
 *		media the courier's other work.
 */
#include "postgres.h"

#include "base/json_owner.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "courier/task.h"
#include "media/media.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "worker/installation.h"

/* under way at once, of one workspace and in all: half of what tasks there may be (courier/task.c) */
#define OF_A_WORKSPACE 4
#define OF_ALL 16

LARAS_PLAN(count_fetching,
		   "SELECT pg_catalog.count(*) FROM laras.media m "
		   "WHERE m.state OPERATOR(pg_catalog.=) 'fetching' AND $1 OPERATOR(pg_catalog.=) 0",
		   INT4OID);

/* whose task ended without a word of it: by an error, or with its courier */
LARAS_PLAN(
	find_left,
	"SELECT m.workspace_id, m.id FROM laras.media m WHERE m.state OPERATOR(pg_catalog.=) 'fetching' "
	"AND NOT EXISTS (SELECT 1 FROM laras.courier_task t WHERE t.workspace_id OPERATOR(pg_catalog.=) m.workspace_id "
	"AND t.id OPERATOR(pg_catalog.=) m.task_id AND t.state OPERATOR(pg_catalog.=) ANY ('{queued,claimed}'::pg_catalog.text[])) "
	"LIMIT $1 FOR UPDATE OF m SKIP LOCKED",
	INT4OID);

LARAS_PLAN(
	find_due,
	"SELECT d.workspace_id, d.id, d.connection_id FROM (SELECT DISTINCT x.workspace_id FROM laras.media x "
	"WHERE x.state OPERATOR(pg_catalog.=) 'wanted' AND x.next_at OPERATOR(pg_catalog.<=) laras.now()) AS w "
	"CROSS JOIN LATERAL (SELECT m.workspace_id, m.id, m.connection_id FROM laras.media m "
	"WHERE m.workspace_id OPERATOR(pg_catalog.=) w.workspace_id AND m.state OPERATOR(pg_catalog.=) 'wanted' "
	"AND m.next_at OPERATOR(pg_catalog.<=) laras.now() ORDER BY m.next_at, m.id "
	"LIMIT greatest($2::pg_catalog.int8 OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*) FROM laras.media f "
	"WHERE f.workspace_id OPERATOR(pg_catalog.=) w.workspace_id AND f.state OPERATOR(pg_catalog.=) 'fetching'), 0) "
	"FOR UPDATE OF m SKIP LOCKED) AS d LIMIT $1",
	INT4OID, INT8OID);

LARAS_PLAN(begin_fetch,
		   "UPDATE laras.media SET state = 'fetching', reason = NULL, task_id = $3 "
		   "WHERE workspace_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
		   INT8OID, INT8OID, INT8OID);

typedef struct Due
{
	int64 workspace_id;
	int64 id;
	int64 connection_id;
} Due;

static void
begin(const Due *due)
{
	json_t *request = laras_json_own(json_pack("{s:I}", "media", (json_int_t) due->id));
	int64 task_id = laras_task_add(due->workspace_id, laras_media_task.name, due->connection_id, 0,
								   request, NULL);

	laras_spi_run_one(&begin_fetch,
					  (Datum[]){Int64GetDatum(due->workspace_id), Int64GetDatum(due->id),
								Int64GetDatum(task_id)},
					  NULL);
}

static Due *
read_rows(uint64 found, bool with_connection)
{
	Due *list = palloc0(sizeof(Due) * (found + 1));

	for (uint64 i = 0; i < found; i++)
	{
		list[i].workspace_id = laras_spi_int8(i, 1);
		list[i].id = laras_spi_int8(i, 2);
		if (with_connection)
			list[i].connection_id = laras_spi_int8(i, 3);
	}
	return list;
}

LarasTurn
laras_media_duty(void)
{
	uint64 found;
	int64 room;
	Due *list;

	if (!laras_vault_is_open() || laras_resume_needed())
		return LARAS_TURN_IDLE;
	laras_worker_bind_all();
	laras_spi_open();
	found = laras_spi_run(&find_left, (Datum[]){Int32GetDatum(OF_ALL)}, NULL);
	list = read_rows(found, false);
	for (uint64 i = 0; i < found; i++)
		laras_media_failed(list[i].workspace_id, list[i].id, NULL, "interrupted");
	laras_spi_run_one(&count_fetching, (Datum[]){Int32GetDatum(0)}, NULL);
	room = OF_ALL - laras_spi_int8(0, 1);
	found =
		room <= 0
			? 0
			: laras_spi_run(&find_due,
							(Datum[]){Int32GetDatum((int32) room), Int64GetDatum(OF_A_WORKSPACE)},
							NULL);
	list = read_rows(found, true);
	for (uint64 i = 0; i < found; i++)
		begin(&list[i]);
	laras_spi_close();
	return LARAS_TURN_IDLE;
}
