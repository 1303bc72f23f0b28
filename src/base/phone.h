/*
 * phone.h
 *		Phone numbers, by Google's libphonenumber: the one place that calls it.
 *
 * The library is C++ and stays behind phone.cc: no exception and no C++ object
 * leaves it, nothing of the server is called from within it, and what it would
 * write to standard output, numbers included, is dropped.
 */
#ifndef LARAS_BASE_PHONE_H
#define LARAS_BASE_PHONE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
#define LARAS_THROWS_NOTHING noexcept
extern "C"
{
#else
#define LARAS_THROWS_NOTHING
#endif

/* what people type as a number is never longer */
#define LARAS_PHONE_LONGEST 64

	typedef enum LarasPhoneState
	{
		LARAS_PHONE_NONE,     /* no phone number */
		LARAS_PHONE_POSSIBLE, /* as long as a number of its country may be; nothing more is known */
		LARAS_PHONE_VALID, /* of a range that its country has given out, as far as the library knows */
		LARAS_PHONE_NO_MEMORY
	} LarasPhoneState;

	typedef struct LarasPhone
	{
		char e164[24];  /* +, country code, number; empty where it is none */
		char region[3]; /* two letters, where the number tells; else empty */
	} LarasPhone;

	/*
 * Read a number as it is written in a region (two letters): with or without
 * country code, with spaces, dashes, brackets, a prefix or an extension, which
 * is left out. Never raises, allocates nothing that stays.
 */
	extern LarasPhoneState laras_phone_read(const char *text, size_t n, const char *region,
											LarasPhone *phone) LARAS_THROWS_NOTHING;

	/* Is that a region whose numbers are known? */
	extern bool laras_phone_region(const char *region) LARAS_THROWS_NOTHING;

	/*
 * Load the library's tables. In the postmaster, so that every backend shares
 * them; else the first call does it.
 */
	extern void laras_phone_init(void) LARAS_THROWS_NOTHING;

#ifdef __cplusplus
}
#endif

#endif /* LARAS_BASE_PHONE_H */
