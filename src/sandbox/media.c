/*
 * media.c
 *		The pretended providers' store of media.
 *
 * Sources: "Media" of the Cloud API reference; core.telegram.org/bots/api,
 * "getFile". An id belongs to one phone number, dies seven days after a webhook
 * and thirty after an upload; the link that it leads to is good for five minutes
 * and asked with the token.
 */
#include "sandbox/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "sandbox/control.h"
#include "sandbox/fault.h"
#include "sandbox/refusal.h"

#define LINK_LIFE (5 * 60 * SB_SECOND)
#define HEARD_LIFE (7 * 86400 * SB_SECOND)
#define UPLOAD_LIFE (30 * 86400 * SB_SECOND)

static SbTable media;
static SbTable links; /* by key */
static char *newest;  /* id of what came last */

static void
drop(void *p)
{
	SbMedia *m = p;

	free(m->id);
	free(m->number);
	free(m->bot);
	free(m->mime);
	free(m->filename);
	free(m->sha256);
	free(m->bytes);
	free(m->key);
	free(m->redirect);
	free(m);
}

void
sb_media_reset(void)
{
	sb_table_clear(&links, NULL);
	sb_table_clear(&media, drop);
}

SbMedia *
sb_media(const char *id)
{
	SbMedia *m = id == NULL ? NULL : sb_table_get(&media, id);

	return m != NULL && m->expires > sb_now() ? m : NULL;
}

SbMedia *
sb_new_media(const char *mime, const char *bytes, size_t n)
{
	SbMedia *m = sb_alloc(sizeof(SbMedia));
	unsigned char digest[32];
	SbBuffer hex = {0};

	m->id = sb_new_id();
	m->mime = sb_strdup(mime);
	m->bytes = sb_alloc(n + 1);
	memcpy(m->bytes, bytes, n);
	m->n = n;
	m->expires = sb_now() + HEARD_LIFE;
	EVP_Digest(bytes, n, digest, NULL, EVP_sha256(), NULL);
	sb_add_hex(&hex, digest, sizeof(digest));
	m->sha256 = sb_strdup(hex.data);
	sb_release(&hex);
	sb_table_put(&media, m->id, m);
	sb_replace(&newest, m->id);
	return m;
}

/* A link that leads to it from now on; the one before does no longer. */
static void
renew_link(SbMedia *m)
{
	char key[33];

	if (m->key != NULL)
		sb_table_remove(&links, m->key);
	free(m->key);
	sb_random_text(key, 32, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
	key[32] = '\0';
	m->key = sb_strdup(key);
	m->key_expires = sb_now() + LINK_LIFE;
	m->links++;
	sb_table_put(&links, m->key, m);
}

static json_t *
link_of(const SbCall *call, const SbMedia *m)
{
	return json_sprintf("http://%s/_media/%s", call->host ? call->host : "127.0.0.1", m->key);
}

json_t *
sb_media_open_link(const SbCall *call, SbMedia *m)
{
	m->open = true;
	renew_link(m);
	return link_of(call, m);
}

void
sb_media_bytes(SbCall *call, SbMedia *m)
{
	m->reads++;
	if (m->redirect != NULL)
	{
		call->status = 302;
		call->extra_name = "Location";
		sb_clear(&call->extra_value);
		sb_adds(&call->extra_value, m->redirect);
		return;
	}
	call->status = 200;
	call->content_type = m->mime;
	call->unsized = m->unsized;
	sb_clear(&call->answer);
	sb_add(&call->answer, m->bytes, m->n);
}

/* Whoever asks has a token that may speak for the number. */
static bool
may_have(SbCall *call, const SbMedia *m)
{
	SbNumber *number = m->number ? sb_number(m->number) : NULL;
	SbToken *t = sb_live_token(call);

	if (t == NULL)
		return false;
	if (number == NULL || !sb_token_reaches(t, number->waba) || !(t->scopes & SB_SCOPE_MESSAGING))
	{
		sb_refuse_object(call, m->id);
		return false;
	}
	return true;
}

static void
get_link(SbCall *call)
{
	SbMedia *m = sb_table_get(&links, call->parts[1]);

	call->note.route = "media_link";
	if (m == NULL || (!m->open && m->key_expires <= sb_now()) || m->expires <= sb_now())
	{
		call->status = 404;
		call->content_type = "text/plain";
		sb_adds(&call->answer, "URL expired");
		return;
	}
	call->note.number = m->number;
	if (m->open || may_have(call, m))
		sb_media_bytes(call, m);
}

bool
sb_media_call(SbCall *call)
{
	const char *first = call->nparts > 0 ? call->parts[0] : "";
	const char *number = sb_param(call, "phone_number_id");
	bool get = strcmp(call->method, "GET") == 0;
	SbMedia *m;

	if (call->nparts == 2 && get && strcmp(first, "_media") == 0)
	{
		get_link(call);
		return true;
	}
	m = call->nparts == 1 ? sb_table_get(&media, first) : NULL;
	if (m == NULL || m->number == NULL)
		return false;
	call->note.route = "media";
	call->note.number = m->number;
	if (!may_have(call, m))
		return true;
	if (m->expires <= sb_now() || (number != NULL && strcmp(number, m->number) != 0))
		sb_refuse_object(call, first);
	else if (strcmp(call->method, "DELETE") == 0)
	{
		m->expires = 0;
		sb_answer_success(call);
	}
	else if (get)
	{
		renew_link(m);
		sb_answer_json(call, 200,
					   json_pack("{s:s,s:o,s:s,s:s,s:I,s:s}", "messaging_product", "whatsapp",
								 "url", link_of(call, m), "mime_type", m->mime, "sha256", m->sha256,
								 "file_size", (json_int_t) m->n, "id", m->id));
	}
	else
		sb_refuse_object(call, first);
	return true;
}

/* ---------- upload ---------- */

/* What the Cloud API takes, and how much of it. */
static const struct
{
	const char *mime;
	size_t most;
} taken[] = {
	{"audio/aac", 16 << 20},
	{"audio/amr", 16 << 20},
	{"audio/mpeg", 16 << 20},
	{"audio/mp4", 16 << 20},
	{"audio/ogg", 16 << 20},
	{"image/jpeg", 5 << 20},
	{"image/png", 5 << 20},
	{"image/webp", 500 << 10},
	{"video/mp4", 16 << 20},
	{"video/3gpp", 16 << 20},
	{"text/plain", 100 << 20},
	{"application/pdf", 100 << 20},
	{"application/msword", 100 << 20},
	{"application/vnd.ms-excel", 100 << 20},
	{"application/vnd.ms-powerpoint", 100 << 20},
	{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 << 20},
	{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 << 20},
	{"application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 << 20},
};

void
sb_upload_media(SbCall *call, SbNumber *number)
{
	SbUpload file;
	const char *product;
	const char *type;
	size_t most = 0;
	SbMedia *m;

	call->note.route = "upload";
	if (!sb_read_multipart(call, &file) || file.field == NULL || strcmp(file.field, "file") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) The parameter file is required.", NULL);
		return;
	}
	product = sb_param(call, "messaging_product");
	type = sb_param(call, "type");
	if (product == NULL || strcmp(product, "whatsapp") != 0)
	{
		sb_refuse(call, 100, 0, "(#100) The parameter messaging_product is required.", NULL);
		return;
	}
	if (type == NULL)
		type = file.mime;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strncmp(type, taken[i].mime, strlen(taken[i].mime)) == 0 &&
			strchr("; ", type[strlen(taken[i].mime)]) != NULL)
			most = taken[i].most;
	if (most == 0)
	{
		sb_refusef(call, 100, 0,
				   "(#100) Param file must be a file with one of the types that are supported.",
				   "Received file of type '%.80s'.", type);
		return;
	}
	if (file.n == 0 || file.n > most)
	{
		sb_refuse(call, 131053, 0, NULL, "The media file is empty, or larger than is taken.");
		return;
	}
	m = sb_new_media(type, file.bytes, file.n);
	m->number = sb_strdup(number->id);
	m->filename = sb_strdup(file.filename);
	m->expires = sb_now() + UPLOAD_LIFE;
	sb_answer_json(call, 200, json_pack("{s:s}", "id", m->id));
}

/* ---------- control ---------- */

/*
 * POST media: something that a customer sends. `data` is base64; or `size` bytes
 * are made up, the same for the same `seed`. Of one that is there the id's or the
 * link's life is ended: `expired`, `link_expired`.
 */
void
sb_put_media(SbCall *call)
{
	static const char *const names[] = {"id",       "number",       "bot",     "mime_type",
										"filename", "data",         "size",    "seed",
										"sha256",   "open",         "unsized", "redirect",
										"expired",  "link_expired", "newest",  NULL};
	const char *data = sb_text_of(call, "data");
	const char *id = sb_flag_of(call, "newest", false) ? newest : sb_text_of(call, "id");
	SbMedia *m = id ? sb_table_get(&media, id) : NULL;
	int size = sb_int_of(call, "size", 0);

	if (!sb_only(call, names))
		return;
	if (m == NULL && (id != NULL || sb_flag_of(call, "newest", false)))
	{
		sb_unknown(call, "media");
		return;
	}
	if (m == NULL)
	{
		size_t n = data ? strlen(data) / 4 * 3 + 3 : (size_t) size;
		char *bytes = sb_alloc(n + 1);

		if (data != NULL)
		{
			int got = EVP_DecodeBlock((unsigned char *) bytes, (const unsigned char *) data,
									  (int) strlen(data));

			if (got < 0)
			{
				free(bytes);
				sb_wrong(call, "data is no base64");
				return;
			}
			n = (size_t) got;
			for (const char *p = data + strlen(data); p > data && p[-1] == '='; p--)
				n--;
		}
		else
		{
			uint64_t x = (uint64_t) sb_int_of(call, "seed", 1) * 0x9E3779B97F4A7C15u + 1;

			for (size_t i = 0; i < n; i++)
			{
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				bytes[i] = (char) (x >> 32);
			}
		}
		m = sb_new_media("application/octet-stream", bytes, n);
		free(bytes);
	}
	sb_update_text(call, "number", &m->number);
	sb_update_text(call, "bot", &m->bot);
	sb_update_text(call, "mime_type", &m->mime);
	sb_update_text(call, "filename", &m->filename);
	sb_update_text(call, "sha256", &m->sha256);
	sb_update_text(call, "redirect", &m->redirect);
	sb_update_flag(call, "open", &m->open);
	sb_update_flag(call, "unsized", &m->unsized);
	if (sb_flag_of(call, "expired", false))
		m->expires = 0;
	if (m->open && m->key == NULL)
		renew_link(m);
	if (sb_flag_of(call, "link_expired", false))
		m->key_expires = 0;
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:I,s:o,s:I,s:I,s:o,s:s*}", "id", m->id, "mime_type",
							 m->mime, "sha256", m->sha256, "size", (json_int_t) m->n, "url",
							 m->key ? link_of(call, m) : json_null(), "links",
							 (json_int_t) m->links, "reads", (json_int_t) m->reads, "number",
							 m->number ? json_string(m->number) : json_null(), "filename",
							 m->filename));
}
