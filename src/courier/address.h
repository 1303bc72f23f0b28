/*
 * address.h
 *		Does an address lead to a host on the public net?
 */
#ifndef LARAS_COURIER_ADDRESS_H
#define LARAS_COURIER_ADDRESS_H

#include <stdbool.h>

struct sockaddr;

/*
 * No loopback, private, link-local, shared, reserved or multicast one, whether
 * written as IPv4 or within IPv6.
 */
extern bool laras_address_is_public(const struct sockaddr *address);

#endif /* LARAS_COURIER_ADDRESS_H */
