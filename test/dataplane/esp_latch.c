/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The latch of single-shot tunnels (E23, E32): once control has written it nothing is forwarded, wherever a
 * packet is at that moment, and control's own messages still pass.
 */
#include "dataplane/esp_rig.h"

#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define CTRL      0xc802
#define TID2      0x0202

static const uint8_t cdn[] = {0xc8, 2, 0, 12, 0x22, 2, 0, 0, 0, 1, 0, 1};

static void put_down(uint32_t dst)
{
	struct bytes frame;

	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = dst, .payload = 40});
	rig_put(1, 0, &frame);
}

static void start(struct peer *p, struct pair *q)
{
	struct dp_session s;

	rig_open(NULL);
	peer_init(p);
	peer_add(p);
	pair_up(q, p);
	s = peer_session(p);
	rig_add(&s);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &p->c.local, &p->c.peer, CONN), 0);
	peer_put_data(p, q, WORLD); /* the first packet's event is out of the way */
	rig_turn();
	rig_clear();
	rig_mark();
}

static void send_cdn(const struct peer *p)
{
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &p->c.local, &p->c.peer, p->child, cdn, sizeof(cdn)),
	                0);
}

static void put_control(const struct peer *p, struct pair *q, uint16_t tid)
{
	struct bytes inner, avp = {0};

	hex_make(&avp, "8008 0000 0000 000e");
	peer_message(&inner, p,
	             &(struct l2tpspec){.flags = CTRL, .zero_ids = true, .tid = tid, .body = &avp});
	peer_put(p, q, &inner);
}

static void test_inbound(void)
{
	struct peer p;
	struct pair q;
	struct bytes inner;

	start(&p, &q);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID2, &p.c.local, &p.c.peer, CONN + 1), 0);
	dp_child_latch(rig()->dp, p.child);
	dp_child_latch(rig()->dp, p.child);
	peer_put_data(&p, &q, WORLD);
	put_control(&p, &q, 0); /* another SCCRQ */
	put_control(&p, &q, TID2); /* another connection's tunnel */
	put_control(&p, &q, 0x7777); /* no tunnel */
	peer_message(&inner, &p, &(struct l2tpspec){.flags = CTRL});
	inner.len = 8 + 5; /* no tunnel id */
	put_be16(inner.b + 4, 13);
	peer_put(&p, &q, &inner);
	put_control(&p, &q, TID); /* its own */
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 5);
	CU_ASSERT_EQUAL(sa_stats(q.in_id).latched, 5);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig()->punts[0].p.class, DP_PUNT_L2TP);
	CU_ASSERT_EQUAL(rig()->punts[0].p.conn, CONN);
	/* When it is gone, nothing comes through. */
	CU_ASSERT_EQUAL(dp_tunnel_del(rig()->dp, TID), 0);
	put_control(&p, &q, TID);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 6);
	CU_ASSERT_EQUAL(rig()->n_punts, 1);
	pair_free(&q);
	rig_close();
}

static void test_outbound(void)
{
	const uint8_t failure[] = {0xc2, 0x23, 4, 1, 0, 4};
	struct dp_session_stats st;
	struct bytes inner = {0}, ip = {0};
	struct peer p;
	struct pair q;

	start(&p, &q);
	dp_child_latch(rig()->dp, p.child);
	put_down(SUB);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, failure, sizeof(failure)), 0);
	ip4_make(&ip, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 4});
	CU_ASSERT_EQUAL(dp_send_ip(rig()->dp, ip.b, ip.len), 0);
	send_cdn(&p);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 2);
	CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
	CU_ASSERT_EQUAL(st.tx_discards, 2);
	CU_ASSERT_EQUAL(st.tx_packets, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
	CU_ASSERT_EQUAL(peer_opens_nr(0, &p, &q, &inner), 2);
	CU_ASSERT_EQUAL(memcmp(inner.b + 14, failure, sizeof(failure)), 0);
	CU_ASSERT_EQUAL(peer_opens_nr(1, &p, &q, &inner), CTRL);
	pair_free(&q);
	rig_close();
}

/* E7: of two peers behind one NAT only the one has fired. E2: and its next SAs have. */
static void test_identity(void)
{
	struct dp_session s;
	struct peer a, b;
	struct pair qa, qb, rekeyed;

	start(&a, &qa);
	peer_init(&b);
	b.c.conn = CONN + 1;
	peer_add(&b);
	pair_up(&qb, &b);
	s = peer_session(&b);
	s.session_id = SID2;
	s.peer_ip = SUB2;
	rig_add(&s);
	rig_clear();
	dp_child_latch(rig()->dp, a.child);
	pair_up(&rekeyed, &a);
	peer_put_data(&a, &rekeyed, WORLD);
	put_down(SUB);
	put_down(SUB2);
	put_control(&b, &qb, 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 2);
	CU_ASSERT_EQUAL(sa_stats(rekeyed.in_id).latched, 1);
	CU_ASSERT_EQUAL(sa_stats(qb.in_id).packets, 1);
	CU_ASSERT_EQUAL(sa_stats(qb.out_id).packets, 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	pair_free(&qa);
	pair_free(&qb);
	pair_free(&rekeyed);
	rig_close();
}

/* ---- where a packet may be when the latch falls ---- */

/* In the FIFO's shadow: packets have come, and the CDN is ordered, before the worker turns. */
static void test_burst(void)
{
	struct bytes inner = {0};
	struct peer p;
	struct pair q;

	start(&p, &q);
	for (int i = 0; i < 10; i++) {
		peer_put_data(&p, &q, WORLD);
		put_control(&p, &q, i % 2 == 0 ? TID : 0);
		put_down(SUB);
	}
	dp_worker_poll(rig()->dp, 0); /* with two workers they are in the ring now */
	if (rig()->n_workers == 1)
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 0);
	dp_child_latch(rig()->dp, p.child);
	send_cdn(&p);
	for (int i = 0; i < 10; i++)
		peer_put_data(&p, &q, WORLD);
	rig_turn();
	/* 20 data messages, 10 packets down, 5 SCCRQs; one worker had done the first ones. */
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), rig()->n_workers == 1 ? 10 : 35);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, rig()->n_workers == 1 ? 21 : 1);
	if (rig()->n_workers == 2)
		CU_ASSERT_EQUAL(peer_opens_nr(0, &p, &q, &inner), CTRL);
	pair_free(&q);
	rig_close();
}

/* Out of the fired session, on its way into another worker's session; neither has ended. */
static void test_in_ring(void)
{
	struct dp_session other = *rig_session();
	struct peer p;
	struct pair q;

	start(&p, &q);
	other.session_id = SID2;
	other.peer_ip = SUB2;
	other.worker = 0;
	rig_add(&other);
	peer_put_data(&p, &q, SUB2);
	dp_worker_poll(rig()->dp, 0);
	if (rig()->n_workers == 2)
		dp_worker_poll(rig()->dp, 1); /* decrypted, and in the ring back */
	dp_child_latch(rig()->dp, p.child);
	rig_turn();
	if (rig()->n_workers == 2) {
		CU_ASSERT_EQUAL(rig()->n_frames, 0);
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 1);
	} else {
		CU_ASSERT_EQUAL(rig()->n_frames, 1);
	}
	pair_free(&q);
	rig_close();
}

/* Waiting for a next hop, in either direction. */
static void test_held_for_hop(void)
{
	const uint8_t mac[6] = {0x02, 0xaa, 0, 0, 0, 0x10};
	struct bytes inner = {0};
	struct peer p;
	struct pair q;

	start(&p, &q);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, NULL), 0);
	rig_turn();
	peer_put_data(&p, &q, CORE_HOST);
	put_down(SUB);
	rig_turn();
	dp_child_latch(rig()->dp, p.child);
	send_cdn(&p);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, (const uint8_t *)"\xc0\x21\x05", 3), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, mac), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_HOST, mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 2);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
	CU_ASSERT_EQUAL(peer_opens_nr(0, &p, &q, &inner), CTRL);
	CU_ASSERT_EQUAL(peer_opens_nr(1, &p, &q, &inner), 2);
	pair_free(&q);
	rig_close();
}

/*
 * The same, when the session has been deleted and its child's index is somebody else's before the worker
 * that holds the packet has heard of either.
 */
static void test_held_of_gone(void)
{
	const uint8_t mac[6] = {0x02, 0xaa, 0, 0, 0, 0x10};
	struct peer p;
	struct pair q;

	start(&p, &q);
	peer_put_data(&p, &q, CORE_HOST);
	rig_turn();
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_HOST, mac), 0);
	CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, NULL), 0);
	send_cdn(&p);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SESS_GONE), 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 1); /* the CDN */
	pair_free(&q);
	rig_close();
}

/* On its way to ourselves, in the ring to control: the tun must not get it after the CDN. */
static void test_in_punt_ring(void)
{
	for (int latch = 0; latch < 2; latch++) {
		struct peer p;
		struct pair q;

		start(&p, &q);
		peer_put_data(&p, &q, CORE_US);
		rig_poll();
		if (latch)
			dp_child_latch(rig()->dp, p.child);
		else
			CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, NULL), 0);
		send_cdn(&p);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_punts, 0);
		CU_ASSERT_EQUAL(rig()->n_frames, 1);
		pair_free(&q);
		rig_close();
	}
}

/* Waiting for its SA. */
static void test_held_for_sa(void)
{
	struct peer p;
	struct pair q, next;

	start(&p, &q);
	pair_make(&next, &p);
	peer_put_data(&p, &next, WORLD);
	put_control(&p, &next, TID);
	rig_turn();
	dp_child_latch(rig()->dp, p.child);
	pair_in(&next);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(rig()->n_punts, 2); /* and the first packet's event */
	pair_free(&q);
	pair_free(&next);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"what comes in", test_inbound},
        {"what goes out", test_outbound},
        {"whose it is", test_identity},
        {"in a burst", test_burst},
        {"between workers", test_in_ring},
        {"while the next hop is unknown", test_held_for_hop},
        {"while the next hop is unknown, gone", test_held_of_gone},
        {"between worker and control", test_in_punt_ring},
        {"while the SA is not there", test_held_for_sa},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_latch_tests(void)
{
	return tests;
}
