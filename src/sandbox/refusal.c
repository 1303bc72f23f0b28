/*
 * refusal.c
 *		Meta's error bodies.
 *
 * Codes and classes are those of the WhatsApp "Error codes" page; HTTP status
 * and wording follow it where known. A client decides on code and subcode,
 * never on text.
 */
#include "sandbox/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/world.h"

const SbRefusal sb_refusals[] = {
	/* code, subcode, HTTP status, title, details, recipient, transient */
	{0, 0, 401, "AuthException", NULL, false, false},
	{1, 0, 500, "An unknown error occurred", NULL, false, false},
	{2, 0, 503, "Service temporarily unavailable", NULL, false, true},
	{3, 0, 500, "Application does not have the capability to make this API call.", NULL, false,
	 false},
	{4, 0, 400, "Application request limit reached", NULL, false, true},
	{10, 0, 403, "Application does not have permission for this action", NULL, false, false},
	{17, 0, 400, "User request limit reached", NULL, false, true},
	{32, 0, 400, "Page request limit reached", NULL, false, true},
	{33, 0, 400, "Parameter value is not valid", "The business phone number has been deleted.",
	 false, false},
	{100, 33, 400, "Unsupported request", NULL, false, false},
	{100, 0, 400, "Invalid parameter",
	 "The request included one or more unsupported or misspelled parameters.", false, false},
	{101, 0, 400,
	 "Error validating application. Cannot get application info due to a system error.", NULL,
	 false, false},
	{102, 0, 401, "Session key invalid or no longer valid", NULL, false, false},
	{104, 0, 400, "An access token is required to request this resource.", NULL, false, false},
	{190, 458, 401, "Error validating access token: The user has not authorized application.", NULL,
	 false, false},
	{190, 459, 401,
	 "Error validating access token: The user is enrolled in a blocking, logged-in checkpoint.",
	 NULL, false, false},
	{190, 460, 401,
	 "Error validating access token: The session has been invalidated because the user changed their password.",
	 NULL, false, false},
	{190, 463, 401, "Error validating access token: Session has expired.", NULL, false, false},
	{190, 464, 401, "Error validating access token: The user is not a confirmed user.", NULL, false,
	 false},
	{190, 467, 401,
	 "Error validating access token: The session is invalid because the user logged out.", NULL,
	 false, false},
	{190, 0, 401, "Invalid OAuth access token - Cannot parse access token", NULL, false, false},
	{200, 0, 403,
	 "You do not have the necessary permissions required to send messages on behalf of this WhatsApp Business Account",
	 NULL, false, false},
	{368, 0, 403, "Temporarily blocked for policies violations",
	 "The WhatsApp Business Account has been restricted or disabled for violating a platform policy.",
	 false, false},
	{613, 0, 400, "Calls to this api have exceeded the rate limit.", NULL, false, true},
	{2200, 0, 400, "Callback verification failed", NULL, false, false},
	{80007, 0, 400, "Rate limit issues",
	 "The WhatsApp Business Account has reached its rate limit.", false, true},
	{130429, 0, 429, "Rate limit hit",
	 "Message failed to send because there were too many messages sent from this phone number in a short period of time.",
	 false, true},
	{130472, 0, 400, "User's number is part of an experiment",
	 "Failed to send message because this user's phone number is part of an experiment.", true,
	 false},
	{130497, 0, 403, "Business account is restricted from messaging users in this country.",
	 "The WhatsApp Business Account is restricted from messaging to users in certain countries.",
	 false, false},
	{131000, 0, 500, "Something went wrong", "Message failed to send due to an unknown error.",
	 false, false},
	{131005, 0, 403, "Access denied", "Permission is either not granted or has been removed.",
	 false, false},
	{131008, 0, 400, "Required parameter is missing",
	 "The request is missing a required parameter.", false, false},
	{131009, 0, 400, "Parameter value is not valid", "One or more parameter values are invalid.",
	 false, false},
	{131016, 0, 500, "Service unavailable", "A service is temporarily unavailable.", false, true},
	{131021, 0, 400, "Recipient cannot be sender", "Sender and recipient phone number is the same.",
	 false, false},
	{131026, 0, 400, "Message undeliverable",
	 "Unable to deliver message. Recipient is not on WhatsApp, uses an old version, has not accepted the terms, or has blocked the business.",
	 true, false},
	{131030, 0, 400, "Recipient phone number not in allowed list",
	 "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",
	 false, false},
	{131031, 0, 403, "Account has been locked",
	 "The WhatsApp Business Account has been restricted or disabled for violating a platform policy.",
	 false, false},
	{131037, 0, 400,
	 "WhatsApp provided number needs display name approval before message can be sent.",
	 "The phone number does not have an approved display name.", false, false},
	{131042, 0, 400, "Business eligibility payment issue",
	 "There was an error related to your payment method.", false, false},
	{131045, 0, 500, "Incorrect certificate",
	 "Message failed to send due to a phone number registration error.", false, false},
	{131047, 0, 400, "Re-engagement message",
	 "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
	 true, false},
	{131048, 0, 400, "Spam rate limit hit",
	 "Message failed to send because there are restrictions on how many messages can be sent from this phone number.",
	 true, false},
	{131049, 0, 400, "Meta chose not to deliver",
	 "This message was not delivered to maintain healthy ecosystem engagement.", true, false},
	{131050, 0, 400, "User has stopped receipt of marketing messages",
	 "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp from your business.",
	 true, false},
	{131051, 0, 400, "Unsupported message type", "Message type is currently not supported.", false,
	 false},
	{131052, 0, 400, "Media download error", "Unable to download the media sent by the user.", true,
	 false},
	{131053, 0, 400, "Media upload error", "Unable to upload the media used in the message.", true,
	 false},
	{131056, 0, 400, "(Business Account, Consumer Account) pair rate limit hit",
	 "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time.",
	 false, true},
	{131057, 0, 500, "Account in maintenance mode", "Business Account is in maintenance mode.",
	 false, true},
	{131062, 0, 400, "Business-scoped user ID recipients are not supported for this message",
	 "Authentication templates can only be sent to a phone number.", false, false},
	{131063, 0, 400, "Business-scoped user ID is not valid for this business",
	 "The recipient is not known to this business portfolio.", false, false},
	{131064, 0, 400, "Messaging limit reached",
	 "Message failed to send because of a limit due to template misclassification.", true, false},
	{132000, 0, 400, "Number of parameters does not match the expected number of params",
	 "The number of variable parameter values included in the request did not match the number of variable parameters defined in the template.",
	 false, false},
	{132001, 0, 404, "Template name does not exist in the translation",
	 "The template does not exist in the specified language or the template has not been approved.",
	 false, false},
	{132005, 0, 400, "Translated text too long", "Translated text is too long.", false, false},
	{132007, 0, 400, "Template format character policy violated",
	 "Template content violates a WhatsApp policy.", false, false},
	{132008, 0, 400, "Template media format unsupported",
	 "The header parameter is not of the template's media format.", false, false},
	{132012, 0, 400, "Parameter format does not match format in the created template",
	 "Variable parameter values formatted incorrectly.", false, false},
	{132015, 0, 400, "Template is paused",
	 "Template is paused due to low quality so it cannot be sent in a template message.", false,
	 false},
	{132016, 0, 400, "Template is disabled",
	 "Template has been paused too many times due to low quality and is now permanently disabled.",
	 false, false},
	{132068, 0, 400, "Flow is in blocked state", "Flow is in blocked state.", false, false},
	{132069, 0, 400, "Flow is in throttled state", "Flow is in throttled state.", false, true},
	{133004, 0, 503, "Server temporarily unavailable", "Server is temporarily unavailable.", false,
	 true},
	{133005, 0, 400, "Two step verification PIN mismatch", "Two-step verification PIN incorrect.",
	 false, false},
	{133006, 0, 400, "Phone number re-verification needed",
	 "Phone number needs to be verified before registering.", false, false},
	{133008, 0, 400, "Too many two step verification PIN guesses",
	 "Too many two-step verification PIN guesses for this phone number.", false, false},
	{133009, 0, 400, "Two step verification PIN guessed too fast",
	 "Two-step verification PIN was entered too quickly.", false, false},
	{133010, 0, 400, "Phone number not registered",
	 "Phone number not registered on the WhatsApp Business Platform.", false, false},
	{133015, 0, 400, "Please wait a few minutes before attempting to register this phone number",
	 "The phone number was recently deleted.", false, false},
	{133016, 0, 400, "Account register deregister rate limit exceeded",
	 "Registration or deregistration failed because there were too many attempts for this phone number in a short period of time.",
	 false, true},
	{135000, 0, 400, "Generic user error",
	 "Message failed to send because of an unknown error with your request parameters.", false,
	 false},
	{137000, 0, 400, "Recipient identity key hash mismatch",
	 "The recipient's identity key hash does not match.", false, false},
};

#define NREFUSALS ((int) (sizeof(sb_refusals) / sizeof(sb_refusals[0])))

const int sb_nrefusals = NREFUSALS;

const SbRefusal *
sb_refusal(int code, int subcode)
{
	for (int i = 0; i < NREFUSALS; i++)
		if (sb_refusals[i].code == code &&
			(sb_refusals[i].subcode == 0 || sb_refusals[i].subcode == subcode))
			return &sb_refusals[i];
	return NULL;
}

/* Codes below 1000 with a fixed sentence of Meta's carry no "(#code)" before it. */
static bool
plain_message(int code)
{
	return code == 0 || code == 1 || code == 101 || code == 102 || code == 104 || code == 190;
}

void
sb_refuse(SbCall *call, int code, int subcode, const char *message, const char *details)
{
	const SbRefusal *r = sb_refusal(code, subcode);
	SbBuffer *b = &call->answer;
	char trace[24];

	call->note.code = code;
	call->note.subcode = subcode;
	call->status = r ? r->status : 400;
	call->content_type = "application/json; charset=UTF-8";
	sb_clear(b);
	sb_adds(b, "{\"error\":{\"message\":");
	if (message != NULL)
		sb_addj(b, message);
	else
	{
		char text[256];

		if (plain_message(code))
			snprintf(text, sizeof(text), "%s", r ? r->title : "Unknown error");
		else
			snprintf(text, sizeof(text), "(#%d) %s", code, r ? r->title : "Unknown error");
		sb_addj(b, text);
	}
	sb_addf(b, ",\"type\":\"%s\",\"code\":%d",
			code == 100 && subcode == 33 ? "GraphMethodException" : "OAuthException", code);
	if (subcode != 0)
		sb_addf(b, ",\"error_subcode\":%d", subcode);
	if (r != NULL && r->transient)
		sb_adds(b, ",\"is_transient\":true");
	/* a wrong object or path is no matter of the messaging product */
	if (details == NULL && r != NULL && (code >= 1000 || code == 33 || code == 368))
		details = r->details;
	if (details != NULL)
	{
		sb_adds(b, ",\"error_data\":{\"messaging_product\":\"whatsapp\",\"details\":");
		sb_addj(b, details);
		sb_adds(b, "}");
	}
	sb_random_text(trace, 22, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	trace[0] = 'A';
	sb_addf(b, ",\"fbtrace_id\":\"%s\"}}", trace);

	/* the usage headers that come with an exhausted quota */
	sb_clear(&call->extra_value);
	if (code == 4 || code == 17 || code == 32)
	{
		call->extra_name = "X-App-Usage";
		sb_adds(&call->extra_value, "{\"call_count\":100,\"total_cputime\":25,\"total_time\":30}");
	}
	else if (code == 80007)
	{
		call->extra_name = "X-Business-Use-Case-Usage";
		sb_addf(&call->extra_value,
				"{\"%s\":[{\"type\":\"whatsapp\",\"call_count\":100,\"total_cputime\":10,"
				"\"total_time\":12,\"estimated_time_to_regain_access\":1}]}",
				call->note.number ? call->note.number : "0");
	}
	else if (call->status == 401 || call->status == 403)
	{
		call->extra_name = "WWW-Authenticate";
		sb_adds(&call->extra_value, "OAuth \"Facebook Platform\" \"invalid_token\"");
	}
}

void
sb_refusef(SbCall *call, int code, int subcode, const char *message, const char *fmt, ...)
{
	char details[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(details, sizeof(details), fmt, ap);
	va_end(ap);
	sb_refuse(call, code, subcode, message, details);
}

void
sb_add_status_error(SbBuffer *b, int code, const char *details)
{
	const SbRefusal *r = sb_refusal(code, 0);
	const char *title = r ? r->title : "Unknown error";

	if (details == NULL)
		details = r && r->details ? r->details : title;
	sb_addf(b, "{\"code\":%d,\"title\":", code);
	sb_addj(b, title);
	sb_adds(b, ",\"message\":");
	sb_addj(b, title);
	sb_adds(b, ",\"error_data\":{\"details\":");
	sb_addj(b, details);
	sb_adds(
		b,
		"},\"href\":\"https:\\/\\/developers.facebook.com\\/docs\\/whatsapp\\/cloud-api\\/support\\/error-codes\\/\"}");
}
