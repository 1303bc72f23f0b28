/*
 * masterkey.c
 *		Master keys as they come from a file or a command.
 */
#include "vault/masterkey.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/monotonic.h"

#define WAKE_MS 100

void
laras_masterkey_wipe(LarasMasterKeys *keys)
{
	laras_wipe(keys, sizeof(*keys));
}

const char *
laras_keyerror_text(const LarasKeyError *err, char text[LARAS_KEYERROR_TEXT])
{
	char where[48] = "";

	if (err->line != 0)
		snprintf(where, sizeof(where), " (line %u)", (unsigned int) err->line);
	else if (err->epoch != 0)
		snprintf(where, sizeof(where), " (epoch %u)", (unsigned int) err->epoch);
	snprintf(text, LARAS_KEYERROR_TEXT, "%s%s%s%s",
			 err->what != NULL ? err->what : "unknown failure", where,
			 err->sys_errno != 0 ? ": " : "", err->sys_errno != 0 ? strerror(err->sys_errno) : "");
	return text;
}

/* One line without its newline. */
static bool
parse_line(const char *line, size_t n, LarasMaster *master)
{
	uint32_t epoch = 0;
	size_t at = 0;

	while (at < n && line[at] >= '0' && line[at] <= '9' && epoch <= UINT16_MAX)
		epoch = epoch * 10 + (uint32_t) (line[at++] - '0');
	if (at == 0 || line[0] == '0' || epoch > UINT16_MAX || n - at != 1 + 2 * LARAS_KEY_LEN ||
		line[at] != ' ')
		return false;
	at++;
	if (!laras_hex_read(line + at, master->key, LARAS_KEY_LEN))
		return false;
	master->epoch = (uint16_t) epoch;
	return true;
}

bool
laras_masterkey_parse(const char *text, size_t n, LarasMasterKeys *keys, LarasKeyError *err)
{
	memset(keys, 0, sizeof(*keys));
	while (n > 0)
	{
		const char *newline = memchr(text, '\n', n);
		size_t len = newline != NULL ? (size_t) (newline - text) : n;

		const char *wrong = NULL;

		if (keys->n == LARAS_MAX_MASTERS)
			wrong = "more master keys than are read";
		else if (!parse_line(text, len, &keys->master[keys->n]))
			wrong = "a line of the master keys holds an epoch, one space and 64 hexadecimal digits";
		else if (keys->n > 0 && keys->master[keys->n].epoch <= keys->master[keys->n - 1].epoch)
			wrong = "the master keys stand in the order of their epochs, the lowest first";
		if (wrong != NULL)
		{
			uint32_t line = (uint32_t) keys->n + 1;

			laras_masterkey_wipe(keys);
			return laras_keyerror_of_key(err, wrong, line, 0);
		}
		keys->n++;
		len += newline != NULL;
		text += len;
		n -= len;
	}
	if (keys->n == 0)
		return laras_keyerror(err, LARAS_KEYERR_MASTER_KEY, 0, "no master key");
	return true;
}

bool
laras_masterkey_read_file(const char *path, LarasMasterKeys *keys, LarasKeyError *err)
{
	char text[LARAS_MASTER_TEXT + 1];
	struct stat st;
	ssize_t got;
	bool ok;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return laras_keyerror(err, LARAS_KEYERR_UNSAFE, errno, "opening the master key file");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		ok = laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "master key file is not a regular file");
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		ok = laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "master key file belongs to another user");
	else if ((st.st_mode & 07777) != 0400 && (st.st_mode & 07777) != 0600)
		ok = laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "master key file mode");
	else
	{
		do
			got = read(fd, text, sizeof(text));
		while (got < 0 && errno == EINTR);
		if (got < 0)
			ok = laras_keyerror(err, LARAS_KEYERR_UNSAFE, errno, "reading the master key file");
		else if (got > LARAS_MASTER_TEXT)
			ok = laras_keyerror(err, LARAS_KEYERR_MASTER_KEY, 0, "master key file too long");
		else
			ok = laras_masterkey_parse(text, (size_t) got, keys, err);
		laras_wipe(text, sizeof(text));
	}
	close(fd);
	return ok;
}

bool
laras_masterkey_read_fd(int fd, int timeout_ms, bool (*wake)(void *arg), void *arg,
						LarasMasterKeys *keys, LarasKeyError *err)
{
	char text[LARAS_MASTER_TEXT + 1];
	size_t n = 0;
	int64_t deadline = laras_monotonic_ms() + timeout_ms;
	bool ok = true;

	for (;;)
	{
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - laras_monotonic_ms();
		ssize_t got;
		int rc;

		if (wake != NULL && wake(arg))
		{
			ok = laras_keyerror(err, LARAS_KEYERR_COMMAND, EINTR, "interrupted");
			break;
		}
		if (left <= 0)
		{
			ok = laras_keyerror(err, LARAS_KEYERR_COMMAND, ETIMEDOUT,
								"master key command took too long");
			break;
		}
		rc = poll(&pfd, 1, left < WAKE_MS ? (int) left : WAKE_MS);
		if (rc == 0 || (rc < 0 && errno == EINTR))
			continue;
		got = rc < 0 ? -1 : read(fd, text + n, sizeof(text) - n);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
		{
			ok = laras_keyerror(err, LARAS_KEYERR_COMMAND, errno,
								"reading from the master key command");
			break;
		}
		if (got == 0)
			break;
		n += (size_t) got;
		if (n > LARAS_MASTER_TEXT)
		{
			ok = laras_keyerror(err, LARAS_KEYERR_MASTER_KEY, 0, "master key output too long");
			break;
		}
	}
	ok = ok && laras_masterkey_parse(text, n, keys, err);
	laras_wipe(text, sizeof(text));
	return ok;
}

const uint8_t *
laras_masterkey_find(const LarasMasterKeys *keys, uint16_t epoch)
{
	for (int i = 0; i < keys->n; i++)
		if (keys->master[i].epoch == epoch)
			return keys->master[i].key;
	return NULL;
}

static bool
check_holds(const LarasMasterKeys *keys, const LarasKeyring *keyring, uint16_t epoch,
			const uint8_t *expected, LarasKeyError *err)
{
	uint8_t check[LARAS_CHECK_LEN];
	const uint8_t *key = laras_masterkey_find(keys, epoch);

	if (key == NULL)
		return laras_keyerror_of_key(err, "the master key of an epoch is missing", 0, epoch);
	if (!laras_derive_check(key, keyring->uuid, epoch, check))
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	if (!laras_same_bytes(check, expected, LARAS_CHECK_LEN))
		return laras_keyerror_of_key(err, "wrong master key", 0, epoch);
	return true;
}

bool
laras_masterkey_fits(const LarasMasterKeys *keys, const LarasKeyring *keyring, LarasKeyError *err)
{
	return (laras_masterkey_find(keys, keyring->oldest_epoch) == NULL ||
			check_holds(keys, keyring, keyring->oldest_epoch, keyring->check_oldest, err)) &&
		   (laras_masterkey_find(keys, keyring->current_epoch) == NULL ||
			check_holds(keys, keyring, keyring->current_epoch, keyring->check_current, err));
}

bool
laras_masterkey_check(const LarasMasterKeys *keys, const LarasKeyring *keyring, bool want_next,
					  LarasKeyError *err)
{
	for (int i = 0; i < keys->n; i++)
		if (keys->master[i].epoch > (uint32_t) keyring->current_epoch + 1)
			return laras_keyerror_of_key(err, "a master key of an epoch that is not the next one",
										 0, keys->master[i].epoch);
	for (uint32_t e = keyring->oldest_epoch; e <= keyring->current_epoch; e++)
		if (laras_masterkey_find(keys, (uint16_t) e) == NULL)
			return laras_keyerror_of_key(err, "the master key of an epoch is missing", 0, e);
	if (want_next && keyring->current_epoch == UINT16_MAX)
		return laras_keyerror(err, LARAS_KEYERR_MASTER_KEY, 0, "there is no epoch after the last");
	if (want_next && laras_masterkey_find(keys, keyring->current_epoch + 1) == NULL)
		return laras_keyerror_of_key(err, "the master key of the next epoch is missing", 0,
									 (uint32_t) keyring->current_epoch + 1);
	return laras_masterkey_fits(keys, keyring, err);
}

bool
laras_masterkey_wraps(const LarasMasterKeys *keys, const LarasKeyring *keyring, uint8_t domain,
					  LarasWrapSet *wraps)
{
	memset(wraps, 0, sizeof(*wraps));
	for (int i = 0; i < keys->n; i++)
	{
		const LarasMaster *m = &keys->master[i];
		LarasWrap *w;

		if (m->epoch < keyring->oldest_epoch || m->epoch > keyring->current_epoch)
			continue;
		if (wraps->n == LARAS_MAX_WRAPS)
		{
			laras_wipe(wraps, sizeof(*wraps));
			return false;
		}
		w = &wraps->wrap[wraps->n++];
		w->domain = domain;
		w->epoch = m->epoch;
		if (!laras_derive_wrap(m->key, domain, keyring->uuid, m->epoch, w->key))
		{
			laras_wipe(wraps, sizeof(*wraps));
			return false;
		}
	}
	return wraps->n > 0;
}
