/*
 * again.h
 *		When something that the courier put off is due.
 */
#ifndef LARAS_AGAIN_H
#define LARAS_AGAIN_H

/* A message or a task that was put off for so long is due then, and is looked for. In the courier. */
extern void laras_again_in(int delay_ms);

/* A look at what is due begins: it finds what was due by now. */
extern void laras_again_looks(void);

/* At a turn's end: the next one comes when the first of the others is due. */
extern void laras_again_waits(void);

/* Full jitter: how long to wait the nth time in a row, anything between nothing and a bound that doubles. */
extern int64_t laras_again_jitter(int64_t first, int nth, int64_t longest);

#endif /* LARAS_AGAIN_H */
