/*
 * vault_model.h
 *		What the parts of the model test share: the disk, the server's stand-in
 *		and the model itself.
 */
#ifndef LARAS_TEST_VAULT_MODEL_H
#define LARAS_TEST_VAULT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ModelCount
{
	COUNT_RUNS,
	COUNT_LIVES,
	COUNT_CRASHES,
	COUNT_POWER_LOSSES,
	COUNT_WRITES_LOST,
	COUNT_LEASED,
	COUNT_ROLLED_BACK,
	COUNT_DESTROYED,
	COUNT_REFUSED,
	COUNT_ROTATED,
	COUNT_SCRUBS,
	COUNT_SICK,
	COUNT_AWAY,
	COUNT_OLD_COPIES,
	COUNT_OLD_KEYRINGS,
	COUNT_OLD_DATABASES,
	COUNT_SLOTS_HIT,
	COUNT_FILES_HIT,
	COUNT_REFILLED,
	COUNT_READS,
	COUNT_SETTLED,
	COUNT_LOST_TWICE_HIT,
	MODEL_COUNTS
} ModelCount;

extern void model_count(ModelCount what, uint64_t n);

/* 0 .. n - 1 of the run's own sequence, which goes on over crashes */
extern uint64_t model_random(uint64_t n);

/* The test itself is wrong: says so and ends. */
extern void
model_fatal(const char *format, ...) __attribute__((noreturn, format(__printf__, 1, 2)));

/* To standard error where MODEL_LOG is set: what a run does. */
extern void model_log(const char *format, ...) __attribute__((format(__printf__, 1, 2)));

/* Perhaps the process ends here. */
extern void model_crash_point(const char *name);

/* bit 0: every write to mirror a fails, bit 1: to b */
extern int model_sick_mirrors(void);

/* Of what was written and not synced, anything may be gone. */
extern void disk_lose_power(void);

#endif /* LARAS_TEST_VAULT_MODEL_H */
