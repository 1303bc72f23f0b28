/*
 * sinkprogram.c
 *		laras-sink: reads and writes laras.checkpoint_directory for the server.
 *
 *		laras-sink read DIRECTORY KEYRING DATA
 *			prints DIRECTORY/KEYRING/newest
 *		laras-sink write DIRECTORY KEYRING DATA < NOTES
 *			keeps the notes by their names in DIRECTORY/KEYRING, the last as
 *			newest too
 *
 * A program of its own, since the directory lies on another machine as a rule:
 * a medium that does not answer holds this process alone, which the server
 * leaves behind. DATA is the data directory, in which DIRECTORY may not lie.
 * NOTES: per note a line "<name> <length>" and that many bytes, then "end"; a
 * input without its end writes nothing. Exit status: sinkprogram.h.
 *
 * Invariant: a name holds a whole note or none: all are written and synced
 * under other names, then renamed, then the directory is synced.
 */
#include "evidence/sinkprogram.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEWEST "newest"
#define NOTE_MAX 65536
#define INPUT_MAX ((size_t) 64 * 1024 * 1024)
#define TEMPORARY_MAX (LARAS_SINK_NAME_MAX + 2)

#ifdef LARAS_FAULTS
/* A medium that does not answer, as long as that file is there. */
static void
stall(void)
{
	const char *path = getenv("LARAS_SINK_STALL");
	const struct timespec pause = {0, 20000000};

	while (path != NULL && access(path, F_OK) == 0)
		nanosleep(&pause, NULL);
}
#else
#define stall() ((void) 0)
#endif

static bool
is_inside(const char *directory, const char *data)
{
	char real_directory[PATH_MAX];
	char real_data[PATH_MAX];
	size_t n;

	if (realpath(data, real_data) == NULL || realpath(directory, real_directory) == NULL)
		return true;
	n = strlen(real_data);
	return strncmp(real_directory, real_data, n) == 0 &&
		   (real_directory[n] == '/' || real_directory[n] == '\0');
}

static int
open_directory(const char *directory, const char *data, int *dirfd)
{
	stall();
	*dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0)
		return errno == ENOENT ? LARAS_SINK_ABSENT : LARAS_SINK_CLOSED;
	if (is_inside(directory, data))
		return LARAS_SINK_INSIDE;
	if (faccessat(*dirfd, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return LARAS_SINK_READ_ONLY;
	return LARAS_SINK_DONE;
}

static int
print_newest(int dirfd, const char *keyring)
{
	char note[NOTE_MAX];
	struct stat st;
	ssize_t n = -1;
	int fd = openat(dirfd, keyring, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? LARAS_SINK_NONE : LARAS_SINK_PLACE;
	fd = openat(fd, NEWEST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return LARAS_SINK_NONE;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, note, sizeof(note));
	if (n < 0)
		return LARAS_SINK_UNREADABLE;
	return fwrite(note, 1, (size_t) n, stdout) == (size_t) n && fflush(stdout) == 0
			   ? LARAS_SINK_DONE
			   : LARAS_SINK_UNREADABLE;
}

/* The whole input; its last line says that it is whole. */
static char *
read_input(size_t *n)
{
	size_t size = 65536;
	char *text = malloc(size);

	*n = 0;
	while (text != NULL && *n < INPUT_MAX)
	{
		size_t got = fread(text + *n, 1, size - *n, stdin);

		*n += got;
		if (got == 0)
			return text;
		if (*n == size)
		{
			char *larger = realloc(text, size *= 2);

			if (larger == NULL)
				free(text);
			text = larger;
		}
	}
	free(text);
	return NULL;
}

typedef struct Note
{
	char name[LARAS_SINK_NAME_MAX];
	const char *text;
	size_t length;
} Note;

/* The next note of the input; false at its end, *p NULL where it is malformed. */
static bool
next_note(const char **p, const char *end, Note *note)
{
	const char *line = *p;
	const char *newline = memchr(line, '\n', (size_t) (end - line));
	const char *space = newline == NULL ? NULL : memchr(line, ' ', (size_t) (newline - line));
	size_t length = 0;

	*p = NULL;
	if (newline == NULL)
		return false;
	if (space == NULL)
	{
		if (newline + 1 == end && newline - line == 3 && memcmp(line, "end", 3) == 0)
			*p = end;
		return false;
	}
	if (space == line || (size_t) (space - line) >= sizeof(note->name) || *line == '.' ||
		memchr(line, '/', (size_t) (space - line)) != NULL)
		return false;
	for (const char *digit = space + 1; digit < newline; digit++)
	{
		if (*digit < '0' || *digit > '9' || length > NOTE_MAX)
			return false;
		length = length * 10 + (size_t) (*digit - '0');
	}
	if (length > NOTE_MAX || length > (size_t) (end - newline - 1))
		return false;
	memcpy(note->name, line, (size_t) (space - line));
	note->name[space - line] = '\0';
	note->text = newline + 1;
	note->length = length;
	*p = note->text + length;
	return true;
}

/* Write and sync under a temporary name. */
static bool
write_note(int dirfd, const char *name, const Note *note)
{
	char temporary[TEMPORARY_MAX];
	bool ok;
	int fd;

	snprintf(temporary, sizeof(temporary), ".%s", name);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	ok = write(fd, note->text, note->length) == (ssize_t) note->length && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

static bool
name_note(int dirfd, const char *name)
{
	char temporary[TEMPORARY_MAX];

	snprintf(temporary, sizeof(temporary), ".%s", name);
	return renameat(dirfd, temporary, dirfd, name) == 0;
}

static int
keep_notes(int dirfd, const char *keyring)
{
	Note note = {"", NULL, 0};
	size_t n;
	char *input = read_input(&n);
	const char *end = input + n;
	const char *p;
	bool ok = true;
	int fd;

	if (input == NULL)
		return LARAS_SINK_MISUSED;
	p = input;
	while (next_note(&p, end, &note))
		;
	if (p == NULL || note.text == NULL)
		return LARAS_SINK_MISUSED;
	if (mkdirat(dirfd, keyring, 0755) == 0)
		(void) fsync(dirfd);
	fd = openat(dirfd, keyring, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return LARAS_SINK_PLACE;
	p = input;
	while (ok && next_note(&p, end, &note))
		ok = write_note(fd, note.name, &note);
	ok = ok && write_note(fd, NEWEST, &note);
	p = input;
	while (ok && next_note(&p, end, &note))
		ok = name_note(fd, note.name);
	ok = ok && name_note(fd, NEWEST) && fsync(fd) == 0;
	free(input);
	return ok ? LARAS_SINK_DONE : LARAS_SINK_FAILED;
}

int
main(int argc, char **argv)
{
	bool reading = argc == 5 && strcmp(argv[1], "read") == 0;
	int dirfd;
	int end;

	if (argc != 5 || (!reading && strcmp(argv[1], "write") != 0))
	{
		fprintf(stderr, "usage: laras-sink read|write DIRECTORY KEYRING DATA\n");
		return LARAS_SINK_MISUSED;
	}
	end = open_directory(argv[2], argv[4], &dirfd);
	if (end != LARAS_SINK_DONE)
		return end;
	return reading ? print_newest(dirfd, argv[3]) : keep_notes(dirfd, argv[3]);
}
