/*
 * smtp.c
 *		A mail server that takes mails and delivers none: what it took stands in
 *		the ledger.
 *
 * RFC 5321 with AUTH (RFC 4954, PLAIN and LOGIN), SIZE and 8BITMIME. A line of
 * the ledger is a log-in (route "login") or a mail (route "mail"), written when
 * the server has decided about it, whatever becomes of its reply. Scripted faults
 * match by route, number (the sender's address), to and text, as for HTTP.
 */
#include "sandbox/smtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "sandbox/control.h"
#include "sandbox/fault.h"
#include "sandbox/ledger.h"
#include "sandbox/table.h"

#define LARGEST_MAIL (1024 * 1024)
#define LONGEST_LINE 4096

typedef struct Mailbox
{
	char *address;
	char *user;
	char *password;
	bool dead; /* the password is not taken any more */
	uint64_t accepted;
} Mailbox;

typedef enum Phase
{
	PHASE_COMMAND,
	PHASE_PLAIN,    /* the answer to AUTH PLAIN */
	PHASE_USER,     /* to AUTH LOGIN: the user */
	PHASE_PASSWORD, /* and the password */
	PHASE_DATA,
	PHASE_SILENT /* a fault: nothing is answered any more */
} Phase;

typedef struct Session
{
	struct Session *next;
	int fd;
	LarasHttpWatch *watch;
	Phase phase;
	SbBuffer in;
	SbBuffer out;
	SbBuffer mail;
	char user[256];
	char sender[256];
	char recipient[256];
	Mailbox *mailbox; /* who has logged in, or NULL */
	bool mail_begun;
	bool closing; /* once all is written */
	uint64_t number;
	uint32_t commands;
	SbTimer delay; /* before what is in out is written */
	bool held;
} Session;

static LarasHttpServer *loop;
static LarasHttpWatch *listener;
static int listening = -1;
static Session *sessions;
static uint64_t session_count;
static uint64_t mail_count;
static SbTable mailboxes; /* by user */

/* ---------- objects ---------- */

static void
drop_mailbox(void *p)
{
	Mailbox *m = p;

	free(m->address);
	free(m->user);
	free(m->password);
	free(m);
}

static void
end_session(Session *s)
{
	for (Session **p = &sessions; *p != NULL; p = &(*p)->next)
		if (*p == s)
		{
			*p = s->next;
			break;
		}
	sb_timer_cancel(&s->delay);
	if (s->watch != NULL)
		laras_http_unwatch(s->watch);
	close(s->fd);
	sb_release(&s->in);
	sb_release(&s->out);
	sb_release(&s->mail);
	free(s);
}

void
sb_smtp_reset(void)
{
	while (sessions != NULL)
		end_session(sessions);
	sb_table_clear(&mailboxes, drop_mailbox);
}

void
sb_put_mailbox(SbCall *call)
{
	static const char *const names[] = {"address", "user", "password", "dead", NULL};
	const char *address = sb_text_of(call, "address");
	const char *user = sb_text_of(call, "user");
	Mailbox *m;

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
		m = sb_alloc(sizeof(Mailbox));
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

/* ---------- the ledger and its faults ---------- */

/* The call that stands for a log-in or a mail; give it back by end_call. */
static SbCall *
begin_call(Session *s, const char *route, const char *who)
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

/* ---------- writing ---------- */

static void
write_out(Session *s)
{
	while (s->out.len > 0 && !s->held)
	{
		ssize_t n = send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		memmove(s->out.data, s->out.data + n, s->out.len - (size_t) n);
		s->out.len -= (size_t) n;
	}
	laras_http_rewatch(s->watch, LARAS_HTTP_READABLE |
									 (s->out.len > 0 && !s->held ? LARAS_HTTP_WRITABLE : 0));
}

static void
say(Session *s, const char *line)
{
	sb_adds(&s->out, line);
	sb_adds(&s->out, "\r\n");
}

static void take_lines(Session *s);

static void
delay_over(SbTimer *timer)
{
	Session *s = (Session *) ((char *) timer - offsetof(Session, delay));

	s->held = false;
	take_lines(s);
	write_out(s);
	if (s->closing && s->out.len == 0)
		end_session(s);
}

/* What a fault makes of a reply: true where the session goes on. */
static bool
spoil(Session *s, SbCall *call)
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
		{
			struct linger hard = {1, 0};

			call->status = 0;
			setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			s->closing = true;
			s->out.len = 0;
			return false;
		}
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
			say(s, line);
			return false;
		default:
			return true;
	}
}

static void
delay_by(Session *s, const SbCall *call)
{
	if (call->fault == NULL || call->fault->delay_ms <= 0)
		return;
	s->held = true;
	s->delay.real = true;
	s->delay.fire = delay_over;
	sb_timer_set(&s->delay, (int64_t) call->fault->delay_ms * 1000);
}

/* ---------- commands ---------- */

static void
log_in(Session *s, const char *user, const char *password)
{
	Mailbox *m = sb_table_get(&mailboxes, user);
	SbCall *call = begin_call(s, "login", m ? m->address : user);

	s->phase = PHASE_COMMAND;
	call->fault = sb_fault_for(call, true);
	call->status = m != NULL && !m->dead && strcmp(m->password, password) == 0 ? 235 : 535;
	if (call->fault != NULL && !call->fault->accept)
		m = NULL;
	if (spoil(s, call))
		say(s, call->status == 235 ? "235 2.7.0 Authentication successful"
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
plain(Session *s, const char *line)
{
	char bytes[1024];
	size_t n = 0;
	const char *user = NULL;

	if (decoded(line, bytes, sizeof(bytes), &n) && strlen(bytes) + 1 < n)
		user = bytes + strlen(bytes) + 1;
	if (user == NULL || user + strlen(user) + 1 > bytes + n)
	{
		s->phase = PHASE_COMMAND;
		say(s, "501 5.5.2 cannot decode");
		return;
	}
	log_in(s, user, user + strlen(user) + 1);
}

static void
login_line(Session *s, const char *line)
{
	char bytes[512];
	size_t n;

	if (!decoded(line, bytes, sizeof(bytes), &n) || strlen(bytes) >= sizeof(s->user))
	{
		s->phase = PHASE_COMMAND;
		say(s, "501 5.5.2 cannot decode");
	}
	else if (s->phase == PHASE_USER)
	{
		snprintf(s->user, sizeof(s->user), "%s", bytes);
		s->phase = PHASE_PASSWORD;
		say(s, "334 UGFzc3dvcmQ6");
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
forget_mail(Session *s)
{
	s->mail_begun = false;
	s->recipient[0] = '\0';
	sb_clear(&s->mail);
}

static void
begin_mail(Session *s, const char *line)
{
	const char *size = strcasestr(line, "SIZE=");

	if (s->mailbox == NULL)
		say(s, "530 5.7.0 Authentication required");
	else if (!path_of(line, s->sender, sizeof(s->sender)))
		say(s, "501 5.1.7 bad sender");
	else if (strcasecmp(s->sender, s->mailbox->address) != 0)
		say(s, "553 5.7.1 Sender address rejected: not owned by user");
	else if (size != NULL && strtol(size + 5, NULL, 10) > LARGEST_MAIL)
		say(s, "552 5.3.4 Message size exceeds fixed limit");
	else
	{
		forget_mail(s);
		s->mail_begun = true;
		say(s, "250 2.1.0 Ok");
	}
}

static void
command(Session *s, const char *line)
{
	s->commands++;
	if (is(line, "EHLO "))
		sb_adds(&s->out, "250-sandbox.example\r\n250-AUTH PLAIN LOGIN\r\n250-SIZE 1048576\r\n"
						 "250 8BITMIME\r\n");
	else if (is(line, "HELO "))
		say(s, "250 sandbox.example");
	else if (is(line, "AUTH PLAIN "))
		plain(s, line + 11);
	else if (is(line, "AUTH PLAIN"))
	{
		s->phase = PHASE_PLAIN;
		say(s, "334 ");
	}
	else if (is(line, "AUTH LOGIN "))
	{
		s->phase = PHASE_USER;
		login_line(s, line + 11);
	}
	else if (is(line, "AUTH LOGIN"))
	{
		s->phase = PHASE_USER;
		say(s, "334 VXNlcm5hbWU6");
	}
	else if (is(line, "AUTH"))
		say(s, "504 5.5.4 Unrecognized authentication type");
	else if (is(line, "MAIL FROM:"))
		begin_mail(s, line);
	else if (is(line, "RCPT TO:"))
	{
		if (!s->mail_begun)
			say(s, "503 5.5.1 MAIL first");
		else if (s->recipient[0] != '\0')
			say(s, "452 4.5.3 one recipient a mail");
		else if (!path_of(line, s->recipient, sizeof(s->recipient)) ||
				 strchr(s->recipient, '@') == NULL)
			say(s, "501 5.1.3 bad recipient");
		else
			say(s, "250 2.1.5 Ok");
	}
	else if (is(line, "DATA"))
	{
		if (s->recipient[0] == '\0')
			say(s, "503 5.5.1 RCPT first");
		else
		{
			s->phase = PHASE_DATA;
			say(s, "354 End data with <CR><LF>.<CR><LF>");
		}
	}
	else if (is(line, "NOOP"))
		say(s, "250 2.0.0 Ok");
	else if (is(line, "RSET"))
	{
		forget_mail(s);
		say(s, "250 2.0.0 Ok");
	}
	else if (is(line, "QUIT"))
	{
		say(s, "221 2.0.0 Bye");
		s->closing = true;
	}
	else
		say(s, "502 5.5.2 command not recognized");
}

/* The value of a field of the mail's header, up to its line's end. */
static void
field(const Session *s, const char *name, char *out, size_t room)
{
	const char *at = s->mail.data ? strcasestr(s->mail.data, name) : NULL;

	out[0] = '\0';
	if (at != NULL)
		snprintf(out, room, "%.*s", (int) strcspn(at + strlen(name), "\r\n"), at + strlen(name));
}

/* The mail is complete: taken, or whatever a fault says. */
static void
end_mail(Session *s)
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
	if (s->mail.len > LARGEST_MAIL)
	{
		call->status = call->note.code = 552;
		say(s, "552 5.3.4 Message size exceeds fixed limit");
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
		say(s, line);
	}
	delay_by(s, call);
	end_call(call);
	forget_mail(s);
}

/* ---------- reading ---------- */

static void
take_line(Session *s, char *line, size_t n)
{
	switch (s->phase)
	{
		case PHASE_COMMAND:
			command(s, line);
			break;
		case PHASE_PLAIN:
			plain(s, line);
			break;
		case PHASE_USER:
		case PHASE_PASSWORD:
			login_line(s, line);
			break;
		case PHASE_DATA:
			if (n == 1 && line[0] == '.')
			{
				end_mail(s);
				break;
			}
			/* what is beyond the limit is read and forgotten; the end says so */
			if (s->mail.len <= LARGEST_MAIL)
			{
				sb_add(&s->mail, line + (line[0] == '.'), n - (line[0] == '.'));
				sb_adds(&s->mail, "\r\n");
			}
			break;
		case PHASE_SILENT:
			break;
	}
}

static void
take_lines(Session *s)
{
	size_t at = 0;

	while (at < s->in.len && !s->closing && !s->held)
	{
		char *line = s->in.data + at;
		char *end = memchr(line, '\n', s->in.len - at);
		size_t n;

		if (end == NULL)
			break;
		at = (size_t) (end - s->in.data) + 1;
		n = (size_t) (end - line);
		if (n > 0 && line[n - 1] == '\r')
			n--;
		line[n] = '\0';
		take_line(s, line, n);
	}
	memmove(s->in.data, s->in.data + at, s->in.len - at);
	s->in.len -= at;
	if (s->in.len > (s->phase == PHASE_DATA ? LARGEST_MAIL : LONGEST_LINE))
	{
		say(s, "500 5.5.6 line too long");
		s->closing = true;
	}
}

static void
on_ready(int fd, int ready, void *arg)
{
	Session *s = arg;
	char buffer[16384];

	if (ready & LARAS_HTTP_READABLE)
	{
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		{
			end_session(s);
			return;
		}
		if (n > 0)
		{
			sb_add(&s->in, buffer, (size_t) n);
			take_lines(s);
		}
	}
	write_out(s);
	if (s->closing && s->out.len == 0)
		end_session(s);
}

static void
on_connect(int fd, int ready, void *arg)
{
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	Session *s;

	(void) ready;
	(void) arg;
	if (peer < 0)
		return;
	s = sb_alloc(sizeof(Session));
	s->fd = peer;
	s->number = ++session_count;
	s->watch = laras_http_watch(loop, peer, LARAS_HTTP_READABLE, on_ready, s);
	if (s->watch == NULL)
	{
		close(peer);
		free(s);
		return;
	}
	s->next = sessions;
	sessions = s;
	say(s, "220 sandbox.example ESMTP");
	write_out(s);
}

bool
sb_smtp_listen(LarasHttpServer *server, const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strrchr(address, ':');
	char host[64];
	int on = 1;

	if (colon == NULL || (size_t) (colon - address) >= sizeof(host))
	{
		laras_http_log("no address to listen on for mail: %s", address);
		return false;
	}
	snprintf(host, sizeof(host), "%.*s", (int) (colon - address), address);
	a.sin_port = htons((uint16_t) strtol(colon + 1, NULL, 10));
	loop = server;
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
		(listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0 ||
		setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(listening, (struct sockaddr *) &a, sizeof(a)) != 0 || listen(listening, 64) != 0 ||
		(listener = laras_http_watch(server, listening, LARAS_HTTP_READABLE, on_connect, NULL)) ==
			NULL)
	{
		laras_http_log("cannot listen on %s: %s", address, strerror(errno));
		return false;
	}
	laras_http_log("listening for mail on %s", address);
	return true;
}
