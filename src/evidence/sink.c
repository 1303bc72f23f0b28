/*
 * sink.c
 *		The checkpoint directory: notes written where no restore of this machine
 *		reaches, and read again when the vault opens.
 *
 * Invariant: the position in `newest` never goes back, but where this database
 * holds the very note that named the later one.
 */
#include "postgres.h"

#include <sys/wait.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/fault.h"
#include "base/hex.h"
#include "base/program.h"
#include "base/spi.h"
#include "evidence/keyfile.h"
#include "evidence/log.h"
#include "evidence/note.h"
#include "evidence/sink.h"
#include "evidence/sinkprogram.h"
#include "tenancy/tenancy.h"
#include "worker/worker.h"

#define NEWEST "newest"
#define LINE "laras-journal "
#define CHAIN 16

StaticAssertDecl(LARAS_WITNESS_NOTE >= LARAS_NOTE_MAX, "a note must fit");

char *laras_checkpoint_directory;

LARAS_PLAN(checkpoint_is_here,
		   "SELECT 1 FROM laras.evidence_checkpoint AS c WHERE c.tree_size = $1 AND c.note = $2",
		   INT8OID, TEXTOID);

/* the last note of every log that was signed since then, in the order of their signing */
LARAS_PLAN(
	signed_since,
	"SELECT l.log_id, l.note FROM (SELECT DISTINCT ON (c.workspace_id) t.log_id::pg_catalog.text,"
	" c.note, c.signed_at FROM laras.evidence_checkpoint AS c"
	" JOIN laras.evidence_tree AS t ON t.workspace_id = c.workspace_id"
	" WHERE c.signed_at >= $1 ORDER BY c.workspace_id, c.hour DESC) AS l"
	" ORDER BY l.signed_at DESC LIMIT 50000",
	TIMESTAMPTZOID);

LARAS_PLAN(signed_when,
		   "SELECT c.signed_at FROM laras.evidence_checkpoint AS c WHERE c.note = $1"
		   " UNION ALL SELECT pg_catalog.now() - '1 day'::pg_catalog.interval LIMIT 1",
		   TEXTOID);

static char *
uuid_text(const uint8 bytes[16])
{
	pg_uuid_t uuid;

	memcpy(uuid.data, bytes, UUID_LEN);
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&uuid)));
}

/* Logs a state once, when it begins. */
static void
tell_once(const char *problem)
{
	static const char *told = NULL; /* problems are constants */

	if (problem != NULL && problem != told)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("checkpoints are not kept in laras.checkpoint_directory: %s", problem),
				 errhint("See laras.doctor(). Signing goes on without it.")));
	told = problem;
}

/* ------------------------------------------------------------------------
 * The position in a note
 * ------------------------------------------------------------------------
 */

void
laras_sink_position(LarasSinkPosition *position)
{
	uint8 chain[CHAIN];
	int n;

	memset(position, 0, sizeof(*position));
	position->known = laras_vault_journal_position(position->keyring, &position->seq, chain);
	if (!position->known)
		return;
	n = snprintf(position->line, sizeof(position->line), LINE UINT64_FORMAT " ", position->seq);
	laras_hex_write(chain, CHAIN, position->line + n);
	strlcat(position->line, "\n", sizeof(position->line));
}

/* The position that a note carries; false where it carries none. */
static bool
position_of(const LarasCheckpoint *checkpoint, LarasWitness *witness)
{
	const char *p = checkpoint->extensions;
	const char *end = p + checkpoint->extensions_length;

	while (p < end)
	{
		const char *next = memchr(p, '\n', end - p);
		size_t n = next - p;
		int digits = 0;
		uint64 seq = 0;

		if (n > strlen(LINE) && memcmp(p, LINE, strlen(LINE)) == 0)
		{
			p += strlen(LINE);
			for (; *p >= '0' && *p <= '9' && digits < 19; digits++)
				seq = seq * 10 + (uint64) (*p++ - '0');
			if (digits == 0 || *p++ != ' ' || next - p != 2 * CHAIN)
				return false;
			if (!laras_hex_read_lower(p, witness->chain, CHAIN))
				return false;
			witness->seq = seq;
			return true;
		}
		p = next + 1;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

#define READ_PATIENCE_MS 2000 /* of whoever writes afterwards */
#define WRITE_PATIENCE_MS 2000
#define STALE_MS 60000 /* an answer that nobody came for so long is asked for again */
#define GRACE_MS 500
#define CATCH_UP_MS 2000

/* laras-sink at work; one reads and one writes in a process at a time. */
typedef struct Errand
{
	LarasProgram program;
	bool begun;
	char directory[MAXPGPATH]; /* what it was begun for */
	char *input;               /* in TopMemoryContext, or NULL */
	size_t input_length;
	size_t written;
	char output[LARAS_WITNESS_NOTE];
	size_t got;
	TimestampTz started;
} Errand;

static Errand reading = {.program = {0, -1, -1, 0}};
static Errand writing = {.program = {0, -1, -1, 0}};

static bool
interrupted(void)
{
	return InterruptPending && (ProcDiePending || QueryCancelPending);
}

static void
end_errand(Errand *errand, int patience_ms)
{
	(void) laras_program_stop(&errand->program, patience_ms);
	if (errand->input != NULL)
		pfree(errand->input);
	errand->input = NULL;
	errand->begun = false;
}

/* The input is the errand's from here on. */
static bool
begin_errand(Errand *errand, const char *what, const uint8 keyring[16], char *input, size_t length,
			 const char **trouble)
{
	char path[MAXPGPATH];
	char *const argv[] = {
		path, unconstify(char *, what), laras_checkpoint_directory, uuid_text(keyring), DataDir,
		NULL};

	strlcpy(path, my_exec_path, sizeof(path));
	get_parent_directory(path);
	strlcat(path, "/laras-sink", sizeof(path));
	errand->input = input;
	errand->input_length = length;
	errand->written = errand->got = 0;
	errand->started = GetCurrentTimestamp();
	errand->begun = true;
	strlcpy(errand->directory, laras_checkpoint_directory, sizeof(errand->directory));
	if (laras_program_start(&errand->program, argv, input != NULL))
		return true;
	*trouble = errno == EBUSY ? "the directory does not answer" : "laras-sink cannot be started";
	end_errand(errand, 0);
	return false;
}

/*
 * What an errand that was begun ended with; false while it is under way, or
 * where it had to be stopped.
 */
static bool
finish_errand(Errand *errand, int patience_ms, LarasSinkEnd *end)
{
	if (!laras_program_talk(&errand->program, errand->input, errand->input_length, &errand->written,
							errand->output, sizeof(errand->output) - 1, &errand->got, patience_ms,
							interrupted))
		return false;
	if (!laras_program_stop(&errand->program, GRACE_MS))
	{
		end_errand(errand, 0);
		return false;
	}
	*end = WIFEXITED(errand->program.status) ? (LarasSinkEnd) WEXITSTATUS(errand->program.status)
											 : LARAS_SINK_MISUSED;
	errand->output[errand->got] = '\0';
	end_errand(errand, 0);
	return true;
}

static const char *
trouble_of(LarasSinkEnd end)
{
	switch (end)
	{
		case LARAS_SINK_DONE:
		case LARAS_SINK_NONE:
			return NULL;
		case LARAS_SINK_ABSENT:
			return "the directory is not there";
		case LARAS_SINK_CLOSED:
			return "the directory cannot be read";
		case LARAS_SINK_READ_ONLY:
			return "the directory cannot be written";
		case LARAS_SINK_INSIDE:
			return "it lies in the data directory";
		case LARAS_SINK_PLACE:
			return "the keyring's directory in it cannot be used";
		case LARAS_SINK_UNREADABLE:
			return "its newest checkpoint cannot be read";
		case LARAS_SINK_FAILED:
			return "a checkpoint cannot be written";
		case LARAS_SINK_MISUSED:
			break;
	}
	return "laras-sink cannot be run, or is of another version";
}

static LarasWitnessState
check_note(LarasWitness *witness, size_t n, const char **trouble)
{
	uint8 public_key[LARAS_NOTE_PUBLIC];
	LarasCheckpoint checkpoint;

	if (laras_key_file_public(laras_evidence_key_file, public_key) != LARAS_KEY_FILE_READ)
	{
		*trouble = "the public key beside laras.evidence_key_file cannot be read";
		return LARAS_WITNESS_UNREADABLE;
	}
	memset(witness->chain, 0, sizeof(witness->chain));
	if (!laras_note_verify(witness->note, n, public_key, &checkpoint) ||
		!position_of(&checkpoint, witness))
	{
		*trouble = "its newest checkpoint is not one that this installation signed";
		return LARAS_WITNESS_UNREADABLE;
	}
	return LARAS_WITNESS_FOUND;
}

static LarasWitnessState
read_witness(const uint8 keyring[16], int patience_ms, LarasWitness *witness, const char **trouble)
{
	LarasSinkEnd end;

	if (laras_checkpoint_directory[0] == '\0')
		return LARAS_WITNESS_NOT_KEPT;
	if (!is_absolute_path(laras_checkpoint_directory))
	{
		*trouble = "it is not an absolute path";
		return LARAS_WITNESS_UNREADABLE;
	}
	/* begun for something else, or too long ago to be what is there now */
	if (reading.begun &&
		(strcmp(reading.directory, laras_checkpoint_directory) != 0 ||
		 TimestampDifferenceExceeds(reading.started, GetCurrentTimestamp(), STALE_MS)))
		end_errand(&reading, 0);
	if (!reading.begun && !begin_errand(&reading, "read", keyring, NULL, 0, trouble))
		return LARAS_WITNESS_UNREADABLE;
	if (!finish_errand(&reading, patience_ms, &end))
	{
		*trouble = "the directory does not answer";
		return LARAS_WITNESS_AWAITED;
	}
	if (end == LARAS_SINK_NONE)
		return LARAS_WITNESS_NONE;
	*trouble = trouble_of(end);
	if (*trouble != NULL)
		return LARAS_WITNESS_UNREADABLE;
	memcpy(witness->note, reading.output, reading.got + 1);
	return check_note(witness, reading.got, trouble);
}

/* Is this note in the database? Within SPI, in the keeper or bound to all. */
static bool
note_is_here(const LarasWitness *witness)
{
	LarasCheckpoint checkpoint;
	size_t text;

	return laras_note_parse(witness->note, strlen(witness->note), &checkpoint, &text) &&
		   laras_spi_read(&checkpoint_is_here,
						  (Datum[]){Int64GetDatum((int64) checkpoint.size),
									CStringGetTextDatum(witness->note)},
						  NULL) > 0;
}

static bool
witness_known(const LarasWitness *witness)
{
	bool known;

	laras_worker_begin("looking for a checkpoint");
	laras_worker_bind_all();
	laras_spi_open();
	known = note_is_here(witness);
	laras_spi_close();
	laras_worker_commit();
	return known;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* The notes as laras-sink reads them, in TopMemoryContext. */
static char *
pack_notes(const char *const *logs, const char *const *notes, int n, size_t *length)
{
	StringInfoData text;
	char *input;

	initStringInfo(&text);
	for (int i = 0; i < n; i++)
		appendStringInfo(&text, "%s %zu\n%s", logs[i], strlen(notes[i]), notes[i]);
	appendStringInfoString(&text, "end\n");
	*length = (size_t) text.len;
	input = MemoryContextStrdup(TopMemoryContext, text.data);
	pfree(text.data);
	return input;
}

static TimestampTz missed_since = 0; /* signed from then on and not kept; 0: nothing */
static TimestampTz caught_up = 0;    /* when that was last tried */
static bool knows_missed = false;    /* else what is kept tells what the process before left */

static void
write_notes(const LarasSinkPosition *position, const char *const *logs, const char *const *notes,
			int n)
{
	LarasWitness *witness;
	const char *trouble = NULL;
	LarasSinkEnd end = LARAS_SINK_MISUSED;
	size_t length = 0;
	char *input = NULL;

	/* what the last round began may not have come to its end */
	if (writing.begun && !finish_errand(&writing, 0, &end))
	{
		tell_once("the directory does not answer");
		return;
	}
	witness = palloc0(sizeof(LarasWitness));
	if (read_witness(position->keyring, READ_PATIENCE_MS, witness, &trouble) ==
			LARAS_WITNESS_FOUND &&
		witness->seq > position->seq && !note_is_here(witness))
		trouble = "its newest checkpoint is ahead of this keyring's journal";
	pfree(witness);
	if (trouble == NULL)
		input = pack_notes(logs, notes, n, &length);
	if (trouble == NULL &&
		begin_errand(&writing, "write", position->keyring, input, length, &trouble))
	{
		LARAS_FAULT("sink.begun");
		trouble = finish_errand(&writing, WRITE_PATIENCE_MS, &end)
					  ? trouble_of(end)
					  : "the directory does not answer";
	}
	LARAS_FAULT("sink.written");
	tell_once(trouble);
	if (trouble == NULL)
		missed_since = 0;
}

static bool
may_write(const LarasSinkPosition *position)
{
	return position->known && laras_checkpoint_directory[0] != '\0' &&
		   laras_vault_witness_compared();
}

void
laras_sink_write(const LarasSinkPosition *position, const char *const *logs,
				 const char *const *notes, int n)
{
	bool behind = missed_since != 0 || !knows_missed;

	if (n == 0 || laras_checkpoint_directory[0] == '\0')
		return;
	if (missed_since == 0)
		missed_since = GetCurrentTransactionStartTimestamp();
	/* while notes are missing, laras_sink_catch_up() brings these too */
	if (!behind && may_write(position))
		write_notes(position, logs, notes, n);
}

/* At the start: from when on are notes missing outside? Within SPI; false: ask again. */
static bool
look_for_missed(const LarasSinkPosition *position)
{
	LarasWitness *witness = palloc0(sizeof(LarasWitness));
	const char *trouble = NULL;
	LarasWitnessState state = read_witness(position->keyring, READ_PATIENCE_MS, witness, &trouble);

	if (state == LARAS_WITNESS_FOUND || state == LARAS_WITNESS_NONE)
	{
		(void) laras_spi_read(&signed_when, (Datum[]){CStringGetTextDatum(witness->note)}, NULL);
		missed_since = laras_spi_time(0, 1);
		knows_missed = true;
	}
	else
		tell_once(trouble);
	pfree(witness);
	return knows_missed;
}

bool
laras_sink_is_behind(void)
{
	return (missed_since != 0 || !knows_missed) && laras_checkpoint_directory[0] != '\0' &&
		   TimestampDifferenceExceeds(caught_up, GetCurrentTimestamp(), CATCH_UP_MS);
}

void
laras_sink_catch_up(void)
{
	LarasSinkPosition position;
	const char **logs;
	const char **notes;
	uint64 n;

	laras_sink_position(&position);
	if (!may_write(&position))
		return;
	caught_up = GetCurrentTimestamp();
	laras_spi_open();
	if (!knows_missed && !look_for_missed(&position))
	{
		laras_spi_close();
		return;
	}
	n = laras_spi_read(&signed_since, (Datum[]){TimestampTzGetDatum(missed_since)}, NULL);
	logs = palloc(sizeof(char *) * Max(n, 1));
	notes = palloc(sizeof(char *) * Max(n, 1));
	/* the newest comes first, and is written last */
	for (uint64 i = 0; i < n; i++)
	{
		logs[n - 1 - i] = laras_spi_cstring(i, 1);
		notes[n - 1 - i] = laras_spi_cstring(i, 2);
	}
	if (n > 0)
		write_notes(&position, logs, notes, (int) n);
	else
		missed_since = 0;
	laras_spi_close();
}

void
laras_sink_init(void)
{
	laras_witness_read = read_witness;
	laras_witness_known = witness_known;
}
