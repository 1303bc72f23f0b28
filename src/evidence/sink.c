/*
 * sink.c
 *		The checkpoint directory: notes written where no restore of this machine
 *		reaches, and read again when the vault opens.
 *
 * Invariant: the position in `newest` never goes back, but where this database
 * holds the very note that named the later one.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "base/fault.h"
#include "base/hex.h"
#include "base/spi.h"
#include "evidence/keyfile.h"
#include "evidence/log.h"
#include "evidence/note.h"
#include "evidence/sink.h"
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

/* The directory, or -1 with what is wrong with it. */
static int
open_directory(const char **trouble)
{
	int fd = -1;

	if (!is_absolute_path(laras_checkpoint_directory))
		*trouble = "it is not an absolute path";
	else if (laras_evidence_in_data_directory(psprintf("%s/x", laras_checkpoint_directory)))
		*trouble = "it lies in the data directory";
	else if ((fd = open(laras_checkpoint_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		*trouble = errno == ENOENT ? "the directory is not there" : "the directory cannot be read";
	else if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
	{
		close(fd);
		fd = -1;
		*trouble = "the directory cannot be written";
	}
	return fd;
}

static LarasWitnessState
read_note(int dirfd, LarasWitness *witness, const char **trouble)
{
	uint8 public_key[LARAS_NOTE_PUBLIC];
	LarasCheckpoint checkpoint;
	struct stat st;
	ssize_t n = -1;
	int fd = openat(dirfd, NEWEST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return LARAS_WITNESS_NONE;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, witness->note, LARAS_WITNESS_NOTE - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
	{
		*trouble = "its newest checkpoint cannot be read";
		return LARAS_WITNESS_UNREADABLE;
	}
	witness->note[n] = '\0';
	if (laras_key_file_public(laras_evidence_key_file, public_key) != LARAS_KEY_FILE_READ)
	{
		*trouble = "the public key beside laras.evidence_key_file cannot be read";
		return LARAS_WITNESS_UNREADABLE;
	}
	memset(witness->chain, 0, sizeof(witness->chain));
	if (!laras_note_verify(witness->note, (size_t) n, public_key, &checkpoint) ||
		!position_of(&checkpoint, witness))
	{
		*trouble = "its newest checkpoint is not one that this installation signed";
		return LARAS_WITNESS_UNREADABLE;
	}
	return LARAS_WITNESS_FOUND;
}

static LarasWitnessState
read_witness(const uint8 keyring[16], LarasWitness *witness, const char **trouble)
{
	LarasWitnessState state;
	int dirfd;
	int fd;

	if (laras_checkpoint_directory[0] == '\0')
		return LARAS_WITNESS_NOT_KEPT;
	dirfd = open_directory(trouble);
	if (dirfd < 0)
		return LARAS_WITNESS_UNREADABLE;
	fd = openat(dirfd, uuid_text(keyring), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
	{
		state = read_note(fd, witness, trouble);
		close(fd);
	}
	else if (errno == ENOENT)
		state = LARAS_WITNESS_NONE;
	else
	{
		state = LARAS_WITNESS_UNREADABLE;
		*trouble = "the keyring's directory in it cannot be read";
	}
	close(dirfd);
	return state;
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

/* Write and sync under a temporary name; renamed by the caller. */
static bool
write_note(int dirfd, const char *name, const char *note)
{
	char temporary[80];
	size_t n = strlen(note);
	bool ok;
	int fd;

	snprintf(temporary, sizeof(temporary), ".%s", name);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	ok = write(fd, note, n) == (ssize_t) n && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

static bool
name_note(int dirfd, const char *name)
{
	char temporary[80];

	snprintf(temporary, sizeof(temporary), ".%s", name);
	return renameat(dirfd, temporary, dirfd, name) == 0;
}

/* The keyring's directory, made where it is not there. */
static int
open_place(const uint8 keyring[16], const char **trouble)
{
	char *name = uuid_text(keyring);
	int dirfd = open_directory(trouble);
	int fd;

	if (dirfd < 0)
		return -1;
	if (mkdirat(dirfd, name, 0755) == 0)
		(void) fsync(dirfd);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		*trouble = "the keyring's directory in it cannot be made";
	close(dirfd);
	return fd;
}

void
laras_sink_write(const LarasSinkPosition *position, const char *const *logs,
				 const char *const *notes, int n)
{
	LarasWitness *witness;
	const char *trouble = NULL;
	bool ok = true;
	int fd;

	if (n == 0 || !position->known || laras_checkpoint_directory[0] == '\0' ||
		!laras_vault_witness_compared())
		return;
	witness = palloc0(sizeof(LarasWitness));
	switch (read_witness(position->keyring, witness, &trouble))
	{
		case LARAS_WITNESS_FOUND:
			if (witness->seq > position->seq && !note_is_here(witness))
				trouble = "its newest checkpoint is ahead of this keyring's journal";
			break;
		case LARAS_WITNESS_UNREADABLE:
		case LARAS_WITNESS_NONE:
		case LARAS_WITNESS_NOT_KEPT:
			break;
	}
	pfree(witness);
	if (trouble != NULL)
	{
		tell_once(trouble);
		return;
	}
	fd = open_place(position->keyring, &trouble);
	if (fd < 0)
	{
		tell_once(trouble);
		return;
	}
	/* written and synced, all of them; then named; then the names are synced */
	for (int i = 0; ok && i < n; i++)
	{
		ok = write_note(fd, logs[i], notes[i]);
	}
	ok = ok && write_note(fd, NEWEST, notes[n - 1]);
	LARAS_FAULT("sink.written");
	for (int i = 0; ok && i < n; i++)
		ok = name_note(fd, logs[i]);
	ok = ok && name_note(fd, NEWEST) && fsync(fd) == 0;
	close(fd);
	LARAS_FAULT("sink.named");
	tell_once(ok ? NULL : "a checkpoint cannot be written");
}

void
laras_sink_init(void)
{
	laras_witness_read = read_witness;
	laras_witness_known = witness_known;
}
