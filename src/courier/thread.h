/*
 * thread.h
 *		What a message answers, for channels whose messages name it.
 */
#ifndef LARAS_COURIER_THREAD_H
#define LARAS_COURIER_THREAD_H

#include "courier/carry.h"

/*
 * Fill in answers and thread of *send: of the message that the draft was made
 * for, else of the latest one that the person sent. What cannot be opened is as
 * if it were not there. Opens SPI itself, so that the caller's last result stays.
 * In a transaction as laras_worker.
 */
extern void laras_thread_read(const LarasFlight *flight, LarasSendText *send);

#endif /* LARAS_COURIER_THREAD_H */
