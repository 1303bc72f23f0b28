/*
 * whatsapp_connect.c
 *		WhatsApp: how accounts are named, and the subscription of an app to a
 *		business account's events.
 *
 * The steps of Embedded Signup are the courier task wa_connect.
 */
#include "channel/connect.h"
#include "channel/whatsapp.h"

static const char *const scopes[] = {"whatsapp_business_management", "whatsapp_business_messaging",
									 NULL};

static bool
build(const char *method, const LarasAccountRequest *about, const LarasAllocator *allocator,
	  LarasProviderRequest *request)
{
	request->method = method;
	request->url = laras_text_print(allocator, "%s/%s/%.*s/subscribed_apps", about->base_url,
									about->api_version, (int) about->account.n, about->account.s);
	return request->url.s != NULL;
}

static bool
build_subscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				LarasProviderRequest *request)
{
	/* an empty body: the app's own callback, no override */
	request->body = (LarasText){"{}", 2};
	return build("POST", about, allocator, request);
}

static bool
build_unsubscribe(const LarasAccountRequest *about, const LarasAllocator *allocator,
				  LarasProviderRequest *request)
{
	request->body = (LarasText){NULL, 0};
	return build("DELETE", about, allocator, request);
}

const struct LarasConnectDriver laras_whatsapp_connect = {
	.accounts = {{"phone_number_id", LARAS_ACCOUNT_NUMBER}, {"waba_id", LARAS_ACCOUNT_BUSINESS}},
	.subscribed = LARAS_ACCOUNT_BUSINESS,
	.example = "{\"phone_number_id\": \"...\", \"waba_id\": \"...\"}",
	.task = "wa_connect",
	.scopes = scopes,
	.segment = "wa",
	.finish_path = "/api/wa/embedded-signup-callback",
	.build_subscribe = build_subscribe,
	.build_unsubscribe = build_unsubscribe,
};
