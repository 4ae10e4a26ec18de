/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * loop.handoff and loop.workers: two workers, each with a CPU of its own, and no generator beside them.
 *
 * The frames of a window are made before it. Then both workers begin together: each finds its receive
 * ring filled and works until both have done all. What a worker needed are the cycles of the turns in
 * which it had packets, which it counts itself. The rate of both is all packets by the cycles of the one
 * that needed more; generator and sink take no part.
 *
 * Hand-off: in a window all packets arrive at the worker that owns their session, in the next all at the
 * other one. What both workers need more is the whole added: the median over pairs of windows. Least less
 * least (added_min, for comparison) takes its two windows from moments when the host had the CPUs at
 * different places, and may be below what any pair of windows had.
 */
#include "bench/loop.h"
#include "bench/row.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#define EACH    1000 /* packets of a worker's ring */
#define WAIT_US 500
#define TRIES   20000 /* of that; then the packets are lost */

struct turn {
	struct world *w;
	uint16_t worker, port, n_workers;
	uint32_t n; /* packets of its ring */
	uint32_t *ready; /* atomic: workers that wait to begin */
};

/* A worker's lcore: one window. */
static void turn_run(void *arg)
{
	const struct turn *t = arg;
	struct worker *w = t->w->dp->workers[t->worker];

	dp_worker_poll(t->w->dp, t->worker); /* its engine is made here, not in the window */
	__atomic_add_fetch(t->ready, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(t->ready, __ATOMIC_ACQUIRE) < t->n_workers)
		rte_pause();
	if (t->n > 0)
		rte_ring_sp_enqueue_bulk(loop_rx(t->port, t->worker),
		                         (void **)&t->w->m[t->worker * EACH], t->n, NULL);
	w->turn_started = rte_rdtsc();
	dp_worker_main(&(struct dp_worker_arg){.dp = t->w->dp, .worker = t->worker});
}

/* What a window is: packets of whose sessions come by which ring; owner -1: of any worker's. */
struct plan {
	uint16_t n_workers; /* that run */
	struct {
		uint32_t n;
		int owner;
	} ring[2];
};

struct both {
	uint32_t n; /* packets of all rings */
	double busy[2]; /* cycles of the turns in which the worker had packets */
	uint64_t handed_off;
};

static double cycles_sum(const struct both *b)
{
	return (b->busy[0] + b->busy[1]) / b->n;
}

/* The worker that has most to do says how many a second they pass together. */
static double pps(const struct both *b)
{
	return (double)rte_get_tsc_hz() * b->n / RTE_MAX(b->busy[0], b->busy[1]);
}

static void collect(struct world *w, enum way way, uint32_t n)
{
	uint32_t pick = world_random(w) % n, got = 0;
	struct rte_mbuf *m;

	for (uint16_t q = 0; q < LOOP_QUEUES; q++) {
		while (rte_ring_sc_dequeue(loop_tx(way == UP ? 1 : 0, q), (void **)&m) == 0) {
			if (got++ == pick)
				world_verify(w, way, m);
		}
	}
	if (got != n)
		bench_fail("%u packets came out instead of %u.", got, n);
}

static uint32_t out_count(enum way way)
{
	return rte_ring_count(loop_tx(way == UP ? 1 : 0, 0)) +
	       rte_ring_count(loop_tx(way == UP ? 1 : 0, 1));
}

static struct both both_run(struct world *w, enum way way, const struct plan *p)
{
	uint32_t ready = 0;
	struct dp_stats a[2], b;
	struct turn t[2];
	struct both r = {0};

	for (uint16_t i = 0; i < p->n_workers; i++) {
		world_fill(w, way, i * EACH, p->ring[i].n, p->ring[i].owner);
		r.n += p->ring[i].n;
		dp_stats_get(w->dp, i, &a[i]);
		t[i] = (struct turn){w, i, way == UP ? 0 : 1, p->n_workers, p->ring[i].n, &ready};
	}
	for (uint16_t i = 0; i < p->n_workers; i++)
		hand_go(1 - i, turn_run, &t[i]);
	for (int tries = 0; out_count(way) < r.n && tries < TRIES; tries++)
		usleep(WAIT_US);
	dp_stop(w->dp);
	for (uint16_t i = 0; i < p->n_workers; i++)
		hand_wait(1 - i);
	w->dp->stop = false;
	for (uint16_t i = 0; i < p->n_workers; i++) {
		dp_stats_get(w->dp, i, &b);
		r.busy[i] = (double)(b.busy_cycles - a[i].busy_cycles);
		r.handed_off += b.handed_off - a[i].handed_off;
	}
	world_no_drops(w);
	collect(w, way, r.n);
	return r;
}

/* ---- how far the CPUs are from each other ---- */

#define BOUNCES 1000

struct bounce {
	uint32_t *word; /* atomic */
	uint32_t first; /* what this side waits for: even, or odd, numbers */
	uint64_t ticks;
};

static void bounce_run(void *arg)
{
	struct bounce *b = arg;
	uint64_t start = rte_rdtsc();

	for (uint32_t i = b->first; i < 2 * BOUNCES; i += 2) {
		while (__atomic_load_n(b->word, __ATOMIC_ACQUIRE) != i)
			rte_pause();
		__atomic_store_n(b->word, i + 1, __ATOMIC_RELEASE);
	}
	b->ticks = rte_rdtsc() - start;
}

/* Ticks in which a word goes there and back, least of a few: virtual CPUs move about the sockets. */
static double round_trip(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 20; i++) {
		uint32_t word = 0;
		struct bounce a = {&word, 0, 0}, b = {&word, 1, 0};

		hand_go(0, bounce_run, &a);
		hand_go(1, bounce_run, &b);
		hand_wait(0);
		hand_wait(1);
		least = RTE_MIN(least, RTE_MIN(a.ticks, b.ticks));
	}
	return (double)least / BOUNCES;
}

/* ---- the whole added ---- */

static const struct plan at_right = {2, {{EACH, 0}, {EACH, 1}}};
static const struct plan at_wrong = {2, {{EACH, 1}, {EACH, 0}}};

static void handoff_rows(const struct suite_name *s, bool quick)
{
	struct world *w =
	        world_new(&(struct world_conf){.n_workers = 2, .suite = s->suite, .size = 64});

	for (enum way way = UP; way <= DOWN; way++) {
		uint32_t windows = quick ? 100 : 1000;
		double far = round_trip();
		struct pairs_sum sum;
		struct pairs p;
		struct row row;
		char path[64];

		pairs_new(&p, windows);
		for (uint32_t i = 0; i < windows + 2; i++) {
			struct both wrong = both_run(w, way, &at_wrong);
			struct both right = both_run(w, way, &at_right);

			if (wrong.handed_off != 2 * EACH || right.handed_off != 0)
				bench_fail("packets did not take the way that was meant.");
			if (i >= 2)
				pairs_add(&p, cycles_sum(&wrong), cycles_sum(&right));
		}
		pairs_sum(&p, &sum);
		snprintf(path, sizeof(path), "%s.%s", way == UP ? "up" : "down", s->name);
		row_begin(&row, "loop.handoff.whole");
		row_str(&row, "path", path);
		row_int(&row, "size", 64);
		row_int(&row, "sessions", SESSIONS);
		row_int(&row, "vector", 32);
		row_str(&row, "pages", loop_pages());
		row_str(&row, "cpu", BENCH_CPU);
		row_num(&row, "added_min", sum.over_min);
		row_num(&row, "added_median", sum.over);
		row_num(&row, "round_trip_ticks", RTE_MAX(far, round_trip()));
		row_pairs(&row, &sum, "at the right worker");
		row_end(&row);
		pairs_free(&p);
	}
	world_free(w);
}

/* ---- ring operations alone ---- */

#define RING_WINDOW 8192 /* packets */

struct ring_side {
	struct world *w;
	uint32_t *go; /* atomic: both begin */
	uint64_t ticks;
};

static void meet(uint32_t *go)
{
	__atomic_add_fetch(go, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(go, __ATOMIC_ACQUIRE) < 2)
		rte_pause();
}

/* What a stage does that gives packets away, and the flush at the end of its turn. */
static void ring_give(void *arg)
{
	struct ring_side *s = arg;
	struct worker *w = s->w->dp->workers[0];
	struct rte_ring *r = w->handoff_to[1];

	meet(s->go);
	for (uint32_t i = 0; i < RING_WINDOW; i += 32) {
		uint64_t start;

		while (rte_ring_free_count(r) < 64)
			rte_pause();
		start = rte_rdtsc();
		for (uint32_t k = 0; k < 32; k++)
			dp_handoff(w, s->w->m[(i + k) % EACH], 1, RESUME_CLASSIFY, 0);
		dp_handoff_flush(w);
		s->ticks += rte_rdtsc() - start;
	}
}

static void ring_take(void *arg)
{
	struct ring_side *s = arg;
	struct worker *w = s->w->dp->workers[1];
	struct rte_ring *r = s->w->dp->workers[0]->handoff_to[1];
	uint64_t v[VEC_MAX];
	uint32_t got = 0;

	meet(s->go);
	while (got < RING_WINDOW) {
		uint64_t start = rte_rdtsc();
		uint32_t n = rte_ring_sc_dequeue_burst_elem(r, v, sizeof(v[0]), w->vector, NULL);

		if (n > 0)
			s->ticks += rte_rdtsc() - start;
		got += n;
	}
}

static void ring_row(bool quick)
{
	struct world *w = world_new(&(struct world_conf){.n_workers = 2, .size = 64});
	uint32_t windows = quick ? 200 : 2000;
	struct pairs_sum sum;
	struct pairs p;
	struct row row;

	pairs_new(&p, windows);
	for (uint32_t i = 0; i < windows + 2; i++) {
		uint32_t go = 0;
		struct ring_side give = {w, &go, 0}, take = {w, &go, 0};

		hand_go(1, ring_give, &give);
		hand_go(0, ring_take, &take);
		hand_wait(1);
		hand_wait(0);
		if (i >= 2)
			pairs_add(&p, (double)give.ticks / RING_WINDOW,
			          (double)take.ticks / RING_WINDOW);
	}
	for (uint32_t i = 0; i < p.n; i++)
		p.path[i] += p.ref[i];
	pairs_sum(&p, &sum);
	row_begin(&row, "loop.handoff.ring");
	row_int(&row, "vector", 32);
	row_num(&row, "take_min", sum.ref_min);
	row_num(&row, "take_median", sum.ref_median);
	row_num(&row, "round_trip_ticks", round_trip());
	row_str(&row, "pages", loop_pages());
	row_pairs(&row, &sum, NULL);
	row_end(&row);
	pairs_free(&p);
	world_free(w);
}

/* ---- one worker and two, one fat tunnel and many ---- */

/*
 * A port spreads by the outer headers, so all of one tunnel come by one ring. The sessions of a plain one
 * belong to both workers, those in one SA pair to one.
 */
static const struct plan one_plan = {1, {{EACH, -1}, {0, -1}}};
static const struct plan fat_plan = {2, {{EACH, -1}, {0, -1}}};

static void workers_row(const struct suite_name *s, bool fat, bool quick)
{
	struct world_conf c = {.n_workers = 1, .suite = s->suite, .size = 64, .fat = fat};
	struct world *one = world_new(&c), *two;
	uint32_t windows = quick ? 60 : 600;
	uint64_t handed = 0, n = 0;
	struct pairs_sum sum;
	struct pairs p;
	struct row row;
	char path[64];

	c.n_workers = 2;
	two = world_new(&c);
	pairs_new(&p, windows);
	for (uint32_t i = 0; i < windows + 2; i++) {
		struct both a = both_run(one, UP, &one_plan);
		struct both b = both_run(two, UP, fat ? &fat_plan : &at_right);

		if (i < 2)
			continue;
		pairs_add(&p, pps(&b), pps(&a));
		handed += b.handed_off;
		n += b.n;
	}
	pairs_sum(&p, &sum);
	snprintf(path, sizeof(path), "up.%s", s->name);
	row_begin(&row, "loop.workers");
	row_str(&row, "path", path);
	row_int(&row, "size", 64);
	row_int(&row, "tunnels", fat ? 1 : SESSIONS);
	row_int(&row, "sessions", SESSIONS);
	row_int(&row, "vector", 32);
	row_str(&row, "pages", loop_pages());
	row_str(&row, "cpu", BENCH_CPU);
	row_num(&row, "one_pps", sum.ref_median);
	row_num(&row, "two_pps", sum.path_median);
	row_num(&row, "ratio", sum.ratio);
	row_num(&row, "handed_off_percent", 100 * (double)handed / (double)n);
	row_int(&row, "windows", sum.n);
	row_end(&row);
	pairs_free(&p);
	world_free(one);
	world_free(two);
}

void rows_handoff(bool quick)
{
	ring_row(quick);
	for (int s = 0; s < 2; s++)
		handoff_rows(&loop_suites[s], quick);
}

void rows_workers(bool quick)
{
	for (int s = 0; s < 2; s++) {
		workers_row(&loop_suites[s], false, quick);
		workers_row(&loop_suites[s], true, quick);
	}
}
