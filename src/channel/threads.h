/*
 * threads.h
 *		Joins the parts of the Threads driver: threads.c reads webhooks,
 *		threads_send.c answers, meta_connect.c connects.
 */
#ifndef LARAS_THREADS_H
#define LARAS_THREADS_H

struct LarasSendDriver;

extern const struct LarasSendDriver laras_threads_send;

#endif /* LARAS_THREADS_H */
