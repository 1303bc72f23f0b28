/*
 * fault.c
 *		Named stop points for crash tests; compiled with -DLARAS_FAULTS alone.
 */
#include "postgres.h"

#ifdef LARAS_FAULTS

#include <signal.h>
#include <unistd.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/fault.h"

#define FAULT_NAME 64
#define FAULT_MAX 8

typedef struct Fault
{
	char name[FAULT_NAME];
	char action[16];
	char part[FAULT_NAME]; /* of a path: calls that fail */
	long amount;           /* ms of sleep */
	long hit;              /* acts on this hit, from 1 */
	long hits;             /* so far, in this process */
} Fault;

static char *setting = NULL;
static Fault faults[FAULT_MAX];
static int nfaults = 0;

/* name:action[:k], name:sleep:N[:k], or name:enospc[:part of a path] */
static bool
parse_one(char *text, Fault *f)
{
	char *parts[4] = {NULL, NULL, NULL, NULL};
	int n = 0;
	char *save = NULL;

	for (char *p = strtok_r(text, ":", &save); p != NULL; p = strtok_r(NULL, ":", &save))
	{
		if (n == 4)
			return false;
		parts[n++] = p;
	}
	if (n < 2 || strlen(parts[0]) >= FAULT_NAME || strlen(parts[1]) >= sizeof(f->action))
		return false;
	memset(f, 0, sizeof(*f));
	strlcpy(f->name, parts[0], sizeof(f->name));
	strlcpy(f->action, parts[1], sizeof(f->action));
	f->hit = 1;
	if (strcmp(f->action, "sleep") == 0)
	{
		if (n < 3)
			return false;
		f->amount = strtol(parts[2], NULL, 10);
		if (n == 4)
			f->hit = strtol(parts[3], NULL, 10);
	}
	else if (strcmp(f->action, "kill9") == 0 || strcmp(f->action, "error") == 0 ||
			 strcmp(f->action, "exit1") == 0 || strcmp(f->action, "hang") == 0)
	{
		if (n == 4)
			return false;
		if (n == 3)
			f->hit = strtol(parts[2], NULL, 10);
	}
	else if (strcmp(f->action, "enospc") == 0 || strcmp(f->action, "eio") == 0)
	{
		if (n == 4 || (n == 3 && strlen(parts[2]) >= sizeof(f->part)))
			return false;
		if (n == 3)
			strlcpy(f->part, parts[2], sizeof(f->part));
	}
	else
		return false;
	return f->hit > 0 && f->amount >= 0;
}

static int
parse_all(const char *value, Fault *out)
{
	char copy[1024];
	char *save = NULL;
	int n = 0;

	if (value == NULL || strlen(value) >= sizeof(copy))
		return value == NULL ? 0 : -1;
	strlcpy(copy, value, sizeof(copy));
	for (char *p = strtok_r(copy, ", ", &save); p != NULL; p = strtok_r(NULL, ", ", &save))
	{
		if (n == FAULT_MAX || !parse_one(p, &out[n]))
			return -1;
		n++;
	}
	return n;
}

static bool
check_fault(char **newval, void **extra, GucSource source)
{
	Fault parsed[FAULT_MAX];

	if (parse_all(*newval, parsed) >= 0)
		return true;
	GUC_check_errdetail(
		"The form is name:action[:k]; actions are kill9, error, exit1, sleep:N, hang, enospc and eio.");
	return false;
}

static void
assign_fault(const char *newval, void *extra)
{
	nfaults = Max(parse_all(newval, faults), 0);
}

void
laras_fault_init(void)
{
	DefineCustomStringVariable("laras.fault", "Stop points of crash tests, as name:action[:k].",
							   NULL, &setting, "", PGC_SUSET, 0, check_fault, assign_fault, NULL);
}

void
laras_fault_hit(const char *name)
{
	for (int i = 0; i < nfaults; i++)
	{
		Fault *f = &faults[i];

		if (strcmp(f->name, name) != 0 || ++f->hits != f->hit)
			continue;
		if (strcmp(f->action, "kill9") == 0)
			kill(getpid(), SIGKILL);
		else if (strcmp(f->action, "exit1") == 0)
			_exit(1);
		else if (strcmp(f->action, "sleep") == 0)
			pg_usleep(f->amount * 1000L);
		else if (strcmp(f->action, "hang") == 0)
		{
			for (;;)
				pg_usleep(1000000L);
		}
		else
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault \"%s\"", name)));
	}
}

bool
laras_fault_fails(const char *name, int fd)
{
	for (int i = 0; i < nfaults; i++)
	{
		const Fault *f = &faults[i];
		char link[64];
		char path[MAXPGPATH];
		ssize_t n;

		if (strcmp(f->name, name) != 0)
			continue;
		if (f->part[0] != '\0')
		{
			snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
			n = readlink(link, path, sizeof(path) - 1);
			if (n < 0)
				continue;
			path[n] = '\0';
			if (strstr(path, f->part) == NULL)
				continue;
		}
		errno = strcmp(f->action, "enospc") == 0 ? ENOSPC : EIO;
		return true;
	}
	return false;
}

#endif /* LARAS_FAULTS */
