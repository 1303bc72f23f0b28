/*
 * keyscan.h
 *		Looking for sealed values in raw bytes, with the keyring as it now is.
 *
 * The proof of an erasure: given a data directory, its WAL or a backup, and
 * the keyring and master key of today, what can still be read?  Used by
 * laras-keytool only; takes malloc'd memory and prints to standard output.
 */
#ifndef LARAS_VAULT_KEYSCAN_H
#define LARAS_VAULT_KEYSCAN_H

#include "vault/mirror.h"
#include "vault/sealedbytes.h"

/* An opened keyring with everything its master key gives. */
typedef struct LarasKeyholder
{
	LarasMirrors mirrors; /* one mirror */
	LarasKeyring keyring;
	LarasWrapSet wraps; /* both domains */
	uint8_t courier_seed[LARAS_KEY_LEN];
	bool has_courier; /* slot 1 opened */
} LarasKeyholder;

/* What stands in the way of a value. */
typedef enum LarasVerdict
{
	LARAS_VERDICT_CLOSED,   /* a key is gone, damaged or out of reach */
	LARAS_VERDICT_READABLE, /* both keys are live: decrypts, place unknown */
	LARAS_VERDICT_OPENS     /* the tag holds at a place that was stated */
} LarasVerdict;

/* Places to try: whichever field is 0 stands for the field of the value. */
typedef struct LarasPlaces
{
	LarasSealedPlace *place;
	size_t n;
} LarasPlaces;

/*
 * Try one value whose length is known.  out (n bytes) gets the plain text on
 * OPENS; which gets the place that fitted.  w_state and s_state tell of the
 * two slots.
 */
extern LarasVerdict
laras_keyscan_open(LarasKeyholder *holder, const uint8_t *v, size_t n, const LarasPlaces *places,
				   LarasSlotState *w_state, LarasSlotState *s_state, LarasSealedPlace *which,
				   uint8_t *out, size_t *outlen);

/*
 * Look at every byte offset of a file for the header of a sealed value of this
 * keyring, and print one line for each:
 *
 *	<verdict> <suite> <field> <w> <s> <w state> <s state> <offset> <workspace> <row> <hex>
 *
 * The text is shown for OPENS, its first 32 bytes for READABLE (suite 1: what
 * anybody with the key reads without knowing the place); - stands for nothing.
 * A file of WAL pages is scanned a second time without its page headers (the
 * offset is then of that stream, with "w" before it), since a record may run
 * over them.  Returns false where the file cannot be read.
 */
extern bool laras_keyscan_file(LarasKeyholder *holder, const char *path, const LarasPlaces *places);

#endif /* LARAS_VAULT_KEYSCAN_H */
