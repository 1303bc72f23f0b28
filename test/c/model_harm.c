/*
 * model_harm.c
 *		What happens to keys, files, mirrors and the database in the model test.
 *
 * Whether a key may be lost is decided when it is hit: when at that moment no
 * other mirror holds it. A slab is never taken from the last mirror that has
 * it: what follows then is told by the tests of single faults.
 */
#include "model_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/keyringfile.h"
#include "vault/lease.h"
#include "vault_model.h"

#define FIRST_SLAB (LARAS_SLOT_FIRST_LEASED / LARAS_SLOTS_PER_SLAB)

/* ---- harm to keys and slabs */

/* A copy of the bytes that an erasure overwrote is put back over its mark. */
static void
revive(ModelSlot *s)
{
	char name[LARAS_SLAB_NAME_LEN];
	int mirrors = 1 + (int) model_random(3);

	model_log("slot %u of mirrors %d is revived", s->id, mirrors);
	laras_slab_name(LARAS_SLAB_OF(s->id), name);
	for (int m = 0; m < MIRRORS; m++)
		if ((mirrors & 1 << m) != 0 && s->have_live)
			model_poke(model_path(m, name), model_place(s->id), s->live, LARAS_SLOT_LEN);
}

static void
hit_slot(ModelSlot *s, int mirror)
{
	uint8 raw[LARAS_SLOT_LEN];
	uint8 slab[LARAS_UUID_LEN];
	char name[LARAS_SLAB_NAME_LEN];

	if (!model_look(mirror, s->id, raw, slab))
		return;
	switch (model_random(4))
	{
		case 0:
			memset(raw, 0, sizeof(raw));
			break;
		case 1:
			raw[model_random(LARAS_SLOT_LEN)] ^= (uint8) (1 << model_random(8));
			break;
		case 2:
			memset(raw + 32, 0, 32);
			break;
		default:
			if (!model_look(mirror, s->id ^ 1, raw, slab))
				return;
			break;
	}
	laras_slab_name(LARAS_SLAB_OF(s->id), name);
	model_poke(model_path(mirror, name), model_place(s->id), raw, sizeof(raw));
	model_log("slot %u of mirror %d is hit, state %d", s->id, mirror, s->state);
}

/* The platform's secret or the courier's seed, in one of two mirrors that are both well. */
static void
hit_platform(void)
{
	ModelSlot s = {.id = model_random(2) == 0 ? LARAS_SLOT_PLATFORM : LARAS_SLOT_COURIER};
	uint8 raw[MIRRORS][LARAS_SLOT_LEN];
	uint8 slab[LARAS_UUID_LEN];
	int m = (int) model_random(MIRRORS);

	if (world->in_sync != 3 || world->away != 0 || !model_look(0, s.id, raw[0], slab) ||
		!model_look(1, s.id, raw[1], slab) || memcmp(raw[0], raw[1], LARAS_SLOT_LEN) != 0)
		return;
	world->slab_hit[0] |= 1 << m;
	hit_slot(&s, m);
}

void
model_hit_slots(int n)
{
	if (model_random(4) == 0)
		hit_platform();
	for (int i = 0; i < n; i++)
	{
		ModelSlot *s = model_pick(model_random(3) == 0 ? SLOT_DESTROYED : SLOT_LIVE);

		if (s == NULL)
			continue;
		if (s->state == SLOT_DESTROYED && model_random(2) == 0)
			revive(s);
		else
		{
			hit_slot(s, (int) model_random(MIRRORS));
			if (model_random(8) == 0)
				hit_slot(s, (int) model_random(MIRRORS));
		}
		model_note_hit(s);
		model_count(COUNT_SLOTS_HIT, 1);
	}
}

/* One slab of one mirror: cut, gone, blank, or its neighbour under its name. */
void
model_hit_slab(void)
{
	static const uint8 zeros[LARAS_SLAB_HEADER_LEN] = {0};
	ModelSlot *s = model_pick(SLOT_LIVE);
	uint32 number = s != NULL ? LARAS_SLAB_OF(s->id) : FIRST_SLAB + (uint32) model_random(16);
	int m = (int) model_random(MIRRORS);
	char name[LARAS_SLAB_NAME_LEN];
	char other[LARAS_SLAB_NAME_LEN];
	uint8 raw[LARAS_SLOT_LEN];
	uint8 slab[LARAS_UUID_LEN];

	/* the other one must be whole: what both have lost nobody can mend */
	if (!model_look(0, number * LARAS_SLOTS_PER_SLAB, raw, slab) ||
		!model_look(1, number * LARAS_SLOTS_PER_SLAB, raw, slab) || (world->in_sync & (2 - m)) == 0)
		return;
	laras_slab_name(number, name);
	laras_slab_name(number ^ 1, other);
	switch (model_random(5))
	{
		case 0:
			if (truncate(model_path(m, name), (off_t) model_random(LARAS_SLAB_LEN)) != 0)
				return;
			break;
		case 1:
			unlink(model_path(m, name));
			break;
		case 2:
			model_poke(model_path(m, name), 0, zeros, sizeof(zeros));
			break;
		case 3:
			model_poke(model_path(m, name), LARAS_SLAB_HEADER_LEN + 4096 * (off_t) model_random(64),
					   zeros, sizeof(zeros));
			break;
		default:
			if (!model_look(m, (number ^ 1) * LARAS_SLOTS_PER_SLAB, raw, slab))
				return;
			model_copy_file(model_path(m, other), model_path(m, name));
			break;
	}
	world->slab_hit[number] |= 1 << m;
	model_log("slab %x of mirror %d is hit", number, m);
	for (int i = 0; i < world->nslots; i++)
		if (LARAS_SLAB_OF(world->slots[i].id) == number)
			model_note_hit(&world->slots[i]);
	model_count(COUNT_FILES_HIT, 1);
}

/* Has it lost a slab? Then the other one is not exchanged, lest the slab be left in none. */
static bool
lacks_a_slab(int mirror)
{
	for (int slab = 0; slab < MODEL_SLABS; slab++)
		if ((world->slab_hit[slab] & 1 << mirror) != 0)
			return true;
	return false;
}

/* The journal, the lease or the keyring file of one mirror; the server is down. */
void
model_hit_file(int mirror)
{
	static const uint8 zeros[LARAS_JOURNAL_RECORD_LEN] = {0};
	const char *journal = model_path(mirror, "journal-00000000");
	uint8 raw[LARAS_KEYRING_LEN];
	off_t record = LARAS_JOURNAL_RECORD_LEN * (off_t) model_random(200);
	uint64_t what = model_random(8);

	model_log("file %d of mirror %d is hit", (int) what, mirror);
	switch (what)
	{
		case 0:
		case 1:
			if (model_peek(journal, record, raw, LARAS_JOURNAL_RECORD_LEN))
			{
				uint64_t byte = model_random(LARAS_JOURNAL_RECORD_LEN);

				/* anywhere, or where the slots stand */
				raw[what == 0 ? byte : 16 + byte % 8] ^= 0x40;
				model_poke(journal, record, raw, LARAS_JOURNAL_RECORD_LEN);
			}
			break;
		case 2:
			model_poke(journal, record, zeros, sizeof(zeros));
			break;
		case 3:
			if (truncate(journal, (off_t) model_random(LARAS_JOURNAL_FILE_LEN)) != 0)
				model_fatal("cutting a journal: errno %d", errno);
			break;
		case 4:
			unlink(journal);
			break;
		case 5:
			model_poke(model_path(mirror, LARAS_LEASE_FILE), 512 * (off_t) model_random(2), zeros,
					   sizeof(zeros));
			break;
		case 6:
			unlink(model_path(mirror, LARAS_LEASE_FILE));
			break;
		default:
			/* such a mirror is emptied by the operator: the other must have all */
			if (!lacks_a_slab(1 - mirror) &&
				model_peek(model_path(mirror, LARAS_KEYRING_FILE), 0, raw, sizeof(raw)))
			{
				raw[model_random(sizeof(raw))] ^= 1;
				model_poke(model_path(mirror, LARAS_KEYRING_FILE), 0, raw, sizeof(raw));
			}
			break;
	}
	model_count(COUNT_FILES_HIT, 1);
}

/* ---- mirrors and copies */

void
model_move_away(int mirror)
{
	if ((world->away & 1 << mirror) != 0)
		return;
	if (rename(model_place_of(model_mirror_name(mirror, false)),
			   model_place_of(model_mirror_name(mirror, true))) != 0)
		model_fatal("taking a mirror away: errno %d", errno);
	world->away |= 1 << mirror;
}

void
model_move_back(int mirror)
{
	if ((world->away & 1 << mirror) == 0)
		return;
	if (rename(model_place_of(model_mirror_name(mirror, true)),
			   model_place_of(model_mirror_name(mirror, false))) != 0)
		model_fatal("bringing a mirror back: errno %d", errno);
	world->away &= ~(1 << mirror);
}

/* After a mirror was exchanged: keys that neither holds now. */
static void
note_exchange(int mirror)
{
	for (int slab = 0; slab < MODEL_SLABS; slab++)
		world->slab_hit[slab] &= ~(1 << mirror);
	for (int i = 0; i < world->nslots; i++)
	{
		ModelSlot *s = &world->slots[i];

		if (s->state == SLOT_LIVE && !model_is_good(1 - mirror, s))
			model_note_hit(s);
	}
}


void
model_empty_mirror(int mirror)
{
	if (lacks_a_slab(1 - mirror))
		return;
	model_remove_directory(model_path(mirror, ""));
	note_exchange(mirror);
}

static const char *
copy_place(int i)
{
	static const char *const names[COPIES] = {"copy.0", "copy.1", "copy.2"};

	return model_place_of(names[i]);
}

void
model_save_copy(void)
{
	int m = (int) model_random(MIRRORS);
	int i = (int) model_random(COPIES);

	if ((world->in_sync & 1 << m) == 0 || (world->away & 1 << m) != 0)
		return;
	if (lacks_a_slab(m))
		return;
	model_copy_directory(model_path(m, ""), copy_place(i));
	world->have_copy[i] = true;
}

void
model_put_old_copy(int mirror)
{
	int i = (int) model_random(COPIES);

	if (!world->have_copy[i] || lacks_a_slab(1 - mirror))
		return;
	model_copy_directory(copy_place(i), model_path(mirror, ""));
	model_log("mirror %d is an old copy", mirror);
	note_exchange(mirror);
	model_count(COUNT_OLD_COPIES, 1);
}

/*
 * Both mirrors as they once were; the database has gone on. Not where the master
 * key was changed since, nor beside a database that was itself set back: then
 * what both have lost is lost.
 */
void
model_set_mirrors_back(void)
{
	int i = (int) model_random(COPIES);
	char path[800];
	uint8 now[LARAS_KEYRING_LEN];
	uint8 then[LARAS_KEYRING_LEN];

	if (!world->have_copy[i] || world->set_back)
		return;
	snprintf(path, sizeof(path), "%s/" LARAS_KEYRING_FILE, copy_place(i));
	if (!model_peek(path, 0, then, sizeof(then)) ||
		!model_peek(model_path(0, LARAS_KEYRING_FILE), 0, now, sizeof(now)) ||
		memcmp(now, then, sizeof(now)) != 0)
		return;
	for (int m = 0; m < MIRRORS; m++)
	{
		model_copy_directory(copy_place(i), model_path(m, ""));
		note_exchange(m);
	}
	/* a copy from within a rotation may lack a key that was damaged then */
	for (int j = 0; j < world->nslots; j++)
		model_note_hit(&world->slots[j]);
	world->mirrors_set_back = true;
	model_log("both mirrors are an old copy");
	model_count(COUNT_OLD_KEYRINGS, 1);
}

void
model_save_database(void)
{
	world->saved = world->database;
	world->have_saved = true;
}

/*
 * Do the mirrors bear a position of the log that this database has not reached?
 * They are stamped every ten seconds: what is put back sooner is told from the
 * timeline alone, which every restore but that of cold files begins anew.
 */
static bool
is_stamped_beyond(const ModelDatabase *db)
{
	bool beyond = false;

	for (int m = 0; m < MIRRORS; m++)
	{
		int dirfd = open(model_path(m, ""), O_RDONLY | O_DIRECTORY);
		LarasKeyError err = LARAS_KEYERROR_INIT;
		LarasLease lease;

		if (dirfd < 0)
			continue;
		beyond |= laras_lease_read(dirfd, &lease, &err) && lease.wal_position > (uint64) db->wal;
		close(dirfd);
	}
	return beyond;
}

/* The database as it was; the keyring has gone on. */
void
model_set_database_back(void)
{
	ModelDatabase *db = &world->database;
	int64 timeline = db->timeline;

	if (!world->have_saved)
		return;
	*db = world->saved;
	world->set_back = true;
	if (!is_stamped_beyond(db) || model_random(2) == 0)
		db->timeline = timeline + 1;
	for (int i = 0; i < world->nslots; i++)
	{
		ModelSlot *s = &world->slots[i];
		bool named = false;

		for (int j = 0; j < db->nowners; j++)
			named |= db->owners[j] == s->id;
		if (!named && (s->state == SLOT_LIVE || s->state == SLOT_LOST))
			s->state = SLOT_UNKNOWN;
		if (named && s->state == SLOT_DESTROYED && model_order_of(s->id) == NULL)
			world->must_stay_closed = true;
	}
	model_log("the database is set back, timeline %lld, wal %lld", (long long) db->timeline,
			  (long long) db->wal);
	model_count(COUNT_OLD_DATABASES, 1);
}
