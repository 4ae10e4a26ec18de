/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Sessions come and go, in the order that control says. */
#include "dataplane/rig.h"

#include <errno.h>

static void test_session_orders(void)
{
	struct dp_session s = *rig_session();
	struct dp_session_stats st;
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	CU_ASSERT_EQUAL(dp_session_stats(dp, SID, GEN, &st), -ENOENT);
	CU_ASSERT_EQUAL(dp_session_update(dp, &s), -ENOENT);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), -ENOENT);
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), 0);
	CU_ASSERT_EQUAL(dp_worker_sessions(dp, s.worker), 1);
	CU_ASSERT_EQUAL(dp_session_stats(dp, SID, GEN, &st), 0); /* not applied yet: all zero */
	rig_turn();
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), -EEXIST);
	CU_ASSERT_EQUAL(dp_session_stats(dp, SID, GEN + 1, &st), -ESTALE);
	s.gen++;
	CU_ASSERT_EQUAL(dp_session_update(dp, &s), -ESTALE);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN + 1, &ticket), -ESTALE);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	CU_ASSERT_FALSE(dp_applied(dp, ticket));
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), -EBUSY); /* not before it is applied */
	rig_turn();
	CU_ASSERT_TRUE(dp_applied(dp, ticket));
	CU_ASSERT_EQUAL(dp_session_stats(dp, SID, GEN, &st), 0); /* the last counters stay */
	CU_ASSERT_EQUAL(dp_worker_sessions(dp, s.worker), 0);
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), 0);
	s.session_id = 0;
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), -EINVAL);
	s.session_id = 9;
	s.gen = 0;
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), -EINVAL);
	s.gen = 1;
	s.worker = 7;
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), -EINVAL);
	s.worker = 0;
	s.peer.addr.family = 10;
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), -EAFNOSUPPORT);
	rig_close();
}

/* After the ticket nothing of the session moves, in either direction, queued or not. */
static void test_session_del(void)
{
	struct bytes packet = {0}, body = {0}, up = {0}, down = {0};
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(rig_session());
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .payload = 4});
	ppp_make(&body, "21", &packet);
	l2tp_make(&up, &(struct l2tpspec){.flags = 2, .body = &body});
	eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 4});
	rig_put(0, 0, &up);
	rig_put(1, 0, &down);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	rig_clear();
	/* Sent before the end goes out, sent after it does not: control's order is kept. */
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, (const uint8_t *)"\xc0\x21\x05", 3), 0);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, (const uint8_t *)"\xc0\x21\x05", 3), -ENOENT);
	rig_turn();
	CU_ASSERT_TRUE(dp_applied(dp, ticket));
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_clear();
	rig_put(0, 0, &up);
	rig_put(1, 0, &down);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SESSION), 1);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1); /* unreachable */
	rig_close();
}

/* Packets that wait for a next hop end with their session, whichever side of it they are on. */
static void test_del_while_held(void)
{
	struct dp_session other = *rig_session();
	const uint8_t mac[6] = {2};
	struct bytes packet = {0}, body = {0}, frame = {0};
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(rig_session());
	other.session_id = SID2;
	other.peer_ip = SUB2;
	rig_add(&other);
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_LAC, LAC, NULL), 0);
	rig_turn();
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = CORE_HOST, .payload = 4});
	ppp_make(&body, "21", &packet);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 0, &frame);
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 4});
	rig_put(1, 0, &frame);
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB2, .payload = 4});
	rig_put(1, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SESS_GONE), 2);
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_LAC, LAC, mac), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_CORE, CORE_HOST, mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1); /* the other session's */
	rig_close();
}

/* At once, with no order a session: nothing of it goes in or out, or waits; its sessions are still there. */
static void test_tunnel_close(void)
{
	struct dp_session s = *rig_session();
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, peer = {ipaddr_v4(LAC), 1701};
	const uint8_t mac[6] = {2};
	struct bytes packet = {0}, body = {0}, up = {0}, down = {0};
	struct dp_session_stats st;
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(&s);
	s.session_id = SID2;
	s.tunnel_id = TID + 1;
	s.peer_ip = SUB2;
	rig_add(&s);
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_LAC, LAC, NULL), 0);
	rig_turn();
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = CORE_HOST, .payload = 4});
	ppp_make(&body, "21", &packet);
	l2tp_make(&up, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 0, &up);
	eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB2, .payload = 4});
	rig_put(1, 0, &down);
	eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 4});
	rig_put(1, 0, &down);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0); /* all wait for a next hop */
	rig_clear();
	rig_mark();

	dp_tunnel_close(dp, TID);
	CU_ASSERT_TRUE(dp->fence_owed);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, (const uint8_t *)"\xc0\x21\x05", 3), -ENOENT);
	CU_ASSERT_EQUAL(dp_session_update(dp, rig_session()), -ENOENT);
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &peer, 0, (const uint8_t *)"stop", 4), 0);
	CU_ASSERT_FALSE(dp->fence_owed);
	CU_ASSERT_NOT_EQUAL(dp->fence, 0); /* it leaves behind what all workers have in hand */
	rig_put(0, 0, &up);
	rig_put(1, 0, &down);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SESSION), 1);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SESS_GONE), 3); /* two were held */
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_LAC, LAC, mac), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_CORE, CORE_HOST, mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2); /* the other tunnel's, and what control sent */

	CU_ASSERT_EQUAL(dp_session_stats(dp, SID, GEN, &st), 0);
	CU_ASSERT_EQUAL(st.rx_packets, 1);
	CU_ASSERT_EQUAL(dp_session_add(dp, rig_session()), -EEXIST);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	rig_turn();
	CU_ASSERT_TRUE(dp_applied(dp, ticket));
	rig_clear();
	rig_add(rig_session()); /* open again, for a new tunnel with the old id */
	rig_put(1, 0, &down);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_close();
}

/* The owner checks the generation: an order for an older session does nothing to a newer. */
static void test_stale_send(void)
{
	struct fifo_msg msg = {.op = FIFO_SEND_PPP, .id = SID, .gen = GEN - 1};
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(rig_session());
	msg.m = dp_alloc(dp, 10);
	rte_pktmbuf_append(msg.m, 10);
	dp_fifo_put(dp, rig()->owner, &msg);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SEND_STALE), 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_close();
}

static void test_fifo_full(void)
{
	struct dp_session s = *rig_session();
	const uint8_t mac[6] = {2};
	uint64_t ticket;
	struct dp *dp;
	int n = 0, rc;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(&s);
	do {
		s.session_id = (uint16_t)(SID2 + n++);
		s.peer_ip = 0;
		rc = dp_session_add(dp, &s);
	} while (rc == 0);
	CU_ASSERT_EQUAL(rc, -EAGAIN);
	CU_ASSERT_EQUAL(n, FIFO_SIZE);
	CU_ASSERT_EQUAL(dp_session_update(dp, rig_session()), -EAGAIN);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), -EAGAIN);
	CU_ASSERT_EQUAL(dp_neigh_set(dp, IF_LAC, LAC, mac), -EAGAIN);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, (const uint8_t *)"\xc0\x21", 2), -EAGAIN);
	rig_turn();
	CU_ASSERT_EQUAL(dp_worker_sessions(dp, s.worker), FIFO_SIZE);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"session orders", test_session_orders},
        {"session ends", test_session_del},
        {"session ends while packets are held", test_del_while_held},
        {"tunnel closes", test_tunnel_close},
        {"stale send", test_stale_send},
        {"FIFO full", test_fifo_full},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *session_tests(void)
{
	return tests;
}
