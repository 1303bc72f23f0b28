/*
 * model_world.c
 *		The model of the keyring: what each key must be, and whether it is.
 *
 * Whether a key may be lost is decided when it is hit: when at that moment no
 * other mirror holds it. What a mirror holds is read from its files here, past
 * all that is tested.
 */
#include "model_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "vault/keyringfile.h"
#include "vault/masterkey.h"

World *world;

static const char *const count_names[MODEL_COUNTS] = {
	"runs",
	"lives of a server",
	"crashes",
	"of them with loss of power",
	"writes that were lost with it",
	"keys handed out",
	"keys rolled back",
	"keys destroyed",
	"transactions refused",
	"rotations",
	"scrubs",
	"mirrors that failed",
	"mirrors that went away",
	"old copies put back",
	"keyrings set back",
	"databases set back",
	"keys hit",
	"files hit",
	"mirrors emptied to be filled anew",
	"keys read",
	"times everything was put right",
	"keys lost, every copy of which was hit",
};

/* ---- the run */

void
model_count(ModelCount what, uint64_t n)
{
	world->counts[what] += n;
}

static uint64_t
next_of(uint64_t *state, uint64_t n)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n;
}

uint64_t
model_random(uint64_t n)
{
	return next_of(&world->random, n);
}

/* Nonces and numbers of keyrings too are of the run, so that its seed gives it again. */
int
RAND_bytes(unsigned char *p, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (unsigned char) next_of(&world->noise, 256);
	return 1;
}

int
RAND_priv_bytes(unsigned char *p, int n)
{
	return RAND_bytes(p, n);
}

void
model_fatal(const char *format, ...)
{
	va_list args;

	printf("not ok - the model test itself: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (seed %llu)\n", (unsigned long long) world->seed);
	fflush(stdout);
	_exit(2);
}

void
model_failed(const char *format, ...)
{
	va_list args;

	printf("not ok - ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (seed %llu)\n", (unsigned long long) world->seed);
	fflush(stdout);
	_exit(1);
}

void
model_log(const char *format, ...)
{
	va_list args;

	if (getenv("MODEL_LOG") == NULL)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void
model_crash_point(const char *name)
{
	if (world->crash_in == 0 || --world->crash_in > 0)
		return;
	model_log("crash at %s", name);
	if (model_random(3) == 0)
	{
		disk_lose_power();
		model_count(COUNT_POWER_LOSSES, 1);
	}
	kill(getpid(), SIGKILL);
}

int
model_sick_mirrors(void)
{
	return world->sick;
}

/* ---- keys */

ModelSlot *
model_pick(ModelState state)
{
	uint64_t from;

	if (world->nslots == 0)
		return NULL;
	from = model_random((uint64_t) world->nslots);
	for (int i = 0; i < world->nslots; i++)
	{
		ModelSlot *s = &world->slots[(from + (uint64_t) i) % (uint64_t) world->nslots];

		if (s->state == state)
			return s;
	}
	return NULL;
}

const ModelOrder *
model_order_of(uint32 slot)
{
	for (int i = world->database.norders - 1; i >= 0; i--)
		if (world->database.orders[i].slot == slot)
			return &world->database.orders[i];
	return NULL;
}

/* The oldest epoch that any mirror's keyring file still has in use. */
static int
oldest_epoch(void)
{
	int oldest = world->first_epoch;

	for (int m = 0; m < MIRRORS; m++)
	{
		uint8 raw[LARAS_KEYRING_LEN];
		LarasKeyring k;

		if (model_peek(model_path(m, LARAS_KEYRING_FILE), 0, raw, sizeof(raw)) &&
			laras_keyring_decode(raw, &k))
			oldest = Max(oldest, k.oldest_epoch);
	}
	return oldest;
}

/* Bytes and place of a slot in one mirror's file; false where the slab is no good. */
bool
model_look(int mirror, uint32 slot, uint8 raw[LARAS_SLOT_LEN], uint8 slab[LARAS_UUID_LEN])
{
	char name[LARAS_SLAB_NAME_LEN];
	uint8 head[LARAS_SLAB_HEADER_LEN];
	LarasSlabHeader h;
	struct stat st;
	const char *path;

	laras_slab_name(LARAS_SLAB_OF(slot), name);
	path = model_path(mirror, name);
	if (stat(path, &st) != 0 || st.st_size != LARAS_SLAB_LEN ||
		!model_peek(path, 0, head, sizeof(head)) || !laras_slab_header_decode(head, &h) ||
		h.number != LARAS_SLAB_OF(slot))
		return false;
	memcpy(slab, h.slab, LARAS_UUID_LEN);
	return model_peek(path, model_place(slot), raw, LARAS_SLOT_LEN);
}

bool
model_is_good(int mirror, const ModelSlot *s)
{
	uint8 raw[LARAS_SLOT_LEN];
	uint8 slab[LARAS_UUID_LEN];
	uint8 master[LARAS_KEY_LEN];
	uint8 secret[LARAS_KEY_LEN];
	LarasSlotPlace place = {world->keyring, slab, s->id};
	LarasWrapSet wraps = {.n = 1};
	uint8 domain;
	uint16 epoch;

	if (!model_look(mirror, s->id, raw, slab) || !laras_slot_epoch(raw, &domain, &epoch) ||
		epoch < oldest_epoch() || epoch > world->last_epoch)
		return false;
	model_master_key(epoch, master);
	wraps.wrap[0].domain = LARAS_DOMAIN_CONTENT;
	wraps.wrap[0].epoch = epoch;
	return laras_derive_wrap(master, LARAS_DOMAIN_CONTENT, world->keyring, epoch,
							 wraps.wrap[0].key) &&
		   laras_slot_open(&place, raw, &wraps, LARAS_DOMAIN_CONTENT, secret) == LARAS_SLOT_LIVE &&
		   memcmp(secret, s->secret, LARAS_KEY_LEN) == 0;
}

static bool
is_buried(int mirror, uint32 slot)
{
	uint8 raw[LARAS_SLOT_LEN];
	uint8 slab[LARAS_UUID_LEN];
	LarasSlotPlace place = {world->keyring, slab, slot};

	return model_look(mirror, slot, raw, slab) &&
		   laras_slot_look(&place, raw, NULL) == LARAS_SLOT_DESTROYED;
}

/* A live key was harmed in one mirror: where the other has it not, it may be lost. */
void
model_note_hit(ModelSlot *s)
{
	s->hit = true;
	if (s->state == SLOT_LIVE && !model_is_good(0, s) && !model_is_good(1, s))
		s->lost = true;
}

static bool
platform_opens(const LarasSlotPlace *place, const uint8 *raw)
{
	uint8 master[LARAS_KEY_LEN];
	LarasWrapSet wraps = {.n = 1};
	LarasWrap *wrap = &wraps.wrap[0];

	if (!laras_slot_epoch(raw, &wrap->domain, &wrap->epoch))
		return false;
	model_master_key(wrap->epoch, master);
	return laras_derive_wrap(master, wrap->domain, world->keyring, wrap->epoch, wrap->key) &&
		   laras_slot_open(place, raw, &wraps, wrap->domain, NULL) == LARAS_SLOT_LIVE;
}

/* Are two slabs the same but in keys that are lost, which nobody can bring together? */
static bool
same_but_lost(const char *a, const char *b, uint32 number)
{
	static uint8 x[LARAS_SLAB_LEN];
	static uint8 y[LARAS_SLAB_LEN];

	if (!model_peek(a, 0, x, sizeof(x)) || !model_peek(b, 0, y, sizeof(y)) ||
		memcmp(x, y, LARAS_SLAB_HEADER_LEN) != 0)
		return false;
	for (int i = 0; i < world->nslots; i++)
	{
		const ModelSlot *s = &world->slots[i];
		size_t at = (size_t) model_place(s->id);

		if ((s->state == SLOT_LOST || s->state == SLOT_UNKNOWN) && LARAS_SLAB_OF(s->id) == number)
			memcpy(x + at, y + at, LARAS_SLOT_LEN);
	}
	return memcmp(x, y, sizeof(x)) == 0;
}

/* Every file of mirror x is in mirror y, the same. */
static void
check_same(int x, int y)
{
	DIR *dir = opendir(model_path(x, ""));
	struct dirent *e;
	unsigned int number;

	if (dir == NULL)
		model_failed("mirror %s is gone", model_mirror_name(x, false));
	while ((e = readdir(dir)) != NULL)
	{
		const char *in_x = model_path(x, e->d_name);
		const char *in_y = model_path(y, e->d_name);

		if (e->d_name[0] == '.' || model_same_file(in_x, in_y) ||
			(sscanf(e->d_name, "slab-%x", &number) == 1 && same_but_lost(in_x, in_y, number)))
			continue;
		model_failed("the mirrors differ in %s", e->d_name);
	}
	closedir(dir);
}

void
model_check_files(void)
{
	for (int i = 0; i < world->nslots; i++)
	{
		ModelSlot *s = &world->slots[i];
		bool good = model_is_good(0, s) && model_is_good(1, s);
		bool buried = is_buried(0, s->id) && is_buried(1, s->id);
		uint64 position;

		switch (s->state)
		{
			case SLOT_DESTROYED:
				if (!buried)
					model_failed("slot %u is destroyed and bears no mark", s->id);
				break;
			case SLOT_ROLLED_BACK:
				/* what lies below the mark is left over where the database was set back */
				if (!buried && (!laras_slot_position(world->keyring, s->id, &position) ||
								(int64) position >= world->database.sweep_from))
					model_failed("slot %u was rolled back and bears no mark", s->id);
				break;
			case SLOT_LIVE:
				if (buried)
					model_failed("slot %u is live and bears a mark", s->id);
				if (!good && !s->lost)
					model_failed("slot %u is live and lost, though a mirror had it", s->id);
				if (!good)
				{
					s->state = SLOT_LOST;
					model_count(COUNT_LOST_TWICE_HIT, 1);
				}
				break;
			case SLOT_LOST:
			case SLOT_UNKNOWN:
				if (buried)
					model_failed("slot %u, %s, bears a mark that nobody ordered", s->id,
								 s->state == SLOT_LOST ? "lost" : "unknown");
				break;
			case SLOT_TAKEN:
				break;
		}
		s->hit = s->lost = false;
	}
	memset(world->slab_hit, 0, sizeof(world->slab_hit));
	check_same(0, 1);
	check_same(1, 0);
	for (uint32 slot = LARAS_SLOT_PLATFORM; slot <= LARAS_SLOT_COURIER; slot++)
	{
		uint8 raw[LARAS_SLOT_LEN];
		uint8 slab[LARAS_UUID_LEN];
		LarasSlotPlace place = {world->keyring, slab, slot};

		if (!model_look(0, slot, raw, slab) || !platform_opens(&place, raw))
			model_failed("slot %u of the platform is lost", slot);
	}
}

/* ---- the world */

void
model_make_world(const char *directory)
{
	static char mirrors[1200];
	LarasKeyringPlan plan = {.number = 0,
							 .owner_system = MODEL_SYSTEM,
							 .owner_database = MODEL_DATABASE,
							 .epoch = 1,
							 .slabs = 16,
							 .now = 1};
	LarasKeyring made;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint8 master[LARAS_KEY_LEN];
	const char *template;

	world = mmap(NULL, sizeof(World), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (world == MAP_FAILED)
	{
		perror("vault_model");
		exit(2);
	}
	snprintf(model_base, sizeof(model_base), "%s", directory);
	model_database = &world->database;
	model_clock = &world->clock;
	model_first_epoch = &world->first_epoch;
	model_last_epoch = &world->last_epoch;
	template = model_place_of("template");
	if (mkdir(template, 0700) != 0 || mkdir(model_place_of("a"), 0700) != 0 ||
		mkdir(model_place_of("b"), 0700) != 0)
		model_fatal("making directories: errno %d", errno);
	model_master_key(1, master);
	plan.master = master;
	if (!laras_keyring_create(&template, 1, &plan, &made, &err))
		model_fatal("making a keyring: %s", err.what);
	memcpy(world->keyring, made.uuid, LARAS_UUID_LEN);
	snprintf(mirrors, sizeof(mirrors), "a=%s, b=%s", model_place_of("a"), model_place_of("b"));
	model_settings(mirrors);
}

void
model_new_run(uint64_t seed)
{
	world->random = seed;
	world->seed = seed;
	world->noise = ~seed;
	world->clock = INT64CONST(800000000000000);
	world->first_epoch = world->last_epoch = 1;
	world->crash_in = 0;
	world->sick = 0;
	for (int m = 0; m < MIRRORS; m++)
		model_move_back(m);
	world->in_sync = 3;
	world->settled = world->must_stay_closed = world->have_saved = world->set_back = false;
	memset(world->have_copy, 0, sizeof(world->have_copy));
	memset(world->slab_hit, 0, sizeof(world->slab_hit));
	memset(&world->database, 0, sizeof(world->database));
	world->database.timeline = 1;
	world->database.wal = 1000;
	world->database.traffic = true;
	world->nslots = 0;
	for (int m = 0; m < MIRRORS; m++)
		model_copy_directory(model_place_of("template/0"), model_path(m, ""));
}

void
model_report(uint64_t seed)
{
	for (int i = 0; i < MODEL_COUNTS; i++)
		printf("# %s: %llu\n", count_names[i], (unsigned long long) world->counts[i]);
	printf("ok - %llu runs from seed %llu: no key came back, none was lost that a mirror held\n",
		   (unsigned long long) world->counts[COUNT_RUNS], (unsigned long long) seed);
	printf("done 1\n");
}
