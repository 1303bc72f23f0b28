/*
 * mirror.c
 *		The set of mirrors of one keyring, as one process sees it.
 */
#include "vault/mirror.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define REREADS 8

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
		   c == '_';
}

/* One "name=path" without surrounding blanks. */
static bool
parse_mirror(const char *p, size_t n, LarasMirrors *m)
{
	LarasMirror *mirror;
	const char *equals = memchr(p, '=', n);
	size_t name_len;
	size_t path_len;
	const char *path;

	if (equals == NULL || m->n == LARAS_MAX_MIRRORS)
		return false;
	name_len = (size_t) (equals - p);
	path = equals + 1;
	path_len = n - name_len - 1;
	while (path_len > 1 && path[path_len - 1] == '/')
		path_len--;
	if (name_len == 0 || name_len >= LARAS_MIRROR_NAME || path_len < 2 ||
		path_len >= LARAS_MIRROR_PATH || path[0] != '/')
		return false;
	for (size_t i = 0; i < name_len; i++)
		if (!is_name_char(p[i]))
			return false;
	mirror = &m->mirror[m->n];
	memcpy(mirror->name, p, name_len);
	mirror->name[name_len] = '\0';
	memcpy(mirror->path, path, path_len);
	mirror->path[path_len] = '\0';
	for (int i = 0; i < m->n; i++)
		if (strcmp(m->mirror[i].name, mirror->name) == 0 ||
			strcmp(m->mirror[i].path, mirror->path) == 0)
			return false;
	m->n++;
	return true;
}

static void
clear_open_slabs(LarasMirror *mirror)
{
	for (int i = 0; i < LARAS_MIRROR_OPEN_SLABS; i++)
		mirror->open[i].fd = -1;
}

bool
laras_mirrors_parse(const char *setting, LarasMirrors *m, LarasKeyError *err)
{
	const char *p = setting;

	memset(m, 0, sizeof(*m));
	for (int i = 0; i < LARAS_MAX_MIRRORS; i++)
	{
		m->mirror[i].dirfd = -1;
		clear_open_slabs(&m->mirror[i]);
	}
	for (;;)
	{
		const char *comma = strchr(p, ',');
		size_t n = comma != NULL ? (size_t) (comma - p) : strlen(p);

		while (n > 0 && isspace((unsigned char) *p))
			p++, n--;
		while (n > 0 && isspace((unsigned char) p[n - 1]))
			n--;
		if (!parse_mirror(p, n, m))
			return laras_keyerror(err, LARAS_KEYERR_UNSAFE, 0, "list of keyring directories");
		if (comma == NULL)
			return true;
		p = comma + 1;
	}
}

void
laras_mirrors_forget(LarasMirrors *m)
{
	for (int i = 0; i < m->n; i++)
		for (int j = 0; j < LARAS_MIRROR_OPEN_SLABS; j++)
			laras_slab_close(&m->mirror[i].open[j]);
}

void
laras_mirrors_close(LarasMirrors *m)
{
	laras_mirrors_forget(m);
	for (int i = 0; i < m->n; i++)
	{
		if (m->mirror[i].dirfd >= 0)
			close(m->mirror[i].dirfd);
		m->mirror[i].dirfd = -1;
	}
}

bool
laras_mirrors_open(LarasMirrors *m, uint16_t number, LarasKeyring *k, LarasMirrorMask *opened,
				   LarasKeyError *err)
{
	LarasKeyError first = LARAS_KEYERROR_INIT;
	bool have = false;

	*opened = 0;
	m->number = number;
	for (int i = 0; i < m->n; i++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		LarasKeyring own;
		int fd = laras_keyring_directory(m->mirror[i].path, number, &why);

		if (fd >= 0 && !laras_keyring_read(fd, &own, &why))
		{
			close(fd);
			fd = -1;
		}
		if (fd >= 0 && own.number != number)
		{
			laras_keyerror(&why, LARAS_KEYERR_DISAGREE, 0, "keyring of another number");
			close(fd);
			fd = -1;
		}
		if (fd >= 0 && have && memcmp(own.uuid, k->uuid, LARAS_UUID_LEN) != 0)
		{
			laras_keyerror(&why, LARAS_KEYERR_DISAGREE, 0, "mirror of another keyring");
			close(fd);
			fd = -1;
		}
		if (fd < 0)
		{
			if (first.code == LARAS_KEYERR_NONE)
			{
				first = why;
				first.mirror = i;
			}
			continue;
		}
		m->mirror[i].dirfd = fd;
		*opened |= (LarasMirrorMask) 1 << i;
		if (!have)
		{
			*k = own;
			memcpy(m->keyring, own.uuid, LARAS_UUID_LEN);
			have = true;
		}
	}
	if (err != NULL)
		*err = first;
	return have;
}

/* The open slab of a mirror, from the few that are kept; NULL with err. */
static const LarasSlab *
get_slab(LarasMirrors *m, int mirror, uint32_t number, LarasKeyError *err)
{
	LarasMirror *mi = &m->mirror[mirror];
	LarasSlab *slab = &mi->open[number % LARAS_MIRROR_OPEN_SLABS];

	if (slab->fd >= 0 && slab->number == number)
		return slab;
	laras_slab_close(slab);
	if (mi->dirfd < 0)
	{
		laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "mirror is not open");
		return NULL;
	}
	return laras_slab_open(mi->dirfd, m->keyring, m->number, number, false, slab, err) ? slab
																					   : NULL;
}

/* Raw bytes of a slot; a descriptor that went stale is opened once more. */
static const LarasSlab *
read_raw(LarasMirrors *m, int mirror, uint32_t slot, uint8_t *raw, LarasKeyError *err)
{
	for (int try = 0; try < 2; try++)
	{
		const LarasSlab *slab = get_slab(m, mirror, LARAS_SLAB_OF(slot), err);

		if (slab == NULL)
			return NULL;
		if (laras_slab_read(slab, slot, raw, err))
			return slab;
		laras_slab_close((LarasSlab *) slab);
	}
	return NULL;
}

static void
note(LarasKeyError *err, const LarasKeyError *why, int mirror, uint32_t slot)
{
	if (err == NULL || err->code != LARAS_KEYERR_NONE)
		return;
	*err = *why;
	err->mirror = mirror;
	err->slot = slot;
}

LarasSlotState
laras_mirrors_look(LarasMirrors *m, int mirror, uint32_t slot, uint8_t raw[LARAS_SLOT_LEN],
				   LarasTomb *tomb, LarasKeyError *err)
{
	LarasKeyError why = LARAS_KEYERROR_INIT;
	const LarasSlab *slab = read_raw(m, mirror, slot, raw, &why);
	LarasSlotPlace place = {m->keyring, NULL, slot};

	if (err != NULL)
		err->code = LARAS_KEYERR_NONE;
	if (slab == NULL)
	{
		note(err, &why, mirror, slot);
		return LARAS_SLOT_ABSENT;
	}
	place.slab = slab->slab;
	return laras_slot_look(&place, raw, tomb);
}

LarasSlotState
laras_mirrors_read(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot, const LarasWrapSet *keys,
				   uint8_t domain, uint8_t secret[LARAS_KEY_LEN], LarasMirrorMask *repair,
				   LarasKeyError *err)
{
	LarasSlotState best = LARAS_SLOT_ABSENT;
	bool seen = false;

	*repair = 0;
	if (err != NULL)
		err->code = LARAS_KEYERR_NONE;
	for (int i = 0; i < m->n; i++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		uint8_t raw[LARAS_SLOT_LEN];
		const LarasSlab *slab;
		LarasSlotState state = LARAS_SLOT_ABSENT;

		if ((mask & (LarasMirrorMask) 1 << i) == 0)
			continue;
		slab = read_raw(m, i, slot, raw, &why);
		if (slab != NULL)
		{
			LarasSlotPlace place = {m->keyring, slab->slab, slot};

			state = laras_slot_open(&place, raw, keys, domain, secret);
			/* half of what is just being written is no damage: look again */
			for (int again = 0; state == LARAS_SLOT_DAMAGED && again < REREADS; again++)
			{
				uint8_t seen[LARAS_SLOT_LEN];

				memcpy(seen, raw, LARAS_SLOT_LEN);
				if (!laras_slab_read(slab, slot, raw, &why) ||
					memcmp(seen, raw, LARAS_SLOT_LEN) == 0)
					break;
				state = laras_slot_open(&place, raw, keys, domain, secret);
			}
			if (state == LARAS_SLOT_LIVE || state == LARAS_SLOT_DESTROYED)
				return state;
			if (state == LARAS_SLOT_DAMAGED)
				laras_keyerror(&why, LARAS_KEYERR_DAMAGED, 0, "slot damaged");
			else
				laras_keyerror(&why, LARAS_KEYERR_MASTER_KEY, 0,
							   "no key of the slot's epoch and domain");
		}
		note(err, &why, i, slot);
		*repair |= (LarasMirrorMask) 1 << i;
		/* Of several troubles tell the one that knows most: see LarasSlotState. */
		if (!seen || state == LARAS_SLOT_WRAPPED ||
			(state == LARAS_SLOT_DAMAGED && best == LARAS_SLOT_ABSENT))
			best = state;
		seen = true;
	}
	if (!seen && err != NULL)
		laras_keyerror(err, LARAS_KEYERR_ABSENT, 0, "no mirror in sync");
	return best;
}

bool
laras_mirrors_read_lease(const LarasMirrors *m, LarasMirrorMask mask, LarasLease *lease,
						 LarasKeyError *err)
{
	bool have = false;

	if (err != NULL)
		err->code = LARAS_KEYERR_NONE;
	for (int i = 0; i < m->n; i++)
	{
		LarasLease own;
		LarasKeyError why = LARAS_KEYERROR_INIT;

		if ((mask & (LarasMirrorMask) 1 << i) == 0 || m->mirror[i].dirfd < 0)
			continue;
		if (!laras_lease_read(m->mirror[i].dirfd, &own, &why))
		{
			note(err, &why, i, LARAS_KEYERR_NO_SLOT_ID);
			continue;
		}
		*lease = have ? laras_lease_merge(lease, &own) : own;
		have = true;
	}
	return have;
}

LarasMirrorMask
laras_mirrors_lease(const LarasMirrors *m, LarasMirrorMask mask, LarasLease *lease,
					LarasKeyError *err)
{
	LarasMirrorMask done = 0;
	LarasLease stored;
	LarasLease next;
	uint8_t bytes[LARAS_MAX_MIRRORS][LARAS_LEASE_LEN];
	uint8_t wanted[LARAS_LEASE_LEN];
	bool same[LARAS_MAX_MIRRORS]; /* bytes were read */
	int model = -1;

	if (!laras_mirrors_read_lease(m, mask, &stored, err))
		return 0;
	if (lease->next_position < stored.next_position)
	{
		laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "lease would go back");
		return 0;
	}
	if (lease->generation < stored.generation)
		lease->generation = stored.generation;
	next = *lease;
	next.generation++;
	for (int i = 0; i < m->n; i++)
		same[i] = (mask & (LarasMirrorMask) 1 << i) != 0 && m->mirror[i].dirfd >= 0 &&
				  laras_lease_bytes(m->mirror[i].dirfd, bytes[i], NULL);

	/* one that is up to date is written in its turn and shows the others what to be */
	for (int i = 0; i < m->n && model < 0; i++)
	{
		LarasLease own;
		LarasKeyError why = LARAS_KEYERROR_INIT;

		if (!same[i] || !laras_lease_read(m->mirror[i].dirfd, &own, &why) ||
			own.generation != lease->generation)
			continue;
		own = *lease;
		if (laras_lease_write(m->mirror[i].dirfd, &own, &why) &&
			laras_lease_bytes(m->mirror[i].dirfd, wanted, &why))
		{
			model = i;
			done |= (LarasMirrorMask) 1 << i;
		}
		else
		{
			note(err, &why, i, LARAS_KEYERR_NO_SLOT_ID);
			mask &= ~((LarasMirrorMask) 1 << i);
		}
	}
	for (int i = 0; i < m->n; i++)
	{
		LarasLease own = *lease;
		LarasKeyError why = LARAS_KEYERROR_INIT;
		bool ok;

		if (i == model || (mask & (LarasMirrorMask) 1 << i) == 0 || m->mirror[i].dirfd < 0)
			continue;
		if (model < 0)
			ok = laras_lease_create(m->mirror[i].dirfd, &next, &why);
		else if (same[i] && memcmp(bytes[i], bytes[model], LARAS_LEASE_LEN) == 0)
			ok = laras_lease_write(m->mirror[i].dirfd, &own, &why);
		else
			ok = laras_lease_copy(m->mirror[i].dirfd, wanted, &why);
		if (ok)
			done |= (LarasMirrorMask) 1 << i;
		else
			note(err, &why, i, LARAS_KEYERR_NO_SLOT_ID);
	}
	if (done != 0)
		*lease = next;
	return done;
}

bool
laras_mirrors_prepare(LarasMirrors *m, int mirror, uint32_t slab, LarasGrave *grave,
					  LarasKeyError *err)
{
	bool ok;

	grave->mirror = mirror;
	grave->slab.fd = -1;
	if (!laras_crypto_init())
		return laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	if (m->mirror[mirror].dirfd < 0)
		ok = laras_keyerror(err, LARAS_KEYERR_MIRROR, 0, "mirror is not open");
	else
		ok = laras_slab_open(m->mirror[mirror].dirfd, m->keyring, m->number, slab, true,
							 &grave->slab, err);
	if (!ok && err != NULL)
		err->mirror = mirror;
	return ok;
}

bool
laras_mirrors_bury(const LarasMirrors *m, const LarasGrave *grave, uint32_t slot,
				   const LarasTomb *tomb, LarasKeyError *err)
{
	LarasSlotPlace place = {m->keyring, grave->slab.slab, slot};
	uint8_t raw[LARAS_SLOT_LEN];
	bool ok;

	if (!laras_slot_bury(&place, tomb, raw))
		ok = laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
	else
		ok = laras_slab_write(&grave->slab, slot, raw, err);
	if (!ok && err != NULL)
	{
		err->mirror = grave->mirror;
		err->slot = slot;
	}
	return ok;
}

bool
laras_mirrors_sync(const LarasGrave *grave, LarasKeyError *err)
{
	bool ok = laras_slab_sync(&grave->slab, err);

	if (!ok && err != NULL)
		err->mirror = grave->mirror;
	return ok;
}

bool
laras_mirrors_verify(const LarasMirrors *m, const LarasGrave *grave, uint32_t slot, bool *direct,
					 LarasKeyError *err)
{
	LarasSlotPlace place = {m->keyring, grave->slab.slab, slot};
	uint8_t raw[LARAS_SLOT_LEN];
	bool ok;

	ok = laras_slab_read_back(m->mirror[grave->mirror].dirfd, &grave->slab, slot, raw, direct, err);
	if (ok && laras_slot_look(&place, raw, NULL) != LARAS_SLOT_DESTROYED)
		ok = laras_keyerror(err, LARAS_KEYERR_DAMAGED, 0, "no tomb on the medium");
	if (!ok && err != NULL)
	{
		err->mirror = grave->mirror;
		err->slot = slot;
	}
	return ok;
}

void
laras_mirrors_release(LarasGrave *grave)
{
	laras_slab_close(&grave->slab);
}

/* Write 64 bytes in one mirror and sync; tomb NULL: raw, which spares tombs. */
static bool
write_one(LarasMirrors *m, int mirror, uint32_t slot, const LarasTomb *tomb, const uint8_t *raw,
		  LarasKeyError *err)
{
	LarasGrave grave;
	uint8_t stored[LARAS_SLOT_LEN];
	LarasSlotPlace place = {m->keyring, grave.slab.slab, slot};
	bool ok;

	if (!laras_mirrors_prepare(m, mirror, LARAS_SLAB_OF(slot), &grave, err))
		return false;
	ok = laras_slab_read(&grave.slab, slot, stored, err);
	if (ok && laras_slot_look(&place, stored, NULL) == LARAS_SLOT_DESTROYED)
	{
		if (tomb == NULL && memcmp(stored, raw, LARAS_SLOT_LEN) != 0)
			ok = laras_keyerror(err, LARAS_KEYERR_DISAGREE, 0, "slot is destroyed");
		else
			ok = laras_mirrors_sync(&grave, err);
	}
	else if (ok && tomb != NULL)
		ok = laras_mirrors_bury(m, &grave, slot, tomb, err) && laras_mirrors_sync(&grave, err);
	else if (ok)
		ok = laras_slab_write(&grave.slab, slot, raw, err) && laras_mirrors_sync(&grave, err);
	laras_mirrors_release(&grave);
	return ok;
}

static LarasMirrorMask
write_all(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot, const LarasTomb *tomb,
		  const uint8_t *raw, LarasKeyError *err)
{
	LarasMirrorMask done = 0;

	if (err != NULL)
		err->code = LARAS_KEYERR_NONE;
	for (int i = 0; i < m->n; i++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;

		if ((mask & (LarasMirrorMask) 1 << i) == 0)
			continue;
		if (write_one(m, i, slot, tomb, raw, &why))
			done |= (LarasMirrorMask) 1 << i;
		else
			note(err, &why, i, slot);
	}
	return done;
}

LarasMirrorMask
laras_mirrors_destroy(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot, const LarasTomb *tomb,
					  LarasKeyError *err)
{
	return write_all(m, mask, slot, tomb, NULL, err);
}

LarasMirrorMask
laras_mirrors_write(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot,
					const uint8_t raw[LARAS_SLOT_LEN], LarasKeyError *err)
{
	return write_all(m, mask, slot, NULL, raw, err);
}

LarasSlotState
laras_mirrors_repair(LarasMirrors *m, LarasMirrorMask mask, uint32_t slot, const LarasWrapSet *keys,
					 const LarasTomb *order, LarasKeyError *err)
{
	uint8_t won[LARAS_SLOT_LEN];
	uint8_t slab_uuid[LARAS_UUID_LEN];
	bool have = false;
	LarasSlotState state = LARAS_SLOT_ABSENT;
	LarasMirrorMask there = 0;
	LarasKeyErrorCode trouble = LARAS_KEYERR_NONE;
	LarasSlotPlace place = {m->keyring, slab_uuid, slot};

	if (err != NULL)
		err->code = LARAS_KEYERR_NONE;
	for (int i = 0; i < m->n; i++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		uint8_t raw[LARAS_SLOT_LEN];
		const LarasSlab *slab;
		LarasMerge merge;
		bool several;

		if ((mask & (LarasMirrorMask) 1 << i) == 0)
			continue;
		slab = read_raw(m, i, slot, raw, &why);
		if (slab == NULL)
		{
			note(err, &why, i, slot);
			continue;
		}
		if (have && memcmp(slab->slab, slab_uuid, LARAS_UUID_LEN) != 0)
		{
			laras_keyerror(&why, LARAS_KEYERR_DISAGREE, 0, "slabs of two births");
			note(err, &why, i, slot);
			return LARAS_SLOT_DAMAGED;
		}
		memcpy(slab_uuid, slab->slab, LARAS_UUID_LEN);
		there |= (LarasMirrorMask) 1 << i;
		several = have;
		merge = laras_slot_merge(&place, have ? won : NULL, raw, keys, &state);
		if (!have || merge == LARAS_MERGE_TAKE_B)
			memcpy(won, raw, LARAS_SLOT_LEN);
		have = true;
		/* A tomb that comes later settles what a key or a person would have to. */
		if (state == LARAS_SLOT_DESTROYED)
			trouble = LARAS_KEYERR_NONE;
		else if (merge == LARAS_MERGE_CONFLICT)
			trouble = LARAS_KEYERR_DISAGREE;
		else if (merge == LARAS_MERGE_NEEDS_KEY && several && trouble == LARAS_KEYERR_NONE)
			trouble = LARAS_KEYERR_MASTER_KEY;
	}
	if (!have)
		return LARAS_SLOT_ABSENT;
	if (trouble != LARAS_KEYERR_NONE && order == NULL)
	{
		laras_keyerror(err, trouble, 0,
					   trouble == LARAS_KEYERR_DISAGREE ? "two live slots, two secrets"
														: "no key to tell");
		if (err != NULL)
			err->slot = slot;
		return trouble == LARAS_KEYERR_DISAGREE ? LARAS_SLOT_DAMAGED : LARAS_SLOT_WRAPPED;
	}
	if (laras_slot_open(&place, won, keys, 0, NULL) != LARAS_SLOT_DESTROYED && order != NULL &&
		!laras_slot_bury(&place, order, won))
	{
		laras_keyerror(err, LARAS_KEYERR_CRYPTO, 0, "crypto library");
		return LARAS_SLOT_DAMAGED;
	}
	state = laras_slot_open(&place, won, keys, 0, NULL);
	if (state == LARAS_SLOT_WRAPPED && laras_slot_is_void(&place, won, keys))
		state = LARAS_SLOT_DAMAGED;
	if (state != LARAS_SLOT_LIVE && state != LARAS_SLOT_DESTROYED)
		return state;

	/* A tomb overwrites another tomb too, so that mirrors become identical. */
	for (int i = 0; i < m->n; i++)
	{
		LarasKeyError why = LARAS_KEYERROR_INIT;
		LarasGrave grave;
		uint8_t raw[LARAS_SLOT_LEN];
		bool ok;

		if ((there & (LarasMirrorMask) 1 << i) == 0)
			continue;
		ok = laras_mirrors_prepare(m, i, LARAS_SLAB_OF(slot), &grave, &why);
		if (ok)
		{
			ok = laras_slab_read(&grave.slab, slot, raw, &why);
			if (ok && memcmp(raw, won, LARAS_SLOT_LEN) != 0)
				ok = laras_slab_write(&grave.slab, slot, won, &why);
			ok = ok && laras_mirrors_sync(&grave, &why);
			laras_mirrors_release(&grave);
		}
		if (!ok)
			note(err, &why, i, slot);
	}
	return state;
}
