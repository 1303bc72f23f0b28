/*
 * vectors.c
 *		Prints the test vectors of the vault: "name value" lines, one a vector.
 *
 * The inputs are fixed here and, independently, in test/vectors/vault.pl; the
 * two outputs must be the same, and contain the published bytes.  A line is
 * added, never changed: a changed line means that stored values no longer open.
 */
#include "vault/vectors.h"

#include <stdio.h>
#include <string.h>

#include "vault/bytes.h"
#include "vault/derive.h"
#include "vault/journal.h"
#include "vault/keyringfile.h"
#include "vault/lease.h"
#include "vault/numbers.h"
#include "vault/sealedbytes.h"
#include "vault/slab.h"

#define W_SLOT 65536
#define S_SLOT 70000
#define EPOCH 1
#define NEW_YEAR INT64_C(1767225600000000) /* 2026-01-01 00:00 UTC */

static uint8_t master[32];
static uint8_t secret_w[32];
static uint8_t secret_s[32];
static uint8_t secret_p[32];
static uint8_t keyring[16];
static uint8_t slab[16];
static uint8_t nonce[12];
static uint8_t order[16];
static uint8_t courier_seed[32];
static uint8_t ephemeral_seed[32];

static bool all_good;

static void
hex(const char *name, const uint8_t *p, size_t n)
{
	printf("%s ", name);
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('\n');
}

static void
must(bool ok)
{
	all_good = all_good && ok;
}

static void
print_tree(uint8_t prk_ws[32], uint8_t prk_pw[32], uint8_t wrap[2][32])
{
	uint8_t prk_p[32];
	uint8_t out[32];

	must(laras_derive_wrap(master, LARAS_DOMAIN_CONTENT, keyring, EPOCH, wrap[0]));
	hex("wrap.content", wrap[0], 32);
	must(laras_derive_wrap(master, LARAS_DOMAIN_COURIER, keyring, EPOCH, wrap[1]));
	hex("wrap.courier", wrap[1], 32);
	must(laras_derive_check(master, keyring, EPOCH, out));
	hex("check", out, LARAS_CHECK_LEN);
	must(laras_derive_prk(secret_w, secret_s, prk_ws));
	hex("prk.ws", prk_ws, 32);
	must(laras_derive_seal(prk_ws, keyring, W_SLOT, S_SLOT, out));
	hex("seal", out, 32);
	must(laras_derive_salt(prk_ws, keyring, W_SLOT, S_SLOT, out));
	hex("salt", out, 32);
	must(laras_derive_prk(secret_p, secret_w, prk_pw));
	hex("prk.pw", prk_pw, 32);
	must(laras_derive_index(prk_pw, keyring, W_SLOT, 1, out));
	hex("index", out, 32);
	must(laras_derive_search(prk_pw, keyring, W_SLOT, 1, out));
	hex("search", out, 32);
	must(laras_derive_callback(prk_pw, keyring, W_SLOT, out));
	hex("callback", out, 32);
	must(laras_derive_optout(prk_pw, keyring, W_SLOT, out));
	hex("optout", out, 32);
	must(laras_derive_platform_prk(keyring, secret_p, prk_p));
	hex("prk.p", prk_p, 32);
	must(laras_derive_route(prk_p, out));
	hex("route", out, 32);
	must(laras_derive_login(prk_p, out));
	hex("login", out, 32);
	must(laras_derive_authorizer(prk_p, out));
	hex("authorizer", out, 32);
}

static void
print_slots(uint8_t wrap[2][32])
{
	LarasSlotPlace subject = {keyring, slab, S_SLOT};
	LarasSlotPlace courier = {keyring, slab, LARAS_SLOT_COURIER};
	LarasTomb tomb = {.reason = LARAS_REASON_ERASURE, .time = NEW_YEAR};
	uint8_t raw[LARAS_SLOT_LEN];
	uint8_t next_master[LARAS_KEY_LEN];
	uint8_t next[LARAS_KEY_LEN];
	uint8_t check[LARAS_CHECK_LEN];

	memset(next_master, 0x07, sizeof(next_master));
	memcpy(tomb.order, order, sizeof(order));
	must(laras_slot_seal(&subject, LARAS_DOMAIN_CONTENT, EPOCH, wrap[0], nonce, secret_s, raw));
	hex("slot.live", raw, sizeof(raw));
	must(laras_slot_seal(&courier, LARAS_DOMAIN_COURIER, EPOCH, wrap[1], nonce, courier_seed, raw));
	hex("slot.courier", raw, sizeof(raw));
	must(laras_slot_bury(&subject, &tomb, raw));
	hex("slot.destroyed", raw, sizeof(raw));

	/* the same slot after a rotation: another master key, the next epoch, the same secret */
	must(laras_derive_wrap(next_master, LARAS_DOMAIN_CONTENT, keyring, EPOCH + 1, next));
	hex("next.wrap.content", next, sizeof(next));
	must(laras_derive_check(next_master, keyring, EPOCH + 1, check));
	hex("next.check", check, sizeof(check));
	must(laras_slot_seal(&subject, LARAS_DOMAIN_CONTENT, EPOCH + 1, next, nonce, secret_s, raw));
	hex("next.slot.live", raw, sizeof(raw));
}

static void
print_state(const char *name, const uint8_t *raw, uint32_t id, const LarasWrapSet *keys)
{
	LarasSlotPlace place = {keyring, slab, id};
	const char *word = "damaged";

	switch (laras_slot_open(&place, raw, keys, LARAS_DOMAIN_CONTENT, NULL))
	{
		case LARAS_SLOT_LIVE:
			word = "live";
			break;
		case LARAS_SLOT_DESTROYED:
			word = "destroyed";
			break;
		case LARAS_SLOT_WRAPPED:
			word = "wrapped";
			break;
		case LARAS_SLOT_DAMAGED:
		case LARAS_SLOT_ABSENT:
			break;
	}
	printf("state.%s %s\n", name, word);
}

/* A mark for each reason, and what every kind of 64 bytes is taken for. */
static void
print_states(uint8_t wrap[2][32])
{
	LarasSlotPlace subject = {keyring, slab, S_SLOT};
	LarasTomb tomb = {.time = NEW_YEAR};
	LarasWrapSet keys = {.n = 1};
	uint8_t live[LARAS_SLOT_LEN];
	uint8_t mark[LARAS_SLOT_LEN];
	uint8_t raw[LARAS_SLOT_LEN];
	char name[32];

	keys.wrap[0].domain = LARAS_DOMAIN_CONTENT;
	keys.wrap[0].epoch = EPOCH;
	memcpy(keys.wrap[0].key, wrap[0], LARAS_KEY_LEN);
	memcpy(tomb.order, order, sizeof(order));
	must(laras_slot_seal(&subject, LARAS_DOMAIN_CONTENT, EPOCH, wrap[0], nonce, secret_s, live));
	for (uint8_t reason = LARAS_REASON_ERASURE; reason <= LARAS_REASON_ROLLED_BACK; reason++)
	{
		tomb.reason = reason;
		must(laras_slot_bury(&subject, &tomb, raw));
		snprintf(name, sizeof(name), "mark.%u", reason);
		hex(name, raw, sizeof(raw));
		if (reason == LARAS_REASON_ERASURE)
			memcpy(mark, raw, sizeof(mark));
	}
	print_state("live", live, S_SLOT, &keys);
	print_state("mark", mark, S_SLOT, &keys);
	memset(raw, 0, sizeof(raw));
	print_state("zeros", raw, S_SLOT, &keys);
	memset(raw, 0xFF, sizeof(raw));
	print_state("ones", raw, S_SLOT, &keys);
	print_state("live.elsewhere", live, S_SLOT + 1, &keys);
	print_state("mark.elsewhere", mark, S_SLOT + 1, &keys);
	memcpy(raw, live, 32);
	memcpy(raw + 32, mark + 32, 32);
	print_state("torn.live.mark", raw, S_SLOT, &keys);
	memcpy(raw, mark, 32);
	memcpy(raw + 32, live + 32, 32);
	print_state("torn.mark.live", raw, S_SLOT, &keys);
	memcpy(raw, live, sizeof(raw));
	raw[63] ^= 1;
	print_state("live.flipped", raw, S_SLOT, &keys);
	memcpy(raw, mark, sizeof(raw));
	raw[63] ^= 1;
	print_state("mark.flipped", raw, S_SLOT, &keys);
	memcpy(raw, live, sizeof(raw));
	raw[3] = EPOCH + 1;
	print_state("epoch.other", raw, S_SLOT, &keys);
	raw[3] = 0;
	print_state("epoch.none", raw, S_SLOT, &keys);
	memcpy(raw, live, sizeof(raw));
	raw[1] = LARAS_DOMAIN_COURIER;
	print_state("domain.other", raw, S_SLOT, &keys);
	raw[1] = 3;
	print_state("domain.none", raw, S_SLOT, &keys);
}

static void
print_values(const uint8_t *prk_ws)
{
	LarasSealedHeader h = {.field = LARAS_FIELD_message_body,
						   .keyring = 0,
						   .w = W_SLOT,
						   .s = S_SLOT};
	uint8_t key[32];
	uint8_t courier_public[32];
	uint8_t shared[32];
	uint8_t out[512];

	must(laras_derive_seal(prk_ws, keyring, W_SLOT, S_SLOT, key));
	must(laras_sealed_seal(key, &h, 7, 4242, "halo", 4, nonce, out));
	hex("sealed.halo", out, laras_sealed_size(LARAS_SUITE_VALUE, 4));
	must(laras_sealed_seal(key, &h, 7, 4242, "", 0, nonce, out));
	hex("sealed.empty", out, laras_sealed_size(LARAS_SUITE_VALUE, 0));
	must(laras_sealed_seal(key, &h, 7, 4242, "0123456789abcdef0123456789abcdef", 32, nonce, out));
	hex("sealed.32", out, laras_sealed_size(LARAS_SUITE_VALUE, 32));

	must(laras_x25519_public(courier_seed, courier_public));
	hex("courier.public", courier_public, 32);
	must(laras_x25519(ephemeral_seed, courier_public, shared));
	hex("box.shared", shared, 32);
	h.field = LARAS_FIELD_channel_token_token;
	must(laras_box_seal(prk_ws, keyring, courier_public, &h, 7, 4242, "token", 5, ephemeral_seed,
						nonce, out));
	hex("box.token", out, laras_sealed_size(LARAS_SUITE_BOX, 5));
	must(laras_transport_seal(keyring, courier_public, "token", 5, ephemeral_seed, nonce, out));
	hex("transport.token", out, laras_transport_size(5));
}

static void
print_hashes(const uint8_t *prk_ws, const uint8_t *prk_pw)
{
	static const char phone[] = "+628123456789";
	uint8_t prk_p[32];
	uint8_t key[32];
	uint8_t salt[32];
	uint8_t out[32];

	must(laras_derive_index(prk_pw, keyring, W_SLOT, 1, key));
	must(laras_blind_hash(key, LARAS_INDEX_PHONE, NULL, phone, strlen(phone), out));
	hex("blind.phone", out, LARAS_INDEX_LEN);
	must(laras_blind_hash(key, LARAS_INDEX_PROVIDER_MESSAGE, "whatsapp", "wamid.1", 7, out));
	hex("blind.message", out, LARAS_INDEX_LEN);
	must(laras_derive_optout(prk_pw, keyring, W_SLOT, key));
	must(laras_blind_hash(key, LARAS_INDEX_PHONE, NULL, phone, strlen(phone), out));
	hex("blind.optout", out, LARAS_INDEX_LEN);
	must(laras_derive_platform_prk(keyring, secret_p, prk_p));
	must(laras_derive_route(prk_p, key));
	must(laras_blind_hash(key, LARAS_INDEX_ACCOUNT, "whatsapp", "1234567890", 10, out));
	hex("blind.route", out, LARAS_INDEX_LEN);
	must(laras_derive_login(prk_p, key));
	must(laras_blind_hash(key, LARAS_INDEX_LOGIN_EMAIL, NULL, "ani@example.com", 15, out));
	hex("blind.login", out, LARAS_INDEX_LEN);
	must(laras_derive_authorizer(prk_p, key));
	must(laras_blind_hash(key, LARAS_INDEX_APP_USER, "whatsapp", "10203040", 8, out));
	hex("blind.authorizer", out, LARAS_INDEX_LEN);
	must(laras_derive_search(prk_pw, keyring, W_SLOT, 1, key));
	must(laras_search_token(key, "harga", 5, out));
	hex("search.token", out, LARAS_SEARCH_LEN);
	must(laras_derive_salt(prk_ws, keyring, W_SLOT, S_SLOT, key));
	must(laras_commitment_salt(key, 987654321, 3, salt));
	hex("commitment.salt", salt, 32);
	must(laras_commitment("body", salt, "halo", 4, out));
	hex("commitment", out, 32);
}

static void
print_files(void)
{
	LarasLease lease = {.generation = 5,
						.next_position = 1024,
						.wal_position = UINT64_C(0x123456789A)};
	LarasJournalTail tail;
	LarasJournalRecord one = {.kind = LARAS_JOURNAL_DESTROY,
							  .reason = LARAS_REASON_ERASURE,
							  .first = S_SLOT,
							  .count = 1,
							  .time = NEW_YEAR};
	LarasJournalRecord two = {.kind = LARAS_JOURNAL_REMOVAL,
							  .reason = LARAS_REASON_RETENTION,
							  .first = W_SLOT,
							  .count = LARAS_CLASS_MESSAGE,
							  .time = NEW_YEAR};
	LarasSlabHeader h = {.keyring_number = 0, .number = 17, .created = NEW_YEAR, .epoch = EPOCH};
	LarasKeyring k = {.number = 0,
					  .owner_system = UINT64_C(7300000000000000001),
					  .owner_database = 16384,
					  .adoptions = 2,
					  .current_epoch = 2,
					  .oldest_epoch = EPOCH};
	uint8_t raw[LARAS_SLAB_HEADER_LEN];
	uint8_t sum[32];
	LarasPiece piece = {raw, 4096};

	must(laras_lease_encode(&lease, raw));
	hex("lease", raw, LARAS_LEASE_RECORD_LEN);
	laras_journal_start(keyring, &tail);
	memcpy(one.order, order, sizeof(order));
	must(laras_journal_encode(&tail, &one, raw));
	hex("journal.1", raw, LARAS_JOURNAL_RECORD_LEN);
	laras_put64(two.order, 7);
	laras_put64(two.order + 8, 815);
	must(laras_journal_encode(&tail, &two, raw));
	hex("journal.2", raw, LARAS_JOURNAL_RECORD_LEN);
	for (uint8_t kind = LARAS_JOURNAL_RANGE; kind <= LARAS_JOURNAL_ADOPTED; kind++)
	{
		LarasJournalRecord other = {.kind = kind, .time = NEW_YEAR};
		char name[32];

		if (kind == LARAS_JOURNAL_RANGE)
		{
			other.reason = LARAS_REASON_OPERATOR;
			other.first = S_SLOT;
			other.count = 16;
		}
		memcpy(other.order, order, sizeof(order));
		must(laras_journal_encode(&tail, &other, raw));
		snprintf(name, sizeof(name), "journal.%u", kind + 1);
		hex(name, raw, LARAS_JOURNAL_RECORD_LEN);
	}

	memcpy(h.keyring, keyring, 16);
	memcpy(h.slab, slab, 16);
	must(laras_slab_header_encode(&h, raw) && laras_sha256(&piece, 1, sum));
	hex("slab.header", raw, 64);
	hex("slab.header.sha256", sum, 32);

	memcpy(k.uuid, keyring, 16);
	must(laras_x25519_public(courier_seed, k.courier_public) &&
		 laras_derive_check(master, keyring, 2, k.check_current) &&
		 laras_derive_check(master, keyring, 1, k.check_oldest));
	must(laras_keyring_encode(&k, raw) && laras_sha256(&piece, 1, sum));
	hex("keyring.file", raw, 108);
	hex("keyring.file.sha256", sum, 32);
}

static void
print_numbers(void)
{
	static const uint64_t positions[] = {0,     1,       2,
										 255,   256,     65535,
										 65536, 1000000, UINT64_C(4294901759)};
	static const size_t lengths[] = {0, 28, 31, 32, 91, 280, 511, 512, 847, 7651, 68887, 16777216};

	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++)
	{
		uint32_t slot = 0;

		must(laras_position_slot(keyring, positions[i], &slot));
		printf("scatter.%llu %u\n", (unsigned long long) positions[i], (unsigned int) slot);
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		printf("padding.%zu %zu\n", lengths[i], laras_padded_len(lengths[i]));
}

bool
laras_print_vectors(void)
{
	uint8_t prk_ws[32];
	uint8_t prk_pw[32];
	uint8_t wrap[2][32];

	memset(master, 0x01, sizeof(master));
	memset(secret_w, 0x02, sizeof(secret_w));
	memset(secret_s, 0x03, sizeof(secret_s));
	memset(secret_p, 0x04, sizeof(secret_p));
	memset(courier_seed, 0x05, sizeof(courier_seed));
	memset(ephemeral_seed, 0x06, sizeof(ephemeral_seed));
	memset(keyring, 0xA0, sizeof(keyring));
	memset(slab, 0xB0, sizeof(slab));
	memset(nonce, 0x11, sizeof(nonce));
	memset(order, 0xC0, sizeof(order));
	all_good = true;
	print_tree(prk_ws, prk_pw, wrap);
	print_slots(wrap);
	print_states(wrap);
	print_values(prk_ws);
	print_hashes(prk_ws, prk_pw);
	print_files();
	print_numbers();
	return all_good;
}
