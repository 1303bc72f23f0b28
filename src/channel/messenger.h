/*
 * messenger.h
 *		Joins the parts of the Messenger driver: messenger.c reads webhooks,
 *		meta_send.c sends, messenger_connect.c connects and cuts a Page.
 */
#ifndef LARAS_MESSENGER_H
#define LARAS_MESSENGER_H

struct LarasConnectDriver;

extern const struct LarasConnectDriver laras_messenger_connect;

#endif /* LARAS_MESSENGER_H */
