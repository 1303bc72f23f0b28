/*
 * note.c
 *		Checkpoints as signed notes. Invariant: what sign writes, verify reads,
 *		and verify reads nothing that it could not itself have written, but for
 *		further signature lines (witnesses may add theirs).
 */
#include "evidence/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EM_DASH "\xe2\x80\x94"
#define SIGNATURE_BYTES 64
#define MAX_SIGNATURES 16

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
laras_base64_write(const uint8_t *p, size_t n, char *out)
{
	size_t written = 0;
	size_t i;

	for (i = 0; i < n; i += 3)
	{
		uint32_t v = (uint32_t) p[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t) p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		out[written++] = base64_alphabet[v >> 18];
		out[written++] = base64_alphabet[v >> 12 & 63];
		out[written++] = i + 1 < n ? base64_alphabet[v >> 6 & 63] : '=';
		out[written++] = i + 2 < n ? base64_alphabet[v & 63] : '=';
	}
	out[written] = '\0';
	return written;
}

static int
base64_value(char c)
{
	const char *at = c == '\0' ? NULL : strchr(base64_alphabet, c);

	return at == NULL ? -1 : (int) (at - base64_alphabet);
}

int
laras_base64_read(const char *p, size_t n, uint8_t *out)
{
	size_t i;
	int written = 0;

	if (n % 4 != 0 || n > LARAS_NOTE_MAX)
		return -1;
	for (i = 0; i < n; i += 4)
	{
		int padding = 0;
		uint32_t v = 0;
		int k;

		if (i + 4 == n)
			padding = p[i + 3] != '=' ? 0 : p[i + 2] != '=' ? 1 : 2;
		for (k = 0; k < 4; k++)
		{
			int digit = k >= 4 - padding ? 0 : base64_value(p[i + k]);

			if (digit < 0)
				return -1;
			v = v << 6 | (uint32_t) digit;
		}
		/* bits under the padding must be zero: one value, one text */
		if ((padding == 1 && (v & 0xff) != 0) || (padding == 2 && (v & 0xffff) != 0))
			return -1;
		out[written++] = v >> 16 & 0xff;
		if (padding < 2)
			out[written++] = v >> 8 & 0xff;
		if (padding < 1)
			out[written++] = v & 0xff;
	}
	return written;
}

bool
laras_note_is_origin(const char *origin, size_t n)
{
	size_t i;

	if (n < 1 || n > LARAS_NOTE_ORIGIN)
		return false;
	for (i = 0; i < n; i++)
		if (origin[i] <= ' ' || origin[i] == '+' || origin[i] >= 0x7f)
			return false;
	return true;
}

bool
laras_note_key_id(const char *name, size_t n, const uint8_t public_key[LARAS_NOTE_PUBLIC],
				  uint8_t id[4])
{
	LarasPiece pieces[] = {{name, n}, {"\x0a\x01", 2}, {public_key, LARAS_NOTE_PUBLIC}};
	LarasHash hash;

	if (!laras_sha256(pieces, 3, hash.b))
		return false;
	memcpy(id, hash.b, 4);
	return true;
}

bool
laras_note_public(EVP_PKEY *key, uint8_t out[LARAS_NOTE_PUBLIC])
{
	size_t n = LARAS_NOTE_PUBLIC;

	return EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
		   EVP_PKEY_get_raw_public_key(key, out, &n) == 1 && n == LARAS_NOTE_PUBLIC;
}

/* Ed25519 over the text; pure EdDSA signs the message itself, not a digest. */
static bool
sign_text(EVP_PKEY *key, const char *text, size_t n, uint8_t out[SIGNATURE_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_BYTES;
	bool ok;

	ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
		 EVP_DigestSign(context, out, &length, (const uint8_t *) text, n) == 1 &&
		 length == SIGNATURE_BYTES;
	EVP_MD_CTX_free(context);
	return ok;
}

static bool
verify_text(const uint8_t public_key[LARAS_NOTE_PUBLIC], const char *text, size_t n,
			const uint8_t signature[SIGNATURE_BYTES])
{
	EVP_PKEY *key =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, LARAS_NOTE_PUBLIC);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok;

	ok = key != NULL && context != NULL &&
		 EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		 EVP_DigestVerify(context, signature, SIGNATURE_BYTES, (const uint8_t *) text, n) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return ok;
}

/* Extension lines: none empty, each ended, printable ASCII. */
static bool
extensions_are_well_formed(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
	{
		if (p[i] == '\n' && (i == 0 || p[i - 1] == '\n'))
			return false;
		if (p[i] != '\n' && (p[i] < ' ' || p[i] >= 0x7f))
			return false;
	}
	return n == 0 || p[n - 1] == '\n';
}

size_t
laras_note_sign(const LarasCheckpoint *checkpoint, EVP_PKEY *key, char *out)
{
	uint8_t public_key[LARAS_NOTE_PUBLIC];
	uint8_t signature[4 + SIGNATURE_BYTES];
	char root[48];
	char encoded[100];
	int text_length;
	int tail_length;

	if (!laras_note_is_origin(checkpoint->origin, checkpoint->origin_length) ||
		!extensions_are_well_formed(checkpoint->extensions, checkpoint->extensions_length))
		return 0;

	laras_base64_write(checkpoint->root.b, LARAS_HASH_LEN, root);
	text_length = snprintf(out, LARAS_NOTE_MAX, "%.*s\n%" PRIu64 "\n%s\n%.*s",
						   (int) checkpoint->origin_length, checkpoint->origin, checkpoint->size,
						   root, (int) checkpoint->extensions_length,
						   checkpoint->extensions_length == 0 ? "" : checkpoint->extensions);
	if (text_length < 0 || text_length >= LARAS_NOTE_MAX)
		return 0;

	if (!laras_note_public(key, public_key) ||
		!laras_note_key_id(checkpoint->origin, checkpoint->origin_length, public_key, signature) ||
		!sign_text(key, out, text_length, signature + 4))
		return 0;
	laras_base64_write(signature, sizeof(signature), encoded);

	tail_length =
		snprintf(out + text_length, LARAS_NOTE_MAX - text_length, "\n" EM_DASH " %.*s %s\n",
				 (int) checkpoint->origin_length, checkpoint->origin, encoded);
	if (tail_length < 0 || tail_length >= LARAS_NOTE_MAX - text_length)
		return 0;
	return text_length + tail_length;
}

/* The line at p: its length without the newline, or -1 when there is none. */
static int
line_length(const char *p, const char *end)
{
	const char *newline = p < end ? memchr(p, '\n', end - p) : NULL;

	return newline == NULL ? -1 : (int) (newline - p);
}

bool
laras_note_parse(const char *note, size_t n, LarasCheckpoint *checkpoint, size_t *text_length)
{
	const char *end = note + n;
	const char *text_end = NULL;
	const char *p;
	int length;
	int i;

	if (n == 0 || n > LARAS_NOTE_MAX || note[n - 1] != '\n')
		return false;

	/* the text ends before the last empty line */
	for (p = note; p + 1 < end; p++)
		if (p[0] == '\n' && p[1] == '\n')
			text_end = p + 1;
	if (text_end == NULL || text_end + 1 >= end)
		return false;
	*text_length = text_end - note;

	memset(checkpoint, 0, sizeof(*checkpoint));
	p = note;
	length = line_length(p, text_end);
	if (length < 0 || !laras_note_is_origin(p, length))
		return false;
	checkpoint->origin = p;
	checkpoint->origin_length = length;
	p += length + 1;

	length = line_length(p, text_end);
	if (length < 1 || length > 19 || (p[0] == '0' && length > 1))
		return false;
	for (i = 0; i < length; i++)
	{
		if (p[i] < '0' || p[i] > '9')
			return false;
		checkpoint->size = checkpoint->size * 10 + (uint64_t) (p[i] - '0');
	}
	if (checkpoint->size > INT64_MAX)
		return false;
	p += length + 1;

	length = line_length(p, text_end);
	if (length != 44)
		return false;
	else
	{
		uint8_t root[33];

		if (laras_base64_read(p, 44, root) != LARAS_HASH_LEN)
			return false;
		memcpy(checkpoint->root.b, root, LARAS_HASH_LEN);
	}
	p += length + 1;

	checkpoint->extensions = p;
	checkpoint->extensions_length = text_end - p;
	return extensions_are_well_formed(p, text_end - p);
}

/*
 * The signature line at p (without its newline) if it is by this name and key
 * id: 1 and the signature; 0 when it is by somebody else; -1 when malformed.
 */
static int
read_signature_line(const char *p, int n, const LarasCheckpoint *checkpoint,
					const uint8_t key_id[4], uint8_t signature[SIGNATURE_BYTES])
{
	uint8_t bytes[3 * LARAS_NOTE_MAX / 4];
	const char *name;
	const char *space;
	int decoded;

	if (n < 6 || memcmp(p, EM_DASH " ", 4) != 0)
		return -1;
	name = p + 4;
	space = memchr(name, ' ', n - 4);
	if (space == NULL || space == name)
		return -1;
	decoded = laras_base64_read(space + 1, p + n - space - 1, bytes);
	if (decoded < 5)
		return -1;
	if ((size_t) (space - name) != checkpoint->origin_length ||
		memcmp(name, checkpoint->origin, checkpoint->origin_length) != 0 ||
		memcmp(bytes, key_id, 4) != 0)
		return 0;
	if (decoded != 4 + SIGNATURE_BYTES)
		return -1;
	memcpy(signature, bytes + 4, SIGNATURE_BYTES);
	return 1;
}

bool
laras_note_verify(const char *note, size_t n, const uint8_t public_key[LARAS_NOTE_PUBLIC],
				  LarasCheckpoint *checkpoint)
{
	const char *end = note + n;
	const char *p;
	uint8_t key_id[4];
	size_t text_length;
	bool verified = false;
	int lines = 0;

	if (!laras_note_parse(note, n, checkpoint, &text_length) ||
		!laras_note_key_id(checkpoint->origin, checkpoint->origin_length, public_key, key_id))
		return false;

	for (p = note + text_length + 1; p < end;)
	{
		uint8_t signature[SIGNATURE_BYTES];
		int length = line_length(p, end);

		if (length < 0 || ++lines > MAX_SIGNATURES)
			return false;
		switch (read_signature_line(p, length, checkpoint, key_id, signature))
		{
			case -1:
				return false;
			case 1:
				if (!verify_text(public_key, note, text_length, signature))
					return false;
				verified = true;
				break;
			default:
				break;
		}
		p += length + 1;
	}
	return verified;
}
