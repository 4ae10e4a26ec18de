/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* EAL, ports of rings, and lcores that wait for something to do. */
#include "bench/loop.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#define HUGE_NEED 512 /* pages of 2 MiB */

struct hand {
	sem_t go, done;
	void (*fn)(void *);
	void *arg;
	pid_t tid;
};

struct eal {
	struct rte_ring *rx[LOOP_PORTS][LOOP_QUEUES], *tx[LOOP_PORTS][LOOP_QUEUES];
	struct hand hand[2];
	bool huge;
};

static struct eal *eal(void)
{
	static struct eal e;

	return &e;
}

struct rte_ring *loop_rx(uint16_t port, uint16_t queue)
{
	return eal()->rx[port][queue];
}

struct rte_ring *loop_tx(uint16_t port, uint16_t queue)
{
	return eal()->tx[port][queue];
}

const char *loop_pages(void)
{
	return eal()->huge ? "2m" : "4k";
}

static int port_make(struct eal *e, uint16_t port)
{
	struct rte_eth_conf conf = {0};
	char name[32];

	for (int q = 0; q < LOOP_QUEUES; q++) {
		snprintf(name, sizeof(name), "rx%u.%d", port, q);
		e->rx[port][q] = rte_ring_create(name, RX_RING, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "tx%u.%d", port, q);
		e->tx[port][q] = rte_ring_create(name, TX_RING, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (e->rx[port][q] == NULL || e->tx[port][q] == NULL)
			return -1;
	}
	snprintf(name, sizeof(name), "loop%u", port);
	return rte_eth_from_rings(name, e->rx[port], LOOP_QUEUES, e->tx[port], LOOP_QUEUES, 0) ==
	                               port &&
	                       rte_eth_dev_configure(port, LOOP_QUEUES, LOOP_QUEUES, &conf) == 0
	               ? 0
	               : -1;
}

static int port_up(uint16_t port, struct rte_mempool *pool)
{
	for (uint16_t q = 0; q < LOOP_QUEUES; q++) {
		if (rte_eth_rx_queue_setup(port, q, RX_RING, 0, NULL, pool) != 0 ||
		    rte_eth_tx_queue_setup(port, q, RX_RING, 0, NULL) != 0)
			return -1;
	}
	return rte_eth_dev_start(port);
}

static bool huge_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned n = 0;

	if (f != NULL && fscanf(f, "%u", &n) != 1)
		n = 0;
	if (f != NULL)
		fclose(f);
	return n >= HUGE_NEED;
}

int loop_eal(void)
{
	struct eal *e = eal();
	char *argv[] = {
	        "bench_loop",        "--no-pci", "--no-telemetry", "--lcores",    "0@0,1@0,2@1",
	        "--log-level=error", "-m",       "1024",           "--no-shconf", "--no-huge"};
	struct rte_mempool *pool;
	int argc = (int)RTE_DIM(argv);

	e->huge = huge_pages();
	if (e->huge) {
		argv[RTE_DIM(argv) - 2] = "--in-memory";
		argc--;
	}
	setenv("XDG_RUNTIME_DIR", "/tmp", 0);
	if (rte_eal_init(argc, argv) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("unused", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	for (uint16_t p = 0; p < LOOP_PORTS; p++) {
		if (pool == NULL || port_make(e, p) != 0 || port_up(p, pool) != 0)
			return -1;
	}
	return 0;
}

/* ---- hands ---- */

/* Under a real-time policy a worker that spins on the main thread's CPU would keep it from its turn. */
static void below_main(void)
{
	struct sched_param p;
	int policy;

	if (pthread_getschedparam(pthread_self(), &policy, &p) != 0 || p.sched_priority < 2)
		return;
	p.sched_priority--;
	(void)pthread_setschedparam(pthread_self(), policy, &p);
}

static int hand_main(void *arg)
{
	struct hand *h = arg;

	below_main();
	h->tid = (pid_t)syscall(SYS_gettid);
	sem_post(&h->done);
	for (;;) {
		while (sem_wait(&h->go) != 0)
			;
		h->fn(h->arg);
		sem_post(&h->done);
	}
	return 0;
}

void hands_start(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct hand *h = &eal()->hand[i];

		sem_init(&h->go, 0, 0);
		sem_init(&h->done, 0, 0);
		if (rte_eal_remote_launch(hand_main, h, i + 1) != 0)
			bench_fail("lcore %u does not start.", i + 1);
		hand_wait((int)i);
	}
}

void hand_go(int h, void (*fn)(void *), void *arg)
{
	eal()->hand[h].fn = fn;
	eal()->hand[h].arg = arg;
	sem_post(&eal()->hand[h].go);
}

void hand_wait(int h)
{
	while (sem_wait(&eal()->hand[h].done) != 0)
		;
}

long hand_switches(int h)
{
	char path[64], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status",
	         h < 0 ? (int)syscall(SYS_gettid) : (int)eal()->hand[h].tid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "nonvoluntary_ctxt_switches: %ld", &n) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

double cpu_steal_ms(void)
{
	unsigned long long steal, sum = 0;
	char line[256];
	int cpu;
	FILE *f = fopen("/proc/stat", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "cpu%d %*u %*u %*u %*u %*u %*u %*u %llu", &cpu, &steal) == 2 &&
		    cpu < 2)
			sum += steal;
	}
	if (f != NULL)
		fclose(f);
	return (double)sum * 1000 / (double)sysconf(_SC_CLK_TCK);
}
