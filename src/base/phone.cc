/*
 * phone.cc
 *		The shim before libphonenumber. The only C++ of the extension.
 *
 * Every function catches whatever is thrown: the library allocates, and a
 * std::bad_alloc that met a frame of the server would end the process. The
 * server's headers are not included, so nothing here can raise its errors, which
 * would pass over destructors. Of the library one object outlives a call, its own
 * singleton with the tables.
 */
#include "base/phone.h"

#include <cstring>
#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumberutil.h>
#include <string>

using i18n::phonenumbers::NullLogger;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace
{

PhoneNumberUtil *
library()
{
	static bool silent = false;
	PhoneNumberUtil *util = PhoneNumberUtil::GetInstance();

	if (!silent)
	{
		/* the usual one prints what it could not read; the library owns the new one */
		util->SetLogger(new NullLogger());
		silent = true;
	}
	return util;
}

bool
put(char *to, size_t room, const std::string &from)
{
	if (from.size() >= room)
		return false;
	memcpy(to, from.c_str(), from.size() + 1);
	return true;
}

} /* namespace */

LarasPhoneState
laras_phone_read(const char *text, size_t n, const char *region, LarasPhone *phone) noexcept
{
	memset(phone, 0, sizeof(*phone));
	if (text == NULL || n == 0 || n > LARAS_PHONE_LONGEST)
		return LARAS_PHONE_NONE;
	try
	{
		PhoneNumberUtil *util = library();
		PhoneNumber number;
		std::string written;

		if (util->Parse(std::string(text, n), region, &number) !=
				PhoneNumberUtil::NO_PARSING_ERROR ||
			util->IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE)
			return LARAS_PHONE_NONE;
		number.clear_extension();
		util->Format(number, PhoneNumberUtil::E164, &written);
		if (!put(phone->e164, sizeof(phone->e164), written))
			return LARAS_PHONE_NONE;
		util->GetRegionCodeForNumber(number, &written);
		if (!put(phone->region, sizeof(phone->region), written))
			phone->region[0] = '\0';
		return util->IsValidNumber(number) ? LARAS_PHONE_VALID : LARAS_PHONE_POSSIBLE;
	}
	catch (...)
	{
		memset(phone, 0, sizeof(*phone));
		return LARAS_PHONE_NO_MEMORY;
	}
}

bool
laras_phone_region(const char *region) noexcept
{
	try
	{
		return strlen(region) == 2 && library()->GetCountryCodeForRegion(region) != 0;
	}
	catch (...)
	{
		return false;
	}
}

void
laras_phone_init(void) noexcept
{
	LarasPhone phone;

	/* also compiles the expressions that every number meets */
	(void) laras_phone_read("+62 812-3456-7890", 17, "ID", &phone);
}
