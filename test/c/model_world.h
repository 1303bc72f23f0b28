/*
 * model_world.h
 *		The model of the keyring: which keys must be live and which destroyed,
 *		the copies that were set aside, and the harm done to files.
 */
#ifndef LARAS_TEST_MODEL_WORLD_H
#define LARAS_TEST_MODEL_WORLD_H

#include "model_server.h"

#include "vault/vault.h"
#include "vault_model.h"

#define MIRRORS 2
#define MODEL_SLOTS 2048
#define MODEL_SLABS 64
#define COPIES 3

typedef enum ModelState
{
	SLOT_TAKEN,       /* by a transaction that is open */
	SLOT_ROLLED_BACK, /* to be destroyed soon */
	SLOT_LIVE,
	SLOT_DESTROYED,
	SLOT_LOST,   /* every copy was hit: it must not open as another, nor read as destroyed */
	SLOT_UNKNOWN /* named by no row any more: the database was set back */
} ModelState;

typedef struct ModelSlot
{
	uint32 id;
	ModelState state;
	uint8 secret[LARAS_KEY_LEN];
	bool have_live;
	uint8 live[LARAS_SLOT_LEN]; /* its bytes when it was new */
	bool hit;                   /* in some mirror since all was well */
	bool lost;                  /* when it was hit no other copy of it was good */
} ModelSlot;

/* All of it lies in memory that outlives a crash. */
typedef struct World
{
	uint64_t random;
	uint64_t noise;
	uint64_t seed;
	uint64_t counts[MODEL_COUNTS];
	TimestampTz clock;
	int first_epoch;
	int last_epoch;
	uint64_t crash_in; /* at that crash point from here, 0: never */
	int sick;
	int away;
	LarasMirrorMask in_sync; /* as last seen */
	bool settled;
	bool must_stay_closed; /* the database has rows again of what is destroyed */
	bool have_saved;
	bool set_back;         /* the database was, in this run */
	bool mirrors_set_back; /* both, since the last life */
	bool have_copy[COPIES];
	uint8 keyring[LARAS_UUID_LEN];
	ModelDatabase database;
	ModelDatabase saved;
	uint8 slab_hit[MODEL_SLABS]; /* in these mirrors */
	int nslots;
	ModelSlot slots[MODEL_SLOTS];
} World;

extern World *world;

/* A property does not hold: says so with the run's seed and ends. */
extern void
model_failed(const char *format, ...) __attribute__((noreturn, format(__printf__, 1, 2)));

extern void model_make_world(const char *directory);
extern void model_new_run(uint64_t seed);
extern void model_report(uint64_t seed);

/* ---- files: model_files.c */

extern char model_base[512];

/* "<directory of the test>/<name>", a static string */
extern const char *model_place_of(const char *name);
extern const char *model_mirror_name(int mirror, bool away);

/* n bytes of a file; false where it has not so many */
extern bool model_peek(const char *path, off_t at, void *p, size_t n);
extern void model_poke(const char *path, off_t at, const void *p, size_t n);
extern void model_remove_directory(const char *path);
extern void model_copy_file(const char *from, const char *to);
extern void model_copy_directory(const char *from, const char *to);
extern bool model_same_file(const char *a, const char *b);

/* "<mirror>/0/<file>" wherever the mirror is now; a static string */
extern const char *model_path(int mirror, const char *file);

/* offset of a slot in its slab */
extern off_t model_place(uint32 slot);

/* ---- keys: model_world.c */

/* Bytes and place of a slot in one mirror's file; false where the slab is no good. */
extern bool
model_look(int mirror, uint32 slot, uint8 raw[LARAS_SLOT_LEN], uint8 slab[LARAS_UUID_LEN]);

/* A live key was harmed in one mirror: where the other has it not, it may be lost. */
extern void model_note_hit(ModelSlot *s);

/* a random slot in that state, or NULL */
extern ModelSlot *model_pick(ModelState state);

/* Does this mirror's file hold the key, under an epoch that still counts? */
extern bool model_is_good(int mirror, const ModelSlot *s);

/* the newest row of key_destruction of a slot, or NULL */
extern const ModelOrder *model_order_of(uint32 slot);

/* ---- harm, and what operators do: model_harm.c */
extern void model_move_away(int mirror);
extern void model_move_back(int mirror);
extern void model_empty_mirror(int mirror);
extern void model_save_copy(void);
extern void model_put_old_copy(int mirror);
extern void model_hit_slots(int n);
extern void model_hit_slab(void);
extern void model_hit_file(int mirror);
extern void model_set_mirrors_back(void);
extern void model_save_database(void);
extern void model_set_database_back(void);

/* All faults are over and all work is done: what must lie in both mirrors now. */
extern void model_check_files(void);

#endif /* LARAS_TEST_MODEL_WORLD_H */
