/*
 * bytes.h
 *		Big-endian integers in byte strings: every format of the vault is
 *		big-endian and unaligned.
 */
#ifndef LARAS_VAULT_BYTES_H
#define LARAS_VAULT_BYTES_H

#include <stdint.h>

static inline void
laras_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static inline void
laras_put32(uint8_t *p, uint32_t v)
{
	laras_put16(p, (uint16_t) (v >> 16));
	laras_put16(p + 2, (uint16_t) v);
}

static inline void
laras_put64(uint8_t *p, uint64_t v)
{
	laras_put32(p, (uint32_t) (v >> 32));
	laras_put32(p + 4, (uint32_t) v);
}

static inline uint16_t
laras_get16(const uint8_t *p)
{
	return (uint16_t) ((p[0] << 8) | p[1]);
}

static inline uint32_t
laras_get32(const uint8_t *p)
{
	return ((uint32_t) laras_get16(p) << 16) | laras_get16(p + 2);
}

static inline uint64_t
laras_get64(const uint8_t *p)
{
	return ((uint64_t) laras_get32(p) << 32) | laras_get32(p + 4);
}

#endif /* LARAS_VAULT_BYTES_H */
