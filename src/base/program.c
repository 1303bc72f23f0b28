/*
 * program.c
 *		A program run beside a process of the server.
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "base/program.h"

#define WAKE_MS 100
#define AFTER_KILL_MS 500
#define MAX_FD 1024

static void
close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Has it ended? Then it is gone for good. */
static bool
has_ended(LarasProgram *p)
{
	pid_t rc;

	if (p->pid == 0)
		return true;
	rc = waitpid(p->pid, &p->status, WNOHANG);
	if (rc == 0 || (rc < 0 && errno == EINTR))
		return false;
	if (rc < 0)
		p->status = -1; /* somebody else has waited for it */
	p->pid = 0;
	return true;
}

/* In the child: async-signal-safe calls only. */
static void
become(char *const argv[], int in, int out)
{
	sigset_t none;

	setsid();
	for (int sig = 1; sig < NSIG; sig++)
	{
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (in < 0)
		in = open("/dev/null", O_RDONLY);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(126);
	for (int fd = 3; fd < MAX_FD; fd++)
		close(fd);
	execv(argv[0], argv);
	_exit(127);
}

bool
laras_program_start(LarasProgram *p, char *const argv[], bool with_input)
{
	int in[2] = {-1, -1};
	int out[2];
	int saved;
	sigset_t all;
	sigset_t before;

	close_end(&p->in);
	close_end(&p->out);
	if (!has_ended(p))
	{
		errno = EBUSY;
		return false;
	}
	if (pipe(out) != 0)
		return false;
	if (with_input && (pipe(in) != 0 || fcntl(in[1], F_SETFL, O_NONBLOCK) != 0))
	{
		saved = errno;
		close_end(&in[0]);
		close_end(&in[1]);
		close_end(&out[0]);
		close_end(&out[1]);
		errno = saved;
		return false;
	}
	/* the child must not run the server's signal handlers before exec */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	p->pid = fork(); /* lint allows fork: the child only executes the program */
	if (p->pid == 0)
		become(argv, in[0], out[1]);
	saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close_end(&in[0]);
	close_end(&out[1]);
	p->in = in[1];
	p->out = out[0];
	if (p->pid > 0)
		return true;
	p->pid = 0;
	close_end(&p->in);
	close_end(&p->out);
	errno = saved;
	return false;
}

bool
laras_program_talk(LarasProgram *p, const char *input, size_t n, size_t *written, char *output,
				   size_t size, size_t *got, int patience_ms, bool (*wake)(void))
{
	int64 deadline = laras_monotonic_ms() + patience_ms;

	for (;;)
	{
		struct pollfd fds[2];
		int64 left = deadline - laras_monotonic_ms();
		ssize_t rc;

		if (p->in >= 0 && *written == n)
			close_end(&p->in);
		if (p->out < 0 || *got == size)
			return true;
		if (wake != NULL && wake())
			return false;
		fds[0] = (struct pollfd){.fd = p->out, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = p->in, .events = POLLOUT};
		rc = poll(fds, 2, (int) Max(0, Min(left, WAKE_MS)));
		if (rc == 0 || (rc < 0 && errno == EINTR))
		{
			if (left <= 0)
				return false;
			continue;
		}
		if (fds[1].revents != 0)
		{
			/* SIGPIPE is ignored in every process of the server */
			rc = write(p->in, input + *written, n - *written);
			if (rc > 0)
				*written += (size_t) rc;
			else if (rc < 0 && errno != EINTR && errno != EAGAIN)
				close_end(&p->in);
		}
		if (fds[0].revents != 0)
		{
			rc = read(p->out, output + *got, size - *got);
			if (rc > 0)
				*got += (size_t) rc;
			else if (rc == 0 || errno != EINTR)
				close_end(&p->out);
		}
	}
}

bool
laras_program_stop(LarasProgram *p, int patience_ms)
{
	int64 deadline = laras_monotonic_ms() + patience_ms;
	bool killed = false;

	close_end(&p->in);
	close_end(&p->out);
	while (!has_ended(p))
	{
		if (laras_monotonic_ms() >= deadline)
		{
			if (killed)
				break;
			kill(-p->pid, SIGKILL);
			killed = true;
			deadline = laras_monotonic_ms() + AFTER_KILL_MS;
		}
		pg_usleep(5000L);
	}
	return !killed;
}
