/*
 * numbers.h
 *		The numbers of numbers.def as C constants.
 *
 * LARAS_FIELD_<table>_<column>, LARAS_INDEX_<NAME>, LARAS_REASON_<NAME>,
 * LARAS_CLASS_<NAME>; LarasDestroyReason is the type of the reasons.
 */
#ifndef LARAS_VAULT_NUMBERS_H
#define LARAS_VAULT_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum LarasFieldNo
{
#define LARAS_FIELD(number, table, column) LARAS_FIELD_##table##_##column = number,
#include "vault/numbers.def"
	LARAS_FIELD_MAX = 65535
} LarasFieldNo;

typedef enum LarasIndexKind
{
#define LARAS_INDEX_KIND(number, name, text) LARAS_INDEX_##name = number,
#include "vault/numbers.def"
	LARAS_INDEX_MAX = 255
} LarasIndexKind;

typedef enum LarasDestroyReason
{
#define LARAS_REASON(number, name, text) LARAS_REASON_##name = number,
#include "vault/numbers.def"
	LARAS_REASON_MAX = 255
} LarasDestroyReason;

typedef enum LarasDataClass
{
#define LARAS_CLASS(number, name, text) LARAS_CLASS_##name = number,
#include "vault/numbers.def"
	LARAS_CLASS_MAX = 65535
} LarasDataClass;

/* One line of numbers.def, for tables that must show them (SQL, doctor). */
typedef struct LarasNumber
{
	uint16_t number;
	const char *name; /* "message" for a field: the table */
	const char *text; /* "body" for a field: the column */
	bool channel;     /* index kinds: the channel is hashed too */
} LarasNumber;

/* Arrays end with number 0. */
extern const LarasNumber laras_field_numbers[];
extern const LarasNumber laras_index_kinds[];
extern const LarasNumber laras_destroy_reasons[];
extern const LarasNumber laras_data_classes[];

/* Does this kind put lp(channel) before the value?  False for unknown kinds. */
extern bool laras_index_kind_has_channel(uint16_t kind);

/* Text of a reason, or "unknown". */
extern const char *laras_destroy_reason_text(uint8_t reason);

#endif /* LARAS_VAULT_NUMBERS_H */
