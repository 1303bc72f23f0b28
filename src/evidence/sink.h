/*
 * sink.h
 *		Signed checkpoints kept in a directory outside the database
 *		(laras.checkpoint_directory).
 *
 *		<directory>/<keyring uuid>/<log id>	newest checkpoint of each log
 *		<directory>/<keyring uuid>/newest	the one signed last
 *
 * Each file is replaced as a whole: written, synced, renamed, its directory
 * synced. There are as many files as logs, and one. Each note carries the line
 * `laras-journal`, so that a machine that was set back as a whole meets a
 * position its keyring does not reach.
 */
#ifndef LARAS_EVIDENCE_SINK_H
#define LARAS_EVIDENCE_SINK_H

#include "vault/vault.h"

/* laras.checkpoint_directory; empty: nothing is kept outside */
extern char *laras_checkpoint_directory;

/* How far the journal is while a round is signed. */
typedef struct LarasSinkPosition
{
	bool known; /* false: the keyring is out of reach, notes carry no line */
	uint8 keyring[16];
	uint64 seq;
	char line[80]; /* "laras-journal ...\n", empty where not known */
} LarasSinkPosition;

extern void laras_sink_position(LarasSinkPosition *position);

/*
 * Keep these notes, all signed at that position, by the names of their logs;
 * the last becomes the newest. In the keeper, within SPI. What fails is logged
 * once and told by doctor(): it stops no signing, and laras_sink_catch_up()
 * tries again. Nothing is written before the vault has compared, nor over a
 * position that this database cannot have given.
 */
extern void laras_sink_write(const LarasSinkPosition *position, const char *const *logs,
							 const char *const *notes, int n);

/* Is something signed and not kept, or may be, and is it time to try again? */
extern bool laras_sink_is_behind(void);

/*
 * Keep what was signed while the directory could not be written. In the keeper,
 * outside SPI, in a transaction that sees it.
 */
extern void laras_sink_catch_up(void);

/* wiring of the two functions that the vault asks */
extern void laras_sink_init(void);

#endif /* LARAS_EVIDENCE_SINK_H */
