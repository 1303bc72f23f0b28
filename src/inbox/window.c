/*
 * window.c
 *		May a free-form message leave now? Decided at hand-off, by the time the
 *		provider gave the person's last message.
 */
#include "postgres.h"

#include "inbox/inbox.h"
#include "utils/timestamp.h"

LarasWindowState
laras_window(const LarasChannelDriver *driver, TimestampTz last_inbound_at, TimestampTz now)
{
	if (driver->window_seconds == 0)
		return LARAS_WINDOW_OPEN;
	if (last_inbound_at == 0)
		return LARAS_WINDOW_NEVER;
	if (now >= TimestampTzPlusMilliseconds(last_inbound_at, (int64) driver->window_seconds * 1000))
		return LARAS_WINDOW_CLOSED;
	return LARAS_WINDOW_OPEN;
}

const char *
laras_window_reason(LarasWindowState state)
{
	switch (state)
	{
		case LARAS_WINDOW_OPEN:
			return "open";
		case LARAS_WINDOW_CLOSED:
			return "window_closed";
		case LARAS_WINDOW_NEVER:
			return "never_wrote";
	}
	return "window_closed";
}
