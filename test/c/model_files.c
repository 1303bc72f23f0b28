/*
 * model_files.c
 *		Files of the mirrors as the model test sees and harms them: past the disk
 *		of the test, so that nothing done here is lost or refused.
 */
#include "model_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vault_model.h"

char model_base[512];

const char *
model_place_of(const char *name)
{
	static char path[4][700];
	static int turn = 0;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", model_base, name);
	return path[turn];
}

const char *
model_mirror_name(int mirror, bool away)
{
	static const char *const names[2][MIRRORS] = {{"a", "b"}, {"a.away", "b.away"}};

	return names[away][mirror];
}

static const char *
mirror_place(int mirror)
{
	return model_place_of(model_mirror_name(mirror, (world->away & 1 << mirror) != 0));
}

const char *
model_path(int mirror, const char *file)
{
	static char path[4][800];
	static int turn = 0;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/0/%s", mirror_place(mirror), file);
	return path[turn];
}

off_t
model_place(uint32 slot)
{
	return LARAS_SLAB_HEADER_LEN + (off_t) LARAS_INDEX_OF(slot) * LARAS_SLOT_LEN;
}

/* n bytes of a file; false where it has not so many */
bool
model_peek(const char *path, off_t at, void *p, size_t n)
{
	int fd = open(path, O_RDONLY);
	bool ok = fd >= 0 && pread(fd, p, n, at) == (ssize_t) n;

	if (fd >= 0)
		close(fd);
	return ok;
}

void
model_poke(const char *path, off_t at, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (syscall(SYS_pwrite64, fd, p, n, at) != (long) n)
		model_fatal("writing %s: errno %d", path, errno);
	close(fd);
}

void
model_remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char file[1200];

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
	{
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		unlink(file);
	}
	closedir(dir);
	rmdir(path);
}

void
model_copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = 0;

	while (in >= 0 && out >= 0 && (n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	if (in < 0 || out < 0 || n < 0)
		model_fatal("copying %s: errno %d", from, errno);
	close(in);
	close(out);
}

void
model_copy_directory(const char *from, const char *to)
{
	DIR *dir;
	struct dirent *e;
	char source[1200];
	char target[1200];

	model_remove_directory(to);
	if (mkdir(to, 0700) != 0 || (dir = opendir(from)) == NULL)
		model_fatal("copying %s: errno %d", from, errno);
	while ((e = readdir(dir)) != NULL)
	{
		if (e->d_name[0] == '.')
			continue;
		snprintf(source, sizeof(source), "%s/%s", from, e->d_name);
		snprintf(target, sizeof(target), "%s/%s", to, e->d_name);
		model_copy_file(source, target);
	}
	closedir(dir);
}

bool
model_same_file(const char *a, const char *b)
{
	static uint8 x[1 << 16];
	static uint8 y[1 << 16];
	int fa = open(a, O_RDONLY);
	int fb = open(b, O_RDONLY);
	bool same = fa >= 0 && fb >= 0;
	ssize_t n = 1;

	while (same && n > 0)
	{
		n = read(fa, x, sizeof(x));
		same = read(fb, y, sizeof(y)) == n && n >= 0 && memcmp(x, y, (size_t) n) == 0;
	}
	if (fa >= 0)
		close(fa);
	if (fb >= 0)
		close(fb);
	return same;
}
