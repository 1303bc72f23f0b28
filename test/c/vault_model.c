/*
 * vault_model.c
 *		The vault against a model of it: random transactions, destructions,
 *		rotations and scrubs over two mirrors that fail, go away, come back old,
 *		lose files and single keys, while processes and machines die at any write.
 *
 *		vault_model DIRECTORY SEED RUNS
 *
 * The server half of the vault is linked as it is, over model_server.c and
 * model_disk.c. The model knows what was committed, and so which keys must be
 * live and which destroyed. After every step: no destroyed key opens, no live
 * one reads as destroyed or as another, none is handed out twice. Once the
 * faults are over: every order is in both mirrors, no live key is lost but
 * where every copy of it was hit, and the mirrors are the same, byte for byte.
 * A run is its seed: SEED is that of the first, each later one has the next.
 */
#include "model_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vault/files.h"
#include "vault/keyringfile.h"

#define SLOTS_OF_TRANSACTION 6
#define TURNS_TO_SETTLE 600
#define REFILL_AFTER 200

/* ---- transactions */

typedef struct Step
{
	ModelSlot *slot;
	bool destroy;
	bool in_sub;
} Step;

static Step steps[SLOTS_OF_TRANSACTION];
static int nsteps;

static void
lease_one(bool in_sub)
{
	LarasVault *v = laras_vault_here();
	ModelSlot *s;
	uint32 id = laras_slot_lease();
	int fd;
	char slab[LARAS_SLAB_NAME_LEN];

	for (int i = 0; i < world->nslots; i++)
		if (world->slots[i].id == id)
			model_failed("slot %u is handed out twice", id);
	if (world->nslots == MODEL_SLOTS)
		model_fatal("the model's slots are full");
	s = &world->slots[world->nslots++];
	memset(s, 0, sizeof(*s));
	s->id = id;
	s->state = SLOT_TAKEN;
	steps[nsteps++] = (Step){s, false, in_sub};
	model_count(COUNT_LEASED, 1);
	model_own(id);
	if (!laras_slot_secret(v, id, s->secret))
		model_failed("slot %u reads as destroyed when it is handed out", id);
	laras_slab_name(LARAS_SLAB_OF(id), slab);
	for (int m = 0; m < MIRRORS && !s->have_live; m++)
	{
		fd = open(model_path(m, slab), O_RDONLY);
		s->have_live = fd >= 0 && model_is_good(m, s) &&
					   pread(fd, s->live, LARAS_SLOT_LEN, model_place(id)) == LARAS_SLOT_LEN;
		if (fd >= 0)
			close(fd);
	}
}

static void
destroy_one(bool in_sub)
{
	ModelSlot *s = model_pick(SLOT_LIVE);

	if (s == NULL)
		return;
	for (int i = 0; i < nsteps; i++)
		if (steps[i].slot == s)
			return;
	laras_destroy_slot(MODEL_WORKSPACE, s->id, LARAS_REASON_ERASURE, NULL);
	steps[nsteps++] = (Step){s, true, in_sub};
}

/* The commit is durable: what it did becomes the model's truth. */
static void
committed(void)
{
	for (int i = 0; i < nsteps; i++)
	{
		steps[i].slot->state = steps[i].destroy ? SLOT_DESTROYED : SLOT_LIVE;
		if (steps[i].destroy)
			model_count(COUNT_DESTROYED, 1);
	}
}

static void
rolled_back(bool sub_only)
{
	int kept = 0;

	for (int i = 0; i < nsteps; i++)
	{
		if (sub_only && !steps[i].in_sub)
			steps[kept++] = steps[i];
		else if (!steps[i].destroy)
		{
			steps[i].slot->state = SLOT_ROLLED_BACK;
			model_count(COUNT_ROLLED_BACK, 1);
		}
	}
	nsteps = kept;
}

static void
do_transaction(void *arg)
{
	int n = 1 + (int) model_random(SLOTS_OF_TRANSACTION);
	bool sub = false;

	nsteps = 0;
	model_begin();
	for (int i = 0; i < n; i++)
	{
		if (!sub && model_random(6) == 0)
		{
			model_begin_sub();
			sub = true;
		}
		if (model_random(5) < 3)
			lease_one(sub);
		else
			destroy_one(sub);
		if (sub && model_random(2) == 0)
		{
			bool keep = model_random(2) == 0;

			model_end_sub(keep);
			if (!keep)
				rolled_back(true);
			for (int j = 0; j < nsteps; j++)
				steps[j].in_sub = false;
			sub = false;
		}
	}
	if (sub)
		model_end_sub(true);
	if (model_random(5) == 0)
	{
		model_rollback();
		rolled_back(false);
	}
	else if (!model_commit(committed))
	{
		model_count(COUNT_REFUSED, 1);
		rolled_back(false);
	}
}

static void
transaction(void)
{
	if (world->nslots + SLOTS_OF_TRANSACTION > MODEL_SLOTS)
		return;
	if (!model_try(do_transaction, NULL))
	{
		model_count(COUNT_REFUSED, 1);
		rolled_back(false);
	}
}

/* ---- the vault worker */

static void
do_turn(void *arg)
{
	laras_vault_turn();
}

static void
turns(int n)
{
	LarasVault *v = laras_vault_at(0);

	for (int i = 0; i < n; i++)
	{
		model_wake_in = -1;
		(void) model_try(do_turn, NULL);
		*model_clock += INT64CONST(1000) *
						(model_wake_in >= 0 ? model_wake_in : 500 + (int) model_random(3000));
		world->in_sync = laras_vault_in_sync(v);
	}
}

static bool
is_open(void)
{
	return laras_vault_here() != NULL && laras_vault_is_open();
}

static void
rotate(void)
{
	LarasVault *v = laras_vault_here();

	if (!is_open() || v->keyring.oldest_epoch != v->keyring.current_epoch ||
		world->last_epoch - world->first_epoch >= 6)
		return;
	world->last_epoch = v->keyring.current_epoch + 1;
	v->rotate_asked++;
	turns(1 + (int) model_random(30));
	model_count(COUNT_ROTATED, 1);
}

/* The process of the vault worker ends and another one starts. */
static void
restart_worker(void)
{
	laras_vault_stop(0);
	memset(&laras_vault_work, 0, sizeof(laras_vault_work));
}

/* ---- reading */

typedef struct Reading
{
	ModelSlot *slot;
	bool live;
	uint8 secret[LARAS_KEY_LEN];
} Reading;

static void
do_read(void *arg)
{
	Reading *r = arg;

	r->live = laras_slot_secret(laras_vault_here(), r->slot->id, r->secret);
}

/* Every key as a session reads it. */
static void
check_reads(void)
{
	if (laras_vault_here() == NULL)
		return;
	for (int i = 0; i < world->nslots; i++)
	{
		ModelSlot *s = &world->slots[i];
		Reading r = {s};
		bool answered = model_try(do_read, &r);

		model_count(COUNT_READS, 1);
		if (s->state == SLOT_DESTROYED && answered && r.live)
			model_failed("slot %u is destroyed and opens", s->id);
		if (s->state == SLOT_DESTROYED && !answered && is_open())
			model_failed("slot %u is destroyed and reads as %s", s->id, model_error());
		if (s->state == SLOT_ROLLED_BACK && answered && !r.live)
			continue;
		if (s->state != SLOT_LIVE && s->state != SLOT_LOST)
			continue;
		if (answered && !r.live)
			model_failed("slot %u is live and reads as destroyed", s->id);
		if (answered && memcmp(r.secret, s->secret, LARAS_KEY_LEN) != 0)
			model_failed("slot %u is live and reads as another key", s->id);
		if (!answered && s->state == SLOT_LIVE && !s->hit && !s->lost &&
			world->slab_hit[LARAS_SLAB_OF(s->id)] == 0 && is_open())
			model_failed("slot %u is live and sound and reads as %s", s->id, model_error());
	}
}

/* ---- faults while the server runs */

static void
make_sick(void)
{
	int m = (int) model_random(MIRRORS);

	if ((world->in_sync & ~world->sick & (2 - m)) == 0 || world->sick != 0)
		return;
	world->sick |= 1 << m;
	model_count(COUNT_SICK, 1);
}

/* A mirror that is behind is taken away; its place is empty. */
static void
take_away(void)
{
	for (int m = 0; m < MIRRORS; m++)
	{
		if ((world->sick & 1 << m) == 0 || (world->in_sync & 1 << m) != 0 ||
			(world->in_sync & (2 - m)) == 0)
			continue;
		model_move_away(m);
		world->sick = 0;
		model_count(COUNT_AWAY, 1);
		return;
	}
}

static void
come_back(void)
{
	for (int m = 0; m < MIRRORS; m++)
	{
		if ((world->away & 1 << m) == 0)
			continue;
		model_move_back(m);
		if (model_random(3) == 0 && (world->in_sync & (2 - m)) != 0)
			model_put_old_copy(m);
	}
}

static void
operate(void)
{
	LarasVault *v = laras_vault_at(0);
	uint64_t what = model_random(20);

	model_log("operation %d, in sync %x", (int) what, world->in_sync);
	switch (what)
	{
		case 0:
			make_sick();
			break;
		case 1:
			take_away();
			break;
		case 2:
			come_back();
			break;
		case 3:
			world->sick = 0;
			break;
		case 4:
			if (model_random(3) == 0)
				rotate();
			break;
		case 5:
			pg_atomic_fetch_add_u32(&v->scrub_asked, 1);
			turns(1 + (int) model_random(10));
			model_count(COUNT_SCRUBS, 1);
			break;
		case 6:
			if (model_random(3) == 0)
				restart_worker();
			break;
		case 7:
		case 8:
			model_hit_slots(1 + (int) model_random(8));
			break;
		case 9:
			if (model_random(2) == 0)
				model_hit_slab();
			break;
		case 10:
			model_save_copy();
			break;
		case 11:
		case 12:
			turns(1 + (int) model_random(8));
			break;
		default:
			transaction();
			break;
	}
	turns((int) model_random(3));
	check_reads();
}

/* ---- when the faults are over */

static bool
is_settled(LarasVault *v)
{
	return is_open() && laras_vault_in_sync(v) == 3 && laras_vault_work.swept && v->norphans == 0 &&
		   pg_atomic_read_u64(&v->pending_orders) == 0 &&
		   v->keyring.oldest_epoch == v->keyring.current_epoch &&
		   pg_atomic_read_u64(&v->mirror[0].applied) == pg_atomic_read_u64(&v->journal_last) &&
		   pg_atomic_read_u64(&v->mirror[1].applied) == pg_atomic_read_u64(&v->journal_last);
}

/* What a restored database has again and was destroyed is erased once more. */
static void
do_resume(void *arg)
{
	ModelDatabase *db = model_database;

	for (int i = db->nowners - 1; i >= 0; i--)
	{
		LarasSlotMark mark;
		ModelOrder *o = &db->orders[db->norders];

		if (!laras_slot_is_destroyed(db->owners[i]) || model_order_of(db->owners[i]) != NULL)
			continue;
		laras_slot_read_mark(db->owners[i], &mark);
		memset(o, 0, sizeof(*o));
		o->slot = db->owners[i];
		o->reason = mark.reason;
		memcpy(o->order, mark.order, LARAS_ORDER_LEN);
		db->norders++;
		db->owners[i] = db->owners[--db->nowners];
	}
	db->traffic = true;
}

static void
settle(void)
{
	LarasVault *v = laras_vault_at(0);
	TimestampTz asked;
	int n;
	bool quiet = false;

	world->sick = 0;
	for (int m = 0; m < MIRRORS; m++)
		model_move_back(m);
	for (n = 0; n < TURNS_TO_SETTLE && !is_settled(v); n++)
	{
		turns(1);
		*model_clock += 300 * INT64CONST(1000);
		if (n % REFILL_AFTER == REFILL_AFTER - 1 &&
			(laras_vault_in_sync(v) == 1 || laras_vault_in_sync(v) == 2))
		{
			/* what cannot join is emptied by the operator, and filled anew */
			model_empty_mirror(laras_vault_in_sync(v) == 1 ? 1 : 0);
			model_count(COUNT_REFILLED, 1);
		}
	}
	for (int i = 0; i < model_database->norders; i++)
		if (!model_database->orders[i].verified)
			model_log("slot %u is not verified, read back from %d mirrors",
					  model_database->orders[i].slot, model_database->orders[i].mirrors);
	if (!is_settled(v))
		model_failed("it does not settle: %s, in sync %x, swept %d, orphans %u, pending %d",
					 v->why_text, laras_vault_in_sync(v), laras_vault_work.swept, v->norphans,
					 (int) pg_atomic_read_u64(&v->pending_orders));
	if (world->must_stay_closed && model_database->traffic)
		model_failed("the database was set back and is open to traffic");
	world->must_stay_closed = false;
	if (!model_try(do_resume, NULL))
		model_failed("what was set back cannot be erased once more: %s", model_error());
	asked = GetCurrentTimestamp();
	pg_atomic_fetch_add_u32(&v->scrub_asked, 1);
	for (n = 0; n < TURNS_TO_SETTLE && !quiet; n++)
	{
		turns(1);
		quiet = (TimestampTz) pg_atomic_read_u64(&v->scrub_started) > asked &&
				pg_atomic_read_u32(&v->scrub_running) == 0 && is_settled(v);
	}
	if (!quiet)
		model_failed("the scrub does not end");
	check_reads();
	model_check_files();
	model_count(COUNT_SETTLED, 1);
	if (v->keyring.current_epoch > world->first_epoch && model_random(2) == 0)
	{
		world->first_epoch = v->keyring.current_epoch;
		model_database->epoch_destroyed = v->keyring.current_epoch - 1;
	}
}

/* ---- lives of a server */

static void
live(bool last)
{
	int n = 4 + (int) model_random(12);

	world->crash_in =
		last || model_random(3) == 0 ? 0 : 1 + model_random(model_random(2) ? 60 : 2500);
	laras_vault_shmem_startup();
	turns(1 + (int) model_random(3));
	check_reads();
	for (int i = 0; i < n; i++)
		operate();
	if (last || model_random(3) == 0)
		settle();
	world->settled = is_settled(laras_vault_at(0));
	laras_vault_stop(0);
	exit(0);
}

/* Between two lives: things that happen to files while nobody looks. */
static void
meanwhile(void)
{
	/* what a session had taken when it died */
	for (int i = 0; i < world->nslots; i++)
		if (world->slots[i].state == SLOT_TAKEN)
			world->slots[i].state = SLOT_ROLLED_BACK;
	world->sick = 0;
	world->mirrors_set_back = false;
	if (model_random(4) == 0)
		model_save_copy();
	if (model_random(3) == 0)
		come_back();
	if (world->in_sync == 3 && world->away == 0)
	{
		int m = (int) model_random(MIRRORS);
		uint64_t what = model_random(8);

		/* until it has joined again the other is all there is */
		if (what < 5)
			world->in_sync &= ~((LarasMirrorMask) 1 << m);
		switch (what)
		{
			case 0:
			case 1:
				model_put_old_copy(m);
				break;
			case 2:
				model_hit_file(m);
				break;
			case 3:
				model_empty_mirror(m);
				break;
			case 4:
				model_move_away(m);
				model_count(COUNT_AWAY, 1);
				break;
			default:
				break;
		}
	}
	if (world->in_sync == 3 && world->away == 0 && model_random(6) == 0)
		model_set_mirrors_back();
	if (model_random(3) == 0)
		model_hit_slots(1 + (int) model_random(8));
	if (model_random(6) == 0)
		model_hit_slab();
	if (world->settled && model_random(3) == 0)
		model_save_database();
	else if (world->settled && !world->mirrors_set_back && model_random(3) == 0)
		model_set_database_back();
	world->settled = false;
}

static void
do_run(uint64_t seed)
{
	int lives = 2 + (int) model_random(4);

	for (int i = 0; i < lives; i++)
	{
		bool last = i == lives - 1;
		pid_t child;
		int status;

		fflush(stdout);
		child = fork();
		if (child < 0)
			model_fatal("fork: errno %d", errno);
		if (child == 0)
			live(last);
		if (waitpid(child, &status, 0) != child)
			model_fatal("waitpid: errno %d", errno);
		model_count(COUNT_LIVES, 1);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			model_count(COUNT_CRASHES, 1);
		else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		{
			printf("not ok - run with seed %llu ended with status %x\n", (unsigned long long) seed,
				   status);
			exit(1);
		}
		if (!last)
			meanwhile();
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed;
	int runs;

	if (argc != 4)
	{
		fprintf(stderr, "usage: vault_model DIRECTORY SEED RUNS\n");
		return 2;
	}
	seed = strtoull(argv[2], NULL, 10);
	runs = (int) strtol(argv[3], NULL, 10);
	model_make_world(argv[1]);
	for (int i = 0; i < runs; i++)
	{
		model_new_run(seed + (uint64_t) i);
		do_run(seed + (uint64_t) i);
		model_count(COUNT_RUNS, 1);
	}
	model_report(seed);
	return 0;
}
