/*
 * program.h
 *		A program run beside a process of the server, with its input and output
 *		in pipes: for what may take for ever (a person's command, a directory of
 *		another machine) and must hold up neither the server nor its end.
 *
 * The program runs in a session of its own with no other descriptor of the
 * server, so that killing it leaves nothing behind. One that even that does not
 * end (it waits for a medium) is left alone, and no second one is started in
 * its place. Raises nothing.
 */
#ifndef LARAS_BASE_PROGRAM_H
#define LARAS_BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct LarasProgram
{
	pid_t pid;  /* 0: none runs */
	int in;     /* its standard input, or -1 */
	int out;    /* its standard output, or -1 */
	int status; /* of wait(), once it has ended */
} LarasProgram;

#define LARAS_PROGRAM_NONE ((LarasProgram){0, -1, -1, 0})

/*
 * Start argv[0], an absolute path. Standard error is the server's; the input is
 * a pipe where with_input says so, else empty. False with errno, EBUSY where
 * the one before has not ended.
 */
extern bool laras_program_start(LarasProgram *p, char *const argv[], bool with_input);

/*
 * Write input from *written on and read its output behind *got, up to size,
 * for at most patience_ms. True when it has closed its output or filled size;
 * false when it is not so far: call again, or stop it. Returns early where
 * wake(), called ten times a second, says so.
 */
extern bool
laras_program_talk(LarasProgram *p, const char *input, size_t n, size_t *written, char *output,
				   size_t size, size_t *got, int patience_ms, bool (*wake)(void));

/*
 * Wait for its end for at most patience_ms, then kill it and all it started.
 * True where it ended by itself, with p->status.
 */
extern bool laras_program_stop(LarasProgram *p, int patience_ms);

#endif /* LARAS_BASE_PROGRAM_H */
