/*
 * whatsapp.h
 *		Joins the parts of the WhatsApp driver: whatsapp.c splits webhooks,
 *		whatsapp_parse.c and whatsapp_message.c read them, whatsapp_send.c speaks
 *		to the Graph API, whatsapp_connect.c says what an account is.
 */
#ifndef LARAS_WHATSAPP_H
#define LARAS_WHATSAPP_H

#include "channel/record.h"
#include "channel/send.h"

struct LarasSendDriver;
struct LarasConnectDriver;

extern const struct LarasSendDriver laras_whatsapp_send;
extern const struct LarasConnectDriver laras_whatsapp_connect;

/* A message of that type to whom the send names; content is released. False where it cannot be. */
extern bool
laras_whatsapp_build_message(const LarasSendText *send, const char *type, json_t *content,
							 const LarasAllocator *allocator, LarasProviderRequest *request);
/* What an error code of the Cloud API means for a message. */
extern LarasAnswer laras_whatsapp_meaning(int code, int subcode);

extern int
laras_whatsapp_parse(const json_t *piece, const LarasPieceSource *source,
					 const LarasAllocator *allocator, LarasRecord **records, const char **reason);
extern int laras_whatsapp_parse_element(const json_t *element, const LarasAllocator *allocator,
										LarasRecord **records, const char **reason);

/* where a message stands */
typedef enum LarasWhatsAppPlace
{
	LARAS_WHATSAPP_INBOUND, /* messages[]: a person writes */
	LARAS_WHATSAPP_ECHO,    /* message_echoes[]: the business wrote in its own app */
	LARAS_WHATSAPP_HISTORY  /* history: said before laras listened */
} LarasWhatsAppPlace;

/*
 * One message. value is the change's value (NULL for an element alone), thread
 * the person's id in a history thread (else NULL).
 */
extern void laras_whatsapp_message(LarasReader *r, LarasWhatsAppPlace place, const json_t *value,
								   const json_t *thread, const json_t *message);

/* One of calls[]. */
extern void laras_whatsapp_call(LarasReader *r, const json_t *value, const json_t *call);

/*
 * An id of a person, wherever it stood: the business-scoped form is that,
 * whatever the key's name (integrators report scoped ids in from and wa_id);
 * any other short plain word is a WhatsApp id, normally digits.
 */
extern void laras_whatsapp_person(LarasReader *r, LarasRecord *record, const json_t *j);

/* The same of a key that means a business-scoped id. */
extern void laras_whatsapp_scoped(LarasRecord *record, const json_t *j);

/* The ids and the name that an element of contacts[] gives. */
extern void laras_whatsapp_profile(LarasReader *r, LarasRecord *record, const json_t *contact);

/* Code and words of the first of errors[]. */
extern void laras_whatsapp_error(LarasRecord *record, const json_t *errors);

#endif /* LARAS_WHATSAPP_H */
