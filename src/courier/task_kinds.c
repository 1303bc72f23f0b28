/*
 * task_kinds.c
 *		The table of task kinds.
 */
#include "postgres.h"

#include "answer/llm.h"
#include "connect/health.h"
#include "connect/login.h"
#include "connect/mention.h"
#include "connect/post.h"
#include "connect/refresh.h"
#include "connect/template.h"
#include "courier/check.h"
#include "courier/presence.h"
#include "courier/task.h"
#include "media/media.h"

static const LarasTaskKind *const kinds[] = {&laras_login_task,
											 &laras_refresh_task,
											 &laras_llm_task,
											 &laras_post_task,
											 &laras_mention_task,
											 &laras_check_task,
											 &laras_template_submit_task,
											 &laras_template_sync_task,
											 &laras_health_task,
											 &laras_media_task,
											 &laras_presence_task,
											 NULL};

const LarasTaskKind *
laras_task_kind(const char *name)
{
	for (int i = 0; kinds[i] != NULL; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}
