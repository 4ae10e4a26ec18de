/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The rest of the single-shot behaviours as control decides them: who latches, when, for how long. */
#include "must.h"
#include "suite.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* So many tunnels, each of which leaves a record. */
static void fill(struct rig *r, uint32_t n, uint64_t many)
{
	struct lac_tunnel *t[1024];

	for (uint32_t made = 0, batch; made < n; made += batch) {
		batch = n - made < 1024 ? n - made : 1024;
		for (uint32_t i = 0; i < batch; i++)
			t[i] = rig_dial(r, "std", (uint16_t)(1024 + (made + i) % 60000),
			                made + i < 60000 ? 0 : many, 0, "");
		rig_run(r, 100);
		for (uint32_t i = 0; i < batch; i++)
			if (t[i] != NULL)
				lac_close(t[i], r->now_ms);
		rig_run(r, 1000);
	}
}

/* T28: the table is full of records; the oldest, the single-shot one, gives way, its latch stays. */
static void test_reclaim(void)
{
	struct rig *r = rig_new();
	struct ctl_tunnel_view v;
	uint32_t cursor = 0;
	uint64_t conn, other, refused, many;
	bool there = false;

	r->conf.l2tp.destruct_timeout_s = 3600;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	many = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	fill(r, 65536, many);
	CU_ASSERT_TRUE(must_stats(r).records_reclaimed > 0);
	while (ctl_tunnel_next(r->ctl, &cursor, r->now_ms, &v))
		there = there || v.conn == conn;
	CU_ASSERT_FALSE(there);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	refused = must_stats(r).ss_refused_sccrq;
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, refused + 1);
	CU_ASSERT_EQUAL(r->networks_up, 0);
	other = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

/* T13b, T28: the record that gives way is the last one of the connection that the new tunnel is on. */
static void test_reclaim_own(void)
{
	struct rig *r = rig_new();
	struct lac_tunnel *t;
	uint64_t conn, many;

	r->conf.l2tp.destruct_timeout_s = 3600;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	many = ctl_conn_open(r->ctl);
	t = rig_dial(r, "std-ipsec", 1701, conn, 0, "");
	rig_run(r, 100);
	lac_close(t, r->now_ms);
	rig_run(r, 1000);
	fill(r, 65534, many);
	CU_ASSERT_EQUAL(must_stats(r).records_reclaimed, 0);
	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).records_reclaimed, 1);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

/* E1, E6, E7: what tells connections apart is their id, not an address. */
static void test_same_inner_address(void)
{
	struct rig *r = must_rig();
	uint64_t a = ctl_conn_open(r->ctl), b = ctl_conn_open(r->ctl), c;

	rig_dial(r, "ss-ipsec", 1701, a, 1, "wrong");
	rig_dial(r, "ss-ipsec", 1701, b, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_fired(r, a), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(must_fired(r, b), SS_NONE);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	c = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, c, 1, "pass1");
	rig_dial(r, "ss-ipsec", 1701, a, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* E11: the client restarts without its IPsec connection and comes with another tunnel id. */
static void test_restart_new_id(void)
{
	struct l2tp_result gone = {.reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl);
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

	rig_run(r, 3); /* the SCCRQ is there, the SCCRP is on its way */
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 1);
	l2tp_tunnel_abort(lac_tunnel_engine(t), &gone, r->now_ms);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(r->networks_up, 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	rig_run(r, 45000);
	must_be_latched(r, conn, SS_TUNNEL_TIMEOUT);
}

/* E13: no call in time. */
static void test_first_session(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl), std = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 0, "pass1");
	rig_dial(r, "std-ipsec", 1702, std, 0, "pass1");
	rig_run(r, 59000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	rig_run(r, 2000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 2);
	CU_ASSERT_EQUAL(must_fired(r, std), SS_NONE);
	must_be_latched(r, conn, SS_FIRST_SESSION_TIMEOUT);
}

/* E16: single-shot without enable-ipsec-transport, but the tunnel came inside IPsec. */
static void test_transport_decides(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss", 1701, conn, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_dial(r, "ss", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	rig_dial(r, "ss", 1701, 0, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

/* E18, E19, E36: the peer's StopCCN with the session up; and both sides' at once. */
static void test_peer_stops(void)
{
	for (int both = 0; both < 2; both++) {
		struct rig *r = must_rig();
		uint64_t conn = ctl_conn_open(r->ctl);
		struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

		rig_run(r, UP_MS);
		CU_ASSERT_EQUAL(r->networks_up, 1);
		lac_close(t, r->now_ms);
		if (both)
			ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms);
		rig_run(r, 900);
		CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* ours was acknowledged */
		CU_ASSERT_EQUAL(rig_count_dps(r), 0);
		CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
		must_be_latched(r, conn, both ? SS_TUNNEL_ADMIN : SS_TUNNEL_STOPCCN_RX);
	}
}

/* E20: the operator ends the tunnel; and shutting down refuses without latching. */
static void test_admin(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms), 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_TUNNEL_ADMIN); /* before anything left */
	rig_run(r, 900);
	must_be_latched(r, conn, SS_TUNNEL_ADMIN);

	r = must_rig();
	conn = ctl_conn_open(r->ctl);
	ctl_shutdown(r->ctl, r->now_ms);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->last_tunnel_result.result, 6);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	rig_free(r);
}

/* E28: the password is being judged, on another thread; further calls are refused meanwhile. */
static void test_slow_judge(void)
{
	struct rig *r = rig_new();
	struct crypt_data cd = {0};
	struct lac_tunnel *t;

	r->users[0].password[0] = '\0';
	snprintf(r->users[0].crypt, sizeof(r->users[0].crypt), "%s",
	         crypt_r("pass1", "$6$abcdefgh", &cd));
	r->ifprof.auth_methods = PPP_AUTH_PAP;
	rig_start(r);
	t = rig_dial(r, "ss", 40001, 0, 1, "pass1");
	rig_run(r, 30);
	for (int i = 0; i < 5; i++)
		lac_call(t, "user2", "pass2", r->now_ms);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
	for (int i = 0; i < 200 && r->networks_up == 0; i++) {
		rig_run(r, 20);
		usleep(10000);
	}
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
	CU_ASSERT_TRUE(must_stats(r).ss_refused_icrq >= 1);
	rig_free(r);
}

/* E30: with the connection its latch goes; nothing stays behind of the peer. */
static void test_no_memory_of_peers(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	ctl_conn_closed(r->ctl, conn, r->now_ms);
	rig_run(r, 601000); /* its record's end */
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, conn));
	for (int i = 0; i < 3; i++) {
		conn = ctl_conn_open(r->ctl);
		rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
		rig_run(r, UP_MS);
		CU_ASSERT_EQUAL(r->networks_up, (uint32_t)i + 1);
	}
	rig_free(r);
}

/* E31: the peer hears nothing; the signal comes when the retransmissions end, not with the record. */
static void test_deaf_peer(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl), down;
	struct ctl_session_view v;
	uint32_t cursor = 0;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	r->cut = true;
	ctl_clear_session(r->ctl, v.id, r->now_ms);
	rig_run(r, 1);
	down = r->now_ms;
	for (int i = 0; i < 200 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 100); /* the link's Terminate-Request is not answered either */
	CU_ASSERT_TRUE(r->now_ms <= down + 6200);
	rig_run(r, 32000);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_TRUE(r->disconnected_at[0] <= down + 6200 + 31000);
	r->cut = false;
	rig_free(r);
}

/* E32: one StopCCN an attempt, no state; and nothing at all once the connection is gone. */
static void test_latched_is_silent(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl), tx;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	tx = must_stats(r).l2tp.tx;
	for (uint16_t i = 0; i < 100; i++)
		must_sccrq(r, conn, "ss-ipsec", (uint16_t)(100 + i));
	CU_ASSERT_EQUAL(must_stats(r).l2tp.tx, tx + 100);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 100);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(must_stats(r).half_open, 0);
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(must_stats(r).l2tp.tx, tx + 100); /* nothing is sent again */
	ctl_conn_closed(r->ctl, conn, r->now_ms);
	for (uint16_t i = 0; i < 100; i++)
		must_sccrq(r, conn, "ss-ipsec", (uint16_t)(300 + i));
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	rig_free(r);
}

/* E33: the host's limit counts across its single-shot tunnels. */
static void test_host_limit(void)
{
	struct rig *r = rig_new();

	r->hosts[1].max_sessions = 2;
	rig_start(r);
	for (uint16_t i = 0; i < 3; i++) {
		rig_dial(r, "ss", (uint16_t)(40001 + i), 0, 2, "pass1");
		rig_run(r, UP_MS);
	}
	CU_ASSERT_EQUAL(r->networks_up, 2); /* one a tunnel, two the host */
	CU_ASSERT_EQUAL(ctl_host_sessions(r->ctl, 0, 1), 2);
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* refused was its one call */
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"records give way (T28)", test_reclaim},
	        {"its own record gives way (T13b, T28)", test_reclaim_own},
	        {"same inner address (E7)", test_same_inner_address},
	        {"restart with a new id (E11)", test_restart_new_id},
	        {"no first session (E13)", test_first_session},
	        {"transport decides (E16)", test_transport_decides},
	        {"the peer stops (E19, E36)", test_peer_stops},
	        {"the operator ends it (E20)", test_admin},
	        {"slow judge (E28)", test_slow_judge},
	        {"no memory of peers (E30)", test_no_memory_of_peers},
	        {"deaf peer (E31)", test_deaf_peer},
	        {"latched is silent (E32)", test_latched_is_silent},
	        {"host's limit (E33)", test_host_limit},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control demands: single-shot", tests);
}
