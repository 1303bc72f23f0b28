/*
 * sync.c
 *		What a disk asks for one small durable write: writes a block at random
 *		places of a file of its own in the directory given, each followed by
 *		fdatasync, as destroying a key does in each mirror.
 *
 * Usage: sync DIRECTORY COUNT. The output is "p50=.. p99=..", in milliseconds.
 *
 * Built by the benchmark alone: cc -O2 sync.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define BLOCKS 1024

static void
fail(const char *what)
{
	fprintf(stderr, "sync: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1000 + (double) t.tv_nsec / 1000000;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
main(int argc, char **argv)
{
	char path[4096];
	char block[BLOCK];
	long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	double *took = calloc((size_t) count + 1, sizeof(double));
	int fd;

	if (count < 1 || took == NULL)
		fail("usage: sync DIRECTORY COUNT");
	snprintf(path, sizeof(path), "%s/sync.bench", argv[1]);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || unlink(path) != 0)
		fail(path);
	memset(block, 1, sizeof(block));
	for (int i = 0; i < BLOCKS; i++)
		if (write(fd, block, sizeof(block)) != BLOCK)
			fail("write");
	if (fsync(fd) != 0)
		fail("fsync");
	for (long i = 0; i < count; i++)
	{
		double start = now_ms();

		memset(block, (int) i, sizeof(block));
		if (pwrite(fd, block, sizeof(block), (off_t) (i * 7919 % BLOCKS) * BLOCK) != BLOCK ||
			fdatasync(fd) != 0)
			fail("fdatasync");
		took[i] = now_ms() - start;
	}
	qsort(took, (size_t) count, sizeof(double), compare);
	printf("p50=%.3f p99=%.3f\n", took[count / 2], took[(count - 1) * 99 / 100]);
	return 0;
}
