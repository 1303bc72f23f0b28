/*
 * keyfile.c
 *		The signing key's file. Invariant: a seed is never in memory longer
 *		than it takes to make the key of it, and never in a file that others
 *		may read.
 */
#include "evidence/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "base/hex.h"

#define SEED_BYTES 32
#define KEY_FILE_BYTES (2 * SEED_BYTES + 1)
#define PATH_BYTES 4096

static bool
public_path(const char *path, char out[PATH_BYTES])
{
	int n = snprintf(out, PATH_BYTES, "%s.pub", path);

	if (n > 0 && n < PATH_BYTES)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/* Up to n bytes of the file from its start; -1 with errno. */
static ssize_t
read_all(int fd, char *p, size_t n)
{
	size_t done = 0;

	while (done < n)
	{
		ssize_t got = read(fd, p + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += got;
	}
	return done;
}

static bool
write_all(int fd, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n)
	{
		ssize_t put = write(fd, p + done, n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		done += put;
	}
	return true;
}

LarasKeyFileState
laras_key_file_read(const char *path, EVP_PKEY **key)
{
	LarasKeyFileState state = LARAS_KEY_FILE_MALFORMED;
	char text[KEY_FILE_BYTES + 1];
	uint8_t seed[SEED_BYTES];
	struct stat st;
	ssize_t n;
	int fd;

	*key = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? LARAS_KEY_FILE_ABSENT : LARAS_KEY_FILE_FAILED;
	if (fstat(fd, &st) != 0)
	{
		close(fd);
		return LARAS_KEY_FILE_FAILED;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
	{
		close(fd);
		return LARAS_KEY_FILE_UNSAFE;
	}
	n = read_all(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return LARAS_KEY_FILE_FAILED;

	if (n == 2 * SEED_BYTES || (n == KEY_FILE_BYTES && text[n - 1] == '\n'))
	{
		if (laras_hex_read(text, seed, SEED_BYTES))
		{
			errno = 0;
			*key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SEED_BYTES);
			state = *key == NULL ? LARAS_KEY_FILE_FAILED : LARAS_KEY_FILE_READ;
		}
	}
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(seed, sizeof(seed));
	return state;
}

LarasKeyFileState
laras_key_file_create(const char *path)
{
	static const char digits[] = "0123456789abcdef";
	char text[KEY_FILE_BYTES];
	uint8_t seed[SEED_BYTES];
	bool ok;
	int saved;
	int fd;
	int i;

	errno = 0;
	if (!laras_random_bytes(seed, sizeof(seed)))
		return LARAS_KEY_FILE_FAILED;
	for (i = 0; i < SEED_BYTES; i++)
	{
		text[2 * i] = digits[seed[i] >> 4];
		text[2 * i + 1] = digits[seed[i] & 15];
	}
	text[2 * SEED_BYTES] = '\n';
	OPENSSL_cleanse(seed, sizeof(seed));

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
	{
		OPENSSL_cleanse(text, sizeof(text));
		return LARAS_KEY_FILE_FAILED;
	}
	ok = write_all(fd, text, sizeof(text)) && fsync(fd) == 0;
	saved = errno;
	OPENSSL_cleanse(text, sizeof(text));
	close(fd);
	if (!ok)
	{
		/* half a key must not be found at the next start */
		unlink(path);
		errno = saved;
		return LARAS_KEY_FILE_FAILED;
	}
	return LARAS_KEY_FILE_READ;
}

LarasKeyFileState
laras_key_file_public(const char *path, uint8_t out[LARAS_NOTE_PUBLIC])
{
	char name[PATH_BYTES];
	char text[1024];
	EVP_PKEY *key;
	BIO *bio;
	ssize_t n;
	int fd;
	bool ok;

	if (!public_path(path, name))
		return LARAS_KEY_FILE_FAILED;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? LARAS_KEY_FILE_ABSENT : LARAS_KEY_FILE_FAILED;
	n = read_all(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return LARAS_KEY_FILE_FAILED;

	errno = 0;
	bio = BIO_new_mem_buf(text, (int) n);
	if (bio == NULL)
		return LARAS_KEY_FILE_FAILED;
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	ok = key != NULL && laras_note_public(key, out);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok ? LARAS_KEY_FILE_READ : LARAS_KEY_FILE_MALFORMED;
}

LarasKeyFileState
laras_key_file_publish(const char *path, EVP_PKEY *key)
{
	char name[PATH_BYTES];
	uint8_t wanted[LARAS_NOTE_PUBLIC];
	uint8_t present[LARAS_NOTE_PUBLIC];
	LarasKeyFileState state;
	BIO *bio;
	char *text;
	long n;
	bool ok;
	int fd;

	errno = 0;
	if (!laras_note_public(key, wanted))
		return LARAS_KEY_FILE_FAILED;
	state = laras_key_file_public(path, present);
	if (state == LARAS_KEY_FILE_READ)
		return memcmp(wanted, present, sizeof(wanted)) == 0 ? LARAS_KEY_FILE_READ
															: LARAS_KEY_FILE_MALFORMED;
	if (state != LARAS_KEY_FILE_ABSENT)
		return state;

	errno = 0;
	bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1)
	{
		BIO_free(bio);
		return LARAS_KEY_FILE_FAILED;
	}
	n = BIO_get_mem_data(bio, &text);
	if (!public_path(path, name) ||
		(fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444)) < 0)
	{
		BIO_free(bio);
		return LARAS_KEY_FILE_FAILED;
	}
	ok = fchmod(fd, 0444) == 0 && write_all(fd, text, (size_t) n) && fsync(fd) == 0;
	close(fd);
	BIO_free(bio);
	if (!ok)
	{
		unlink(name);
		return LARAS_KEY_FILE_FAILED;
	}
	return LARAS_KEY_FILE_READ;
}
