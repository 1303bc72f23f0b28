/*
 * mailbox.c
 *		Who may log in at the pretended mail server, and send from which address.
 */
#include <stdlib.h>
#include <string.h>

#include "sandbox/control.h"
#include "sandbox/smtp_internal.h"
#include "sandbox/table.h"

static SbTable mailboxes; /* by user */

static void
drop_mailbox(void *p)
{
	SbMailbox *m = p;

	free(m->address);
	free(m->user);
	free(m->password);
	free(m);
}

SbMailbox *
sb_mailbox(const char *user)
{
	return sb_table_get(&mailboxes, user);
}

void
sb_mailboxes_reset(void)
{
	sb_table_clear(&mailboxes, drop_mailbox);
}

void
sb_put_mailbox(SbCall *call)
{
	static const char *const names[] = {"address", "user", "password", "dead", NULL};
	const char *address = sb_text_of(call, "address");
	const char *user = sb_text_of(call, "user");
	SbMailbox *m;

	if (!sb_only(call, names))
		return;
	if (address == NULL || strchr(address, '@') == NULL)
	{
		sb_wrong(call, "address is missing");
		return;
	}
	if (user == NULL)
		user = address;
	m = sb_table_get(&mailboxes, user);
	if (m == NULL)
	{
		m = sb_alloc(sizeof(SbMailbox));
		m->user = sb_strdup(user);
		m->address = sb_strdup(address);
		m->password = sb_strdup("password");
		sb_table_put(&mailboxes, m->user, m);
	}
	sb_replace(&m->address, address);
	if (sb_text_of(call, "password") != NULL)
		sb_replace(&m->password, sb_text_of(call, "password"));
	sb_update_flag(call, "dead", &m->dead);
	sb_answer_json(call, 200,
				   json_pack("{s:s,s:s,s:s,s:b,s:I}", "address", m->address, "user", m->user,
							 "password", m->password, "dead", m->dead, "accepted",
							 (json_int_t) m->accepted));
}
