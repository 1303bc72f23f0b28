/*
 * vault_files.c
 *		Faults in the slabs of a keyring: missing, short, foreign, exchanged,
 *		blanked; slots destroyed, repaired and back from the dead; and a pile of
 *		bytes for laras-keytool.
 *		Run by test/t/021_vault_files.pl with an empty directory.
 */
#include "keyring_fixture.h"
#include "vault/bytes.h"
#include "vault/derive.h"
#include "vault/numbers.h"
#include "vault/sealedbytes.h"

/* ---- making and opening */

static void
test_making(void)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	bool same = true;
	int dirfd;

	make_directories();
	/* What a crash in the middle leaves behind. */
	must(mkdir(path("a/%d.new", NUMBER), 0700) == 0);
	must(close(open(path("a/%d.new/slab-00000000", NUMBER), O_CREAT | O_WRONLY, 0600)) == 0);
	ok(make_keyring(&err), "a keyring is made over what a crash left");
	ok(!laras_file_exists(AT_FDCWD, path("a/%d.new", NUMBER)), "and nothing of that remains");
	ok(!make_keyring(&err) && err.code == LARAS_KEYERR_DISAGREE,
	   "it is never made over an existing one");
	ok(open_keyring() && mirrors.n == 2 && strcmp(mirrors.mirror[1].name, "second") == 0 &&
		   strcmp(mirrors.mirror[1].path, path("b")) == 0,
	   "both mirrors open");
	ok(keyring.owner_system == 42 && keyring.owner_database == 5 && keyring.current_epoch == 1 &&
		   keyring.oldest_epoch == 1,
	   "the keyring names its owner and its epoch");
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
	pile[1] = 0; /* not by chance the mark of a WAL page */
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
	test_making();
	test_clear_bytes();
	test_slabs();
	test_destroying();
	write_pile();
	return tap_done();
}
