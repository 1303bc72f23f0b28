/*
 * whatsapp.h
 *		Joins the two halves of the WhatsApp driver: whatsapp.c reads webhooks,
 *		whatsapp_send.c speaks to the Graph API.
 */
#ifndef LARAS_WHATSAPP_H
#define LARAS_WHATSAPP_H

struct LarasSendDriver;

extern const struct LarasSendDriver laras_whatsapp_send;

#endif /* LARAS_WHATSAPP_H */
