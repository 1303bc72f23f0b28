/*
 * keytool.c
 *		laras-keytool: look into a keyring without a server.
 *
 *		laras-keytool init --key FILE --mirror DIR [--mirror DIR ...]
 *							[--number N] [--slabs N] [--system ID] [--database OID]
 *		laras-keytool verify --keyring DIR/NUMBER [--key FILE]
 *		laras-keytool open --keyring DIR/NUMBER --key FILE --workspace ID --row ID
 *							[--field N] VALUE
 *		laras-keytool scan --keyring DIR/NUMBER --key FILE [--places FILE] FILE...
 *		laras-keytool box PUBLIC_KEY < TOKEN
 *		laras-keytool vectors
 *
 * The server makes its keyring itself; init is for tests and for moving in.  A
 * VALUE is "sealed:" with base64, or hexadecimal digits.  PUBLIC_KEY is what
 * laras.public_key() returns, in hexadecimal digits; box needs no keyring.  A places file has
 * lines "workspace row [field]".  verify with the keys of some epochs verifies
 * what they open, and names the epochs and slabs that they do not.  verify and scan print one line a finding, so
 * that scripts may read them; exit status 0 says that nothing was wrong (open:
 * that it opened), 1 that something was, 2 that the question could not be asked.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/fault.h"
#include "base/hex.h"
#include "vault/journal.h"
#include "vault/keyscan.h"
#include "vault/masterkey.h"
#include "vault/sealedbytes.h"
#include "vault/vectors.h"

#define EXIT_ASKED_WRONG 2

#ifdef LARAS_FAULTS
/* The files are shared with the library that has fault points; here are none. */
bool
laras_fault_fails(const char *name, int fd)
{
	return false;
}
#endif

static const char usage[] =
	"usage: laras-keytool init --key FILE --mirror DIR [--mirror DIR ...]\n"
	"                          [--number N] [--slabs N] [--system ID] [--database OID]\n"
	"       laras-keytool verify --keyring DIR/NUMBER [--key FILE]\n"
	"       laras-keytool open --keyring DIR/NUMBER --key FILE --workspace ID --row ID\n"
	"                          [--field N] VALUE\n"
	"       laras-keytool scan --keyring DIR/NUMBER --key FILE [--places FILE] FILE...\n"
	"       laras-keytool box PUBLIC_KEY < TOKEN\n"
	"       laras-keytool vectors\n";

typedef struct Options
{
	const char *key;
	const char *keyring;
	const char *places;
	const char *mirrors[LARAS_MAX_MIRRORS];
	int nmirrors;
	uint64_t number;
	uint64_t slabs;
	uint64_t system;
	uint64_t database;
	int64_t workspace;
	int64_t row;
	uint64_t field;
	char **args;
	int nargs;
} Options;

static int
complain(const char *what, const LarasKeyError *err)
{
	fprintf(stderr, "laras-keytool: %s", what);
	if (err != NULL && err->code != LARAS_KEYERR_NONE)
	{
		fprintf(stderr, ": %s (LRK%02d", err->what != NULL ? err->what : "error", (int) err->code);
		if (err->sys_errno != 0)
			fprintf(stderr, ", %s", strerror(err->sys_errno));
		if (err->line != 0)
			fprintf(stderr, ", line %u", (unsigned int) err->line);
		if (err->epoch != 0)
			fprintf(stderr, ", epoch %u", (unsigned int) err->epoch);
		if (err->slot != LARAS_KEYERR_NO_SLOT_ID)
			fprintf(stderr, ", slot %u", (unsigned int) err->slot);
		fputc(')', stderr);
	}
	fputc('\n', stderr);
	return EXIT_ASKED_WRONG;
}

static bool
read_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	if (!isdigit((unsigned char) text[0]))
		return false;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' && *out <= max;
}

static bool
read_id(const char *text, int64_t *out)
{
	uint64_t v;

	if (!read_number(text, INT64_MAX, &v))
		return false;
	*out = (int64_t) v;
	return true;
}

static bool
parse_options(int argc, char **argv, Options *o)
{
	static const struct option longs[] = {
		{"key", required_argument, NULL, 'k'},       {"keyring", required_argument, NULL, 'r'},
		{"places", required_argument, NULL, 'p'},    {"mirror", required_argument, NULL, 'm'},
		{"number", required_argument, NULL, 'n'},    {"slabs", required_argument, NULL, 's'},
		{"system", required_argument, NULL, 'y'},    {"database", required_argument, NULL, 'd'},
		{"workspace", required_argument, NULL, 'w'}, {"row", required_argument, NULL, 'o'},
		{"field", required_argument, NULL, 'f'},     {NULL, 0, NULL, 0}};
	int c;

	memset(o, 0, sizeof(*o));
	o->slabs = 64;
	o->workspace = -1;
	o->row = -1;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
	{
		bool ok = true;

		switch (c)
		{
			case 'k':
				o->key = optarg;
				break;
			case 'r':
				o->keyring = optarg;
				break;
			case 'p':
				o->places = optarg;
				break;
			case 'm':
				ok = o->nmirrors < LARAS_MAX_MIRRORS;
				if (ok)
					o->mirrors[o->nmirrors++] = optarg;
				break;
			case 'n':
				ok = read_number(optarg, UINT16_MAX, &o->number);
				break;
			case 's':
				ok = read_number(optarg, 1 << 16, &o->slabs);
				break;
			case 'y':
				ok = read_number(optarg, UINT64_MAX, &o->system);
				break;
			case 'd':
				ok = read_number(optarg, UINT32_MAX, &o->database);
				break;
			case 'w':
				ok = read_id(optarg, &o->workspace);
				break;
			case 'o':
				ok = read_id(optarg, &o->row);
				break;
			case 'f':
				ok = read_number(optarg, UINT16_MAX, &o->field);
				break;
			default:
				ok = false;
		}
		if (!ok)
			return false;
	}
	o->args = argv + optind;
	o->nargs = argc - optind;
	return true;
}

/* Open the one keyring directory named "<path>/<number>", read only. */
static bool
open_keyring(const char *directory, LarasKeyholder *holder, LarasKeyError *err)
{
	LarasMirror *mirror = &holder->mirrors.mirror[0];
	char setting[LARAS_MIRROR_PATH + 16];
	char real[PATH_MAX];
	char *slash;
	uint64_t number;
	LarasMirrorMask opened;

	if (realpath(directory, real) == NULL)
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, errno, "keyring directory");
	slash = strrchr(real, '/');
	if (slash == NULL || slash == real || !read_number(slash + 1, UINT16_MAX, &number))
		return laras_keyerror(
			err, LARAS_KEYERR_UNSAFE, 0,
			"a keyring is named by its number: give the directory 0, 1, ... inside the mirror");
	*slash = '\0';
	if ((size_t) snprintf(setting, sizeof(setting), "here=%s", real) >= sizeof(setting) ||
		strchr(real, ',') != NULL)
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "keyring directory");
	if (!laras_mirrors_parse(setting, &holder->mirrors, err) ||
		!laras_mirrors_open(&holder->mirrors, (uint16_t) number, &holder->keyring, &opened, err))
		return false;
	return mirror->dirfd >= 0;
}

/* The epochs of the keyring that the key file lacks, lowest first. */
typedef struct Missing
{
	uint16_t epoch[LARAS_MAX_WRAPS];
	int n;
} Missing;

/* Do the keys that are there fit? Those that are not are listed. */
static bool
check_given(const LarasMasterKeys *keys, const LarasKeyring *keyring, Missing *missing,
			LarasKeyError *err)
{
	for (uint32_t e = keyring->oldest_epoch; e <= keyring->current_epoch; e++)
		if (laras_masterkey_find(keys, (uint16_t) e) == NULL && missing->n < LARAS_MAX_WRAPS)
			missing->epoch[missing->n++] = (uint16_t) e;
	if (missing->n > keyring->current_epoch - keyring->oldest_epoch)
		return laras_masterkey_check(keys, keyring, false, err);
	return laras_masterkey_fits(keys, keyring, err);
}

/*
 * Add what the master key gives: wrapping keys of both domains, courier seed.
 * missing, if not NULL: keys of some epochs may be, and are listed there.
 */
static bool
unlock_keyring(const char *key_file, LarasKeyholder *holder, Missing *missing, LarasKeyError *err)
{
	LarasMasterKeys keys;
	LarasWrapSet courier;
	LarasMirrorMask repair;
	bool ok;

	if (!laras_masterkey_read_file(key_file, &keys, err))
		return false;
	ok = missing == NULL ? laras_masterkey_check(&keys, &holder->keyring, false, err)
						 : check_given(&keys, &holder->keyring, missing, err);
	if (ok &&
		!(laras_masterkey_wraps(&keys, &holder->keyring, LARAS_DOMAIN_CONTENT, &holder->wraps) &&
		  laras_masterkey_wraps(&keys, &holder->keyring, LARAS_DOMAIN_COURIER, &courier)))
		ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	laras_masterkey_wipe(&keys);
	if (!ok)
		return false;
	holder->has_courier =
		laras_mirrors_read(&holder->mirrors, 1, LARAS_SLOT_COURIER, &courier, LARAS_DOMAIN_COURIER,
						   holder->courier_seed, &repair, NULL) == LARAS_SLOT_LIVE;
	for (int i = 0; i < courier.n && holder->wraps.n < LARAS_MAX_WRAPS; i++)
		holder->wraps.wrap[holder->wraps.n++] = courier.wrap[i];
	laras_wipe(&courier, sizeof(courier));
	return true;
}

static int
run_init(const Options *o)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasMasterKeys keys;
	LarasKeyring made;
	struct timespec now;
	LarasKeyringPlan plan = {.number = (uint16_t) o->number,
							 .owner_system = o->system,
							 .owner_database = (uint32_t) o->database,
							 .slabs = (uint32_t) o->slabs};
	bool ok;

	if (o->key == NULL || o->nmirrors == 0 || o->nargs != 0)
		return complain("init needs --key and --mirror", NULL);
	if (!laras_masterkey_read_file(o->key, &keys, &err))
		return complain("master key", &err);
	clock_gettime(CLOCK_REALTIME, &now);
	plan.now = (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
	plan.epoch = keys.master[0].epoch;
	plan.master = keys.master[0].key;
	ok = laras_keyring_create(o->mirrors, o->nmirrors, &plan, &made, &err);
	laras_masterkey_wipe(&keys);
	if (!ok)
		return complain("making the keyring", &err);
	printf("keyring %u epoch %u slabs %u mirrors %d\n", made.number, made.current_epoch,
		   (unsigned int) plan.slabs, o->nmirrors);
	return 0;
}

typedef struct Counts
{
	uint64_t state[LARAS_SLOT_DESTROYED + 1];
	uint64_t unused; /* live or wrapped, above the lease */
	uint64_t slabs;
	uint64_t bad_slabs;
} Counts;

/* Count the states of one slab; LIVE needs keys, WRAPPED is what is said without that of its epoch. */
static void
count_slab(LarasKeyholder *holder, uint32_t number, uint64_t leased, bool keyed, uint8_t *buf,
		   Counts *counts)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasSlab slab;
	bool opened;
	uint32_t unverified = 0;

	counts->slabs++;
	opened = laras_slab_open(holder->mirrors.mirror[0].dirfd, holder->keyring.uuid,
							 holder->keyring.number, number, false, &slab, &err);
	if (!opened || !laras_slab_read_all(&slab, buf, &err))
	{
		printf("slab %08x absent: %s\n", (unsigned int) number, err.what);
		counts->bad_slabs++;
		counts->state[LARAS_SLOT_ABSENT] += LARAS_SLOTS_PER_SLAB;
		if (opened)
			laras_slab_close(&slab);
		return;
	}
	for (uint32_t i = 0; i < LARAS_SLOTS_PER_SLAB; i++)
	{
		uint32_t id = number * LARAS_SLOTS_PER_SLAB + i;
		LarasSlotPlace place = {holder->keyring.uuid, slab.slab, id};
		LarasSlotState state = laras_slot_open(&place, buf + (size_t) i * LARAS_SLOT_LEN,
											   keyed ? &holder->wraps : NULL, 0, NULL);
		uint64_t position;

		counts->state[state]++;
		unverified += keyed && state == LARAS_SLOT_WRAPPED;
		if (state == LARAS_SLOT_DAMAGED)
			printf("slot %u damaged\n", (unsigned int) id);
		else if (state != LARAS_SLOT_DESTROYED &&
				 laras_slot_position(holder->keyring.uuid, id, &position) && position >= leased)
			counts->unused++;
	}
	if (unverified > 0)
		printf("slab %08x not verified: %u keys\n", (unsigned int) number,
			   (unsigned int) unverified);
	laras_slab_close(&slab);
}

static const char *
journal_text(LarasJournalEnd end)
{
	return end == LARAS_JOURNAL_CLEAN    ? "clean"
		   : end == LARAS_JOURNAL_TORN   ? "torn"
		   : end == LARAS_JOURNAL_BROKEN ? "broken"
										 : "unreadable";
}

static int
run_verify(const Options *o)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasKeyholder holder = {0};
	LarasLease lease = {0};
	LarasJournalScan scan;
	LarasJournalEnd end;
	Counts counts = {{0}, 0, 0, 0};
	Missing missing = {{0}, 0};
	uint8_t *buf;
	uint32_t slabs;
	bool bad = false;

	if (o->keyring == NULL || o->nargs != 0)
		return complain("verify needs --keyring", NULL);
	if (!open_keyring(o->keyring, &holder, &err))
		return complain("keyring", &err);
	if (o->key != NULL && !unlock_keyring(o->key, &holder, &missing, &err))
		return complain("master key", &err);
	printf("keyring number %u epochs %u-%u adoptions %" PRIu64 " system %" PRIu64 " database %u\n",
		   holder.keyring.number, holder.keyring.oldest_epoch, holder.keyring.current_epoch,
		   holder.keyring.adoptions, holder.keyring.owner_system,
		   (unsigned int) holder.keyring.owner_database);
	for (int i = 0; i < missing.n; i++)
		printf("epoch %u missing: its master key is not given, its keys are not verified\n",
			   missing.epoch[i]);
	bad = missing.n > 0;
	if (laras_lease_read(holder.mirrors.mirror[0].dirfd, &lease, &err))
		printf("lease generation %" PRIu64 " next %" PRIu64 "\n", lease.generation,
			   lease.next_position);
	else
	{
		printf("lease bad: %s\n", err.what);
		bad = true;
	}
	end = laras_journal_scan(holder.mirrors.mirror[0].dirfd, holder.keyring.uuid, NULL, NULL, NULL,
							 NULL, &scan, &err);
	printf("journal %s records %" PRIu64 " beyond %" PRIu64 " chain ", journal_text(end),
		   scan.tail.seq, scan.beyond);
	for (int i = 0; i < LARAS_CHAIN_LEN; i++)
		printf("%02x", scan.tail.chain[i]);
	putchar('\n');
	bad = bad || end != LARAS_JOURNAL_CLEAN;

	buf = malloc((size_t) LARAS_SLOTS_PER_SLAB * LARAS_SLOT_LEN);
	if (buf == NULL)
		return complain("out of memory", NULL);
	/* Slabs are whole windows; one that is missing inside the last window shows. */
	slabs = laras_keyring_slab_end(holder.mirrors.mirror[0].dirfd);
	count_slab(&holder, 0, lease.next_position, o->key != NULL, buf, &counts);
	for (uint32_t number = 16; number < slabs; number++)
		count_slab(&holder, number, lease.next_position, o->key != NULL, buf, &counts);
	free(buf);
	printf("slabs %" PRIu64 " absent %" PRIu64 "\n", counts.slabs, counts.bad_slabs);
	printf("slots live %" PRIu64 " wrapped %" PRIu64 " destroyed %" PRIu64 " damaged %" PRIu64
		   " absent %" PRIu64 " unused %" PRIu64 "\n",
		   counts.state[LARAS_SLOT_LIVE], counts.state[LARAS_SLOT_WRAPPED],
		   counts.state[LARAS_SLOT_DESTROYED], counts.state[LARAS_SLOT_DAMAGED],
		   counts.state[LARAS_SLOT_ABSENT], counts.unused);
	bad = bad || counts.bad_slabs > 0 || counts.state[LARAS_SLOT_DAMAGED] > 0 ||
		  (o->key != NULL && counts.state[LARAS_SLOT_WRAPPED] > 0);
	return bad ? 1 : 0;
}

/* "sealed:<base64>" or hex, into malloc'd bytes. */
static uint8_t *
read_value(const char *text, size_t *n)
{
	size_t len = strlen(text);
	uint8_t *out = malloc(len + 1);

	if (out == NULL)
		return NULL;
	if (strncmp(text, "sealed:", 7) == 0)
	{
		if (laras_base64_decode(text + 7, len - 7, out, n))
			return out;
	}
	else if (len % 2 == 0)
	{
		*n = len / 2;
		if (laras_hex_read(text, out, *n))
			return out;
	}
	free(out);
	return NULL;
}

static int
run_open(const Options *o)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasKeyholder holder = {0};
	LarasSealedPlace place = {o->workspace, o->row, (uint16_t) o->field};
	LarasSealedPlace which;
	LarasPlaces places = {&place, 1};
	LarasSlotState w_state;
	LarasSlotState s_state;
	LarasVerdict verdict;
	uint8_t *value;
	uint8_t *out;
	size_t n;
	size_t outlen = 0;

	if (o->keyring == NULL || o->key == NULL || o->workspace < 0 || o->row < 0 || o->nargs != 1)
		return complain("open needs --keyring, --key, --workspace, --row and a value", NULL);
	if (!open_keyring(o->keyring, &holder, &err))
		return complain("keyring", &err);
	if (!unlock_keyring(o->key, &holder, NULL, &err))
		return complain("master key", &err);
	value = read_value(o->args[0], &n);
	if (value == NULL || (out = malloc(n + 1)) == NULL)
		return complain("value is neither sealed: with base64 nor hexadecimal", NULL);
	verdict =
		laras_keyscan_open(&holder, value, n, &places, &w_state, &s_state, &which, out, &outlen);
	if (verdict == LARAS_VERDICT_OPENS)
	{
		fwrite(out, 1, outlen, stdout);
		putchar('\n');
	}
	else
		printf("does not open: %s\n",
			   verdict == LARAS_VERDICT_READABLE ? "keys are there, the value does not belong here"
			   : w_state == LARAS_SLOT_DESTROYED || s_state == LARAS_SLOT_DESTROYED
				   ? "destroyed"
				   : "keys are damaged, absent or of another keyring");
	laras_wipe(out, n);
	laras_wipe(&holder, sizeof(holder));
	free(out);
	free(value);
	return verdict == LARAS_VERDICT_OPENS ? 0 : 1;
}

/* Lines "workspace row [field]"; blank lines are passed over. */
static bool
read_places(const char *path, LarasPlaces *places)
{
	FILE *f = fopen(path, "r");
	char line[256];
	bool ok = true;
	size_t room = 0;

	if (f == NULL)
		return false;
	while (ok && fgets(line, sizeof(line), f) != NULL)
	{
		int64_t workspace;
		int64_t row;
		unsigned int field = 0;
		int got = sscanf(line, "%" SCNd64 " %" SCNd64 " %u", &workspace, &row, &field);

		if (got == EOF)
			continue;
		ok = got >= 2 && field <= UINT16_MAX;
		if (ok && places->n == room)
		{
			LarasSealedPlace *more;

			room = room == 0 ? 64 : room * 2;
			more = realloc(places->place, room * sizeof(*more));
			ok = more != NULL;
			if (ok)
				places->place = more;
		}
		if (ok)
			places->place[places->n++] = (LarasSealedPlace){workspace, row, (uint16_t) field};
	}
	ok = ok && !ferror(f);
	fclose(f);
	return ok;
}

static int
run_scan(const Options *o)
{
	LarasKeyError err = LARAS_KEYERROR_INIT;
	LarasKeyholder holder = {0};
	LarasPlaces places = {NULL, 0};
	int status = 0;

	if (o->keyring == NULL || o->key == NULL || o->nargs == 0)
		return complain("scan needs --keyring, --key and files", NULL);
	if (!open_keyring(o->keyring, &holder, &err))
		return complain("keyring", &err);
	if (!unlock_keyring(o->key, &holder, NULL, &err))
		return complain("master key", &err);
	if (o->places != NULL && !read_places(o->places, &places))
		return complain("places file", NULL);
	for (int i = 0; i < o->nargs; i++)
	{
		printf("file %s\n", o->args[i]);
		if (!laras_keyscan_file(&holder, o->args[i], &places))
		{
			fprintf(stderr, "laras-keytool: cannot read a file: %s\n", strerror(errno));
			status = EXIT_ASKED_WRONG;
		}
	}
	laras_wipe(&holder, sizeof(holder));
	free(places.place);
	return status;
}

/* Prints the transport box of a token read from standard input; what a client does in its own language. */
static int
run_box(const Options *o)
{
	uint8_t public_key[LARAS_UUID_LEN + LARAS_KEY_LEN];
	char token[2048];
	size_t n = fread(token, 1, sizeof(token), stdin);
	uint8_t box[LARAS_TRANSPORT_HEADER + sizeof(token) + 16];
	char text[2 * sizeof(box)];
	bool sealed;

	while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
		n--;
	if (o->nargs != 1 || strlen(o->args[0]) != 2 * sizeof(public_key) ||
		!laras_hex_read(o->args[0], public_key, sizeof(public_key)))
		return complain("box needs the public key as 96 hexadecimal digits", NULL);
	if (n == 0 || n == sizeof(token) || ferror(stdin))
		return complain("box needs a token of 1 to 2047 bytes on standard input", NULL);
	sealed =
		laras_transport_seal(public_key, public_key + LARAS_UUID_LEN, token, n, NULL, NULL, box);
	laras_wipe(token, sizeof(token));
	if (!sealed)
		return complain("the token could not be sealed", NULL);
	EVP_EncodeBlock((unsigned char *) text, box, (int) laras_transport_size(n));
	printf("%s%s\n", LARAS_TRANSPORT_PREFIX, text);
	return 0;
}

int
main(int argc, char **argv)
{
	Options o;
	const char *command = argc > 1 ? argv[1] : "";

	if (argc < 2 || !parse_options(argc - 1, argv + 1, &o))
	{
		fputs(usage, stderr);
		return EXIT_ASKED_WRONG;
	}
	if (strcmp(command, "init") == 0)
		return run_init(&o);
	if (strcmp(command, "verify") == 0)
		return run_verify(&o);
	if (strcmp(command, "open") == 0)
		return run_open(&o);
	if (strcmp(command, "scan") == 0)
		return run_scan(&o);
	if (strcmp(command, "box") == 0)
		return run_box(&o);
	if (strcmp(command, "vectors") == 0)
		return laras_print_vectors() ? 0 : 1;
	fputs(usage, stderr);
	return EXIT_ASKED_WRONG;
}
