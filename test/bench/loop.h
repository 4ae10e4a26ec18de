/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The parts of bench_loop. The worker's real loop runs on lcores of its own, on CPU 0 or 1; the program's
 * main lcore is on CPU 0 and is generator and sink, or sleeps while a worker runs there.
 */
#pragma once

#include "dataplane/dp.h"
#include "dataplane/priv.h"

#include <stdio.h>

#define LOOP_PORTS  2 /* 0: where the peers are; 1: the world */
#define LOOP_QUEUES 2
#define RX_RING     1024 /* like a port's descriptors; one of them stays free */
#define TX_RING     8192
#define BATCH_MAX   8192 /* packets of one window */
#define SESSIONS    1000

enum way { UP, DOWN };

/* ---- the world: a data plane on two ports of rings, its sessions, and their peers ---- */

struct world_conf {
	uint16_t n_workers;
	const struct esp_suite *suite; /* NULL: plain L2TP */
	uint16_t size; /* bytes of the inner packet */
	bool fat; /* all sessions in one tunnel, and in one SA pair; else one each */
	int idle; /* DP_IDLE_* */
	uint32_t idle_sleep_us;
};

struct flow {
	uint32_t peer, sub,
	        far; /* IPv4, host order: tunnel end, subscriber, and whom he talks to */
	uint16_t sid, tid, peer_sid, peer_tid;
	uint16_t owner;
	struct esp_sa *tx, *rx; /* the peer's; NULL: plain */
};

struct world {
	struct world_conf conf;
	struct dp *dp;
	struct flow flow[SESSIONS];
	uint64_t random;
	struct rte_mbuf *m[BATCH_MAX];
	uint16_t of[BATCH_MAX]; /* flow of m[i] */
};

int loop_eal(void); /* once: EAL, ports, lcores */
const char *loop_pages(void);
struct rte_ring *loop_rx(uint16_t port, uint16_t queue);
struct rte_ring *loop_tx(uint16_t port, uint16_t queue);

struct world *world_new(const struct world_conf *conf);
void world_free(struct world *w);
/* Frames m[first .. first + n) of sessions in random order; owner -1: of any worker. */
void world_fill(struct world *w, enum way way, uint32_t first, uint32_t n, int owner);
/* Fails when a frame that has come out is not what it has to be. */
void world_verify(struct world *w, enum way way, struct rte_mbuf *m);
/* Fails when anything was dropped or punted. */
void world_no_drops(struct world *w);
void world_turn(struct world *w); /* with no worker running: until all orders are done */
uint32_t world_random(struct world *w);

/* ---- hands: lcores that wait for something to do ---- */

void hands_start(void);
/* fn(arg) on the lcore of hand h, which is on CPU h (0, 1). */
void hand_go(int h, void (*fn)(void *), void *arg);
void hand_wait(int h);
long hand_switches(int h); /* involuntary context switches so far; h -1: the calling thread's */
double cpu_steal_ms(void); /* of both CPUs so far */

/* ---- one worker, with generator and sink on the other CPU ---- */

struct batch {
	uint64_t ticks; /* from the first packet in to the last one out */
	uint64_t busy, rx, vectors; /* of the worker */
};

void worker_start(struct world *w);
void worker_stop(struct world *w);
/* One window: n packets as fast as the worker takes them. */
struct batch loop_flood(struct world *w, enum way way, uint32_t n);

/* ---- the rows ---- */

void rows_rate(bool quick); /* rate and latency */
void rows_idle(bool quick);
void rows_handoff(bool quick);
void rows_workers(bool quick); /* one worker against two */
void rows_errno(bool quick); /* before loop_eal: it forks */

void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void bench_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct suite_name {
	const char *name;
	const struct esp_suite *suite;
};
extern const struct suite_name loop_suites[]; /* plain first; name NULL: the end */
