/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The parts of control that stand alone: pools, half-open bookkeeping, the latch. */
#include "control/conn.h"
#include "control/halfopen.h"
#include "control/pool.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_pool(void)
{
	struct cfg_pool conf = {.first = ipaddr_v4(10), .last = ipaddr_v4(13)};
	struct pool p;

	CU_ASSERT_EQUAL_FATAL(pool_init(&p, &conf), 0);
	CU_ASSERT_EQUAL(pool_get(&p), 10);
	CU_ASSERT_EQUAL(pool_take(&p, 12), 0);
	CU_ASSERT_EQUAL(pool_take(&p, 12), -EBUSY);
	CU_ASSERT_EQUAL(pool_take(&p, 14), -ENOENT);
	CU_ASSERT_EQUAL(pool_take(&p, 9), -ENOENT);
	CU_ASSERT_EQUAL(pool_get(&p), 11);
	CU_ASSERT_EQUAL(pool_get(&p), 13);
	CU_ASSERT_EQUAL(pool_get(&p), 0);
	CU_ASSERT_EQUAL(p.used, 4);
	pool_put(&p, 12);
	pool_put(&p, 10);
	CU_ASSERT_EQUAL(pool_get(&p), 12); /* the one that rested longest */
	CU_ASSERT_EQUAL(pool_get(&p), 10);
	pool_put(&p, 11);
	pool_reserve(&p, 11);
	pool_reserve(&p, 99);
	CU_ASSERT_EQUAL(p.reserved, 1);
	CU_ASSERT_EQUAL(p.used, 3);
	CU_ASSERT_EQUAL(pool_get(&p), 0);
	pool_fini(&p);
}

/* Random takes and puts never lose or double an address. */
static void test_pool_random(void)
{
	struct cfg_pool conf = {.first = ipaddr_v4(100), .last = ipaddr_v4(163)};
	uint32_t held[64], n = 0;
	bool mine[64] = {0};
	struct pool p;

	CU_ASSERT_EQUAL_FATAL(pool_init(&p, &conf), 0);
	srand(7);
	for (int i = 0; i < 100000; i++) {
		uint32_t ip = 0, k;

		switch (rand() % 3) {
		case 0:
			ip = pool_get(&p);
			CU_ASSERT_EQUAL(ip == 0, n == 64);
			break;
		case 1:
			ip = 100 + (uint32_t)rand() % 64;
			if (pool_take(&p, ip) < 0) {
				CU_ASSERT_TRUE(mine[ip - 100]);
				ip = 0;
			}
			break;
		default:
			if (n == 0)
				break;
			k = (uint32_t)rand() % n;
			pool_put(&p, held[k]);
			mine[held[k] - 100] = false;
			held[k] = held[--n];
			break;
		}
		if (ip == 0)
			continue;
		CU_ASSERT_FALSE_FATAL(mine[ip - 100]);
		mine[ip - 100] = true;
		held[n++] = ip;
	}
	CU_ASSERT_EQUAL(p.used, n);
	pool_fini(&p);
}

static void test_halfopen(void)
{
	struct ipaddr a = ipaddr_v4(0x01020304), same = ipaddr_v4(0x01020399),
	              b = ipaddr_v4(0x05060708);
	struct halfopen *h = halfopen_new(4, 1);
	struct halfopen_entry *e[4];
	int owner[6];

	CU_ASSERT_PTR_NULL(halfopen_victim(h));
	e[0] = halfopen_add(h, &b, &owner[0]);
	e[1] = halfopen_add(h, &a, &owner[1]);
	CU_ASSERT_PTR_EQUAL(halfopen_victim(h), &owner[0]); /* equally full: the older source */
	e[2] = halfopen_add(h, &same, &owner[2]);
	CU_ASSERT_PTR_EQUAL(halfopen_victim(h), &owner[1]);
	e[3] = halfopen_add(h, &a, &owner[3]);
	CU_ASSERT_TRUE(halfopen_full(h));
	halfopen_del(h, e[1]);
	CU_ASSERT_FALSE(halfopen_full(h));
	CU_ASSERT_PTR_EQUAL(halfopen_victim(h), &owner[2]);
	halfopen_del(h, e[2]);
	halfopen_del(h, NULL);
	halfopen_del(h, e[3]);
	CU_ASSERT_PTR_EQUAL(halfopen_victim(h), &owner[0]);
	halfopen_del(h, e[0]);
	CU_ASSERT_EQUAL(halfopen_count(h), 0);
	CU_ASSERT_PTR_NULL(halfopen_victim(h));
	/* one above the limit, and no more */
	for (int i = 0; i < 4; i++)
		e[i] = halfopen_add(h, &a, &owner[i]);
	CU_ASSERT_TRUE(halfopen_full(h));
	CU_ASSERT_PTR_NOT_NULL(halfopen_add(h, &b, &owner[4]));
	CU_ASSERT_PTR_NULL(halfopen_add(h, &b, &owner[5]));
	CU_ASSERT_EQUAL(halfopen_count(h), 5);
	halfopen_free(h);
}

/* Plain UDP never latches and is never disconnected. */
static void test_conn_udp(void)
{
	struct conn k;

	conn_init(&k, 0, CONN_UDP);
	conn_use(&k, true);
	CU_ASSERT_FALSE(conn_fire(&k, SS_PPP_AUTH_FAILED, 1));
	CU_ASSERT_EQUAL(conn_guard_tunnel(&k, true), SS_NONE);
	CU_ASSERT_TRUE(conn_guard_call(&k));
	CU_ASSERT_FALSE(conn_take_disconnect(&k));
}

static void test_conn_ipsec(void)
{
	struct conn k;

	conn_init(&k, 7, CONN_IPSEC);
	CU_ASSERT_EQUAL(conn_guard_tunnel(&k, true), SS_NONE);
	conn_use(&k, false);
	CU_ASSERT_EQUAL(conn_guard_tunnel(&k, false), SS_NONE);
	CU_ASSERT_EQUAL(conn_guard_tunnel(&k, true), SS_SECOND_TUNNEL);
	conn_use(&k, true);
	CU_ASSERT_EQUAL(conn_guard_tunnel(&k, false), SS_SECOND_TUNNEL);
	CU_ASSERT_TRUE(conn_guard_call(&k));
	CU_ASSERT_TRUE(conn_fire(&k, SS_SESSION_CDN_RX, 42));
	CU_ASSERT_FALSE(conn_fire(&k, SS_TUNNEL_ADMIN, 43)); /* the first reason stays */
	CU_ASSERT_EQUAL(k.fired_reason, SS_SESSION_CDN_RX);
	CU_ASSERT_EQUAL(k.fired_at_ms, 42);
	CU_ASSERT_EQUAL(conn_guard_tunnel(&k, false), SS_SESSION_CDN_RX);
	CU_ASSERT_FALSE(conn_guard_call(&k));
	CU_ASSERT_TRUE(conn_take_disconnect(&k));
	CU_ASSERT_FALSE(conn_take_disconnect(&k));
}

static void test_reasons(void)
{
	for (int r = 0; r < SS_REASON_MAX; r++)
		CU_ASSERT_PTR_NOT_NULL(ss_reason_name((enum ss_reason)r));
	CU_ASSERT_EQUAL(ss_reason_of_session(L2TP_R_CALL_ADMIN_CLOSE, PPP_R_AUTH_FAILED),
	                SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(ss_reason_of_session(L2TP_R_CALL_RX_CDN, PPP_R_NONE), SS_SESSION_CDN_RX);
	CU_ASSERT_EQUAL(ss_reason_of_session(L2TP_R_CALL_ADMIN_CLOSE, PPP_R_NO_ADDRESS),
	                SS_NCP_FAILED);
	CU_ASSERT_EQUAL(ss_reason_of_tunnel(L2TP_R_TUNNEL_TIMEOUT_FIRST_CALL),
	                SS_FIRST_SESSION_TIMEOUT);
}

int main(void)
{
	static CU_TestInfo tests[] = {
	        {"pool", test_pool},
	        {"pool, random", test_pool_random},
	        {"halfopen", test_halfopen},
	        {"connection, UDP", test_conn_udp},
	        {"connection, IPsec", test_conn_ipsec},
	        {"reasons", test_reasons},
	        CU_TEST_INFO_NULL,
	};
	return run_suite("control parts", tests);
}
