/*
 * vault_files.c
 *		Faults in the files of a keyring: slabs missing, short, foreign, swapped,
 *		blanked; torn leases; journals altered, cut, with holes; unsafe directories
 *		and key files; mirrors that disagree.
 *		Run by test/t/021_vault_files.pl with an empty directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "vault/bytes.h"
#include "vault/files.h"
#include "vault/masterkey.h"
#include "vault/mirror.h"
#include "vault/numbers.h"
#include "vault/sealedbytes.h"

#define NUMBER 5

static char root[512];
static char setting[2100];
static uint8_t master[32];
static LarasKeyring keyring;
static LarasWrapSet wraps;
static LarasMirrors mirrors;

static const char *
path(const char *format, ...)
{
	static char out[4][1024];
	static int next = 0;
	char *p = out[next++ % 4];
	int n = snprintf(p, 1024, "%s/", root);
	va_list args;

	va_start(args, format);
	vsnprintf(p + n, 1024 - (size_t) n, format, args);
	va_end(args);
	return p;
}

static void
must(bool good)
{
	if (!good)
	{
		printf("not ok - a step that has to work, errno %d\n", errno);
		exit(1);
	}
}

/* Overwrite n bytes of a file in place. */
static void
poke(const char *file, off_t at, const void *p, size_t n)
{
	int fd = open(file, O_WRONLY);

	must(fd >= 0 && laras_pwrite_all(fd, p, n, at));
	close(fd);
}

static void
peek(const char *file, off_t at, void *p, size_t n)
{
	int fd = open(file, O_RDONLY);

	must(fd >= 0 && laras_pread_all(fd, p, n, at));
	close(fd);
}

static bool
same_files(const char *a, const char *b)
{
	uint8_t x[65536];
	uint8_t y[65536];
	int fa = open(a, O_RDONLY);
	int fb = open(b, O_RDONLY);
	bool same = fa >= 0 && fb >= 0;
	ssize_t n;

	while (same && (n = read(fa, x, sizeof(x))) > 0)
		same = read(fb, y, sizeof(y)) == n && memcmp(x, y, (size_t) n) == 0;
	same = same && read(fb, y, 1) == 0;
	close(fa);
	close(fb);
	return same;
}

static const char *
slab_file(char mirror, uint32_t number)
{
	return path("%c/%d/slab-%08x", mirror, NUMBER, (unsigned int) number);
}

static const char *
journal_file(char mirror, uint32_t number)
{
	return path("%c/%d/journal-%08x", mirror, NUMBER, (unsigned int) number);
}

static LarasSlotState
read_slot(LarasMirrorMask mask, uint32_t slot, uint8_t *secret, LarasMirrorMask *repair,
		  LarasKeyError *err)
{
	uint8_t own[32];
	LarasMirrorMask ignored;

	return laras_mirrors_read(&mirrors, mask, slot, &wraps, LARAS_DOMAIN_CONTENT,
							  secret != NULL ? secret : own, repair != NULL ? repair : &ignored,
							  err);
}

/* ---- making and opening */

static void
test_making(void)
{
	char a[1024];
	char b[1024];
	const char *paths[2] = {a, b};
	LarasKeyringPlan plan = {.number = NUMBER,
							 .owner_system = 42,
							 .owner_database = 5,
							 .epoch = 1,
							 .master = master,
							 .slabs = 16,
							 .now = 1};
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrorMask opened;
	LarasMasterKeys keys = {.n = 1};
	bool same = true;
	int dirfd;

	snprintf(a, sizeof(a), "%s", path("a"));
	snprintf(b, sizeof(b), "%s", path("b"));
	must(mkdir(a, 0700) == 0 && mkdir(b, 0700) == 0);
	/* What a crash in the middle leaves behind. */
	must(mkdir(path("a/%d.new", NUMBER), 0700) == 0);
	must(close(open(path("a/%d.new/slab-00000000", NUMBER), O_CREAT | O_WRONLY, 0600)) == 0);
	memset(master, 0x01, sizeof(master));
	ok(laras_keyring_create(paths, 2, &plan, &keyring, &err),
	   "a keyring is made over what a crash left");
	ok(!laras_file_exists(AT_FDCWD, path("a/%d.new", NUMBER)), "and nothing of that remains");
	ok(!laras_keyring_create(paths, 2, &plan, &keyring, &err) && err.code == LARAS_KEYERR_DISAGREE,
	   "it is never made over an existing one");
	snprintf(setting, sizeof(setting), "first=%s, second=%s/", a, b);
	ok(laras_mirrors_parse(setting, &mirrors, &err) && mirrors.n == 2 &&
		   strcmp(mirrors.mirror[1].name, "second") == 0 && strcmp(mirrors.mirror[1].path, b) == 0,
	   "the list of mirrors");
	ok(laras_mirrors_open(&mirrors, NUMBER, &keyring, &opened, &err) && opened == 3,
	   "both mirrors open");
	ok(keyring.owner_system == 42 && keyring.owner_database == 5 && keyring.current_epoch == 1 &&
		   keyring.oldest_epoch == 1,
	   "the keyring names its owner and its epoch");
	keys.master[0].epoch = 1;
	memcpy(keys.master[0].key, master, 32);
	must(laras_masterkey_wraps(&keys, &keyring, LARAS_DOMAIN_CONTENT, &wraps));
	for (uint32_t n = 0; n < 32; n++)
		if (n == 0 || n >= 16)
			same = same && same_files(slab_file('a', n), slab_file('b', n));
	same = same && same_files(path("a/%d/keyring", NUMBER), path("b/%d/keyring", NUMBER)) &&
		   same_files(path("a/%d/lease", NUMBER), path("b/%d/lease", NUMBER)) &&
		   same_files(journal_file('a', 0), journal_file('b', 0));
	ok(same, "mirrors are identical, file by file");
	dirfd = mirrors.mirror[0].dirfd;
	ok(laras_keyring_next_slab(dirfd) == 32 && laras_keyring_slab_end(dirfd) == 32,
	   "one window of slabs");
	ok(laras_keyring_grow((int[]){dirfd, mirrors.mirror[1].dirfd}, 2, &keyring, 1,
						  wraps.wrap[0].key, 32, 16, 2, &err) &&
		   laras_keyring_next_slab(dirfd) == 48 &&
		   same_files(slab_file('a', 47), slab_file('b', 47)),
	   "and another");
}

static void
test_clear_bytes(void)
{
	static uint8_t file[LARAS_SLAB_LEN];
	uint8_t secret[32];
	int shown = 0;

	must(read_slot(1, LARAS_SLOT_PLATFORM, secret, NULL, NULL) == LARAS_SLOT_LIVE);
	peek(slab_file('a', 0), 0, file, sizeof(file));
	shown += memmem(file, sizeof(file), secret, 32) != NULL;
	shown += memmem(file, sizeof(file), master, 32) != NULL;
	shown += memmem(file, sizeof(file), wraps.wrap[0].key, 32) != NULL;
	peek(path("a/%d/keyring", NUMBER), 0, file, LARAS_KEYRING_LEN);
	shown += memmem(file, LARAS_KEYRING_LEN, master, 32) != NULL;
	ok(shown == 0, "no file holds a secret, a wrapping key or the master key");
}

/* ---- slabs */

/* Expect a state of a slot read from mirror 0 alone, with the code of its error. */
static bool
reads_as(uint32_t slot, LarasSlotState state, LarasKeyErrorCode code)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	laras_mirrors_forget(&mirrors);
	return read_slot(1, slot, NULL, NULL, &err) == state && err.code == code;
}

static void
test_slabs(void)
{
	static uint8_t image[LARAS_SLAB_LEN];
	static uint8_t other[LARAS_SLAB_LEN];
	static const uint8_t zeros[4096] = {0};
	static const off_t lengths[] = {0,
									1,
									4095,
									4096,
									4097,
									4096 + 64 * 100,
									4096 + 64 * 1000 + 32,
									LARAS_SLAB_LEN - 1,
									LARAS_SLAB_LEN + 1,
									LARAS_SLAB_LEN * 2};
	const uint32_t slab = 20;
	const uint32_t slot = slab * LARAS_SLOTS_PER_SLAB + 1000;
	LarasSlabHeader h;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMirrorMask repair;
	uint8_t secret[32];
	uint8_t again[32];
	uint8_t raw[64];
	int wrong = 0;
	int damaged = 0;
	int live = 0;
	int buried = 0;

	must(read_slot(1, slot, secret, NULL, NULL) == LARAS_SLOT_LIVE);
	peek(slab_file('a', slab), 0, image, sizeof(image));
	for (size_t bit = 0; bit < LARAS_SLAB_HEADER_LEN * 8; bit++)
	{
		image[bit / 8] ^= (uint8_t) (1 << bit % 8);
		wrong += laras_slab_header_decode(image, &h);
		image[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	ok(wrong == 0 && laras_slab_header_decode(image, &h),
	   "no flipped bit of a slab's header is accepted");

	/* Short and long, also under a descriptor that is open already. */
	wrong = 0;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		must(truncate(slab_file('a', slab), lengths[i]) == 0);
		if (read_slot(1, slot, NULL, NULL, &err) != LARAS_SLOT_ABSENT ||
			err.code != LARAS_KEYERR_ABSENT || err.slot != slot || err.mirror != 0)
			wrong++;
		wrong += !reads_as(slot, LARAS_SLOT_ABSENT, LARAS_KEYERR_ABSENT);
		/* grown back with zeros: header whole or not, never destroyed */
		must(truncate(slab_file('a', slab), LARAS_SLAB_LEN) == 0);
		laras_mirrors_forget(&mirrors);
		wrong += read_slot(1, slot, NULL, NULL, NULL) == LARAS_SLOT_DESTROYED;
		must(laras_slab_install(mirrors.mirror[0].dirfd, slab, image, true, NULL));
		wrong += !reads_as(slot, LARAS_SLOT_LIVE, LARAS_KEYERR_NONE);
	}
	ok(wrong == 0, "a slab that was cut, or grew, is absent and never destroyed");
	ok(reads_as(slot, LARAS_SLOT_LIVE, LARAS_KEYERR_NONE), "put back, its slots open again");
	must(rename(slab_file('a', slab), path("hidden")) == 0);
	ok(reads_as(slot, LARAS_SLOT_ABSENT, LARAS_KEYERR_ABSENT), "a missing slab is absent");
	laras_mirrors_forget(&mirrors);
	ok(read_slot(3, slot, again, &repair, NULL) == LARAS_SLOT_LIVE && repair == 1 &&
		   memcmp(secret, again, 32) == 0,
	   "the other mirror answers, and the first is reported for repair");
	must(rename(path("hidden"), slab_file('a', slab)) == 0);

	/* Another slab under this name; another keyring's slab; this one, another birth. */
	peek(slab_file('a', slab + 1), 0, other, sizeof(other));
	must(laras_slab_install(mirrors.mirror[0].dirfd, slab, other, true, NULL));
	ok(reads_as(slot, LARAS_SLOT_ABSENT, LARAS_KEYERR_ABSENT), "slabs exchanged are absent");
	h = (LarasSlabHeader){.keyring_number = NUMBER, .number = slab, .epoch = 1};
	memset(h.keyring, 0x99, 16);
	must(laras_slab_build(&h, wraps.wrap[0].key, NULL, NULL, other) &&
		 laras_slab_install(mirrors.mirror[0].dirfd, slab, other, true, NULL));
	ok(reads_as(slot, LARAS_SLOT_ABSENT, LARAS_KEYERR_ABSENT),
	   "a slab of a foreign keyring is absent");
	memcpy(other, image, LARAS_SLAB_HEADER_LEN);
	must(laras_slab_install(mirrors.mirror[0].dirfd, slab, other, true, NULL));
	ok(reads_as(slot, LARAS_SLOT_DAMAGED, LARAS_KEYERR_DAMAGED),
	   "its slots under our header are damaged");
	memset(h.slab, 0, 16);
	memcpy(h.keyring, keyring.uuid, 16);
	must(laras_slab_build(&h, wraps.wrap[0].key, NULL, NULL, other) &&
		 laras_slab_install(mirrors.mirror[0].dirfd, slab, other, true, NULL));
	laras_mirrors_forget(&mirrors);
	ok(laras_mirrors_repair(&mirrors, 3, slot, &wraps, NULL, &err) == LARAS_SLOT_DAMAGED &&
		   err.code == LARAS_KEYERR_DISAGREE,
	   "slabs of two births are for a person to settle");
	must(laras_slab_install(mirrors.mirror[0].dirfd, slab, image, true, NULL));
	ok(!laras_slab_install(mirrors.mirror[0].dirfd, slab, image, false, &err) &&
		   err.code == LARAS_KEYERR_DISAGREE,
	   "a slab is never replaced unasked");

	/* A block that came back empty. */
	poke(slab_file('a', slab), 4096 + 4096, zeros, sizeof(zeros));
	laras_mirrors_forget(&mirrors);
	for (uint32_t i = 0; i < LARAS_SLOTS_PER_SLAB; i++)
	{
		LarasSlotState s = read_slot(1, slab * LARAS_SLOTS_PER_SLAB + i, NULL, NULL, NULL);

		damaged += s == LARAS_SLOT_DAMAGED;
		live += s == LARAS_SLOT_LIVE;
		buried += s == LARAS_SLOT_DESTROYED;
	}
	ok(damaged == 64 && live == 4096 - 64 && buried == 0,
	   "a blanked block damages its 64 slots and destroys none");
	for (uint32_t i = 64; i < 128; i++)
		wrong += laras_mirrors_repair(&mirrors, 3, slab * LARAS_SLOTS_PER_SLAB + i, &wraps, NULL,
									  NULL) != LARAS_SLOT_LIVE;
	ok(wrong == 0 && same_files(slab_file('a', slab), slab_file('b', slab)),
	   "they are repaired from the other mirror, which is identical then");

	/* Two slots exchanged inside one slab. */
	peek(slab_file('a', slab), 4096 + 64 * 1000, raw, 64);
	poke(slab_file('a', slab), 4096 + 64 * 1001, raw, 64);
	ok(reads_as(slot + 1, LARAS_SLOT_DAMAGED, LARAS_KEYERR_DAMAGED),
	   "a slot copied over its neighbour is damaged");
	must(laras_mirrors_repair(&mirrors, 3, slot + 1, &wraps, NULL, NULL) == LARAS_SLOT_LIVE);

	/* Nothing can be written into a slab that was cut behind the writer's back. */
	{
		LarasGrave grave;
		LarasTomb tomb = {.reason = 1, .time = 1};

		must(laras_mirrors_prepare(&mirrors, 0, slab, &grave, NULL) &&
			 truncate(slab_file('a', slab), 8192) == 0);
		ok(!laras_mirrors_bury(&mirrors, &grave, slot, &tomb, &err) &&
			   err.code == LARAS_KEYERR_ABSENT,
		   "a cut slab is not made longer by a writer");
		ok(!laras_mirrors_bury(&mirrors, &grave, slot + 40960, &tomb, &err),
		   "nor is a slot written into another slab");
		laras_mirrors_release(&grave);
	}
	must(laras_slab_install(mirrors.mirror[0].dirfd, slab, image, true, NULL));
	laras_mirrors_forget(&mirrors);
}

/* ---- destroying */

static void
test_destroying(void)
{
	const uint32_t slot = 21 * LARAS_SLOTS_PER_SLAB + 7;
	LarasTomb tomb = {.reason = LARAS_REASON_DISCONNECT, .time = 123456};
	LarasTomb later = {.reason = LARAS_REASON_REPEATED, .time = 999999};
	LarasTomb said;
	LarasGrave grave;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasSlotPlace place;
	LarasSlab slab;
	uint8_t before[64];
	uint8_t raw[64];
	uint8_t other[64];
	uint8_t fresh[32];
	bool direct;

	must(laras_slab_open(mirrors.mirror[0].dirfd, keyring.uuid, NUMBER, 21, false, &slab, NULL) &&
		 laras_slab_read(&slab, slot, before, NULL));
	place = (LarasSlotPlace){keyring.uuid, slab.slab, slot};
	memset(tomb.order, 0xC0, 16);
	must(laras_mirrors_prepare(&mirrors, 0, 21, &grave, NULL));
	ok(!laras_mirrors_verify(&mirrors, &grave, slot, &direct, &err) &&
		   err.code == LARAS_KEYERR_DAMAGED,
	   "reading back a live slot is no proof of its destruction");
	ok(laras_mirrors_bury(&mirrors, &grave, slot, &tomb, NULL) &&
		   laras_mirrors_sync(&grave, NULL) &&
		   laras_mirrors_verify(&mirrors, &grave, slot, &direct, NULL),
	   "a slot is buried, synced and read back from the medium%s",
	   direct ? "" : " (no direct reading here)");
	laras_mirrors_release(&grave);
	ok(read_slot(1, slot, NULL, NULL, NULL) == LARAS_SLOT_DESTROYED, "it reads as destroyed");
	ok(read_slot(2, slot, NULL, NULL, NULL) == LARAS_SLOT_LIVE,
	   "in the other mirror it is live still");
	ok(laras_mirrors_destroy(&mirrors, 3, slot, &tomb, NULL) == 3 &&
		   laras_mirrors_look(&mirrors, 1, slot, raw, &said, NULL) == LARAS_SLOT_DESTROYED &&
		   said.reason == LARAS_REASON_DISCONNECT && said.time == 123456 && said.order[3] == 0xC0,
	   "the order is repeated in every mirror");
	ok(laras_mirrors_destroy(&mirrors, 3, slot, &later, NULL) == 3 &&
		   laras_mirrors_look(&mirrors, 0, slot, other, NULL, NULL) == LARAS_SLOT_DESTROYED &&
		   memcmp(raw, other, 64) == 0,
	   "and changes nothing when it is repeated once more");
	ok(laras_mirrors_write(&mirrors, 3, slot, before, &err) == 0 &&
		   err.code == LARAS_KEYERR_DISAGREE &&
		   read_slot(3, slot, NULL, NULL, NULL) == LARAS_SLOT_DESTROYED,
	   "the old bytes are not written over a tomb");

	/* An old copy comes back in one mirror: the tomb wins, from either side. */
	poke(slab_file('a', 21), 4096 + 64 * 7, before, 64);
	ok(laras_mirrors_repair(&mirrors, 3, slot, &wraps, NULL, NULL) == LARAS_SLOT_DESTROYED &&
		   same_files(slab_file('a', 21), slab_file('b', 21)),
	   "a slot back from the dead in the first mirror is buried again");
	poke(slab_file('b', 21), 4096 + 64 * 7, before, 64);
	ok(laras_mirrors_repair(&mirrors, 3, slot, &wraps, NULL, NULL) == LARAS_SLOT_DESTROYED &&
		   same_files(slab_file('a', 21), slab_file('b', 21)),
	   "and in the second");

	/* An order meets damage and live slots. */
	memset(raw, 0, 64);
	poke(slab_file('a', 21), 4096 + 64 * 8, raw, 64);
	poke(slab_file('b', 21), 4096 + 64 * 8, raw, 64);
	ok(laras_mirrors_repair(&mirrors, 3, slot + 1, &wraps, NULL, NULL) == LARAS_SLOT_DAMAGED,
	   "damaged in both mirrors stays damaged");
	ok(laras_mirrors_repair(&mirrors, 3, slot + 1, &wraps, &tomb, NULL) == LARAS_SLOT_DESTROYED,
	   "until an order to destroy it is found");
	poke(slab_file('a', 21), 4096 + 64 * 9, raw, 64);
	ok(laras_mirrors_repair(&mirrors, 3, slot + 2, &wraps, &tomb, NULL) == LARAS_SLOT_DESTROYED &&
		   read_slot(2, slot + 2, NULL, NULL, NULL) == LARAS_SLOT_DESTROYED,
	   "an order is never repaired away from a live copy");

	/* Two live slots with two secrets. */
	place.id = slot + 3;
	memset(fresh, 0x12, 32);
	must(laras_slot_seal(&place, LARAS_DOMAIN_CONTENT, 1, wraps.wrap[0].key, NULL, fresh, raw));
	poke(slab_file('a', 21), 4096 + 64 * 10, raw, 64);
	ok(laras_mirrors_repair(&mirrors, 3, slot + 3, &wraps, NULL, &err) == LARAS_SLOT_DAMAGED &&
		   err.code == LARAS_KEYERR_DISAGREE,
	   "two secrets in one slot are reported, not merged");
	peek(slab_file('a', 21), 4096 + 64 * 10, other, 64);
	ok(memcmp(raw, other, 64) == 0, "and neither is overwritten");
	laras_slab_close(&slab);
	laras_mirrors_forget(&mirrors);
}

/* ---- lease */

static void
test_lease(void)
{
	LarasLease lease;
	LarasLease read_again;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	uint8_t before[LARAS_LEASE_LEN];
	uint8_t after[LARAS_LEASE_LEN];
	uint8_t torn[LARAS_LEASE_LEN];
	int dirfd = mirrors.mirror[0].dirfd;
	int wrong = 0;
	uint64_t last;

	must(laras_mirrors_read_lease(&mirrors, 3, &lease, NULL));
	ok(lease.next_position == 0 && lease.generation == 1, "a new keyring has leased nothing");
	for (uint64_t i = 1; i <= 20; i++)
	{
		lease.next_position = i * LARAS_LEASE_STEP;
		peek(path("a/%d/lease", NUMBER), 0, before, sizeof(before));
		last = lease.generation;
		if (laras_mirrors_lease(&mirrors, 3, &lease, NULL) != 3 || lease.generation != last + 1)
			wrong++;
		peek(path("a/%d/lease", NUMBER), 0, after, sizeof(after));
		wrong += !same_files(path("a/%d/lease", NUMBER), path("b/%d/lease", NUMBER));
		/* Torn at every byte: the new record or the one before it, nothing else. */
		for (size_t cut = 0; cut <= LARAS_LEASE_LEN; cut++)
		{
			memcpy(torn, after, cut);
			memcpy(torn + cut, before + cut, LARAS_LEASE_LEN - cut);
			poke(path("a/%d/lease", NUMBER), 0, torn, sizeof(torn));
			if (!laras_lease_read(dirfd, &read_again, NULL) ||
				(read_again.next_position != lease.next_position &&
				 read_again.next_position != lease.next_position - LARAS_LEASE_STEP))
				wrong++;
		}
		poke(path("a/%d/lease", NUMBER), 0, after, sizeof(after));
	}
	ok(wrong == 0, "a lease torn at any byte leaves the one before it");
	for (size_t bit = 0; bit < LARAS_LEASE_RECORD_LEN * 8; bit++)
	{
		after[bit / 8] ^= (uint8_t) (1 << bit % 8);
		wrong += laras_lease_decode(after, &read_again);
		after[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	ok(wrong == 0, "no flipped bit of a lease record is accepted");
	read_again = lease;
	read_again.next_position--;
	ok(laras_mirrors_lease(&mirrors, 3, &read_again, &err) == 0 &&
		   err.code == LARAS_KEYERR_DISAGREE && !laras_lease_write(dirfd, &read_again, &err),
	   "a lease does not go back");

	/* One mirror is behind: the larger position counts and both are the same again. */
	must(laras_mirrors_lease(&mirrors, 2, &lease, NULL) == 2);
	lease.next_position += LARAS_LEASE_STEP;
	must(laras_mirrors_lease(&mirrors, 2, &lease, NULL) == 2);
	ok(laras_mirrors_read_lease(&mirrors, 3, &read_again, NULL) &&
		   read_again.next_position == lease.next_position,
	   "of two mirrors the larger position counts");
	ok(laras_mirrors_lease(&mirrors, 3, &lease, NULL) == 3 &&
		   laras_lease_read(dirfd, &read_again, NULL) &&
		   read_again.next_position == lease.next_position,
	   "and the one behind is caught up");
	memset(torn, 0, sizeof(torn));
	poke(path("a/%d/lease", NUMBER), 0, torn, sizeof(torn));
	ok(!laras_lease_read(dirfd, &read_again, &err) && err.code == LARAS_KEYERR_DAMAGED,
	   "an empty lease is an error, not position 0");
	must(truncate(path("a/%d/lease", NUMBER), 100) == 0);
	ok(!laras_lease_read(dirfd, &read_again, &err) && err.code == LARAS_KEYERR_ABSENT,
	   "and so is a short one");
	ok(laras_mirrors_read_lease(&mirrors, 3, &read_again, NULL) &&
		   read_again.next_position == lease.next_position &&
		   laras_mirrors_lease(&mirrors, 3, &lease, NULL) == 3,
	   "the other mirror's lease is taken and written to both");
}

/* ---- journal */

#define RECORDS 20000

typedef struct Seen
{
	uint64_t records;
	uint64_t sum;
	uint64_t stop_at;
} Seen;

static bool
visit(const LarasJournalRecord *rec, void *arg)
{
	Seen *seen = arg;

	seen->records++;
	seen->sum += rec->first;
	return seen->records != seen->stop_at;
}

static LarasJournalEnd
scan(LarasJournalScan *s, Seen *seen)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;

	memset(seen, 0, sizeof(*seen));
	return laras_journal_scan(mirrors.mirror[0].dirfd, keyring.uuid, NULL, visit, NULL, seen, s,
							  &err);
}

static void
test_journal(void)
{
	LarasJournalTail tail;
	LarasJournalScan s;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	Seen seen;
	uint8_t raw[64 * 64];
	uint8_t kept[64];
	uint8_t other[64];
	uint8_t zeros[64] = {0};
	uint64_t sum = 0;
	int dirfd = mirrors.mirror[0].dirfd;
	int wrong = 0;
	int fds[2];

	ok(scan(&s, &seen) == LARAS_JOURNAL_CLEAN && s.tail.seq == 0 &&
		   memcmp(s.tail.chain, keyring.uuid, 16) == 0,
	   "an empty journal begins with the keyring");
	laras_journal_start(keyring.uuid, &tail);
	must(laras_journal_make(dirfd, 1, NULL));
	fds[0] = laras_journal_open(dirfd, 0, NULL);
	fds[1] = laras_journal_open(dirfd, 1, NULL);
	must(fds[0] >= 0 && fds[1] >= 0);
	for (uint64_t at = 0; at < RECORDS;)
	{
		uint64_t first = at + 1;
		uint32_t n = 0;

		while (n < 37 && at < RECORDS &&
			   (n == 0 || LARAS_JOURNAL_FILE_OF(at + 1) == LARAS_JOURNAL_FILE_OF(first)))
		{
			LarasJournalRecord rec = {.kind = LARAS_JOURNAL_DESTROY,
									  .reason = 1,
									  .first = 65536 + (uint32_t) at,
									  .count = 1};

			must(laras_journal_encode(&tail, &rec, raw + 64 * n));
			sum += rec.first;
			n++;
			at++;
		}
		must(laras_journal_write(fds[LARAS_JOURNAL_FILE_OF(first)], first, raw, n, NULL));
	}
	ok(!laras_journal_write(fds[0], LARAS_JOURNAL_PER_FILE, raw, 2, &err),
	   "records never run over a file's end");
	ok(scan(&s, &seen) == LARAS_JOURNAL_CLEAN && s.tail.seq == RECORDS && seen.records == RECORDS &&
		   seen.sum == sum && memcmp(s.tail.chain, tail.chain, 16) == 0 && s.files == 2,
	   "20,000 records over two files are read in order");
	{
		LarasJournalTail from;
		Seen rest = {0};

		seen.stop_at = 0;
		memset(&seen, 0, sizeof(seen));
		seen.stop_at = 17000;
		ok(laras_journal_scan(dirfd, keyring.uuid, NULL, visit, NULL, &seen, &s, &err) ==
				   LARAS_JOURNAL_STOPPED &&
			   s.tail.seq == 17000,
		   "a scan stops where it is asked to");
		from = s.tail;
		ok(laras_journal_scan(dirfd, keyring.uuid, &from, visit, NULL, &rest, &s, &err) ==
				   LARAS_JOURNAL_CLEAN &&
			   rest.records == RECORDS - 17000,
		   "and goes on from there");
	}

	/* Altered in the middle, in every bit. */
	peek(journal_file('a', 0), 64 * 9999, kept, 64);
	for (size_t bit = 0; bit < 512; bit += 7)
	{
		memcpy(other, kept, 64);
		other[bit / 8] ^= (uint8_t) (1 << bit % 8);
		poke(journal_file('a', 0), 64 * 9999, other, 64);
		wrong += scan(&s, &seen) != LARAS_JOURNAL_BROKEN || s.tail.seq != 9999 ||
				 s.beyond < RECORDS - 10000;
	}
	ok(wrong == 0, "an altered record breaks the chain at its place");
	poke(journal_file('a', 0), 64 * 9999, zeros, 64);
	ok(scan(&s, &seen) == LARAS_JOURNAL_BROKEN && s.tail.seq == 9999 && s.beyond == RECORDS - 10000,
	   "so does a missing one, and those beyond it are counted");
	peek(journal_file('a', 0), 64 * 10000, other, 64);
	poke(journal_file('a', 0), 64 * 9999, other, 64);
	poke(journal_file('a', 0), 64 * 10000, kept, 64);
	ok(scan(&s, &seen) == LARAS_JOURNAL_BROKEN && s.tail.seq == 9999, "and two exchanged");
	poke(journal_file('a', 0), 64 * 9999, kept, 64);
	poke(journal_file('a', 0), 64 * 10000, other, 64);
	ok(scan(&s, &seen) == LARAS_JOURNAL_CLEAN, "put back, it is whole");

	/* At the end. */
	peek(journal_file('a', 1), 64 * (RECORDS - 1 - 16384), kept, 64);
	memcpy(other, kept, 64);
	other[20] ^= 1;
	poke(journal_file('a', 1), 64 * (RECORDS - 1 - 16384), other, 64);
	ok(scan(&s, &seen) == LARAS_JOURNAL_TORN && s.tail.seq == RECORDS - 1,
	   "an altered last record is torn, not gone");
	for (size_t cut = 1; cut < 64; cut++)
	{
		memset(other, 0, 64);
		memcpy(other, kept, cut);
		poke(journal_file('a', 1), 64 * (RECORDS - 1 - 16384), other, 64);
		wrong += scan(&s, &seen) != LARAS_JOURNAL_TORN || s.tail.seq != RECORDS - 1;
	}
	ok(wrong == 0, "and so is one that was cut at any byte");
	poke(journal_file('a', 1), 64 * (RECORDS - 1 - 16384), kept, 64);

	/* Another keyring's journal. */
	{
		static const uint8_t foreign[16] = {1};

		ok(laras_journal_scan(dirfd, foreign, NULL, visit, NULL, &seen, &s, &err) ==
				   LARAS_JOURNAL_BROKEN &&
			   s.tail.seq == 0,
		   "a journal of another keyring does not chain");
	}
	close(fds[0]);
	close(fds[1]);
	must(laras_journal_make(dirfd, 2, NULL) && rename(journal_file('a', 1), path("journal")) == 0);
	ok(scan(&s, &seen) == LARAS_JOURNAL_FAILED,
	   "a file missing between others is an error, not the end");
	must(rename(path("journal"), journal_file('a', 1)) == 0 &&
		 truncate(journal_file('a', 0), 4096) == 0);
	ok(scan(&s, &seen) == LARAS_JOURNAL_FAILED, "and so is a short one");
	fds[0] = laras_journal_open(dirfd, 0, &err);
	ok(fds[0] < 0 && err.code == LARAS_KEYERR_ABSENT, "which is not appended to either");
}

/* ---- directories, keyring file, lock */

static void
test_directories(void)
{
	uint8_t file[LARAS_KEYRING_LEN];
	LarasKeyring k;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	char a[1024];
	char number[1024];
	int wrong = 0;
	int fd;
	int other;

	snprintf(a, sizeof(a), "%s", path("b"));
	snprintf(number, sizeof(number), "%s", path("b/%d", NUMBER));
	for (int mode = 01; mode <= 077; mode++)
	{
		must(chmod(a, 0700 | (mode_t) mode) == 0);
		wrong += laras_directory_check(a, &err) || err.code != LARAS_KEYERR_UNSAFE;
		must(chmod(a, 0700) == 0 && chmod(number, 0700 | (mode_t) mode) == 0);
		wrong += laras_keyring_directory(a, NUMBER, &err) >= 0 || err.code != LARAS_KEYERR_UNSAFE;
		must(chmod(number, 0700) == 0);
	}
	ok(wrong == 0, "a directory with any right for group or others is refused");
	must(chmod(path("b/%d/keyring", NUMBER), 0640) == 0);
	ok(laras_keyring_directory(a, NUMBER, &err) < 0 && err.code == LARAS_KEYERR_UNSAFE,
	   "and a keyring file with one");
	must(chmod(path("b/%d/keyring", NUMBER), 0600) == 0);
	must(symlink(a, path("link")) == 0);
	ok(!laras_directory_check(path("link"), &err) && err.code == LARAS_KEYERR_UNSAFE,
	   "a symbolic link is refused");
	ok(!laras_directory_check(path("nowhere"), &err) && err.code == LARAS_KEYERR_ABSENT,
	   "a missing one is absent");
	ok(!laras_directory_check(path("b/%d/keyring", NUMBER), &err) &&
		   err.code == LARAS_KEYERR_UNSAFE,
	   "a file is no directory");
	ok(laras_keyring_directory(a, NUMBER + 1, &err) < 0 && err.code == LARAS_KEYERR_ABSENT,
	   "another number is absent");
	if (geteuid() == 0)
	{
		must(chown(a, 12345, 0) == 0);
		ok(!laras_directory_check(a, &err) && err.code == LARAS_KEYERR_UNSAFE,
		   "another user's is refused");
		must(chown(a, 0, 0) == 0);
	}

	ok(laras_path_is_inside(a, root) && laras_path_is_inside(path("b/not/yet/made"), a) &&
		   laras_path_is_inside(a, a) && laras_path_is_inside(path("link/x"), a),
	   "inside, also through a link and before it is made");
	ok(!laras_path_is_inside(root, a) && !laras_path_is_inside(path("bb"), a) &&
		   !laras_path_is_inside(path("a"), a) && !laras_path_is_inside(path("b/../a"), a),
	   "and outside");

	peek(path("b/%d/keyring", NUMBER), 0, file, sizeof(file));
	for (size_t bit = 0; bit < sizeof(file) * 8; bit++)
	{
		file[bit / 8] ^= (uint8_t) (1 << bit % 8);
		wrong += laras_keyring_decode(file, &k);
		file[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	ok(wrong == 0 && laras_keyring_decode(file, &k),
	   "no flipped bit of a keyring file is accepted");
	fd = laras_keyring_directory(a, NUMBER, &err);
	must(fd >= 0);
	k.adoptions = 77;
	ok(laras_keyring_replace(fd, &k, NULL) && laras_keyring_read(fd, &k, NULL) && k.adoptions == 77,
	   "a keyring file is replaced");
	poke(path("b/%d/keyring", NUMBER), 40, "x", 1);
	ok(!laras_keyring_read(fd, &k, &err) && err.code == LARAS_KEYERR_DAMAGED,
	   "a damaged one is told");
	must(laras_keyring_replace(fd, &keyring, NULL));

	other = laras_keyring_directory(a, NUMBER, &err);
	must(other >= 0);
	ok(laras_keyring_lock(fd, &err), "the keyring is locked");
	ok(!laras_keyring_lock(other, &err) && err.code == LARAS_KEYERR_FOREIGN_OWNER, "once");
	close(fd);
	ok(laras_keyring_lock(other, &err), "and free when its holder is gone");
	close(other);

	/* An empty mirror is filled; one that has a keyring is not touched. */
	must(mkdir(path("c"), 0700) == 0);
	fd = laras_keyring_directory(a, NUMBER, &err);
	ok(laras_keyring_copy(fd, path("c"), NUMBER, &err) &&
		   same_files(slab_file('b', 47), slab_file('c', 47)) &&
		   same_files(path("b/%d/keyring", NUMBER), path("c/%d/keyring", NUMBER)) &&
		   same_files(path("b/%d/lease", NUMBER), path("c/%d/lease", NUMBER)) &&
		   same_files(journal_file('b', 0), journal_file('c', 0)),
	   "an empty mirror is filled");
	ok(!laras_keyring_copy(fd, path("c"), NUMBER, &err) && err.code == LARAS_KEYERR_DISAGREE,
	   "but never a second time");
	close(fd);
}

static void
test_settings(void)
{
	static const char *const bad[] = {"",
									  "a",
									  "a=",
									  "=/x",
									  "a=x",
									  "a=/",
									  "a=/x,",
									  "a=/x,a=/y",
									  "a=/x,b=/x",
									  "a b=/x",
									  "a=/x,b=/y,c=/z,d=/v,e=/w",
									  "a=/x,b=/x/",
									  ",a=/x"};
	LarasMirrors m;
	int accepted = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		accepted += laras_mirrors_parse(bad[i], &m, NULL);
	ok(accepted == 0, "a list of directories that names too little, too much or one twice");
}

/* ---- master keys */

#define DIGITS "0101010101010101010101010101010101010101010101010101010101010101"

static bool
never(void *arg)
{
	return false;
}

static bool
always(void *arg)
{
	return true;
}

/* A child writes text in pieces, waiting between them; then it may hang on. */
static LarasKeyErrorCode
read_command(const char *text, int pause_ms, bool hang, int timeout_ms, bool (*wake)(void *))
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMasterKeys keys;
	int fds[2];
	pid_t pid = -1;
	bool good;

	fflush(stdout);
	must(pipe(fds) == 0 && (pid = fork()) >= 0);
	if (pid == 0)
	{
		close(fds[0]);
		for (const char *p = text; *p != '\0'; p++)
		{
			if (write(fds[1], p, 1) != 1)
				_exit(1);
			if (pause_ms > 0)
				usleep((useconds_t) pause_ms *
					   1000); /* lint allows usleep: the slow command itself */
		}
		if (hang)
			pause();
		_exit(0);
	}
	close(fds[1]);
	good = laras_masterkey_read_fd(fds[0], timeout_ms, wake, NULL, &keys, &err);
	close(fds[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (good &&
		(keys.n != 1 || keys.master[0].epoch != 1 || memcmp(keys.master[0].key, master, 32) != 0))
		return LARAS_KEYERR_CRYPTO;
	return good ? LARAS_KEYERR_NONE : err.code;
}

static void
test_master_keys(void)
{
	static const char *const bad[] = {
		"",
		"\n",
		DIGITS,
		"1" DIGITS,
		"1  " DIGITS,
		"0 " DIGITS,
		"01 " DIGITS,
		"65536 " DIGITS,
		"99999999999999999999 " DIGITS,
		"-1 " DIGITS,
		"1 " DIGITS " ",
		"1 " DIGITS "\r\n",
		"1 " DIGITS "00",
		"1 01" DIGITS,
		"1 " DIGITS "\n\n",
		"2 " DIGITS "\n1 " DIGITS "\n",
		"1 " DIGITS "\n1 " DIGITS "\n",
		"1 g101010101010101010101010101010101010101010101010101010101010101",
		"# key\n1 " DIGITS,
		"1 0101",
		"1\t" DIGITS};
	static const mode_t refused[] = {0440, 0404, 0644, 0666, 0620, 0602, 0700, 0500, 0000, 04400};
	LarasMasterKeys keys;
	LarasKeyring k = keyring;
	LarasKeyError err = LARAS_KEYERROR_INIT;
	char name[1024];
	int accepted = 0;
	int wrong = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		accepted += laras_masterkey_parse(bad[i], strlen(bad[i]), &keys, &err) ||
					err.code != LARAS_KEYERR_MASTER_KEY;
	ok(accepted == 0, "%zu texts that are not quite master keys are refused",
	   sizeof(bad) / sizeof(bad[0]));
	ok(laras_masterkey_parse("1 " DIGITS "\n20 " DIGITS, 2 * 64 + 6, &keys, &err) && keys.n == 2 &&
		   keys.master[1].epoch == 20 && laras_masterkey_find(&keys, 20) != NULL &&
		   laras_masterkey_find(&keys, 2) == NULL,
	   "two epochs are read");

	snprintf(name, sizeof(name), "%s", path("master"));
	{
		int fd = open(name, O_CREAT | O_WRONLY, 0600);

		must(fd >= 0 && laras_pwrite_all(fd, "1 " DIGITS "\n", 67, 0));
		close(fd);
	}
	must(chmod(name, 0400) == 0);
	ok(laras_masterkey_read_file(name, &keys, &err) && keys.n == 1 &&
		   memcmp(keys.master[0].key, master, 32) == 0,
	   "a key file is read");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		must(chmod(name, refused[i]) == 0);
		wrong += laras_masterkey_read_file(name, &keys, &err) || err.code != LARAS_KEYERR_UNSAFE;
	}
	ok(wrong == 0, "one with other rights is unsafe");
	must(chmod(name, 0400) == 0);
	ok(!laras_masterkey_read_file(path("nothing"), &keys, &err) && err.code == LARAS_KEYERR_UNSAFE,
	   "a missing one too");
	ok(!laras_masterkey_read_file(root, &keys, &err) && err.code == LARAS_KEYERR_UNSAFE,
	   "and a directory");
	ok(!laras_masterkey_read_file("/dev/zero", &keys, &err) && err.code == LARAS_KEYERR_UNSAFE,
	   "and a device");

	must(laras_masterkey_read_file(name, &keys, &err));
	ok(laras_masterkey_check(&keys, &k, false, &err), "the right key fits the keyring");
	ok(!laras_masterkey_check(&keys, &k, true, &err), "rotation wants the next one beside it");
	keys.master[keys.n++] = (LarasMaster){.epoch = 2, .key = {9}};
	ok(laras_masterkey_check(&keys, &k, true, &err) &&
		   laras_masterkey_check(&keys, &k, false, &err),
	   "which may lie there before");
	keys.master[keys.n++] = (LarasMaster){.epoch = 3, .key = {9}};
	ok(!laras_masterkey_check(&keys, &k, false, &err) && err.code == LARAS_KEYERR_MASTER_KEY,
	   "any other is surplus");
	keys.n = 1;
	keys.master[0].key[31] ^= 1;
	ok(!laras_masterkey_check(&keys, &k, false, &err) && err.code == LARAS_KEYERR_MASTER_KEY,
	   "a wrong key is told by one bit");
	keys.master[0].epoch = 2;
	ok(!laras_masterkey_check(&keys, &k, false, &err) && err.code == LARAS_KEYERR_MASTER_KEY,
	   "and a missing one");

	ok(read_command("1 " DIGITS "\n", 0, false, 5000, never) == LARAS_KEYERR_NONE,
	   "a command's output is read");
	ok(read_command("1 " DIGITS "\n", 2, false, 5000, NULL) == LARAS_KEYERR_NONE,
	   "when it comes byte by byte too");
	ok(read_command("", 0, false, 5000, never) == LARAS_KEYERR_MASTER_KEY, "no output is no key");
	ok(read_command("1 " DIGITS "\n", 0, true, 300, never) == LARAS_KEYERR_COMMAND,
	   "a command that does not end is cut off");
	ok(read_command("", 0, true, 5000, always) == LARAS_KEYERR_COMMAND,
	   "and one that somebody waits for no longer");
	{
		char flood[LARAS_MASTER_TEXT + 64];

		memset(flood, '1', sizeof(flood));
		flood[sizeof(flood) - 1] = '\0';
		ok(read_command(flood, 0, true, 5000, never) == LARAS_KEYERR_MASTER_KEY,
		   "nor is one read that does not stop talking");
	}
}

/* ---- a pile of bytes for laras-keytool scan; the Perl test reads what it finds */

static void
seal_at(uint8_t *at, uint32_t w, uint32_t s, const char *text, size_t *len)
{
	LarasSealedHeader h = {.field = LARAS_FIELD_message_body, .keyring = NUMBER, .w = w, .s = s};
	uint8_t secret_w[32];
	uint8_t secret_s[32];
	uint8_t prk[32];
	uint8_t key[32];

	must(read_slot(1, w, secret_w, NULL, NULL) == LARAS_SLOT_LIVE &&
		 read_slot(1, s, secret_s, NULL, NULL) == LARAS_SLOT_LIVE &&
		 laras_derive_prk(secret_w, secret_s, prk) &&
		 laras_derive_seal(prk, keyring.uuid, w, s, key) &&
		 laras_sealed_seal(key, &h, 7, 4242, text, strlen(text), NULL, at));
	*len = laras_sealed_size(LARAS_SUITE_VALUE, strlen(text));
}

static void
write_file(const char *name, const void *p, size_t n)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);

	must(fd >= 0 && laras_pwrite_all(fd, p, n, 0));
	close(fd);
}

/*
 * At 1001 a value, at 3003 one whose subject dies, at 5005 one cut short, at
 * 7007 one with a foreign keyring number; "wal" has one that runs over a page.
 */
static void
write_pile(void)
{
	const uint32_t w = 16 * LARAS_SLOTS_PER_SLAB + 5;
	const uint32_t s = 22 * LARAS_SLOTS_PER_SLAB + 9;
	const uint32_t dies = 22 * LARAS_SLOTS_PER_SLAB + 10;
	static uint8_t pile[65536];
	static uint8_t wal[3 * 8192];
	static const uint8_t page[4] = {0x10, 0xd1, 0x00, 0x00};
	static const uint8_t first_page[4] = {0x10, 0xd1, 0x02, 0x00};
	static const char places[] = "9 1\n7 4242 17\n\n7 4243\n";
	uint8_t value[1024];
	char text[301];
	size_t n;
	LarasTomb tomb = {.reason = LARAS_REASON_ERASURE, .time = 1};

	must(laras_random_bytes(pile, sizeof(pile)));
	seal_at(pile + 1001, w, s, "apa kabar", &n);
	seal_at(pile + 3003, w, dies, "goodbye", &n);
	memset(text, 'x', 300);
	text[300] = '\0';
	seal_at(value, w, s, text, &n);
	memcpy(pile + 5005, value, n / 2);
	seal_at(pile + 7007, w, s, "elsewhere", &n);
	laras_put16(pile + 7007 + 4, NUMBER + 1);
	must(laras_mirrors_destroy(&mirrors, 3, dies, &tomb, NULL) == 3);
	write_file(path("pile"), pile, sizeof(pile));

	memcpy(wal, first_page, 4);
	memcpy(wal + 8192, page, 4);
	memcpy(wal + 16384, page, 4);
	seal_at(value, w, s, "over the edge", &n);
	memcpy(wal + 8192 - 50, value, 50);
	memcpy(wal + 8192 + 24, value + 50, n - 50);
	write_file(path("wal"), wal, sizeof(wal));
	write_file(path("places"), places, sizeof(places) - 1);
	seal_at(value, w, s, "one value", &n);
	write_file(path("value"), value, n);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 1;
	snprintf(root, sizeof(root), "%s", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_settings();
	test_making();
	test_clear_bytes();
	test_slabs();
	test_destroying();
	test_lease();
	test_journal();
	write_pile();
	laras_mirrors_close(&mirrors);
	test_directories();
	test_master_keys();
	return tap_done();
}
