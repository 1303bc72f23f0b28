/*
 * routes.c
 *		The route table. Paths that source documents and providers name are
 *		literal; a line is method, pattern, who may, handler.
 */
#include "postgres.h"

#include "gateway/gateway.h"

const LarasRoute laras_routes[] = {
	{"GET", "/api/webhooks/{}", LARAS_HTTP_PUBLIC, laras_http_handshake},
	{"POST", "/login", LARAS_HTTP_PUBLIC, laras_http_login},
	{"POST", "/logout", LARAS_HTTP_MEMBER, laras_http_logout},
	{"GET", "/app/settings/integrations", LARAS_HTTP_MEMBER, laras_http_integrations},
	{"POST", "/app/settings/integrations/{}/disconnect", LARAS_HTTP_MEMBER, laras_http_disconnect},
	{"POST", "/app/settings/integrations/{}/auto-send", LARAS_HTTP_MEMBER, laras_http_auto_send},
	{"GET", "/app/settings/terms", LARAS_HTTP_MEMBER, laras_http_terms},
	{"POST", "/app/settings/terms", LARAS_HTTP_MEMBER, laras_http_accept_terms},
	{"POST", "/app/settings/channels/{}", LARAS_HTTP_MEMBER, laras_http_configure_channel},
	{"POST", "/app/settings/integrations/{}/webhook-secret", LARAS_HTTP_MEMBER,
	 laras_http_webhook_secret},
	{"POST", "/api/wa/connect", LARAS_HTTP_MEMBER, laras_http_begin_connect},
	{"POST", "/api/wa/embedded-signup-callback", LARAS_HTTP_MEMBER, laras_http_finish_connect},
	{"POST", "/api/wa/embedded-signup-cancel", LARAS_HTTP_MEMBER, laras_http_cancel_connect},
	{"POST", "/api/ig/connect", LARAS_HTTP_MEMBER, laras_http_begin_connect},
	{"GET", "/api/ig/callback", LARAS_HTTP_MEMBER, laras_http_connect_callback},
	{"POST", "/api/messenger/connect", LARAS_HTTP_MEMBER, laras_http_begin_connect},
	{"GET", "/api/messenger/callback", LARAS_HTTP_MEMBER, laras_http_connect_callback},
	{"POST", "/api/threads/connect", LARAS_HTTP_MEMBER, laras_http_begin_connect},
	{"GET", "/api/threads/callback", LARAS_HTTP_MEMBER, laras_http_connect_callback},
	{"POST", "/api/telegram/connect", LARAS_HTTP_MEMBER, laras_http_connect_by_token},
	{"POST", "/api/email/connect", LARAS_HTTP_MEMBER, laras_http_connect_by_token},
	{"GET", "/api/messages/{}", LARAS_HTTP_MEMBER, laras_http_message},
	{"GET", "/api/conversations", LARAS_HTTP_MEMBER, laras_http_conversations},
	{"GET", "/api/conversations/{}", LARAS_HTTP_MEMBER, laras_http_conversation},
	{"GET", "/api/conversations/{}/messages", LARAS_HTTP_MEMBER, laras_http_messages},
	{"POST", "/api/conversations/{}/reply", LARAS_HTTP_MEMBER, laras_http_reply},
	{"POST", "/api/comments/{}/private-reply", LARAS_HTTP_MEMBER, laras_http_private_reply},
	{"GET", "/api/drafts", LARAS_HTTP_MEMBER, laras_http_drafts},
	{"GET", "/api/drafts/{}", LARAS_HTTP_MEMBER, laras_http_draft},
	{"POST", "/api/drafts/{}/approve", LARAS_HTTP_MEMBER, laras_http_approve_draft},
	{"POST", "/api/drafts/{}/reject", LARAS_HTTP_MEMBER, laras_http_reject_draft},
	{"GET", "/api/erasures", LARAS_HTTP_MEMBER, laras_http_erasures},
	{"POST", "/api/erasures", LARAS_HTTP_MEMBER, laras_http_request_erasure},
	{"GET", "/api/messages/{}/media", LARAS_HTTP_MEMBER, laras_http_message_media},
	{"GET", "/api/media/{}", LARAS_HTTP_MEMBER, laras_http_media},
	{"POST", "/api/meta/deauthorize", LARAS_HTTP_PUBLIC, laras_http_deauthorize},
	{"POST", "/api/meta/data-deletion", LARAS_HTTP_PUBLIC, laras_http_data_deletion},
	{"POST", "/api/meta/instagram/deauthorize", LARAS_HTTP_PUBLIC, laras_http_deauthorize},
	{"POST", "/api/meta/instagram/data-deletion", LARAS_HTTP_PUBLIC, laras_http_data_deletion},
	{"POST", "/api/meta/threads/deauthorize", LARAS_HTTP_PUBLIC, laras_http_deauthorize},
	{"POST", "/api/meta/threads/data-deletion", LARAS_HTTP_PUBLIC, laras_http_data_deletion},
	{"GET", "/data-deletion", LARAS_HTTP_PUBLIC, laras_http_deletion_page},
	{"GET", "/data-deletion/status/{}", LARAS_HTTP_PUBLIC, laras_http_deletion_status},
	{"GET", "/healthz", LARAS_HTTP_PUBLIC, laras_http_health},
	{"GET", "/metrics", LARAS_HTTP_PUBLIC, laras_http_metrics},
	{NULL}};
