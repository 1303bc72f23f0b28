/*
 * give.h
 *		Bytes that the business gives to be sent.
 */
#ifndef LARAS_MEDIA_GIVE_H
#define LARAS_MEDIA_GIVE_H

#include "media/media.h"

/*
 * Store bytes for a conversation of the bound workspace; returns the id of the
 * media. filename may be absent. As laras_owner; raises P0002, 22023, 54000, 55000,
 * 0A000 as laras.upload_media says.
 */
extern int64
laras_media_give(int64 conversation_id, LarasText bytes, LarasText mime, LarasText filename);

/*
 * May that media leave to that person over that channel with this text? Raises
 * where it may not; returns what it is there, and its name (NULL: it has none).
 * Inside SPI.
 */
extern const char *laras_media_for_reply(int64 media_id, int64 contact_id, const char *channel,
										 LarasText caption, char **filename);

/* It goes with that message, and with no other unless that one fails. Inside SPI. */
extern void laras_media_take(int64 media_id, int64 message_id);

#endif /* LARAS_MEDIA_GIVE_H */
