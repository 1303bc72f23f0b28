/*
 * numbers.c
 *		The lists of numbers.def as arrays, for what must show or check them.
 */
#include "vault/numbers.h"

#include <stddef.h>

const LarasNumber laras_field_numbers[] = {
#define LARAS_FIELD(number, table, column) {number, #table, #column, false},
#include "vault/numbers.def"
	{0, NULL, NULL, false}};

const LarasNumber laras_index_kinds[] = {
#define LARAS_INDEX_KIND(number, name, text) {number, #name, text, false},
#define LARAS_INDEX_KIND_CHANNEL(number, name, text) {number, #name, text, true},
#include "vault/numbers.def"
	{0, NULL, NULL, false}};

const LarasNumber laras_destroy_reasons[] = {
#define LARAS_REASON(number, name, text) {number, #name, text, false},
#include "vault/numbers.def"
	{0, NULL, NULL, false}};

const LarasNumber laras_data_classes[] = {
#define LARAS_CLASS(number, name, text) {number, #name, text, false},
#include "vault/numbers.def"
	{0, NULL, NULL, false}};

bool
laras_index_kind_has_channel(uint16_t kind)
{
	for (const LarasNumber *k = laras_index_kinds; k->number != 0; k++)
		if (k->number == kind)
			return k->channel;
	return false;
}

const char *
laras_destroy_reason_text(uint8_t reason)
{
	for (const LarasNumber *r = laras_destroy_reasons; r->number != 0; r++)
		if (r->number == reason)
			return r->text;
	return "unknown";
}
