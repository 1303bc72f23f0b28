/*
 * template.h
 *		Message templates of a connection: rows, and the tasks that carry them to
 *		the provider and back.
 *
 * template.c		what an owner does: create, submit, sync, adopt.
 * template_task.c	the courier's side, and what the provider tells by itself.
 */
#ifndef LARAS_CONNECT_TEMPLATE_H
#define LARAS_CONNECT_TEMPLATE_H

#include "channel/template.h"
#include "courier/task.h"

extern const LarasTaskKind laras_template_submit_task;
extern const LarasTaskKind laras_template_sync_task;

/* The driver of a channel's templates; raises 0A000 where it has none. */
extern const LarasTemplateDriver *laras_templates_of(const char *channel);

/*
 * What the provider told by itself of a template that is known: status, quality
 * or category. As laras_worker.
 */
extern void laras_template_told(int64 workspace_id, uint32 workspace_slot, int64 connection_id,
								const char *channel, const LarasTemplateNews *news);

#endif /* LARAS_CONNECT_TEMPLATE_H */
