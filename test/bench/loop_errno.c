/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * loop.imb_errno: ipsec-mb 1.3 stores into one process-global word on every call. Two CPUs encrypt GCM, each
 * with engine, SA and buffers of its own: as two threads of one process, and as two processes, in turn.
 */
#include "bench/loop.h"
#include "bench/row.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#define BURST   32
#define BURSTS  32 /* of a window */
#define WINDOWS 20 /* of a round */
#define LEN     82 /* L2TP around 64 bytes */
#define ROOM    256

enum kind { THREADS, PROCESSES };

struct side {
	sem_t go, done;
	double ticks[WINDOWS]; /* a packet */
};

struct shared {
	struct side side[2][2]; /* kind, CPU */
	uint32_t arrived[2]; /* kind */
};

struct runner {
	struct shared *s;
	enum kind kind;
	int cpu;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		bench_fail("CPU %d cannot be had: %m.", cpu);
}

static struct esp_sa *sa_make(struct esp *e, int cpu)
{
	static const uint8_t key[64] = {1, 2, 3};
	const struct esp_suite *s = loop_suites[1].suite; /* GCM-128 */
	struct esp_sa *sa = esp_sa_new(e, &(struct esp_sa_conf){
	                                          .spi = 0x1000 + (uint32_t)cpu,
	                                          .suite = *s,
	                                          .enc_key = key,
	                                          .enc_key_len = esp_suite_enc_key_len(s),
	                                  });

	if (sa == NULL)
		bench_fail("no SA.");
	return sa;
}

static double window(struct esp *e, struct esp_sa *sa, uint8_t (*buf)[ROOM])
{
	struct esp_pkt p[BURST];
	uint64_t ticks = 0;

	for (int b = 0; b < BURSTS; b++) {
		uint64_t start;

		for (int i = 0; i < BURST; i++)
			p[i] = (struct esp_pkt){
			        .sa = sa, .data = buf[i] + 64, .len = LEN, .next_header = 17};
		start = rte_rdtsc();
		esp_encrypt(e, p, BURST);
		ticks += rte_rdtsc() - start;
		if (p[0].status != ESP_OK)
			bench_fail("a packet was not encrypted.");
	}
	return (double)ticks / (BURST * BURSTS);
}

static void *run(void *arg)
{
	const struct runner *r = arg;
	struct side *me = &r->s->side[r->kind][r->cpu];
	uint8_t(*buf)[ROOM] = calloc(BURST, ROOM);
	struct esp_sa *sa;
	char why[128];
	struct esp *e;

	pin(r->cpu);
	e = esp_new(why, sizeof(why));
	if (e == NULL || buf == NULL)
		bench_fail("no engine.");
	sa = sa_make(e, r->cpu);
	for (;;) {
		while (sem_wait(&me->go) != 0)
			;
		/* Both sides begin each round together. */
		__atomic_add_fetch(&r->s->arrived[r->kind], 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&r->s->arrived[r->kind], __ATOMIC_ACQUIRE) < 2)
			rte_pause();
		for (int i = 0; i < WINDOWS; i++)
			me->ticks[i] = window(e, sa, buf);
		sem_post(&me->done);
	}
	return NULL;
}

/* Both CPUs, one round: the least of each one's windows, their mean. */
static double round_run(struct shared *s, enum kind kind)
{
	double sum = 0;

	s->arrived[kind] = 0;
	for (int cpu = 0; cpu < 2; cpu++)
		sem_post(&s->side[kind][cpu].go);
	for (int cpu = 0; cpu < 2; cpu++) {
		while (sem_wait(&s->side[kind][cpu].done) != 0)
			;
	}
	for (int cpu = 0; cpu < 2; cpu++) {
		double least = s->side[kind][cpu].ticks[0];

		for (int i = 1; i < WINDOWS; i++)
			least = RTE_MIN(least, s->side[kind][cpu].ticks[i]);
		sum += least;
	}
	return sum / 2;
}

static void sides_start(struct shared *s, struct runner r[4], pid_t child[2])
{
	for (int k = 0; k < 4; k++) {
		pthread_t t;

		r[k] = (struct runner){.s = s, .kind = k < 2 ? PROCESSES : THREADS, .cpu = k % 2};
		sem_init(&s->side[r[k].kind][r[k].cpu].go, 1, 0);
		sem_init(&s->side[r[k].kind][r[k].cpu].done, 1, 0);
		if (r[k].kind == THREADS) {
			if (pthread_create(&t, NULL, run, &r[k]) != 0)
				bench_fail("no thread.");
			pthread_detach(t);
			continue;
		}
		child[k] = fork();
		if (child[k] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run(&r[k]);
			_exit(1);
		}
		if (child[k] < 0)
			bench_fail("no process: %m.");
	}
}

void rows_errno(bool quick)
{
	struct shared *s =
	        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t rounds = quick ? 100 : 1000;
	static struct runner r[4]; /* the threads keep theirs */
	struct pairs_sum sum;
	pid_t child[2];
	struct pairs p;
	struct row row;

	if (s == MAP_FAILED)
		bench_fail("no memory.");
	sides_start(s, r, child);
	pairs_new(&p, rounds);
	for (uint32_t i = 0; i < rounds + 2; i++) {
		double threads = round_run(s, THREADS), processes = round_run(s, PROCESSES);

		if (i >= 2)
			pairs_add(&p, threads, processes);
	}
	for (int k = 0; k < 2; k++) {
		kill(child[k], SIGKILL);
		waitpid(child[k], NULL, 0);
	}
	pairs_sum(&p, &sum);
	row_begin(&row, "loop.imb_errno");
	row_str(&row, "path", "gcm128");
	row_int(&row, "size", 64);
	row_int(&row, "vector", BURST);
	row_str(&row, "cpu", BENCH_CPU);
	row_pairs(&row, &sum, "two processes");
	row_end(&row);
	pairs_free(&p);
}
