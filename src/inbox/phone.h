/*
 * phone.h
 *		Phone numbers of people, as a workspace writes them.
 */
#ifndef LARAS_INBOX_PHONE_H
#define LARAS_INBOX_PHONE_H

#include "base/json.h"
#include "inbox/inbox.h"

/* most ids under which WhatsApp may know a number */
#define LARAS_MOST_WA_IDS 2

/*
 * What stands for a number in a blind index: E.164, read by the habits of the
 * workspace's region; for what is no number its letters and digits as they are,
 * so that it meets its like at least. Palloc'd. Opens SPI.
 */
extern LarasText laras_phone_identity(int64 workspace_id, LarasText written);

/* Can it be read as a number, by the habits of that region? Opens SPI. */
extern bool laras_phone_is_number(int64 workspace_id, LarasText written);

/*
 * The ids under which WhatsApp may know a number in E.164; returns how many.
 * They are its digits, and in Mexico and Argentina also those with the mobile
 * prefix of old, which WhatsApp kept.
 */
extern int laras_phone_wa_ids(LarasText e164, LarasText ids[LARAS_MOST_WA_IDS]);

#endif /* LARAS_INBOX_PHONE_H */
