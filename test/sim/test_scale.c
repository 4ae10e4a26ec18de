/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Nearly as many tunnels as there are ids, with a session each, dropped and dialled again three
 * times with no pause: ids, slots and addresses of the dead must serve the living. And one tunnel with
 * very many calls, whose end must not keep control from everything else.
 */
#include "control/rig.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TUNNELS    64000
#define SOURCES    250 /* addresses */
#define A_STEP     500 /* tunnels dialled or dropped in a step of */
#define STEP_MS    10
#define FIRST_PORT 1024

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Every tunnel has an address and port of its own, the same in every round. */
static bool dial(struct rig *r, uint32_t i)
{
	struct l2tp_path path = {
	        .local = {ipaddr_v4(0x0a800001 + i % SOURCES),
	                  (uint16_t)(FIRST_PORT + i / SOURCES)},
	        .remote = {ipaddr_v4(0xc0000201), 1701},
	};
	struct lac_dial d = {
	        .host_name = "std",
	        .user = "user1",
	        .password = "pass1",
	        .auth_methods = PPP_AUTH_CHAP_MD5,
	        .sessions = 1,
	        .hello_ms = 60000,
	};

	return lac_dial(r->lac, &path, &d, r->now_ms) != NULL;
}

static void dial_all(struct rig *r)
{
	uint32_t refused = 0;

	for (uint32_t i = 0; i < TUNNELS; i++) {
		refused += !dial(r, i);
		if (i % A_STEP == A_STEP - 1)
			rig_run(r, STEP_MS);
	}
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(refused, 0);
}

/* The clients hang up. */
static void drop_all(struct rig *r)
{
	uint32_t n = 0;

	for (uint32_t id = 1; id < 65536; id++) {
		struct l2tp_tunnel *t = l2tp_tunnel_by_id(lac_engine(r->lac), (uint16_t)id);

		if (t == NULL)
			continue;
		lac_close(l2tp_tunnel_user(t), r->now_ms);
		if (++n % A_STEP == 0)
			rig_run(r, STEP_MS);
	}
	rig_run(r, 1000);
}

/* The operator clears all. */
static void clear_all(struct rig *r)
{
	uint32_t cursor = 0;

	while (!ctl_clear_tunnels(r->ctl, &cursor, A_STEP, r->now_ms))
		rig_run(r, STEP_MS);
	rig_run(r, 1000);
}

static void check(struct rig *r, uint32_t want)
{
	struct ctl_stats st;
	struct ctl_pool_view pool;
	uint32_t cursor = 0;

	ctl_stats_get(r->ctl, &st);
	CU_ASSERT_EQUAL(st.tunnels.active, want);
	CU_ASSERT_EQUAL(st.sessions.active, want);
	CU_ASSERT_EQUAL(st.tunnel_ids_used, want);
	CU_ASSERT_EQUAL(st.session_ids_used, want);
	CU_ASSERT_EQUAL(st.half_open, 0);
	CU_ASSERT_EQUAL(st.half_open_evicted, 0);
	CU_ASSERT_EQUAL(rig_count_dps(r), want);
	CU_ASSERT_EQUAL(lac_tunnels(r->lac), want);
	CU_ASSERT_EQUAL(lac_sessions(r->lac), want);
	CU_ASSERT_TRUE(ctl_pool_next(r->ctl, &cursor, &pool));
	CU_ASSERT_EQUAL(pool.used, want);
}

static void test_three_rounds(void)
{
	struct rig *r = rig_new();
	struct ctl_stats st;

	rig_start(r);
	for (uint32_t round = 1; round <= 3; round++) {
		double start = seconds(), up;

		dial_all(r);
		up = seconds() - start;
		check(r, TUNNELS);
		CU_ASSERT_EQUAL(r->networks_up, round * TUNNELS);
		start = seconds();
		if (round == 2)
			clear_all(r);
		else
			drop_all(r);
		check(r, 0);
		printf("round %u: %d tunnels with a session up in %.2f s, down in %.2f s\n", round,
		       TUNNELS, up, seconds() - start);
	}
	ctl_stats_get(r->ctl, &st);
	CU_ASSERT_TRUE(st.records_reclaimed > 0);
	CU_ASSERT_EQUAL(st.tunnels.failed, 0);
	CU_ASSERT_EQUAL(st.sessions.failed, 0);
	rig_free(r);
}

/* ---- one tunnel ---- */

#define CALLS       20000
#define MOST_A_CALL 200 /* sessions that one call of control ends */

static void on_gone(struct rig *r, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	/* Whoever hears of the end hears that nothing goes through any more. */
	if (ev == LAC_TUNNEL_GONE)
		CU_ASSERT_EQUAL(r->n_dps, r->n_closed);
}

static struct lac_tunnel *dial_many(struct rig *r, uint16_t port, uint32_t want)
{
	struct lac_tunnel *t = rig_dial(r, "std", port, 0, CALLS, "pass1");

	for (int s = 0; s < 600 && r->networks_up < want; s++)
		rig_run(r, 1000);
	CU_ASSERT_EQUAL(r->networks_up, want);
	CU_ASSERT_EQUAL(rig_count_dps(r), CALLS);
	r->most_deletes = 0;
	return t;
}

static void check_many(struct rig *r)
{
	struct ctl_stats st;

	rig_run(r, 60000);
	ctl_stats_get(r->ctl, &st);
	CU_ASSERT_EQUAL(rig_count_dps(r), 0);
	CU_ASSERT_EQUAL(st.tunnels.live, 0);
	CU_ASSERT_EQUAL(st.sessions.live, 0);
	CU_ASSERT_EQUAL(st.session_ids_used, 0);
	CU_ASSERT_EQUAL(st.tunnel_ids_used, 0);
	CU_ASSERT(r->most_deletes > 0 && r->most_deletes <= MOST_A_CALL);
	CU_ASSERT_EQUAL(lac_sessions(r->lac), 0);
}

/* The only tunnel there is. */
static void clear_it(struct rig *r)
{
	uint16_t id = 1;

	while (ctl_clear_tunnel(r->ctl, id, r->now_ms) < 0 && id < UINT16_MAX)
		id++;
	CU_ASSERT_EQUAL(r->n_dps, r->n_closed);
	CU_ASSERT(r->n_dps >= CALLS - MOST_A_CALL);
}

static void test_many_calls(void)
{
	struct rig *r = rig_new();

	rig_start(r);
	r->on_lac = on_gone;
	lac_close(dial_many(r, 5001, CALLS), r->now_ms);
	check_many(r);

	dial_many(r, 5002, 2 * CALLS);
	clear_it(r);
	check_many(r);
	CU_ASSERT_EQUAL(r->tunnels_gone, 2);

	dial_many(r, 5003, 3 * CALLS);
	clear_it(r);
	rig_drop(r); /* with calls that still wait for their end */
}

int main(void)
{
	CU_pSuite s;
	unsigned failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	s = CU_add_suite("scale", NULL, NULL);
	CU_add_test(s, "64,000 tunnels, three rounds", test_three_rounds);
	CU_add_test(s, "20,000 calls of one tunnel", test_many_calls);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
