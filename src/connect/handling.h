/*
 * handling.h
 *		What the partner has agreed to and configured: nothing of a channel is
 *		processed before, and nothing for another purpose.
 */
#ifndef LARAS_CONNECT_HANDLING_H
#define LARAS_CONNECT_HANDLING_H

#define LARAS_PURPOSE_SERVICE "service" /* answering who writes */
#define LARAS_PURPOSE_SALES "sales"     /* following up on what was asked */

/*
 * Raises 55000 unless messages of the channel are processed for that purpose.
 * Inside SPI, as laras_owner with the workspace bound. Workers ask in their
 * statements, by laras.processes().
 */
extern void laras_require_processing(int64 workspace_id, const char *channel, const char *purpose);

#endif /* LARAS_CONNECT_HANDLING_H */
