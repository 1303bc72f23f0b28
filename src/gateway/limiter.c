/*
 * limiter.c
 *		How often one client may guess: a table of fixed size in shared memory.
 *
 * A client is an IPv4 address or the first 64 bits of an IPv6 address, known
 * here by a hash under a key made at the start of the server. An entry holds
 * the moment at which all that the client was charged is used up; an entry of
 * the past says nothing and is free. Clients whose hash falls into one set
 * share its places: the one that was charged least gives way, so that the table
 * never grows and a busy one forgets the lightest first.
 *
 * Time is the real clock: a limit is not a rule of the product.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/ip.h"
#include "gateway/gateway.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#define SETS 1024
#define WAYS 4

/* what a charge costs, and how much may be owed at a time: 20 guesses at once, then one in 3 s */
#define CHARGE_US INT64CONST(3000000)
#define MOST_US (20 * CHARGE_US)

typedef struct Entry
{
	uint64 client; /* 0: never used */
	int64 paid_at; /* microseconds, as TimestampTz */
} Entry;

typedef struct Limiter
{
	slock_t lock;
	uint64 seed;
	Entry entries[SETS][WAYS];
} Limiter;

static Limiter *limiter = NULL;
static char *client_address_header = NULL;

void
laras_gateway_init(void)
{
	DefineCustomStringVariable(
		"laras.client_address_header",
		"Header in which the proxy in front of the relay names the client's address.",
		"Set it only where every request comes through a proxy that overwrites that header. "
		"Empty: the relay's own peer is the client.",
		&client_address_header, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void
laras_limiter_shmem_request(void)
{
	RequestAddinShmemSpace(sizeof(Limiter));
}

void
laras_limiter_shmem_startup(void)
{
	bool found;

	limiter = ShmemInitStruct("laras limiter", sizeof(Limiter), &found);
	if (found)
		return;
	memset(limiter, 0, sizeof(Limiter));
	SpinLockInit(&limiter->lock);
	if (!pg_strong_random(&limiter->seed, sizeof(limiter->seed)))
		elog(FATAL, "could not make a random number");
}

/* Bytes that stand for a client; 0: no address is known. */
static int
client_of(const LarasHttp *h, uint8 out[9])
{
	const inet *peer = h->peer;
	bool v6;

	if (client_address_header != NULL && client_address_header[0] != '\0')
	{
		LarasText value = laras_http_header(h, client_address_header);
		uint8 bits[16];
		char text[64];

		if (value.s == NULL || value.n == 0 || value.n >= sizeof(text))
			return 0;
		memcpy(text, value.s, value.n);
		text[value.n] = '\0';
		if (pg_inet_net_pton(PGSQL_AF_INET, text, bits, -1) == 32)
			v6 = false;
		else if (pg_inet_net_pton(PGSQL_AF_INET6, text, bits, -1) == 128)
			v6 = true;
		else
			return 0;
		out[0] = v6;
		memcpy(out + 1, bits, v6 ? 8 : 4);
		return v6 ? 9 : 5;
	}
	if (peer == NULL)
		return 0;
	v6 = ip_family(peer) == PGSQL_AF_INET6;
	out[0] = v6;
	memcpy(out + 1, ip_addr(peer), v6 ? 8 : 4);
	return v6 ? 9 : 5;
}

/* The client's entry under the lock, or the one of its set that it may take. */
static Entry *
find(uint64 client)
{
	Entry *set = limiter->entries[client % SETS];
	Entry *least = &set[0];

	for (int i = 0; i < WAYS; i++)
	{
		if (set[i].client == client)
			return &set[i];
		if (set[i].paid_at < least->paid_at)
			least = &set[i];
	}
	return least;
}

static bool
known(const LarasHttp *h, uint64 *client)
{
	uint8 bytes[9];
	int n = limiter == NULL ? 0 : client_of(h, bytes);

	if (n == 0)
		return false;
	*client = hash_bytes_extended(bytes, n, limiter->seed);
	if (*client == 0)
		*client = 1;
	return true;
}

int
laras_limiter_wait(const LarasHttp *h)
{
	int64 now = GetCurrentTimestamp();
	int64 over = 0;
	uint64 client;
	Entry *entry;

	if (!known(h, &client))
		return 0;
	SpinLockAcquire(&limiter->lock);
	entry = find(client);
	if (entry->client == client)
		over = entry->paid_at - now - (MOST_US - CHARGE_US);
	SpinLockRelease(&limiter->lock);
	return over <= 0 ? 0 : (int) ((over + 999999) / 1000000);
}

void
laras_limiter_charge(const LarasHttp *h)
{
	int64 now = GetCurrentTimestamp();
	uint64 client;
	Entry *entry;

	if (!known(h, &client))
		return;
	SpinLockAcquire(&limiter->lock);
	entry = find(client);
	if (entry->client != client || entry->paid_at < now)
		entry->paid_at = now;
	entry->client = client;
	entry->paid_at = Min(entry->paid_at + CHARGE_US, now + MOST_US);
	SpinLockRelease(&limiter->lock);
}
