/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * loop.idle: what an empty turn costs, with one worker and with many; and what a worker without packets
 * takes of its CPU, and says of itself, under each way to idle.
 */
#include "bench/loop.h"
#include "bench/row.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#define TURNS 256 /* of a window */

/* ---- an empty turn ---- */

struct turns {
	struct dp *dp;
	uint32_t windows;
	struct pairs p;
};

static void turns_run(void *arg)
{
	struct turns *t = arg;

	for (uint32_t i = 0; i < t->windows; i++) {
		uint64_t start = rte_rdtsc();

		for (uint32_t k = 0; k < TURNS; k++)
			dp_worker_poll(t->dp, 0);
		pairs_add(&t->p, (double)(rte_rdtsc() - start) / TURNS, 0);
	}
}

static void row_turn(uint16_t n_workers, uint16_t n_queues, const struct pairs *p)
{
	struct pairs_sum s;
	struct row row;

	pairs_sum(p, &s);
	row_begin(&row, "loop.idle.turn");
	row_int(&row, "workers", n_workers);
	row_int(&row, "queues", n_queues);
	row_str(&row, "pages", loop_pages());
	row_pairs(&row, &s, NULL);
	row_end(&row);
}

/* No packet ever comes, so the other workers need not be there. */
static void turn_row(uint16_t n_workers, bool quick)
{
	struct dp_conf c = {.n_workers = n_workers, .n_mbufs = 1023, .vector = 32};
	struct turns t = {.windows = quick ? 500 : 5000};

	pairs_new(&t.p, t.windows);
	t.dp = dp_new(&c, NULL);
	if (t.dp == NULL)
		bench_fail("no data plane of %u workers: %m.", n_workers);
	hand_go(1, turns_run, &t);
	hand_wait(1);
	row_turn(n_workers, 0, &t.p);
	pairs_free(&t.p);
	dp_free(t.dp);
}

/* With two ports. */
static void turn_ports_row(bool quick)
{
	struct world *w = world_new(&(struct world_conf){.n_workers = 1, .size = 64});
	struct turns t = {.dp = w->dp, .windows = quick ? 500 : 5000};

	pairs_new(&t.p, t.windows);
	hand_go(1, turns_run, &t);
	hand_wait(1);
	row_turn(1, LOOP_PORTS, &t.p);
	pairs_free(&t.p);
	world_free(w);
}

/* ---- ways to idle ---- */

struct idler {
	struct dp *dp;
	clockid_t clock;
	bool ready; /* atomic */
};

static void idler_run(void *arg)
{
	struct idler *i = arg;

	pthread_getcpuclockid(pthread_self(), &i->clock);
	__atomic_store_n(&i->ready, true, __ATOMIC_RELEASE);
	dp_worker_main(&(struct dp_worker_arg){.dp = i->dp, .worker = 0});
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double busy_percent(const struct dp_stats *a, const struct dp_stats *b)
{
	double busy = (double)(b->busy_cycles - a->busy_cycles);
	double idle = (double)(b->idle_cycles - a->idle_cycles);

	return busy + idle > 0 ? 100 * busy / (busy + idle) : 0;
}

/* With packets: a few bursts, so that sleeps end in work. */
static void trickle(struct world *w, uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		world_fill(w, UP, 0, 8, -1);
		usleep(1000);
		loop_flood(w, UP, 8);
	}
}

static void idle_row(const char *name, int idle, uint32_t sleep_us, bool packets, bool quick)
{
	struct world *w = world_new(&(struct world_conf){
	        .n_workers = 1, .size = 64, .idle = idle, .idle_sleep_us = sleep_us});
	uint32_t ms = quick ? 200 : 2000;
	struct idler i = {.dp = w->dp};
	struct dp_stats a, b;
	double wall, cpu;
	struct row row;

	hand_go(1, idler_run, &i);
	while (!__atomic_load_n(&i.ready, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(20000);
	dp_stats_get(w->dp, 0, &a);
	wall = seconds(CLOCK_MONOTONIC);
	cpu = seconds(i.clock);
	if (packets)
		trickle(w, ms);
	else
		usleep(ms * 1000);
	dp_stats_get(w->dp, 0, &b);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(i.clock) - cpu;
	worker_stop(w);
	row_begin(&row, "loop.idle.cpu");
	row_str(&row, "idle", name);
	if (idle == DP_IDLE_SLEEP)
		row_int(&row, "sleep_us", sleep_us);
	row_num(&row, "pps", (double)(b.rx - a.rx) / wall);
	row_num(&row, "cpu_percent", 100 * cpu / wall);
	row_num(&row, "busy_percent", busy_percent(&a, &b));
	row_end(&row);
	world_free(w);
}

void rows_idle(bool quick)
{
	turn_row(1, quick);
	turn_row(64, quick);
	turn_ports_row(quick);
	for (int packets = 0; packets < 2; packets++) {
		idle_row("spin", DP_IDLE_SPIN, 0, packets, quick);
		idle_row("pause", DP_IDLE_PAUSE, 0, packets, quick);
		idle_row("sleep", DP_IDLE_SLEEP, 50, packets, quick);
	}
}
