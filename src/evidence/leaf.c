/*
 * leaf.c
 *		The bytes of an evidence leaf. Invariant: one act has exactly one
 *		encoding, and what next_field accepts, a writer could have written.
 */
#include "evidence/leaf.h"

#include <string.h>

#include "vault/bytes.h"


static const LarasFieldInfo fields[] = {
#define LARAS_EVIDENCE_FIELD(no, constant, name, class) {no, name, LARAS_CLASS_##class},
#include "evidence/fields.def"
#undef LARAS_EVIDENCE_FIELD
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

/* fields.def ascends by number; a unit test holds it to that */
const LarasFieldInfo *
laras_field_info(int no)
{
	size_t low = 0, high = NFIELDS;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (fields[middle].no == no)
			return &fields[middle];
		if (fields[middle].no < no)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const LarasFieldInfo *
laras_field_by_name(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < NFIELDS; i++)
		if (strlen(fields[i].name) == n && memcmp(fields[i].name, name, n) == 0)
			return &fields[i];
	return NULL;
}

void
laras_leaf_header(const LarasLeafHeader *header, uint16_t nfields, uint8_t out[LARAS_LEAF_HEADER])
{
	out[0] = LARAS_LEAF_VERSION;
	out[1] = 0;
	laras_put16(out + 2, header->action);
	laras_put64(out + 4, (uint64_t) header->workspace_id);
	laras_put64(out + 12, (uint64_t) header->entry_id);
	laras_put64(out + 20, (uint64_t) header->time);
	out[28] = header->actor_kind;
	out[29] = header->subject_kind;
	laras_put16(out + 30, nfields);
	laras_put64(out + 32, (uint64_t) header->actor_id);
	laras_put64(out + 40, (uint64_t) header->subject_id);
	laras_put32(out + 48, header->workspace_slot);
}

bool
laras_leaf_hash(const LarasLeafHeader *header, uint16_t nfields, const void *field_bytes, size_t n,
				LarasHash *out)
{
	uint8_t bytes[LARAS_LEAF_HEADER];
	LarasPiece pieces[] = {{"\x00", 1}, {bytes, sizeof(bytes)}, {field_bytes, n}};

	laras_leaf_header(header, nfields, bytes);
	return laras_sha256(pieces, 3, out->b);
}

static size_t
put_field_header(uint8_t *out, uint16_t no, LarasFieldClass field_class, size_t n)
{
	laras_put16(out, no);
	out[2] = (uint8_t) field_class;
	out[3] = 0;
	laras_put32(out + 4, (uint32_t) n);
	return LARAS_LEAF_FIELD_HEADER;
}

size_t
laras_leaf_put_committed(uint8_t *out, uint16_t no, uint32_t slot, const LarasHash *commitment)
{
	put_field_header(out, no, LARAS_CLASS_COMMITTED, LARAS_LEAF_COMMITTED_BYTES);
	laras_put32(out + LARAS_LEAF_FIELD_HEADER, slot);
	memcpy(out + LARAS_LEAF_FIELD_HEADER + 4, commitment->b, LARAS_HASH_LEN);
	return LARAS_LEAF_FIELD_HEADER + LARAS_LEAF_COMMITTED_BYTES;
}

size_t
laras_leaf_put_bytes(uint8_t *out, uint16_t no, LarasFieldClass field_class, const void *p,
					 size_t n)
{
	put_field_header(out, no, field_class, n);
	memcpy(out + LARAS_LEAF_FIELD_HEADER, p, n);
	return LARAS_LEAF_FIELD_HEADER + n;
}

size_t
laras_leaf_put_number(uint8_t *out, uint16_t no, LarasFieldClass field_class, int64_t number)
{
	put_field_header(out, no, field_class, 8);
	laras_put64(out + LARAS_LEAF_FIELD_HEADER, (uint64_t) number);
	return LARAS_LEAF_FIELD_HEADER + 8;
}

bool
laras_leaf_is_code(const void *p, size_t n)
{
	const uint8_t *c = p;
	size_t i;

	if (n < 1 || n > LARAS_LEAF_MAX_CODE)
		return false;
	for (i = 0; i < n; i++)
	{
		bool letter = (c[i] >= 'a' && c[i] <= 'z') || (c[i] >= 'A' && c[i] <= 'Z');

		if (i == 0 ? !letter
				   : !letter && !(c[i] >= '0' && c[i] <= '9') && c[i] != '.' && c[i] != '_' &&
						 c[i] != ':' && c[i] != '/' && c[i] != '-')
			return false;
	}
	return true;
}

int
laras_leaf_next_field(const uint8_t *p, size_t n, size_t *offset, uint16_t *last,
					  LarasLeafField *field)
{
	size_t length;

	if (*offset == n)
		return 0;
	if (*offset > n || n - *offset < LARAS_LEAF_FIELD_HEADER)
		return -1;
	p += *offset;
	n -= *offset + LARAS_LEAF_FIELD_HEADER;

	memset(field, 0, sizeof(*field));
	field->no = laras_get16(p);
	field->field_class = (LarasFieldClass) p[2];
	length = laras_get32(p + 4);
	if (field->no <= *last || p[3] != 0 || length > n)
		return -1;
	p += LARAS_LEAF_FIELD_HEADER;

	switch (field->field_class)
	{
		case LARAS_CLASS_COMMITTED:
			if (length != LARAS_LEAF_COMMITTED_BYTES)
				return -1;
			field->slot = laras_get32(p);
			memcpy(field->commitment.b, p + 4, LARAS_HASH_LEN);
			break;
		case LARAS_CLASS_CODE:
			if (!laras_leaf_is_code(p, length))
				return -1;
			break;
		case LARAS_CLASS_NUMBER:
		case LARAS_CLASS_TIME:
			if (length != 8)
				return -1;
			field->number = (int64_t) laras_get64(p);
			break;
		case LARAS_CLASS_DIGEST:
			if (length != 16 && length != 32)
				return -1;
			break;
		default:
			return -1;
	}
	field->p = p;
	field->n = length;
	*last = field->no;
	*offset += LARAS_LEAF_FIELD_HEADER + length;
	return 1;
}

int
laras_leaf_count_fields(const uint8_t *p, size_t n)
{
	LarasLeafField field;
	size_t offset = 0;
	uint16_t last = 0;
	int count = 0;
	int step;

	while ((step = laras_leaf_next_field(p, n, &offset, &last, &field)) > 0)
		count++;
	return step < 0 || count > UINT16_MAX ? -1 : count;
}
