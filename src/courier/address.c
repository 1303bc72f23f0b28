/*
 * address.c
 *		Addresses that anybody may reach, and those that lead inside.
 *
 * Ranges are those of the IANA registries of special purpose (RFC 6890) that
 * are not globally reachable, and multicast.
 */
#include "courier/address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

static bool
is_public_v4(uint32_t a)
{
	static const struct
	{
		uint32_t net;
		int bits;
	} ranges[] = {
		{0x00000000, 8},  /* 0.0.0.0: this network */
		{0x0A000000, 8},  /* 10.0.0.0 */
		{0x64400000, 10}, /* 100.64.0.0: shared by carriers */
		{0x7F000000, 8},  /* 127.0.0.0: loopback */
		{0xA9FE0000, 16}, /* 169.254.0.0: link-local, and metadata of clouds */
		{0xAC100000, 12}, /* 172.16.0.0 */
		{0xC0000000, 24}, /* 192.0.0.0: protocol assignments */
		{0xC0000200, 24}, /* 192.0.2.0: documentation */
		{0xC0586300, 24}, /* 192.88.99.0: old relays */
		{0xC0A80000, 16}, /* 192.168.0.0 */
		{0xC6120000, 15}, /* 198.18.0.0: benchmarks */
		{0xC6336400, 24}, /* 198.51.100.0: documentation */
		{0xCB007100, 24}, /* 203.0.113.0: documentation */
		{0xE0000000, 3},  /* 224.0.0.0: multicast, reserved, broadcast */
	};

	for (int i = 0; i < (int) (sizeof(ranges) / sizeof(ranges[0])); i++)
		if (a >> (32 - ranges[i].bits) == ranges[i].net >> (32 - ranges[i].bits))
			return false;
	return true;
}

static uint32_t
v4_in(const unsigned char *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

bool
laras_address_is_public(const struct sockaddr *address)
{
	static const unsigned char translated[12] = {0x00, 0x64, 0xFF, 0x9B};
	const unsigned char *p;

	if (address->sa_family == AF_INET)
		return is_public_v4(
			ntohl(((const struct sockaddr_in *) (const void *) address)->sin_addr.s_addr));
	if (address->sa_family != AF_INET6)
		return false;
	p = ((const struct sockaddr_in6 *) (const void *) address)->sin6_addr.s6_addr;
	if (memcmp(p, translated, sizeof(translated)) == 0)
		return is_public_v4(v4_in(p + 12));
	/* 2002::/16 holds an address of IPv4; of 2001::/23 and 2001:db8::/32 nothing is a host's */
	if (p[0] == 0x20 && p[1] == 0x02)
		return is_public_v4(v4_in(p + 2));
	if (p[0] == 0x20 && p[1] == 0x01 && (p[2] < 0x02 || (p[2] == 0x0D && p[3] == 0xB8)))
		return false;
	/* all that is given out is in 2000::/3 */
	return p[0] >> 5 == 1;
}
