/*
 * identity.c
 *		Who a person is: blind indexes to contacts, a batch at a time.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/spi.h"
#include "catalog/pg_type_d.h"
#include "inbox/identity.h"
#include "inbox/names.h"
#include "inbox/phone.h"
#include "inbox/rows.h"
#include "inbox/suppression.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "vault/numbers.h"
#include "vault/vault.h"

LARAS_PLAN(find_identities,
		   "SELECT u.n, i.contact_id, c.slot FROM unnest($1, $2, $3, $4, $5) AS u (n, w, ch, k, x) "
		   "JOIN laras.contact_identity i ON i.workspace_id OPERATOR(pg_catalog.=) u.w "
		   "AND i.channel OPERATOR(pg_catalog.=) u.ch AND i.kind OPERATOR(pg_catalog.=) u.k "
		   "AND i.value_index OPERATOR(pg_catalog.=) u.x "
		   "JOIN laras.contact c ON c.workspace_id OPERATOR(pg_catalog.=) i.workspace_id "
		   "AND c.id OPERATOR(pg_catalog.=) i.contact_id FOR KEY SHARE OF c",
		   INT4ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT2ARRAYOID, BYTEAARRAYOID);

LARAS_PLAN(add_contacts,
		   "INSERT INTO laras.contact (workspace_id, id, slot, name) "
		   "SELECT u.w, u.i, u.s, u.n FROM unnest($1, $2, $3, $4) AS u (w, i, s, n)",
		   INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, LARAS_SEALED_ARRAY);

LARAS_PLAN(
	add_identities,
	"INSERT INTO laras.contact_identity (workspace_id, id, contact_id, channel, kind, value, value_index) "
	"SELECT u.w, u.i, u.c, u.ch, u.k, u.v, u.x "
	"FROM unnest($1, $2, $3, $4, $5, $6, $7) AS u (w, i, c, ch, k, v, x)",
	INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT2ARRAYOID, LARAS_SEALED_ARRAY,
	BYTEAARRAYOID);

/* an identity within the batch; the channel is its address, drivers are static */
typedef struct IdentityKey
{
	int64 workspace_id;
	const char *channel;
	int64 kind;
	uint8 index[LARAS_INDEX_BYTES];
} IdentityKey;

typedef struct Identity
{
	IdentityKey key;
	uint32 workspace_slot;
	LarasText value;
	LarasText spelled;       /* what is kept of it; the index is of the value */
	LarasContactRef contact; /* id 0: nobody yet */
	bool stored;             /* or not to be stored */
} Identity;

/* Ask for all identities of the batch in one statement. */
static void
look_up(Identity **list, int n)
{
	LarasColumn columns[5];
	uint64 found;

	laras_columns_init(columns, 5, n);
	for (int i = 0; i < n; i++)
	{
		columns[0].values[i] = Int32GetDatum(i);
		columns[1].values[i] = Int64GetDatum(list[i]->key.workspace_id);
		columns[2].values[i] = CStringGetTextDatum(list[i]->key.channel);
		columns[3].values[i] = Int16GetDatum((int16) list[i]->key.kind);
		columns[4].values[i] = laras_bytea_datum(list[i]->key.index, LARAS_INDEX_BYTES);
	}
	laras_spi_open();
	found = laras_spi_run(&find_identities,
						  (Datum[]){laras_column_array(&columns[0], n, INT4OID),
									laras_column_array(&columns[1], n, INT8OID),
									laras_column_array(&columns[2], n, TEXTOID),
									laras_column_array(&columns[3], n, INT2OID),
									laras_column_array(&columns[4], n, BYTEAOID)},
						  NULL);
	for (uint64 i = 0; i < found; i++)
	{
		Identity *identity = list[laras_spi_int4(i, 1)];

		identity->contact.id = laras_spi_int8(i, 2);
		identity->contact.slot = (uint32) laras_spi_int8(i, 3);
		identity->stored = true;
	}
	laras_spi_close();
}

/* New contacts, with a slot each. */
static void
store_contacts(LarasSender **created, int n)
{
	LarasColumn columns[4];
	bool *no_name = palloc0(sizeof(bool) * n);
	LarasKeyOwner *owners = palloc(sizeof(LarasKeyOwner) * n);
	LarasNamed *named = palloc(sizeof(LarasNamed) * n);

	laras_columns_init(columns, 4, n);
	for (int i = 0; i < n; i++)
	{
		LarasSender *sender = created[i];
		LarasText name = sender->record->name;

		columns[0].values[i] = Int64GetDatum(sender->workspace_id);
		columns[1].values[i] = Int64GetDatum(sender->contact.id);
		columns[2].values[i] = Int64GetDatum((int64) sender->contact.slot);
		no_name[i] = name.s == NULL;
		columns[3].values[i] =
			name.s == NULL
				? (Datum) 0
				: PointerGetDatum(laras_seal(sender->workspace_slot, sender->contact.slot,
											 LARAS_FIELD_contact_name, sender->workspace_id,
											 sender->contact.id, name.s, name.n));
		owners[i] = (LarasKeyOwner){sender->workspace_id, sender->contact.id, sender->contact.slot};
		named[i] =
			(LarasNamed){sender->workspace_id, sender->workspace_slot, sender->contact.id, name};
	}
	laras_key_owners_add("contact", owners, n);
	columns[3].nulls = no_name;
	laras_spi_open();
	laras_spi_run(&add_contacts,
				  (Datum[]){laras_column_array(&columns[0], n, INT8OID),
							laras_column_array(&columns[1], n, INT8OID),
							laras_column_array(&columns[2], n, INT8OID),
							laras_column_array(&columns[3], n, laras_sealed_type())},
				  NULL);
	laras_names_keep(named, n);
	laras_spi_close();
}

static void
store_identities(Identity **list, int n)
{
	LarasColumn columns[7];
	LarasGivenIdentity *given = palloc(sizeof(LarasGivenIdentity) * n);
	int count = 0;

	laras_columns_init(columns, 7, n);
	for (int i = 0; i < n; i++)
	{
		Identity *identity = list[i];
		int64 id;

		if (identity->stored || identity->contact.id == 0)
			continue;
		id = laras_new_id();
		columns[0].values[count] = Int64GetDatum(identity->key.workspace_id);
		columns[1].values[count] = Int64GetDatum(id);
		columns[2].values[count] = Int64GetDatum(identity->contact.id);
		columns[3].values[count] = CStringGetTextDatum(identity->key.channel);
		columns[4].values[count] = Int16GetDatum((int16) identity->key.kind);
		columns[5].values[count] = PointerGetDatum(
			laras_seal(identity->workspace_slot, identity->contact.slot,
					   LARAS_FIELD_contact_identity_value, identity->key.workspace_id, id,
					   identity->spelled.s, identity->spelled.n));
		columns[6].values[count] = laras_bytea_datum(identity->key.index, LARAS_INDEX_BYTES);
		given[count++] = (LarasGivenIdentity){
			.workspace_id = identity->key.workspace_id,
			.workspace_slot = identity->workspace_slot,
			.contact_id = identity->contact.id,
			.kind = (uint8) identity->key.kind,
			.value = identity->value,
		};
	}
	if (count == 0)
		return;
	laras_spi_open();
	laras_spi_run(&add_identities,
				  (Datum[]){laras_column_array(&columns[0], count, INT8OID),
							laras_column_array(&columns[1], count, INT8OID),
							laras_column_array(&columns[2], count, INT8OID),
							laras_column_array(&columns[3], count, TEXTOID),
							laras_column_array(&columns[4], count, INT2OID),
							laras_column_array(&columns[5], count, laras_sealed_type()),
							laras_column_array(&columns[6], count, BYTEAOID)},
				  NULL);
	laras_suppression_meet(given, count);
	laras_spi_close();
}

/* Is somebody unknown made a contact by this record? */
static bool
makes_contact(const LarasRecord *record)
{
	return record->kind == LARAS_RECORD_MESSAGE || record->preference == LARAS_PREFERENCE_STOP;
}

void
laras_find_contacts(LarasSender *senders, int n)
{
	HASHCTL control = {.keysize = sizeof(IdentityKey),
					   .entrysize = sizeof(Identity),
					   .hcxt = CurrentMemoryContext};
	HTAB *table = hash_create("laras identities", n * 2 + 16, &control,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Identity **list = palloc(sizeof(Identity *) * n * LARAS_MAX_IDENTITIES);
	Identity **own = palloc0(sizeof(Identity *) * n * LARAS_MAX_IDENTITIES);
	LarasSender **created = palloc(sizeof(LarasSender *) * n);
	int count = 0;
	int created_count = 0;

	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < senders[i].record->identity_count; k++)
		{
			const LarasRecordIdentity *given = &senders[i].record->identities[k];
			LarasText value = given->kind == LARAS_INDEX_PHONE
								  ? laras_phone_identity(senders[i].workspace_id, given->value)
								  : given->value;
			IdentityKey key;
			Identity *identity;
			bool found;

			memset(&key, 0, sizeof(key));
			key.workspace_id = senders[i].workspace_id;
			key.channel = senders[i].channel;
			key.kind = given->kind;
			laras_blind_index(senders[i].workspace_slot, given->kind, NULL, value.s, value.n,
							  key.index);
			identity = hash_search(table, &key, HASH_ENTER, &found);
			if (!found)
			{
				identity->workspace_slot = senders[i].workspace_slot;
				identity->value = value;
				identity->spelled = given->spelled.s != NULL ? given->spelled : value;
				identity->contact.id = 0;
				identity->contact.slot = 0;
				identity->stored = given->retired;
				list[count++] = identity;
			}
			else if (!given->retired)
				identity->stored = false;
			own[i * LARAS_MAX_IDENTITIES + k] = identity;
		}
	}
	if (count > 0)
		look_up(list, count);

	for (int i = 0; i < n; i++)
	{
		Identity **ids = &own[i * LARAS_MAX_IDENTITIES];
		int identities = senders[i].record->identity_count;
		LarasContactRef *contact = &senders[i].contact;

		for (int k = 0; k < identities && contact->id == 0; k++)
			*contact = ids[k]->contact;
		if (contact->id == 0 &&
			(senders[i].nobody || (identities > 0 && makes_contact(senders[i].record))))
		{
			contact->id = laras_new_id();
			contact->slot = laras_slot_lease();
			senders[i].created_contact = contact->id;
			created[created_count++] = &senders[i];
		}
		for (int k = 0; k < identities && contact->id != 0; k++)
			if (ids[k]->contact.id == 0)
				ids[k]->contact = *contact;
	}
	if (created_count > 0)
		store_contacts(created, created_count);
	if (count > 0)
		store_identities(list, count);
}
