/*
 * processing.h
 *		Which messages may be more than kept.
 */
#ifndef LARAS_INBOX_PROCESSING_H
#define LARAS_INBOX_PROCESSING_H

#include "inbox/inbox.h"

/*
 * Set `processed` of every event: its partner has agreed to the terms and
 * configured the channel to answer those who write (laras.processes). As
 * laras_worker whose set holds the workspaces.
 */
extern void laras_mark_processed(LarasInboxEvent *events, int n);

/* The same question of one channel; inside SPI. */
extern bool laras_is_processed(int64 workspace_id, const char *channel);

#endif /* LARAS_INBOX_PROCESSING_H */
