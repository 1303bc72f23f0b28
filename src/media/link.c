/*
 * link.c
 *		Links by which a provider fetches media that it is to deliver.
 *
 * A ticket is workspace, media and the second at which it ends, and half of a MAC
 * over them under the workspace's callback key: nothing is stored, nobody makes
 * one without the key, and it dies with the workspace.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/hex.h"
#include "media/link.h"
#include "port/pg_bswap.h"
#include "tenancy/tenancy.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "vault/crypto.h"
#include "vault/vault.h"

#define LIFE_SECONDS (10 * 60)
#define FIELD_BYTES 24
#define MAC_BYTES 16

static const char label[] = "media link";

StaticAssertDecl(2 * (FIELD_BYTES + MAC_BYTES) == LARAS_MEDIA_TICKET, "a ticket's length");

static void
mac_of(uint32 workspace_slot, const uint8 fields[FIELD_BYTES], uint8 mac[32])
{
	uint8 text[sizeof(label) + FIELD_BYTES];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), fields, FIELD_BYTES);
	laras_callback_mac(workspace_slot, text, sizeof(text), mac);
}

static int64
seconds_now(void)
{
	return (int64) timestamptz_to_time_t(laras_now());
}

char *
laras_media_link(const LarasMedia *media)
{
	const char *base = GetConfigOption("laras.public_url", true, false);
	uint64 field[3] = {pg_hton64((uint64) media->workspace_id), pg_hton64((uint64) media->id),
					   pg_hton64((uint64) (seconds_now() + LIFE_SECONDS))};
	uint8 ticket[FIELD_BYTES + MAC_BYTES];
	uint8 mac[32];
	char hex[LARAS_MEDIA_TICKET + 1];

	if (base == NULL || base[0] == '\0')
		return NULL;
	memcpy(ticket, field, FIELD_BYTES);
	mac_of(laras_workspace_slot(media->workspace_id), ticket, mac);
	memcpy(ticket + FIELD_BYTES, mac, MAC_BYTES);
	laras_hex_write(ticket, sizeof(ticket), hex);
	return psprintf("%s/media/%s", base, hex);
}

bool
laras_media_ticket(LarasText ticket, int64 *workspace_id, int64 *media_id)
{
	uint8 bytes[FIELD_BYTES + MAC_BYTES];
	uint64 field[3];
	uint8 mac[32];
	int64 until;

	if (ticket.n != LARAS_MEDIA_TICKET || !laras_hex_read_lower(ticket.s, bytes, sizeof(bytes)))
		return false;
	memcpy(field, bytes, FIELD_BYTES);
	*workspace_id = (int64) pg_ntoh64(field[0]);
	*media_id = (int64) pg_ntoh64(field[1]);
	until = (int64) pg_ntoh64(field[2]);
	if (!laras_workspace_stands(*workspace_id))
		return false;
	mac_of(laras_workspace_slot(*workspace_id), bytes, mac);
	return laras_same_bytes(mac, bytes + FIELD_BYTES, MAC_BYTES) && until > seconds_now() &&
		   until <= seconds_now() + LIFE_SECONDS;
}
