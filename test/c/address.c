/*
 * address.c
 *		Says of each address among its arguments whether it is a public one.
 */
#include "courier/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *
word(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return laras_address_is_public((const struct sockaddr *) &v4) ? "public" : "inside";
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		return laras_address_is_public((const struct sockaddr *) &v6) ? "public" : "inside";
	return "no address";
}

int
main(int argc, char **argv)
{
	struct sockaddr other = {.sa_family = AF_UNIX};

	printf("unix %s\n", laras_address_is_public(&other) ? "public" : "inside");
	for (int i = 1; i < argc; i++)
		printf("%s %s\n", argv[i], word(argv[i]));
	return 0;
}
