/*
 * doctor.c
 *		laras.doctor(): is everything set up?
 *
 * Each room has one function in the list below and writes a row a check.  A
 * function that raises costs its own rows, never those of the others.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/contain.h"
#include "tenancy/tenancy.h"
#include "vault/vault.h"
#include "worker/installation.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(laras_doctor);

/* One line a room, in the order in which a person should read them. */
static const struct
{
	const char *room;
	LarasDoctorCheck check;
} rooms[] = {
	{"tenancy", laras_doctor_tenancy},
	{"vault", laras_doctor_vault},
	{"resume", laras_doctor_resume},
	{"workers", laras_doctor_workers},
};

struct LarasDoctorSink
{
	Tuplestorestate *store;
	TupleDesc desc;
};

void
laras_doctor_row(LarasDoctorSink *sink, const char *check, const char *state, const char *detail,
				 const char *hint)
{
	const char *texts[4] = {check, state, detail, hint};
	Datum values[4];
	bool nulls[4];

	for (int i = 0; i < 4; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	tuplestore_putvalues(sink->store, sink->desc, values, nulls);
}

/* Runs one room's checks; an error of theirs is a row too. */
typedef struct Examination
{
	LarasDoctorSink *sink;
	LarasDoctorCheck check;
} Examination;

static void
run_check(void *arg)
{
	Examination *e = arg;

	e->check(e->sink);
}

static void
examine(LarasDoctorSink *sink, const char *room, LarasDoctorCheck check)
{
	Examination e = {sink, check};
	ErrorData *error = laras_contain(run_check, &e, laras_no_wish_to_stop);

	if (error != NULL)
		laras_doctor_row(sink, room, "fail",
						 psprintf("the check itself failed: %s", error->message), error->hint);
}

/* laras.doctor(out check, out state, out detail, out hint) */
Datum
laras_doctor(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LarasDoctorSink sink;

	InitMaterializedSRF(fcinfo, 0);
	sink.store = rsinfo->setResult;
	sink.desc = rsinfo->setDesc;
	for (int i = 0; i < lengthof(rooms); i++)
		examine(&sink, rooms[i].room, rooms[i].check);
	return (Datum) 0;
}
