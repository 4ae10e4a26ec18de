/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Two NUMA nodes on a machine of one: the second is memory of the test's own, which DPDK takes for that of
 * another node.
 */
#include "dataplane/esp_rig.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_malloc.h>

#define NODE  "far"
#define BYTES (96u << 20)

struct far {
	char *mem;
	int socket;
};

static bool is_far(const struct far *f, const void *p)
{
	return (const char *)p >= f->mem && (const char *)p < f->mem + BYTES;
}

static void far_open(struct far *f, size_t bytes)
{
	f->mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(f->mem != MAP_FAILED);
	CU_ASSERT_EQUAL_FATAL(rte_malloc_heap_create(NODE), 0);
	CU_ASSERT_EQUAL_FATAL(
	        rte_malloc_heap_memory_add(NODE, f->mem, bytes, NULL, 0, (size_t)getpagesize()), 0);
	f->socket = rte_malloc_heap_get_socket(NODE);
	CU_ASSERT_TRUE_FATAL(f->socket > 0);
}

static void far_close(struct far *f, size_t bytes)
{
	CU_ASSERT_EQUAL(rte_malloc_heap_memory_remove(NODE, f->mem, bytes), 0);
	CU_ASSERT_EQUAL(rte_malloc_heap_destroy(NODE), 0);
	munmap(f->mem, BYTES);
}

static struct dp_conf conf_on(const struct far *f)
{
	struct dp_conf conf = rig_conf();

	conf.worker_socket[0] = -1;
	conf.worker_socket[1] = f->socket;
	return conf;
}

static void test_placement(void)
{
	const struct worker *near, *away;
	struct far f;
	struct dp_conf conf;
	struct dp *dp;

	far_open(&f, BYTES);
	conf = conf_on(&f);
	rig_open(&conf);
	dp = rig()->dp;
	near = dp->workers[0];
	away = dp->workers[1];
	CU_ASSERT_TRUE(is_far(&f, away));
	CU_ASSERT_TRUE(is_far(&f, away->fifo) && is_far(&f, away->handoff_to[0]));
	CU_ASSERT_TRUE(is_far(&f, away->punt[DP_PUNT_L2TP]) && is_far(&f, away->tx));
	CU_ASSERT_TRUE(is_far(&f, away->rxq) && is_far(&f, away->handoff));
	CU_ASSERT_TRUE(is_far(&f, away->holds) && is_far(&f, away->esp_holds));
	CU_ASSERT_TRUE(is_far(&f, away->reass) && is_far(&f, away->newtun));
	CU_ASSERT_FALSE(is_far(&f, near) || is_far(&f, near->fifo) || is_far(&f, near->newtun));
	CU_ASSERT_FALSE(is_far(&f, dp->rx) || is_far(&f, dp->spi)); /* what all look into */
	CU_ASSERT_PTR_NOT_EQUAL(dp_mbuf_pool_on(dp, f.socket), dp_mbuf_pool(dp));
	CU_ASSERT_PTR_EQUAL(dp_mbuf_pool_on(dp, f.socket), away->node->pool);
	CU_ASSERT_PTR_EQUAL(dp_mbuf_pool_on(dp, -1), dp_mbuf_pool(dp));
	CU_ASSERT_PTR_EQUAL(dp_mbuf_pool_on(dp, 77), dp_mbuf_pool(dp));
	CU_ASSERT_PTR_EQUAL(near->node->pool, dp_mbuf_pool(dp));
	rig_close();
	far_close(&f, BYTES);
}

/* Packets through it, with fragments of the far worker's making: from its own buffers. */
static void test_packets(void)
{
	struct dp_session s = *rig_session();
	struct bytes down = {0};
	struct far f;
	struct dp_conf conf;
	struct rte_mbuf *m;
	uint32_t n_far = 0;

	far_open(&f, BYTES);
	conf = conf_on(&f);
	rig_open(&conf);
	s.mtu = 1000;
	rig_add(&s); /* worker 1's */
	eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1400});
	rig_put(1, 0, &down);
	for (int i = 0; i < 4; i++) {
		dp_worker_poll(rig()->dp, 0);
		dp_worker_poll(rig()->dp, 1);
	}
	CU_ASSERT_EQUAL(rte_ring_count(rig()->tx[0][1]), 2);
	while (rte_ring_sc_dequeue(rig()->tx[0][1], (void **)&m) == 0) {
		n_far += is_far(&f, m);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(n_far, 1);
	rig_close();
	far_close(&f, BYTES);
}

/* A node without enough memory, for buffers or for what comes after them: all works from the other one. */
static void test_no_memory(void)
{
	static const size_t sizes[] = {1u << 20, 23u << 20};

	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		struct bytes down = {0};
		struct dp_conf conf;
		struct far f;

		far_open(&f, sizes[i]);
		conf = conf_on(&f);
		rig_open(&conf);
		CU_ASSERT_PTR_EQUAL(rig()->dp->workers[1]->node, &rig()->dp->node[0]);
		CU_ASSERT_FALSE(is_far(&f, rig()->dp->workers[1]));
		rig_add(rig_session());
		eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
		rig_put(1, 0, &down);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, 1);
		rig_close();
		far_close(&f, sizes[i]);
	}
}

static CU_TestInfo tests[] = {
        {"what lies where", test_placement},
        {"packets", test_packets},
        {"a node without memory", test_no_memory},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *numa_tests(void)
{
	return tests;
}
