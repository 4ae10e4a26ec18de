/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "tests.h"

#include "base/idpool.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static void test_all_ids(void)
{
	struct idpool *p = idpool_new(1, 65535, 31000, 1);
	uint8_t *seen = calloc(IDPOOL_IDS, 1);
	uint32_t bad = 0, neighbours = 0, last = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (uint32_t i = 0; i < 65535; i++) {
		uint16_t id = idpool_get(p, 1, 0);

		bad += id == 0 || seen[id];
		neighbours += id == last + 1;
		seen[id] = 1;
		last = id;
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(neighbours < 100); /* shuffled */
	CU_ASSERT_EQUAL(p->n_used, 65535);
	CU_ASSERT_EQUAL(p->n_free, 0);
	CU_ASSERT_EQUAL(idpool_get(p, 1, 0), 0);
	idpool_put(p, 777, 5);
	CU_ASSERT_EQUAL(p->n_used, 65534);
	/* At once to another scope, to the last one only after the quarantine. */
	CU_ASSERT_EQUAL(idpool_get(p, 1, 5), 0);
	CU_ASSERT_EQUAL(idpool_get(p, 1, 31004), 0);
	CU_ASSERT_EQUAL(idpool_get(p, 2, 5), 777);
	idpool_put(p, 777, 5);
	CU_ASSERT_EQUAL(idpool_get(p, 2, 31005), 777);
	free(seen);
	free(p);
}

static void test_range(void)
{
	struct idpool *p = idpool_new(10, 12, 1000, 99);
	uint32_t sum = 0;

	for (int i = 0; i < 3; i++)
		sum += idpool_get(p, 5, 0);
	CU_ASSERT_EQUAL(sum, 33);
	CU_ASSERT_EQUAL(idpool_get(p, 5, 0), 0);
	free(p);
	p = idpool_new(65535, 65535, 1000, 0);
	CU_ASSERT_EQUAL(idpool_get(p, 0, 0), 65535);
	CU_ASSERT_EQUAL(idpool_get(p, 0, 0), 0);
	free(p);
}

static void test_seeds_differ(void)
{
	struct idpool *a = idpool_new(1, 65535, 0, 1), *b = idpool_new(1, 65535, 0, 2);
	uint32_t same = 0;

	for (int i = 0; i < 1000; i++)
		same += idpool_get(a, 0, 0) == idpool_get(b, 0, 0);
	CU_ASSERT(same < 10);
	free(a);
	free(b);
}

/* Oldest first: an id that was just given back comes last. */
static void test_fifo(void)
{
	struct idpool *p = idpool_new(1, 100, 0, 7);
	uint16_t first = idpool_get(p, 1, 0);

	idpool_put(p, first, 0);
	for (int i = 0; i < 99; i++)
		CU_ASSERT_NOT_EQUAL(idpool_get(p, 1, 0), first);
	CU_ASSERT_EQUAL(idpool_get(p, 1, 0), first);
	free(p);
}

/* Candidates in quarantine are stepped over, a bounded number of them. */
static void test_skip(void)
{
	struct idpool *p = idpool_new(1, 1000, 1000, 7);
	uint16_t *ids = calloc(1000, sizeof(*ids));

	for (int i = 0; i < 1000; i++)
		ids[i] = idpool_get(p, i < 200 ? 1 : 2, 0);
	for (int i = 0; i < 1000; i++)
		idpool_put(p, ids[i], 10);
	CU_ASSERT_EQUAL(idpool_get(p, 1, 20), ids[200]);
	CU_ASSERT_EQUAL(p->n_free, 999);
	CU_ASSERT_EQUAL(p->n_used, 1);
	/* 799 ids of scope 2 stand before the 200 of scope 1: more than one call steps over. */
	CU_ASSERT_EQUAL(idpool_get(p, 2, 20), 0);
	for (int i = 0; i < 3; i++)
		if (idpool_get(p, 2, 20) != 0)
			break;
	CU_ASSERT_EQUAL(p->n_used, 2);
	CU_ASSERT_EQUAL(p->n_used + p->n_free, 1000);
	free(ids);
	free(p);
}

/* Many thousand turns: the counters and the ring wrap, nothing is lost, nothing given out twice. */
static void test_churn(void)
{
	struct idpool *p = idpool_new(1, 300, 50, 3);
	uint64_t freed[301] = {0}, scope_of[301] = {0}, now = 1000;
	uint16_t used[300];
	uint8_t in_use[301] = {0};
	uint32_t n = 0, bad = 0, s = 1;

	p->head = p->tail =
	        UINT32_MAX - 1000; /* soon wrapped; a multiple of the ring stays aligned */
	p->n_free = 0;
	for (uint32_t id = 1; id <= 300; id++) {
		p->ring[p->tail++ % IDPOOL_IDS] = (uint16_t)id;
		p->n_free++;
	}
	for (int i = 0; i < 100000; i++) {
		s = s * 1103515245u + 12345u;
		now += s >> 28;
		if (n == 0 || (n < 300 && s & 0x10000)) {
			uint64_t scope = (s >> 8) % 4;
			uint16_t id = idpool_get(p, scope, now);

			if (id == 0)
				continue;
			bad += id > 300 || in_use[id];
			bad += freed[id] != 0 && scope_of[id] == scope && now < freed[id] + 50;
			in_use[id] = 1;
			scope_of[id] = scope;
			used[n++] = id;
		} else {
			uint32_t k = (s >> 8) % n;

			idpool_put(p, used[k], now);
			in_use[used[k]] = 0;
			freed[used[k]] = now;
			used[k] = used[--n];
		}
		bad += p->n_used != n || p->n_free != 300 - n;
	}
	CU_ASSERT_EQUAL(bad, 0);
	free(p);
}

void register_idpool(void)
{
	CU_pSuite s = CU_add_suite("base: idpool", NULL, NULL);

	CU_add_test(s, "all 65,535 ids", test_all_ids);
	CU_add_test(s, "range", test_range);
	CU_add_test(s, "seeds differ", test_seeds_differ);
	CU_add_test(s, "oldest first", test_fifo);
	CU_add_test(s, "quarantine is stepped over", test_skip);
	CU_add_test(s, "churn", test_churn);
}
