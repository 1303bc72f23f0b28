/*
 * slab.c
 *		Slab files, and the scatter of lease positions over them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECT */
#endif
#include "vault/slab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/bytes.h"
#include "vault/files.h"

#define SLAB_VERSION 1
#define CHECKSUM_AT 4064
#define BLOCK 4096
#define WINDOW 65536u

#define SLAB_MAGIC "LARASLAB" /* eight bytes, without the zero */

void
laras_slab_name(uint32_t number, char out[LARAS_SLAB_NAME_LEN])
{
	snprintf(out, LARAS_SLAB_NAME_LEN, "slab-%08x", (unsigned int) number);
}

bool
laras_slab_header_encode(const LarasSlabHeader *h, uint8_t out[LARAS_SLAB_HEADER_LEN])
{
	LarasPiece piece = {out, CHECKSUM_AT};

	memset(out, 0, LARAS_SLAB_HEADER_LEN);
	memcpy(out, SLAB_MAGIC, 8);
	laras_put16(out + 8, SLAB_VERSION);
	laras_put16(out + 10, h->keyring_number);
	laras_put32(out + 12, h->number);
	memcpy(out + 16, h->keyring, LARAS_UUID_LEN);
	memcpy(out + 32, h->slab, LARAS_UUID_LEN);
	laras_put64(out + 48, (uint64_t) h->created);
	laras_put16(out + 56, h->epoch);
	laras_put32(out + 60, LARAS_SLOTS_PER_SLAB);
	return laras_sha256(&piece, 1, out + CHECKSUM_AT);
}

bool
laras_slab_header_decode(const uint8_t in[LARAS_SLAB_HEADER_LEN], LarasSlabHeader *h)
{
	LarasPiece piece = {in, CHECKSUM_AT};
	uint8_t sum[LARAS_HASH_LEN];

	if (memcmp(in, SLAB_MAGIC, 8) != 0 || laras_get16(in + 8) != SLAB_VERSION ||
		laras_get32(in + 60) != LARAS_SLOTS_PER_SLAB || !laras_sha256(&piece, 1, sum) ||
		memcmp(sum, in + CHECKSUM_AT, LARAS_HASH_LEN) != 0)
		return false;
	h->keyring_number = laras_get16(in + 10);
	h->number = laras_get32(in + 12);
	memcpy(h->keyring, in + 16, LARAS_UUID_LEN);
	memcpy(h->slab, in + 32, LARAS_UUID_LEN);
	h->created = (int64_t) laras_get64(in + 48);
	h->epoch = laras_get16(in + 56);
	return true;
}

bool
laras_slab_build(LarasSlabHeader *h, const uint8_t content_wrap[LARAS_KEY_LEN],
				 const uint8_t *courier_wrap, uint8_t *courier_seed, uint8_t *image)
{
	static const uint8_t zeros[LARAS_UUID_LEN] = {0};
	uint8_t secret[LARAS_KEY_LEN];
	LarasSlotPlace place = {h->keyring, h->slab, 0};
	bool ok = true;

	if ((h->number == 0) != (courier_wrap != NULL && courier_seed != NULL))
		return false;
	if (memcmp(h->slab, zeros, LARAS_UUID_LEN) == 0 && !laras_random_bytes(h->slab, LARAS_UUID_LEN))
		return false;
	if (!laras_slab_header_encode(h, image))
		return false;
	for (uint32_t i = 0; ok && i < LARAS_SLOTS_PER_SLAB; i++)
	{
		uint8_t *raw = image + LARAS_SLAB_HEADER_LEN + (size_t) i * LARAS_SLOT_LEN;
		bool courier;

		place.id = h->number * LARAS_SLOTS_PER_SLAB + i;
		courier = place.id == LARAS_SLOT_COURIER;
		ok = laras_random_bytes(secret, LARAS_KEY_LEN) &&
			 laras_slot_seal(&place, courier ? LARAS_DOMAIN_COURIER : LARAS_DOMAIN_CONTENT,
							 h->epoch, courier ? courier_wrap : content_wrap, NULL, secret, raw);
		if (ok && courier)
			memcpy(courier_seed, secret, LARAS_KEY_LEN);
	}
	laras_wipe(secret, sizeof(secret));
	return ok;
}

bool
laras_slab_install(int dirfd, uint32_t number, const uint8_t *image, bool replace,
				   LarasKeyError *err)
{
	char name[LARAS_SLAB_NAME_LEN];

	laras_slab_name(number, name);
	if (!replace && laras_file_exists(dirfd, name))
		return laras_keyerror(err, LARAS_KEYERR_DISAGREE, EEXIST, "slab exists");
	return laras_file_install(dirfd, name, image, LARAS_SLAB_LEN, err);
}

bool
laras_slab_open(int dirfd, const uint8_t keyring[LARAS_UUID_LEN], uint16_t keyring_number,
				uint32_t number, bool writable, LarasSlab *slab, LarasKeyError *err)
{
	char name[LARAS_SLAB_NAME_LEN];
	uint8_t block[LARAS_SLAB_HEADER_LEN];
	LarasSlabHeader h;
	struct stat st;
	int saved;

	slab->fd = -1;
	slab->number = number;
	laras_slab_name(number, name);
	slab->fd = openat(dirfd, name, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
	if (slab->fd < 0)
	{
		if (errno == ENOENT)
			return laras_keyerror(err, LARAS_KEYERR_ABSENT, errno, "slab missing");
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "opening a slab");
	}
	if (fstat(slab->fd, &st) != 0)
	{
		saved = errno;
		laras_slab_close(slab);
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, saved, "slab size");
	}
	if (!S_ISREG(st.st_mode) || st.st_size != LARAS_SLAB_LEN)
	{
		laras_slab_close(slab);
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "slab length");
	}
	if (!laras_pread_all(slab->fd, block, sizeof(block), 0))
	{
		saved = errno;
		laras_slab_close(slab);
		return laras_keyerror(err, saved == 0 ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR, saved,
							  "reading a slab header");
	}
	if (!laras_crypto_init())
	{
		laras_slab_close(slab);
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	}
	if (!laras_slab_header_decode(block, &h))
	{
		laras_slab_close(slab);
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "slab header");
	}
	if (memcmp(h.keyring, keyring, LARAS_UUID_LEN) != 0 || h.keyring_number != keyring_number ||
		h.number != number)
	{
		laras_slab_close(slab);
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "slab of another keyring or number");
	}
	memcpy(slab->slab, h.slab, LARAS_UUID_LEN);
	return true;
}

void
laras_slab_close(LarasSlab *slab)
{
	if (slab->fd >= 0)
		close(slab->fd);
	slab->fd = -1;
}

/* A slab that was truncated after it was opened is absent, however far in. */
static bool
whole(const LarasSlab *slab, uint32_t slot, LarasKeyError *err)
{
	struct stat st;

	if (LARAS_SLAB_OF(slot) != slab->number || slab->fd < 0)
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "slot of another slab");
	if (fstat(slab->fd, &st) != 0)
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "slab size");
	if (st.st_size != LARAS_SLAB_LEN)
		return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "slab length");
	return true;
}

static off_t
slot_offset(uint32_t slot)
{
	return LARAS_SLAB_HEADER_LEN + (off_t) LARAS_INDEX_OF(slot) * LARAS_SLOT_LEN;
}

bool
laras_slab_read(const LarasSlab *slab, uint32_t slot, uint8_t raw[LARAS_SLOT_LEN],
				LarasKeyError *err)
{
	if (!whole(slab, slot, err))
		return false;
	if (!laras_pread_all(slab->fd, raw, LARAS_SLOT_LEN, slot_offset(slot)))
		return laras_keyerror(err, errno == 0 ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR, errno,
							  "reading a slot");
	return true;
}

bool
laras_slab_write(const LarasSlab *slab, uint32_t slot, const uint8_t raw[LARAS_SLOT_LEN],
				 LarasKeyError *err)
{
	return laras_slab_write_some(slab, slot, 1, raw, err);
}

bool
laras_slab_write_some(const LarasSlab *slab, uint32_t first, uint32_t n, const uint8_t *raw,
					  LarasKeyError *err)
{
	if (!whole(slab, first, err))
		return false;
	if (!laras_pwrite_all(slab->fd, raw, (size_t) n * LARAS_SLOT_LEN, slot_offset(first)))
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "writing a slot");
	return true;
}

bool
laras_slab_sync(const LarasSlab *slab, LarasKeyError *err)
{
	if (!laras_sync_data(slab->fd))
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "sync of a slab");
	return true;
}

bool
laras_slab_read_some(const LarasSlab *slab, uint32_t first, uint32_t n, uint8_t *buf,
					 LarasKeyError *err)
{
	if (!whole(slab, first, err))
		return false;
	if (!laras_pread_all(slab->fd, buf, (size_t) n * LARAS_SLOT_LEN, slot_offset(first)))
		return laras_keyerror(err, errno == 0 ? LARAS_KEYERR_ABSENT : LARAS_KEYERR_MIRROR, errno,
							  "reading a slab");
	return true;
}

bool
laras_slab_read_all(const LarasSlab *slab, uint8_t *buf, LarasKeyError *err)
{
	return laras_slab_read_some(slab, slab->number * LARAS_SLOTS_PER_SLAB, LARAS_SLOTS_PER_SLAB,
								buf, err);
}

bool
laras_slab_read_back(int dirfd, const LarasSlab *slab, uint32_t slot, uint8_t raw[LARAS_SLOT_LEN],
					 bool *direct, LarasKeyError *err)
{
	uint8_t block[BLOCK] __attribute__((aligned(BLOCK)));
	char name[LARAS_SLAB_NAME_LEN];
	struct stat mine;
	struct stat theirs;
	off_t at = slot_offset(slot);
	int fd;

	*direct = false;
	if (!whole(slab, slot, err))
		return false;
	laras_slab_name(slab->number, name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
	{
		bool same = fstat(fd, &theirs) == 0 && fstat(slab->fd, &mine) == 0 &&
					mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino;
		ssize_t got = -1;

		if (same)
		{
			do
				got = pread(fd, block, BLOCK, at - at % BLOCK);
			while (got < 0 && errno == EINTR);
		}
		close(fd);
		if (!same)
			return laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "slab was replaced");
		if (got == BLOCK)
		{
			memcpy(raw, block + at % BLOCK, LARAS_SLOT_LEN);
			*direct = true;
			return true;
		}
	}
	/* No direct reading here: drop the pages, then read them in again. */
	if (!laras_sync_data(slab->fd))
		return laras_keyerror(err, LARAS_KEYERR_MIRROR, errno, "sync of a slab");
	(void) posix_fadvise(slab->fd, at - at % BLOCK, BLOCK, POSIX_FADV_DONTNEED);
	return laras_slab_read(slab, slot, raw, err);
}

/*
 * k = SHA-256("laras/1/scatter" || keyring uuid || u32 window); the rounds,
 * numbered 0 to 3: (L,R) -> (R, L xor SHA-256(k || u8 round || R)[0]), with L
 * the high byte going in and coming out.
 */
static bool
window_key(const uint8_t *keyring, uint32_t window, uint8_t k[LARAS_HASH_LEN])
{
	uint8_t w[4];
	LarasPiece pieces[3] = {{"laras/1/scatter", 15}, {keyring, LARAS_UUID_LEN}, {w, 4}};

	laras_put32(w, window);
	return laras_sha256(pieces, 3, k);
}

static bool
round_byte(const uint8_t *k, uint8_t round, uint8_t half, uint8_t *out)
{
	uint8_t tail[2] = {round, half};
	uint8_t sum[LARAS_HASH_LEN];
	LarasPiece pieces[2] = {{k, LARAS_HASH_LEN}, {tail, 2}};

	if (!laras_sha256(pieces, 2, sum))
		return false;
	*out = sum[0];
	return true;
}

bool
laras_position_slot(const uint8_t keyring[LARAS_UUID_LEN], uint64_t position, uint32_t *slot)
{
	uint8_t k[LARAS_HASH_LEN];
	uint8_t left = (uint8_t) (position >> 8);
	uint8_t right = (uint8_t) position;

	if (position >= (uint64_t) UINT32_MAX + 1 - WINDOW ||
		!window_key(keyring, (uint32_t) (position / WINDOW), k))
		return false;
	for (uint8_t round = 0; round < 4; round++)
	{
		uint8_t f;
		uint8_t was_left = left;

		if (!round_byte(k, round, right, &f))
			return false;
		left = right;
		right = was_left ^ f;
	}
	*slot = WINDOW * (1 + (uint32_t) (position / WINDOW)) + ((uint32_t) left << 8 | right);
	return true;
}

bool
laras_slot_position(const uint8_t keyring[LARAS_UUID_LEN], uint32_t slot, uint64_t *position)
{
	uint8_t k[LARAS_HASH_LEN];
	uint8_t left = (uint8_t) (slot >> 8);
	uint8_t right = (uint8_t) slot;
	uint32_t window;

	if (slot < WINDOW)
		return false;
	window = slot / WINDOW - 1;
	if (!window_key(keyring, window, k))
		return false;
	for (int round = 3; round >= 0; round--)
	{
		uint8_t f;
		uint8_t was_right = right;

		if (!round_byte(k, (uint8_t) round, left, &f))
			return false;
		right = left;
		left = was_right ^ f;
	}
	*position = (uint64_t) window * WINDOW + ((uint32_t) left << 8 | right);
	return true;
}
