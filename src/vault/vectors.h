/*
 * vectors.h
 *		Printing the test vectors of the vault (laras-keytool vectors).
 */
#ifndef LARAS_VAULT_VECTORS_H
#define LARAS_VAULT_VECTORS_H

#include <stdbool.h>

/* Print all to standard output; false where the crypto library failed. */
extern bool laras_print_vectors(void);

#endif /* LARAS_VAULT_VECTORS_H */
