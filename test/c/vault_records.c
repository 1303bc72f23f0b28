/*
 * vault_records.c
 *		Faults around the slabs of a keyring: torn leases; journals altered, cut,
 *		with holes; unsafe directories and key files; commands that do not answer.
 *		Run by test/t/021_vault_files.pl with an empty directory.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "keyring_fixture.h"

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
	int misread = 0;
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
	for (size_t bit = 0; bit < 512; bit++)
	{
		/* whose chain alone was hit is what was written: the next one says so */
		uint64_t slot_of_it = 65536 + 9999;
		uint64_t lost = bit / 8 < 48 ? slot_of_it : 0;

		memcpy(other, kept, 64);
		other[bit / 8] ^= (uint8_t) (1 << bit % 8);
		poke(journal_file('a', 0), 64 * 9999, other, 64);
		memset(&seen, 0, sizeof(seen));
		wrong += laras_journal_scan(dirfd, keyring.uuid, NULL, visit, visit, &seen, &s, &err) !=
					 LARAS_JOURNAL_BROKEN ||
				 s.tail.seq != 9999;
		misread += seen.sum != sum - lost || s.beyond != RECORDS - 9999 - (lost > 0);
	}
	ok(wrong == 0, "an altered record breaks the chain at its place");
	ok(misread == 0,
	   "is no order any more where its slots may be other ones, and hides none after it");
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
	other[0] = 1;
	poke(journal_file('a', 1), 64 * (RECORDS + 20 - 16384), other, 64);
	ok(laras_journal_clear(dirfd, RECORDS - 1, NULL) && scan(&s, &seen) == LARAS_JOURNAL_CLEAN &&
		   s.tail.seq == RECORDS - 1,
	   "what stands behind the end is cleared");
	poke(journal_file('a', 1), 64 * (RECORDS - 1 - 16384), kept, 64);
	ok(scan(&s, &seen) == LARAS_JOURNAL_CLEAN && s.tail.seq == RECORDS, "and written again");

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
	ok(laras_keyring_copy(fd, path("c"), NUMBER, NULL, &err) &&
		   same_files(slab_file('b', 31), slab_file('c', 31)) &&
		   same_files(path("b/%d/keyring", NUMBER), path("c/%d/keyring", NUMBER)) &&
		   same_files(path("b/%d/lease", NUMBER), path("c/%d/lease", NUMBER)) &&
		   same_files(journal_file('b', 0), journal_file('c', 0)),
	   "an empty mirror is filled");
	ok(!laras_keyring_copy(fd, path("c"), NUMBER, NULL, &err) && err.code == LARAS_KEYERR_DISAGREE,
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
				poll(NULL, 0, pause_ms);
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

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 1;
	snprintf(root, sizeof(root), "%s", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_directories();
	must(make_keyring(NULL) && open_keyring());
	test_settings();
	test_lease();
	test_journal();
	laras_mirrors_close(&mirrors);
	test_directories();
	test_master_keys();
	return tap_done();
}
