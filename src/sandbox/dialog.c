/*
 * dialog.c
 *		What is said to the pretended mail server: log-ins and mails.
 *
 * RFC 5321 with AUTH (RFC 4954, PLAIN and LOGIN), SIZE, 8BITMIME and, where there is
 * a certificate, STARTTLS (RFC 3207), before which nobody logs in. A line of the
 * ledger is a log-in (route "login") or a mail (route "mail"), written when the
 * server has decided about it, whatever becomes of its reply. Scripted faults
 * match by route, number (the sender's address), to and text, as for HTTP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "sandbox/fault.h"
#include "sandbox/ledger.h"
#include "sandbox/table.h"
#include "sandbox/smtp_internal.h"

static uint64_t mail_count;

/* ---------- the ledger and its faults ---------- */

/* The call that stands for a log-in or a mail; give it back by end_call. */
static SbCall *
begin_call(SbMailSession *s, const char *route, const char *who)
{
	SbCall *call = sb_alloc(sizeof(SbCall));

	call->started = sb_real();
	call->method = "SMTP";
	call->parts[0] = (char *) who;
	call->parts[1] = (char *) route;
	call->nparts = 2;
	call->raw_path = strcmp(route, "mail") == 0 ? "/smtp/mail" : "/smtp/login";
	call->connection = s->number;
	call->nth = s->commands;
	call->note.route = route;
	call->note.number = who;
	return call;
}

static void
end_call(SbCall *call)
{
	sb_ledger_add(call);
	if (call->fault != NULL)
		sb_fault_release(call->fault);
	json_decref(call->json);
	free(call);
}

/* What a fault makes of a reply: true where the session goes on. */
static bool
spoil(SbMailSession *s, SbCall *call)
{
	const SbFault *f = call->fault;
	char line[80];

	if (f == NULL)
		return true;
	switch (f->action)
	{
		case SB_FAULT_RESET_BEFORE_BODY:
		case SB_FAULT_RESET_AFTER_BODY:
		case SB_FAULT_RESET_MID_ANSWER:
			call->status = 0;
			sb_mail_reset(s);
			return false;
		case SB_FAULT_CLOSE_UNANSWERED:
			call->status = 0;
			s->closing = true;
			return false;
		case SB_FAULT_HANG:
			call->status = 0;
			s->phase = PHASE_SILENT;
			return false;
		case SB_FAULT_CLOSE_AFTER_ANSWER:
			s->closing = true;
			return true;
		case SB_FAULT_REFUSE:
		case SB_FAULT_HTTP_ERROR:
			call->status = f->action == SB_FAULT_REFUSE ? f->code : f->http_status;
			call->note.code = call->status;
			call->note.subcode = f->subcode;
			if (f->subcode >= 100)
				snprintf(line, sizeof(line), "%d %d.%d.%d refused as scripted", call->status,
						 f->subcode / 100, f->subcode / 10 % 10, f->subcode % 10);
			else
				snprintf(line, sizeof(line), "%d refused as scripted", call->status);
			sb_mail_say(s, line);
			return false;
		default:
			return true;
	}
}

static void
delay_by(SbMailSession *s, const SbCall *call)
{
	if (call->fault != NULL && call->fault->delay_ms > 0)
		sb_mail_hold(s, call->fault->delay_ms);
}

/* ---------- commands ---------- */

static void
log_in(SbMailSession *s, const char *user, const char *password)
{
	SbMailbox *m = sb_mailbox(user);
	SbCall *call = begin_call(s, "login", m ? m->address : user);

	s->phase = PHASE_COMMAND;
	call->fault = sb_fault_for(call, true);
	call->status = m != NULL && !m->dead && strcmp(m->password, password) == 0 ? 235 : 535;
	if (call->fault != NULL && !call->fault->accept)
		m = NULL;
	if (spoil(s, call))
		sb_mail_say(s, call->status == 235 ? "235 2.7.0 Authentication successful"
										   : "535 5.7.8 Authentication credentials invalid");
	if (call->status == 535)
		call->note.code = 535;
	s->mailbox = call->status == 235 ? m : NULL;
	delay_by(s, call);
	end_call(call);
}

/* Base64 as a text; false where it is none. */
static bool
decoded(const char *in, char *out, size_t room, size_t *n)
{
	size_t length = strlen(in);
	int got;

	if (length == 0 || length % 4 != 0 || length / 4 * 3 >= room)
		return false;
	got = EVP_DecodeBlock((unsigned char *) out, (const unsigned char *) in, (int) length);
	if (got < 0)
		return false;
	while (length > 0 && in[length - 1] == '=' && got > 0)
	{
		length--;
		got--;
	}
	*n = (size_t) got;
	out[*n] = '\0';
	return true;
}

/* "authority NUL user NUL password" */
static void
plain(SbMailSession *s, const char *line)
{
	char bytes[1024];
	size_t n = 0;
	const char *user = NULL;

	if (decoded(line, bytes, sizeof(bytes), &n) && strlen(bytes) + 1 < n)
		user = bytes + strlen(bytes) + 1;
	if (user == NULL || user + strlen(user) + 1 > bytes + n)
	{
		s->phase = PHASE_COMMAND;
		sb_mail_say(s, "501 5.5.2 cannot decode");
		return;
	}
	log_in(s, user, user + strlen(user) + 1);
}

static void
login_line(SbMailSession *s, const char *line)
{
	char bytes[512];
	size_t n;

	if (!decoded(line, bytes, sizeof(bytes), &n) || strlen(bytes) >= sizeof(s->user))
	{
		s->phase = PHASE_COMMAND;
		sb_mail_say(s, "501 5.5.2 cannot decode");
	}
	else if (s->phase == PHASE_USER)
	{
		snprintf(s->user, sizeof(s->user), "%s", bytes);
		s->phase = PHASE_PASSWORD;
		sb_mail_say(s, "334 UGFzc3dvcmQ6");
	}
	else
		log_in(s, s->user, bytes);
}

static bool
is(const char *line, const char *command)
{
	return strncasecmp(line, command, strlen(command)) == 0;
}

/* The address between angle brackets; false where there is none. */
static bool
path_of(const char *line, char *out, size_t room)
{
	const char *open = strchr(line, '<');
	const char *close = open ? strchr(open, '>') : NULL;

	if (close == NULL || (size_t) (close - open) >= room)
		return false;
	snprintf(out, room, "%.*s", (int) (close - open - 1), open + 1);
	return true;
}

static void
forget_mail(SbMailSession *s)
{
	s->mail_begun = false;
	s->recipient[0] = '\0';
	sb_clear(&s->mail);
}

static void
begin_mail(SbMailSession *s, const char *line)
{
	const char *size = strcasestr(line, "SIZE=");

	if (s->mailbox == NULL)
		sb_mail_say(s, "530 5.7.0 Authentication required");
	else if (!path_of(line, s->sender, sizeof(s->sender)))
		sb_mail_say(s, "501 5.1.7 bad sender");
	else if (strcasecmp(s->sender, s->mailbox->address) != 0)
		sb_mail_say(s, "553 5.7.1 Sender address rejected: not owned by user");
	else if (size != NULL && strtol(size + 5, NULL, 10) > SB_LARGEST_MAIL)
		sb_mail_say(s, "552 5.3.4 Message size exceeds fixed limit");
	else
	{
		forget_mail(s);
		s->mail_begun = true;
		sb_mail_say(s, "250 2.1.0 Ok");
	}
}

/* There is a certificate, and it was not shown yet. */
static bool
only_secure(const SbMailSession *s)
{
	return s->tls == NULL && sb_tls_is_loaded();
}

/* For tests that ask what was said before it was safe to. */
static void
note_command(SbMailSession *s, const char *line)
{
	SbBuffer *to = s->tls == NULL ? &s->clear : &s->secure;

	if (to->len > 200)
		return;
	sb_addf(to, "%s%.*s", to->len ? " " : "", (int) strcspn(line, " :\r\n"), line);
}

void
sb_mail_begin(SbMailSession *s)
{
	forget_mail(s);
	s->phase = PHASE_COMMAND;
	s->mailbox = NULL;
	s->user[0] = s->sender[0] = '\0';
}

static void
command(SbMailSession *s, const char *line)
{
	s->commands++;
	note_command(s, line);
	if (is(line, "EHLO "))
	{
		sb_mail_say(s, "250-sandbox.example");
		sb_mail_say(s, only_secure(s) ? "250-STARTTLS" : "250-AUTH PLAIN LOGIN");
		sb_mail_say(s, "250-SIZE 1048576");
		sb_mail_say(s, "250 8BITMIME");
	}
	else if (is(line, "STARTTLS") && only_secure(s))
	{
		sb_mail_say(s, "220 2.0.0 Ready to start TLS");
		s->turning = true;
	}
	else if (is(line, "AUTH") && only_secure(s))
		sb_mail_say(s, "538 5.7.11 Encryption required for requested authentication mechanism");
	else if (is(line, "HELO "))
		sb_mail_say(s, "250 sandbox.example");
	else if (is(line, "AUTH PLAIN "))
		plain(s, line + 11);
	else if (is(line, "AUTH PLAIN"))
	{
		s->phase = PHASE_PLAIN;
		sb_mail_say(s, "334 ");
	}
	else if (is(line, "AUTH LOGIN "))
	{
		s->phase = PHASE_USER;
		login_line(s, line + 11);
	}
	else if (is(line, "AUTH LOGIN"))
	{
		s->phase = PHASE_USER;
		sb_mail_say(s, "334 VXNlcm5hbWU6");
	}
	else if (is(line, "AUTH"))
		sb_mail_say(s, "504 5.5.4 Unrecognized authentication type");
	else if (is(line, "MAIL FROM:"))
		begin_mail(s, line);
	else if (is(line, "RCPT TO:"))
	{
		if (!s->mail_begun)
			sb_mail_say(s, "503 5.5.1 MAIL first");
		else if (s->recipient[0] != '\0')
			sb_mail_say(s, "452 4.5.3 one recipient a mail");
		else if (!path_of(line, s->recipient, sizeof(s->recipient)) ||
				 strchr(s->recipient, '@') == NULL)
			sb_mail_say(s, "501 5.1.3 bad recipient");
		else
			sb_mail_say(s, "250 2.1.5 Ok");
	}
	else if (is(line, "DATA"))
	{
		if (s->recipient[0] == '\0')
			sb_mail_say(s, "503 5.5.1 RCPT first");
		else
		{
			s->phase = PHASE_DATA;
			sb_mail_say(s, "354 End data with <CR><LF>.<CR><LF>");
		}
	}
	else if (is(line, "NOOP"))
		sb_mail_say(s, "250 2.0.0 Ok");
	else if (is(line, "RSET"))
	{
		forget_mail(s);
		sb_mail_say(s, "250 2.0.0 Ok");
	}
	else if (is(line, "QUIT"))
	{
		sb_mail_say(s, "221 2.0.0 Bye");
		s->closing = true;
	}
	else
		sb_mail_say(s, "502 5.5.2 command not recognized");
}

/* The value of a field of the mail's header, up to its line's end. */
static void
field(const SbMailSession *s, const char *name, char *out, size_t room)
{
	const char *at = s->mail.data ? strcasestr(s->mail.data, name) : NULL;

	out[0] = '\0';
	if (at != NULL)
		snprintf(out, room, "%.*s", (int) strcspn(at + strlen(name), "\r\n"), at + strlen(name));
}

/* The mail is complete: taken, or whatever a fault says. */
static void
end_mail(SbMailSession *s)
{
	SbCall *call = begin_call(s, "mail", s->sender);
	char line[80];

	s->phase = PHASE_COMMAND;
	call->body = s->mail.data ? s->mail.data : "";
	call->body_length = s->mail.len;
	call->json = json_pack("{s:s}", "to", s->recipient);
	snprintf(call->note.to, sizeof(call->note.to), "%s", s->recipient);
	field(s, "\nMessage-Id: ", call->note.wamid, sizeof(call->note.wamid));
	call->fault = sb_fault_for(call, true);
	call->status = 250;
	if (s->mail.len > SB_LARGEST_MAIL)
	{
		call->status = call->note.code = 552;
		sb_mail_say(s, "552 5.3.4 Message size exceeds fixed limit");
	}
	else if (call->fault == NULL || call->fault->accept)
	{
		call->note.accepted = true;
		call->note.content = sb_hash(s->mail.data ? s->mail.data : "", s->mail.len);
		s->mailbox->accepted++;
		mail_count++;
	}
	if (call->status == 250 && spoil(s, call))
	{
		snprintf(line, sizeof(line), "250 2.0.0 Ok: queued as SB%llu",
				 (unsigned long long) mail_count);
		sb_mail_say(s, line);
	}
	delay_by(s, call);
	end_call(call);
	forget_mail(s);
}

void
sb_mail_line(SbMailSession *s, char *line, size_t n)
{
	switch (s->phase)
	{
		case PHASE_COMMAND:
			command(s, line);
			break;
		case PHASE_PLAIN:
			note_command(s, "(secret)");
			plain(s, line);
			break;
		case PHASE_USER:
		case PHASE_PASSWORD:
			note_command(s, "(secret)");
			login_line(s, line);
			break;
		case PHASE_DATA:
			if (n == 1 && line[0] == '.')
			{
				end_mail(s);
				break;
			}
			/* what is beyond the limit is read and forgotten; the end says so */
			if (s->mail.len <= SB_LARGEST_MAIL)
			{
				sb_add(&s->mail, line + (line[0] == '.'), n - (line[0] == '.'));
				sb_adds(&s->mail, "\r\n");
			}
			break;
		case PHASE_SILENT:
			break;
	}
}
