/*
 * evidence.c
 *		Drives the parts of src/evidence that know nothing of PostgreSQL, for
 *		test/t/025_evidence_formats.pl: each command prints what that test
 *		compares with an implementation of its own.
 *
 *		roots N					root of the first n leaves "leaf <i>", n = 0..N,
 *								computed twice: by the edge and from kept nodes
 *		example					leaf of the worked example: bytes and hash
 *		fields HEX				number of fields, or -1
 *		commit NAME SALT VALUE	(hex, hex)
 *		tables					fields.def ascends, names are unique
 *		sign KEYFILE			a signed checkpoint
 *		verify PUBHEX			a note on standard input: size or "refused"
 *		key create|read|publish|public FILE
 *		marks FILE				writes and reads records
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evidence/highwater.h"
#include "evidence/keyfile.h"
#include "evidence/leaf.h"
#include "evidence/merkle.h"
#include "evidence/note.h"
#include "vault/derive.h"

static void
print_hex(const void *p, size_t n)
{
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		printf("%02x", b[i]);
	putchar('\n');
}

static size_t
read_hex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;
	unsigned int v;

	for (; text[0] != '\0' && text[1] != '\0' && n < room; text += 2)
	{
		if (sscanf(text, "%2x", &v) != 1)
			exit(2);
		out[n++] = (uint8_t) v;
	}
	return n;
}

static void
must(bool ok, const char *what)
{
	if (!ok)
	{
		printf("failed: %s\n", what);
		exit(1);
	}
}

/* Roots by the edge, and again from nodes kept beside the leaves. */
static void
roots(int max)
{
	LarasMerkleEdge edge = {0};
	LarasHash *leaf = calloc(max + 1, sizeof(LarasHash));
	LarasHash(*kept)[LARAS_MERKLE_LEVELS] = calloc(max + 1, sizeof(*kept));
	int n;

	for (n = 0; n <= max; n++)
	{
		LarasMerkleEdge again;
		LarasHash root;
		LarasHash second;
		uint8_t bytes[LARAS_MERKLE_LEVELS * LARAS_HASH_LEN];
		uint8_t written[LARAS_MERKLE_LEVELS * LARAS_HASH_LEN];
		uint64_t at[LARAS_MERKLE_LEVELS];
		int level[LARAS_MERKLE_LEVELS];
		int peaks = laras_merkle_peaks(n, at, level);
		int completed;
		int i;
		char text[32];

		for (i = 0; i < peaks; i++)
			memcpy(bytes + i * LARAS_HASH_LEN,
				   level[i] == 0 ? leaf[at[i]].b : kept[at[i]][level[i] - 1].b, LARAS_HASH_LEN);
		must(laras_merkle_edge_read(&again, n, bytes, peaks * LARAS_HASH_LEN), "edge_read");
		must(!laras_merkle_edge_read(&again, n, bytes, peaks * LARAS_HASH_LEN + 1),
			 "too long an edge is refused");
		must(laras_merkle_edge_read(&again, n, bytes, peaks * LARAS_HASH_LEN), "edge_read");
		must(laras_merkle_edge_write(&edge, written) == (size_t) peaks * LARAS_HASH_LEN &&
				 memcmp(written, bytes, peaks * LARAS_HASH_LEN) == 0,
			 "edge equals kept nodes");
		must(laras_merkle_root(&edge, &root) && laras_merkle_root(&again, &second), "root");
		must(memcmp(root.b, second.b, LARAS_HASH_LEN) == 0, "both ways give one root");
		print_hex(root.b, LARAS_HASH_LEN);

		snprintf(text, sizeof(text), "leaf %d", n);
		must(laras_merkle_leaf(text, strlen(text), &leaf[n]), "leaf");
		must(laras_merkle_append(&edge, &leaf[n], kept[n], &completed), "append");
		must(completed == laras_merkle_completes(n), "completes");
	}
	free(leaf);
	free(kept);
}

/* The worked example of docs/reference/evidence-format.md. */
static void
example(void)
{
	LarasLeafHeader header = {
		.action = 500,
		.workspace_id = 7,
		.entry_id = 987654321,
		.time = INT64_C(1767225600000000),
		.actor_kind = 6,
		.subject_kind = 9,
		.actor_id = 4711,
		.subject_id = 4242,
		.workspace_slot = 65536,
	};
	uint8_t k_salt[32];
	uint8_t salt[32];
	uint8_t fields[512];
	uint8_t bytes[LARAS_LEAF_HEADER];
	LarasHash commitment;
	LarasHash hash;
	size_t n = 0;

	read_hex("65906b61b6a5d354f74a0861eafb68c2fdfd92e56acad6b65e2bd930c4f521e7", k_salt, 32);
	must(laras_commitment_salt(k_salt, 987654321, 3, salt), "salt");
	must(laras_commitment("body", salt, "halo", 4, commitment.b), "commitment");
	n += laras_leaf_put_committed(fields + n, 3, 70000, &commitment);
	n += laras_leaf_put_bytes(fields + n, 101, LARAS_CLASS_CODE, "whatsapp", 8);
	n += laras_leaf_put_number(fields + n, 203, LARAS_CLASS_NUMBER, 815);
	must(laras_leaf_count_fields(fields, n) == 3, "count");
	laras_leaf_header(&header, 3, bytes);
	must(laras_leaf_hash(&header, 3, fields, n, &hash), "hash");
	print_hex(commitment.b, LARAS_HASH_LEN);
	print_hex(bytes, sizeof(bytes));
	print_hex(fields, n);
	print_hex(hash.b, LARAS_HASH_LEN);
}

static void
tables(void)
{
	int last = 0;
	int no;
	int count = 0;

	for (no = 1; no < 65536; no++)
	{
		const LarasFieldInfo *info = laras_field_info(no);

		if (info == NULL)
			continue;
		count++;
		must(info->no == no && no > last, "ascending");
		must(laras_field_by_name(info->name, strlen(info->name)) == info, "unique name");
		last = no;
	}
	printf("%d\n", count);
}

static void
sign(const char *path)
{
	EVP_PKEY *key;
	LarasCheckpoint checkpoint = {
		.origin = "laras.example/laras/log-1",
		.origin_length = 25,
		.size = 3,
		.extensions = "laras-journal 5 00112233445566778899aabbccddeeff\n",
	};
	uint8_t public_key[LARAS_NOTE_PUBLIC];
	char note[LARAS_NOTE_MAX];
	LarasCheckpoint broken;

	checkpoint.extensions_length = strlen(checkpoint.extensions);
	memset(checkpoint.root.b, 0x5a, LARAS_HASH_LEN);
	must(laras_key_file_read(path, &key) == LARAS_KEY_FILE_READ, "key");
	must(laras_note_public(key, public_key), "public");
	broken = checkpoint;
	broken.origin = "no spaces";
	broken.origin_length = 9;
	must(laras_note_sign(&broken, key, note) == 0, "a name with a space is refused");
	broken = checkpoint;
	broken.extensions = "a\n\nb\n";
	broken.extensions_length = 5;
	must(laras_note_sign(&broken, key, note) == 0, "an empty line is refused");
	must(laras_note_sign(&checkpoint, key, note) > 0, "sign");
	print_hex(public_key, sizeof(public_key));
	fputs(note, stdout);
	EVP_PKEY_free(key);
}

/* Notes on standard input, each ended by a line with only a dot. */
static void
verify(const char *public_hex)
{
	uint8_t public_key[LARAS_NOTE_PUBLIC];
	char note[LARAS_NOTE_MAX * 2];
	char line[LARAS_NOTE_MAX];
	size_t n = 0;

	read_hex(public_hex, public_key, sizeof(public_key));
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		LarasCheckpoint checkpoint;

		if (strcmp(line, "#\n") != 0)
		{
			uint8_t bytes[LARAS_NOTE_MAX];
			size_t length;

			line[strcspn(line, "\n")] = '\0';
			length = read_hex(line, bytes, sizeof(bytes));
			if (n + length <= sizeof(note))
				memcpy(note + n, bytes, length);
			n += length;
			continue;
		}
		if (n <= sizeof(note) && laras_note_verify(note, n, public_key, &checkpoint))
			printf("%llu\n", (unsigned long long) checkpoint.size);
		else
			puts("refused");
		n = 0;
	}
}

static void
key_file(const char *what, const char *path)
{
	EVP_PKEY *key = NULL;
	uint8_t public_key[LARAS_NOTE_PUBLIC];
	LarasKeyFileState state;

	if (strcmp(what, "create") == 0)
		state = laras_key_file_create(path);
	else if (strcmp(what, "public") == 0)
		state = laras_key_file_public(path, public_key);
	else
	{
		state = laras_key_file_read(path, &key);
		if (state == LARAS_KEY_FILE_READ)
			must(laras_note_public(key, public_key), "public");
		if (state == LARAS_KEY_FILE_READ && strcmp(what, "publish") == 0)
			state = laras_key_file_publish(path, key);
	}
	printf("%d", state);
	if (state == LARAS_KEY_FILE_READ && strcmp(what, "create") != 0)
	{
		putchar(' ');
		print_hex(public_key, sizeof(public_key));
	}
	else
		putchar('\n');
	EVP_PKEY_free(key);
}

static void
marks(const char *path)
{
	LarasHighWaterMark mark = {.workspace_id = 7, .system_identifier = 1, .database = 2, .size = 9};
	LarasHighWaterMark read;
	uint8_t other[LARAS_LOG_ID_LEN] = {9};
	int fd = laras_high_water_open(path, true, true);
	int second;

	must(fd >= 0 && laras_high_water_count(fd) == 0, "create");
	must(laras_high_water_read(fd, 0, &read) == LARAS_MARK_NONE, "empty");
	must(laras_high_water_write(fd, 0, &mark) && laras_high_water_sync(fd), "write");
	mark.workspace_id = 0;
	mark.size = 10;
	must(laras_high_water_write(fd, 1, &mark) && laras_high_water_sync(fd), "write");
	must(laras_high_water_count(fd) == 2, "count");
	must(laras_high_water_read(fd, 0, &read) == LARAS_MARK_FOUND && read.size == 9 &&
			 read.workspace_id == 7 && laras_high_water_is_of(&read, 7, other) &&
			 !laras_high_water_is_of(&read, 8, other),
		 "read");
	must(laras_high_water_read(fd, 1, &read) == LARAS_MARK_FOUND && read.size == 10 &&
			 !laras_high_water_is_of(&read, 0, other) &&
			 laras_high_water_is_of(&read, 0, mark.log_id),
		 "the platform's log goes by its id");
	must((second = laras_high_water_open(path, true, false)) < 0 && errno == EWOULDBLOCK,
		 "one writer at a time");
	must((second = laras_high_water_open(path, false, false)) >= 0, "readers do not wait");
	close(second);
	close(fd);

	/* every byte of a record: damaged, never another value */
	fd = laras_high_water_open(path, true, false);
	for (int i = 0; i < LARAS_HIGH_WATER_RECORD; i++)
	{
		uint8_t byte;
		uint8_t flipped;

		must(pread(fd, &byte, 1, LARAS_HIGH_WATER_RECORD + i) == 1, "pread");
		flipped = byte ^ 1;
		must(pwrite(fd, &flipped, 1, LARAS_HIGH_WATER_RECORD + i) == 1, "pwrite");
		must(laras_high_water_read(fd, 0, &read) == LARAS_MARK_DAMAGED, "a flipped bit is seen");
		must(pwrite(fd, &byte, 1, LARAS_HIGH_WATER_RECORD + i) == 1, "pwrite");
	}
	must(ftruncate(fd, 3 * LARAS_HIGH_WATER_RECORD - 1) == 0, "cut");
	must(laras_high_water_read(fd, 1, &read) == LARAS_MARK_DAMAGED, "a cut record is damaged");
	close(fd);
	puts("fine");
}

int
main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "roots") == 0 && argc == 3)
		roots((int) strtol(argv[2], NULL, 10));
	else if (strcmp(command, "example") == 0)
		example();
	else if (strcmp(command, "fields") == 0 && argc == 3)
	{
		uint8_t bytes[4096];
		size_t n = read_hex(argv[2], bytes, sizeof(bytes));

		printf("%d\n", laras_leaf_count_fields(bytes, n));
	}
	else if (strcmp(command, "commit") == 0 && argc == 5)
	{
		uint8_t salt[32];
		uint8_t value[4096];
		LarasHash hash;

		read_hex(argv[3], salt, sizeof(salt));
		must(laras_commitment(argv[2], salt, value, read_hex(argv[4], value, sizeof(value)),
							  hash.b),
			 "commit");
		print_hex(hash.b, LARAS_HASH_LEN);
	}
	else if (strcmp(command, "tables") == 0)
		tables();
	else if (strcmp(command, "sign") == 0 && argc == 3)
		sign(argv[2]);
	else if (strcmp(command, "verify") == 0 && argc == 3)
		verify(argv[2]);
	else if (strcmp(command, "key") == 0 && argc == 4)
		key_file(argv[2], argv[3]);
	else if (strcmp(command, "marks") == 0 && argc == 3)
		marks(argv[2]);
	else
		return 2;
	return 0;
}
